//! How long a client may take, and how many may come: under these limits a slow or greedy client harms itself only.

use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Most connections at once, if the process may open so many files; more wait in the system's queue.
const CONNECTIONS: usize = 10_000;

/// How long a body may take.
pub const BODY_WITHIN: Duration = Duration::from_secs(5);

/// How long requests under way have when the server stops. Whatever a request waits for has to fit in, from the first
/// byte of its body on, so that a stop cuts off nothing that was taken up; with the rest of a stop it has to stay below 30 s.
pub const SHUTDOWN_WITHIN: Duration = Duration::from_secs(22);

/// The limits of a server; [`Limits::default`] are those of the services.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// For a request's head: of the first one from connecting on, of later ones from their first byte on.
    pub head: Duration,
    /// How long a connection may be idle. Longer than the idle time of callers' pools, so that they close first and
    /// never meet a closed connection.
    pub keep_alive: Duration,
    /// How long a client may take nothing of its answer.
    pub write: Duration,
    /// For an answer's head, whatever the handler waits for. Waits have deadlines of their own, which name what was
    /// waited for, and end sooner, the longest poll of 30 s included: this one is for what was forgotten.
    pub handler: Duration,
    /// [`SHUTDOWN_WITHIN`].
    pub shutdown: Duration,
    /// Over all workers.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(5),
            keep_alive: Duration::from_secs(75),
            write: Duration::from_secs(20),
            handler: Duration::from_secs(45),
            shutdown: SHUTDOWN_WITHIN,
            connections: connections(),
        }
    }
}

/// How many connections are taken at once: 10,000, or half of the files that this process may open, so that the other
/// half is left for all else. The first call asks the system for as many files as it gives.
pub fn connections() -> usize {
    let files = allow_files();
    usize::try_from(files / 2).map_or(CONNECTIONS, |half| half.clamp(1, CONNECTIONS))
}

/// Raises the soft limit, which on many systems is 1024, to the hard one; gives what holds then.
fn allow_files() -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    let allowed = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => maximum,
        Err(_) => current,
    };
    // None: as many as one likes.
    allowed.unwrap_or(u64::MAX)
}
