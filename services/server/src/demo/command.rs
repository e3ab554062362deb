//! Commands and the parts that all records have.

use spil_proto::{
    changefeed::v1::{Action, Command, Record, Target, record::Entity, target},
    model::{Header, Kind},
};
use uuid::Uuid;

use super::plan::Plan;

/// Makes a record with an id.
pub(super) fn create(id: Uuid, entity: Entity) -> Command {
    command(Action::Create, id, entity, Vec::new())
}

/// Writes the named fields of a record that is there.
pub(super) fn update(id: Uuid, entity: Entity, fields: &[&str]) -> Command {
    command(Action::Update, id, entity, fields.iter().map(|&field| field.to_owned()).collect())
}

fn command(action: Action, id: Uuid, entity: Entity, fields: Vec<String>) -> Command {
    Command {
        action: action as i32,
        target: Some(Target { by: Some(target::By::Id(id.as_bytes().to_vec())) }),
        expected_version: None,
        values: Some(Record { entity: Some(entity) }),
        fields,
        references: Vec::new(),
    }
}

/// A header with a key, a name and a description.
pub(super) fn header(key: String, name: &str, description: String) -> Header {
    Header { key: Some(key), name: Some(name.to_owned()), description: Some(description), ..Header::default() }
}

/// A header with a key and a name.
pub(super) fn named(key: String, name: &str) -> Option<Header> {
    Some(Header { key: Some(key), name: Some(name.to_owned()), ..Header::default() })
}

/// The id of a record, as references carry it.
pub(super) fn id_bytes(plan: &Plan, kind: Kind, index: usize) -> Vec<u8> {
    plan.id(kind, index).as_bytes().to_vec()
}

/// The ids of some records, in order and each once.
pub(super) fn ids_bytes(plan: &Plan, kind: Kind, indexes: impl IntoIterator<Item = usize>) -> Vec<Vec<u8>> {
    let mut ids: Vec<Vec<u8>> = indexes.into_iter().map(|index| id_bytes(plan, kind, index)).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}
