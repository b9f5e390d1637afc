//! Clients that speak HTTP by hand, to stop in the middle of it.

use test_support::Service;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::pair::{PATIENCE, TOKEN};

/// One connection.
pub struct Wire(TcpStream);

impl Wire {
    pub async fn open(service: &Service) -> Self {
        Self(TcpStream::connect(service.address()).await.unwrap())
    }

    pub async fn say(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    /// Everything up to and with `end`.
    pub async fn read_until(&mut self, end: &str) -> String {
        let mut read = Vec::new();
        let reading = async {
            while !read.ends_with(end.as_bytes()) {
                read.push(self.0.read_u8().await.unwrap());
            }
        };
        tokio::time::timeout(PATIENCE, reading).await.expect(end);
        String::from_utf8(read).unwrap()
    }

    /// What the server says until it ends the connection, in whichever way.
    pub async fn rest(mut self) -> String {
        let mut read = Vec::new();
        let reading = self.0.read_to_end(&mut read);
        let _ = tokio::time::timeout(PATIENCE, reading)
            .await
            .expect("the server ends the connection");
        String::from_utf8(read).unwrap()
    }

    /// Sends the head of a POST, and waits until the server asks for its body: the request is under way then.
    pub async fn begin(service: &Service, path: &str, body: &str) -> Self {
        let mut wire = Self::open(service).await;
        wire.say(&format!(
            "POST {path} HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {TOKEN}\r\nExpect: 100-continue\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        ))
        .await;
        let asked = wire.read_until("\r\n\r\n").await;
        assert!(asked.starts_with("HTTP/1.1 100 "), "{asked}");
        wire
    }

    /// A connection that was used and may be used again.
    pub async fn idle(service: &Service) -> Self {
        let mut wire = Self::open(service).await;
        wire.say("GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n").await;
        wire.read_until(r#"{"status":"alive"}"#).await;
        wire
    }

    /// Half of a first head.
    pub async fn half(service: &Service) -> Self {
        let mut wire = Self::open(service).await;
        wire.say("GET /healthz HT").await;
        wire
    }

    /// Half of a second head.
    pub async fn second_half(service: &Service) -> Self {
        let mut wire = Self::idle(service).await;
        wire.say("GET /healthz HT").await;
        wire
    }
}
