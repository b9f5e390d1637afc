//! Collects the broken rules of a request's fields, so that one 422 names all of them.
//!
//! A request holds what was sent; its service checks field by field and ends with [`FieldErrors::finish`].

use std::fmt::Display;

use crate::{
    codes::{FieldError, Refusal},
    problem::Problem,
};

#[derive(Debug, Default)]
pub struct FieldErrors(Vec<FieldError>);

impl FieldErrors {
    /// Notes a broken rule.
    pub fn add(&mut self, field: &'static str, message: impl Display) {
        self.0.push(FieldError {
            field,
            message: message.to_string(),
        });
    }

    /// The value, or a note that it broke its rule.
    pub fn check<T, E: Display>(&mut self, field: &'static str, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.add(field, error)).ok()
    }

    /// The checked request, if every field was in order.
    ///
    /// # Errors
    /// 422 `invalid_field` with every note, also where `checked` is `None`.
    pub fn finish<T>(self, checked: Option<T>) -> Result<T, Problem> {
        match checked {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => Err(Refusal::InvalidFields(self.0).into()),
        }
    }
}
