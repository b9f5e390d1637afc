//! HTTP/1.1 by hand: one request per connection, the answer read to its end.

use std::time::Duration;

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Long enough for a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(10);

pub struct Answer {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    /// Checks that this is a whole problem of that code, and gives its body.
    #[track_caller]
    pub fn problem(&self, status: u16, code: &str) -> Value {
        let problem = self.json();
        assert_eq!(
            (self.status, problem["code"].as_str()),
            (status, Some(code)),
            "{problem}"
        );
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        assert_eq!(problem["status"], status);
        assert_eq!(problem["type"], "about:blank");
        assert_eq!(problem["request_id"].as_str(), self.header("x-request-id"));
        assert!(!problem["detail"].as_str().unwrap().is_empty());
        problem
    }
}

/// One connection, for tests that say their request piece by piece.
pub struct Wire(TcpStream);

impl Wire {
    pub async fn open(port: u16) -> Self {
        Self(TcpStream::connect(("127.0.0.1", port)).await.unwrap())
    }

    /// What the server says until it ends the connection, in whichever way.
    ///
    /// # Panics
    /// It does not within ten seconds.
    pub async fn rest(&mut self) -> String {
        let mut all = Vec::new();
        let read = tokio::time::timeout(PATIENCE, self.0.read_to_end(&mut all));
        let _ = read.await.expect("the server ends the connection");
        String::from_utf8(all).unwrap()
    }

    /// Says what a slow client says, a byte after each pause, until the server hears no more of it.
    ///
    /// # Panics
    /// It still listens after ten seconds.
    pub async fn drip(&mut self, byte: &[u8], pause: Duration) {
        let dripping = async {
            while self.0.write_all(byte).await.is_ok() {
                tokio::time::sleep(pause).await;
            }
        };
        tokio::time::timeout(PATIENCE, dripping)
            .await
            .expect("the server ends the connection");
    }

    /// One answer with `Content-Length`; the connection stays open.
    pub async fn whole(&mut self) -> String {
        let head = self.head().await;
        let length = head
            .split("\r\n")
            .find_map(|line| {
                line.to_ascii_lowercase()
                    .strip_prefix("content-length: ")?
                    .parse()
                    .ok()
            })
            .unwrap_or(0);
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await.unwrap();
        head + &String::from_utf8(body).unwrap()
    }

    /// Reads that much of whatever comes.
    pub async fn take(&mut self, bytes: usize) {
        self.0.read_exact(&mut vec![0; bytes]).await.unwrap();
    }

    pub async fn say(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }

    /// The head of an answer; the connection stays open.
    pub async fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.0.read_u8().await.unwrap());
        }
        String::from_utf8(head).unwrap()
    }

    pub async fn answer(mut self) -> Answer {
        let mut all = Vec::new();
        // A client that was still sending may meet a reset behind the whole answer.
        let _ = self.0.read_to_end(&mut all).await;
        let end = all.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(all[..end].to_vec()).unwrap();
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Answer {
            status,
            headers,
            body: all[end + 4..].to_vec(),
        }
    }
}

/// Sends `<method> <target>` with these header lines and body.
pub async fn send(port: u16, request: &str, headers: &[&str], body: impl AsRef<[u8]>) -> Answer {
    let body = body.as_ref();
    let mut head = format!("{request} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n");
    if !body.is_empty() {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    for header in headers {
        head.push_str(&format!("{header}\r\n"));
    }
    head.push_str("\r\n");
    let mut wire = Wire::open(port).await;
    wire.say(head).await;
    // The server may answer and stop reading before the body is through.
    let _ = wire.0.write_all(body).await;
    wire.answer().await
}

pub async fn get(port: u16, target: &str) -> Answer {
    send(port, &format!("GET {target}"), &[], "").await
}
