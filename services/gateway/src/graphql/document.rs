//! Documents: parsed, bounded and validated once, then kept.

use std::{
    num::NonZeroUsize,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use apollo_compiler::{
    ExecutableDocument, Name,
    ast::Value,
    executable::{DirectiveList, Operation, Selection, SelectionSet},
    parser::Parser,
    response::{JsonMap, JsonValue},
    validation::{DiagnosticList, Valid},
};
use lru::LruCache;
use xxhash_rust::xxh3::xxh3_128;

use super::{
    Request,
    error::{Code, GraphqlError},
    limits::{self, Limits},
    persisted::{PersistedQueries, TextHash},
    plan::{self, Plan},
    schema::SpilSchema,
    trusted::DocumentRules,
};

/// How deep brackets may nest before the parser gives up; a nested field takes one, a nested input value too.
const RECURSION: usize = 100;
/// The only version of the protocol of persisted queries.
const PERSISTED_QUERY_VERSION: u64 = 1;
/// What clients of Apollo look for in the message to send the text along.
const PERSISTED_QUERY_NOT_FOUND: &str = "PersistedQueryNotFound";
/// The most problems that are told of one document.
const MAX_PROBLEMS: usize = 20;

/// A valid document.
pub(super) struct Prepared {
    text: Box<str>,
    pub(super) document: Valid<ExecutableDocument>,
    /// Per operation, the variables that decide which fields are asked for (`@skip`, `@include`).
    deciding: Vec<(Option<Name>, Vec<Name>)>,
    /// Tells it from every other document, before and after: no text has two, and no two texts have one.
    number: u64,
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
    document: u64,
    operation: Option<Box<str>>,
    decided: Vec<bool>,
}

/// The documents and plans used last. Both are bounded; what falls out is made again when it is needed.
pub(super) struct Documents {
    schema: &'static SpilSchema,
    limits: Limits,
    rules: DocumentRules,
    persisted: Mutex<PersistedQueries>,
    prepared: Mutex<LruCache<u128, Arc<Prepared>>>,
    plans: Mutex<LruCache<PlanKey, Arc<Plan>>>,
}

impl Documents {
    pub(super) fn new(schema: &'static SpilSchema, limits: Limits, capacity: NonZeroUsize) -> Self {
        Self {
            schema,
            limits,
            rules: DocumentRules::default(),
            persisted: Mutex::new(PersistedQueries::new()),
            prepared: Mutex::new(LruCache::new(capacity)),
            plans: Mutex::new(LruCache::new(capacity.saturating_mul(NonZeroUsize::MIN.saturating_add(1)))),
        }
    }

    /// Which documents are run.
    pub(super) fn rules(&self) -> &DocumentRules {
        &self.rules
    }

    /// Says which documents are run.
    pub(super) fn set_rules(&mut self, rules: DocumentRules) {
        self.rules = rules;
    }

    /// The valid document that a request speaks of: by its text, by its text and hash, or by what it is known by here.
    ///
    /// # Errors
    /// As [`Documents::prepare`]; and if the request names no document, or one that is not known or may not be run.
    pub(super) fn find(&self, request: &Request) -> Result<Arc<Prepared>, Vec<GraphqlError>> {
        let one = |code, message: &str| vec![GraphqlError::new(code, message)];
        let hash = request.extensions.as_ref().and_then(|extensions| extensions.persisted_query.as_ref());
        if hash.is_some_and(|hash| hash.version != PERSISTED_QUERY_VERSION) {
            return Err(one(Code::BadRequest, "the version of `persistedQuery` is not supported; version 1 is"));
        }
        match (&request.query, &request.document_id, hash) {
            (Some(text), None, None) => {
                self.check_trusted(text)?;
                self.prepare(text)
            }
            (Some(text), None, Some(hash)) => {
                let text_hash = TextHash::of(text);
                if TextHash::parse(&hash.sha256_hash) != Some(text_hash) {
                    return Err(one(Code::BadRequest, "the `sha256Hash` is not the SHA-256 of the `query`"));
                }
                self.check_trusted(text)?;
                let found = self.prepare(text)?;
                lock(&self.persisted).put(text_hash, text);
                Ok(found)
            }
            (Some(_), Some(_), _) => Err(one(Code::BadRequest, "a request has a `query` or a `documentId`, not both")),
            (None, Some(id), _) => self.prepare(&self.known(id.strip_prefix("sha256:").unwrap_or(id))?),
            (None, None, Some(hash)) => self.prepare(&self.known(&hash.sha256_hash)?),
            (None, None, None) => Err(one(Code::BadRequest, "the request has no `query`")),
        }
    }

    /// The text of the document with an identifier: one of the manifest, or the SHA-256 of one that was sent before.
    fn known(&self, id: &str) -> Result<Arc<str>, Vec<GraphqlError>> {
        if let Some(text) = self.rules.trusted.as_ref().and_then(|trusted| trusted.by_id(id)) {
            return Ok(text);
        }
        if self.rules.only_trusted {
            return Err(not_trusted());
        }
        TextHash::parse(id)
            .and_then(|hash| lock(&self.persisted).get(&hash))
            .ok_or_else(|| vec![GraphqlError::new(Code::PersistedQueryNotFound, PERSISTED_QUERY_NOT_FOUND)])
    }

    /// Where only trusted documents are run, refuses a text that is none.
    fn check_trusted(&self, text: &str) -> Result<(), Vec<GraphqlError>> {
        let rules = &self.rules;
        if rules.only_trusted && !rules.trusted.as_ref().is_some_and(|trusted| trusted.contains(text)) {
            return Err(not_trusted());
        }
        Ok(())
    }

    /// The valid document of a text.
    ///
    /// # Errors
    /// If the text is too long, no GraphQL, beyond the bounds or not valid; every problem has its place, up to a number.
    pub(super) fn prepare(&self, text: &str) -> Result<Arc<Prepared>, Vec<GraphqlError>> {
        let hash = xxh3_128(text.as_bytes());
        // The text is compared too: a hash that is not secret can be met on purpose.
        if let Some(found) = lock(&self.prepared).get(&hash)
            && *found.text == *text
        {
            return Ok(Arc::clone(found));
        }
        let prepared = Arc::new(parse(self.schema, &self.limits, text)?);
        lock(&self.prepared).put(hash, Arc::clone(&prepared));
        Ok(prepared)
    }

    /// How to run an operation of a document.
    ///
    /// # Errors
    /// If it asks for more than it may, or for the schema where nobody may.
    pub(super) fn plan(
        &self,
        prepared: &Prepared,
        operation: &Operation,
        variables: &JsonMap,
    ) -> Result<Arc<Plan>, GraphqlError> {
        let decided = prepared
            .deciding(operation)
            .iter()
            .map(|name| match variables.get(name.as_str()) {
                Some(JsonValue::Bool(value)) => Ok(*value),
                // A variable with a default may be given as null all the same.
                _ => Err(GraphqlError::new(Code::BadInput, "`@skip` and `@include` need true or false, not null")
                    .at(["variables", name.as_str()])),
            })
            .collect::<Result<_, _>>()?;
        let operation_name = operation.name.as_ref().map(|name| name.as_str().into());
        // Not by a hash of the text: two texts can be made to have the same, and one would run as the other.
        let key = PlanKey { document: prepared.number, operation: operation_name, decided };
        if let Some(found) = lock(&self.plans).get(&key) {
            return Ok(Arc::clone(found));
        }
        let plan = Arc::new(plan::compile(&prepared.document, operation, variables, &self.limits)?);
        if !self.rules.introspection && plan.tells_schema() {
            return Err(GraphqlError::new(Code::IntrospectionDisabled, "the schema can not be asked for here"));
        }
        lock(&self.plans).put(key, Arc::clone(&plan));
        Ok(plan)
    }
}

/// Parses, bounds and validates a text.
///
/// # Errors
/// If it is too long, no GraphQL, beyond the bounds or not valid.
pub(super) fn parse(schema: &SpilSchema, limits: &Limits, text: &str) -> Result<Prepared, Vec<GraphqlError>> {
    if text.len() > limits.document_bytes {
        let message = format!("the document has more than {} bytes", limits.document_bytes);
        return Err(vec![GraphqlError::new(Code::TooLarge, message)]);
    }
    let document = Parser::new()
        .token_limit(limits.tokens)
        .recursion_limit(RECURSION)
        .parse_ast(text, "document.graphql")
        .map_err(|errors| problems(Code::ParseFailed, &errors.errors))?;
    limits::check(&document, limits).map_err(|error| vec![error])?;
    let document = document
        .to_executable_validate(&schema.schema)
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
    static NEXT: AtomicU64 = AtomicU64::new(0);
    Ok(Prepared { text: text.into(), document, deciding, number: NEXT.fetch_add(1, Ordering::Relaxed) })
}

fn not_trusted() -> Vec<GraphqlError> {
    vec![GraphqlError::new(Code::DocumentNotTrusted, "only documents of the list of trusted ones are run here")]
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
