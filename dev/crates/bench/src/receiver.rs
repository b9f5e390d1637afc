//! The receiver of callbacks: as little work as can be, on one thread. It notes which changes came, and checks the
//! signature of a few.

use std::collections::HashSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use shared_types::Timestamp;
use shared_types::signature::{ID_HEADER, SIGNATURE_HEADER, Secret, SignedHeaders, TIMESTAMP_HEADER, verify};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::LocalSet;

use crate::http::head::{Lines, find_end, header, parse_number};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
const CHECK_ONE_IN: u64 = 64;
const KEPT_BODIES: usize = 1000;
const BUFFER: usize = 32 * 1024;
const POLL: Duration = Duration::from_millis(5);

/// Runs until it is dropped.
pub struct Receiver {
    address: SocketAddr,
    received: Arc<Mutex<Received>>,
    _stop: oneshot::Sender<()>,
}

/// What has come since the last [`Receiver::forget`].
#[derive(Clone, Copy, Debug)]
pub struct Tally {
    /// Different changes.
    pub distinct: u64,
    /// Repeats included.
    pub calls: u64,
    /// Those of the checked signatures that are wrong.
    pub forged: u64,
    /// When the newest change came for the first time.
    pub last_at: Option<Instant>,
}

#[derive(Debug, Default)]
struct Received {
    /// Positions: what stands behind the last `_` of the id.
    seen: HashSet<u64>,
    calls: u64,
    forged: u64,
    last_at: Option<Instant>,
    bodies: Vec<Vec<u8>>,
}

impl Received {
    fn note(&mut self, call: &Call<'_>, secret: &Secret) {
        let position = call.id.rsplit('_').next().and_then(|text| text.parse().ok());
        if self.seen.insert(position.unwrap_or_default()) {
            self.last_at = Some(Instant::now());
        }
        if self.bodies.len() < KEPT_BODIES {
            self.bodies.push(call.body.to_vec());
        }
        if self.calls.is_multiple_of(CHECK_ONE_IN) {
            let headers = SignedHeaders {
                id: call.id,
                timestamp: call.timestamp,
                signature: call.signature,
            };
            let secrets = std::slice::from_ref(secret);
            self.forged += u64::from(verify(headers, call.body, secrets, Timestamp::now()).is_err());
        }
        self.calls += 1;
    }
}

impl Receiver {
    /// Listens on loopback.
    pub async fn start(secret: Secret) -> Result<Self> {
        let received = Arc::new(Mutex::new(Received::default()));
        let (stop, stopped) = oneshot::channel();
        let (listening, listens) = oneshot::channel();
        let shared = Arc::new((Arc::clone(&received), secret));
        thread::Builder::new()
            .name("receiver".to_owned())
            .spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()?;
                LocalSet::new().block_on(&runtime, async move {
                    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
                    // Nobody to tell: the run was broken off.
                    let _ = listening.send(listener.local_addr()?);
                    tokio::select! {
                        result = accept(listener, shared) => result,
                        _ = stopped => Ok(()),
                    }
                })
            })?;
        Ok(Self {
            address: listens.await?,
            received,
            _stop: stop,
        })
    }

    pub fn url(&self) -> String {
        format!("http://{}/callbacks", self.address)
    }

    pub fn tally(&self) -> Tally {
        let received = self.lock();
        Tally {
            distinct: u64::try_from(received.seen.len()).unwrap_or(u64::MAX),
            calls: received.calls,
            forged: received.forged,
            last_at: received.last_at,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Received> {
        self.received
            .lock()
            .expect("nobody panics while holding this lock")
    }

    /// The first bodies that ever came, for the other sender.
    pub fn bodies(&self) -> Vec<Vec<u8>> {
        self.lock().bodies.clone()
    }

    /// Counts from zero again; the kept bodies stay.
    pub fn forget(&self) {
        let mut received = self.lock();
        *received = Received {
            bodies: std::mem::take(&mut received.bodies),
            ..Received::default()
        };
    }

    /// Waits for so many distinct changes; when the last one came.
    ///
    /// # Errors
    /// `patience` is over.
    pub async fn wait_for(&self, changes: u64, patience: Duration) -> Result<Instant> {
        let deadline = Instant::now() + patience;
        loop {
            let Tally {
                distinct, last_at, ..
            } = self.tally();
            match last_at {
                Some(at) if distinct >= changes => return Ok(at),
                _ if Instant::now() > deadline => {
                    bail!(
                        "{distinct} of {changes} callbacks came within {} s",
                        patience.as_secs()
                    )
                }
                _ => tokio::time::sleep(POLL).await,
            }
        }
    }
}

type Shared = Arc<(Arc<Mutex<Received>>, Secret)>;

async fn accept(listener: TcpListener, shared: Shared) -> Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let shared = Arc::clone(&shared);
        tokio::task::spawn_local(async move {
            // A connection that ends is the caller's matter.
            let _ = serve(stream, &shared).await;
        });
    }
}

