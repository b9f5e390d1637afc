//! What must be reached, each by its name, where the size allows it: without these a model in which nothing happens would
//! keep every property.

use crate::properties::{Holds, bets};
use crate::rules::Outcome;
use crate::size::Size;
use crate::state::{Answer, Lane, Stage, State};

type IsAsked = fn(&Size) -> bool;

pub const REACHED: [(&str, IsAsked, Holds); 13] = [
    (
        "a batch is written and not synced when a crash may come",
        |size| size.crashes > 0,
        |_, state| state.provider.durable < state.provider.log.len() && state.left.crashes > 0,
    ),
    (
        "two commands share a sync",
        |size| size.commands > 1,
        |_, state| state.provider.durable + 1 < state.provider.log.len(),
    ),
    (
        "a callback comes that is no news",
        |size| size.callbacks,
        |_, state| repeats(state).any(|is_older| !is_older),
    ),
    (
        "a callback comes that is older than what is known",
        |size| size.callbacks && size.losses + size.duplicates > 0 && size.commands > 1,
        |_, state| repeats(state).any(|is_older| is_older),
    ),
    (
        "a retry supersedes an older change",
        |size| size.callbacks && size.losses > 0 && size.commands > 1 && size.events == 1,
        |_, state| {
            let window = &state.provider.window;
            window.lanes.iter().any(|lane| matches!(lane, Lane::InFlight(position) if *position > state.store.taken.iter().max().copied().unwrap_or(0) + 1))
        },
    ),
    (
        "a change waits for a placement's fence",
        |size| size.bettors > 0,
        |_, state| {
            let held = state
                .replicas
                .iter()
                .flat_map(|replica| replica.applying())
                .any(|one| one.stage == Stage::Held);
            held && state.replicas.iter().any(|replica| replica.placing.is_some())
        },
    ),
    (
        "a bet is refused because its event closed",
        |size| size.bettors > 0,
        |_, state| state.store.keys.iter().any(|key| *key == Some(Answer::Refused)),
    ),
    (
        "a late bet is voided",
        |size| size.bettors > 0,
        |_, state| bets(state).any(|bet| matches!(bet.outcome, Outcome::Late(_))),
    ),
    (
        "a settled bet is corrected",
        |size| size.bettors > 0 && may_be_corrected(size),
        |_, state| bets(state).any(|bet| bet.ledger.len() > 1),
    ),
    (
        "a settled bet is pending again",
        |size| size.bettors > 0 && size.reopen,
        |_, state| bets(state).any(|bet| !bet.ledger.is_empty() && bet.outcome == Outcome::Pending),
    ),
    (
        "a correction comes when half of the bets are settled",
        |size| size.bettors > size.chunk && size.events == 1 && may_be_corrected(size),
        |_, state| {
            state
                .store
                .rows
                .iter()
                .flatten()
                .any(|row| row.settle_after.is_some() && row.settling_seq < row.result_seq)
        },
    ),
    (
        "two settlers work at once",
        |size| size.events > 1 && size.bettors > 1 && size.commands > 1,
        |_, state| {
            state
                .replicas
                .iter()
                .filter(|replica| replica.settling.is_some())
                .count()
                > 1
        },
    ),
    (
        "another log is followed",
        |size| size.restores > 0,
        |_, state| state.store.feed.generation > 1,
    ),
];

fn may_be_corrected(size: &Size) -> bool {
    // Among the commands of a new event is its creation.
    let results = size.commands.saturating_sub(u8::from(size.known == 0));
    results > 1 && (size.results > 1 || size.reopen)
}

/// Of the callbacks in hand that are no news: whether they are older than what is known.
fn repeats(state: &State) -> impl Iterator<Item = bool> {
    let callbacks = state
        .replicas
        .iter()
        .filter_map(|replica| replica.clerk.as_ref()?.work.callback());
    callbacks.filter_map(|callback| {
        let event = callback.change.event;
        let known = state.store.rows[event.id].map_or(0, |row| row.event.revision);
        (known >= event.revision).then_some(known > event.revision)
    })
}
