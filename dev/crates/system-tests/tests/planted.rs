//! Proof that the judge can see, in short: every planted bug still applies, and three are caught. `./dev/chaos
//! --planted` catches all.

use system_tests::planted;

/// One of line-provider, one of the fence, one of settlement.
const CAUGHT_HERE: [&str; 3] = [
    "acknowledge-before-sync",
    "fence-and-read-in-one-statement",
    "skipped-chunk-after-a-crash",
];

#[test]
fn every_planted_bug_applies_to_the_tree_as_it_is() {
    let bugs = planted::list(&[]).unwrap();
    assert!(
        bugs.len() >= 15,
        "{} bugs are too few to prove anything",
        bugs.len()
    );
    let stale = planted::stale(&bugs).unwrap();
    assert!(stale.is_empty(), "these do not apply any more: {stale:?}");
}

#[actix_rt::test]
async fn the_judge_catches_planted_bugs_by_the_checks_that_they_name() {
    let names = CAUGHT_HERE.map(str::to_owned);
    assert_eq!(planted::list(&names).unwrap().len(), CAUGHT_HERE.len());
    assert!(
        planted::prove(&names).await.unwrap(),
        "the judge is blind: see above"
    );
}
