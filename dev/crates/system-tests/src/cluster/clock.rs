//! Clocks that are off: libfaketime, preloaded into one process.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use test_support::Service;

/// Where Debian and Ubuntu put it, below the folder of the machine's architecture.
const LIBRARY: &str = "faketime/libfaketimeMT.so.1";

/// The library, as a path to preload.
///
/// # Errors
/// It is not installed.
pub fn library() -> Result<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").context("cannot read /usr/lib")?;
    folders
        .flatten()
        .map(|folder| folder.path().join(LIBRARY))
        .find(|path| path.is_file())
        .context("libfaketime is missing: apt-get install libfaketime")
}

/// From its next start on, the service's clock is off by so many seconds; 0 puts it right.
///
/// # Errors
/// libfaketime is not installed.
pub fn set_off(service: &mut Service, seconds: i64) -> Result<()> {
    for name in ["LD_PRELOAD", "FAKETIME", "FAKETIME_DONT_FAKE_MONOTONIC"] {
        service.remove_env(name);
    }
    if seconds != 0 {
        service.set_env("LD_PRELOAD", library()?.display().to_string());
        service.set_env("FAKETIME", format!("{seconds:+}s"));
        // Timers go on as ever: only the time of day is wrong.
        service.set_env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    }
    Ok(())
}
