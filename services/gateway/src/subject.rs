//! Everything that is kept of a person, read from the owners.

use std::collections::HashSet;

use serde_json::{Map, Value as Json, json};
use spil_proto::{
    changefeed::v1::{
        Cursor, Provenance, ReadLogRequest, Record, RecordProvenance, Revision, SnapshotRequest, WatchRequest,
    },
    model::{FieldType, Kind, Value, field},
    owner::OwnerClient,
};
use tonic::{Code, Status};
use uuid::Uuid;

use crate::graphql::{
    date_time_text, global_id, json_of,
    reads::{self, FieldBits},
};

/// How many reads are asked for at once.
const READS: u32 = 500;

/// What is kept of a person.
pub struct SubjectExport {
    /// All of it, as one value.
    pub document: Json,
    /// How many live records are the person, are about the person or refer to it.
    pub records: usize,
    /// How many changes of such records are known.
    pub changes: usize,
    /// The personal fields that it tells.
    pub(crate) told: FieldBits,
}

impl SubjectExport {
    /// The names of the personal fields that it tells, as the access log has them.
    pub fn fields(&self) -> Vec<String> {
        reads::names(self.told)
    }
}

/// Why it can not be had.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// An owner refuses, or can not be reached.
    #[error("the {owner} owner answers {}: {}", status.code(), status.message())]
    Owner {
        /// Which owner.
        owner: &'static str,
        /// What it answers.
        status: Box<Status>,
    },
    /// The stream of an owner ended before it was whole.
    #[error("the stream of the {0} owner ended too early")]
    CutOff(&'static str),
    /// It is more than it may be.
    #[error("what is kept of the person has more than {0} bytes")]
    TooMuch(usize),
}

fn of_owner(client: &OwnerClient) -> impl Fn(Status) -> ExportError + use<> {
    let owner = client.owner().name();
    move |status| ExportError::Owner { owner, status: Box::new(status) }
}

/// Asks every owner for what it keeps of a person: the live records that are the person or are about the person, whole and with which write
/// set what; which fields of which other live records refer to the person; every change of all these that is still known; and who has read
/// who the person is. At most so many bytes, of which no more is held in memory. The token has to let its bearer follow every kind, and see
/// the audit of people.
///
/// # Errors
/// If an owner does not give it, or it is too much.
pub async fn export(
    clients: &mut [OwnerClient],
    token: &str,
    person: (Kind, Uuid),
    most_bytes: usize,
) -> Result<SubjectExport, ExportError> {
    let mut found = Gatherer { person, most: most_bytes, left: most_bytes, told: 0, records: 0, changes: 0 };
    let (mut owners, mut reads) = (Vec::with_capacity(clients.len()), Vec::new());
    for client in clients {
        owners.push(found.of_owner(client, token).await?);
        if client.owner() == person.0.info().owner {
            reads = found.reads(client, token).await?;
        }
    }
    let document = json!({ "person": global_id::encode(person.0, person.1), "owners": owners, "accessLog": reads });
    Ok(SubjectExport { document, records: found.records, changes: found.changes, told: found.told })
}

/// What a record is to a person.
#[derive(Debug, PartialEq, Eq)]
enum Tie {
    /// It is the person, or is about the person.
    Own,
    /// These fields of it refer to the person.
    Refers(Vec<&'static str>),
    /// Nothing.
    None,
}

/// Gathers what is of a person.
struct Gatherer {
    person: (Kind, Uuid),
    most: usize,
    left: usize,
    told: FieldBits,
    records: usize,
    changes: usize,
}

impl Gatherer {
    async fn of_owner(&mut self, client: &mut OwnerClient, token: &str) -> Result<Json, ExportError> {
        let (owner, failed) = (client.owner(), of_owner(client));
        let mut parts = client.snapshot(token, SnapshotRequest::default()).await.map_err(&failed)?;
        let (mut head, mut is_whole) = (None, false);
        let (mut records, mut references) = (Vec::new(), Vec::new());
        let mut known = HashSet::new();
        while let Some(part) = parts.message().await.map_err(&failed)? {
            head = part.cursor.or(head);
            is_whole |= part.complete;
            let provenance = part.provenance.unwrap_or_default();
            for (at, record) in part.records.iter().enumerate() {
                match self.tie(record) {
                    Tie::None => continue,
                    Tie::Refers(fields) => {
                        let reference = reference(record, &fields);
                        self.take(&mut references, reference)?;
                    }
                    Tie::Own => {
                        let mut shown = self.whole(record);
                        shown.insert("provenance".to_owned(), origins(record, &provenance, provenance.records.get(at)));
                        self.take(&mut records, Json::Object(shown))?;
                    }
                }
                known.extend(record.id());
                self.records += 1;
            }
        }
        let head = head.filter(|_| is_whole).ok_or(ExportError::CutOff(owner.name()))?;
        let history = self.history(client, token, &head, &mut known).await?;
        Ok(json!({
            "owner": owner.name(),
            "revision": head.revision,
            "records": records,
            "references": references,
            // Null where the beginning of the log is no longer kept.
            "history": history,
        }))
    }

