//! Why a journal cannot be opened, read or written. `Display` never repeats the source; print the whole chain.

use std::io;
use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("cannot use the data folder {}", folder.display())]
    Folder {
        folder: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(
        "the data folder {} is in use by another process; give each line-provider a folder of its own",
        folder.display()
    )]
    InUse { folder: PathBuf },
    #[error("{} is not a journal of line-provider", file.display())]
    Foreign { file: PathBuf },
    #[error(
        "{} was written by a newer line-provider (schema {found}; this one knows {known} at most); start that one",
        file.display()
    )]
    Newer { file: PathBuf, found: i64, known: i64 },
    #[error(
        "{} was written by an older line-provider (schema {found}; this one knows {known}); start this one on it first",
        file.display()
    )]
    Older { file: PathBuf, found: i64, known: i64 },
    #[error("there is no journal in {}", folder.display())]
    Missing { folder: PathBuf },
    /// Processes came and went while it was being verified.
    #[error("{} was opened again and again meanwhile; try once more", file.display())]
    Disturbed { file: PathBuf },
    #[error("{} is damaged: {what}; restore it from a backup", file.display())]
    Damaged { file: PathBuf, what: String },
    #[error("{doing} {}", file.display())]
    Store {
        file: PathBuf,
        doing: &'static str,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The disk hangs, or too many ask for old changes.
    #[error("the journal was not read in time")]
    Late,
    /// The thread that reads the journal has ended.
    #[error("the journal is closed")]
    Closed,
}
