//! The operator's identity: `Authorization: Bearer <token>`, compared in constant time.
//!
//! Only the SHA-256 of the token is kept; digests have one length, so that the comparison tells nothing about
//! the length of the token either.

use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpRequest, dev::Payload, http::header::AUTHORIZATION, web};
use paperclip::{
    actix::OperationModifier,
    v2::{
        models::{DefaultOperationRaw, SecurityScheme},
        schema::Apiv2Schema,
    },
};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::{
    codes::{self, Refusal},
    openapi::{OPERATOR_SCHEME, document_code},
    problem::Problem,
};

/// The digest of the configured token; a service with operator routes registers it as `app_data(web::Data)`.
pub struct OperatorToken([u8; 32]);

impl OperatorToken {
    pub fn new(token: &SecretString) -> Self {
        Self(Sha256::digest(token.expose_secret().as_bytes()).into())
    }

    fn accepts(&self, presented: &[u8]) -> bool {
        let presented: [u8; 32] = Sha256::digest(presented).into();
        self.0.ct_eq(&presented).into()
    }
}

/// Proof that the caller is the operator.
pub struct Operator;

impl FromRequest for Operator {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let token = request
            .app_data::<web::Data<OperatorToken>>()
            .expect("a service with operator routes registers its OperatorToken");
        let accepted = request
            .headers()
            .get(AUTHORIZATION)
            .and_then(|value| bearer(value.as_bytes()))
            .is_some_and(|presented| token.accepts(presented));
        ready(if accepted {
            Ok(Self)
        } else {
            Err(Refusal::Unauthorized.into())
        })
    }
}

/// The token of a bearer header; the scheme's case does not matter (RFC 9110, 11.1).
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked("Bearer ".len())?;
    scheme
        .eq_ignore_ascii_case(b"bearer ")
        .then(|| token.trim_ascii())
}

impl Apiv2Schema for Operator {
    fn name() -> Option<String> {
        Some(OPERATOR_SCHEME.to_owned())
    }

    /// paperclip knows no http-bearer scheme; the document's passes turn this one into it.
    fn security_scheme() -> Option<SecurityScheme> {
        Some(SecurityScheme {
            type_: "apiKey".to_owned(),
            in_: Some("header".to_owned()),
            name: Some("Authorization".to_owned()),
            ..SecurityScheme::default()
        })
    }
}

impl OperationModifier for Operator {
    fn update_parameter(op: &mut DefaultOperationRaw) {
        document_code(op, &codes::UNAUTHORIZED);
    }
}
