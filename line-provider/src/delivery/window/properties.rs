//! What holds for every order of changes, successes and failures.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Offer(u8),
    Skip,
    Start,
    /// Ends the attempt that is that many places after the first one under way.
    Deliver(usize),
    Fail(usize, u32),
    PutBack(usize),
    Later(u64),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..5_u8).prop_map(Step::Offer),
        1 => Just(Step::Skip),
        5 => Just(Step::Start),
        3 => any::<usize>().prop_map(Step::Deliver),
        2 => (any::<usize>(), any::<u32>()).prop_map(|(which, random)| Step::Fail(which, random)),
        1 => any::<usize>().prop_map(Step::PutBack),
        2 => (0..2000_u64).prop_map(Step::Later),
    ]
}

/// A second book-keeping, naive on purpose.
#[derive(Default)]
struct Model {
    lane_of: BTreeMap<u64, u8>,
    /// Neither delivered nor superseded nor skipped.
    pending: BTreeSet<u64>,
    under_way: BTreeMap<u8, u64>,
    newest_delivered: BTreeMap<u8, u64>,
    failed: BTreeSet<u8>,
}

impl Model {
    fn pick(&self, which: usize) -> Option<(u8, u64)> {
        let count = self.under_way.len();
        let at = which.checked_rem(count)?;
        self.under_way
            .iter()
            .nth(at)
            .map(|(lane, position)| (*lane, *position))
    }

    fn pending_of(&self, lane: u8) -> Vec<u64> {
        let in_lane = |position: &&u64| self.lane_of[position] == lane;
        self.pending.iter().filter(in_lane).copied().collect()
    }

    fn started(&mut self, lane: u8, position: u64) {
        assert!(!self.under_way.contains_key(&lane), "two attempts in one lane");
        let pending = self.pending_of(lane);
        if self.failed.remove(&lane) {
            assert_eq!(pending.last(), Some(&position), "a retry carries the newest");
            self.pending
                .retain(|other| *other == position || !pending.contains(other));
        } else {
            assert_eq!(pending.first(), Some(&position), "in order within a lane");
        }
        let newest = self.newest_delivered.get(&lane);
        assert!(
            newest.is_none_or(|newest| *newest < position),
            "an older change after a newer one"
        );
        self.under_way.insert(lane, position);
    }
}

fn id(lane: u8) -> EventId {
    format!("e{lane}").parse().unwrap()
}

proptest! {
    #[test]
    fn nothing_is_skipped_and_order_holds_within_each_event(steps in prop::collection::vec(any_step(), 0..300)) {
        let mut window: Window<u64> = Window::new(0);
        let mut model = Model::default();
        let mut now = Instant::now();
        let mut last_cursor = 0;
        for step in steps {
            match step {
                Step::Offer(lane) => {
                    let position = window.read_up_to() + 1;
                    window.offer(&id(lane), position);
                    model.lane_of.insert(position, lane);
                    model.pending.insert(position);
                }
                Step::Skip => window.skip(),
                Step::Start => {
                    if let Some(start) = window.start(now) {
                        let lane = model.lane_of[&start.position];
                        prop_assert_eq!(&start.lane, &id(lane));
                        prop_assert!(start.payload.is_none_or(|payload| payload == start.position));
                        model.started(lane, start.position);
                    }
                }
                Step::Deliver(which) => {
                    if let Some((lane, position)) = model.pick(which) {
                        window.delivered(&id(lane), now);
                        model.under_way.remove(&lane);
                        model.pending.remove(&position);
                        model.newest_delivered.insert(lane, position);
                    }
                }
                Step::Fail(which, random) => {
                    if let Some((lane, _)) = model.pick(which) {
                        window.failed(&id(lane), now, None, random);
                        model.under_way.remove(&lane);
                        model.failed.insert(lane);
                    }
                }
                Step::PutBack(which) => {
                    if let Some((lane, _)) = model.pick(which) {
                        window.put_back(&id(lane));
                        model.under_way.remove(&lane);
                    }
                }
                Step::Later(ms) => now += Duration::from_millis(ms),
            }
            let first_pending = model.pending.first().copied().unwrap_or(window.read_up_to() + 1);
            prop_assert_eq!(window.cursor(), first_pending - 1);
            prop_assert!(window.cursor() >= last_cursor);
            prop_assert_eq!(window.in_flight(), model.under_way.len());
            last_cursor = window.cursor();
        }
        // Whatever happened, everything pending gets out in the end.
        now += Duration::from_secs(3600);
        for (lane, _) in model.under_way.clone() {
            window.delivered(&id(lane), now);
        }
        while let Some(start) = window.start(now) {
            window.delivered(&start.lane, now);
        }
        prop_assert_eq!(window.cursor(), window.read_up_to());
    }
}
