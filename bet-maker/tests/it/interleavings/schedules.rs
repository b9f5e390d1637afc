//! Schedules: all orders in which some actors can take their steps, depth first. Nothing is known of an actor's steps
//! beforehand: at each point those that are ready are asked for, one of them takes a step, and so on until none is
//! ready. Every schedule begins anew, on a fresh stage, and repeats its beginning from the schedule before.
//!
//! Two orders that differ only in steps that commute, one right after the other, are equivalent. With
//! [`Orders::UpToCommuting`], sleep sets see to it that one of each class of equivalent orders is played: an actor that
//! took its step first in a schedule already played sleeps until a step is taken that does not commute with that one
//! (Godefroid, "Partial-Order Methods for the Verification of Concurrent Systems", 1996, chapter 5). Where all that are
//! ready sleep, the schedule is cut: it is equivalent to one that was played.

/// What a step touches, as sets of things: some are shared with whoever shares them too, some are had alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Footprint {
    pub shared: u16,
    pub alone: u16,
}

impl Footprint {
    pub const fn and(self, other: Self) -> Self {
        Self {
            shared: self.shared | other.shared,
            alone: self.alone | other.alone,
        }
    }

    /// Whether two steps lead to the same, whichever is taken first.
    pub const fn commutes_with(self, other: Self) -> bool {
        self.alone & (other.alone | other.shared) == 0 && other.alone & self.shared == 0
    }
}

/// What schedules are played on.
pub trait Stage {
    /// Begins anew: all actors before their first steps.
    async fn begin(&mut self);

    /// The actors that can take a step, in a fixed order: neither done nor waiting for another.
    fn ready(&self) -> Vec<usize>;

    /// Lets one of those that are ready take one step, to its end or to where it waits for another actor. Whoever
    /// waited for this one goes on within the same step.
    async fn step(&mut self, who: usize) -> Footprint;

    /// Sees what came of a schedule.
    async fn end(&mut self);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Orders {
    All,
    UpToCommuting,
}

/// How many schedules there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    pub played: usize,
    /// Given up as equivalent to one that was played.
    pub cut: usize,
}

/// More than any test plays.
const MOST: usize = 20_000;

/// One point of a schedule.
struct Choice {
    ready: Vec<usize>,
    asleep: Vec<(usize, Footprint)>,
    /// Taken here in schedules before.
    tried: Vec<(usize, Footprint)>,
    who: usize,
    footprint: Footprint,
}

impl Choice {
    /// The first that neither sleeps nor was tried.
    fn next(ready: &[usize], asleep: &[(usize, Footprint)], tried: &[(usize, Footprint)]) -> Option<usize> {
        let out = |who: &usize| asleep.iter().chain(tried).any(|(other, _)| other == who);
        ready.iter().copied().find(|who| !out(who))
    }

    /// Who sleeps after this choice.
    fn asleep_after(&self, orders: Orders) -> Vec<(usize, Footprint)> {
        if orders == Orders::All {
            return Vec::new();
        }
        let before = self.asleep.iter().chain(&self.tried).copied();
        before
            .filter(|(_, footprint)| footprint.commutes_with(self.footprint))
            .collect()
    }
}

/// Plays every schedule of `orders`.
pub async fn play_every_order(stage: &mut impl Stage, orders: Orders) -> Count {
    let mut count = Count::default();
    let mut path: Vec<Choice> = Vec::new();
    while count.played + count.cut < MOST {
        if play(stage, orders, &mut path).await {
            stage.end().await;
            count.played += 1;
        } else {
            count.cut += 1;
        }
        if !turn_back(&mut path) {
            return count;
        }
    }
    panic!("more than {MOST} schedules");
}

