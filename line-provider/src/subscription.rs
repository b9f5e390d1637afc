//! The rules of subscriptions: who is called back, with which secret, on which kinds of change.
//!
//! Invariant: one registration per url. Commands come from the writer, which keeps every registration in the
//! journal; delivery serves what it finds on the [`board`].

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use actix_web::http::Uri;
use shared_types::signature::Secret;
use shared_types::{ChangeType, SubscriptionId, Timestamp};

pub mod board;

/// Where a callback goes: absolute, `http` or `https`, without user info and fragment, 2,000 characters at most.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CallbackUrl {
    text: String,
    uri: Uri,
}

/// The text is not a [`CallbackUrl`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be an absolute http:// or https:// URL without user info and fragment, 2000 characters at most"
)]
pub struct InvalidCallbackUrl;

impl CallbackUrl {
    pub const MAX_CHARACTERS: usize = 2000;

    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn uri(&self) -> &Uri {
        &self.uri
    }
}

impl FromStr for CallbackUrl {
    type Err = InvalidCallbackUrl;

    fn from_str(text: &str) -> Result<Self, InvalidCallbackUrl> {
        if text.len() > Self::MAX_CHARACTERS || text.contains('#') {
            return Err(InvalidCallbackUrl);
        }
        let uri: Uri = text.parse().map_err(|_| InvalidCallbackUrl)?;
        let authority = uri.authority().ok_or(InvalidCallbackUrl)?.as_str();
        let host = uri.host().unwrap_or_default();
        let port_is_good = match authority.strip_prefix(host) {
            Some("") => true,
            Some(rest) => rest
                .strip_prefix(':')
                // Rust's numbers may have a plus.
                .filter(|port| port.bytes().all(|b| b.is_ascii_digit()))
                .and_then(|port| port.parse::<u16>().ok())
                .is_some_and(|port| port > 0),
            None => false,
        };
        // The parser takes anything of the right characters between the brackets.
        let host_is_good = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(address) => address.parse::<Ipv6Addr>().is_ok(),
            None => !host.is_empty() && !host.starts_with('['),
        };
        let scheme_is_good = matches!(uri.scheme_str(), Some("http" | "https"));
        if scheme_is_good && host_is_good && port_is_good {
            Ok(Self {
                text: text.to_owned(),
                uri,
            })
        } else {
            Err(InvalidCallbackUrl)
        }
    }
}

impl fmt::Display for CallbackUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Whether a subscription is served, and why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    Active,
    /// By the operator.
    Paused,
    /// By line-provider; the receiver said that it is gone.
    Disabled {
        reason: String,
    },
}

/// A subscription as the journal keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    pub id: SubscriptionId,
    pub url: CallbackUrl,
    /// Empty means all.
    pub event_types: Vec<ChangeType>,
    pub secret: Secret,
    pub standing: Standing,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl Registration {
    pub fn wants(&self, kind: ChangeType) -> bool {
        self.event_types.is_empty() || self.event_types.contains(&kind)
    }
}

/// What `POST /subscriptions` asks for.
#[derive(Clone, Debug)]
pub struct Register {
    pub url: CallbackUrl,
    pub event_types: Option<Vec<ChangeType>>,
    pub secret: Option<Secret>,
    /// The id and secret of a new subscription, used where none exists and none was given.
    pub fresh: (SubscriptionId, Secret),
}

/// What `PATCH /subscriptions/{id}` asks for; absent fields stay as they are.
#[derive(Clone, Debug, Default)]
pub struct Patch {
    pub url: Option<CallbackUrl>,
    pub event_types: Option<Vec<ChangeType>>,
    pub standing: Option<Standing>,
}

/// Registers a url, or updates its registration: only what is given changes, and a disabled one is active again.
pub fn register(existing: Option<&Registration>, wanted: Register, now: Timestamp) -> Registration {
    let Register {
        url,
        event_types,
        secret,
        fresh: (id, made),
    } = wanted;
    match existing {
        Some(existing) => {
            let standing = match &existing.standing {
                Standing::Disabled { .. } => Standing::Active,
                standing => standing.clone(),
            };
            touched(
                existing,
                Registration {
                    event_types: event_types.unwrap_or_else(|| existing.event_types.clone()),
                    secret: secret.unwrap_or_else(|| existing.secret.clone()),
                    standing,
                    ..existing.clone()
                },
                now,
            )
        }
        None => Registration {
            id,
            url,
            event_types: event_types.unwrap_or_default(),
            secret: secret.unwrap_or(made),
            standing: Standing::Active,
            created_at: now,
            updated_at: now,
        },
    }
}

