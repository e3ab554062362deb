//! References to records of other owners. An owner looks at its own records only; whether the others are there, the graph knows, if
//! not at once then soon.

use spil_proto::model::{FieldType, Kind, Value};
use uuid::Uuid;

use super::{READ_YOUR_WRITES, UserError, command::within};
use crate::{
    graphql::bind::Write,
    live::{Live, Published},
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
        let (to, ids) = match (info.ty, value) {
            (FieldType::Ref(to), Value::Id(id)) => (to, std::slice::from_ref(id)),
            (FieldType::RefList(to), Value::Ids(ids)) => (to, ids.as_slice()),
            _ => (kind, &[][..]),
        };
        let ids = if to.info().owner == owner { &[][..] } else { ids };
        ids.iter().map(move |id| Foreign { field: info.name, to, id: *id })
    })
}

/// Those of some references that lead nowhere, after a while in which the graph may catch up.
pub(super) async fn leading_nowhere<T>(live: &Live, all: Vec<T>, foreign: impl Fn(&T) -> &Foreign) -> Vec<T> {
    let is_there =
        |published: &Published, reference: &Foreign| published.graph.table(reference.to).row_of(reference.id).is_some();
    let all_there = |published: &Published| all.iter().all(|item| is_there(published, foreign(item)));
    if live.wait_for(READ_YOUR_WRITES, all_there).await.is_some() {
        return Vec::new();
    }
    let published = live.load();
    all.into_iter().filter(|item| !is_there(&published, foreign(item))).collect()
}

/// What is wrong with the references of an input to records of other owners.
pub(super) async fn absent(live: &Live, kind: Kind, write: &Write, root: &[String]) -> Vec<UserError> {
    let all: Vec<Foreign> = foreign(kind, write).collect();
    let nowhere = leading_nowhere(live, all, |reference| reference).await;
    nowhere.iter().map(|reference| not_found(reference, root)).collect()
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
