//! Placements: a batch of bets, decided and stored in one transaction.
//!
//! Order is everything: fences first, then the clock and the events in later statements, then the rule, then
//! one statement that stores bets and answers. Fences come before keys for everybody, so that no two batches
//! wait for each other.

use std::collections::{HashMap, HashSet};

use diesel::prelude::*;
use diesel_async::{AsyncConnection as _, AsyncPgConnection, RunQueryDsl};
use shared_types::{Bet, BetId, BetStatus, BettorId, IdempotencyKey, Timestamp};
use time::OffsetDateTime;

use super::bets::BetRow;
use super::codes::{corrupt, to_bigint};
use super::schema::functions::{clock_timestamp, store_placements};
use super::schema::{bets, feed, idempotency_keys};
use super::{StoreError, events, fence};
use crate::placement::{Acceptance, PlaceBet, Refusal, decide};
use crate::settlement::potential_payout;

/// A placement with the id that its bet will have.
#[derive(Clone, Debug)]
pub struct Ticket {
    pub id: BetId,
    pub bet: PlaceBet,
}

/// What becomes of a ticket.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    Decided {
        outcome: Result<Bet, Refusal>,
        /// The answer was given before, to the same key and body.
        replayed: bool,
    },
    /// The key was used for another body.
    KeyReused,
    /// Bets are not being accepted; only answers given before are given again.
    Halted(Halt),
}

/// Why no bets are accepted at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Halt {
    /// The log was not read to its head for too long.
    FeedStale,
    /// The log does not continue the history that was read.
    FeedSuspended,
}

/// Decides and stores a batch; answers in its order. Nothing is stored while the feed is suspended, or follows
/// another history than the one that is freshly known.
///
/// # Errors
/// [`StoreError`]: the batch is stored as a whole or not at all; unknown if the connection broke on commit.
pub async fn place(
    conn: &mut AsyncPgConnection,
    tickets: &[Ticket],
    fresh_generation: impl Fn() -> Option<i32> + Send + Sync,
) -> Result<Vec<Answer>, StoreError> {
    conn.transaction(async |tx| {
        fence::share(tx, tickets.iter().map(|ticket| &ticket.bet.event_id)).await?;
        let (suspended, generation, now): (bool, i32, OffsetDateTime) = feed::table
            .select((feed::suspended.is_not_null(), feed::generation, clock_timestamp()))
            .first(tx)
            .await?;
        // Asked for only now: waiting for the fence may have taken long.
        let halt = match fresh_generation() {
            _ if suspended => Some(Halt::FeedSuspended),
            Some(fresh) if fresh == generation => None,
            _ => Some(Halt::FeedStale),
        };
        if let Some(halt) = halt {
            let earlier = find_earlier(tx, tickets.iter().filter_map(Ticket::key)).await?;
            let answer = |ticket| repeat(ticket, &earlier).unwrap_or(Answer::Halted(halt));
            return Ok(tickets.iter().map(answer).collect());
        }
        let now = Timestamp::from(now);
        let decided = decide_all(tx, tickets, now).await?;
        let leaders = leaders(tickets);
        let claimed = store(tx, decided.iter().filter(|one| one.leads(&leaders)), now).await?;
        let repeated = leaders.keys().copied().filter(|key| !claimed.contains(*key));
        let earlier = find_earlier(tx, repeated).await?;
        let answer = |one: &Decided<'_>| {
            repeat(one.ticket, &earlier)
                .or_else(|| one.follow(&leaders, &decided, now))
                .unwrap_or_else(|| Answer::Decided {
                    outcome: one.outcome(now),
                    replayed: false,
                })
        };
        Ok(decided.iter().map(answer).collect())
    })
    .await
}

/// A ticket that the rule has decided on.
struct Decided<'a> {
    index: usize,
    ticket: &'a Ticket,
    decision: Result<Acceptance, Refusal>,
}

/// For each key of a batch, the first ticket that bears it.
type Leaders<'a> = HashMap<&'a str, usize>;

fn leaders(tickets: &[Ticket]) -> Leaders<'_> {
    let mut leaders = Leaders::new();
    for (index, ticket) in tickets.iter().enumerate() {
        if let Some(key) = ticket.key() {
            leaders.entry(key).or_insert(index);
        }
    }
    leaders
}

async fn decide_all<'a>(
    tx: &mut AsyncPgConnection,
    tickets: &'a [Ticket],
    now: Timestamp,
) -> Result<Vec<Decided<'a>>, StoreError> {
    let mut ids: Vec<&str> = tickets
        .iter()
        .map(|ticket| ticket.bet.event_id.as_str())
        .collect();
    ids.sort_unstable();
    ids.dedup();
    let terms = events::terms(tx, &ids).await?;
    let decide = |(index, ticket): (usize, &'a Ticket)| Decided {
        index,
        ticket,
        decision: decide(terms.get(&ticket.bet.event_id), ticket.bet.odds, now),
    };
    Ok(tickets.iter().enumerate().map(decide).collect())
}

impl Ticket {
    fn key(&self) -> Option<&str> {
        self.bet.key.as_ref().map(IdempotencyKey::as_str)
    }

