//! From what a client sent to commands: every field checked, every broken rule named at once.

use http_edge::{FieldErrors, Problem};
use rand::RngCore as _;
use shared_types::event::{CorrectEvent, CreateEvent, PatchEvent};
use shared_types::signature::Secret;
use shared_types::subscription::{CreateSubscription, PatchSubscription};
use shared_types::{ChangeType, EventId, EventStatus, Odds, SubscriptionId, Timestamp};
use uuid::Uuid;

use crate::event::{Correction, NewEvent, Update};
use crate::subscription::{CallbackUrl, Patch, Register, Standing};

const TITLE_MAX_CHARACTERS: usize = 200;
const REASON_MAX_CHARACTERS: usize = 500;

/// The event that `POST /events` asks for; without an id it gets a new one.
///
/// # Errors
/// `invalid_field`, with every broken rule of id, title, odds and deadline.
pub fn new_event(body: CreateEvent) -> Result<NewEvent, Problem> {
    let mut errors = FieldErrors::default();
    let id = match body.id {
        None => Some(EventId::from(Uuid::now_v7())),
        Some(id) => errors.check("id", id.parse()),
    };
    let title = errors.check("title", title(body.title.unwrap_or_default()));
    let odds = errors.check("odds", Odds::try_from(&body.odds));
    let deadline = errors.check("deadline", body.deadline.parse::<Timestamp>());
    let checked = || {
        Some(NewEvent {
            id: id?,
            title: title?,
            odds: odds?,
            deadline: deadline?,
        })
    };
    errors.finish(checked())
}

/// What `PATCH /events/{id}` asks for.
///
/// # Errors
/// `invalid_field`, with every broken rule of title, odds, deadline and status.
pub fn update(body: PatchEvent) -> Result<Update, Problem> {
    let mut errors = FieldErrors::default();
    let update = Update {
        title: body.title.and_then(|text| errors.check("title", title(text))),
        odds: body
            .odds
            .and_then(|odds| errors.check("odds", Odds::try_from(&odds))),
        deadline: body
            .deadline
            .and_then(|deadline| errors.check("deadline", deadline.parse::<Timestamp>())),
        status: body
            .status
            .and_then(|word| errors.check("status", event_status(&word))),
    };
    errors.finish(Some(update))
}

/// What `POST /events/{id}/corrections` asks for.
///
/// # Errors
/// `invalid_field`, with every broken rule of status and reason.
pub fn correction(body: CorrectEvent) -> Result<Correction, Problem> {
    let mut errors = FieldErrors::default();
    let status = errors.check("status", event_status(&body.status));
    let reason = errors.check("reason", text(body.reason, 1..=REASON_MAX_CHARACTERS));
    let checked = || {
        Some(Correction {
            status: status?,
            reason: reason?,
        })
    };
    errors.finish(checked())
}

/// What `POST /subscriptions` asks for, with an id and a secret in case that the subscription is new.
///
/// # Errors
/// `invalid_field`, with every broken rule of url, event types and secret.
pub fn register(body: CreateSubscription) -> Result<Register, Problem> {
    let mut errors = FieldErrors::default();
    let url = errors.check("url", body.url.parse::<CallbackUrl>());
    let event_types = body
        .event_types
        .map(|words| errors.check("event_types", event_types(&words)));
    let secret = body
        .secret
        .map(|secret| errors.check("secret", secret.parse::<Secret>()));
    let checked = || {
        Some(Register {
            url: url?,
            event_types: event_types.flatten(),
            secret: secret.flatten(),
            fresh: (SubscriptionId::from_uuid(Uuid::now_v7()), fresh_secret()),
        })
    };
    errors.finish(checked())
}

/// What `PATCH /subscriptions/{id}` asks for.
///
/// # Errors
/// `invalid_field`, with every broken rule of url, event types and status.
pub fn patch(body: PatchSubscription) -> Result<Patch, Problem> {
    let mut errors = FieldErrors::default();
    let patch = Patch {
        url: body
            .url
            .and_then(|url| errors.check("url", url.parse::<CallbackUrl>())),
        event_types: body
            .event_types
            .and_then(|words| errors.check("event_types", event_types(&words))),
        standing: body
            .status
            .and_then(|word| errors.check("status", standing(&word))),
    };
    errors.finish(Some(patch))
}

