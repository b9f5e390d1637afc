//! More work than can wait: refused at once, to be tried again, instead of kept without end.

use std::sync::Arc;
use std::time::Duration;

use bet_maker::feed::inbox::InboxError;
use bet_maker::feed::{Freshness, Inbox};
use bet_maker::placement::{OddsPolicy, PlaceBet};
use bet_maker::placing::{PlaceBetError, Placing};
use bet_maker::store::Store;
use futures_util::FutureExt as _;
use http_edge::Problem;
use shared_types::Money;
use tokio::sync::Notify;

use crate::harness::History;

/// Never connected to: nobody takes from the queues.
fn store() -> Store {
    Store::new("postgres://nobody@nowhere.invalid/none", 1)
}

#[actix_rt::test]
async fn a_bet_beyond_the_queue_is_refused_at_once() {
    let (placing, _writer) = Placing::new(store(), Arc::new(Freshness::new(Duration::from_secs(1))));
    let bet = PlaceBet {
        event_id: "final".parse().unwrap(),
        stake: Money::from_cents(100),
        odds: OddsPolicy::Any,
        bettor: None,
        key: None,
    };
    for waiting in 0..4096 {
        assert!(
            placing.place_bet(bet.clone()).now_or_never().is_none(),
            "{waiting}"
        );
    }
    let refused = placing.place_bet(bet).now_or_never().unwrap().unwrap_err();
    assert!(matches!(refused, PlaceBetError::Overloaded));
    assert_eq!(Problem::from(refused).code().name, "overloaded");
}

#[actix_rt::test]
async fn a_callback_beyond_the_inbox_is_refused_at_once() {
    let wake = Arc::new(Notify::new());
    let (inbox, _clerk) = Inbox::new(store(), wake.clone(), wake);
    let change = History::new().create("final", "1.85");
    for waiting in 0..1024 {
        assert!(
            inbox.hand_in(change.clone()).now_or_never().is_none(),
            "{waiting}"
        );
    }
    let refused = inbox.hand_in(change).now_or_never().unwrap().unwrap_err();
    assert!(matches!(refused, InboxError::Full));
    assert_eq!(Problem::from(refused).code().name, "overloaded");
}
