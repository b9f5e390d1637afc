//! What a link does to its bytes under each condition, on real sockets.

use std::io::ErrorKind;
use std::time::Instant;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

const PATIENCE: Duration = Duration::from_secs(10);
/// Nothing that is going to happen takes longer.
const SILENCE: Duration = Duration::from_millis(200);

/// A server that keeps what it received, and answers each piece with as many `x`.
struct Server {
    address: SocketAddr,
    received: Arc<Mutex<Vec<u8>>>,
}

async fn server() -> Server {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let received = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&received);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let kept = Arc::clone(&kept);
            tokio::spawn(async move {
                let mut piece = [0; 4096];
                while let Ok(read @ 1..) = stream.read(&mut piece).await {
                    kept.lock().unwrap().extend(&piece[..read]);
                    let _ = stream.write_all(&vec![b'x'; read]).await;
                }
            });
        }
    });
    Server { address, received }
}

impl Server {
    async fn has(&self, length: usize) {
        test_support::wait_until("the server received it", PATIENCE, async || {
            (self.received.lock().unwrap().len() >= length).then_some(())
        })
        .await;
    }
}

struct Bench {
    server: Server,
    link: Arc<Link>,
    _proxies: Proxies,
}

async fn bench(condition: Condition) -> Bench {
    let (server, proxies) = (server().await, Proxies::start().unwrap());
    let link = proxies.link("test", server.address).unwrap();
    link.set(condition);
    Bench {
        server,
        link,
        _proxies: proxies,
    }
}

impl Bench {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.link.address()).await.unwrap()
    }

    /// The reset may come before the caller knows that it is connected.
    async fn resets_a_new_connection(&self) -> bool {
        match TcpStream::connect(self.link.address()).await {
            Ok(mut client) => read(&mut client, PATIENCE).await == Some(Err(ErrorKind::ConnectionReset)),
            Err(error) => error.kind() == ErrorKind::ConnectionReset,
        }
    }
}

/// What comes within a moment; `None` where nothing does and the connection stays.
async fn read(stream: &mut TcpStream, within: Duration) -> Option<Result<usize, ErrorKind>> {
    let mut piece = [0; 1024];
    let read = tokio::time::timeout(within, stream.read(&mut piece)).await.ok()?;
    Some(read.map_err(|error| error.kind()))
}

async fn read_exactly(stream: &mut TcpStream, length: usize) {
    let mut piece = vec![0; length];
    tokio::time::timeout(PATIENCE, stream.read_exact(&mut piece))
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn a_clear_link_passes_bytes_both_ways_and_remembers_its_connections() {
    let bench = bench(Condition::Clear).await;
    let mut client = bench.connect().await;
    client.write_all(b"hello").await.unwrap();
    read_exactly(&mut client, 5).await;
    assert_eq!(*bench.server.received.lock().unwrap(), b"hello");
    assert_eq!(bench.link.passed().len(), 1);
    assert_eq!(bench.link.harmed(), 0);
}

#[tokio::test]
async fn delay_and_throttle_take_their_time() {
    let slow = Duration::from_millis(100);
    for condition in [
        Condition::Delay {
            base: slow,
            jitter: Duration::ZERO,
        },
        Condition::Throttle { bytes_per_s: 50 },
    ] {
        let bench = bench(condition).await;
        let mut client = bench.connect().await;
        let started = Instant::now();
        client.write_all(b"hello").await.unwrap();
        read_exactly(&mut client, 5).await;
        assert!(
            started.elapsed() >= 2 * slow,
            "{condition:?}: {:?}",
            started.elapsed()
        );
        assert_eq!(bench.link.harmed(), 2, "{condition:?}: a piece each way");
    }
}

#[tokio::test]
async fn what_is_dropped_one_way_is_gone_and_the_connection_is_reset_when_the_link_is_clear_again() {
    for (condition, reaches) in [
        (Condition::DropUp, false),
        (Condition::DropDown, true),
        (Condition::BlackHole, false),
    ] {
        let bench = bench(condition).await;
        let mut client = bench.connect().await;
        client.write_all(b"hello").await.unwrap();
        if reaches {
            bench.server.has(5).await;
        }
        assert_eq!(read(&mut client, SILENCE).await, None, "{condition:?}");
        assert_eq!(
            !bench.server.received.lock().unwrap().is_empty(),
            reaches,
            "{condition:?}"
        );
        assert!(bench.link.harmed() > 0, "{condition:?}");
        bench.link.set(Condition::Clear);
        // The direction that lost bytes notices at its next piece at the latest.
        let _ = client.write_all(b"more").await;
        let end = read(&mut client, PATIENCE).await;
        assert!(matches!(end, Some(Ok(0) | Err(_))), "{condition:?}: {end:?}");
    }
}

#[tokio::test]
async fn a_cut_comes_after_so_many_bytes() {
    let bench = bench(Condition::CutAfter { bytes: 700 }).await;
    let mut client = bench.connect().await;
    client.write_all(&[b'a'; 1000]).await.unwrap();
    bench.server.has(700).await;
    while let Some(Ok(1..)) = read(&mut client, PATIENCE).await {}
    assert_eq!(bench.server.received.lock().unwrap().len(), 700);
    assert_eq!(bench.link.harmed(), 1);
}

#[tokio::test]
async fn a_reset_ends_connections_old_and_new() {
    let bench = bench(Condition::Clear).await;
    let mut old = bench.connect().await;
    old.write_all(b"hello").await.unwrap();
    read_exactly(&mut old, 5).await;
    bench.link.set(Condition::Reset);
    assert_eq!(
        read(&mut old, PATIENCE).await,
        Some(Err(ErrorKind::ConnectionReset))
    );
    let harmed = bench.link.harmed();
    assert!(harmed > 0);
    assert!(bench.resets_a_new_connection().await);
    assert_eq!(bench.link.harmed(), harmed + 1);
}

#[tokio::test]
async fn a_commit_is_carried_out_and_its_reply_is_lost() {
    let bench = bench(Condition::LoseCommitReply).await;
    let mut client = bench.connect().await;
    client.write_all(b"SELECT\0").await.unwrap();
    read_exactly(&mut client, 7).await;
    assert_eq!(bench.link.harmed(), 0);
    client.write_all(b"Q....COMMIT\0").await.unwrap();
    assert_eq!(
        read(&mut client, PATIENCE).await,
        Some(Err(ErrorKind::ConnectionReset))
    );
    assert!(bench.server.received.lock().unwrap().ends_with(b"COMMIT\0"));
    assert_eq!(bench.link.harmed(), 1);
}

#[tokio::test]
async fn where_nobody_listens_a_connection_is_reset() {
    let bench = bench(Condition::Clear).await;
    let free = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .unwrap()
        .local_addr()
        .unwrap();
    bench.link.set_target(free);
    assert!(bench.resets_a_new_connection().await);
}
