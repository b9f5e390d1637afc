//! Cursors of every list of both services: what a client sends is refused, or names a place; what a service writes is
//! read back as the same place.

use std::fmt::Debug;

use http_edge::Cursor;
use serde::{Serialize, de::DeserializeOwned};
use shared_types::{BetId, EventId, SubscriptionId, Timestamp};
use uuid::Uuid;

pub(crate) fn check(input: &[u8]) {
    if let Ok(text) = std::str::from_utf8(input) {
        check_text::<(Timestamp, EventId)>(text);
        check_text::<BetId>(text);
        check_text::<SubscriptionId>(text);
        check_place(text);
    }
    if let Some(id) = input.first_chunk() {
        let uuid = Uuid::from_bytes(*id);
        check_key(&BetId::from_uuid(uuid));
        check_key(&SubscriptionId::from_uuid(uuid));
    }
}

/// A cursor of a client's making.
fn check_text<K: Serialize + DeserializeOwned + PartialEq + Debug>(text: &str) {
    let quoted = serde_json::to_string(text).expect("any text can be quoted");
    let cursor: Cursor = serde_json::from_str(&quoted).expect("any text may be a cursor");
    match cursor.decode::<K>() {
        Ok(key) => check_key(&key),
        Err(problem) => {
            let body = serde_json::to_value(problem.body()).expect("a problem is JSON");
            assert_eq!(
                (body.get("code"), body.get("status")),
                (Some(&"invalid_cursor".into()), Some(&400.into()))
            );
        }
    }
}

/// A place of a list of events, where the text holds one: its deadline, a blank, its id.
fn check_place(text: &str) {
    if let Some((deadline, id)) = text.split_once(' ')
        && let (Ok(deadline), Ok(id)) = (deadline.parse::<Timestamp>(), id.parse::<EventId>())
    {
        check_key(&(deadline, id));
    }
}

fn check_key<K: Serialize + DeserializeOwned + PartialEq + Debug>(key: &K) {
    let cursor = Cursor::encode(key);
    let json = serde_json::to_string(&cursor).expect("a cursor is a string");
    // It goes into a query as it is.
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'"');
    assert!(json.bytes().all(plain), "{json}");
    let sent: Cursor = serde_json::from_str(&json).expect("it was just written");
    assert_eq!(sent.decode::<K>().ok().as_ref(), Some(key));
}
