//! A model of a disk: what may be on it when the power goes off, by what a process did and what it synced.
//!
//! A write is sure to be there once its file was synced after it; before, each of its sectors may be there or not, in any
//! combination over all writes. A name (made or removed) is sure once its folder was synced; before, the later names go
//! first, as in any file system with a log of its own. Sectors are whole. Memory that is mapped is not on the disk.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use rand::Rng as _;
use rand::rngs::StdRng;

const SECTOR_BYTES: usize = 512;

/// What a process did to the files of a folder; paths are relative to it.
#[derive(Clone, Debug)]
pub enum Operation {
    MakeFolder(PathBuf),
    MakeFile(PathBuf),
    Remove(PathBuf),
    Write {
        file: PathBuf,
        at: usize,
        bytes: Vec<u8>,
    },
    Truncate {
        file: PathBuf,
        length: usize,
    },
    Sync(PathBuf),
    /// So many steps were acknowledged by now.
    Acknowledged(usize),
}

/// How kind the disk was to what was not synced.
pub enum Kindness<'a> {
    /// Nothing of it is there.
    None,
    /// All of it, as when only the process dies.
    Full,
    Random(&'a mut StdRng),
}

type Inode = usize;

/// Puts what the disk holds after `operations` into `folder`.
pub fn lay_out(operations: &[Operation], mut kindness: Kindness, folder: &Path) {
    let names = surviving_names(operations, &mut kindness);
    let contents = surviving_contents(operations, &mut kindness);
    let mut paths: Vec<_> = names.into_iter().collect();
    // Folders before what lies in them.
    paths.sort();
    for (path, inode) in paths {
        let there = folder.join(&path);
        // What lies in a folder whose name was lost is lost as well.
        if !there.parent().unwrap().is_dir() {
            continue;
        }
        match inode {
            None => fs::create_dir(there).unwrap(),
            Some(inode) => fs::write(there, contents.get(&inode).map_or(&[][..], Vec::as_slice)).unwrap(),
        }
    }
}

/// Every name that is on the disk: of a folder, or of a file with the number of the operation that made it.
fn surviving_names(operations: &[Operation], kindness: &mut Kindness) -> HashMap<PathBuf, Option<Inode>> {
    let syncs = Syncs::of(operations);
    let is_name = |operation: &Operation| {
        matches!(
            operation,
            Operation::MakeFolder(_) | Operation::MakeFile(_) | Operation::Remove(_)
        )
    };
    let unsynced: Vec<usize> = operations
        .iter()
        .enumerate()
        .filter(|(number, operation)| is_name(operation) && !syncs.cover(*number, operation))
        .map(|(number, _)| number)
        .collect();
    let kept = match kindness {
        Kindness::None => 0,
        Kindness::Full => unsynced.len(),
        Kindness::Random(random) => random.random_range(0..=unsynced.len()),
    };
    let lost = &unsynced[kept..];
    let mut names = HashMap::new();
    for (number, operation) in operations
        .iter()
        .enumerate()
        .filter(|(number, _)| !lost.contains(number))
    {
        match operation {
            Operation::MakeFolder(path) => drop(names.insert(path.clone(), None)),
            Operation::MakeFile(path) => drop(names.insert(path.clone(), Some(number))),
            Operation::Remove(path) => drop(names.remove(path)),
            _ => {}
        }
    }
    names
}

fn surviving_contents(operations: &[Operation], kindness: &mut Kindness) -> HashMap<Inode, Vec<u8>> {
    let syncs = Syncs::of(operations);
    let mut inodes: HashMap<&Path, Inode> = HashMap::new();
    let mut contents: HashMap<Inode, Vec<u8>> = HashMap::new();
    for (number, operation) in operations.iter().enumerate() {
        let is_sure = syncs.cover(number, operation);
        match operation {
            Operation::MakeFile(path) => drop(inodes.insert(path, number)),
            Operation::Truncate { file, length } if is_sure || kindness.keeps() => {
                contents
                    .entry(inodes[file.as_path()])
                    .or_default()
                    .resize(*length, 0);
            }
            Operation::Write { file, at, bytes } => {
                let content = contents.entry(inodes[file.as_path()]).or_default();
                for (n, sector) in bytes.chunks(SECTOR_BYTES).enumerate() {
                    if is_sure || kindness.keeps() {
                        let begin = at + n * SECTOR_BYTES;
                        let end = begin + sector.len();
                        content.resize(content.len().max(end), 0);
                        content[begin..end].copy_from_slice(sector);
                    }
                }
            }
            _ => {}
        }
    }
    contents
}

impl Kindness<'_> {
    /// Mostly all or nothing of what stands together would be there; so each is as likely as the other.
    fn keeps(&mut self) -> bool {
        match self {
            Self::None => false,
            Self::Full => true,
            Self::Random(random) => random.random(),
        }
    }
}

/// What was last synced when.
struct Syncs<'a>(HashMap<&'a Path, usize>);

impl<'a> Syncs<'a> {
    fn of(operations: &'a [Operation]) -> Self {
        let numbered = operations.iter().enumerate();
        Self(
            numbered
                .filter_map(|(number, operation)| match operation {
                    Operation::Sync(path) => Some((path.as_path(), number)),
                    _ => None,
                })
                .collect(),
        )
    }

    /// Whether what that operation did was synced later on: a file's content by the file, a name by its folder.
    fn cover(&self, number: usize, operation: &Operation) -> bool {
        let needed = match operation {
            Operation::Write { file, .. } | Operation::Truncate { file, .. } => file.as_path(),
            Operation::MakeFolder(path) | Operation::MakeFile(path) | Operation::Remove(path) => {
                path.parent().unwrap()
            }
            Operation::Sync(_) | Operation::Acknowledged(_) => return true,
        };
        self.0.get(needed).is_some_and(|last| *last > number)
    }
}
