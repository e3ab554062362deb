//! What a plan needs to be allowed before it is run. What is seen is another matter: whoever may read nothing of a kind finds no record of it.

use spil_access::{Action, Denied, Viewer};
use spil_proto::model::Kind;

use super::{
    error::{Code, GraphqlError},
    plan::{Item, MutationField, Plan, QueryField, Root, Verb},
};

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
    check(viewer, plan).map_err(|denied| GraphqlError::new(Code::Forbidden, denied.to_string()))
}

fn check(viewer: &Viewer, plan: &Plan) -> Result<(), Denied> {
    match &plan.root {
        Root::Query(items) => {
            for item in items {
                match item.what {
                    QueryField::Snapshot(_) => viewer.require_any(Action::Operate)?,
                    QueryField::People(_) => viewer.require(Action::Aggregate, Kind::Worker)?,
                    _ => {}
                }
            }
            // The register names nobody, and figures are for those who see no record.
            let mut others = items.iter().filter(|item| !matches!(item.what, QueryField::TypeName)).peekable();
            let reads = |item: &Item<QueryField>| !matches!(item.what, QueryField::Register(_) | QueryField::People(_));
            if others.peek().is_none() || others.any(reads) { viewer.require_any(Action::Read) } else { Ok(()) }
        }
        Root::Subscription(_) => viewer.require_any(Action::Read),
        // A payload is an answer too.
        Root::Mutation(items) => items.iter().try_for_each(|item| match &item.what {
            _ if !viewer.may_any(Action::Read) => Err(Denied::Action { action: Action::Read }),
            MutationField::TypeName => Ok(()),
            MutationField::Write { kind, verb, .. } => viewer.require(action(*verb), *kind),
            MutationField::Erase { kind, .. } => viewer.require(Action::Erase, *kind),
            // Which kinds it writes is known with its input; each change is looked at by itself.
            MutationField::Changes { .. } => {
                let writes = [Action::Create, Action::Update, Action::Retire];
                let may = writes.into_iter().find(|action| viewer.may_any(*action));
                may.map(|_| ()).ok_or(Denied::Action { action: Action::Update })
            }
        }),
    }
}
