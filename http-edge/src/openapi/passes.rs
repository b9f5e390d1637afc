//! The passes that make paperclip's converted document a good OpenAPI 3.0 one. Each is generic: none knows a route.

use serde_json::{Map, Value, json};

use super::{
    OPERATOR_SCHEME,
    operation::{MEDIA_MARK, PROBLEM_MARK, TITLE_MARK},
    walk::{each_schema, each_subschema, members, operations, set},
};
use crate::problem::PROBLEM_JSON;

pub(super) fn run(document: &mut Value) {
    for operation in operations(document) {
        for parameter in members(operation, "parameters") {
            untitle_parameter(parameter);
        }
        if let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) {
            for (status, response) in responses {
                type_error(status, response);
                type_text(response);
            }
        }
    }
    each_schema(document, &mut describe_scalar);
    for operation in operations(document) {
        members(operation, "parameters").for_each(leave_optional_parameter_empty);
    }
    refer_to_components(document);
    add_problem_component(document);
    use_bearer(document);
    // Relative to where the document is read, so that it holds behind any prefix.
    set(
        document,
        "servers",
        json!([{"url": ".", "description": "This service"}]),
    );
    set(document, "openapi", json!("3.0.3"));
}

/// A parameter's title, smuggled through its pattern, becomes the members of that scalar.
fn untitle_parameter(parameter: &mut Value) {
    let Some(schema) = parameter.get_mut("schema").and_then(Value::as_object_mut) else {
        return;
    };
    let title = schema
        .get("pattern")
        .and_then(Value::as_str)
        .and_then(|text| text.strip_prefix(TITLE_MARK));
    if let Some(title) = title.map(str::to_owned) {
        schema.remove("pattern");
        schema.insert("title".to_owned(), Value::String(title));
    }
}

/// The docs page fills parameters in by their examples; a filter that nobody asked for would empty the list.
fn leave_optional_parameter_empty(parameter: &mut Value) {
    let required = parameter
        .get("required")
        .and_then(Value::as_bool)
        .unwrap_or(false);
    if let (false, Some(schema)) = (
        required,
        parameter.get_mut("schema").and_then(Value::as_object_mut),
    ) {
        schema.remove("example");
    }
}

/// The codes of an error answer become its media type, its `code` enumeration and one example each.
fn type_error(status: &str, response: &mut Value) {
    let marked = response
        .pointer("/content/application~1json/schema")
        .filter(|schema| schema.get("title").and_then(Value::as_str) == Some(PROBLEM_MARK));
    let Some(codes) = marked
        .and_then(|schema| schema.get("example"))
        .and_then(Value::as_array)
        .cloned()
    else {
        return;
    };
    let title = response.get("description").cloned().unwrap_or_default();
    let mut examples = Map::new();
    let mut lines = Vec::new();
    for code in &codes {
        let name = code.get("code").and_then(Value::as_str).unwrap_or_default();
        let detail = code.get("detail").and_then(Value::as_str).unwrap_or_default();
        lines.push(format!("`{name}`: {detail}"));
        let value = json!({
            "type": "about:blank",
            "title": title,
            "status": status.parse::<u16>().unwrap_or_default(),
            "detail": detail,
            "code": name,
            "request_id": "019a3f6e-7c1b-7d2a-9a51-0c6f3f6b2e11",
        });
        examples.insert(name.to_owned(), json!({"value": value}));
    }
    let names: Vec<_> = examples.keys().cloned().collect();
    let schema = json!({
        "allOf": [
            {"$ref": "#/components/schemas/Problem"},
            {"type": "object", "properties": {"code": {"type": "string", "enum": names}}},
        ],
    });
    set(response, "description", Value::String(lines.join("\n\n")));
    set(
        response,
        "content",
        json!({PROBLEM_JSON: {"schema": schema, "examples": examples}}),
    );
}

fn type_text(response: &mut Value) {
    let title = response
        .pointer("/content/application~1json/schema/title")
        .and_then(Value::as_str);
    if let Some(media_type) = title
        .and_then(|title| title.strip_prefix(MEDIA_MARK))
        .map(str::to_owned)
    {
        set(
            response,
            "content",
            json!({media_type: {"schema": {"type": "string"}}}),
        );
    }
}

/// A scalar's pattern, format and example, by its title; the field's own description stands.
fn describe_scalar(schema: &mut Map<String, Value>) {
    let fragment = schema
        .get("title")
        .and_then(Value::as_str)
        .and_then(shared_types::schema::scalar_fragment);
    let Some(Value::Object(fragment)) = fragment else {
        return;
    };
    if fragment.contains_key("oneOf") {
        schema.remove("type");
    }
    for (key, value) in fragment {
        let own = (key == "description" || key == "example") && schema.contains_key(&key);
        if !own {
            schema.insert(key, value);
        }
    }
}

/// paperclip writes a nested type out in full; where it equals a component, it refers to it instead.
fn refer_to_components(document: &mut Value) {
    let Some(components) = document
        .pointer("/components/schemas")
        .and_then(Value::as_object)
        .cloned()
    else {
        return;
    };
    let shapes: Vec<(String, Map<String, Value>)> = components
        .iter()
        .filter_map(|(name, schema)| Some((name.clone(), shape(schema.as_object()?))))
        .filter(|(_, shape)| shape.contains_key("properties"))
        .collect();
    each_subschema(document, &mut |schema| {
        let found = shapes.iter().find(|(_, candidate)| *candidate == shape(schema));
        if let Some((name, _)) = found {
            // A reference allows no neighbours in 3.0.
            *schema = [("$ref".to_owned(), json!(format!("#/components/schemas/{name}")))]
                .into_iter()
                .collect();
        }
    });
}

/// A schema without the words that depend on where it is used.
fn shape(schema: &Map<String, Value>) -> Map<String, Value> {
    let words = ["description", "title", "example"];
    schema
        .iter()
        .filter(|(key, _)| !words.contains(&key.as_str()))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

fn add_problem_component(document: &mut Value) {
    let problem = json!({
        "type": "object",
        "description": "RFC 9457 problem details. Some codes carry further members.",
        "required": ["type", "title", "status", "detail", "code", "request_id"],
        "properties": {
            "type": {"type": "string", "description": "about:blank: code tells apart."},
            "title": {"type": "string", "description": "The status in words."},
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "detail": {"type": "string", "description": "What is wrong and what to do, for a person."},
            "code": {"type": "string", "description": "Stable, snake_case, for a program."},
            "request_id": {"type": "string", "description": "The X-Request-Id of this answer."},
        },
        "additionalProperties": true,
    });
    if let Some(schemas) = document
        .pointer_mut("/components/schemas")
        .and_then(Value::as_object_mut)
    {
        schemas.insert("Problem".to_owned(), problem);
    }
}

fn use_bearer(document: &mut Value) {
    let bearer = json!({
        "type": "http",
        "scheme": "bearer",
        "description": "The operator token.",
    });
    let schemes = document
        .pointer_mut("/components/securitySchemes")
        .and_then(Value::as_object_mut);
    if let Some(scheme) = schemes.and_then(|schemes| schemes.get_mut(OPERATOR_SCHEME)) {
        *scheme = bearer;
    }
}
