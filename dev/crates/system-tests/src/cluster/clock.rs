//! Clocks that are off: libfaketime, preloaded into one process.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use awc::http::Method;
use shared_types::Timestamp;
use test_support::{Client, Service, poll_until};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

/// Where Debian and Ubuntu put it, below the folder of the machine's architecture.
const LIBRARY: &str = "faketime/libfaketimeMT.so.1";

/// For a service that has just started, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
/// What a date without fractions and an answer on its way may differ by.
const NEARLY_S: u64 = 30;

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

/// Whether the service's clock is off by so many seconds, by the date of an answer.
///
/// # Errors
/// It is not, or the service does not answer.
pub async fn require_off(service: &Service, seconds: i64) -> Result<()> {
    let client = Client::new(&service.url());
    let answer = poll_until(PATIENCE, async || {
        client
            .try_send(Method::GET, "/healthz", &[], Vec::new())
            .await
            .ok()
    });
    let answer = answer
        .await
        .ok()
        .with_context(|| format!("{} does not answer", service.name()))?;
    let date = answer.header("date").context("an answer has a date")?;
    let date = OffsetDateTime::parse(date, &Rfc2822).with_context(|| format!("{date} is no date"))?;
    let is_off = date.unix_timestamp() - Timestamp::now().unix_seconds();
    ensure!(
        is_off.abs_diff(seconds) <= NEARLY_S,
        "{}'s clock is off by {is_off} s, not by {seconds} s",
        service.name()
    );
    Ok(())
}
