//! Bodies of callbacks, as bet-maker reads them: what is read can be written and read again, agrees with a reading as
//! plain JSON, and is either fit to be stored or refused with the name of the member that is wrong.

use bet_maker::feed::history::plausible;
use http_edge::RawBody;
use serde_json::Value;
use shared_types::Callback;

pub(crate) fn check(input: &[u8]) {
    let body = RawBody::<{ 64 * 1024 }>(input.to_vec().into());
    let callback: Callback = match body.json() {
        Ok(callback) => callback,
        Err(problem) => {
            let body = serde_json::to_value(problem.body()).expect("a problem is JSON");
            assert_eq!(
                (body.get("code"), body.get("status")),
                (Some(&"invalid_json".into()), Some(&400.into()))
            );
            return;
        }
    };
    let written = serde_json::to_value(&callback).expect("a callback is JSON");
    let again: Callback = serde_json::from_value(written.clone()).expect("it was just written");
    assert_eq!(again, callback);
    // Members that nobody knows are skipped without reading their escapes, which reading as plain JSON does.
    if let Ok(sent) = serde_json::from_slice::<Value>(input) {
        check_against(&sent, &written);
    }
    match plausible(&callback.data) {
        Ok(()) => check_storable(&written),
        Err((member, rule)) => {
            assert!(
                member.starts_with("data.") && !rule.is_empty(),
                "{member}: {rule}"
            );
            let found = member
                .split('.')
                .try_fold(&written, |value, name| value.get(name));
            assert!(found.is_some(), "there is no {member}");
        }
    }
}

/// Texts that are kept as they are, and counts.
fn check_against(sent: &Value, written: &Value) {
    for path in [
        "/type",
        "/data/position",
        "/data/type",
        "/data/event_id",
        "/data/revision",
        "/data/event/id",
        "/data/event/title",
        "/data/event/status",
        "/data/event/revision",
    ] {
        let (sent, written) = (sent.pointer(path), written.pointer(path));
        assert!(
            sent.is_some() && sent == written,
            "{path}: {sent:?} became {written:?}"
        );
    }
    let is_closed = |value: &Value| {
        value
            .pointer("/data/event/closed_at")
            .is_some_and(|at| !at.is_null())
    };
    assert_eq!(is_closed(sent), is_closed(written));
}

/// What a table of Postgres and a settlement rely on.
fn check_storable(callback: &Value) {
    let count = |path: &str| callback.pointer(path).and_then(Value::as_i64).unwrap_or_default();
    let text = |path: &str| callback.pointer(path).and_then(Value::as_str).unwrap_or_default();
    assert!(count("/data/position") > 0 && count("/data/revision") > 0);
    assert_eq!(count("/data/revision"), count("/data/event/revision"));
    assert_eq!(text("/data/event_id"), text("/data/event/id"));
    assert!((1..=64).contains(&text("/data/event_id").len()));
    assert!(!text("/data/event/title").contains('\0'));
    let is_final = text("/data/event/status") != "unfinished";
    assert!(!is_final || !text("/data/event/closed_at").is_empty());
}
