//! The stories, with the number of their schedules.

use shared_types::EventStatus::{Cancelled, FirstTeamWon, SecondTeamWon, Unfinished};

use super::judge::Verdict;
use super::schedules::Orders::{self, All, UpToCommuting};
use super::story::{Deed, Part, Story, Wish};
use super::{play, result};

fn bettor() -> Part {
    Part::Bettor(Wish::default())
}

fn operator(deeds: impl IntoIterator<Item = Deed>) -> Part {
    Part::Operator(deeds.into_iter().collect())
}

fn between(actors: impl IntoIterator<Item = Part>) -> Story {
    Story {
        actors: actors.into_iter().collect(),
        ..Story::default()
    }
}

/// Plays it, and requires that there are so many schedules and that each of `outcomes` comes of some.
async fn plays(story: Story, orders: Orders, schedules: usize, outcomes: &[&str]) -> Verdict {
    let (count, verdict) = play(story, orders).await;
    assert_eq!(count.played, schedules);
    for outcome in outcomes {
        assert!(verdict.count(outcome) > 0, "never {outcome}: {verdict:?}");
    }
    verdict
}

#[actix_rt::test]
async fn a_placement_and_a_result() {
    let story = between([bettor(), result()]);
    plays(story, All, 23, &["accepted on 1; Won", "closed; "]).await;
}

#[actix_rt::test]
async fn a_placement_and_a_cancellation() {
    let story = between([bettor(), operator([Deed::Status(Cancelled)])]);
    plays(story, All, 23, &["accepted on 1; Void", "closed; "]).await;
}

#[actix_rt::test]
async fn a_placement_and_a_deadline_that_moves_before_the_result_comes() {
    let story = between([
        bettor(),
        operator([Deed::DeadlineNow, Deed::Status(FirstTeamWon)]),
    ]);
    plays(story, All, 44, &["accepted on 1; Void", "closed; "]).await;
}

#[actix_rt::test]
async fn a_placement_and_a_close_by_adopting_another_journal() {
    let story = between([bettor(), Part::Adopter]);
    plays(story, All, 48, &["accepted on 1; Pending", "halted; "]).await;
}

#[actix_rt::test]
async fn a_placement_and_a_result_that_is_corrected() {
    let story = between([
        bettor(),
        operator([Deed::Status(FirstTeamWon), Deed::Status(SecondTeamWon)]),
    ]);
    plays(story, All, 44, &["accepted on 1; Lost", "closed; "]).await;
}

#[actix_rt::test]
async fn a_placement_and_a_result_that_is_taken_back() {
    let story = between([
        bettor(),
        operator([Deed::Status(FirstTeamWon), Deed::Status(Unfinished)]),
    ]);
    plays(story, All, 44, &["accepted on 1; Pending", "closed; "]).await;
}

#[actix_rt::test]
async fn a_placement_and_odds_that_change_twice() {
    let story = between([bettor(), operator([Deed::Odds("2.00"), Deed::Odds("1.50")])]);
    plays(
        story,
        All,
        73,
        &["accepted on 1", "accepted on 2", "accepted on 3"],
    )
    .await;
}

fn keyed(stake: i64) -> Part {
    Part::Bettor(Wish {
        key: Some("k"),
        stake,
        ..Wish::default()
    })
}

#[actix_rt::test]
async fn one_request_sent_twice_with_one_key_and_a_result() {
    let story = between([keyed(1000), keyed(1000), result()]);
    plays(
        story,
        UpToCommuting,
        36,
        &["accepted on 1, accepted on 1 again; Won", "closed again; "],
    )
    .await;
}

#[actix_rt::test]
async fn two_requests_with_one_key_and_a_result() {
    let story = between([keyed(1000), keyed(2000), result()]);
    plays(
        story,
        UpToCommuting,
        36,
        &[
            "accepted on 1, refused: key reused; Won",
            "closed, refused: key reused; ",
        ],
    )
    .await;
}

#[actix_rt::test]
async fn a_placement_a_result_and_a_settler() {
    let story = Story {
        bets: 2,
        ..between([bettor(), result(), Part::Settler(1)])
    };
    plays(story, UpToCommuting, 10, &["accepted on 1; ", "closed; "]).await;
}

#[actix_rt::test]
async fn a_placement_a_result_and_a_correction_over_another_connection() {
    let story = between([bettor(), result(), operator([Deed::Status(SecondTeamWon)])]);
    plays(story, UpToCommuting, 27, &["accepted on 1; Lost", "closed; "]).await;
}

#[actix_rt::test]
async fn a_result_a_correction_over_another_connection_and_a_settler() {
    let story = Story {
        bets: 2,
        ..between([
            result(),
            operator([Deed::Status(SecondTeamWon)]),
            Part::Settler(1),
        ])
    };
    plays(story, UpToCommuting, 52, &["by [2, 3]", "by [3]"]).await;
}

#[actix_rt::test]
async fn two_settlers_and_a_correction() {
    let story = Story {
        bets: 1,
        before: vec![Deed::Status(FirstTeamWon)],
        ..between([
            Part::Settler(2),
            Part::Settler(2),
            operator([Deed::Status(SecondTeamWon)]),
        ])
    };
    plays(story, UpToCommuting, 231, &["by [2, 3]", "by [3]"]).await;
}

/// What the reduction leaves out must not differ in what comes of it.
#[actix_rt::test]
async fn orders_up_to_steps_that_commute_come_to_what_all_orders_come_to() {
    let stories = [
        between([bettor(), operator([Deed::Odds("2.00"), Deed::Odds("1.50")])]),
        between([bettor(), Part::Adopter]),
        Story {
            bets: 1,
            before: vec![Deed::Status(FirstTeamWon)],
            ..between([Part::Settler(2), operator([Deed::Status(SecondTeamWon)])])
        },
    ];
    for story in stories {
        let (all, everything) = play(story.clone(), All).await;
        let (few, reduced) = play(story, UpToCommuting).await;
        assert!(few.played < all.played);
        let outcomes = |verdict: Verdict| verdict.outcomes.into_keys().collect::<Vec<_>>();
        assert_eq!(outcomes(reduced), outcomes(everything));
    }
}