fn title(title: String) -> Result<String, String> {
    text(title, 0..=TITLE_MAX_CHARACTERS)
}

/// U+0000 is refused because not every store of a reader can hold it.
fn text(text: String, characters: std::ops::RangeInclusive<usize>) -> Result<String, String> {
    let (least, most) = (characters.start(), characters.end());
    if !characters.contains(&text.chars().count()) {
        Err(format!("must have {least} to {most} characters"))
    } else if text.contains('\0') {
        Err("must not hold the character U+0000".to_owned())
    } else {
        Ok(text)
    }
}

fn event_status(word: &str) -> Result<EventStatus, &'static str> {
    EventStatus::ALL
        .into_iter()
        .find(|status| status.as_str() == word)
        .ok_or("must be unfinished, first_team_won, second_team_won or cancelled")
}

fn event_types(words: &[String]) -> Result<Vec<ChangeType>, &'static str> {
    let mut kinds = Vec::new();
    for word in words {
        let kind = ChangeType::ALL
            .into_iter()
            .find(|kind| kind.as_str() == word)
            .ok_or("must be event.created, event.updated or event.status_changed, or none for all")?;
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    Ok(kinds)
}

fn standing(word: &str) -> Result<Standing, &'static str> {
    match word {
        "active" => Ok(Standing::Active),
        "paused" => Ok(Standing::Paused),
        _ => Err("must be active or paused"),
    }
}

fn fresh_secret() -> Secret {
    let mut key = [0; 32];
    rand::rng().fill_bytes(&mut key);
    Secret::from_bytes(&key).expect("32 bytes make a secret")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn create(json: &str) -> Result<NewEvent, Problem> {
        new_event(serde_json::from_str(json).unwrap())
    }

    fn with_title(title: &str) -> Result<NewEvent, Problem> {
        let body = serde_json::json!({"title": title, "odds": 1.5, "deadline": "2026-03-01T18:00:00Z"});
        create(&body.to_string())
    }

    #[test]
    fn an_event_without_id_and_title_gets_a_made_id_and_none() {
        let new = create(r#"{"odds": "1.5", "deadline": "2026-03-01T19:00:00+01:00"}"#).unwrap();
        assert_eq!(new.title, "");
        assert_eq!(new.odds.to_string(), "1.50");
        assert!(new.id.as_str().parse::<Uuid>().is_ok());
    }

    #[test]
    fn every_broken_rule_is_named_at_once() {
        let problem = create(r#"{"id": "a b", "odds": "0", "deadline": "soon"}"#).unwrap_err();
        let errors = problem.body().extra["errors"].clone();
        let fields: Vec<_> = errors
            .as_array()
            .unwrap()
            .iter()
            .map(|e| e["field"].as_str().unwrap())
            .collect();
        assert_eq!(fields, ["id", "odds", "deadline"]);
    }

    #[test]
    fn a_title_has_200_characters_at_most_and_no_nul() {
        assert!(with_title(&"ä".repeat(200)).is_ok());
        assert!(with_title(&"ä".repeat(201)).is_err());
        assert!(with_title("a\0b").is_err());
    }

    #[test]
    fn a_reason_has_1_to_500_characters() {
        let correct = |reason: &str| {
            correction(CorrectEvent {
                status: "cancelled".to_owned(),
                reason: reason.to_owned(),
            })
        };
        assert!(correct("").is_err());
        assert!(correct("x").is_ok());
        assert!(correct(&"x".repeat(500)).is_ok());
        assert!(correct(&"x".repeat(501)).is_err());
    }

    #[test]
    fn a_subscription_cannot_be_disabled_by_its_operator() {
        let wanted = |status: &str| {
            patch(PatchSubscription {
                status: Some(status.to_owned()),
                ..PatchSubscription::default()
            })
        };
        assert!(wanted("paused").is_ok() && wanted("active").is_ok());
        assert!(wanted("disabled").is_err());
    }
}
