//! How a journal can be read without altering anything in its folder and without its lock, whoever runs on it.
//!
//! SQLite reads a database in WAL mode through a shared index beside it, which it makes where it is missing, together
//! with the write-ahead log; and the last to close the database moves the log into it and deletes it. So:
//!
//! - While a process has the journal open, or a crash left a write-ahead log, it is read by SQLite's own protocol from a
//!   file that is opened read-only: other processes are respected, and closing cannot move the log. Only the index may
//!   be written, which is no part of what is stored.
//! - A write-ahead log in a folder that cannot be written has nowhere to put an index: it is kept in memory, without
//!   locks.
//! - A file without write-ahead log is read as one that does not change, so that none is made.
//!
//! The last two hold only as long as nobody opens the journal meanwhile: compare the standing before and after.
//!
//! Source: <https://www.sqlite.org/wal.html#read_only_databases>, and `sqlite3WalClose` of SQLite 3.50.

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::SystemTime;

use rustix::fs::{Access, access};
use rustix::process::{Flock, FlockType, fcntl_getlk};

use super::wal;

/// The bytes of a database that SQLite locks while it is open. <https://www.sqlite.org/src/file/src/os.h>
const SHARED_FIRST: u64 = 0x4000_0002;
const SHARED_LENGTH: u64 = 510;

/// A file's length and when it was written; both zero or absent where there is no such file.
type Stamp = (u64, Option<SystemTime>);

/// What is known of a journal's files at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    /// Whether another process has it open.
    pub(super) is_open: bool,
    is_writable: bool,
    journal: Stamp,
    wal: Stamp,
}

/// How to read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// By SQLite's own protocol, beside others.
    Shared,
    /// With its write-ahead log, but without locks and with an index of our own.
    Alone,
    /// Without a write-ahead log.
    Unchanging,
}

impl Standing {
    /// Takes no lock: it only asks whether anybody holds SQLite's. Locks of our own process are not seen.
    ///
    /// # Errors
    /// The file or its folder cannot be looked at.
    pub(super) fn of(file: &Path) -> io::Result<Self> {
        let opened = File::open(file)?;
        let lock = Flock {
            start: SHARED_FIRST,
            length: SHARED_LENGTH,
            ..Flock::from(FlockType::WriteLock)
        };
        let folder = file.parent().unwrap_or(file);
        Ok(Self {
            is_open: fcntl_getlk(&opened, &lock)?.is_some(),
            is_writable: access(folder, Access::WRITE_OK).is_ok(),
            journal: stamp(&opened.metadata()?),
            wal: match wal::file_of(file).metadata() {
                Ok(found) => stamp(&found),
                Err(error) if error.kind() == ErrorKind::NotFound => (0, None),
                Err(error) => return Err(error),
            },
        })
    }

    pub(super) const fn journal_bytes(&self) -> u64 {
        self.journal.0
    }

    pub(super) const fn wal_bytes(&self) -> u64 {
        self.wal.0
    }

    pub(super) const fn way(&self) -> Way {
        match *self {
            Self { is_open: true, .. } => Way::Shared,
            Self { wal: (0, _), .. } => Way::Unchanging,
            Self {
                is_writable: false, ..
            } => Way::Alone,
            Self { .. } => Way::Shared,
        }
    }
}

fn stamp(found: &Metadata) -> Stamp {
    (found.len(), found.modified().ok())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use diesel::prelude::*;
    use shared_types::Timestamp;
    use tempfile::TempDir;
    use uuid::Uuid;

    use super::super::connection::open_for_verifying;
    use super::super::schema::journal;
    use super::super::{Journal, folder};
    use super::*;

    #[test]
    fn a_journal_is_read_by_the_way_that_leaves_no_trace_where_it_stands() {
        let stands = |is_open, is_writable, wal_bytes| {
            let standing = Standing {
                is_open,
                is_writable,
                journal: (4096, None),
                wal: (wal_bytes, None),
            };
            standing.way()
        };
        for is_writable in [false, true] {
            assert_eq!(stands(true, is_writable, 0), Way::Shared);
            assert_eq!(stands(true, is_writable, 32), Way::Shared);
            assert_eq!(stands(false, is_writable, 0), Way::Unchanging);
        }
        assert_eq!(stands(false, true, 32), Way::Shared);
        assert_eq!(stands(false, false, 32), Way::Alone);
    }

    #[test]
    fn alone_the_write_ahead_log_is_read_without_an_index_beside_it() {
        let folder = TempDir::new().unwrap();
        let opened = Journal::open(folder.path(), Uuid::now_v7(), Timestamp::now()).unwrap();
        let copy = TempDir::new().unwrap();
        let names = ["journal.sqlite", "journal.sqlite-wal"];
        for name in names {
            fs::copy(folder.path().join(name), copy.path().join(name)).unwrap();
        }
        let read = || names.map(|name| fs::read(copy.path().join(name)).unwrap());
        let before = read();
        let file = folder::journal_in(copy.path());
        let mut connection = open_for_verifying(&file, Way::Alone).unwrap();
        let rows: i64 = journal::table.count().get_result(&mut connection).unwrap();
        assert_eq!(rows, 1, "the row stands in the write-ahead log only");
        drop((connection, opened));
        assert_eq!(read(), before);
        assert_eq!(fs::read_dir(copy.path()).unwrap().count(), names.len());
    }
}
