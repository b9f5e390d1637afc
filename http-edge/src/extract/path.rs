//! Path segments: what cannot be an id names nothing, so it is 404 and not 400.

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
    openapi::{document_code, document_properties, document_segment},
    problem::Problem,
};

/// One segment as a scalar, or several as a struct with their names.
pub struct ApiPath<T>(pub T);

impl<T: DeserializeOwned> FromRequest for ApiPath<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let segments = web::Path::<T>::from_request(request, payload).into_inner();
        ready(
            segments
                .map(|path| Self(path.into_inner()))
                .map_err(|_| Refusal::NotFound.into()),
        )
    }
}

super::without_schema!([T] ApiPath<T>);

impl<T: Apiv2Schema> OperationModifier for ApiPath<T> {
    fn update_parameter(op: &mut DefaultOperationRaw) {
        let schema = T::raw_schema();
        if schema.properties.is_empty() {
            document_segment(op, schema);
        } else {
            document_properties(op, ParameterIn::Path, schema);
        }
        document_code(op, &codes::NOT_FOUND);
    }
}
