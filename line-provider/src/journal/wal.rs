//! Tells a write-ahead log that was damaged from one that a crash cut off.
//!
//! SQLite reads its write-ahead log up to the first frame that is not right and takes the rest for a transaction
//! that a crash cut off; so a flipped byte in the middle would silently undo acknowledged changes. But a frame that
//! follows a commit was written after that commit was synced. Hence a bad frame, the end of its transaction and
//! then a good frame, in one generation of the log, are damage. What remains indistinguishable from a crash is
//! damage to the very last transaction.
//! Source: <https://www.sqlite.org/fileformat2.html#the_write_ahead_log>.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::error::JournalError;

const HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;
const MAGIC_LITTLE_ENDIAN: u32 = 0x377f_0682;
const MAGIC_BIG_ENDIAN: u32 = 0x377f_0683;

/// Two running sums over pairs of 32-bit words.
type Sums = (u32, u32);
/// Reads a word in the byte order that the sums are made over.
type ReadWord = fn([u8; 4]) -> u32;

struct Header {
    read_word: ReadWord,
    page_bytes: usize,
    salt: [u8; 8],
    sums: Sums,
}

struct Frame {
    /// Whether its own checksum, taken on from the frame before, is right.
    is_good: bool,
    ends_transaction: bool,
    /// As the frame states them.
    sums: Sums,
}

/// Refuses a damaged write-ahead log of that database; a missing, empty or cut off one is fine.
///
/// # Errors
/// [`JournalError::Damaged`]; [`JournalError::Store`] where it cannot be read.
pub(super) fn check(database: &Path) -> Result<(), JournalError> {
    let file = file_of(database);
    match find_damage(&file) {
        Ok(None) => Ok(()),
        Ok(Some(what)) => Err(JournalError::Damaged { file, what }),
        Err(source) => Err(JournalError::Store {
            file,
            doing: "cannot read",
            source: source.into(),
        }),
    }
}

/// Where SQLite keeps the write-ahead log of that database.
pub(super) fn file_of(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

fn find_damage(file: &Path) -> io::Result<Option<String>> {
    let mut wal = match File::open(file) {
        Ok(wal) => BufReader::with_capacity(1 << 16, wal),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut header = [0; HEADER_BYTES];
    if !fill(&mut wal, &mut header)? {
        return Ok(None);
    }
    // The header is synced before the first frame; zeros are what a crash before that leaves.
    if header == [0; HEADER_BYTES] {
        return Ok(None);
    }
    let Some(header) = Header::parse(&header) else {
        return Ok(Some("its header is not right".to_owned()));
    };
    let mut sums = header.sums;
    let mut bad = None;
    let mut committed_since_bad = false;
    let mut buffer = vec![0; FRAME_HEADER_BYTES + header.page_bytes];
    for number in 1_u64.. {
        if !fill(&mut wal, &mut buffer)? {
            break;
        }
        // Frames of an earlier generation are left-overs beyond the end.
        let Some(frame) = Frame::parse(&buffer, &header, sums) else {
            continue;
        };
        if let (Some(bad), true, true) = (bad, committed_since_bad, frame.is_good) {
            return Ok(Some(format!("frame {bad} is not right, but frame {number} is")));
        }
        if bad.is_none() && !frame.is_good {
            bad = Some(number);
        }
        committed_since_bad |= bad.is_some() && frame.ends_transaction;
        sums = frame.sums;
    }
    Ok(None)
}

impl Header {
    fn parse(bytes: &[u8; HEADER_BYTES]) -> Option<Self> {
        let read_word: ReadWord = match word(bytes, 0)? {
            MAGIC_LITTLE_ENDIAN => u32::from_le_bytes,
            MAGIC_BIG_ENDIAN => u32::from_be_bytes,
            _ => return None,
        };
        let page_bytes = usize::try_from(word(bytes, 8)?).ok()?;
        if !(512..=65536).contains(&page_bytes) || !page_bytes.is_power_of_two() {
            return None;
        }
        let sums = (word(bytes, 24)?, word(bytes, 28)?);
        if summed((0, 0), bytes.get(..24)?, read_word) != sums {
            return None;
        }
        Some(Self {
            read_word,
            page_bytes,
            salt: bytes.get(16..24)?.try_into().ok()?,
            sums,
        })
    }
}

impl Frame {
    fn parse(bytes: &[u8], header: &Header, before: Sums) -> Option<Self> {
        let (head, page) = bytes.split_at_checked(FRAME_HEADER_BYTES)?;
        if head.get(8..16)? != header.salt {
            return None;
        }
        let sums = (word(head, 16)?, word(head, 20)?);
        let found = summed(before, head.get(..8)?, header.read_word);
        Some(Self {
            is_good: summed(found, page, header.read_word) == sums,
            ends_transaction: word(head, 4)? != 0,
            sums,
        })
    }
}

fn summed((mut first, mut second): Sums, bytes: &[u8], read: ReadWord) -> Sums {
    for pair in bytes.chunks_exact(8) {
        if let [a, b, c, d, e, f, g, h] = *pair {
            first = first.wrapping_add(read([a, b, c, d])).wrapping_add(second);
            second = second.wrapping_add(read([e, f, g, h])).wrapping_add(first);
        }
    }
    (first, second)
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let word = bytes.get(at..at + 4)?;
    Some(u32::from_be_bytes(word.try_into().ok()?))
}

/// `false` where the file ends before the buffer is full.
fn fill(file: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match file.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}
