//! The model: which steps there are, and what each makes of a state.
//!
//! Actions are offered generously; a step that cannot be made, or that would change nothing, gives no state.

use shared_types::EventStatus;
use stateright::{Model, Property};

use crate::feed::Desk;
use crate::flaw::Flaw;
use crate::properties;
use crate::provider::Command;
use crate::size::Size;
use crate::state::{Bettor, State};

/// The protocol, as far as it is looked at.
#[derive(Clone, Debug)]
pub struct Protocol(pub Size);

/// One atomic step of anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Decide(Command),
    Sync,
    Publish,
    AnswerOperator,
    Attempt { event: u8 },
    SaveCursor,
    Receive { replica: u8, callback: u8 },
    Poll { replica: u8 },
    Hold { replica: u8, desk: Desk },
    Fence { replica: u8, desk: Desk },
    Apply { replica: u8, desk: Desk },
    Adopt,
    Ask { bettor: u8, replica: u8 },
    ReadAndDecide { replica: u8 },
    FenceLate { replica: u8 },
    CommitPlacement { replica: u8, heard: bool },
    Pick { replica: u8, event: u8 },
    Settle { replica: u8 },
    Tick,
    CrashProvider { batch_is_kept: bool },
    FailWrite,
    CrashReplica { replica: u8 },
    Lose { event: u8 },
    Delay { event: u8 },
    Duplicate { callback: u8 },
    DropStray { callback: u8 },
    HangUp { replica: u8 },
    Restore { kept: Option<u8> },
}

impl Protocol {
    /// What the services do of themselves, sooner or later, wherever they can.
    fn own_steps(&self, state: &State) -> impl Iterator<Item = Step> + use<> {
        let Size { events, flaw, .. } = self.0;
        let (flying, replicas, bettors) = (
            state.flying.numbers(),
            state.replicas.numbers(),
            state.bettors.numbers(),
        );
        let asking: Vec<_> = bettors.filter(|bettor| state.asks_in_vain(*bettor)).collect();
        let of_replica = replicas.flat_map(move |replica| {
            let desks = [Desk::Clerk, Desk::Poller].into_iter();
            let receive = flying
                .clone()
                .map(move |callback| Step::Receive { replica, callback });
            let apply = desks.flat_map(move |desk| {
                [
                    Step::Hold { replica, desk },
                    Step::Fence { replica, desk },
                    Step::Apply { replica, desk },
                ]
            });
            let place = [
                Step::ReadAndDecide { replica },
                Step::CommitPlacement { replica, heard: true },
                Step::Settle { replica },
                Step::Poll { replica },
            ];
            let late = (flaw == Some(Flaw::FenceAndReadInOneSnapshot)).then_some(Step::FenceLate { replica });
            let pick = (0..events).map(move |event| Step::Pick { replica, event });
            let ask: Vec<_> = asking
                .iter()
                .map(|bettor| Step::Ask {
                    bettor: *bettor,
                    replica,
                })
                .collect();
            place
                .into_iter()
                .chain(late)
                .chain(apply)
                .chain(receive)
                .chain(pick)
                .chain(ask)
        });
        [Step::Sync, Step::Publish, Step::AnswerOperator, Step::SaveCursor]
            .into_iter()
            .chain((0..events).map(|event| Step::Attempt { event }))
            .chain(of_replica)
    }

