//! Fences: whoever decides on an event's bets holds its fence shared, whoever changes the event holds it
//! exclusively. Taken in a statement of their own, so that the next statement's snapshot (READ COMMITTED) sees
//! all that the holders before committed. Released by the end of the transaction.

use diesel_async::{AsyncPgConnection, RunQueryDsl};
use sha2::{Digest, Sha256};
use shared_types::EventId;

use super::StoreError;
use super::schema::functions::{fence_exclusive, fence_shared};

/// Takes the fences of `ids` for deciding on bets.
///
/// # Errors
/// [`StoreError::Query`], a lock timeout among them.
pub async fn share<'a>(
    conn: &mut AsyncPgConnection,
    ids: impl IntoIterator<Item = &'a EventId>,
) -> Result<(), StoreError> {
    diesel::select(fence_shared(keys(ids))).execute(conn).await?;
    Ok(())
}

/// Takes the fences of `ids` for changing the events; waits for the placements under way.
///
/// # Errors
/// [`StoreError::Query`], a lock timeout among them.
pub async fn exclude<'a>(
    conn: &mut AsyncPgConnection,
    ids: impl IntoIterator<Item = &'a EventId>,
) -> Result<(), StoreError> {
    diesel::select(fence_exclusive(keys(ids))).execute(conn).await?;
    Ok(())
}

/// One sorted order for all who take several, so that no two wait for each other. Two events whose keys
/// collide only wait more than they must.
fn keys<'a>(ids: impl IntoIterator<Item = &'a EventId>) -> Vec<i64> {
    let mut keys: Vec<i64> = ids
        .into_iter()
        .map(|id| {
            let [a, b, c, d, e, f, g, h, ..] = <[u8; 32]>::from(Sha256::digest(id.as_str()));
            i64::from_be_bytes([a, b, c, d, e, f, g, h])
        })
        .collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}
