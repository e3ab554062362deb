//! What has to be allowed before a field at the top of an operation is answered. A field that stands nowhere here is not answered to anybody.
//!
//! What is seen then is another matter, which the sight of the viewer decides: whoever may read nothing of a kind finds no record of it.

use spil_access::{Action, Denied, Viewer};
use spil_proto::model::Kind;

use super::{
    error::{Code, GraphqlError},
    plan::{Plan, Verb},
};

/// What a field needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Demand {
    /// A token that allows anything at all: the field tells nothing of any record.
    Token,
    /// To read something. What is shown of it is what is seen.
    Read,
    /// An action on anything.
    Any(Action),
    /// A write of a kind. Whoever may write and not read is answered, with a payload in which no record is seen.
    Write(Action, Kind),
    /// An action on records of a kind.
    Act(Action, Kind),
    /// To write something, whatever. Each change is judged by itself.
    WriteAny,
}

/// The fields at the top that no kind of record makes, each with what it needs.
const FIELDS: &[(&str, &str, Demand)] = &[
    ("Query", "__typename", Demand::Token),
    ("Query", "__schema", Demand::Token),
    ("Query", "__type", Demand::Token),
    ("Query", "_service", Demand::Token),
    ("Query", "_entities", Demand::Read),
    ("Query", "node", Demand::Read),
    ("Query", "nodes", Demand::Read),
    ("Query", "reach", Demand::Read),
    ("Query", "search", Demand::Read),
    // Names no person.
    ("Query", "dataRegister", Demand::Token),
    // Figures are for those who see no record.
    ("Query", "peopleCounts", Demand::Act(Action::Aggregate, Kind::Worker)),
    // Who asks is no news to whoever asks.
    ("Query", "viewer", Demand::Token),
    ("Query", "audit", Demand::Any(Action::Audit)),
    ("Query", "subjectExport", Demand::Act(Action::Export, Kind::Worker)),
    ("Query", "snapshot", Demand::Any(Action::Operate)),
    ("Mutation", "__typename", Demand::Token),
    ("Mutation", "applyChanges", Demand::WriteAny),
    ("Subscription", "changes", Demand::Read),
    ("Subscription", "live", Demand::Read),
];

/// What a field of `Query`, `Mutation` or `Subscription` needs; none if that was never said.
pub(super) fn of_field(type_name: &str, field: &str) -> Option<Demand> {
    if let Some((.., demand)) = FIELDS.iter().find(|(of, name, _)| *of == type_name && *name == field) {
        return Some(*demand);
    }
    match type_name {
        "Mutation" => Verb::of_field(field).map(|(verb, kind)| Demand::Write(action(verb), kind)).or_else(|| {
            let erased = field.strip_prefix("erase")?;
            let person = Kind::ALL.iter().find(|kind| kind.info().person && kind.info().name == erased)?;
            Some(Demand::Write(Action::Erase, *person))
        }),
        _ => {
            let is_of = |kind: &&Kind| {
                let info = kind.info();
                info.singular == field || (type_name == "Query" && info.plural == field)
            };
            Kind::ALL.iter().find(is_of).map(|_| Demand::Read)
        }
    }
}

/// The action that a mutation of one record is.
pub(super) fn action(verb: Verb) -> Action {
    match verb {
        Verb::Create => Action::Create,
        Verb::Update => Action::Update,
        Verb::Retire => Action::Retire,
    }
}

/// Says whether a viewer may run a plan.
///
/// # Errors
/// If not; the error says which action on which kind is lacking, and nothing of any record.
pub(super) fn authorize(viewer: &Viewer, plan: &Plan) -> Result<(), GraphqlError> {
    plan.demands
        .iter()
        .try_for_each(|demand| check(viewer, *demand))
        .map_err(|denied| GraphqlError::new(Code::Forbidden, denied.to_string()))
}

fn check(viewer: &Viewer, demand: Demand) -> Result<(), Denied> {
    match demand {
        Demand::Token if Action::ALL.into_iter().any(|action| viewer.may_any(action)) => Ok(()),
        Demand::Token => Err(Denied::Action { action: Action::Read }),
        Demand::Read => viewer.require_any(Action::Read),
        Demand::Any(action) => viewer.require_any(action),
        Demand::Act(action, kind) | Demand::Write(action, kind) => viewer.require(action, kind),
        Demand::WriteAny => {
            let writes = [Action::Create, Action::Update, Action::Retire];
            if writes.into_iter().any(|action| viewer.may_any(action)) {
                return Ok(());
            }
            Err(Denied::Action { action: Action::Update })
        }
    }
}
