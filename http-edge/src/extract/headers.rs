//! Conditional and idempotent requests: `If-Match` and `Idempotency-Key`.

use std::future::{Ready, ready};

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::header::{HeaderName, IF_MATCH},
};
use paperclip::{
    actix::OperationModifier,
    v2::{models::DefaultOperationRaw, schema::Apiv2Schema},
};

use crate::{
    codes::{self, FieldError, Refusal},
    openapi::{document_code, document_header},
    problem::Problem,
};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// What the caller believes about the resource (RFC 9110, 13.1.1). Our entity tags are revisions: `"3"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IfMatch {
    Absent,
    /// `*`: it exists.
    Any,
    /// Strong tags that can be revisions; others and weak ones never match, so they are left out.
    Revisions(Vec<u64>),
}

impl IfMatch {
    /// # Errors
    /// 412 `precondition_failed` where the caller believes in another revision.
    pub fn check(&self, revision: u64) -> Result<(), Problem> {
        match self {
            Self::Absent | Self::Any => Ok(()),
            Self::Revisions(revisions) if revisions.contains(&revision) => Ok(()),
            Self::Revisions(_) => Err(Refusal::PreconditionFailed.into()),
        }
    }

    /// `None` where the header is malformed.
    fn parse(text: &str) -> Option<Self> {
        if text.trim() == "*" {
            return Some(Self::Any);
        }
        let mut revisions = Vec::new();
        let mut rest = text.trim();
        loop {
            let weak = rest.starts_with("W/");
            let opened = rest.strip_prefix("W/").unwrap_or(rest).strip_prefix('"')?;
            let (tag, after) = opened.split_once('"')?;
            if !weak {
                revisions.extend(revision(tag));
            }
            rest = after.trim_start();
            if rest.is_empty() {
                return Some(Self::Revisions(revisions));
            }
            rest = rest.strip_prefix(',')?.trim_start();
        }
    }
}

/// A tag is compared byte by byte, so `"03"` is not revision 3.
fn revision(tag: &str) -> Option<u64> {
    tag.parse()
        .ok()
        .filter(|revision: &u64| revision.to_string() == tag)
}

impl FromRequest for IfMatch {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let lines: Result<Vec<&str>, _> = request
            .headers()
            .get_all(IF_MATCH)
            .map(|line| line.to_str())
            .collect();
        ready(match lines {
            Ok(lines) if lines.is_empty() => Ok(Self::Absent),
            Ok(lines) => Self::parse(&lines.join(",")).ok_or_else(|| Refusal::InvalidIfMatch.into()),
            Err(_) => Err(Refusal::InvalidIfMatch.into()),
        })
    }
}

impl Apiv2Schema for IfMatch {}

impl OperationModifier for IfMatch {
    fn update_parameter(op: &mut DefaultOperationRaw) {
        document_header(
            op,
            "If-Match",
            "Do it only if the revision is still this one, as ETag gave it: \"3\".",
        );
        document_code(op, &codes::INVALID_HEADER);
        document_code(op, &codes::PRECONDITION_FAILED);
    }
}

/// The client's name for this request, if it gave one: 1 to 255 visible ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey(pub Option<shared_types::IdempotencyKey>);

impl FromRequest for IdempotencyKey {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let mut lines = request.headers().get_all(IDEMPOTENCY_KEY);
        let first = lines.next();
        if lines.next().is_some() {
            return ready(Err(invalid_key("must be given once")));
        }
        let Some(first) = first else {
            return ready(Ok(Self(None)));
        };
        // What is not ASCII is no key either.
        let key = first.to_str().unwrap_or_default().parse();
        ready(key.map(|key| Self(Some(key))).map_err(invalid_key))
    }
}

fn invalid_key(message: impl ToString) -> Problem {
    Refusal::InvalidFields(vec![FieldError {
        field: "Idempotency-Key",
        message: message.to_string(),
    }])
    .into()
}

impl Apiv2Schema for IdempotencyKey {}

impl OperationModifier for IdempotencyKey {
    fn update_parameter(op: &mut DefaultOperationRaw) {
        document_header(
            op,
            "Idempotency-Key",
            "Names this request, in 1 to 255 visible ASCII characters, so that repeating it is safe.",
        );
        document_code(op, &codes::INVALID_FIELD);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entity_tags_are_read_as_revisions() {
        for (text, revisions) in [
            (r#""3""#, vec![3]),
            (r#""3", "4""#, vec![3, 4]),
            (r#" "3","4" "#, vec![3, 4]),
            (r#"W/"3""#, vec![]),
            (r#""abc", "7""#, vec![7]),
            (r#""a,b""#, vec![]),
            (r#""03""#, vec![]),
        ] {
            assert_eq!(
                IfMatch::parse(text),
                Some(IfMatch::Revisions(revisions)),
                "{text}"
            );
        }
        assert_eq!(IfMatch::parse("*"), Some(IfMatch::Any));
    }

    #[test]
    fn malformed_tags_are_refused() {
        for text in ["", "3", r#""3"#, r#""3","#, r#""3" "4""#, "*, *", r#"w/"3""#] {
            assert_eq!(IfMatch::parse(text), None, "{text}");
        }
    }

    #[test]
    fn only_the_named_revision_passes() {
        let believed = IfMatch::Revisions(vec![3]);
        assert!(believed.check(3).is_ok());
        assert!(believed.check(4).is_err());
        assert!(IfMatch::Revisions(Vec::new()).check(0).is_err());
        assert!(IfMatch::Absent.check(9).is_ok());
    }
}
