//! What came of the faults: counted where they are carried out, shown with the figures of a run.

use std::fmt;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Harm {
    /// Processes ended: SIGKILL, SIGTERM, shutdowns, disks.
    pub ends: usize,
    /// Faults of links that met nothing: no piece, no connection.
    pub idle: usize,
    /// Commits that were carried out, and whose replies were lost.
    pub lost_commit_replies: u64,
    /// Most sessions of bet-makers that waited for one locked table at a time.
    pub locked_sessions: i64,
    /// What did not go as it must: a process that does not end in order, or does not come back.
    pub wrongs: Vec<String>,
}

impl fmt::Display for Harm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            ends,
            idle,
            lost_commit_replies,
            locked_sessions,
            wrongs: _,
        } = self;
        write!(
            f,
            "{ends} processes ended, {lost_commit_replies} replies to a COMMIT lost, up to {locked_sessions} sessions \
             behind one locked table; {idle} faults met nothing"
        )
    }
}
