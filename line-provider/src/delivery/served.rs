//! One subscription as delivery serves it: its window, its receiver, and what to tell about it.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use shared_types::{EventId, Timestamp};

use super::callback::{Outcome, Receiver};
use super::window::{Fate, Start, Window};
use crate::journal::Logged;
use crate::metrics;
use crate::subscription::Standing;
use crate::subscription::board::{Posted, Progress};

pub(super) struct Served {
    posted: Arc<Posted>,
    receiver: Rc<Receiver>,
    window: Window<Arc<Logged>>,
    /// Old changes are being read from the journal.
    pub(super) is_reading: bool,
    /// Url or filter changed: start anew from the cursor once nothing is under way, so that order holds.
    starts_anew: bool,
    /// The receiver is gone, and the writer is being told.
    is_gone: bool,
    last_attempt_failed: bool,
    last_error: Option<String>,
    /// The cursor that the journal holds.
    saved: u64,
}

impl Served {
    pub(super) fn new(posted: Arc<Posted>, receiver: Rc<Receiver>) -> Self {
        let cursor = posted.progress().cursor;
        Self {
            posted,
            receiver,
            window: Window::new(cursor),
            is_reading: false,
            starts_anew: false,
            is_gone: false,
            last_attempt_failed: false,
            last_error: None,
            saved: cursor,
        }
    }

    /// Takes over what the board shows now.
    pub(super) fn post(&mut self, posted: &Arc<Posted>) {
        if Arc::ptr_eq(&self.posted, posted) {
            return;
        }
        let (old, new) = (&self.posted.registration, &posted.registration);
        self.starts_anew |= old.url != new.url || old.event_types != new.event_types;
        self.posted = Arc::clone(posted);
        self.start_anew_if_idle();
    }

    fn start_anew_if_idle(&mut self) {
        if self.starts_anew && self.window.in_flight() == 0 {
            self.window = Window::new(self.window.cursor());
            self.starts_anew = false;
            self.last_attempt_failed = false;
        }
    }

    pub(super) fn posted(&self) -> &Arc<Posted> {
        &self.posted
    }

    pub(super) fn receiver(&self) -> &Rc<Receiver> {
        &self.receiver
    }

    /// The position up to which the log was read, where more can be taken, and how many.
    pub(super) fn wants(&self) -> Option<(u64, usize)> {
        let room = self.window.room();
        (self.is_served() && !self.is_reading && room > 0).then(|| (self.window.read_up_to(), room))
    }

    /// Takes changes that follow `after`, unless that is no longer where the window is.
    pub(super) fn take(&mut self, after: u64, changes: Vec<Arc<Logged>>) {
        if after != self.window.read_up_to() {
            return;
        }
        for change in changes {
            if self.posted.registration.wants(change.kind) {
                let lane = change.event_id.clone();
                self.window.offer(&lane, change);
            } else {
                self.window.skip();
            }
        }
    }

    pub(super) fn start(&mut self, now: Instant) -> Option<Start<Arc<Logged>>> {
        let start = self.is_served().then(|| self.window.start(now)).flatten()?;
        let (id, event, by) = (self.posted.registration.id, &start.lane, start.position);
        for position in &start.superseded {
            tracing::debug!(subscription = %id, %event, position, by, "a change is superseded");
            metrics::superseded();
        }
        Some(start)
    }

    /// Takes note of an attempt; `true` where the receiver is gone.
    pub(super) fn note_outcome(
        &mut self,
        lane: &EventId,
        outcome: Outcome,
        now: Instant,
        random: u32,
    ) -> bool {
        let id = self.posted.registration.id;
        let mut is_gone = false;
        match outcome {
            Outcome::Delivered => {
                self.window.delivered(lane, now);
                if self.last_attempt_failed {
                    tracing::info!(subscription = %id, "the receiver takes callbacks again");
                }
                self.last_attempt_failed = false;
                if !self.window.is_failing() {
                    self.last_error = None;
                }
            }
            Outcome::Gone => {
                self.window.put_back(lane);
                self.is_gone = true;
                is_gone = true;
            }
            Outcome::Failed { error, retry_after } => {
                if !self.last_attempt_failed {
                    tracing::warn!(subscription = %id, event = %lane, error, "a callback failed");
                }
                self.last_attempt_failed = true;
                if let Fate::GivenUp { position } = self.window.failed(lane, now, retry_after, random) {
                    tracing::error!(subscription = %id, event = %lane, position, error, "a change is given up");
                    metrics::given_up();
                }
                self.last_error = Some(error);
            }
        }
        self.start_anew_if_idle();
        is_gone
    }

    /// The writer knows that the receiver is gone; the board says what follows from it.
    pub(super) fn told_gone(&mut self) {
        self.is_gone = false;
    }

    pub(super) fn next_retry(&self) -> Option<Instant> {
        self.is_served().then(|| self.window.next_retry()).flatten()
    }

    pub(super) fn cursor(&self) -> u64 {
        self.window.cursor()
    }

    /// The cursor, where it moved since it was saved last.
    pub(super) fn unsaved(&self) -> Option<u64> {
        let cursor = self.window.cursor();
        (cursor != self.saved).then_some(cursor)
    }

    pub(super) fn saved(&mut self, cursor: u64) {
        self.saved = cursor;
    }

    /// Tells the board how far this is.
    pub(super) fn tell(&self, now: Instant, time: Timestamp) {
        let next_retry = self.next_retry();
        self.posted.set_progress(Progress {
            cursor: self.window.cursor(),
            failing: self.last_attempt_failed && self.window.is_failing(),
            next_attempt_at: next_retry.map(|at| time.saturating_add(at.saturating_duration_since(now))),
            last_error: self.last_error.clone(),
        });
    }

    fn is_served(&self) -> bool {
        self.posted.registration.standing == Standing::Active && !self.starts_anew && !self.is_gone
    }
}