    /// The changes that concern the person, from the first revision on; `None` if the log does not reach back to it.
    async fn history(
        &mut self,
        client: &mut OwnerClient,
        token: &str,
        head: &Cursor,
        known: &mut HashSet<Uuid>,
    ) -> Result<Option<Vec<Json>>, ExportError> {
        let (owner, failed) = (client.owner(), of_owner(client));
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
                Ok(None) => return Err(ExportError::CutOff(owner.name())),
                Err(status) if status.code() == Code::OutOfRange => return Ok(None),
                Err(status) => return Err(failed(status)),
            };
            for revision in message.revisions {
                let number = revision.revision;
                if number <= head.revision {
                    self.revision(revision, known, &mut changes)?;
                }
                if number >= head.revision {
                    self.changes += changes.len();
                    return Ok(Some(changes));
                }
            }
        }
    }

    /// What a revision did to records of the person.
    fn revision(
        &mut self,
        revision: Revision,
        known: &mut HashSet<Uuid>,
        changes: &mut Vec<Json>,
    ) -> Result<(), ExportError> {
        let Revision { revision: number, at, actor, source, run, changes: made, .. } = revision;
        for change in made {
            let Some(record) = change.record else { continue };
            let Some(id) = record.id() else { continue };
            let mut told = Map::new();
            told.insert("revision".to_owned(), json!(number));
            told.insert("at".to_owned(), json!(date_time_text(at)));
            match self.tie(&record) {
                Tie::Own => {
                    told.insert("actor".to_owned(), json!(actor));
                    told.insert("source".to_owned(), json!(source));
                    told.insert("run".to_owned(), json!(run));
                    told.insert("erased".to_owned(), json!(change.erased));
                    told.insert("record".to_owned(), Json::Object(self.whole(&record)));
                }
                Tie::Refers(fields) => {
                    told.insert("reference".to_owned(), reference(&record, &fields));
                }
                // That it is the person's no more is told, and nothing of what it is now: that may be somebody else's.
                Tie::None if known.contains(&id) => {
                    told.insert("reference".to_owned(), reference(&record, &[]));
                }
                Tie::None => continue,
            }
            known.insert(id);
            self.take(changes, Json::Object(told))?;
        }
        Ok(())
    }

    /// Who read who the person is, the newest first.
    async fn reads(&mut self, client: &mut OwnerClient, token: &str) -> Result<Vec<Json>, ExportError> {
        let failed = of_owner(client);
        let (mut all, mut after) = (Vec::new(), Vec::new());
        loop {
            let request = ReadLogRequest { person_id: self.person.1.as_bytes().to_vec(), first: READS, after };
            let page = client.read_log(token, request).await.map_err(&failed)?;
            after = page.reads.last().map(|read| read.id.clone()).unwrap_or_default();
            for logged in page.reads {
                let read = logged.read.unwrap_or_default();
                let entry = json!({
                    "at": date_time_text(logged.at),
                    "reader": read.reader,
                    "issuer": read.issuer,
                    "purpose": read.purpose,
                    "fields": read.fields,
                    "operation": read.operation,
                    "entry": read.entry,
                });
                self.take(&mut all, entry)?;
            }
            if !page.more || after.is_empty() {
                return Ok(all);
            }
        }
    }

    fn take(&mut self, list: &mut Vec<Json>, entry: Json) -> Result<(), ExportError> {
        self.left = self.left.checked_sub(entry.to_string().len()).ok_or(ExportError::TooMuch(self.most))?;
        list.push(entry);
        Ok(())
    }

    fn tie(&self, record: &Record) -> Tie {
        let (kind, person) = self.person;
        let Some(entity) = record.entity() else { return Tie::None };
        let info = entity.kind().info();
        let is_person = entity.kind() == kind && record.id() == Some(person);
        let is_about = info.subject.is_some_and(|subject| entity.get(subject) == Value::Id(person));
        if is_person || is_about {
            return Tie::Own;
        }
        let refers = info.own.iter().filter(|field| match (field.ty, entity.get(field.index)) {
            (FieldType::Ref(to), Value::Id(id)) => (to, id) == (kind, person),
            (FieldType::RefList(to), Value::Ids(ids)) => to == kind && ids.contains(&person),
            _ => false,
        });
        let fields: Vec<_> = refers.map(|field| field.name).collect();
        if fields.is_empty() { Tie::None } else { Tie::Refers(fields) }
    }

    /// A record: its kind, and every field that has a value, by the names that GraphQL gives them.
    fn whole(&mut self, record: &Record) -> Map<String, Json> {
        let mut shown = Map::new();
        let Some(entity) = record.entity() else { return shown };
        let info = entity.kind().info();
        shown.insert("kind".to_owned(), json!(info.name));
        if let Some(id) = record.id() {
            shown.insert("id".to_owned(), json!(global_id::encode(entity.kind(), id)));
        }
        for field in info.fields().filter(|info| info.index != field::ID) {
            let value = entity.get(field.index);
            if value.is_null() {
                continue;
            }
            self.told |= reads::single(entity.kind(), field.index);
            shown.insert(field.name.to_owned(), json_of(field, &value));
        }
        shown
    }
}

