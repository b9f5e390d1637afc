//! What an open journal tells, whole: every change of its log, every event, every subscription with its cursor.
//!
//! Two journals that went through the same steps tell the same, but for the instance that each was born with; so that
//! is kept apart.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;

use anyhow::Result;
use line_provider::journal::{Contents, Journal, Log};
use serde_json::{Value, json};
use shared_types::Instance;
use uuid::Uuid;

use crate::script::moment;

/// Longer texts are told by their beginning and a hash.
const LONG_BYTES: usize = 2000;
const BEGINNING_BYTES: usize = 200;

/// Everything that a journal tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    pub instance: Instance,
    /// The rest, without the instance.
    pub content: Value,
}

impl Told {
    /// Opens the journal in that folder, as line-provider does at its start, and closes it in order.
    ///
    /// # Errors
    /// The journal is refused.
    pub fn by(folder: &Path) -> Result<Self> {
        let (journal, contents) = Journal::open(folder, Uuid::now_v7(), moment(0))?;
        let log = journal.log(contents.head)?;
        let told = Self::of(&contents, &log);
        journal.close()?;
        Ok(told)
    }

    /// What a journal that was just opened tells.
    pub fn of(contents: &Contents, log: &Log) -> Self {
        // As many as the script makes stand in memory.
        let changes = log.read_tail(0, usize::MAX).unwrap_or_default();
        let changes: Vec<&str> = changes.iter().map(|change| &*change.json).collect();
        let mut events: Vec<_> = contents
            .events
            .iter()
            .map(|event| format!("{} {:?}", event.newest.json, event.creation))
            .collect();
        events.sort_unstable();
        let mut subscriptions: Vec<_> = contents
            .subscriptions
            .iter()
            .map(|(registration, cursor)| {
                format!("{cursor} {} {registration:?}", registration.secret.expose())
            })
            .collect();
        subscriptions.sort_unstable();
        let content = json!({
            "head": contents.head,
            "changes": changes,
            "events": events,
            "subscriptions": subscriptions,
        });
        let instance = log.instance();
        Self {
            instance,
            content: without(&instance.to_string(), content),
        }
    }
}

fn without(instance: &str, content: Value) -> Value {
    match content {
        Value::String(text) => shortened(text.replace(instance, "(instance)")).into(),
        Value::Array(items) => items.into_iter().map(|item| without(instance, item)).collect(),
        Value::Object(members) => members
            .into_iter()
            .map(|(name, member)| (name, without(instance, member)))
            .collect(),
        other => other,
    }
}

fn shortened(text: String) -> String {
    let Some(beginning) = text.get(..BEGINNING_BYTES).filter(|_| text.len() > LONG_BYTES) else {
        return text;
    };
    // The same in every process.
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    format!("{beginning}… {} bytes, hash {:x}", text.len(), hasher.finish())
}
