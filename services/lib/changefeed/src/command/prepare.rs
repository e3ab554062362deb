//! Reads a command as far as that is possible without looking at any record.

use spil_proto::{
    changefeed::v1::{self, Action, Problem, ProblemCode, Record, target::By},
    model::{ExternalId, FieldInfo, FieldType, HEADER_FIELDS, Kind, Owner, Value, field},
};
use uuid::Uuid;

use super::{
    normalise::{MAX_REFERENCES, external_id, normalise, text},
    one_way::Secret,
};
use crate::rule::problem;

/// A command, read and normalised.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) action: Action,
    pub(crate) kind: Kind,
    pub(crate) target: Option<Name>,
    pub(crate) expected_version: Option<u64>,
    pub(crate) values: Vec<FieldValue>,
    pub(crate) lookups: Vec<Lookup>,
    /// The values for fields that are only written.
    pub(crate) secrets: Vec<Secret>,
}

/// A way to name a record of a known kind.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Name {
    Id(Uuid),
    Key(String),
    External(ExternalId),
}

/// A value for a field.
#[derive(Debug)]
pub(crate) struct FieldValue {
    pub(crate) info: &'static FieldInfo,
    /// Whether the command names the field. Fields that it does not name count only where a record is created.
    pub(crate) named: bool,
    pub(crate) value: Result<Value<'static>, Problem>,
}

/// A reference to be looked up.
#[derive(Debug)]
pub(crate) struct Lookup {
    pub(crate) info: &'static FieldInfo,
    /// The kind referred to.
    pub(crate) kind: Kind,
    /// Whether the field holds several references.
    pub(crate) many: bool,
    pub(crate) names: Vec<Name>,
}

impl Prepared {
    /// The name of the record to be changed, if it is there.
    pub(crate) fn target(&self) -> Option<(Kind, &Name)> {
        Some((self.kind, self.target.as_ref()?))
    }

    /// The normalised values, whether they count or not.
    pub(crate) fn sound_values(&self) -> impl Iterator<Item = (&'static FieldInfo, &Value<'static>)> {
        self.values.iter().filter_map(|value| Some((value.info, value.value.as_ref().ok()?)))
    }
}

/// Reads a command.
///
/// # Errors
/// What is wrong with its form. What is wrong with values is told later: some of them may not count.
pub(crate) fn prepare(owner: Owner, command: &v1::Command) -> Result<Prepared, Vec<Problem>> {
    let whole = |code, message: &str| vec![problem("", code, message)];
    let action = match command.action() {
        Action::Unspecified => return Err(whole(ProblemCode::Required, "a command needs an action")),
        action => action,
    };
    let Some(record) = &command.values else {
        return Err(whole(ProblemCode::Required, "a command needs `values`, which say the kind of the record"));
    };
    let Some(kind) = record.kind() else {
        return Err(whole(ProblemCode::Malformed, "`values` is of no known kind"));
    };
    if kind.info().owner != owner {
        let message = format!("{} is no kind of the {} owner", kind.info().name, owner.name());
        return Err(whole(ProblemCode::Malformed, &message));
    }
    let target = match command.target.as_ref().and_then(|target| target.by.as_ref()) {
        Some(by) => Some(name(&HEADER_FIELDS[field::ID], by).map_err(|problem| vec![problem])?),
        None if action == Action::Create => None,
        None => return Err(whole(ProblemCode::Required, "the command needs a target")),
    };
    let expected_version = command.expected_version;
    if action == Action::Retire {
        let (values, lookups, secrets) = (Vec::new(), Vec::new(), Vec::new());
        return Ok(Prepared { action, kind, target, expected_version, values, lookups, secrets });
    }
    let mut problems = Vec::new();
    let lookups = lookups(owner, kind, &command.references, &mut problems);
    let (values, secrets) = values(kind, record, &command.fields, action != Action::Update, &lookups, &mut problems);
    if problems.is_empty() {
        Ok(Prepared { action, kind, target, expected_version, values, lookups, secrets })
    } else {
        Err(problems)
    }
}

