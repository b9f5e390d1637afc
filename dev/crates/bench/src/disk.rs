//! What the disk can do, so that the other figures can be judged: how long one small durable write takes.

use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::time::Instant;

use anyhow::Result;

use crate::stats::Latencies;

const BLOCK: [u8; 8192] = [7; 8192];

/// Writes one block so many times, each time through to the disk, where temporary files lie.
///
/// # Errors
/// The folder for temporary files cannot be written.
pub fn sync_latencies(writes: usize) -> Result<Latencies> {
    let mut file: File = tempfile::tempfile()?;
    let mut latencies = Latencies::default();
    for _ in 0..writes {
        let started = Instant::now();
        file.rewind()?;
        file.write_all(&BLOCK)?;
        file.sync_data()?;
        latencies.push(started.elapsed());
    }
    Ok(latencies)
}

/// The kind of file system that temporary files lie on, such as `ext4`.
pub fn file_system() -> String {
    let folder = std::env::temp_dir();
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let folder = folder.canonicalize().unwrap_or(folder);
    kind_of(&mounts, &folder.display().to_string()).unwrap_or_else(|| "an unknown file system".to_owned())
}

/// Lines are `device folder kind options 0 0`; the longest folder that holds the path counts, the last of equals.
fn kind_of(mounts: &str, path: &str) -> Option<String> {
    let mounts = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let (folder, kind) = (fields.next()?, fields.next()?);
        let inside = std::path::Path::new(path).starts_with(folder);
        inside.then_some((folder.len(), kind))
    });
    let (_, kind) = mounts.max_by_key(|(length, _)| *length)?;
    Some(kind.to_owned())
}

#[cfg(test)]
mod tests {
    use super::kind_of;

    #[test]
    fn the_innermost_mount_counts() {
        let mounts = "/dev/a / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\n/dev/b /tmpest xfs rw 0 0\n";
        assert_eq!(kind_of(mounts, "/tmp/x").as_deref(), Some("tmpfs"));
        assert_eq!(kind_of(mounts, "/var/tmp").as_deref(), Some("ext4"));
        assert_eq!(kind_of("", "/tmp"), None);
    }
}
