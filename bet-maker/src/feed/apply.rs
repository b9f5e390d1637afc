//! The transactions in which what was received becomes durable. Each holds the feed's row, so that appliers of
//! all replicas take turns, and checks under it that the state it was prepared for still stands.

use diesel_async::{AsyncConnection as _, AsyncPgConnection};
use shared_types::{Change, Instance};

use super::history::{self, Break};
use crate::news::Source;
use crate::store::changes::{Merged, close_unconfirmed, count_unconfirmed, merge};
use crate::store::feed::{Bookmark, FeedState, Suspension};
use crate::store::{StoreError, feed};

/// Changes that came by callback, after they were seen to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The history that is followed, if any: changes of another one were left and must come again.
    pub followed: Option<Instance>,
    pub merged: Merged,
}

/// Takes over those of `changes` that belong to the followed history. They do not move the bookmark: only the
/// log shows that nothing is missing before them.
///
/// # Errors
/// [`StoreError`]; nothing was changed then.
pub async fn receive(conn: &mut AsyncPgConnection, mut changes: Vec<Change>) -> Result<Received, StoreError> {
    conn.transaction(async move |tx| {
        let state = feed::hold(tx).await?;
        let followed = state.followed.as_ref().filter(|_| state.suspension.is_none());
        let followed = followed.map(|bookmark| bookmark.instance);
        changes.retain(|change| Some(change.instance) == followed);
        let merged = merge(tx, &changes, state.generation, Source::Callback).await?;
        let highest = changes.iter().map(|change| change.position).max();
        if let Some(highest) = highest.filter(|highest| *highest > state.highest) {
            feed::write(tx, &FeedState { highest, ..state }).await?;
        }
        Ok(Received { followed, merged })
    })
    .await
}

/// What became of a page of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// It was taken over, and the bookmark stands behind it.
    Merged { merged: Merged, position: u64 },
    /// It contradicts what was learnt: acceptance is suspended.
    Contradicted(Break),
    /// The feed's state is not the one that the page was asked for: read again.
    Outdated,
}

/// Takes over `changes`, which follow `bookmark` and were asked for in the state `asked`.
///
/// # Errors
/// [`StoreError`]; nothing was changed then.
pub async fn follow(
    conn: &mut AsyncPgConnection,
    asked: &FeedState,
    bookmark: &Bookmark,
    changes: &[Change],
) -> Result<Read, StoreError> {
    conn.transaction(async |tx| {
        let state = feed::hold(tx).await?;
        if !state.reads_like(asked) {
            return Ok(Read::Outdated);
        }
        let merged = merge(tx, changes, state.generation, Source::Log).await?;
        if merged.conflicts > 0 {
            let broken = Break::Contradicted {
                revisions: merged.conflicts,
            };
            feed::write(tx, &suspended(state, bookmark.instance, &broken)).await?;
            return Ok(Read::Contradicted(broken));
        }
        let followed = history::moved(bookmark, changes);
        let position = followed.position;
        let next = FeedState {
            highest: state.highest.max(position),
            followed: Some(followed),
            ..state.clone()
        };
        if next != state {
            feed::write(tx, &next).await?;
        }
        Ok(Read::Merged { merged, position })
    })
    .await
}

/// Stops acceptance, and begins to read the log of `instance` as a candidate. Also where a candidate breaks.
///
/// # Errors
/// [`StoreError`]; nothing was changed then.
pub async fn suspend(
    conn: &mut AsyncPgConnection,
    asked: &FeedState,
    instance: Instance,
    reason: &Break,
) -> Result<(), StoreError> {
    conn.transaction(async |tx| {
        let state = feed::hold(tx).await?;
        if state.reads_like(asked) {
            feed::write(tx, &suspended(state, instance, reason)).await?;
        }
        Ok(())
    })
    .await
}

