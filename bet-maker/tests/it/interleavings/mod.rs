//! Interleavings: bet-maker's own calls (`place`, `receive`, `reconcile`, `settle_chunk`), each over a connection of its
//! own, halted at every gate of `gates.sql` and let go on in every order. The gates stand in Postgres: before and behind
//! the fence, between the clock and the terms, before bets are stored or settled, and before the commit.
//!
//! What is exhaustive. A step runs from gate to gate; where it must wait for another actor's lock, it waits there, and
//! goes on when that one commits. Two actors take their steps in every order (23 for a placement and a result, 73 for a
//! placement and two changes of odds). Three actors take them in one order of each class of orders that differ only in
//! steps that commute, one right after the other (from 10 to 231 a story); `steps.rs` says which do, and a test plays
//! some stories both ways and compares what comes of them. The number of schedules is asserted with each story: another
//! number means other steps, or other waits.
//!
//! What is not: orders within one statement between two gates, where nobody waits; and a settler looks from when it is
//! woken until it finds nothing, as bet-maker's does, but not by its timer.

mod actors;
mod judge;
mod ledger;
mod planted;
mod scene;
mod schedules;
mod steps;
mod stories;
mod story;

use scene::Scene;
use schedules::{Count, Orders, play_every_order};
use shared_types::EventStatus;
use story::{Deed, Part, Story};

use judge::Verdict;

/// Plays a story in every order; nothing may be wrong in any.
async fn play(story: Story, orders: Orders) -> (Count, Verdict) {
    let mut scene = Scene::new(story, "").await;
    let count = play_every_order(&mut scene, orders).await;
    let verdict = std::mem::take(&mut scene.verdict);
    println!("{count:?} {:#?}", verdict.outcomes);
    let faults = &verdict.faults;
    assert!(
        faults.is_empty(),
        "{} faults: {:#?}",
        faults.len(),
        faults.first()
    );
    (count, verdict)
}

/// What the judge finds wrong in a story on a database that was made wrong.
async fn faults_of(story: Story, orders: Orders, planted: &str) -> String {
    let mut scene = Scene::new(story, planted).await;
    play_every_order(&mut scene, orders).await;
    scene.verdict.faults.join("\n")
}

fn result() -> Part {
    Part::Operator(vec![Deed::Status(EventStatus::FirstTeamWon)])
}