async fn serve(mut stream: TcpStream, shared: &Shared) -> Result<()> {
    let mut buffer = vec![0; BUFFER];
    let mut filled = 0;
    loop {
        let (used, parsed) = match Call::parse(buffer.get(..filled).unwrap_or_default())? {
            Some((call, used)) => {
                let (received, secret) = &**shared;
                received
                    .lock()
                    .expect("nobody panics while holding this lock")
                    .note(&call, secret);
                (used, true)
            }
            None => (0, false),
        };
        if parsed {
            stream.write_all(ANSWER).await?;
            buffer.copy_within(used..filled, 0);
            filled -= used;
            continue;
        }
        let free = buffer.get_mut(filled..).unwrap_or_default();
        match stream.read(free).await? {
            0 => return Ok(()),
            read => filled += read,
        }
    }
}

/// A callback as it came.
#[derive(Debug)]
struct Call<'a> {
    id: &'a str,
    timestamp: &'a str,
    signature: &'a str,
    body: &'a [u8],
}

impl<'a> Call<'a> {
    /// The first whole request in `bytes`, and how long it is.
    fn parse(bytes: &'a [u8]) -> Result<Option<(Self, usize)>> {
        let Some(head_length) = find_end(bytes) else {
            return Ok(None);
        };
        let head = bytes.get(..head_length).unwrap_or_default();
        let value = |name: &str| Lines(head).find_map(|line| header(line, name.as_bytes()));
        let Some(length) = value("content-length").and_then(parse_number) else {
            bail!("a request without a length");
        };
        let end = head_length + length;
        let Some(body) = bytes.get(head_length..end) else {
            return Ok(None);
        };
        let text = |name| std::str::from_utf8(value(name).unwrap_or_default());
        let call = Self {
            id: text(ID_HEADER)?,
            timestamp: text(TIMESTAMP_HEADER)?,
            signature: text(SIGNATURE_HEADER)?,
            body,
        };
        Ok(Some((call, end)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Connection;

    fn request(id: &str, secret: &Secret) -> String {
        let (body, now) = (r#"{"a":1}"#, Timestamp::now());
        let signature = secret.sign(id, now, body.as_bytes());
        format!(
            "POST /callbacks HTTP/1.1\r\nContent-Length: {}\r\nwebhook-id: {id}\r\n\
             webhook-timestamp: {}\r\nwebhook-signature: {signature}\r\n\r\n{body}",
            body.len(),
            now.unix_seconds()
        )
    }

    #[actix_rt::test]
    async fn repeats_count_once_and_forgeries_are_noticed() {
        let secret = Secret::from_bytes(&[1; 32]).unwrap();
        let receiver = Receiver::start(secret.clone()).await.unwrap();
        let mut connection = Connection::open(receiver.address).await.unwrap();
        for id in ["msg_a_1", "msg_a_2", "msg_a_1"] {
            let (status, _) = connection
                .exchange(request(id, &secret).as_bytes())
                .await
                .unwrap();
            assert_eq!(status, 200);
        }
        receiver.wait_for(2, Duration::from_secs(5)).await.unwrap();
        let tally = receiver.tally();
        assert_eq!((tally.distinct, tally.calls, tally.forged), (2, 3, 0));
        assert_eq!(receiver.bodies()[0], br#"{"a":1}"#);

        receiver.forget();
        let other = Secret::from_bytes(&[2; 32]).unwrap();
        connection
            .exchange(request("msg_a_1", &other).as_bytes())
            .await
            .unwrap();
        let tally = receiver.tally();
        assert_eq!((tally.distinct, tally.calls, tally.forged), (1, 1, 1));
    }

    #[test]
    fn a_request_in_pieces_is_waited_for() {
        let text = request("msg_a_7", &Secret::from_bytes(&[1; 32]).unwrap());
        for end in 0..text.len() {
            assert!(Call::parse(&text.as_bytes()[..end]).unwrap().is_none(), "{end}");
        }
        let two = text.repeat(2);
        let (call, used) = Call::parse(two.as_bytes()).unwrap().unwrap();
        assert_eq!((call.id, used), ("msg_a_7", text.len()));
    }
}
