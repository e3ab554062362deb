//! Makes a policy of a file, or says what is wrong with it and in which line.

use std::{collections::HashSet, fmt, ops::Range};

use spil_proto::model::{FieldType, Kind, KindInfo, Purpose};
use toml::Spanned;

use crate::{
    Action, Condition, FieldSet, Right, Scope, fields,
    file::{AllowSection, MemberSection, PolicyFile, WorkerSection, line_of},
    membership::{Member, NamedBy, WorkerClaim},
    policy::{Allowed, Role},
};

/// The version of the form that is read.
const VERSION: i64 = 1;
/// The most bytes of a file.
pub(crate) const MAX_FILE_BYTES: usize = 1 << 20;
/// The most roles.
pub(crate) const MAX_ROLES: usize = 64;
/// The most entries of any list of a file.
const MAX_ENTRIES: usize = 256;
/// The most bytes of a name.
const MAX_NAME: usize = 512;
/// The most faults that are told at once.
const MAX_FAULTS: usize = 50;
/// What stands for all kinds, or for all purposes.
const EVERY: &str = "*";

/// Why a policy is not taken.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub struct PolicyError {
    /// The file, as it was named.
    pub file: String,
    /// What is wrong, in the order of the lines; at least one thing.
    pub faults: Vec<Fault>,
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, Fault { line, problem }) in self.faults.iter().enumerate() {
            if at > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{}:{line}: {problem}", self.file)?;
        }
        Ok(())
    }
}

/// One thing that is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The line, from 1 on.
    pub line: usize,
    /// What is wrong.
    pub problem: Problem,
}