    fn bet(&self, acceptance: Acceptance, placed_at: Timestamp) -> Bet {
        Bet {
            id: self.id,
            event_id: self.bet.event_id.clone(),
            bettor: self.bet.bettor.clone(),
            stake: self.bet.stake,
            odds: acceptance.odds,
            potential_payout: potential_payout(self.bet.stake, acceptance.odds),
            status: BetStatus::Pending,
            void_reason: None,
            payout: None,
            event_revision: acceptance.event_revision,
            placed_at,
            settled_at: None,
        }
    }
}

impl Decided<'_> {
    /// Whether this is the ticket to store: it has no key, or is the first of the batch with it.
    fn leads(&self, leaders: &Leaders<'_>) -> bool {
        self.ticket
            .key()
            .is_none_or(|key| leaders.get(key) == Some(&self.index))
    }

    fn outcome(&self, now: Timestamp) -> Result<Bet, Refusal> {
        self.decision.map(|acceptance| self.ticket.bet(acceptance, now))
    }

    /// The answer to a ticket behind another of the same batch with the same key.
    fn follow(&self, leaders: &Leaders<'_>, decided: &[Decided<'_>], now: Timestamp) -> Option<Answer> {
        let leader = decided
            .get(*leaders.get(self.ticket.key()?)?)
            .filter(|leader| leader.index != self.index)?;
        Some(
            if leader.ticket.bet.fingerprint() == self.ticket.bet.fingerprint() {
                Answer::Decided {
                    outcome: leader.outcome(now),
                    replayed: true,
                }
            } else {
                Answer::KeyReused
            },
        )
    }
}

/// Stores what was decided; answers the keys that were new.
async fn store<'a>(
    tx: &mut AsyncPgConnection,
    decided: impl Iterator<Item = &'a Decided<'a>>,
    now: Timestamp,
) -> Result<HashSet<String>, StoreError> {
    let (mut ids, mut event_ids, mut bettors) = (Vec::new(), Vec::new(), Vec::new());
    let (mut stakes, mut odds, mut revisions) = (Vec::new(), Vec::new(), Vec::new());
    let (mut keys, mut fingerprints, mut refusals) = (Vec::new(), Vec::new(), Vec::new());
    for one in decided {
        let (key, bet) = (one.ticket.key(), &one.ticket.bet);
        let (terms, refusal) = match one.decision {
            Ok(acceptance) => (
                (acceptance.odds.hundredths(), to_bigint(acceptance.event_revision)),
                None,
            ),
            Err(_) if key.is_none() => continue,
            Err(refusal) => ((0, 0), Some(stored_refusal(refusal))),
        };
        ids.push(*one.ticket.id.as_uuid());
        event_ids.push(bet.event_id.as_str());
        bettors.push(bet.bettor.as_ref().map(BettorId::as_str));
        stakes.push(bet.stake.cents());
        odds.push(terms.0);
        revisions.push(terms.1);
        keys.push(key);
        fingerprints.push(key.map(|_| bet.fingerprint().as_bytes().to_vec()));
        refusals.push(refusal);
    }
    if ids.is_empty() {
        return Ok(HashSet::new());
    }
    let statement = store_placements(
        ids,
        event_ids,
        bettors,
        stakes,
        odds,
        revisions,
        keys,
        fingerprints,
        refusals,
        now.as_offset_date_time(),
    );
    Ok(diesel::select(statement)
        .load::<String>(tx)
        .await?
        .into_iter()
        .collect())
}

fn stored_refusal(refusal: Refusal) -> serde_json::Value {
    serde_json::to_value(refusal).expect("a refusal is made of words")
}

/// The first answer to a key.
struct Earlier {
    fingerprint: Vec<u8>,
    outcome: Result<Bet, Refusal>,
}

/// The answer that the ticket's key got before, if it did.
fn repeat(ticket: &Ticket, earlier: &HashMap<String, Earlier>) -> Option<Answer> {
    let earlier = earlier.get(ticket.key()?)?;
    Some(if earlier.fingerprint == ticket.bet.fingerprint().as_bytes() {
        Answer::Decided {
            outcome: earlier.outcome.clone(),
            replayed: true,
        }
    } else {
        Answer::KeyReused
    })
}

/// The answers given to `keys` before. A bet is answered as it was when it was placed.
async fn find_earlier(
    tx: &mut AsyncPgConnection,
    keys: impl Iterator<Item = &str>,
) -> Result<HashMap<String, Earlier>, StoreError> {
    type Row = (String, Vec<u8>, Option<serde_json::Value>, Option<BetRow>);
    let keys: Vec<&str> = keys.collect();
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<Row> = idempotency_keys::table
        .left_join(bets::table)
        .filter(idempotency_keys::key.eq_any(keys))
        .select((
            idempotency_keys::key,
            idempotency_keys::fingerprint,
            idempotency_keys::refusal,
            Option::<BetRow>::as_select(),
        ))
        .load(tx)
        .await?;
    rows.into_iter()
        .map(|(key, fingerprint, refusal, bet)| {
            let outcome = match (refusal, bet) {
                (None, Some(row)) => Ok(as_placed(row.try_into()?)),
                (Some(refusal), None) => {
                    Err(serde_json::from_value(refusal).map_err(|error| corrupt("refusal", error))?)
                }
                _ => return Err(corrupt("answer to key", key)),
            };
            Ok((key, Earlier { fingerprint, outcome }))
        })
        .collect()
}

fn as_placed(bet: Bet) -> Bet {
    Bet {
        status: BetStatus::Pending,
        void_reason: None,
        payout: None,
        settled_at: None,
        ..bet
    }
}
