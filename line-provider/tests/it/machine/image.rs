//! The files of a data folder as they are at one moment: what a crash leaves, whole or cut off.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

const FILE: &str = "journal.sqlite";
pub const WAL: &str = "journal.sqlite-wal";

/// The files of a folder at one moment, between two commits.
pub struct Image {
    file: Vec<u8>,
    wal: Vec<u8>,
}

impl Image {
    pub fn of(folder: &Path) -> Self {
        Self {
            file: fs::read(folder.join(FILE)).unwrap(),
            wal: fs::read(folder.join(WAL)).unwrap(),
        }
    }

    /// Cut off so that of what came after `before` only that part is there.
    pub fn torn(&self, before: &Self, part: usize, of: usize) -> Self {
        let is_appended = self.file == before.file && self.wal.starts_with(&before.wal);
        assert!(is_appended, "commits only append");
        let synced = before.wal.len();
        let length = synced + (self.wal.len() - synced) * part / of;
        Self {
            file: self.file.clone(),
            wal: self.wal.iter().take(length).copied().collect(),
        }
    }

    pub fn folder(&self) -> TempDir {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join(FILE), &self.file).unwrap();
        fs::write(folder.path().join(WAL), &self.wal).unwrap();
        folder
    }
}
