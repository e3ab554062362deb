//! What a change of the schema does to those who use it.
//!
//! [`compare`] says how two schemas differ and whether somebody who relied on the old one can be broken by it; [`Operations`]
//! says which of the operations that clients really send no longer fit. Pure: texts in, findings out.

mod argument;
mod definitions;
mod difference;
mod operations;

use apollo_compiler::{Schema, validation::Valid};

pub use difference::{Difference, Severity};
pub use operations::{BrokenOperation, Operations, OperationsError};

/// A text is no valid schema.
#[derive(Debug, thiserror::Error)]
#[error("{name} is no valid GraphQL schema: {problems}")]
pub struct SchemaTextError {
    name: String,
    problems: String,
}

/// A schema that was read from text.
#[derive(Debug)]
pub struct CheckedSchema(Valid<Schema>);

impl CheckedSchema {
    /// Reads a schema in the schema definition language. `name` is how problems speak of it, usually the path of a file.
    ///
    /// # Errors
    /// If the text is no valid schema.
    pub fn parse(text: &str, name: &str) -> Result<Self, SchemaTextError> {
        Schema::parse_and_validate(text, name)
            .map(Self)
            .map_err(|errors| SchemaTextError { name: name.to_owned(), problems: errors.errors.to_string() })
    }
}

/// How a new schema differs from an old one: what breaks first, then what may surprise, then the rest; each in the order of
/// its place.
pub fn compare(old: &CheckedSchema, new: &CheckedSchema) -> Vec<Difference> {
    let mut found = Vec::new();
    definitions::compare(&old.0, &new.0, &mut found);
    argument::directives(&old.0, &new.0, &mut found);
    found.sort_by(|a, b| (a.severity, &a.path, &a.message).cmp(&(b.severity, &b.path, &b.message)));
    found
}

#[cfg(test)]
mod tests;
