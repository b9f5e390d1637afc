//! The history: every call's invocation and outcome, *unknown* included, written down outside of the processes that
//! are killed, line by line as JSON; and beside it what was done to the system.
//!
//! An outcome is unknown when no whole answer came: the call may have been carried out, or may still be.

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared_types::{EventStatus, Timestamp};

/// A bet as somebody wants it: what makes two requests one, with their key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Wish {
    pub key: Option<String>,
    pub event_id: String,
    pub stake: String,
    pub odds: Option<String>,
    pub odds_change: Option<String>,
    pub bettor: String,
}

/// What somebody asked a service for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    CreateEvent {
        id: String,
        title: String,
        odds: String,
        deadline: String,
    },
    PatchEvent {
        id: String,
        odds: Option<String>,
        deadline: Option<String>,
        status: Option<EventStatus>,
    },
    Correct {
        id: String,
        status: EventStatus,
    },
    GetEvent {
        id: String,
    },
    PlaceBet {
        replica: usize,
        wish: Wish,
    },
    GetBet {
        replica: usize,
        id: String,
    },
    /// A list or a sum; only its status is looked at.
    Look {
        replica: usize,
        path: String,
    },
}

impl Call {
    /// The event that line-provider is asked about or told of.
    pub fn event(&self) -> Option<&str> {
        match self {
            Self::CreateEvent { id, .. }
            | Self::PatchEvent { id, .. }
            | Self::Correct { id, .. }
            | Self::GetEvent { id } => Some(id),
            Self::PlaceBet { .. } | Self::GetBet { .. } | Self::Look { .. } => None,
        }
    }
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Answered {
        status: u16,
        /// `Idempotency-Replayed: true`.
        replayed: bool,
        /// There was a `Retry-After`.
        retry_after: bool,
        body: Value,
    },
    Unknown {
        why: String,
    },
}

/// What was done to the system, where a check has to know of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Note {
    /// A fault began, in words.
    Fault(String),
    /// From here on the replica cannot read line-provider's log.
    Blind {
        replica: usize,
    },
    Sighted {
        replica: usize,
    },
    /// line-provider serves an older copy of its journal.
    SetBack,
    BroughtBack,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Line {
    Invoked {
        id: u64,
        at: Timestamp,
        actor: String,
        call: Call,
    },
    Returned {
        id: u64,
        at: Timestamp,
        outcome: Outcome,
    },
    Noted {
        at: Timestamp,
        note: Note,
    },
}

/// Writes the history. One thread's own.
#[derive(Debug)]
pub struct Recorder {
    file: RefCell<BufWriter<File>>,
    next: Cell<u64>,
}

impl Recorder {
    /// # Errors
    /// The file cannot be made.
    pub fn create(path: &Path) -> Result<Self> {
        let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self {
            file: RefCell::new(BufWriter::new(file)),
            next: Cell::new(1),
        })
    }

    /// Before the call is sent; the number goes with its outcome.
    pub fn invoke(&self, actor: &str, call: Call) -> u64 {
        let id = self.next.get();
        self.next.set(id + 1);
        self.write(&Line::Invoked {
            id,
            at: Timestamp::now(),
            actor: actor.to_owned(),
            call,
        });
        id
    }

    pub fn returned(&self, id: u64, outcome: Outcome) {
        let at = Timestamp::now();
        self.write(&Line::Returned { id, at, outcome });
    }

    pub fn note(&self, note: Note) {
        let at = Timestamp::now();
        self.write(&Line::Noted { at, note });
    }

    /// # Errors
    /// The disk does not take it.
    pub fn flush(&self) -> Result<()> {
        Ok(self.file.borrow_mut().flush()?)
    }

    fn write(&self, line: &Line) {
        let mut file = self.file.borrow_mut();
        let written = serde_json::to_writer(&mut *file, line).map_err(anyhow::Error::from);
        written
            .and_then(|()| Ok(file.write_all(b"\n")?))
            .expect("without a history there is nothing to judge");
    }
}

/// A call with what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Operation {
    pub actor: String,
    pub call: Call,
    pub invoked_at: Timestamp,
    /// `None` where it was still under way at the end.
    pub returned_at: Option<Timestamp>,
    pub outcome: Outcome,
}

impl Operation {
    /// The status and the body, where an answer came.
    pub fn answer(&self) -> Option<(u16, &Value)> {
        match &self.outcome {
            Outcome::Answered { status, body, .. } => Some((*status, body)),
            Outcome::Unknown { .. } => None,
        }
    }

    pub fn is_replayed(&self) -> bool {
        matches!(self.outcome, Outcome::Answered { replayed: true, .. })
    }
}

/// A whole history, read back.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct History {
    /// In the order of their invocations.
    pub operations: Vec<Operation>,
    pub notes: Vec<(Timestamp, Note)>,
}

impl History {
    /// # Errors
    /// The file cannot be read, or is not a history.
    pub fn read(path: &Path) -> Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut history = Self::default();
        for line in text.lines() {
            match serde_json::from_str(line).with_context(|| format!("not a line of a history: {line}"))? {
                Line::Invoked { id, at, actor, call } => {
                    let place = u64::try_from(history.operations.len())? + 1;
                    anyhow::ensure!(id == place, "call {id} stands in place {place}");
                    history.operations.push(Operation {
                        actor,
                        call,
                        invoked_at: at,
                        returned_at: None,
                        outcome: Outcome::Unknown {
                            why: "it was under way at the end".to_owned(),
                        },
                    });
                }
                Line::Returned { id, at, outcome } => {
                    let operation = usize::try_from(id - 1)
                        .ok()
                        .and_then(|index| history.operations.get_mut(index))
                        .with_context(|| format!("call {id} returned without an invocation"))?;
                    operation.returned_at = Some(at);
                    operation.outcome = outcome;
                }
                Line::Noted { at, note } => history.notes.push((at, note)),
            }
        }
        Ok(history)
    }

    /// The times between a note and its counterpart.
    pub fn spans(
        &self,
        from: impl Fn(&Note) -> bool,
        to: impl Fn(&Note) -> bool,
    ) -> Vec<(Timestamp, Timestamp)> {
        let mut spans = Vec::new();
        let mut begun = None;
        for (at, note) in &self.notes {
            if from(note) && begun.is_none() {
                begun = Some(*at);
            } else if to(note)
                && let Some(from) = begun.take()
            {
                spans.push((from, *at));
            }
        }
        spans
    }
}