fn suspended(state: FeedState, instance: Instance, reason: &Break) -> FeedState {
    let before = state
        .suspension
        .as_ref()
        .map_or(state.generation, |suspension| suspension.generation);
    let suspension = Suspension {
        reason: reason.to_string(),
        candidate: Bookmark::start_of(instance),
        generation: before + 1,
        adopting: false,
    };
    FeedState {
        suspension: Some(suspension),
        ..state
    }
}

/// What became of a page of the candidate's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reconciled {
    /// There is more to do.
    Going,
    /// Read to its head, but it leaves this many events open or contradicted: acceptance stays suspended.
    Disagrees { events: i64 },
    /// It is followed from now on.
    Adopted { merged: Merged },
    /// The feed's state is not the one that the page was asked for: read again.
    Outdated,
}

/// Compares the candidate's `changes` with what is known, and adopts the candidate once it was read to its `head`
/// and leaves no event in doubt: then it is followed from its start, and only then does its news count. Where an
/// operator said so, its changes are taken over as they are read. Never voids and never unsettles for lack of
/// news.
///
/// # Errors
/// [`StoreError`]; nothing was changed then.
pub async fn reconcile(
    conn: &mut AsyncPgConnection,
    asked: &FeedState,
    suspension: &Suspension,
    changes: &[Change],
    head: u64,
) -> Result<Reconciled, StoreError> {
    conn.transaction(async |tx| {
        let state = feed::hold(tx).await?;
        if !state.reads_like(asked) {
            return Ok(Reconciled::Outdated);
        }
        let Suspension {
            generation, adopting, ..
        } = *suspension;
        let source = if adopting { Source::Log } else { Source::Candidate };
        let merged = merge(tx, changes, generation, source).await?;
        let candidate = history::moved(&suspension.candidate, changes);
        let at_head = candidate.position >= head;
        let closing = at_head && adopting && close_unconfirmed(tx, generation).await? > 0;
        let verdict = if !at_head || closing {
            Reconciled::Going
        } else {
            match count_unconfirmed(tx, generation).await? {
                events if events > 0 && !adopting => Reconciled::Disagrees { events },
                _ => Reconciled::Adopted { merged },
            }
        };
        let next = if matches!(verdict, Reconciled::Adopted { .. }) {
            FeedState {
                highest: candidate.position,
                // What merely agreed has not been taken over yet.
                followed: Some(if adopting {
                    candidate
                } else {
                    Bookmark::start_of(candidate.instance)
                }),
                generation,
                suspension: None,
            }
        } else {
            FeedState {
                suspension: Some(Suspension {
                    candidate,
                    ..suspension.clone()
                }),
                ..state.clone()
            }
        };
        if next != state {
            feed::write(tx, &next).await?;
        }
        Ok(verdict)
    })
    .await
}

/// Why a candidate cannot be adopted.
#[derive(Debug, thiserror::Error)]
pub enum AdoptError {
    #[error("acceptance is not suspended: there is nothing to adopt")]
    NotSuspended,
    #[error("line-provider's journal is {0}, not the one named")]
    OtherCandidate(Instance),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<diesel::result::Error> for AdoptError {
    fn from(error: diesel::result::Error) -> Self {
        Self::Store(error.into())
    }
}

/// An operator's word that the candidate is the truth: it is read once more, from its start, and then followed.
///
/// # Errors
/// [`AdoptError`], by cause.
pub async fn adopt(conn: &mut AsyncPgConnection, instance: Instance) -> Result<(), AdoptError> {
    conn.transaction(async |tx| {
        let state = feed::hold(tx).await?;
        let suspension = state.suspension.clone().ok_or(AdoptError::NotSuspended)?;
        if suspension.candidate.instance != instance {
            return Err(AdoptError::OtherCandidate(suspension.candidate.instance));
        }
        let candidate = Bookmark::start_of(instance);
        let suspension = Suspension {
            candidate,
            adopting: true,
            ..suspension
        };
        feed::write(
            tx,
            &FeedState {
                suspension: Some(suspension),
                ..state
            },
        )
        .await?;
        Ok(())
    })
    .await
}
