//! Path segments: what cannot be an id names nothing, so it is 404 and not 400, with the code of the route's own
//! 404, so that a client meets one code whether the id is malformed or only unknown.

use std::{
    future::{Ready, ready},
    marker::PhantomData,
};

use actix_web::{FromRequest, HttpRequest, dev::Payload, http::StatusCode, web};
use paperclip::{
    actix::OperationModifier,
    v2::{
        models::{DefaultOperationRaw, ParameterIn},
        schema::Apiv2Schema,
    },
};
use serde::de::DeserializeOwned;

use crate::{
    openapi::{document_code, document_properties, document_segment},
    problem::{Code, Codes, Problem},
};

/// One segment as a scalar, or several as a struct with their names; `C` are the codes of the route, the first 404
/// among which says that what the path names is not there.
///
/// A route without such a code does not compile.
pub struct ApiPath<T, C>(pub T, PhantomData<C>);

impl<T, C: Codes> ApiPath<T, C> {
    const NOT_FOUND: &'static Code = not_found(C::CODES);
}

const fn not_found(mut codes: &'static [&'static Code]) -> &'static Code {
    while let [code, rest @ ..] = codes {
        if matches!(code.status, StatusCode::NOT_FOUND) {
            return code;
        }
        codes = rest;
    }
    panic!("a route that takes a path has a 404 among its codes")
}

impl<T: DeserializeOwned, C: Codes> FromRequest for ApiPath<T, C> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let segments = web::Path::<T>::from_request(request, payload).into_inner();
        ready(
            segments
                .map(|path| Self(path.into_inner(), PhantomData))
                .map_err(|_| Problem::new(Self::NOT_FOUND)),
        )
    }
}

super::without_schema!([T, C] ApiPath<T, C>);

impl<T: Apiv2Schema, C: Codes> OperationModifier for ApiPath<T, C> {
    fn update_parameter(op: &mut DefaultOperationRaw) {
        let schema = T::raw_schema();
        if schema.properties.is_empty() {
            document_segment(op, schema);
        } else {
            document_properties(op, ParameterIn::Path, schema);
        }
        document_code(op, Self::NOT_FOUND);
    }
}
