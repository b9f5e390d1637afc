//! Asking a running service whether it is alive, from its own container: the image needs no HTTP client for that.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(2);

/// Asks `GET /healthz` of the service that listens on `listen`; an address of all interfaces is asked by loopback.
///
/// # Errors
/// Nobody answers there within two seconds, or not with 200.
pub fn healthz(listen: SocketAddr) -> io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&reachable(listen), DEADLINE)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    stream.set_write_timeout(Some(DEADLINE))?;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut status = [0; 12];
    stream.read_exact(&mut status)?;
    if status == *b"HTTP/1.1 200" {
        Ok(())
    } else {
        let status = String::from_utf8_lossy(&status);
        Err(io::Error::other(format!("{listen} answered {status}")))
    }
}

fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    fn asked(answer: &'static [u8]) -> io::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let server = thread::spawn(move || -> io::Result<()> {
            let (mut stream, _) = listener.accept()?;
            stream.read_exact(&mut [0; 4])?;
            stream.write_all(answer)
        });
        let asked = healthz(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), address.port()));
        server.join().expect("the server does not panic")?;
        asked
    }

    #[test]
    fn only_200_is_alive() {
        assert!(asked(b"HTTP/1.1 200 OK\r\n\r\n").is_ok());
        assert!(asked(b"HTTP/1.1 503 Service Unavailable\r\n\r\n").is_err());
        assert!(asked(b"HTTP").is_err());
    }

    #[test]
    fn nobody_there_is_not_alive() {
        let free = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .unwrap();
        assert!(healthz(free).is_err());
    }
}
