//! Parsing the head of an answer or of a request as far as its end must be found. Pure.

use anyhow::{Result, bail};

/// The head of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub status: u16,
    /// Of the head, the empty line included.
    pub length: usize,
    pub body_length: usize,
}

/// Reads the head of an answer; `None` while it is not complete.
///
/// # Errors
/// It is not HTTP/1.1, or its body has no stated length.
pub fn parse_head(bytes: &[u8]) -> Result<Option<Head>> {
    let Some(length) = find_end(bytes) else {
        return Ok(None);
    };
    let mut lines = Lines(bytes.get(..length).unwrap_or_default());
    let status = lines.next().and_then(|line| {
        let code = line.strip_prefix(b"HTTP/1.1 ")?.get(..3)?;
        parse_number(code)
    });
    let Some(status) = status.and_then(|status| u16::try_from(status).ok()) else {
        bail!(
            "not an answer of HTTP/1.1: {:.80}",
            String::from_utf8_lossy(bytes)
        );
    };
    let body_length = match lines.find_map(|line| header(line, b"content-length")) {
        Some(value) => parse_number(value),
        None => matches!(status, 204 | 304).then_some(0),
    };
    let Some(body_length) = body_length else {
        bail!("an answer {status} without a stated length");
    };
    Ok(Some(Head {
        status,
        length,
        body_length,
    }))
}

/// Where the head at the start of `bytes` ends, behind its empty line.
pub fn find_end(bytes: &[u8]) -> Option<usize> {
    let at = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    Some(at + 4)
}

/// The value of a line `name: value`, if it has that name (given in lower case).
pub fn header<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (found, rest) = line.split_at_checked(name.len())?;
    let value = rest.strip_prefix(b":")?;
    found.eq_ignore_ascii_case(name).then_some(value.trim_ascii())
}

/// Plain digits.
pub fn parse_number(digits: &[u8]) -> Option<usize> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The lines of a head, without their ends.
pub struct Lines<'a>(pub &'a [u8]);

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let end = self.0.iter().position(|byte| *byte == b'\n')?;
        let (line, rest) = self.0.split_at_checked(end + 1)?;
        self.0 = rest;
        Some(line.trim_ascii_end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_and_lengths_are_read_whatever_the_case_of_names() {
        let text = b"HTTP/1.1 201 Created\r\nX-Content-Length: 9\r\nCoNTent-LENGTH:  12 \r\na: b\r\n\r\n{}";
        let head = parse_head(text).unwrap().unwrap();
        assert_eq!(
            head,
            Head {
                status: 201,
                length: text.len() - 2,
                body_length: 12
            }
        );
    }

    #[test]
    fn half_a_head_is_waited_for() {
        let text = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
        for end in 0..text.len() {
            assert_eq!(parse_head(&text[..end]).unwrap(), None, "{end}");
        }
        assert!(parse_head(text).unwrap().is_some());
    }

    #[test]
    fn an_answer_without_a_body_needs_no_length() {
        let head = parse_head(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap().unwrap();
        assert_eq!((head.status, head.body_length), (204, 0));
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        for text in [
            "HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 2x0 OK\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
            "\r\n\r\n",
        ] {
            assert!(parse_head(text.as_bytes()).is_err(), "{text}");
        }
    }
}
