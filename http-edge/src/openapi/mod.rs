//! The OpenAPI 3.0 document: written by the handlers through paperclip, enriched in one place, served as bytes.
//!
//! paperclip collects an OpenAPI 2 document and converts it, which loses what version 2 cannot say. The extractors
//! and replies leave the missing facts where they survive the conversion (`operation`), `passes` puts them where
//! version 3 wants them, each service's overlay adds what only it knows (title, examples, response headers), and
//! `presence` settles last what may be absent or null.

mod operation;
mod passes;
mod presence;
mod walk;

use actix_web::{App, web::Bytes};
use paperclip::{
    actix::{OpenApiExt, web::ServiceConfig},
    v2::models::DefaultApiRaw,
};
use serde_json::Value;

pub(crate) use operation::{
    document_answer, document_body, document_code, document_header, document_properties, document_segment,
    document_text,
};

/// Name of the bearer scheme that operator routes ask for.
pub(crate) const OPERATOR_SCHEME: &str = "operator";

/// The finished document.
#[derive(Clone)]
pub struct Document {
    value: Value,
    bytes: Bytes,
}

impl Document {
    /// Collects the document of `routes` and merges `overlay` over it: objects member by member, anything else
    /// replaced. A member that an answer leaves out, and does not set to null, is `"nullable": false` in it.
    ///
    /// # Panics
    /// One type is both a request's and an answer's; these say different things by an `Option`.
    pub fn collect(routes: impl FnOnce(&mut ServiceConfig), overlay: &Value) -> Self {
        let mut value = Value::Null;
        let _ = App::new()
            .wrap_api_with_spec(DefaultApiRaw::default())
            .configure(routes)
            .configure(crate::health::routes)
            .with_raw_json_spec_v3(|app, collected| {
                value = collected;
                app
            });
        passes::run(&mut value);
        merge(&mut value, &crate::health::overlay());
        merge(&mut value, overlay);
        presence::run(&mut value);
        let bytes = serde_json::to_vec(&value)
            .expect("a JSON value can be written")
            .into();
        Self { value, bytes }
    }

    pub fn value(&self) -> &Value {
        &self.value
    }

    pub(crate) fn bytes(&self) -> Bytes {
        self.bytes.clone()
    }
}

fn merge(target: &mut Value, overlay: &Value) {
    match (target, overlay) {
        (Value::Object(target), Value::Object(overlay)) => {
            for (key, value) in overlay {
                merge(target.entry(key).or_insert(Value::Null), value);
            }
        }
        (target, overlay) => *target = overlay.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_overlay_merges_objects_and_replaces_the_rest() {
        let mut target = json!({"a": {"b": 1, "c": [1, 2]}, "d": "x"});
        merge(
            &mut target,
            &json!({"a": {"c": [3], "e": null}, "f": {"g": true}}),
        );
        assert_eq!(
            target,
            json!({"a": {"b": 1, "c": [3], "e": null}, "d": "x", "f": {"g": true}})
        );
    }
}
