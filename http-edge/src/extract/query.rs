//! Query strings: every parameter known and readable, or 400 `invalid_query` that names the one that is not.

use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpRequest, dev::Payload, web};
use paperclip::{
    actix::OperationModifier,
    v2::{
        models::{DefaultOperationRaw, ParameterIn},
        schema::Apiv2Schema,
    },
};
use serde::de::DeserializeOwned;

use crate::{
    codes::{self, Refusal},
    openapi::{document_code, document_properties},
    problem::Problem,
};

/// The query as a struct, which says `#[serde(deny_unknown_fields)]`.
///
/// No `#[serde(flatten)]`: it would read numbers as text and let unknown names through.
pub struct ApiQuery<T>(pub T);

impl<T: DeserializeOwned> FromRequest for ApiQuery<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(parse(request.query_string()).map(Self))
    }
}

super::without_schema!([T] ApiQuery<T>);

impl<T: Apiv2Schema> OperationModifier for ApiQuery<T> {
    fn update_parameter(op: &mut DefaultOperationRaw) {
        document_properties(op, ParameterIn::Query, T::raw_schema());
        document_code(op, &codes::INVALID_QUERY);
    }
}

fn parse<T: DeserializeOwned>(query: &str) -> Result<T, Problem> {
    read(query).map_err(|reason| {
        // The reader says what is wrong, not where: the culprit is the pair that fails alone in the same words.
        let culprit = query
            .split('&')
            .find(|pair| read::<T>(pair).is_err_and(|alone| alone == reason))
            .and_then(|pair| pair.split('=').next())
            .filter(|name| !name.is_empty() && !reason.contains(&format!("`{name}`")));
        let detail = match culprit {
            Some(name) => format!("The query parameter {name} cannot be read: {reason}."),
            None => format!("The query cannot be read: {reason}."),
        };
        Refusal::InvalidQuery(detail).into()
    })
}

fn read<T: DeserializeOwned>(query: &str) -> Result<T, String> {
    match web::Query::<T>::from_query(query) {
        Ok(query) => Ok(query.into_inner()),
        Err(actix_web::error::QueryPayloadError::Deserialize(error)) => Err(error.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::page::PageLimit;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Listing {
        after: Option<u64>,
        limit: Option<PageLimit>,
    }

    fn refusal(query: &str) -> String {
        parse::<Listing>(query).unwrap_err().body().detail
    }

    #[test]
    fn a_readable_query_is_taken() {
        let listing = parse::<Listing>("after=7&limit=500").unwrap();
        assert_eq!((listing.after, listing.limit.unwrap().get()), (Some(7), 500));
        assert!(parse::<Listing>("").unwrap().limit.is_none());
    }

    #[test]
    fn the_refusal_names_the_parameter() {
        assert_eq!(
            refusal("limit=5&after=x"),
            "The query parameter after cannot be read: invalid digit found in string."
        );
        assert_eq!(
            refusal("limit=0"),
            "The query parameter limit cannot be read: must be 1 to 500."
        );
        assert_eq!(
            refusal("limit=501"),
            "The query parameter limit cannot be read: must be 1 to 500."
        );
        assert_eq!(
            refusal("befor=1"),
            "The query cannot be read: unknown field `befor`, expected `after` or `limit`."
        );
        assert_eq!(
            refusal("after=1&after=2"),
            "The query cannot be read: duplicate field `after`."
        );
    }
}
