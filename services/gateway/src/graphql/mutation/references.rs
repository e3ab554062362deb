//! References to records of other owners. An owner looks at its own records only; whether the others are there, the graph knows, if
//! not at once then soon.

use spil_proto::model::{FieldType, Kind, Value};
use uuid::Uuid;

use super::{READ_YOUR_WRITES, UserError, command::within};
use crate::{
    graphql::{bind::Write, eye::Eye},
    live::Published,
};

/// A reference to a record of another owner.
pub(super) struct Foreign {
    /// The field that refers.
    pub(super) field: &'static str,
    pub(super) to: Kind,
    pub(super) id: Uuid,
}

/// The references of an input to records of other owners.
pub(super) fn foreign(kind: Kind, write: &Write) -> impl Iterator<Item = Foreign> {
    let owner = kind.info().owner;
    write.values.iter().flat_map(move |(info, value)| {
        let (to, ids) = referred(info.ty, value).unwrap_or((kind, &[]));
        let ids = if to.info().owner == owner { &[][..] } else { ids };
        ids.iter().map(move |id| Foreign { field: info.name, to, id: *id })
    })
}

/// Those of some references that lead nowhere, after a while in which the graph may catch up.
pub(super) async fn leading_nowhere<T>(eye: &Eye<'_>, all: Vec<T>, foreign: impl Fn(&T) -> &Foreign) -> Vec<T> {
    let is_there = |published: &Published, reference: &Foreign| eye.finds(published, reference.to, reference.id);
    let all_there = |published: &Published| all.iter().all(|item| is_there(published, foreign(item)));
    if eye.live.wait_for(READ_YOUR_WRITES, all_there).await.is_some() {
        return Vec::new();
    }
    let published = eye.live.load();
    all.into_iter().filter(|item| !is_there(&published, foreign(item))).collect()
}

/// What an owner would say of references to records of its own, were those not there that are not seen. One that the record as it is seen
/// has already may lead nowhere. Whoever may change all records of a kind may refer to all of them, as a system does that writes what it
/// may not read back.
pub(super) fn hidden(eye: &Eye<'_>, kind: Kind, write: &Write, root: &[String]) -> Vec<UserError> {
    let published = eye.live.load();
    let is_there = |to: Kind, id: Uuid| published.graph.table(to).row_of(id).is_some();
    let mut seen = None;
    let mut found = Vec::new();
    for (info, value) in &write.values {
        let Some((to, ids)) = referred(info.ty, value).filter(|(to, _)| !eye.changes_all(*to)) else { continue };
        for id in ids.iter().filter(|id| to.info().owner == kind.info().owner && is_there(to, **id)) {
            let graph = seen.get_or_insert_with(|| eye.now(&published));
            let had = |row| match graph.value(kind, row, info.index) {
                Value::Id(had) => had == *id,
                Value::Ids(had) => had.contains(id),
                _ => false,
            };
            let own = write.id.and_then(|id| graph.table(kind).row_of(id));
            if graph.table(to).row_of(*id).is_none() && !own.is_some_and(had) {
                found.push(UserError::Input {
                    code: "NOT_FOUND",
                    message: format!("`{}` refers to a record that is not there", info.name),
                    path: within(root, info.name),
                });
                break;
            }
        }
    }
    found
}

/// What a value refers to.
fn referred<'a>(ty: FieldType, value: &'a Value<'static>) -> Option<(Kind, &'a [Uuid])> {
    match (ty, value) {
        (FieldType::Ref(to), Value::Id(id)) => Some((to, std::slice::from_ref(id))),
        (FieldType::RefList(to), Value::Ids(ids)) => Some((to, ids)),
        _ => None,
    }
}

/// What is wrong with the references of an input to records of other owners.
pub(super) async fn absent(eye: &Eye<'_>, kind: Kind, write: &Write, root: &[String]) -> Vec<UserError> {
    let all: Vec<Foreign> = foreign(kind, write).collect();
    let nowhere = leading_nowhere(eye, all, |reference| reference).await;
    let mut found: Vec<UserError> = nowhere.iter().map(|reference| not_found(reference, root)).collect();
    found.extend(hidden(eye, kind, write, root));
    found
}

/// A reference leads nowhere.
pub(super) fn not_found(reference: &Foreign, root: &[String]) -> UserError {
    UserError::Input {
        code: "NOT_FOUND",
        message: format!(
            "`{}` refers to a record of the kind {} that is not there",
            reference.field,
            reference.to.info().name
        ),
        path: within(root, reference.field),
    }
}

/// A reference leads to a record that the same batch retires.
pub(super) fn retired(reference: &Foreign, root: &[String]) -> UserError {
    UserError::Input {
        code: "RETIRED",
        message: format!("`{}` refers to a record that an earlier change of this batch retires", reference.field),
        path: within(root, reference.field),
    }
}