/// Plays the schedule that begins with `path`; whether it is a new one to its end.
async fn play(stage: &mut impl Stage, orders: Orders, path: &mut Vec<Choice>) -> bool {
    stage.begin().await;
    let mut asleep = Vec::new();
    for depth in 0.. {
        let ready = stage.ready();
        if ready.is_empty() {
            return true;
        }
        if depth == path.len() {
            let Some(who) = Choice::next(&ready, &asleep, &[]) else {
                finish(stage).await;
                return false;
            };
            path.push(Choice {
                ready: ready.clone(),
                asleep,
                tried: Vec::new(),
                who,
                footprint: Footprint::default(),
            });
        }
        let choice = &mut path[depth];
        assert_eq!(
            choice.ready, ready,
            "a schedule's beginning did not repeat itself"
        );
        choice.footprint = stage.step(choice.who).await;
        asleep = choice.asleep_after(orders);
    }
    unreachable!("depths do not end")
}

async fn finish(stage: &mut impl Stage) {
    while let Some(who) = stage.ready().first().copied() {
        stage.step(who).await;
    }
}

/// Goes back to the last point with a choice left, and takes it; `false` if there is none.
fn turn_back(path: &mut Vec<Choice>) -> bool {
    while let Some(choice) = path.last_mut() {
        choice.tried.push((choice.who, choice.footprint));
        if let Some(who) = Choice::next(&choice.ready, &choice.asleep, &choice.tried) {
            choice.who = who;
            return true;
        }
        path.pop();
    }
    false
}

/// Actors with steps of known footprints, and the orders that were played.
#[derive(Default)]
struct Toy {
    steps: Vec<Vec<Footprint>>,
    taken: Vec<usize>,
    order: Vec<usize>,
    orders: Vec<Vec<usize>>,
}

impl Stage for Toy {
    async fn begin(&mut self) {
        self.taken = vec![0; self.steps.len()];
        self.order.clear();
    }

    fn ready(&self) -> Vec<usize> {
        let left = |who: &usize| self.taken[*who] < self.steps[*who].len();
        (0..self.steps.len()).filter(left).collect()
    }

    async fn step(&mut self, who: usize) -> Footprint {
        self.taken[who] += 1;
        self.order.push(who);
        self.steps[who][self.taken[who] - 1]
    }

    async fn end(&mut self) {
        self.orders.push(self.order.clone());
    }
}

async fn toy(steps: Vec<Vec<Footprint>>, orders: Orders) -> (Count, Toy) {
    let mut toy = Toy {
        steps,
        ..Toy::default()
    };
    let count = play_every_order(&mut toy, orders).await;
    assert_eq!(toy.orders.len(), count.played);
    toy.orders.sort();
    toy.orders.dedup();
    assert_eq!(toy.orders.len(), count.played, "an order was played twice");
    (count, toy)
}

const fn alone(thing: u16) -> Footprint {
    Footprint {
        shared: 0,
        alone: thing,
    }
}

const fn shared(thing: u16) -> Footprint {
    Footprint {
        shared: thing,
        alone: 0,
    }
}

#[actix_rt::test]
async fn all_orders_are_as_many_as_the_multinomial_says() {
    let steps = vec![vec![alone(1); 4], vec![alone(1); 5]];
    assert_eq!(toy(steps, Orders::All).await.0.played, 126);
    let steps = vec![vec![shared(1); 2], vec![shared(2); 2], vec![shared(4); 2]];
    assert_eq!(toy(steps, Orders::All).await.0.played, 90);
}

#[actix_rt::test]
async fn one_order_is_played_of_each_class_of_equivalent_ones() {
    let count = async |steps| toy(steps, Orders::UpToCommuting).await.0.played;
    assert_eq!(count(vec![vec![alone(1); 3], vec![alone(2); 3]]).await, 1);
    assert_eq!(count(vec![vec![shared(1); 3], vec![shared(1); 3]]).await, 1);
    assert_eq!(count(vec![vec![alone(1); 4], vec![alone(1); 5]]).await, 126);
    // One step each that matters, among others that do not: before or after.
    let one = |other: u16| vec![alone(other), alone(1), alone(other)];
    assert_eq!(count(vec![one(2), one(4)]).await, 2);
    // A reader among two writers, who also exclude each other.
    assert_eq!(
        count(vec![vec![alone(1)], vec![shared(1)], vec![alone(1)]]).await,
        6
    );
    // Two readers beside one writer: each before or after it.
    assert_eq!(
        count(vec![vec![shared(1)], vec![alone(1)], vec![shared(1)]]).await,
        4
    );
}