    /// What others do, and may leave undone for ever.
    fn others_steps(&self, state: &State, steps: &mut Vec<Step>) {
        let (size, left) = (&self.0, &state.left);
        let events = 0..size.events;
        if left.commands > 0 {
            for id in events.clone() {
                steps.extend(self.commands(id).map(Step::Decide));
            }
        }
        for bettor in state
            .bettors
            .numbers()
            .filter(|bettor| state.bettors[*bettor] == Bettor::Thinking)
        {
            steps.extend(
                state
                    .replicas
                    .numbers()
                    .map(|replica| Step::Ask { bettor, replica }),
            );
        }
        steps.extend(
            state
                .flying
                .numbers()
                .map(|callback| Step::DropStray { callback }),
        );
        if state.store.feed.suspension.is_some() {
            steps.push(Step::Adopt);
        }
        if left.ticks > 0 {
            steps.push(Step::Tick);
        }
        if left.crashes > 0 {
            let disks_choice = [true, false];
            steps.extend(disks_choice.map(|batch_is_kept| Step::CrashProvider { batch_is_kept }));
            steps.push(Step::FailWrite);
            steps.extend(
                state
                    .replicas
                    .numbers()
                    .map(|replica| Step::CrashReplica { replica }),
            );
        }
        if left.losses > 0 {
            steps.extend(
                events
                    .clone()
                    .flat_map(|event| [Step::Lose { event }, Step::Delay { event }]),
            );
            let unheard = |replica| Step::CommitPlacement {
                replica,
                heard: false,
            };
            steps.extend(state.replicas.numbers().map(unheard));
        }
        if left.duplicates > 0 {
            steps.extend(
                state
                    .flying
                    .numbers()
                    .map(|callback| Step::Duplicate { callback }),
            );
        }
        if left.hang_ups > 0 {
            steps.extend(state.replicas.numbers().map(|replica| Step::HangUp { replica }));
        }
        if left.restores > 0 {
            let kept = (0..state.provider.durable).map(Some).chain([None]);
            steps.extend(kept.map(|kept| Step::Restore { kept }));
        }
    }

    fn commands(&self, id: u8) -> impl Iterator<Item = Command> + use<> {
        let Size {
            results,
            odds,
            reopen,
            ..
        } = self.0;
        let results = EventStatus::ALL
            .into_iter()
            .filter(|status| status.is_final())
            .take(results.into());
        let corrections = results.clone().chain(reopen.then_some(EventStatus::Unfinished));
        [Command::Create(id)]
            .into_iter()
            .chain(odds.then_some(Command::ChangeOdds(id)))
            .chain(results.map(move |status| Command::Finish(id, status)))
            .chain(corrections.map(move |status| Command::Correct(id, status)))
    }

    /// Whether the services have nothing left to do, until somebody else does something.
    pub fn is_at_rest(&self, state: &State) -> bool {
        self.own_steps(state)
            .all(|step| self.next_state(state, step).is_none())
    }

    fn make(&self, state: &mut State, step: Step) -> Option<()> {
        let size = &self.0;
        match step {
            Step::Decide(command) => state.decide(command, size),
            Step::Sync => state.sync(),
            Step::Publish => state.publish(size),
            Step::AnswerOperator => state.answer(size),
            Step::Attempt { event } => state.attempt(event, size),
            Step::SaveCursor => state.save_cursor(),
            Step::Receive { replica, callback } => state.receive(replica, callback, size),
            Step::Poll { replica } => state.poll(replica, size),
            Step::Hold { replica, desk } => state.hold(replica, desk, size),
            Step::Fence { replica, desk } => state.fence(replica, desk, size),
            Step::Apply { replica, desk } => state.apply(replica, desk, size),
            Step::Adopt => state.adopt(),
            Step::Ask { bettor, replica } => state.ask(bettor, replica, size),
            Step::ReadAndDecide { replica } => state.read_and_decide(replica),
            Step::FenceLate { replica } => state.fence_late(replica, size),
            Step::CommitPlacement { replica, heard } => state.commit_placement(replica, heard, size),
            Step::Pick { replica, event } => state.pick(replica, event, size),
            Step::Settle { replica } => state.settle(replica, size),
            Step::Tick => state.tick(),
            Step::CrashProvider { batch_is_kept } => state.crash_provider(batch_is_kept, size),
            Step::FailWrite => state.fail_write(size),
            Step::CrashReplica { replica } => state.crash_replica(replica),
            Step::Lose { event } => state.lose(event),
            Step::Delay { event } => state.delay(event),
            Step::Duplicate { callback } => state.duplicate(callback),
            Step::DropStray { callback } => state.drop_stray(callback),
            Step::HangUp { replica } => state.hang_up(replica),
            Step::Restore { kept } => state.restore(kept, size),
        }
    }
}

impl Model for Protocol {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        vec![State::first(&self.0)]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        steps.extend(self.own_steps(state));
        self.others_steps(state, steps);
    }

    fn next_state(&self, state: &State, step: Step) -> Option<State> {
        let mut next = state.clone();
        self.make(&mut next, step)?;
        // Replicas differ by what they are doing only: their order means nothing.
        next.replicas.sort();
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::of(&self.0)
    }
}
