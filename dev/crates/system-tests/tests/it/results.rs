//! From an event to settled bets, and what crosses on the way.

use serde_json::json;
use test_support::{TestDatabase, wait_until};

use crate::pair::{PATIENCE, Pair, TOKEN, bet_maker, line_provider};

#[actix_rt::test]
async fn a_bet_is_won_corrected_to_lost_and_refunded() {
    let pair = Pair::start().await;
    pair.create_event("final").await;
    let bet = pair.place_bet("final", "0.29").await;
    pair.end_event("final", "first_team_won").await;
    assert_eq!(pair.settled(&bet, "won").await["payout"], "0.53");
    for (status, settled, payout) in [
        ("second_team_won", "lost", json!("0.00")),
        ("cancelled", "void", json!("0.29")),
        ("unfinished", "pending", json!(null)),
    ] {
        let correction = json!({"status": status, "reason": "the referee looked again"});
        let answer = pair
            .operator()
            .post("/events/final/corrections", &correction)
            .await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(pair.settled(&bet, settled).await["payout"], payout);
    }
    let late = pair
        .bettor()
        .post("/bets", &json!({"event_id": "final", "stake": "1.00"}))
        .await;
    assert_eq!(
        (late.status, &late.json()["code"]),
        (409, &json!("betting_closed"))
    );
}

#[actix_rt::test]
async fn an_event_that_ends_while_bet_maker_is_down_is_settled_when_it_is_back() {
    let mut pair = Pair::start().await;
    pair.create_event("e").await;
    let bet = pair.place_bet("e", "10.00").await;
    pair.bet_makers[0].kill9().await;
    pair.end_event("e", "first_team_won").await;
    pair.bet_makers[0].restart().await;
    assert_eq!(pair.settled(&bet, "won").await["payout"], "18.50");
}

#[actix_rt::test]
async fn bet_maker_registers_once_line_provider_is_there() {
    let journal = tempfile::tempdir().unwrap();
    let mut provider = line_provider(journal.path()).start().await;
    let url = provider.url();
    provider.terminate().await;
    let database = TestDatabase::empty().await;
    let maker = bet_maker(database.url(), &url).start_unready().await;
    let refused = maker
        .client()
        .post("/bets", &json!({"event_id": "e", "stake": "1.00"}))
        .await;
    assert_eq!(
        (refused.status, &refused.json()["code"]),
        (503, &json!("feed_stale"))
    );
    provider.restart().await;
    maker.wait_until_ready(PATIENCE).await;
    let operator = provider.client().with_bearer(TOKEN);
    let subscription = wait_until("the callback is registered", PATIENCE, async || {
        operator.get("/subscriptions").await.json()["items"]
            .get(0)
            .cloned()
    })
    .await;
    assert_eq!(
        subscription["url"],
        format!("{}/callbacks/line-provider", maker.url())
    );
}

#[actix_rt::test]
async fn results_arrive_through_the_log_alone_when_every_callback_is_lost() {
    let journal = tempfile::tempdir().unwrap();
    let provider = line_provider(journal.path()).start().await;
    let database = TestDatabase::empty().await;
    // Port 9 discards: callbacks go nowhere.
    let maker = bet_maker(database.url(), &provider.url())
        .env(
            "BET_MAKER_CALLBACK_URL",
            "http://127.0.0.1:9/callbacks/line-provider",
        )
        .start()
        .await;
    let pair = Pair {
        line_provider: provider,
        bet_makers: vec![maker],
        journal,
        database: Some(database),
    };
    pair.create_event("e").await;
    let bet = pair.place_bet("e", "2.00").await;
    pair.end_event("e", "second_team_won").await;
    assert_eq!(pair.settled(&bet, "lost").await["payout"], "0.00");
}

#[actix_rt::test]
async fn events_end_by_themselves_at_their_deadline_and_their_bets_are_settled() {
    let journal = tempfile::tempdir().unwrap();
    let provider = line_provider(journal.path())
        .env("LINE_PROVIDER_AUTO_RESULT", "random")
        .start()
        .await;
    let database = TestDatabase::empty().await;
    let maker = bet_maker(database.url(), &provider.url()).start().await;
    let pair = Pair {
        line_provider: provider,
        bet_makers: vec![maker],
        journal,
        database: Some(database),
    };
    pair.create_event("soon").await;
    let bet = pair.place_bet("soon", "1.00").await;
    // Only now, so that however long the bet took, it was in time.
    let deadline = shared_types::Timestamp::now().saturating_add(std::time::Duration::from_secs(3));
    let sooner = json!({"deadline": deadline});
    let answer = pair.operator().patch("/events/soon", &sooner).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let path = format!("/bets/{}", bet["id"].as_str().unwrap());
    let settled = wait_until("the bet is settled", PATIENCE, async || {
        let bet = pair.bettor().get(&path).await.json();
        (bet["status"] != "pending").then_some(bet)
    })
    .await;
    let expected = if settled["status"] == "won" {
        "1.85"
    } else {
        "0.00"
    };
    assert_eq!(settled["payout"], expected, "{settled}");
}

#[actix_rt::test]
async fn three_replicas_take_and_settle_bets_side_by_side() {
    let pair = Pair::with_replicas(3).await;
    let mut bets = Vec::new();
    for event in 0..6 {
        let id = format!("e{event}");
        pair.create_event(&id).await;
        for replica in &pair.bet_makers {
            let bettor = replica.client();
            pair.know(&bettor, &id).await;
            let bet = bettor
                .post("/bets", &json!({"event_id": id, "stake": "1.00"}))
                .await;
            assert_eq!(bet.status, 201, "{bet:?}");
            bets.push(bet.json());
        }
        pair.end_event(&id, "first_team_won").await;
    }
    for bet in &bets {
        assert_eq!(pair.settled(bet, "won").await["payout"], "1.85");
    }
    let database = pair.database.as_ref().unwrap().connect().await;
    let booked = database
        .query_one("select count(*), sum(amount)::bigint from ledger", &[])
        .await
        .unwrap();
    assert_eq!((booked.get::<_, i64>(0), booked.get::<_, i64>(1)), (18, 18 * 185));
}
