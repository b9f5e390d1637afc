//! The model sees: with each flaw planted, it shows how a named property breaks.

use protocol_model::flaw::Flaw;
use protocol_model::model::{Protocol, Step};
use protocol_model::size::Size;
use stateright::{Checker, HasDiscoveries, Model};

/// The steps of a shortest way to where `property` breaks.
fn counterexample(size: Size, property: &'static str) -> Option<Vec<Step>> {
    let mut shortest = find(size, property, None)?;
    while let Some(shorter) = find(size, property, Some(shortest.len())) {
        shortest = shorter;
    }
    Some(shortest)
}

/// Some way, of fewer steps than that.
fn find(size: Size, property: &'static str, fewer_than: Option<usize>) -> Option<Vec<Step>> {
    let builder = Protocol(size)
        .checker()
        .finish_when(HasDiscoveries::AllOf([property].into()));
    // The checker counts the first state too, and leaves out what lies at the depth itself.
    let builder = match fewer_than {
        Some(steps) => builder.target_max_depth(steps + 1),
        None => builder,
    };
    let checker = builder.spawn_bfs().join();
    checker.discovery(property).map(stateright::Path::into_actions)
}

#[track_caller]
fn breaks(flaw: Flaw, property: &'static str, size: Size) {
    let flawed = Size {
        flaw: Some(flaw),
        ..size
    };
    let steps = counterexample(flawed, property)
        .unwrap_or_else(|| panic!("{flaw:?} is not seen to break \"{property}\""));
    println!(
        "{flaw:?} breaks \"{property}\" in {} steps: {steps:#?}",
        steps.len()
    );
}

const ONE: Size = Size::SMALLEST;
const CORRECTED: Size = Size {
    commands: 2,
    results: 2,
    ..ONE
};

macro_rules! flaws {
    ($($name:ident: $flaw:ident breaks $property:literal in $size:expr;)*) => {
        $(#[test]
        fn $name() {
            breaks(Flaw::$flaw, $property, $size);
        })*

        #[test]
        fn every_flaw_has_its_test() {
            let tested = [$(Flaw::$flaw),*];
            assert!(Flaw::ALL.iter().all(|flaw| tested.contains(flaw)));
        }
    };
}

flaws! {
    an_answer_before_the_sync_is_lost: AnswersBeforeSync breaks "nothing that was answered is lost"
        in Size { crashes: 1, ..ONE };
    a_change_shown_before_the_sync_is_told_and_gone: PublishesBeforeSync breaks "nothing is told that no journal holds"
        in Size { crashes: 1, ..ONE };
    a_writer_that_goes_on_leaves_a_gap: GoesOnAfterFailedWrite breaks "positions and revisions have no gaps"
        in Size { crashes: 1, ..CORRECTED };
    a_cursor_that_runs_ahead_hides_a_change: CursorRunsAhead breaks "at rest the newest of every event was told"
        in Size { callbacks: true, bettors: 0, crashes: 1, ..ONE };
    a_saved_cursor_that_runs_ahead_is_seen_at_once: CursorRunsAhead breaks "the saved cursor passes nothing that is still to be told"
        in Size { callbacks: true, bettors: 0, ..ONE };
    a_retry_with_the_oldest_change_hides_the_newest: RetryDropsNewer breaks "at rest the newest of every event was told"
        in Size { callbacks: true, bettors: 0, losses: 1, ..CORRECTED };
    an_older_revision_undoes_a_newer: OlderRevisionApplied breaks "an event never goes back to an older revision"
        in Size { callbacks: true, bettors: 0, ..CORRECTED };
    appliers_that_do_not_take_turns_undo_each_other: AppliersDoNotTakeTurns breaks "an event never goes back to an older revision"
        in Size { callbacks: true, bettors: 0, appliers: 2, ..CORRECTED };
    a_bookmark_that_moves_first_skips_a_change: BookmarkBeforeChanges breaks "at rest every bet has the newest result"
        in Size { crashes: 1, ..ONE };
    a_snapshot_older_than_the_fence_lets_a_bet_in: FenceAndReadInOneSnapshot breaks "no bet joins an event whose close is known"
        in ONE;
    a_snapshot_older_than_the_fence_leaves_a_bet_unsettled: FenceAndReadInOneSnapshot breaks "at rest every bet has the newest result"
        in ONE;
    without_a_fence_a_bet_gets_in: NoFence breaks "no bet joins an event whose close is known" in ONE;
    a_key_that_is_not_looked_at_makes_two_bets: NoDeduplication breaks "one key, one bet, one answer"
        in Size { hang_ups: 1, ..ONE };
    a_settler_that_does_not_hold_the_row_reckons_from_what_was: NoRowLock breaks "the ledger adds up to the payout"
        in CORRECTED;
    an_unguarded_settler_goes_back: UnguardedSettlement breaks "no bet goes back to an older result" in CORRECTED;
    an_unguarded_settler_pays_twice: UnguardedSettlement breaks "the ledger adds up to the payout" in ONE;
    progress_before_its_chunk_leaves_a_bet_out: ProgressBeforeChunk breaks "at rest every bet has the newest result"
        in Size { crashes: 1, ..ONE };
    a_correction_that_keeps_the_progress_leaves_a_bet_out: CorrectionKeepsProgress breaks "at rest every bet has the newest result"
        in Size { bettors: 2, ..CORRECTED };
    a_new_instance_voids_nothing: VoidsOnNewInstance breaks "nothing is void without a reason"
        in Size { commands: 0, restores: 1, ..ONE };
    a_history_that_was_rewritten_is_seen_by_its_digest: NoDigest breaks "at rest the bookmark stands in the log"
        in Size { restores: 1, bettors: 0, ..CORRECTED };
    a_late_bet_that_is_settled_like_others_is_paid: LateBetsArePaid breaks "a bet placed after the close is never paid" in ONE;
}
