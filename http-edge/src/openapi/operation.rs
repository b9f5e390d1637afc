//! What extractors and replies write into an operation while paperclip still speaks OpenAPI 2.
//!
//! Three marks carry facts through the conversion to version 3, and [`super::passes`] takes them away again:
//! a parameter's `pattern` holds `title:<title>` (parameters have no title of their own), the schema of an error
//! answer is titled [`PROBLEM_MARK`] with its codes as `example`, and that of a text is titled `media:<type>`.

use actix_web::http::StatusCode;
use paperclip::v2::{
    models::{
        DataType, DefaultOperationRaw, DefaultSchemaRaw, Either, Items, Parameter, ParameterIn, Response,
    },
    schema::Apiv2Schema,
};
use serde_json::{Value, json};

use crate::problem::Code;

pub(super) const PROBLEM_MARK: &str = "http-edge problem";
pub(super) const MEDIA_MARK: &str = "media:";
pub(super) const TITLE_MARK: &str = "title:";

/// A JSON body of type `T`, required.
pub(crate) fn document_body<T: Apiv2Schema>(op: &mut DefaultOperationRaw) {
    op.parameters.push(Either::Right(Parameter {
        in_: ParameterIn::Body,
        name: "body".to_owned(),
        required: true,
        schema: Some(reference::<T>()),
        ..Parameter::default()
    }));
}

/// A JSON answer of type `T`.
pub(crate) fn document_answer<T: Apiv2Schema>(op: &mut DefaultOperationRaw, status: StatusCode) {
    add_response(op, status, reference::<T>());
}

/// 200 as text of this media type.
pub(crate) fn document_text(op: &mut DefaultOperationRaw, media_type: &str) {
    let schema = DefaultSchemaRaw {
        title: Some(format!("{MEDIA_MARK}{media_type}")),
        data_type: Some(DataType::String),
        ..DefaultSchemaRaw::default()
    };
    add_response(op, StatusCode::OK, schema);
}

/// An error answer with this code; several codes may share a status.
pub(crate) fn document_code(op: &mut DefaultOperationRaw, code: &'static Code) {
    let entry = json!({"code": code.name, "detail": code.detail});
    let existing = op.responses.get_mut(code.status.as_str());
    let codes = existing.and_then(|response| match response {
        Either::Right(response) => response.schema.as_mut()?.example.as_mut()?.as_array_mut(),
        Either::Left(_) => None,
    });
    match codes {
        Some(codes) if codes.contains(&entry) => {}
        Some(codes) => codes.push(entry),
        None => {
            let schema = DefaultSchemaRaw {
                title: Some(PROBLEM_MARK.to_owned()),
                data_type: Some(DataType::Object),
                example: Some(Value::Array(vec![entry])),
                ..DefaultSchemaRaw::default()
            };
            add_response(op, code.status, schema);
        }
    }
}

/// An optional header.
pub(crate) fn document_header(op: &mut DefaultOperationRaw, name: &str, description: &str) {
    op.parameters.push(Either::Right(Parameter {
        in_: ParameterIn::Header,
        name: name.to_owned(),
        description: Some(description.to_owned()),
        data_type: Some(DataType::String),
        ..Parameter::default()
    }));
}

/// A path segment, whose name paperclip takes from the route's template.
pub(crate) fn document_segment(op: &mut DefaultOperationRaw, schema: DefaultSchemaRaw) {
    op.parameters.push(Either::Right(parameter(
        ParameterIn::Path,
        String::new(),
        true,
        schema,
    )));
}

/// A parameter for each property of a struct.
pub(crate) fn document_properties(
    op: &mut DefaultOperationRaw,
    place: ParameterIn,
    schema: DefaultSchemaRaw,
) {
    for (name, property) in schema.properties {
        let required = schema.required.contains(&name);
        op.parameters
            .push(Either::Right(parameter(place, name, required, *property)));
    }
}

fn parameter(
    in_: ParameterIn,
    name: String,
    required: bool,
    schema: DefaultSchemaRaw,
) -> Parameter<DefaultSchemaRaw> {
    let scalar = schema.data_type == Some(DataType::String);
    Parameter {
        in_,
        name,
        required,
        pattern: schema
            .title
            .filter(|_| scalar)
            .map(|title| format!("{TITLE_MARK}{title}")),
        data_type: schema.data_type,
        format: schema.format,
        minimum: schema.minimum,
        maximum: schema.maximum,
        enum_: schema.enum_,
        description: schema.description,
        items: schema.items.map(|items| Items {
            data_type: items.data_type,
            format: items.format,
            enum_: items.enum_,
            ..Items::default()
        }),
        ..Parameter::default()
    }
}

fn add_response(op: &mut DefaultOperationRaw, status: StatusCode, schema: DefaultSchemaRaw) {
    op.responses.insert(
        status.as_str().to_owned(),
        Either::Right(Response {
            description: status.canonical_reason().map(str::to_owned),
            schema: Some(schema),
            ..Response::default()
        }),
    );
}

fn reference<T: Apiv2Schema>() -> DefaultSchemaRaw {
    let mut schema = T::schema_with_ref();
    schema.retain_ref();
    schema
}
