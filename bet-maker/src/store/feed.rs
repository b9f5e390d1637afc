//! Where the reading of line-provider's log stands: one row, which whoever applies changes holds.

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sha2::{Digest as _, Sha256};
use shared_types::{Change, Instance};
use uuid::Uuid;

use super::StoreError;
use super::codes::{to_bigint, to_count};
use super::schema::feed;

/// A place in one history: a position, and what the change there was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bookmark {
    pub instance: Instance,
    pub position: u64,
    /// Digest of the change at `position`; `None` at position 0.
    pub digest: Option<Digest>,
}

impl Bookmark {
    /// Before the first change of a history.
    pub const fn start_of(instance: Instance) -> Self {
        Self {
            instance,
            position: 0,
            digest: None,
        }
    }
}

/// SHA-256 of a change: two changes with one digest are one change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digest(Vec<u8>);

impl Digest {
    pub fn of(change: &Change) -> Self {
        let json = serde_json::to_vec(change).expect("a change is made of strings and numbers");
        Self(Sha256::digest(json).to_vec())
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The feed's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedState {
    /// How far the log was read; `None` before the first answer of a line-provider.
    pub followed: Option<Bookmark>,
    /// The highest position that any change of this history came with, by callback too.
    pub highest: u64,
    /// Which history the events' revisions count in.
    pub generation: i32,
    /// Present while acceptance is suspended.
    pub suspension: Option<Suspension>,
}

impl FeedState {
    /// Whether the log is read in the same history and from the same place; callbacks may have come in between.
    pub fn reads_like(&self, other: &Self) -> bool {
        Self {
            highest: 0,
            ..self.clone()
        } == Self {
            highest: 0,
            ..other.clone()
        }
    }
}

/// The log no longer continues what was read: it is read anew, as a candidate, until it proves to agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suspension {
    pub reason: String,
    /// How far the candidate was read.
    pub candidate: Bookmark,
    /// What the candidate's revisions are counted in; higher than of any history before.
    pub generation: i32,
    /// Whether an operator decided that the candidate is the truth from now on.
    pub adopting: bool,
}

#[derive(Queryable, Selectable, AsChangeset)]
#[diesel(table_name = feed, check_for_backend(diesel::pg::Pg), treat_none_as_null = true)]
struct FeedRow {
    instance: Option<Uuid>,
    generation: i32,
    position: i64,
    digest: Option<Vec<u8>>,
    highest: i64,
    suspended: Option<String>,
    candidate_instance: Option<Uuid>,
    candidate_position: i64,
    candidate_digest: Option<Vec<u8>>,
    candidate_generation: i32,
    adopting: bool,
}

impl TryFrom<FeedRow> for FeedState {
    type Error = StoreError;

    fn try_from(row: FeedRow) -> Result<Self, StoreError> {
        let candidate = bookmark(
            row.candidate_instance,
            row.candidate_position,
            row.candidate_digest,
        )?;
        let (generation, adopting) = (row.candidate_generation, row.adopting);
        Ok(Self {
            followed: bookmark(row.instance, row.position, row.digest)?,
            highest: to_count(row.highest)?,
            generation: row.generation,
            suspension: row
                .suspended
                .zip(candidate)
                .map(|(reason, candidate)| Suspension {
                    reason,
                    candidate,
                    generation,
                    adopting,
                }),
        })
    }
}

fn bookmark(
    instance: Option<Uuid>,
    position: i64,
    digest: Option<Vec<u8>>,
) -> Result<Option<Bookmark>, StoreError> {
    let position = to_count(position)?;
    let digest = digest.map(Digest);
    Ok(instance.map(|instance| Bookmark {
        instance: Instance::from_uuid(instance),
        position,
        digest,
    }))
}

fn columns(bookmark: Option<&Bookmark>) -> (Option<Uuid>, i64, Option<Vec<u8>>) {
    match bookmark {
        Some(Bookmark {
            instance,
            position,
            digest,
        }) => (
            Some(*instance.as_uuid()),
            to_bigint(*position),
            digest.as_ref().map(|digest| digest.0.clone()),
        ),
        None => (None, 0, None),
    }
}

/// Reads the row without holding it.
///
/// # Errors
/// [`StoreError`].
pub async fn read(conn: &mut AsyncPgConnection) -> Result<FeedState, StoreError> {
    feed::table
        .select(FeedRow::as_select())
        .first(conn)
        .await?
        .try_into()
}

/// Reads the row and holds it until the transaction ends: one applier at a time, over all replicas.
///
/// # Errors
/// [`StoreError`].
pub async fn hold(tx: &mut AsyncPgConnection) -> Result<FeedState, StoreError> {
    feed::table
        .select(FeedRow::as_select())
        .for_update()
        .first(tx)
        .await?
        .try_into()
}

/// Writes the row that [`hold`] holds.
///
/// # Errors
/// [`StoreError`].
pub async fn write(tx: &mut AsyncPgConnection, state: &FeedState) -> Result<(), StoreError> {
    let suspension = state.suspension.as_ref();
    let (instance, position, digest) = columns(state.followed.as_ref());
    let (candidate_instance, candidate_position, candidate_digest) =
        columns(suspension.map(|suspension| &suspension.candidate));
    let row = FeedRow {
        instance,
        generation: state.generation,
        position,
        digest,
        highest: to_bigint(state.highest),
        suspended: suspension.map(|suspension| suspension.reason.clone()),
        candidate_instance,
        candidate_position,
        candidate_digest,
        candidate_generation: suspension.map_or(0, |suspension| suspension.generation),
        adopting: suspension.is_some_and(|suspension| suspension.adopting),
    };
    diesel::update(feed::table).set(row).execute(tx).await?;
    Ok(())
}