/// What can be wrong with a policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The file can not be read.
    #[error("the file can not be read: {0}")]
    Unreadable(std::io::ErrorKind),
    /// The file is too long.
    #[error("the file has more than {MAX_FILE_BYTES} bytes")]
    TooLong,
    /// It is not of the right form.
    #[error("{0}")]
    Form(String),
    /// It is of another version.
    #[error("`version` is {0}, and this Spil reads {VERSION}")]
    Version(i64),
    /// A list has too many entries.
    #[error("`{0}` has more than {1} entries")]
    TooMany(&'static str, usize),
    /// A name is empty or too long.
    #[error("`{0}` must have 1 to {MAX_NAME} bytes")]
    Name(&'static str),
    /// No such kind.
    #[error("`{0}` is no kind of record")]
    UnknownKind(String),
    /// No such action.
    #[error("`{0}` is no action; there are {list}", list = names(Action::ALL.map(Action::name)))]
    UnknownAction(String),
    /// No such scope.
    #[error("`{0}` is no scope; there are {list}", list = names(Scope::ALL.map(Scope::name)))]
    UnknownScope(String),
    /// No such purpose.
    #[error("`{0}` is no purpose")]
    UnknownPurpose(String),
    /// None of the kinds has such a field.
    #[error("`{kind}` has no field `{field}`")]
    UnknownField {
        /// The kind.
        kind: &'static str,
        /// The field.
        field: String,
    },
    /// The field is not one of a closed list.
    #[error("`with` is about fields that hold one of a closed list, and `{kind}.{field}` does not")]
    NotAnEnum {
        /// The kind.
        kind: &'static str,
        /// The field.
        field: String,
    },
    /// The closed list has no such value.
    #[error("`{field}` is never `{value}`")]
    UnknownValue {
        /// The field.
        field: String,
        /// The value.
        value: String,
    },
    /// The scope is not said.
    #[error("`scope` is missing: say which records `{0}` is allowed for")]
    NoScope(&'static str),
    /// The action has no scope.
    #[error("`{action}` is about a kind as a whole: it has the scope `all` or none, and not `{scope}`")]
    NotScoped {
        /// The action.
        action: &'static str,
        /// The scope.
        scope: &'static str,
    },
    /// The action is not about fields.
    #[error("`fields` means nothing for `{0}`")]
    NoFields(&'static str),
    /// The action does not write.
    #[error("`with` means nothing for `{0}`")]
    NoConditions(&'static str),
    /// The purposes are not said.
    #[error("`purposes` is missing: say for which purposes people may be identified")]
    NoPurposes,
    /// The action needs no purpose.
    #[error("`purposes` means something for `identify` only")]
    Purposes,
    /// `except` goes with all kinds.
    #[error("`except` goes with `kinds = [\"*\"]`")]
    Except,
    /// Nothing is left.
    #[error("`{0}` is empty")]
    Empty(&'static str),
    /// A member is no way to be a member.
    #[error("a member has either `claim` with `value`, or `linked = true`, or `anyone = true`")]
    Member,
    /// Nobody can be linked.
    #[error("`linked` needs the section `worker`, which says how a token names a worker")]
    NoWorkerClaim,
    /// How a worker is named.
    #[error("`by` is `key`, `number`, `id` or `external_id`, which takes `system` with it")]
    NamedBy,
}

fn names<const N: usize>(names: [&str; N]) -> String {
    names.join(", ")
}

/// What a file says, checked.
pub(crate) struct Checked {
    pub(crate) worker: Option<WorkerClaim>,
    pub(crate) roles: Vec<Role>,
}

/// Reads a policy.
pub(crate) fn check(name: &str, text: &str) -> Result<Checked, PolicyError> {
    let refused = |faults| PolicyError { file: name.to_owned(), faults };
    if text.len() > MAX_FILE_BYTES {
        return Err(refused(vec![Fault { line: 1, problem: Problem::TooLong }]));
    }
    let file: PolicyFile = toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(1, |span| line_of(text, span.start));
        refused(vec![Fault { line, problem: Problem::Form(error.message().to_owned()) }])
    })?;
    let mut checker = Checker { text, faults: Vec::new() };
    let checked = checker.file(&file);
    if checker.faults.is_empty() {
        return Ok(checked);
    }
    checker.faults.sort_by_key(|fault| fault.line);
    checker.faults.truncate(MAX_FAULTS);
    Err(refused(checker.faults))
}

struct Checker<'a> {
    text: &'a str,
    faults: Vec<Fault>,
}

impl Checker<'_> {
    fn fault(&mut self, at: Range<usize>, problem: Problem) {
        self.faults.push(Fault { line: line_of(self.text, at.start), problem });
    }

    fn file(&mut self, file: &PolicyFile) -> Checked {
        if *file.version.get_ref() != VERSION {
            self.fault(file.version.span(), Problem::Version(*file.version.get_ref()));
        }
        let worker = file.worker.as_ref().and_then(|section| self.worker(section));
        if file.roles.len() > MAX_ROLES {
            self.fault(0..0, Problem::TooMany("roles", MAX_ROLES));
        }
        let mut roles = Vec::new();
        for (name, section) in file.roles.iter().take(MAX_ROLES) {
            self.name("roles", name);
            self.bounded("members", name.span(), section.members.len());
            self.bounded("allow", name.span(), section.allow.len());
            let members =
                section.members.iter().filter_map(|member| self.member(member, file.worker.is_some())).collect();
            let allowed = section.allow.iter().flat_map(|allow| self.allow(allow)).collect();
            let description = section.description.clone();
            roles.push(Role { name: name.get_ref().as_str().into(), description, members, allowed });
        }
        Checked { worker, roles }
    }

    fn worker(&mut self, section: &WorkerSection) -> Option<WorkerClaim> {
        self.name("claim", &section.claim);
        let by = match (section.by.get_ref().as_str(), &section.system) {
            ("key", None) => NamedBy::Key,
            ("number", None) => NamedBy::Number,
            ("id", None) => NamedBy::Id,
            ("external_id", Some(system)) => {
                self.name("system", system);
                NamedBy::ExternalId { system: system.get_ref().clone() }
            }
            _ => {
                self.fault(section.by.span(), Problem::NamedBy);
                return None;
            }
        };
        Some(WorkerClaim { path: section.claim.get_ref().clone(), by })
    }

    fn member(&mut self, member: &Spanned<MemberSection>, has_worker_claim: bool) -> Option<Member> {
        let MemberSection { claim, value, issuer, linked, anyone } = member.get_ref();
        let made = match (claim, value, linked, anyone) {
            (Some(path), Some(value), false, false) => {
                Member::Claim { path: path.clone(), value: value.clone(), issuer: issuer.clone() }
            }
            (None, None, true, false) if issuer.is_none() => Member::Linked,
            (None, None, false, true) if issuer.is_none() => Member::Anyone,
            _ => {
                self.fault(member.span(), Problem::Member);
                return None;
            }
        };
        if let Member::Claim { path, value, .. } = &made {
            for (name, text) in [("claim", path), ("value", value)] {
                if text.is_empty() || text.len() > MAX_NAME {
                    self.fault(member.span(), Problem::Name(name));
                }
            }
        }
        if matches!(made, Member::Linked) && !has_worker_claim {
            self.fault(member.span(), Problem::NoWorkerClaim);
        }
        Some(made)
    }

    fn allow(&mut self, section: &Spanned<AllowSection>) -> Vec<Allowed> {
        let (allow, span) = (section.get_ref(), section.span());
        for (name, length) in [
            ("kinds", allow.kinds.as_ref().map_or(0, Vec::len)),
            ("except", allow.except.len()),
            ("actions", allow.actions.len()),
            ("fields", allow.fields.as_ref().map_or(0, Vec::len)),
            ("with", allow.with.len()),
            ("purposes", allow.purposes.as_ref().map_or(0, Vec::len)),
        ] {
            self.bounded(name, span.clone(), length);
        }
        let kinds = self.kinds(allow, &span);
        let scope = allow.scope.as_ref().and_then(|name| {
            let scope = Scope::from_name(name.get_ref());
            if scope.is_none() {
                self.fault(name.span(), Problem::UnknownScope(name.get_ref().clone()));
            }
            scope
        });
        let mut actions = Vec::new();
        for name in &allow.actions {
            match Action::from_name(name.get_ref()) {
                Some(action) => {
                    self.action(allow, action, scope, name.span());
                    actions.push(action);
                }
                None => self.fault(name.span(), Problem::UnknownAction(name.get_ref().clone())),
            }
        }
        if actions.is_empty() && allow.actions.is_empty() {
            self.fault(span.clone(), Problem::Empty("actions"));
        }
        let purposes = self.purposes(allow);
        let mut all = Vec::new();
        for kind in kinds {
            let fields = self.fields(allow, kind.info());
            let with = self.conditions(allow, kind.info());
            let right = Right { scope: scope.unwrap_or(Scope::All), fields, with };
            for action in &actions {
                let purposes = if *action == Action::Identify { purposes.clone() } else { None };
                let mut right = right.clone();
                if *action == Action::Read {
                    // Whoever sees a record sees its id, its version and its times: every answer about it rests on them.
                    let of_itself = kind.info().fields().filter(|field| !field.writable).map(|field| field.index);
                    right.fields = right.fields.or(of_itself.collect());
                }
                all.push(Allowed { action: *action, kind, right, purposes });
            }
        }
        all
    }

    /// Whether an entry makes sense for an action.
    fn action(&mut self, allow: &AllowSection, action: Action, scope: Option<Scope>, at: Range<usize>) {
        match scope {
            None if allow.scope.is_none() && action.has_scope() => {
                self.fault(at.clone(), Problem::NoScope(action.name()));
            }
            Some(scope) if scope != Scope::All && !action.has_scope() => {
                self.fault(at.clone(), Problem::NotScoped { action: action.name(), scope: scope.name() });
            }
            _ => {}
        }
        if allow.fields.is_some() && !action.has_fields() {
            self.fault(at.clone(), Problem::NoFields(action.name()));
        }
        if !allow.with.is_empty() && !action.is_write() {
            self.fault(at.clone(), Problem::NoConditions(action.name()));
        }
        match (action, &allow.purposes) {
            // What is one's own needs no purpose.
            (Action::Identify, None) if scope != Some(Scope::OwnRecord) => self.fault(at, Problem::NoPurposes),
            (Action::Identify, _) | (_, None) => {}
            (_, Some(_)) => self.fault(at, Problem::Purposes),
        }
    }

    fn kinds(&mut self, allow: &AllowSection, span: &Range<usize>) -> Vec<Kind> {
        let find = |checker: &mut Self, name: &Spanned<String>| {
            let kind = Kind::ALL.iter().copied().find(|kind| kind.info().name == name.get_ref());
            if kind.is_none() {
                checker.fault(name.span(), Problem::UnknownKind(name.get_ref().clone()));
            }
            kind
        };
        let except: HashSet<Kind> = allow.except.iter().filter_map(|name| find(self, name)).collect();
        match &allow.kinds {
            Some(names) if names.is_empty() => {
                self.fault(span.clone(), Problem::Empty("kinds"));
                Vec::new()
            }
            Some(names) if !names.iter().any(|name| name.get_ref() == EVERY) => {
                if let Some(first) = allow.except.first() {
                    self.fault(first.span(), Problem::Except);
                }
                names.iter().filter_map(|name| find(self, name)).collect()
            }
            _ => Kind::ALL.iter().copied().filter(|kind| !except.contains(kind)).collect(),
        }
    }

    /// The fields that an entry is about. All kinds must have them.
    fn fields(&mut self, allow: &AllowSection, info: &'static KindInfo) -> FieldSet {
        let Some(names) = &allow.fields else { return FieldSet::ALL };
        let mut set = FieldSet::NONE;
        for name in names {
            match fields::by_name(info.kind, name.get_ref()) {
                Some(field) => set.insert(field.index),
                None => {
                    self.fault(name.span(), Problem::UnknownField { kind: info.name, field: name.get_ref().clone() })
                }
            }
        }
        set
    }

    fn conditions(&mut self, allow: &AllowSection, info: &'static KindInfo) -> Vec<Condition> {
        let mut conditions = Vec::new();
        for (name, values) in &allow.with {
            let field = name.get_ref().clone();
            let Some(found) = info.field_by_name(&field) else {
                self.fault(name.span(), Problem::UnknownField { kind: info.name, field });
                continue;
            };
            let FieldType::Enum(list) = found.ty else {
                self.fault(name.span(), Problem::NotAnEnum { kind: info.name, field });
                continue;
            };
            if values.is_empty() {
                self.fault(name.span(), Problem::Empty("with"));
            }
            self.bounded("with", name.span(), values.len());
            let mut numbers = Vec::new();
            for value in values {
                match list.number_of(value.get_ref()) {
                    Some(number) => numbers.push(number),
                    None => {
                        let problem = Problem::UnknownValue { field: field.clone(), value: value.get_ref().clone() };
                        self.fault(value.span(), problem);
                    }
                }
            }
            numbers.sort_unstable();
            numbers.dedup();
            conditions.push(Condition { field: found.index, values: numbers });
        }
        conditions.sort_unstable();
        conditions
    }

    /// For which purposes; `None` if none is needed.
    fn purposes(&mut self, allow: &AllowSection) -> Option<Vec<Purpose>> {
        let names = allow.purposes.as_ref()?;
        if names.iter().any(|name| name.get_ref() == EVERY) {
            return Some(crate::policy::purposes().collect());
        }
        let mut purposes = Vec::new();
        for name in names {
            match crate::policy::purpose_by_name(name.get_ref()) {
                Some(purpose) => purposes.push(purpose),
                None => self.fault(name.span(), Problem::UnknownPurpose(name.get_ref().clone())),
            }
        }
        Some(purposes)
    }

    fn bounded(&mut self, name: &'static str, at: Range<usize>, length: usize) {
        if length > MAX_ENTRIES {
            self.fault(at, Problem::TooMany(name, MAX_ENTRIES));
        }
    }

    fn name(&mut self, what: &'static str, name: &Spanned<String>) {
        if name.get_ref().is_empty() || name.get_ref().len() > MAX_NAME {
            self.fault(name.span(), Problem::Name(what));
        }
    }
}
