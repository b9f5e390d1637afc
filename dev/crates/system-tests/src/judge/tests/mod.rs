//! A small healthy system, and what each check says when one thing of it is wrong.

mod healthy;
mod wrongs;

use super::*;
use crate::proxy::Passed;
use crate::wire::Receipt;
use healthy::{at, healthy, receipt};
use wrongs::WRONGS;

#[test]
fn a_healthy_system_passes_every_check_and_none_of_them_is_vacuous() {
    let verdict = Verdict::of(&healthy());
    assert!(verdict.is_clean(), "{verdict}");
    assert_eq!(verdict.vacuous().count(), 0, "{verdict}");
}

#[test]
fn every_check_sees_what_it_is_there_for() {
    for (what, check, spoil) in WRONGS {
        let mut evidence = healthy();
        spoil(&mut evidence);
        let failed: Vec<_> = Verdict::of(&evidence).failed().collect();
        assert!(
            failed.contains(check),
            "{what}: {check} does not see it, {failed:?} do"
        );
    }
    for check in Check::value_variants() {
        assert!(
            WRONGS.iter().any(|(_, seen, _)| seen == check),
            "nothing shows that {check} sees"
        );
    }
}

#[test]
fn what_is_sent_again_after_a_crash_is_not_out_of_order() {
    let mut evidence = healthy();
    let subscriber = &mut evidence.subscribers[0];
    subscriber.passed.push(Passed {
        at: at(30),
        port: 4001,
        epoch: 2,
    });
    for revision in 1..=3 {
        subscriber.receipts.push(Receipt {
            port: Some(4001),
            ..receipt(revision, 31)
        });
    }
    let verdict = Verdict::of(&evidence);
    assert!(verdict.is_clean(), "{verdict}");
}

#[test]
fn what_is_listed_as_superseded_need_not_be_taken() {
    let mut evidence = healthy();
    let subscriber = &mut evidence.subscribers[0];
    subscriber.receipts[1].answered = 500;
    subscriber.superseded.insert(2);
    let verdict = Verdict::of(&evidence);
    assert!(verdict.is_clean(), "{verdict}");
}

#[test]
fn evidence_that_was_kept_is_judged_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    for (what, check, spoil) in WRONGS {
        let mut evidence = healthy();
        spoil(&mut evidence);
        evidence.keep(folder.path()).unwrap();
        let verdict = Verdict::of(&Evidence::kept(folder.path()).unwrap());
        assert!(verdict.failed().any(|failed| failed == *check), "{what}");
        assert_eq!(verdict, Verdict::of(&evidence), "{what}");
    }
}
