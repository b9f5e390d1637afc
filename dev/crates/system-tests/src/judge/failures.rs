//! Nothing failed but by a 503 with a name and a `Retry-After`: no other 5xx, no panic, no process that ended unasked,
//! nothing that stays away once all is healed, no transaction left open, and memory, descriptors and threads are back to where they were.

use super::Findings;
use crate::evidence::{Account, Evidence, Resources};
use crate::history::Outcome;

/// What a process may hold more than before: what it learnt meanwhile, and connections that idle for a while.
const MORE_RESIDENT_KIB: u64 = 160 * 1024;
const MORE_DESCRIPTORS: u64 = 150;
const MORE_THREADS: u64 = 12;

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
        let is_named = *status == 503 && *retry_after && body["code"].is_string();
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
        let holds = |now: u64, was: u64, more: u64| now <= was + more;
        let Resources {
            resident_kib,
            descriptors,
            threads,
        } = after;
        let all_hold = holds(resident_kib, before.resident_kib, MORE_RESIDENT_KIB)
            && holds(descriptors, before.descriptors, MORE_DESCRIPTORS)
            && holds(threads, before.threads, MORE_THREADS);
        findings.require(all_hold, || format!("{name} held {before}, and now {after}"));
    }
}
