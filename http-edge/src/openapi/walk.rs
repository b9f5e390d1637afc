//! Ways through the JSON of an OpenAPI document: its operations and its schemas, wherever they nest.

use serde_json::{Map, Value};

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

pub(super) fn set(target: &mut Value, key: &str, value: Value) {
    if let Some(target) = target.as_object_mut() {
        target.insert(key.to_owned(), value);
    }
}

pub(super) fn members<'a>(value: &'a mut Value, key: &str) -> impl Iterator<Item = &'a mut Value> {
    value
        .get_mut(key)
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
}

pub(super) fn operations(document: &mut Value) -> impl Iterator<Item = &mut Value> {
    let paths = document.get_mut("paths").and_then(Value::as_object_mut);
    paths
        .into_iter()
        .flat_map(|paths| paths.values_mut())
        .filter_map(Value::as_object_mut)
        .flat_map(|path| path.iter_mut())
        .filter(|(method, _)| METHODS.contains(&method.as_str()))
        .map(|(_, operation)| operation)
}

/// Visits every schema of the document, inner ones first.
pub(super) fn each_schema(document: &mut Value, visit: &mut impl FnMut(&mut Map<String, Value>)) {
    walk(document, &mut |schema, _| visit(schema));
}

/// Visits every schema that is not itself a component.
pub(super) fn each_subschema(document: &mut Value, visit: &mut impl FnMut(&mut Map<String, Value>)) {
    walk(document, &mut |schema, is_component| {
        if !is_component {
            visit(schema);
        }
    });
}

/// Visits a schema and every schema inside it, inner ones first.
pub(super) fn each_within(schema: &mut Value, visit: &mut impl FnMut(&mut Map<String, Value>)) {
    descend(schema, true, &mut |schema, _| visit(schema));
}

fn walk(document: &mut Value, visit: &mut impl FnMut(&mut Map<String, Value>, bool)) {
    if let Some(components) = document
        .pointer_mut("/components/schemas")
        .and_then(Value::as_object_mut)
    {
        for schema in components.values_mut() {
            descend(schema, true, visit);
        }
    }
    for operation in operations(document) {
        for parameter in members(operation, "parameters") {
            if let Some(schema) = parameter.get_mut("schema") {
                descend(schema, false, visit);
            }
        }
    }
}

fn descend(schema: &mut Value, is_component: bool, visit: &mut impl FnMut(&mut Map<String, Value>, bool)) {
    let Some(schema) = schema.as_object_mut() else {
        return;
    };
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        for property in properties.values_mut() {
            descend(property, false, visit);
        }
    }
    for key in ["items", "additionalProperties"] {
        if let Some(inner) = schema.get_mut(key) {
            descend(inner, false, visit);
        }
    }
    visit(schema, is_component);
}
