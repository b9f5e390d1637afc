//! The two directions of one connection, each under the link's condition of the moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::watch;

use super::{Condition, Link, reset};

const PIECE_BYTES: usize = 16 * 1024;
/// Time for a commit to be carried out before the connection that asked for it goes.
const AFTER_COMMIT: Duration = Duration::from_millis(100);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Up,
    Down,
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// One side closed in order.
    Closed,
    Broken,
}

/// Passes bytes both ways until either side, or the link, ends it.
pub(super) async fn both(client: TcpStream, server: TcpStream, link: &Link) {
    let (client_read, client_write) = client.into_split();
    let (server_read, server_write) = server.into_split();
    let committed = Arc::new(AtomicBool::new(false));
    let pump = |direction, from, to| Pump {
        direction,
        from,
        to,
        link,
        conditions: link.condition.subscribe(),
        committed: Arc::clone(&committed),
        is_damaged: false,
        left_bytes: None,
    };
    let mut up = pump(Direction::Up, client_read, server_write);
    let mut down = pump(Direction::Down, server_read, client_write);
    // Whoever ends first ends both: none of our protocols goes on half closed.
    let end = tokio::select! {
        end = up.run() => end,
        end = down.run() => end,
    };
    let (Ok(client), Ok(server)) = (up.from.reunite(down.to), down.from.reunite(up.to)) else {
        return;
    };
    if end == End::Broken {
        reset(client);
        reset(server);
    }
}

struct Pump<'a> {
    link: &'a Link,
    direction: Direction,
    from: OwnedReadHalf,
    to: OwnedWriteHalf,
    conditions: watch::Receiver<Condition>,
    /// A `COMMIT` went up whose answer must not come down.
    committed: Arc<AtomicBool>,
    /// Bytes of this direction are missing.
    is_damaged: bool,
    /// What may still pass before the connection is cut.
    left_bytes: Option<u64>,
}

impl Pump<'_> {
    async fn run(&mut self) -> End {
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            let condition = *self.conditions.borrow_and_update();
            if condition == Condition::Reset {
                self.link.harm();
                return End::Broken;
            }
            if self.is_damaged && !condition.loses() {
                return End::Broken;
            }
            if condition == Condition::BlackHole {
                self.link.harm();
                self.is_damaged = true;
                if self.conditions.changed().await.is_err() {
                    return End::Broken;
                }
                continue;
            }
            let read = tokio::select! {
                read = self.from.read(&mut piece) => read,
                _ = self.conditions.changed() => continue,
            };
            let read = match read {
                Ok(0) => return End::Closed,
                Ok(read) => read,
                Err(_) => return End::Broken,
            };
            // The link may have changed while nothing came.
            let condition = *self.conditions.borrow();
            if let Err(end) = self
                .hand_on(piece.get(..read).unwrap_or_default(), condition)
                .await
            {
                return end;
            }
        }
    }

    async fn hand_on(&mut self, bytes: &[u8], condition: Condition) -> Result<(), End> {
        let mut bytes = bytes;
        match (condition, self.direction) {
            (Condition::Delay { base, jitter }, _) => {
                self.link.harm();
                tokio::time::sleep(base + jitter.mul_f64(rand::random_range(0.0..1.0))).await;
            }
            (Condition::Throttle { bytes_per_s }, _) => {
                self.link.harm();
                let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
                let per_byte = Duration::from_nanos(1_000_000_000 / bytes_per_s.max(1));
                tokio::time::sleep(per_byte * length).await;
            }
            (Condition::DropUp, Direction::Up) | (Condition::DropDown, Direction::Down) => {
                self.link.harm();
                self.is_damaged = true;
                return Ok(());
            }
            (Condition::Reset, _) => {
                self.link.harm();
                return Err(End::Broken);
            }
            (Condition::CutAfter { bytes: allowed }, _) => {
                let left = self.left_bytes.unwrap_or(allowed);
                let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                if length >= left {
                    let kept = usize::try_from(left).unwrap_or(usize::MAX);
                    bytes = bytes.get(..kept).unwrap_or_default();
                    self.link.harm();
                    self.is_damaged = true;
                } else {
                    self.left_bytes = Some(left - length);
                }
            }
            (Condition::LoseCommitReply, Direction::Up) if holds_commit(bytes) => {
                self.committed.store(true, Ordering::Relaxed);
                self.write(bytes).await?;
                self.link.harm();
                tokio::time::sleep(AFTER_COMMIT).await;
                return Err(End::Broken);
            }
            (_, Direction::Down) if self.committed.load(Ordering::Relaxed) => return Ok(()),
            _ => {}
        }
        self.write(bytes).await?;
        let was_cut = self.is_damaged && matches!(condition, Condition::CutAfter { .. });
        if was_cut { Err(End::Broken) } else { Ok(()) }
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), End> {
        self.to.write_all(bytes).await.map_err(|_| End::Broken)
    }
}

/// diesel sends it as a simple query.
fn holds_commit(bytes: &[u8]) -> bool {
    bytes.windows(7).any(|window| window == b"COMMIT\0")
}
