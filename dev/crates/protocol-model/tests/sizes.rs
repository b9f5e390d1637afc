//! Every size that is small enough for the tests, looked at to the end.

use protocol_model::model::Protocol;
use protocol_model::size::Size;
use stateright::{Checker, Model};

/// Everything that can happen at that size keeps every property, and everything that should be reached is.
#[track_caller]
fn look_at(name: &str) {
    let size = Size::named(name).expect("a size of that name is there");
    let checker = Protocol(size).checker().spawn_bfs().join();
    println!(
        "{name}: {} states, {} steps, depth {}",
        checker.unique_state_count(),
        checker.state_count(),
        checker.max_depth()
    );
    assert!(checker.is_done());
    checker.assert_properties();
}

macro_rules! sizes {
    ($($test:ident: $name:literal;)*) => {
        $(#[test]
        fn $test() {
            look_at($name);
        })*

        #[test]
        fn every_size_has_its_test() {
            let tested: Vec<_> = Size::TESTED.iter().map(|(name, _)| *name).collect();
            assert_eq!(tested, [$($name),*]);
        }
    };
}

sizes! {
    placements_and_results_keep_every_promise: "placing";
    one_key_is_one_bet_whoever_hangs_up: "keys";
    corrections_settle_anew_whatever_they_interrupt: "settling";
    two_settlers_share_two_events: "events";
    an_event_is_created_and_changed: "creating";
    no_bet_is_taken_at_the_deadline: "deadlines";
    callbacks_that_are_lost_late_and_repeated_tell_the_newest: "delivering";
    callbacks_and_the_log_are_applied_in_turns: "both ways in";
    a_journal_that_is_lost_or_set_back_is_noticed: "histories";
    no_bet_is_voided_for_a_journal_that_was_lost: "bets and histories";
}
