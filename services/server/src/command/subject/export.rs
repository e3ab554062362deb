//! Everything that an owner keeps of a person.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};
use spil_proto::{
    changefeed::v1::{Cursor, Record, Revision, SnapshotRequest, WatchRequest},
    model::{FieldType, Kind, Value},
    owner::OwnerClient,
};
use tonic::Code;
use uuid::Uuid;

use super::{SubjectError, text};

/// What was found at an owner.
pub(super) struct Found {
    pub(super) json: Json,
    pub(super) records: usize,
    pub(super) changes: usize,
}

/// Reads an owner: the live records that are the person, are about the person or refer to it, and every change of these or of what was such a
/// record at some time. Only what is of the person is kept in memory.
pub(super) async fn of_owner(
    client: &mut OwnerClient,
    token: &str,
    person: (Kind, Uuid),
) -> Result<Found, SubjectError> {
    let owner = client.owner();
    let failed = SubjectError::of(owner);
    let mut parts = client.snapshot(token, SnapshotRequest::default()).await.map_err(&failed)?;
    let (mut head, mut is_whole) = (None, false);
    let mut records = Vec::new();
    let mut known = BTreeSet::new();
    while let Some(part) = parts.message().await.map_err(&failed)? {
        head = part.cursor.or(head);
        is_whole |= part.complete;
        for record in part.records.iter().filter(|record| concerns(record, person)) {
            known.extend(record.id());
            records.push(text::record(record));
        }
    }
    let head = head.filter(|_| is_whole).ok_or(SubjectError::CutOff(owner.name()))?;
    let history = history(client, token, &head, person, &mut known).await?;
    let (found, changes) = (records.len(), history.as_ref().map_or(0, Vec::len));
    let json = json!({
        "owner": owner.name(),
        "revision": head.revision,
        "records": records,
        // Null where the beginning of the log is no longer kept.
        "history": history,
    });
    Ok(Found { json, records: found, changes })
}

/// The changes that concern a person, from the first revision on; `None` if the log does not reach back to it.
async fn history(
    client: &mut OwnerClient,
    token: &str,
    head: &Cursor,
    person: (Kind, Uuid),
    known: &mut BTreeSet<Uuid>,
) -> Result<Option<Vec<Json>>, SubjectError> {
    let owner = client.owner();
    let failed = SubjectError::of(owner);
    let mut changes = Vec::new();
    if head.revision == 0 {
        return Ok(Some(changes));
    }
    let first = Cursor { revision: 0, mark: 0, ..head.clone() };
    let mut stream = match client.watch(token, WatchRequest { after: Some(first) }).await {
        Ok(stream) => stream,
        Err(status) if status.code() == Code::OutOfRange => return Ok(None),
        Err(status) => return Err(failed(status)),
    };
    loop {
        let message = match stream.message().await {
            Ok(Some(message)) => message,
            Ok(None) => return Err(SubjectError::CutOff(owner.name())),
            Err(status) if status.code() == Code::OutOfRange => return Ok(None),
            Err(status) => return Err(failed(status)),
        };
        for revision in message.revisions {
            let number = revision.revision;
            if number <= head.revision {
                changes.extend(told(revision, person, known));
            }
            if number >= head.revision {
                return Ok(Some(changes));
            }
        }
    }
}

/// What a revision did to records of a person.
fn told(revision: Revision, person: (Kind, Uuid), known: &mut BTreeSet<Uuid>) -> Vec<Json> {
    let Revision { revision: number, at, actor, source, run, changes, .. } = revision;
    let mut told = Vec::new();
    for change in changes {
        let Some(record) = change.record else { continue };
        let Some(id) = record.id() else { continue };
        // What referred to the person before and does no more is of the person too.
        if !concerns(&record, person) && !known.contains(&id) {
            continue;
        }
        known.insert(id);
        told.push(json!({
            "revision": number,
            "at": text::moment(at),
            "actor": actor,
            "source": source,
            "run": run,
            "erased": change.erased,
            "record": text::record(&record),
        }));
    }
    told
}

/// Whether a record is a person, is about the person, or refers to it.
fn concerns(record: &Record, (kind, person): (Kind, Uuid)) -> bool {
    let Some(entity) = record.entity() else { return false };
    if entity.kind() == kind && record.id() == Some(person) {
        return true;
    }
    entity.kind().info().own.iter().any(|info| match (info.ty, entity.get(info.index)) {
        (FieldType::Ref(to), Value::Id(id)) => (to, id) == (kind, person),
        (FieldType::RefList(to), Value::Ids(ids)) => to == kind && ids.contains(&person),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use spil_gateway::graphql::global_id;
    use spil_proto::{
        changefeed::v1::{Change, record::Entity},
        model::{Header, field},
        workforce::v1::{Assignment, Worker},
    };

    use super::*;

    fn assignment(id: u128, worker: u128) -> Record {
        let bytes = |number: u128| Uuid::from_u128(number).as_bytes().to_vec();
        Record {
            entity: Some(Entity::Assignment(Assignment {
                header: Some(Header { id: bytes(id), ..Header::default() }),
                worker_id: Some(bytes(worker)),
                from: Some(19_000),
                ..Assignment::default()
            })),
        }
    }

    #[test]
    fn what_is_of_a_person_is_found_and_nothing_else() {
        let person = (Kind::Worker, Uuid::from_u128(7));
        let mut worker = Record { entity: Some(Entity::Worker(Worker::default())) };
        worker.entity_mut().expect("a worker").set(field::ID, Value::Id(person.1)).expect("an id");
        assert!(concerns(&worker, person) && concerns(&assignment(1, 7), person));
        assert!(!concerns(&assignment(1, 8), person) && !concerns(&assignment(7, 8), person));

        // An assignment that was somebody else's first, and then moves on.
        let mut known = BTreeSet::new();
        let mut counts = Vec::new();
        for worker in [8, 7, 9] {
            let changes = vec![Change { record: Some(assignment(1, worker)), ..Change::default() }];
            let revision = Revision { revision: 5, changes, ..Revision::default() };
            counts.push(told(revision, person, &mut known).len());
        }
        assert_eq!(counts, [0, 1, 1]);
        let shown = text::record(&assignment(1, 7));
        assert_eq!((&shown["kind"], &shown["from"]), (&json!("Assignment"), &json!("2022-01-08")));
        assert_eq!(shown["workerId"], json!(global_id::encode(person.0, person.1)));
    }
}
