//! The operations that clients send, tried on two schemas.

use std::collections::BTreeSet;

use apollo_compiler::{ExecutableDocument, diagnostic::ToCliReport, parser::Parser, validation::DiagnosticList};
use serde::Serialize;

use super::CheckedSchema;

/// How deep selections may nest in a document of a client.
const RECURSION: usize = 500;

/// The documents of clients, together: a fragment may stand in another file than the operation that uses it.
#[derive(Debug, Default)]
pub struct Operations {
    files: Vec<(String, String)>,
}

/// An operation or fragment that fitted the old schema and does not fit the new one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct BrokenOperation {
    /// The file.
    pub file: String,
    /// The line in it, counted from 1; 0 if it is about the file as a whole.
    pub line: usize,
    /// The column in that line, counted from 1.
    pub column: usize,
    /// What does not fit.
    pub message: String,
}

/// A file of a client is no GraphQL document.
#[derive(Debug, thiserror::Error)]
#[error("{}:{}:{}: {}", place.file, place.line, place.column, place.message)]
pub struct OperationsError {
    /// The first place where it is none.
    pub place: BrokenOperation,
}

impl Operations {
    /// Adds a file.
    ///
    /// # Errors
    /// If it is no GraphQL document.
    pub fn add(&mut self, file: &str, text: &str) -> Result<(), OperationsError> {
        Parser::new().recursion_limit(RECURSION).parse_ast(text, file).map_err(|errors| {
            let first = errors.errors.iter().next();
            let place = first.as_ref().and_then(|problem| problem.line_column_range()).map(|range| range.start);
            OperationsError {
                place: BrokenOperation {
                    file: file.to_owned(),
                    line: place.map_or(0, |place| place.line),
                    column: place.map_or(0, |place| place.column),
                    message: first.map_or_else(String::new, |problem| problem.error.to_string()),
                },
            }
        })?;
        self.files.push((file.to_owned(), text.to_owned()));
        Ok(())
    }

    /// How many files there are.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there is no file.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// What fits the old schema and does not fit the new one. What did not fit the old one either is no news.
    pub fn broken(&self, old: &CheckedSchema, new: &CheckedSchema) -> Vec<BrokenOperation> {
        let before = self.problems(old);
        self.problems(new).into_iter().filter(|problem| !before.contains(problem)).collect()
    }

    /// All that does not fit a schema.
    pub fn problems(&self, schema: &CheckedSchema) -> BTreeSet<BrokenOperation> {
        let mut errors = DiagnosticList::new(Default::default());
        let mut builder = ExecutableDocument::builder(Some(&schema.0), &mut errors);
        for (file, text) in &self.files {
            Parser::new().recursion_limit(RECURSION).parse_into_executable_builder(text, file, &mut builder);
        }
        let document = builder.build();
        if let Err(invalid) = document.validate(&schema.0) {
            errors.merge(invalid.errors);
        }
        errors
            .iter()
            .map(|problem| {
                let place = problem.line_column_range().map(|range| range.start);
                let file = problem
                    .error
                    .location()
                    .and_then(|location| problem.sources.get(&location.file_id()))
                    .map(|source| source.path().display().to_string());
                BrokenOperation {
                    file: file.unwrap_or_default(),
                    line: place.map_or(0, |place| place.line),
                    column: place.map_or(0, |place| place.column),
                    message: problem.error.to_string(),
                }
            })
            .collect()
    }
}
