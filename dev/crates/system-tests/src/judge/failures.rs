//! Nothing failed but by a 503 with a name and a `Retry-After`: no other 5xx, no panic, no process that ended unasked,
//! nothing that stays away once all is healed, no transaction left open, and memory, descriptors,
//! threads and tasks are back to where they were.

use serde_json::Value;

use super::Findings;
use crate::evidence::{Account, Evidence};
use crate::history::Outcome;

/// The dependencies and limits that a 503 may name.
const NAMED: [&str; 6] = [
    "feed_stale",
    "feed_suspended",
    "overloaded",
    "database_unavailable",
    "journal_unavailable",
    "timed_out",
];

pub(super) fn check(evidence: &Evidence, findings: &mut Findings) {
    for operation in &evidence.history.operations {
        let Outcome::Answered {
            status,
            retry_after,
            body,
            ..
        } = &operation.outcome
        else {
            continue;
        };
        let code = body.get("code").and_then(Value::as_str).unwrap_or_default();
        let is_named = *status == 503 && *retry_after && NAMED.contains(&code);
        findings.require(!matches!(*status, 401 | 403 | 405 | 413 | 415), || {
            format!("{:?} was answered {status} {body}", operation.call)
        });
        findings.require(*status < 500 || is_named, || {
            format!("{:?} was answered {status} {body}", operation.call)
        });
    }
    for account in &evidence.accounts {
        check_account(account, findings);
    }
    for what in &evidence.not_healed {
        findings.require(false, || what.clone());
    }
    for transaction in &evidence.open_transactions {
        findings.require(false, || format!("a transaction was left open: {transaction}"));
    }
}

fn check_account(account: &Account, findings: &mut Findings) {
    let name = &account.name;
    for line in account
        .log
        .lines()
        .filter(|line| line.contains("panicked at") || line.contains("PANIC:"))
    {
        findings.require(false, || format!("{name}: {line}"));
    }
    for end in &account.unasked_ends {
        findings.require(false, || format!("{name} ended unasked: {end}"));
    }
    if let Some((before, after)) = account.resources {
        findings.require(after.is_back_to(before), || {
            format!("{name} held {before}, and now {after}")
        });
    }
}