/// A record that refers to the person: which it is, and by which of its fields.
fn reference(record: &Record, fields: &[&str]) -> Json {
    let kind = record.kind().map(|kind| kind.info().name);
    let id = record.kind().zip(record.id()).map(|(kind, id)| global_id::encode(kind, id));
    json!({ "kind": kind, "id": id, "fields": fields })
}

/// Which write set which fields of a record.
fn origins(record: &Record, all: &Provenance, of: Option<&RecordProvenance>) -> Json {
    let info = record.kind().map(Kind::info);
    let groups = of.map(|of| of.groups.as_slice()).unwrap_or_default();
    let origin = |place: u32| all.origins.get(usize::try_from(place).ok()?);
    groups
        .iter()
        .filter_map(|group| {
            let origin = origin(group.origin)?;
            let names = group.fields.iter().filter_map(|tag| Some(info?.field_by_tag(*tag)?.name));
            Some(json!({
                "fields": names.collect::<Vec<_>>(),
                "source": origin.source,
                "run": origin.run,
                "actor": origin.actor,
                "at": date_time_text(origin.at),
            }))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use spil_proto::{
        changefeed::v1::{Change, record::Entity},
        initiative::v1::Initiative,
        model::Header,
        workforce::v1::{Assignment, Worker},
    };

    use super::*;

    const PERSON: (Kind, Uuid) = (Kind::Worker, Uuid::from_u128(7));

    fn gatherer(most: usize) -> Gatherer {
        Gatherer { person: PERSON, most, left: most, told: 0, records: 0, changes: 0 }
    }

    fn bytes(number: u128) -> Vec<u8> {
        Uuid::from_u128(number).as_bytes().to_vec()
    }

    fn header(id: u128) -> Option<Header> {
        Some(Header { id: bytes(id), ..Header::default() })
    }

    fn assignment(id: u128, worker: u128) -> Record {
        let worker_id = Some(bytes(worker));
        let assignment = Assignment { header: header(id), worker_id, from: Some(19_000), ..Assignment::default() };
        Record { entity: Some(Entity::Assignment(assignment)) }
    }

    #[test]
    fn what_is_of_a_person_is_whole_and_what_refers_to_it_is_named() {
        let mut gatherer = gatherer(usize::MAX);
        let mut worker = Record { entity: Some(Entity::Worker(Worker::default())) };
        worker.entity_mut().expect("a worker").set(field::ID, Value::Id(PERSON.1)).expect("an id");
        assert_eq!(gatherer.tie(&worker), Tie::Own);
        assert_eq!(gatherer.tie(&assignment(1, 7)), Tie::Own);
        assert_eq!((gatherer.tie(&assignment(1, 8)), gatherer.tie(&assignment(7, 8))), (Tie::None, Tie::None));
        let shown = Json::Object(gatherer.whole(&assignment(1, 7)));
        assert_eq!((&shown["kind"], &shown["from"]), (&json!("Assignment"), &json!("2022-01-08")));
        assert_eq!(shown["workerId"], json!(global_id::encode(PERSON.0, PERSON.1)));
        assert_eq!(shown["id"], json!(global_id::encode(Kind::Assignment, Uuid::from_u128(1))));
        assert_eq!(reads::names(gatherer.told), ["Assignment.workerId", "Assignment.from"]);
        worker.entity_mut().expect("a worker").set(field::NAME, Value::Text("Ada".into())).expect("a name");
        assert_eq!(gatherer.whole(&worker)["name"], "Ada");
        assert_eq!(reads::names(gatherer.told), ["Worker.name", "Assignment.workerId", "Assignment.from"]);
        let sponsored = Initiative { header: header(2), sponsor_id: Some(bytes(7)), ..Initiative::default() };
        let sponsored = Record { entity: Some(Entity::Initiative(sponsored)) };
        assert_eq!(gatherer.tie(&sponsored), Tie::Refers(vec!["sponsorId"]));
    }

    #[test]
    fn of_what_is_somebody_elses_now_nothing_is_told() {
        let mut gatherer = gatherer(usize::MAX);
        let (mut known, mut told) = (HashSet::new(), Vec::new());
        for worker in [8, 7, 9] {
            let changes = vec![Change { record: Some(assignment(1, worker)), ..Change::default() }];
            let revision = Revision { revision: 5, changes, ..Revision::default() };
            gatherer.revision(revision, &mut known, &mut told).expect("small");
        }
        assert_eq!((told.len(), &told[0]["record"]["kind"]), (2, &json!("Assignment")));
        let id = global_id::encode(Kind::Assignment, Uuid::from_u128(1));
        assert_eq!(told[1]["reference"], json!({"kind": "Assignment", "id": id, "fields": []}));
        assert!(told[1].get("record").is_none());
    }

    #[test]
    fn it_has_a_bound() {
        let changes = vec![Change { record: Some(assignment(1, 7)), ..Change::default() }];
        let revision = Revision { revision: 5, changes, ..Revision::default() };
        let told = gatherer(20).revision(revision, &mut HashSet::new(), &mut Vec::new());
        assert!(matches!(told, Err(ExportError::TooMuch(20))));
    }
}
