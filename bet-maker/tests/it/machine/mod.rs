//! By property, as a state machine: bets, results and corrections, callbacks in any order, often or never, pages of the
//! log, chunks of settlement, killed sessions and new ones, in any sequence. A naive model (`model.rs`) is told the same,
//! and after every transition the database must hold exactly what the model says: every bet, every line of the ledger,
//! every event, every key's answer. In the end, with the log read to its head and all settled, every bet must stand as
//! line-provider's newest word says.
//!
//! `PROPTEST_CASES` runs more than the usual number; a failing case's seed is kept in `proptest-regressions`.

mod books;
mod model;
mod product;
mod words;

use model::{Deed, Model, Moment, Policy, Request, Transition, Work};
use product::{PLANTED, RIGHT, Replicas};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestError, TestRunner};
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};
use shared_types::EventStatus;

const CASES: u32 = 24;
const TRANSITIONS: std::ops::Range<usize> = 1..60;

fn config() -> Config {
    let cases = std::env::var_os("PROPTEST_CASES").map_or(CASES, |_| Config::default().cases);
    Config {
        cases,
        max_shrink_iters: 300,
        ..Config::default()
    }
}

fn request() -> impl Strategy<Value = Request> {
    let odds = || prop::sample::select(vec![150, 185, 200]);
    let policy = prop_oneof![
        4 => Just(Policy::Any),
        1 => odds().prop_map(Policy::Exactly),
        1 => odds().prop_map(Policy::AtLeast),
    ];
    // The last event is one that nobody ever hears of.
    (
        prop_oneof![9 => 0..3_usize, 1 => Just(3)],
        1..400_i64,
        policy,
        prop::option::of(0..4_u8),
    )
        .prop_map(|(event, stake, policy, key)| Request {
            event,
            // Few stakes, so that a key meets its own body again.
            stake: if key.is_some() { 100 + stake % 2 } else { stake },
            policy,
            key,
        })
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        2 => prop::sample::select(vec![150, 185, 200]).prop_map(Deed::Odds),
        1 => Just(Deed::DeadlineNow),
        5 => (prop::sample::select(EventStatus::ALL.to_vec()), any::<bool>())
            .prop_map(|(status, closes_now)| Deed::Status { status, closes_now }),
    ]
}

fn transition() -> impl Strategy<Value = Transition> {
    let number = || 0..10_000_usize;
    let work = prop_oneof![
        (1..4_u16).prop_map(Work::Settle),
        request().prop_map(Work::Place),
        number().prop_map(Work::Callback),
    ];
    let moment = prop_oneof![Just(Moment::Written), Just(Moment::Commit)];
    prop_oneof![
        4 => (0..3_usize, deed()).prop_map(|(event, deed)| Transition::Source(event, deed)),
        4 => prop::collection::vec(number(), 1..4).prop_map(Transition::Callbacks),
        2 => (2..6_usize).prop_map(Transition::Read),
        6 => request().prop_map(Transition::Place),
        6 => (1..4_u16).prop_map(Transition::Settle),
        2 => (work, moment).prop_map(|(work, moment)| Transition::Crash(work, moment)),
        1 => Just(Transition::Restart),
    ]
}

impl ReferenceStateMachine for Model {
    type State = Self;
    type Transition = Transition;

    fn init_state() -> BoxedStrategy<Self> {
        Just(Self::new()).boxed()
    }

    fn transitions(_: &Self) -> BoxedStrategy<Transition> {
        transition().boxed()
    }

    fn apply(mut model: Self, transition: &Transition) -> Self {
        model.take(transition);
        model
    }

    fn preconditions(model: &Self, transition: &Transition) -> bool {
        model.can(transition)
    }
}

struct Machine<const IS_PLANTED: bool>;

impl<const IS_PLANTED: bool> StateMachineTest for Machine<IS_PLANTED> {
    type SystemUnderTest = Replicas;
    type Reference = Model;

    fn init_test(model: &Model) -> Replicas {
        Replicas::start(model, if IS_PLANTED { PLANTED } else { RIGHT })
    }

    fn apply(mut replicas: Replicas, model: &Model, transition: Transition) -> Replicas {
        replicas.take(model, transition);
        replicas
    }

    fn check_invariants(replicas: &Replicas, model: &Model) {
        replicas.check(model);
    }

    fn teardown(mut replicas: Replicas, mut model: Model) {
        replicas.read_and_settle_all(&mut model);
    }
}

prop_state_machine! {
    #![proptest_config(config())]

    #[test]
    fn whatever_happens_on_the_way_every_bet_is_booked_as_the_model_says(
        sequential TRANSITIONS => Machine<false>
    );
}

#[test]
fn the_machine_sees_a_pass_that_goes_on_under_a_correction() {
    let config = Config {
        cases: 400,
        max_shrink_iters: 0,
        failure_persistence: None,
        ..Config::default()
    };
    let rng = TestRunner::deterministic().rng().clone();
    let mut runner = TestRunner::new_with_rng(config.clone(), rng);
    let machine = runner.run(
        &Model::sequential_strategy(TRANSITIONS),
        |(model, transitions, _)| {
            Machine::<true>::test_sequential(config.clone(), model, transitions, None);
            Ok(())
        },
    );
    assert!(
        matches!(machine, Err(TestError::Fail(..))),
        "the machine is blind"
    );
}
