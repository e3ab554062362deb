//! Tests of a policy that are written in a file: who, what, and what is to be expected.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value as Json};
use spil_auth::Caller;
use spil_proto::{
    changefeed::v1::Record,
    model::{FieldType, Kind, Value},
};
use toml::Spanned;

use crate::{Action, FieldSet, Policy, Scope, ScopeSet, fields, file::line_of, policy::purpose_by_name};

/// The most bytes of a file.
const MAX_FILE_BYTES: usize = 1 << 20;
/// The most cases.
const MAX_CASES: usize = 10_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CasesFile {
    cases: Vec<Spanned<CaseSection>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseSection {
    /// What is tested.
    name: String,
    /// The claims of the token; `iss` and `sub` have values if they are not given.
    #[serde(default)]
    claims: Map<String, Json>,
    /// What the viewer asks for.
    purpose: Option<String>,
    /// What is done.
    action: String,
    /// With a record of which kind.
    kind: Option<String>,
    /// With which fields; with none in particular where nothing is said.
    #[serde(default)]
    fields: Vec<String>,
    /// What is known of the record.
    #[serde(default)]
    record: RecordSection,
    /// Whether it is allowed.
    expect: Expected,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordSection {
    /// The viewer's scopes that the record is in, besides `all`.
    #[serde(default)]
    scopes: Vec<String>,
    /// Its values of closed lists, before and after.
    #[serde(default)]
    values: BTreeMap<String, String>,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Expected {
    Allow,
    Deny,
}

/// How a case ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseOutcome {
    /// What was tested.
    pub name: String,
    /// The line where it is written, from 1 on.
    pub line: usize,
    /// The roles that the claims give.
    pub roles: Vec<String>,
    /// Whether it is allowed.
    pub allowed: bool,
    /// Whether that was expected.
    pub passed: bool,
    /// Why it is denied; empty if it is allowed.
    pub reason: String,
}

/// Why no case was run.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum CasesError {
    /// The file is too long.
    #[error("{file}: the file has more than {MAX_FILE_BYTES} bytes")]
    TooLong {
        /// The file.
        file: String,
    },
    /// A case can not be understood.
    #[error("{file}:{line}: {reason}")]
    Case {
        /// The file.
        file: String,
        /// The line, from 1 on.
        line: usize,
        /// What is wrong there.
        reason: String,
    },
}

/// Runs the cases of a file against a policy.
///
/// # Errors
/// If the file holds no cases, or one of them names what is not there.
pub fn run_cases(policy: &Policy, name: &str, text: &str) -> Result<Vec<CaseOutcome>, CasesError> {
    if text.len() > MAX_FILE_BYTES {
        return Err(CasesError::TooLong { file: name.to_owned() });
    }
    let refused = |line, reason| CasesError::Case { file: name.to_owned(), line, reason };
    let file: CasesFile = toml::from_str(text).map_err(|error| {
        refused(error.span().map_or(1, |span| line_of(text, span.start)), error.message().to_owned())
    })?;
    if file.cases.is_empty() || file.cases.len() > MAX_CASES {
        return Err(refused(1, format!("there are 1 to {MAX_CASES} cases in a file")));
    }
    file.cases
        .iter()
        .map(|case| {
            let line = line_of(text, case.span().start);
            run(policy, case.get_ref(), line).map_err(|reason| refused(line, reason))
        })
        .collect()
}

fn run(policy: &Policy, case: &CaseSection, line: usize) -> Result<CaseOutcome, String> {
    let unknown = |what: &str, name: &str| format!("`{name}` is no {what}");
    let action = Action::from_name(&case.action).ok_or_else(|| unknown("action", &case.action))?;
    let purpose = match &case.purpose {
        None => None,
        Some(name) => Some(purpose_by_name(name).ok_or_else(|| unknown("purpose", name))?),
    };
    let text_claim = |name: &str| case.claims.get(name).and_then(Json::as_str);
    let caller = Caller::new(text_claim("sub").unwrap_or("somebody"), []);
    let caller = match text_claim("iss") {
        Some(issuer) => caller.of_issuer(issuer),
        None => caller,
    };
    let viewer = policy.viewer(&caller.with_claims(case.claims.clone()), purpose);
    let denial = match (&case.kind, action) {
        (None, Action::Operate) => viewer.require_any(action).err().map(|denied| denied.to_string()),
        (None, _) => return Err("`kind` is missing".to_owned()),
        (Some(name), _) => {
            let kind = Kind::ALL.iter().copied().find(|kind| kind.info().name == name);
            let kind = kind.ok_or_else(|| unknown("kind of record", name))?;
            let mut set = FieldSet::NONE;
            for name in &case.fields {
                set.insert(fields::by_name(kind, name).ok_or_else(|| unknown("field of it", name))?.index);
            }
            let mut scopes = ScopeSet::ALL_ONLY;
            for name in &case.record.scopes {
                scopes = scopes.with(Scope::from_name(name).ok_or_else(|| unknown("scope", name))?);
            }
            let mut record = Record::empty(kind);
            for (field, value) in &case.record.values {
                set_value(&mut record, kind, field, value)?;
            }
            denial(&viewer, action, kind, set, scopes, &record)
        }
    };
    let allowed = denial.is_none();
    Ok(CaseOutcome {
        name: case.name.clone(),
        line,
        roles: viewer.roles().iter().map(ToString::to_string).collect(),
        allowed,
        passed: allowed == (case.expect == Expected::Allow),
        reason: denial.unwrap_or_default(),
    })
}

fn set_value(record: &mut Record, kind: Kind, field: &str, value: &str) -> Result<(), String> {
    let list = kind.info().field_by_name(field).and_then(|info| match info.ty {
        FieldType::Enum(list) => Some((info.index, list)),
        _ => None,
    });
    let (index, list) = list.ok_or_else(|| format!("`{field}` holds none of a closed list"))?;
    let number = list.number_of(value).ok_or_else(|| format!("`{field}` is never `{value}`"))?;
    let entity = record.entity_mut().ok_or("the kind is not known")?;
    entity.set(index, Value::Enum(number)).map_err(|error| error.to_string())
}

/// Why something is not allowed; none if it is.
fn denial(
    viewer: &crate::Viewer,
    action: Action,
    kind: Kind,
    fields: FieldSet,
    scopes: ScopeSet,
    record: &Record,
) -> Option<String> {
    let entity = record.entity()?;
    match action {
        Action::Create | Action::Update | Action::Retire => {
            viewer.check_write(action, kind, fields, &[(scopes, entity)]).err().map(|denied| denied.to_string())
        }
        Action::Read | Action::Identify => {
            let Some(seen) = viewer.seen_fields(kind, scopes) else { return Some("the record is not seen".to_owned()) };
            let wanted = match action {
                Action::Identify if fields.is_empty() => FieldSet::identifying(kind),
                _ => fields,
            };
            wanted.without(seen).iter().next().map(|field| {
                let name = kind.info().field(field).map_or("", |info| info.name);
                format!("the field `{name}` is not seen")
            })
        }
        _ => {
            let may = viewer.may_with(action, kind, scopes, Some(entity));
            (!may).then(|| format!("`{}` is not allowed for this record", action.name()))
        }
    }
}
