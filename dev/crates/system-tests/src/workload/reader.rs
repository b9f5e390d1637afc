//! A reader: asks for events, bets, lists and sums; what was acknowledged must never be missing.

use std::rc::Rc;
use std::time::Duration;

use rand::Rng as _;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom as _, IteratorRandom as _};
use test_support::Client;

use super::World;
use super::caller::{Caller, Request};
use crate::history::Call;

pub(super) async fn run(world: Rc<World>, number: usize, mut random: StdRng) {
    let caller = Caller::new(format!("reader-{number}"), Rc::clone(&world.recorder));
    let line_provider = Client::new(&world.addresses.line_provider);
    let replicas: Vec<_> = world
        .addresses
        .replicas
        .iter()
        .map(|url| Client::new(url))
        .collect();
    while !world.is_over() {
        let event = world.events.borrow().keys().choose(&mut random).cloned();
        let bet = world.bets.borrow().choose(&mut random).cloned();
        let replica = random.random_range(0..replicas.len());
        if let (Some(event), Some(bet), Some(bet_maker)) = (event, bet, replicas.get(replica)) {
            let look = |path: String| {
                (
                    bet_maker,
                    Call::Look {
                        replica,
                        path: path.clone(),
                    },
                    path,
                )
            };
            let (client, call, path) = match random.random_range(0..7) {
                0 | 1 => {
                    let path = format!("/events/{event}");
                    (&line_provider, Call::GetEvent { id: event }, path)
                }
                2 | 3 => {
                    let path = format!("/bets/{bet}");
                    (bet_maker, Call::GetBet { replica, id: bet }, path)
                }
                4 => look(format!("/bets?event_id={event}&limit=50")),
                5 => look(format!("/events/{event}/exposure")),
                _ => look("/events?limit=50".to_owned()),
            };
            caller.call(client, call, &Request::get(path)).await;
        }
        world
            .pause(Duration::from_millis(random.random_range(5..40)))
            .await;
    }
}
