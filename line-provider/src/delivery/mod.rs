//! Delivery: calls subscribers back on every change of the log, from where each one's cursor stands.
//!
//! It knows the log, the board, and nothing of commands. `window` decides what to send when, `callback` sends it,
//! `engine` drives both on one thread of its own. Callbacks are made at least once, in order within one event.

mod backoff;
mod callback;
mod engine;
mod served;
mod tasks;
mod window;

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use crate::clock::Clock;
use crate::journal::Log;
use crate::subscription::board::Board;
use crate::writer::Writer;
use engine::Engine;

/// How long attempts under way may take to end when the service stops; the rest is made again after the start.
const DRAIN: Duration = Duration::from_secs(3);
/// How long the cursors may take then; what is not saved is sent again.
const SAVE_WITHIN: Duration = Duration::from_secs(3);
/// How long all of it takes to end.
pub const END_WITHIN: Duration = DRAIN.saturating_add(SAVE_WITHIN);

/// The running delivery thread.
#[derive(Debug)]
pub struct Delivery {
    stopping: watch::Sender<bool>,
    thread: JoinHandle<()>,
}

/// Tells whether the delivery thread runs; cheap to clone.
#[derive(Clone, Debug)]
pub struct Pulse(watch::Sender<bool>);

impl Pulse {
    pub fn is_running(&self) -> bool {
        !self.0.is_closed()
    }
}

impl Delivery {
    /// Starts the thread. `ended` is dropped when it ends, for whatever reason.
    pub fn start(
        log: Arc<Log>,
        board: Arc<Board>,
        writer: Writer,
        clock: Clock,
        ended: oneshot::Sender<()>,
    ) -> Self {
        // awc's connectors need a TLS provider; an error says that the process has one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (stopping, stop) = watch::channel(false);
        let thread = thread::Builder::new()
            .name("delivery".to_owned())
            .spawn(move || {
                let _ended = ended;
                actix_rt::System::new().block_on(Engine::new(log, board, writer, clock).run(stop));
            })
            .expect("the process can start one more thread");
        Self { stopping, thread }
    }

    pub fn pulse(&self) -> Pulse {
        Pulse(self.stopping.clone())
    }

    /// Tells the thread to end: attempts under way may end within seconds, then every cursor is saved.
    pub fn stop(&self) {
        self.stopping.send_replace(true);
    }

    /// Waits until the thread has ended.
    pub fn join(self) {
        if self.thread.join().is_err() {
            tracing::error!("the delivery thread panicked");
        }
    }
}
