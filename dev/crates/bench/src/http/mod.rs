//! HTTP/1.1 with as little work as can be, because it shares the machine with what it measures: requests are
//! rendered once, of answers only the status and the length are looked at.

pub mod head;
pub mod load;

use std::fmt::Write as _;
use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use head::{Head, parse_head};

const FIRST_BUFFER: usize = 4096;
/// No answer of the services is nearly as large.
const BUFFER_LIMIT: usize = 8 * 1024 * 1024;

/// The bytes of a request on a connection that stays open.
pub fn render(method: &str, path: &str, host: SocketAddr, token: Option<&str>, body: &str) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\n");
    if let Some(token) = token {
        write!(text, "authorization: Bearer {token}\r\n").expect("writing to a string cannot fail");
    }
    if !body.is_empty() {
        let length = body.len();
        write!(
            text,
            "content-type: application/json\r\ncontent-length: {length}\r\n"
        )
        .expect("writing to a string cannot fail");
    }
    text += "\r\n";
    text += body;
    text.into_bytes()
}

/// A connection that is kept alive; one exchange at a time.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)
            .await
            .with_context(|| format!("cannot connect to {address}"))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: vec![0; FIRST_BUFFER],
        })
    }

    /// Sends a rendered request and reads the answer to its end: status and body.
    ///
    /// # Errors
    /// The connection broke, or the answer is not one that [`parse_head`] understands. Open a new one then.
    pub async fn exchange(&mut self, request: &[u8]) -> Result<(u16, &[u8])> {
        self.stream.write_all(request).await?;
        let (head, filled) = self.read_head().await?;
        let end = head.length + head.body_length;
        if end > BUFFER_LIMIT {
            bail!("an answer of {} bytes", head.body_length);
        }
        if self.buffer.len() < end {
            self.buffer.resize(end, 0);
        }
        if let Some(rest) = self.buffer.get_mut(filled..end) {
            self.stream.read_exact(rest).await?;
        }
        let body = self.buffer.get(head.length..end).unwrap_or_default();
        Ok((head.status, body))
    }

    async fn read_head(&mut self) -> Result<(Head, usize)> {
        let mut filled = 0;
        loop {
            if filled == self.buffer.len() {
                bail!("an answer whose head is longer than {filled} bytes");
            }
            let free = self.buffer.get_mut(filled..).unwrap_or_default();
            let read = self.stream.read(free).await?;
            if read == 0 {
                bail!("the server closed the connection");
            }
            filled += read;
            if let Some(head) = parse_head(self.buffer.get(..filled).unwrap_or_default())? {
                return Ok((head, filled));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[test]
    fn a_request_with_a_body_says_its_type_and_length() {
        let host = SocketAddr::from(([127, 0, 0, 1], 80));
        assert_eq!(
            render("POST", "/bets", host, Some("t"), "{}"),
            b"POST /bets HTTP/1.1\r\nhost: 127.0.0.1:80\r\nauthorization: Bearer t\r\n\
              content-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
        );
        assert_eq!(
            render("GET", "/", host, None, ""),
            b"GET / HTTP/1.1\r\nhost: 127.0.0.1:80\r\n\r\n"
        );
    }

    #[actix_rt::test]
    async fn answers_in_pieces_and_larger_than_the_buffer_are_read_whole() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = actix_rt::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4];
            for body_length in [3, 20_000] {
                stream.read_exact(&mut request).await.unwrap();
                stream.write_all(b"HTTP/1.1 201 Created\r\ncont").await.unwrap();
                let rest = format!("ent-length: {body_length}\r\n\r\n{}", "x".repeat(body_length));
                tokio::task::yield_now().await;
                stream.write_all(rest.as_bytes()).await.unwrap();
            }
        });
        let mut connection = Connection::open(address).await.unwrap();
        for body_length in [3, 20_000] {
            let (status, body) = connection.exchange(b"ping").await.unwrap();
            assert_eq!((status, body.len()), (201, body_length));
        }
        server.await.unwrap();
        assert!(connection.exchange(b"ping").await.is_err());
    }
}
