//! Documents: parsed, bounded and validated once, then kept.

use std::{num::NonZeroUsize, sync::Arc};

use apollo_compiler::{
    ExecutableDocument, Name,
    ast::Value,
    executable::{DirectiveList, Operation, Selection, SelectionSet},
    parser::Parser,
    response::{JsonMap, JsonValue},
    validation::{DiagnosticList, Valid},
};
use lru::LruCache;
use std::sync::Mutex;
use xxhash_rust::xxh3::xxh3_128;

use super::{
    Request,
    error::{Code, GraphqlError},
    limits::{self, Limits},
    plan::{self, Plan},
    schema::SpilSchema,
};

/// How deep brackets may nest before the parser gives up; a nested field takes one, a nested input value too.
const RECURSION: usize = 100;
/// The most problems that are told of one document.
const MAX_PROBLEMS: usize = 20;

/// A valid document.
pub(super) struct Prepared {
    text: Box<str>,
    pub(super) document: Valid<ExecutableDocument>,
    /// Per operation, the variables that decide which fields are asked for (`@skip`, `@include`).
    deciding: Vec<(Option<Name>, Vec<Name>)>,
}

impl Prepared {
    /// The document as it was given.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The variables that decide which fields an operation asks for.
    fn deciding(&self, operation: &Operation) -> &[Name] {
        self.deciding.iter().find(|(name, _)| *name == operation.name).map_or(&[], |(_, variables)| variables)
    }
}

/// Names a plan: the document, the operation in it, and the values of the variables that decide which fields are asked for.
#[derive(Clone, PartialEq, Eq, Hash)]
struct PlanKey {
    document: u128,
    operation: Option<Box<str>>,
    decided: Vec<bool>,
}

/// The documents and plans used last. Both are bounded; what falls out is made again when it is needed.
pub(super) struct Documents {
    schema: &'static SpilSchema,
    limits: Limits,
    prepared: Mutex<LruCache<u128, Arc<Prepared>>>,
    plans: Mutex<LruCache<PlanKey, Arc<Plan>>>,
}

impl Documents {
    pub(super) fn new(schema: &'static SpilSchema, limits: Limits, capacity: NonZeroUsize) -> Self {
        Self {
            schema,
            limits,
            prepared: Mutex::new(LruCache::new(capacity)),
            plans: Mutex::new(LruCache::new(capacity.saturating_mul(NonZeroUsize::MIN.saturating_add(1)))),
        }
    }

    /// The valid document that a request speaks of.
    ///
    /// # Errors
    /// As [`Documents::prepare`], and if the request names no document.
    pub(super) fn find(&self, request: &Request) -> Result<(u128, Arc<Prepared>), Vec<GraphqlError>> {
        let Some(text) = &request.query else {
            return Err(vec![GraphqlError::new(Code::BadRequest, "the request has no `query`")]);
        };
        self.prepare(text)
    }

    /// The valid document of a text.
    ///
    /// # Errors
    /// If the text is too long, no GraphQL, beyond the bounds or not valid; every problem has its place, up to a number.
    pub(super) fn prepare(&self, text: &str) -> Result<(u128, Arc<Prepared>), Vec<GraphqlError>> {
        if text.len() > self.limits.document_bytes {
            return Err(vec![GraphqlError::new(
                Code::TooLarge,
                format!("the document has more than {} bytes", self.limits.document_bytes),
            )]);
        }
        let hash = xxh3_128(text.as_bytes());
        // The text is compared too: a hash that is not secret can be met on purpose.
        if let Some(found) = lock(&self.prepared).get(&hash)
            && *found.text == *text
        {
            return Ok((hash, Arc::clone(found)));
        }
        let prepared = Arc::new(self.parse(text)?);
        lock(&self.prepared).put(hash, Arc::clone(&prepared));
        Ok((hash, prepared))
    }

    fn parse(&self, text: &str) -> Result<Prepared, Vec<GraphqlError>> {
        let document = Parser::new()
            .token_limit(self.limits.tokens)
            .recursion_limit(RECURSION)
            .parse_ast(text, "document.graphql")
            .map_err(|errors| problems(Code::ParseFailed, &errors.errors))?;
        limits::check(&document, &self.limits).map_err(|error| vec![error])?;
        let document = document
            .to_executable_validate(&self.schema.schema)
            .map_err(|errors| problems(Code::ValidationFailed, &errors.errors))?;
        let deciding = document
            .operations
            .iter()
            .map(|operation| {
                let mut variables = Vec::new();
                deciding_variables(&document, &operation.selection_set, &mut variables);
                (operation.name.clone(), variables)
            })
            .collect();
        Ok(Prepared { text: text.into(), document, deciding })
    }

    /// How to run an operation of a document.
    ///
    /// # Errors
    /// If it asks for more than it may.
    pub(super) fn plan(
        &self,
        hash: u128,
        prepared: &Prepared,
        operation: &Operation,
        variables: &JsonMap,
    ) -> Result<Arc<Plan>, GraphqlError> {
        let decided = prepared
            .deciding(operation)
            .iter()
            .map(|name| variables.get(name.as_str()) == Some(&JsonValue::Bool(true)))
            .collect();
        let key =
            PlanKey { document: hash, operation: operation.name.as_ref().map(|name| name.as_str().into()), decided };
        if let Some(found) = lock(&self.plans).get(&key) {
            return Ok(Arc::clone(found));
        }
        let plan = Arc::new(plan::compile(&prepared.document, operation, variables, &self.limits)?);
        lock(&self.plans).put(key, Arc::clone(&plan));
        Ok(plan)
    }
}

/// A cache is whole after every step, so a panic elsewhere leaves nothing to fear.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn problems(code: Code, list: &DiagnosticList) -> Vec<GraphqlError> {
    let errors: Vec<_> = list
        .iter()
        .take(MAX_PROBLEMS)
        .map(|diagnostic| {
            let json = diagnostic.to_json();
            // The parser tells of its two bounds in words only.
            let code = match code {
                Code::ParseFailed if json.message.contains("token limit") => Code::TooLarge,
                Code::ParseFailed if json.message.contains("recursion limit") => Code::TooDeep,
                code => code,
            };
            GraphqlError {
                code,
                message: json.message,
                path: Vec::new(),
                locations: json.locations.iter().map(|location| (location.line, location.column)).collect(),
            }
        })
        .collect();
    // A document that was cut off at a bound has other faults in consequence; the bound is what matters.
    if let Some(bound) = errors.iter().find(|error| matches!(error.code, Code::TooLarge | Code::TooDeep)) {
        return vec![bound.clone()];
    }
    if errors.is_empty() { vec![GraphqlError::new(code, "the document can not be read")] } else { errors }
}

fn deciding_variables(document: &ExecutableDocument, set: &SelectionSet, found: &mut Vec<Name>) {
    for selection in &set.selections {
        conditions(selection.directives(), found);
        match selection {
            Selection::Field(field) => deciding_variables(document, &field.selection_set, found),
            Selection::InlineFragment(fragment) => deciding_variables(document, &fragment.selection_set, found),
            Selection::FragmentSpread(spread) => {
                if let Some(fragment) = document.fragments.get(&spread.fragment_name) {
                    deciding_variables(document, &fragment.selection_set, found);
                }
            }
        }
    }
}

fn conditions(directives: &DirectiveList, found: &mut Vec<Name>) {
    for directive in directives.iter().filter(|directive| matches!(directive.name.as_str(), "skip" | "include")) {
        if let Some(Value::Variable(name)) = directive.specified_argument_by_name("if").map(AsRef::as_ref)
            && !found.contains(name)
        {
            found.push(name.clone());
        }
    }
}
