//! What one request may ask for, checked before anything else is done with a document.

use std::collections::HashMap;

use apollo_compiler::ast::{Definition, Document, Selection};

use super::error::{Code, GraphqlError};

/// The bounds of one request.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The most bytes of a document.
    pub document_bytes: usize,
    /// The most tokens of a document.
    pub tokens: usize,
    /// The deepest nesting of fields, fragments written out.
    pub depth: usize,
    /// The most fields of a document, fragments written out; aliases count.
    pub fields: usize,
    /// The most work of one request: each value written and each record looked at counts as one.
    pub cost: u64,
    /// The most mutations of one request.
    pub mutations: usize,
    /// The most subscriptions at once.
    pub subscriptions: usize,
    /// The most subscriptions at once of one caller.
    pub subscriptions_each: usize,
    /// The most bytes of documents and variables of all subscriptions at once.
    pub subscription_bytes: usize,
    /// The most bytes of documents and variables of all subscriptions at once of one caller.
    pub subscription_bytes_each: usize,
    /// The most bytes of one answer to a live query.
    pub live_answer_bytes: usize,
    /// The most bytes of answers to live queries that are kept for those who have not taken them; at least those of one answer.
    pub live_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            document_bytes: 128 << 10,
            tokens: 20_000,
            depth: 40,
            fields: 5_000,
            cost: 2_000_000,
            mutations: 100,
            subscriptions: 10_000,
            subscriptions_each: 2_000,
            subscription_bytes: 128 << 20,
            subscription_bytes_each: 8 << 20,
            live_answer_bytes: 4 << 20,
            live_bytes: 64 << 20,
        }
    }
}

/// How deep fragments may be nested within fragments, whether they have fields or not.
const MAX_FRAGMENT_NESTING: usize = 50;
/// The most records of one page, and the most facets.
pub const MAX_PAGE: usize = 1000;
/// The most records that a traversal starts from.
pub const MAX_REACH_FROM: usize = 100;
/// The most relations that a traversal follows in a row.
pub const MAX_REACH_DEPTH: u32 = 20;
/// The relations that a traversal follows in a row where the document does not say.
pub const DEFAULT_REACH_DEPTH: u32 = 6;
/// The most records of a page of a search.
pub const MAX_SEARCH_PAGE: usize = 100;
/// The records of a page of a search where the document does not say.
pub const DEFAULT_SEARCH_PAGE: usize = 20;
/// The records of a page where the document does not say.
pub const DEFAULT_PAGE: usize = 100;
/// The facets of a list where the document does not say.
pub const DEFAULT_FACETS: usize = 50;

/// How large a selection is with its fragments written out.
#[derive(Clone, Copy, Default)]
struct Extent {
    fields: usize,
    depth: usize,
}

/// Checks a document against the bounds in time linear in its length: the extent of each fragment is found once, so that
/// fragments which double each other cost nothing before they are refused.
///
/// # Errors
/// If the document is too deep or too large, or its fragments form a cycle.
pub(super) fn check(document: &Document, limits: &Limits) -> Result<(), GraphqlError> {
    let mut fragments = HashMap::new();
    for definition in &document.definitions {
        if let Definition::FragmentDefinition(fragment) = definition {
            fragments.insert(fragment.name.as_str(), fragment.selection_set.as_slice());
        }
    }
    let mut measure = Measure { fragments, known: HashMap::new(), nesting: 0 };
    for definition in &document.definitions {
        let selections = match definition {
            Definition::OperationDefinition(operation) => &operation.selection_set,
            Definition::FragmentDefinition(fragment) => &fragment.selection_set,
            _ => continue,
        };
        let extent = measure.selections(selections)?;
        if extent.depth > limits.depth {
            return Err(GraphqlError::new(
                Code::TooDeep,
                format!("the document is nested {} deep; at most {} is allowed", extent.depth, limits.depth),
            ));
        }
        if extent.fields > limits.fields {
            return Err(GraphqlError::new(
                Code::TooLarge,
                format!(
                    "the document asks for more than {} fields, counted with its fragments written out",
                    limits.fields
                ),
            ));
        }
    }
    Ok(())
}

struct Measure<'a> {
    fragments: HashMap<&'a str, &'a [Selection]>,
    /// The extent of each fragment seen; `None` while it is being measured.
    known: HashMap<&'a str, Option<Extent>>,
    /// How many fragments are being measured within each other.
    nesting: usize,
}

impl<'a> Measure<'a> {
    fn selections(&mut self, selections: &'a [Selection]) -> Result<Extent, GraphqlError> {
        let mut sum = Extent::default();
        for selection in selections {
            let extent = match selection {
                Selection::Field(field) => {
                    let below = self.selections(&field.selection_set)?;
                    Extent { fields: below.fields.saturating_add(1), depth: below.depth.saturating_add(1) }
                }
                Selection::InlineFragment(fragment) => self.selections(&fragment.selection_set)?,
                Selection::FragmentSpread(spread) => self.fragment(spread.fragment_name.as_str())?,
            };
            sum.fields = sum.fields.saturating_add(extent.fields);
            sum.depth = sum.depth.max(extent.depth);
        }
        Ok(sum)
    }

    fn fragment(&mut self, name: &'a str) -> Result<Extent, GraphqlError> {
        match self.known.get(name) {
            Some(Some(extent)) => return Ok(*extent),
            Some(None) => {
                return Err(GraphqlError::new(
                    Code::ValidationFailed,
                    format!("the fragment `{name}` is part of itself"),
                ));
            }
            None => {}
        }
        // A fragment that is not there is left for the validation to name.
        let Some(selections) = self.fragments.get(name).copied() else { return Ok(Extent::default()) };
        if self.nesting == MAX_FRAGMENT_NESTING {
            return Err(GraphqlError::new(
                Code::TooDeep,
                format!("fragments are nested deeper than {MAX_FRAGMENT_NESTING}"),
            ));
        }
        self.known.insert(name, None);
        self.nesting += 1;
        let extent = self.selections(selections)?;
        self.nesting -= 1;
        self.known.insert(name, Some(extent));
        Ok(extent)
    }
}