/// Changes a registration as its operator wants it.
pub fn patch(existing: &Registration, wanted: Patch, now: Timestamp) -> Registration {
    let next = Registration {
        url: wanted.url.unwrap_or_else(|| existing.url.clone()),
        event_types: wanted.event_types.unwrap_or_else(|| existing.event_types.clone()),
        standing: wanted.standing.unwrap_or_else(|| existing.standing.clone()),
        ..existing.clone()
    };
    touched(existing, next, now)
}

/// Stops serving a registration, unless it points elsewhere by now than at the receiver that is gone.
pub fn disable(existing: &Registration, gone: &CallbackUrl, reason: String, now: Timestamp) -> Registration {
    if existing.url != *gone || existing.standing != Standing::Active {
        return existing.clone();
    }
    let standing = Standing::Disabled { reason };
    touched(
        existing,
        Registration {
            standing,
            ..existing.clone()
        },
        now,
    )
}

fn touched(existing: &Registration, next: Registration, now: Timestamp) -> Registration {
    let updated_at = if next == *existing {
        existing.updated_at
    } else {
        now
    };
    Registration { updated_at, ..next }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Result<CallbackUrl, InvalidCallbackUrl> {
        text.parse()
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_micros(seconds * 1_000_000).unwrap()
    }

    fn wanted() -> Register {
        Register {
            url: url("http://localhost:1/a").unwrap(),
            event_types: None,
            secret: None,
            fresh: (
                "019a3f6e-7c1b-7d2a-9a51-0c6f3f6b2e11".parse().unwrap(),
                Secret::from_bytes(&[1; 32]).unwrap(),
            ),
        }
    }

    #[test]
    fn a_callback_goes_to_an_absolute_http_url_without_user_info_and_fragment() {
        let longest = format!("http://h/{}", "x".repeat(1991));
        for good in [
            "http://h",
            "https://h:1/p?q=1",
            "http://[::1]:65535/",
            "http://127.0.0.1/",
            &longest,
        ] {
            assert!(url(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "h",
            "/p",
            "ftp://h/",
            "http://",
            "http:///p",
            "http://u@h/",
            "http://u:p@h/",
            "http://h/#f",
            "http://h:0/",
            "http://h:65536/",
            "http://h:/",
            "http://h:x/",
            "http://h:+80/",
            "http://h /",
            "http://[:::1]/",
            "http://[-::1]/",
            "http://[127.0.0.1]/",
            "http://h/\n",
            &format!("{longest}x"),
        ] {
            assert_eq!(url(bad), Err(InvalidCallbackUrl), "{bad}");
        }
    }

    #[test]
    fn registering_again_changes_only_what_is_given() {
        let first = register(None, wanted(), at(1));
        assert_eq!(first.standing, Standing::Active);
        let again = register(Some(&first), wanted(), at(2));
        assert_eq!(again, first);
        let narrowed = register(
            Some(&first),
            Register {
                event_types: Some(vec![ChangeType::StatusChanged]),
                ..wanted()
            },
            at(2),
        );
        assert_eq!((narrowed.id, narrowed.updated_at), (first.id, at(2)));
        assert!(narrowed.wants(ChangeType::StatusChanged) && !narrowed.wants(ChangeType::Created));
        assert!(first.wants(ChangeType::Created));
        assert_eq!(narrowed.secret, first.secret);
    }

    #[test]
    fn registering_again_revives_a_disabled_subscription_but_not_a_paused_one() {
        let first = register(None, wanted(), at(1));
        let gone = disable(&first, &first.url, "410".to_owned(), at(2));
        assert!(matches!(gone.standing, Standing::Disabled { .. }));
        assert_eq!(register(Some(&gone), wanted(), at(3)).standing, Standing::Active);
        let pause = Patch {
            standing: Some(Standing::Paused),
            ..Patch::default()
        };
        let paused = patch(&first, pause, at(2));
        assert_eq!(
            register(Some(&paused), wanted(), at(3)).standing,
            Standing::Paused
        );
    }

    #[test]
    fn a_receiver_that_is_gone_disables_only_what_still_points_at_it() {
        let first = register(None, wanted(), at(1));
        let elsewhere = url("http://localhost:2/").unwrap();
        assert_eq!(disable(&first, &elsewhere, "410".to_owned(), at(2)), first);
    }
}
