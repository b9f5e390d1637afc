//! The data folder: made with owner-only rights, and held by one process at a time.
//!
//! The lock is the kernel's, on an open file: it goes with the process, however that ends. One that is just ending, or
//! a copy of its descriptors on the way to another program, is waited for.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::error::JournalError;

const LOCK: &str = "journal.lock";
const JOURNAL: &str = "journal.sqlite";
/// SQLite would take a shorter file for a new one.
pub(super) const SMALLEST_PAGE_BYTES: u64 = 512;
const LOCK_PATIENCE: Duration = Duration::from_secs(2);
const LOCK_POLL: Duration = Duration::from_millis(20);

/// The journal's file in that data folder, whether it is there or not.
pub(super) fn journal_in(folder: &Path) -> PathBuf {
    folder.join(JOURNAL)
}

#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// Held for as long as this value lives.
    _lock: File,
}

impl Folder {
    /// Makes the folder if it is missing, so that it outlasts a loss of power, and locks it.
    ///
    /// # Errors
    /// [`JournalError::InUse`] where another process holds it for longer than two seconds;
    /// [`JournalError::Folder`] where it cannot be used.
    pub(super) fn open(path: &Path) -> Result<Self, JournalError> {
        let failed = |source| JournalError::Folder {
            folder: path.to_owned(),
            source,
        };
        make(path).map_err(failed)?;
        let lock = open_private(&path.join(LOCK)).map_err(failed)?;
        let deadline = Instant::now() + LOCK_PATIENCE;
        loop {
            match lock.try_lock() {
                Ok(()) => {
                    return Ok(Self {
                        path: path.to_owned(),
                        _lock: lock,
                    });
                }
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => thread::sleep(LOCK_POLL),
                Err(TryLockError::WouldBlock) => {
                    return Err(JournalError::InUse {
                        folder: path.to_owned(),
                    });
                }
                Err(TryLockError::Error(source)) => return Err(failed(source)),
            }
        }
    }

    /// The journal's file, made with owner-only rights if it is missing; SQLite gives its side files the same.
    pub(super) fn journal_file(&self) -> Result<PathBuf, JournalError> {
        let file = journal_in(&self.path);
        let length = open_private(&file)
            .and_then(|opened| {
                opened.sync_all()?;
                self.sync_names()?;
                Ok(opened.metadata()?.len())
            })
            .map_err(|source| self.unusable(source))?;
        if (1..SMALLEST_PAGE_BYTES).contains(&length) {
            return Err(JournalError::Damaged {
                file,
                what: format!("it is cut off after {length} bytes"),
            });
        }
        Ok(file)
    }

    /// Makes the names of SQLite's side files last. SQLite syncs the folder as well, but tells nobody when it cannot.
    ///
    /// # Errors
    /// [`JournalError::Folder`].
    pub(super) fn sync(&self) -> Result<(), JournalError> {
        self.sync_names().map_err(|source| self.unusable(source))
    }

    fn sync_names(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }

    fn unusable(&self, source: io::Error) -> JournalError {
        JournalError::Folder {
            folder: self.path.clone(),
            source,
        }
    }
}

/// Makes the folder and those above it that are missing; each lasts once the folder that holds it is synced.
fn make(path: &Path) -> io::Result<()> {
    let missing: Vec<_> = path.ancestors().take_while(|folder| !is_there(folder)).collect();
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    for parent in missing.iter().filter_map(|folder| folder.parent()) {
        let parent = if parent == Path::new("") {
            Path::new(".")
        } else {
            parent
        };
        File::open(parent)?.sync_all()?;
    }
    Ok(())
}

/// The folder before the first name of a relative path is where the process stands.
fn is_there(folder: &Path) -> bool {
    folder == Path::new("") || folder.exists()
}

fn open_private(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}
