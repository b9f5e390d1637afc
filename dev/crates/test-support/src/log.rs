//! Reading what a process wrote into its log file: the end of it, and the address it announced.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::net::SocketAddr;
use std::path::Path;

const ANNOUNCEMENT: &str = "listening on http://";

/// The address of the first announcement that is complete: something follows it.
pub fn announced_address(log: &str) -> Option<SocketAddr> {
    let (_, rest) = log.split_once(ANNOUNCEMENT)?;
    let end = rest.find(|c: char| !(c.is_ascii_hexdigit() || ".:[]".contains(c)))?;
    rest.get(..end)?.parse().ok()
}

/// The text behind byte `start`; empty if there is no such file.
pub fn read_from(file: &Path, start: u64) -> String {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(file)?;
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    String::from_utf8_lossy(&read().unwrap_or_default()).into_owned()
}

/// The last lines that a log holds behind byte `start`.
pub fn last_lines(file: &Path, start: u64, count: usize) -> String {
    let text = read_from(file, start);
    let lines: Vec<&str> = text.lines().collect();
    lines
        .iter()
        .skip(lines.len().saturating_sub(count))
        .copied()
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::announced_address;

    #[test]
    fn the_address_is_read_from_plain_coloured_and_json_lines_but_not_from_half_a_line() {
        let port = |log| announced_address(log).map(|address| address.port());
        assert_eq!(port("INFO listening on http://127.0.0.1:8081\n"), Some(8081));
        assert_eq!(
            port("INFO listening on http://127.0.0.1:8081\u{1b}[0m\n"),
            Some(8081)
        );
        assert_eq!(
            port(r#"{"message":"listening on http://[::1]:8082"}"#),
            Some(8082)
        );
        assert_eq!(port("INFO listening on http://127.0.0.1:80"), None);
        assert_eq!(port("INFO starting\n"), None);
    }
}
