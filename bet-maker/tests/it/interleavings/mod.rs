//! Interleavings: bet-maker's own calls (`place`, `receive`, `reconcile`, `settle_chunk`), each over a connection of its
//! own, halted at every gate of `gates.sql` and let go on in every order. The gates stand in Postgres: before and behind
//! the fence, between the clock and the terms, before bets are stored or settled, and before the commit.
//!
//! What is exhaustive. A step runs from gate to gate; where it must wait for another actor's lock, it waits there, and
//! goes on when that one commits. In the stories with two actors that end with `Orders::All`, every order of steps is
//! played. In the others one order is played of each class of orders that differ only in steps that commute, one right
//! after the other (`steps.rs` says which do); a test plays some stories both ways and compares what comes of them. How
//! many schedules there are is asserted with each story: another number means other steps, or other waits.
//!
//! What is not: orders within one statement, where nobody waits; and a settler that looks at any time sees nothing new
//! before somebody committed, so that it looks only then.

mod actors;
mod judge;
mod planted;
mod schedules;
mod steps;
mod stories;
mod story;

use schedules::{Count, Orders, play_every_order};
use shared_types::EventStatus;
use story::{Deed, Part, Scene, Story};

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
