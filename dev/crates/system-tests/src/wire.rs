//! The wire: what a subscriber received, as it wrote it down before it answered.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use shared_types::{Change, Timestamp};

/// One callback as it arrived.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    pub at: Timestamp,
    /// The peer's port; `None` where the connection was reset before it was taken up.
    pub port: Option<u16>,
    pub webhook_id: String,
    /// `webhook-timestamp`: when the attempt was signed, unix seconds.
    pub signed_at_s: i64,
    /// Whether the signature was right and fresh.
    pub is_genuine: bool,
    /// What was answered afterwards.
    pub answered: u16,
    pub change: Change,
}

impl Receipt {
    pub const fn is_taken(&self) -> bool {
        self.answered >= 200 && self.answered < 300
    }
}

/// All receipts in the order of their arrival; none where nothing ever came. Each is written at once, so that a kill
/// leaves whole lines only.
///
/// # Errors
/// The file cannot be read, or a line is not a receipt.
pub fn read(path: &Path) -> Result<Vec<Receipt>> {
    let text = match std::fs::read_to_string(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        text => text.with_context(|| format!("cannot read {}", path.display()))?,
    };
    text.lines()
        .map(|line| serde_json::from_str(line).with_context(|| format!("not a receipt: {line}")))
        .collect()
}
