//! Wrong ways, played so that the judge is known to see: each is what somebody could write in good faith.

use bet_maker::placement::{PlaceBet, Refusal};
use bet_maker::settlement::potential_payout;
use bet_maker::store::placements::{Answer, Ticket};
use bet_maker::store::schema::functions::{clock_timestamp, store_placements};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, SmallInt, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection as _};
use shared_types::{Bet, BetStatus, EventStatus, Odds};
use time::OffsetDateTime;

use super::schedules::Orders;
use super::story::{Deed, Part, Story, Wish};
use super::{faults_of, result};

/// The fence and the event in one statement: its snapshot is older than its lock.
pub async fn place_in_one_statement(conn: &mut AsyncPgConnection, ticket: &Ticket) -> Answer {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = SmallInt)]
        status: i16,
        #[diesel(sql_type = BigInt)]
        revision: i64,
    }
    let sql = "select fence_shared(array[
            ('x' || encode(substr(sha256(id::bytea), 1, 8), 'hex'))::bit(64)::bigint
        ]), status, revision from events where id = $1";
    let PlaceBet { event_id, stake, .. } = &ticket.bet;
    conn.batch_execute("begin").await.unwrap();
    let query = diesel::sql_query(sql).bind::<Text, _>(event_id.as_str());
    let row: Row = query.get_result(conn).await.unwrap();
    let now: OffsetDateTime = diesel::select(clock_timestamp()).get_result(conn).await.unwrap();
    let odds = Odds::from_hundredths(185).unwrap();
    let bet = Bet {
        id: ticket.id,
        event_id: event_id.clone(),
        bettor: None,
        stake: *stake,
        odds,
        potential_payout: potential_payout(*stake, odds),
        status: BetStatus::Pending,
        void_reason: None,
        payout: None,
        event_revision: row.revision.try_into().unwrap(),
        placed_at: now.into(),
        settled_at: None,
    };
    let outcome = if row.status == 0 {
        let statement = store_placements(
            vec![*ticket.id.as_uuid()],
            vec![event_id.as_str()],
            vec![None::<&str>],
            vec![stake.cents()],
            vec![odds.hundredths()],
            vec![row.revision],
            vec![None::<&str>],
            vec![None::<Vec<u8>>],
            vec![None::<serde_json::Value>],
            now,
        );
        diesel::select(statement).load::<String>(conn).await.unwrap();
        Ok(bet)
    } else {
        Err(Refusal::BettingClosed)
    };
    conn.batch_execute("commit").await.unwrap();
    Answer::Decided {
        outcome,
        replayed: false,
    }
}

const NO_FENCE: &str = "create or replace function fence_shared(keys bigint[]) returns void language sql
    as 'select null::void'";

const TIME_OF_BEGIN: &str =
    "create or replace function gates.clock_timestamp() returns timestamptz language plpgsql
    as $$ begin perform gates.stop('clock'); return now(); end $$";

/// Both bets are stored where both requests find no answer to their key.
const KEYS_NOT_ASKED: &str = "create or replace function store_placements(
        ids uuid[], event_ids text[], bettors text[], stakes bigint[], odds integer[], revisions bigint[],
        keys text[], fingerprints bytea[], refusals jsonb[], at timestamptz
    ) returns setof text language plpgsql as $$
    begin
        insert into bets (id, event_id, bettor, stake, odds, event_revision, placed_at)
        select e.id, e.event_id, e.bettor, e.stake, e.odds, e.revision, at
        from unnest(ids, event_ids, bettors, stakes, odds, revisions, keys, refusals)
            as e (id, event_id, bettor, stake, odds, revision, key, refusal)
        where e.refusal is null and not exists (select from idempotency_keys k where k.key = e.key);
        return query
        insert into idempotency_keys as k (key, fingerprint, bet_id, refusal, created_at)
        select e.key, e.fingerprint, case when e.refusal is null then e.id end, e.refusal, at
        from unnest(ids, keys, fingerprints, refusals) as e (id, key, fingerprint, refusal)
        on conflict do nothing returning k.key;
    end $$";

/// A pass under way goes on where it is when its event's result is corrected.
const PASS_GOES_ON: &str = "create function goes_on() returns trigger language plpgsql
    as $$ begin new.settling_seq := new.result_seq; return new; end $$;
    create trigger goes_on before update on events for each row
    when (new.result_seq > old.result_seq and old.settle_after is not null) execute function goes_on()";

#[actix_rt::test]
async fn the_judge_sees_a_placement_whose_snapshot_is_older_than_its_fence() {
    let story = Story {
        actors: vec![Part::Blunderer, result()],
        ..Story::default()
    };
    let faults = faults_of(story, Orders::All, "").await;
    assert!(
        faults.contains("committed after a later revision"),
        "the judge is blind: {faults}"
    );
}

#[actix_rt::test]
async fn the_judge_sees_a_placement_without_a_fence() {
    let story = Story {
        actors: vec![Part::Bettor(Wish::default()), result()],
        ..Story::default()
    };
    let faults = faults_of(story, Orders::All, NO_FENCE).await;
    assert!(
        faults.contains("committed after a later revision"),
        "the judge is blind: {faults}"
    );
}

#[actix_rt::test]
async fn the_judge_sees_a_placement_that_takes_its_transactions_begin_for_now() {
    let story = Story {
        actors: vec![
            Part::Bettor(Wish::default()),
            Part::Operator(vec![Deed::Odds("2.00")]),
        ],
        ..Story::default()
    };
    let faults = faults_of(story, Orders::All, TIME_OF_BEGIN).await;
    assert!(
        faults.contains("placed before its revision"),
        "the judge is blind: {faults}"
    );
}

#[actix_rt::test]
async fn the_judge_sees_two_bets_under_one_key() {
    let keyed = || {
        Part::Bettor(Wish {
            key: Some("k"),
            ..Wish::default()
        })
    };
    let story = Story {
        actors: vec![keyed(), keyed()],
        ..Story::default()
    };
    let faults = faults_of(story, Orders::All, KEYS_NOT_ASKED).await;
    assert!(
        faults.contains("that nobody was told of"),
        "the judge is blind: {faults}"
    );
}

#[actix_rt::test]
async fn the_judge_sees_a_pass_that_goes_on_under_a_correction() {
    let story = Story {
        bets: 2,
        before: vec![Deed::Status(EventStatus::FirstTeamWon)],
        actors: vec![
            Part::Settler(1),
            Part::Operator(vec![Deed::Status(EventStatus::SecondTeamWon)]),
        ],
    };
    let faults = faults_of(story, Orders::UpToCommuting, PASS_GOES_ON).await;
    assert!(
        faults.contains("instead of the newest result"),
        "the judge is blind: {faults}"
    );
}