fn values(
    kind: Kind,
    record: &Record,
    fields: &[String],
    may_create: bool,
    lookups: &[Lookup],
    problems: &mut Vec<Problem>,
) -> (Vec<FieldValue>, Vec<Secret>) {
    let Some(entity) = record.entity() else { return (Vec::new(), Vec::new()) };
    let mut named = vec![false; kind.info().field_count() + kind.info().one_way.len()];
    for column in fields {
        match kind.info().input_by_column(column) {
            Some(info) => {
                if let Some(named) = named.get_mut(info.index) {
                    *named = true;
                }
            }
            None => {
                // The name is the caller's text and may be of any length.
                let column: String = column.chars().filter(|letter| !letter.is_control()).take(64).collect();
                let message = format!("{} has no field `{column}` that can be written", kind.info().name);
                problems.push(problem(&column, ProblemCode::UnknownField, message));
            }
        }
    }
    let is_named = |info: &FieldInfo| named.get(info.index).copied().unwrap_or(false);
    let one_way = kind.info().one_way.iter();
    let secrets = one_way.filter_map(|info| Secret::read(info, is_named(info), &entity.get(info.index))).collect();
    let writable = kind.info().fields().filter(|info| info.writable).map(|info| (info, is_named(info)));
    let values = writable
        .filter(|(info, _)| !lookups.iter().any(|lookup| lookup.info.index == info.index))
        .filter_map(|(info, named)| {
            let value = entity.get(info.index);
            (named || (may_create && !value.is_null())).then(|| FieldValue {
                info,
                named,
                value: normalise(info, value),
            })
        })
        .collect();
    (values, secrets)
}

fn lookups(owner: Owner, kind: Kind, references: &[v1::Reference], problems: &mut Vec<Problem>) -> Vec<Lookup> {
    let mut lookups: Vec<Lookup> = Vec::with_capacity(references.len().min(kind.info().own.len()));
    for reference in references {
        match lookup(owner, kind, reference) {
            Ok(lookup) if lookups.iter().any(|other| other.info.index == lookup.info.index) => {
                let message = format!("`{}` is looked up twice", lookup.info.column);
                problems.push(problem(lookup.info.column, ProblemCode::Malformed, message));
            }
            Ok(lookup) => lookups.push(lookup),
            Err(fault) => problems.push(fault),
        }
    }
    lookups
}

fn lookup(owner: Owner, kind: Kind, reference: &v1::Reference) -> Result<Lookup, Problem> {
    let info = kind.info().field_by_column(&reference.field).filter(|info| info.writable);
    let (info, to, many) = match info.map(|info| (info, info.ty)) {
        Some((info, FieldType::Ref(to))) => (info, to, false),
        Some((info, FieldType::RefList(to))) => (info, to, true),
        _ => {
            let field: String = reference.field.chars().filter(|letter| !letter.is_control()).take(64).collect();
            let message = format!("{} has no reference `{field}`", kind.info().name);
            return Err(problem(&field, ProblemCode::UnknownField, message));
        }
    };
    let most = if many { MAX_REFERENCES } else { 1 };
    if reference.targets.len() > most {
        let message = format!("`{}` must hold at most {most} values", info.column);
        return Err(problem(info.column, ProblemCode::TooLong, message));
    }
    let mut names = Vec::with_capacity(reference.targets.len());
    for target in &reference.targets {
        let Some(by) = &target.by else {
            let message = format!("`{}` holds a target that names nothing", info.column);
            return Err(problem(info.column, ProblemCode::Required, message));
        };
        let name = name(info, by)?;
        if to.info().owner != owner && !matches!(name, Name::Id(_)) {
            let message = format!("`{}` refers to a record of another owner, which only an id can name", info.column);
            return Err(problem(info.column, ProblemCode::Malformed, message));
        }
        names.push(name);
    }
    Ok(Lookup { info, kind: to, many, names })
}

fn name(info: &FieldInfo, by: &By) -> Result<Name, Problem> {
    let about = |mut fault: Problem| {
        info.column.clone_into(&mut fault.field);
        fault
    };
    match by {
        By::Id(bytes) => match Uuid::from_slice(bytes) {
            Ok(id) if !id.is_nil() && !id.is_max() => Ok(Name::Id(id)),
            _ => {
                let message = format!("`{}` holds no well-formed id", info.column);
                Err(problem(info.column, ProblemCode::Malformed, message))
            }
        },
        By::Key(key) => match text(&HEADER_FIELDS[field::KEY], key).map_err(about)? {
            Some(key) => Ok(Name::Key(key)),
            None => Err(problem(info.column, ProblemCode::Required, "an empty key names nothing")),
        },
        By::ExternalId(id) => Ok(Name::External(external_id(&HEADER_FIELDS[field::EXTERNAL_IDS], id).map_err(about)?)),
    }
}
