//! What a member may be when it is not there: absent, null, or neither. An `Option` says it differently in what is
//! asked and in what is answered, so that this goes by how each component is used.
//!
//! Asked (a request body): what is not required may be left out, null is refused, and so is an unknown member.
//! Answered: every member is there, and null where there is nothing. Where an answer leaves a member out instead, an
//! overlay says so in the words of OpenAPI: `"nullable": false`.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::walk::{each_within, operations};

const COMPONENT: &str = "#/components/schemas/";

/// Runs over a document in which components refer to each other, after every overlay.
pub(super) fn run(document: &mut Value) {
    let (mut asked, mut answered) = (BTreeSet::new(), BTreeSet::new());
    for operation in operations(document) {
        asked.extend(operation.get("requestBody").map(references).unwrap_or_default());
        answered.extend(operation.get("responses").map(references).unwrap_or_default());
    }
    let asked = reachable(document, asked);
    let both = reachable(document, answered).intersection(&asked).next().cloned();
    assert_eq!(
        both, None,
        "a type is either asked or answered, or its schema says two things"
    );
    let components = document
        .pointer_mut("/components/schemas")
        .and_then(Value::as_object_mut);
    for (name, schema) in components.into_iter().flatten() {
        if asked.contains(name) {
            each_within(schema, &mut refuse_unknown);
        } else {
            each_within(schema, &mut require_or_null);
        }
    }
}

/// The components that are reached from these, themselves included.
fn reachable(document: &Value, from: BTreeSet<String>) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<String> = from.into_iter().collect();
    while let Some(name) = open.pop() {
        if !reached.contains(&name) {
            let component = document.pointer(&format!("/components/schemas/{name}"));
            open.extend(component.map(references).unwrap_or_default());
            reached.insert(name);
        }
    }
    reached
}

/// The components that are named anywhere inside.
fn references(value: &Value) -> BTreeSet<String> {
    match value {
        Value::Object(members) => {
            let own = members
                .get("$ref")
                .and_then(Value::as_str)
                .and_then(|reference| reference.strip_prefix(COMPONENT));
            let inner = members.values().flat_map(references);
            own.map(str::to_owned).into_iter().chain(inner).collect()
        }
        Value::Array(items) => items.iter().flat_map(references).collect(),
        _ => BTreeSet::new(),
    }
}

fn refuse_unknown(schema: &mut Map<String, Value>) {
    if schema.contains_key("properties") {
        schema.insert("additionalProperties".to_owned(), json!(false));
    }
}

fn require_or_null(schema: &mut Map<String, Value>) {
    let mut required: BTreeSet<String> = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|name| name.as_str().map(str::to_owned))
        .collect();
    let said = required.len();
    let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
    for (name, property) in properties.into_iter().flatten() {
        let Some(property) = property.as_object_mut().filter(|_| !required.contains(name)) else {
            continue;
        };
        if property.get("nullable") == Some(&Value::Bool(false)) {
            property.remove("nullable");
        } else {
            allow_null(property);
            required.insert(name.clone());
        }
    }
    if required.len() > said {
        schema.insert("required".to_owned(), json!(required));
    }
}

fn allow_null(property: &mut Map<String, Value>) {
    // A reference allows no neighbours in 3.0.
    if property.contains_key("$ref") {
        let reference = std::mem::take(property);
        property.insert("allOf".to_owned(), json!([reference]));
    }
    // An enumeration excludes what it does not list, null too.
    if let Some(variants) = property.get_mut("enum").and_then(Value::as_array_mut) {
        variants.push(Value::Null);
    }
    property.insert("nullable".to_owned(), Value::Bool(true));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(name: &str) -> Value {
        json!({"schema": {"$ref": format!("{COMPONENT}{name}")}})
    }

    fn document(asked: &str, answered: &str, schemas: Value) -> Value {
        json!({
            "paths": {"/lights": {"post": {
                "requestBody": {"content": {"application/json": reference(asked)}},
                "responses": {"200": {"content": {"application/json": reference(answered)}}},
            }}},
            "components": {"schemas": schemas},
        })
    }

    #[test]
    fn an_option_is_absent_where_it_is_asked_and_null_where_it_is_answered() {
        let light = json!({
            "properties": {"id": {"type": "string"}, "note": {"type": "string"}},
            "required": ["id"],
        });
        let mut document = document(
            "Asked",
            "Answered",
            json!({
                "Asked": {"properties": {"light": {"$ref": format!("{COMPONENT}Inner")}}, "required": ["light"]},
                "Inner": light,
                "Answered": light,
            }),
        );
        run(&mut document);
        assert_eq!(
            document["components"]["schemas"],
            json!({
                "Asked": {
                    "properties": {"light": {"$ref": format!("{COMPONENT}Inner")}},
                    "required": ["light"],
                    "additionalProperties": false,
                },
                "Inner": {
                    "properties": {"id": {"type": "string"}, "note": {"type": "string"}},
                    "required": ["id"],
                    "additionalProperties": false,
                },
                "Answered": {
                    "properties": {"id": {"type": "string"}, "note": {"type": "string", "nullable": true}},
                    "required": ["id", "note"],
                },
            })
        );
    }

    #[test]
    fn null_is_said_as_3_0_can_say_it_and_not_where_a_member_is_left_out() {
        let mut answered = json!({"properties": {
            "state": {"type": "string", "enum": ["on"]},
            "next": {"$ref": format!("{COMPONENT}Answered")},
            "secret": {"type": "string", "nullable": false},
        }});
        each_within(&mut answered, &mut require_or_null);
        assert_eq!(
            answered,
            json!({
                "properties": {
                    "state": {"type": "string", "enum": ["on", null], "nullable": true},
                    "next": {"allOf": [{"$ref": format!("{COMPONENT}Answered")}], "nullable": true},
                    "secret": {"type": "string"},
                },
                "required": ["next", "state"],
            })
        );
    }

    #[test]
    #[should_panic(expected = "either asked or answered")]
    fn one_schema_for_both_is_met_by_tests() {
        let again = json!({"properties": {"next": {"$ref": format!("{COMPONENT}Light")}}});
        run(&mut document("Light", "Light", json!({"Light": again})));
    }
}
