//! Commands of inputs, and what owners say of them in the words of the schema.

use spil_proto::{
    changefeed::v1::{Action, Command, ItemResult, Outcome, Problem, ProblemCode, Record, Target, target},
    model::{Kind, field},
};

use super::{UserError, Warning};
use crate::graphql::{
    bind::{InputFault, Write},
    plan::Verb,
};

/// The command that writes what an input says.
pub(super) fn command(kind: Kind, verb: Verb, write: &Write) -> Command {
    let mut values = Record::empty(kind);
    let mut fields = Vec::with_capacity(write.values.len());
    if let Some(entity) = values.entity_mut() {
        for (info, value) in &write.values {
            // The value was read for this very field, so that it fits; if not, the owner says that it is missing.
            let _ = entity.set(info.index, value.clone());
            fields.push(info.column.to_owned());
        }
    }
    let action = match verb {
        Verb::Create => Action::Create,
        Verb::Update => Action::Update,
        Verb::Retire => Action::Retire,
    };
    Command {
        action: action.into(),
        target: write.id.map(|id| Target { by: Some(target::By::Id(id.as_bytes().to_vec())) }),
        expected_version: write.expected_version,
        values: Some(values),
        fields,
        references: Vec::new(),
    }
}

/// What an owner says of a command.
pub(super) struct Verdict {
    pub(super) errors: Vec<UserError>,
    pub(super) warnings: Vec<Warning>,
}

impl Verdict {
    /// Reads the answer to a command. `root` leads to the input that the command was made of.
    pub(super) fn of(kind: Kind, verb: Verb, item: &ItemResult, root: &[String]) -> Self {
        let mut errors = Vec::new();
        if item.outcome() == Outcome::Conflict {
            let field = |column: &String| Some(kind.info().field_by_column(column)?.name);
            errors.push(UserError::Conflict {
                message: format!("the record has version {} by now", item.version),
                path: within(root, "expectedVersion"),
                current_version: item.version,
                fields: item.conflicting_fields.iter().filter_map(field).collect(),
            });
        }
        errors.extend(item.problems.iter().map(|problem| UserError::Input {
            code: code_name(problem.code()),
            message: spoken(kind, &problem.message),
            path: path(kind, verb, problem, root),
        }));
        let warnings = item
            .warnings
            .iter()
            .map(|warning| Warning { message: spoken(kind, &warning.message), path: path(kind, verb, warning, root) });
        Self { errors, warnings: warnings.collect() }
    }
}

/// What is wrong with the form of an input.
pub(super) fn faults(faults: &[InputFault], root: &[String]) -> Vec<UserError> {
    let fault = |fault: &InputFault| UserError::Input {
        code: fault.code,
        message: fault.message.clone(),
        path: root.iter().chain(&fault.path).cloned().collect(),
    };
    faults.iter().map(fault).collect()
}

/// Adds what the owner says of an input that is wrong already. It saw the input without the values that could not be read, so
/// it may miss them, and rules that look at several fields may be broken only for that.
pub(super) fn add_verdict(found: &mut Vec<UserError>, verdict: Verdict) {
    let known: Vec<Vec<String>> = found.iter().map(|error| error.path().to_vec()).collect();
    found.extend(verdict.errors.into_iter().filter(|error| {
        let is_rule = matches!(error, UserError::Input { code: "RULE", .. });
        !is_rule && !known.iter().any(|path| path.starts_with(error.path()))
    }));
}

/// The `clientMutationId` is that of something else.
pub(super) fn reused() -> UserError {
    UserError::Input {
        code: "MUTATION_ID_REUSED",
        message: "this `clientMutationId` was used for another input; nothing was written".to_owned(),
        path: vec!["input".to_owned(), "clientMutationId".to_owned()],
    }
}

/// The `clientMutationId` was given to something else while this was being done.
pub(super) fn reused_meanwhile() -> UserError {
    UserError::Input {
        code: "MUTATION_ID_REUSED",
        message: "this `clientMutationId` was used for another input at the same time; the steps say what was written"
            .to_owned(),
        path: vec!["input".to_owned(), "clientMutationId".to_owned()],
    }
}

/// What there is to know about a mutation that was answered before.
pub(super) fn replayed() -> Warning {
    Warning {
        message: "this mutation was done before; nothing was written now, and the record is given as it is now"
            .to_owned(),
        path: vec!["input".to_owned(), "clientMutationId".to_owned()],
    }
}

/// A place within another.
pub(super) fn within(root: &[String], name: &str) -> Vec<String> {
    root.iter().cloned().chain([name.to_owned()]).collect()
}

/// The input field that a problem is about.
fn path(kind: Kind, verb: Verb, problem: &Problem, root: &[String]) -> Vec<String> {
    let info = kind.info();
    match info.input_by_column(&problem.field).or_else(|| info.field_by_column(&problem.field)) {
        Some(info) if info.index == field::ID || info.writable => within(root, info.name),
        _ if verb != Verb::Create && matches!(problem.code(), ProblemCode::NotFound | ProblemCode::Retired) => {
            within(root, "id")
        }
        _ => root.to_vec(),
    }
}

/// A message of an owner in the words of the schema: owners speak of columns.
fn spoken(kind: Kind, message: &str) -> String {
    let info = kind.info();
    info.fields()
        .chain(info.one_way)
        .filter(|info| info.column != info.name)
        .fold(message.to_owned(), |message, info| {
            message.replace(&format!("`{}`", info.column), &format!("`{}`", info.name))
        })
}

/// The code of a problem as clients see it.
fn code_name(code: ProblemCode) -> &'static str {
    match code {
        ProblemCode::Required => "REQUIRED",
        ProblemCode::OutOfRange => "OUT_OF_RANGE",
        ProblemCode::TooLong => "TOO_LONG",
        ProblemCode::Malformed | ProblemCode::UnknownField => "MALFORMED",
        ProblemCode::NotFound => "NOT_FOUND",
        ProblemCode::Taken => "TAKEN",
        ProblemCode::Cycle => "CYCLE",
        ProblemCode::Retired => "RETIRED",
        ProblemCode::Immutable => "IMMUTABLE",
        ProblemCode::Erased => "ERASED",
        ProblemCode::Forbidden => "FORBIDDEN",
        ProblemCode::Rule | ProblemCode::Unspecified => "RULE",
    }
}
