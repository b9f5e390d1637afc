//! What handlers take: bodies, queries, paths, identity and conditional headers.
//!
//! Each extractor refuses with a [`Problem`](crate::Problem) before the handler runs, and writes its own
//! parameters and codes into the OpenAPI document, so that a route documents what it takes by its signature.

mod body;
mod headers;
mod operator;
mod path;
mod query;

pub use body::{ApiJson, RawBody};
pub use headers::{IdempotencyKey, IfMatch};
pub use operator::{Operator, OperatorToken};
pub use path::ApiPath;
pub use query::ApiQuery;

/// An extractor that only adds to the operation and has no schema of its own.
macro_rules! without_schema {
    ([$($generics:tt)*] $type:ty) => {
        impl<$($generics)*> paperclip::v2::schema::Apiv2Schema for $type {}
    };
}
use without_schema;
