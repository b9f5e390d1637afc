//! The HTTP edge of line-provider: handlers parse, call one command or one read, and answer.

mod changes;
mod codes;
mod events;
mod input;
mod openapi;
mod stream;
mod subscriptions;

use std::sync::Arc;

use paperclip::actix::web::ServiceConfig;
use tokio::sync::{Semaphore, watch};

pub use openapi::document;

use crate::catalogue::Catalogue;
use crate::clock::Clock;
use crate::journal::Log;
use crate::subscription::board::Board;
use crate::writer::Writer;

/// How many may wait for changes at once, by long poll or by stream, where that many connections are taken at all.
const WAITING: usize = 2000;

/// Places for those who wait for changes.
pub fn places_to_wait() -> Arc<Semaphore> {
    let half = http_edge::server::connections() / 2;
    Arc::new(Semaphore::new(WAITING.min(half)))
}

/// What handlers work with.
#[derive(Clone)]
pub struct Services {
    pub clock: Clock,
    pub writer: Writer,
    pub catalogue: Arc<Catalogue>,
    pub board: Arc<Board>,
    pub log: Arc<Log>,
    /// Places for those who wait for changes: most connections are for others.
    pub waiting: Arc<Semaphore>,
    /// Turns true when the service stops, so that nobody waits any longer.
    pub stopping: watch::Receiver<bool>,
}

/// Every route of the contract but those that the edge adds itself.
pub fn routes(cfg: &mut ServiceConfig) {
    events::routes(cfg);
    changes::routes(cfg);
    stream::routes(cfg);
    subscriptions::routes(cfg);
}

/// Appends JSON values with commas between them.
fn join<'a>(body: &mut String, values: impl Iterator<Item = &'a str>) {
    for (number, value) in values.enumerate() {
        if number > 0 {
            body.push(',');
        }
        body.push_str(value);
    }
}
