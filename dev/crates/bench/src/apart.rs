//! Work on a thread and runtime of its own, so that generators, receivers and senders neither share a queue with
//! each other nor with what shows the progress.

use std::thread;

use anyhow::{Context as _, Result};
use tokio::sync::oneshot;

/// Runs `work` to its end on a new thread with an actix system, even if the future is dropped.
///
/// # Errors
/// Those of `work`.
pub async fn on_thread<T, F>(name: &str, work: impl FnOnce() -> F + Send + 'static) -> Result<T>
where
    T: Send + 'static,
    F: Future<Output = Result<T>>,
{
    let (done, result) = oneshot::channel();
    thread::Builder::new().name(name.to_owned()).spawn(move || {
        // Nobody waits any more where the run was broken off.
        let _ = done.send(actix_rt::System::new().block_on(work()));
    })?;
    result
        .await
        .with_context(|| format!("the thread named {name} has panicked"))?
}
