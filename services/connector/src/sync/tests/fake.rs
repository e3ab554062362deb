//! Owners in memory that keep the rules an import can meet.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Mutex,
};

use spil_proto::{
    changefeed::v1::{
        Action, ApplyRequest, ApplyResponse, Command, ItemResult, Outcome, Problem, ProblemCode, Record, target,
    },
    model::{Entity, FieldType, Kind, Owner, Value, field},
};
use tonic::Status;
use uuid::Uuid;

use crate::sync::destination::Destination;

type Records = BTreeMap<(Kind, Uuid), Record>;

/// Records in memory.
#[derive(Default)]
pub(super) struct Fake {
    records: Mutex<Records>,
    writes: Mutex<u64>,
    answers: Mutex<HashMap<String, ApplyResponse>>,
    /// Calls that fail once before they work.
    lose_answers: Mutex<u32>,
    /// Records of these names are refused.
    forbidden: Vec<&'static str>,
}

impl Fake {
    /// Refuses records of a name.
    pub(super) fn that_refuses(name: &'static str) -> Self {
        Self { forbidden: vec![name], ..Self::default() }
    }

    /// Applies so many batches and then fails to say so.
    pub(super) fn that_loses_answers(count: u32) -> Self {
        Self { lose_answers: Mutex::new(count), ..Self::default() }
    }

    /// The records of a kind.
    pub(super) fn all(&self, kind: Kind) -> Vec<Record> {
        let records = self.records.lock().expect("no panic");
        records.iter().filter(|((of, _), _)| *of == kind).map(|(_, record)| record.clone()).collect()
    }

    /// The record with an external id.
    pub(super) fn by_external(&self, kind: Kind, id: &str) -> Option<Record> {
        self.all(kind).into_iter().find(|record| {
            let header = record.entity().and_then(Entity::header).expect("a header");
            header.external_ids.iter().any(|external| external.id == id)
        })
    }

    /// How many batches were written.
    pub(super) fn revision(&self) -> u64 {
        *self.writes.lock().expect("no panic")
    }

    /// Puts a record in as somebody else would.
    pub(super) fn put(&self, record: Record) {
        let (kind, id) = (record.kind().expect("a kind"), record.id().expect("an id"));
        self.records.lock().expect("no panic").insert((kind, id), record);
    }

    fn command(&self, owner: Owner, records: &mut Records, command: &Command) -> ItemResult {
        let mut item = ItemResult::default();
        let values = command.values.as_ref().expect("values");
        let kind = values.kind().expect("a kind");
        assert_eq!(kind.info().owner, owner, "a command for another owner");
        let Some(target::By::Id(id)) = command.target.as_ref().and_then(|target| target.by.as_ref()) else {
            panic!("a target by id")
        };
        let id = Uuid::from_slice(id).expect("an id");
        let place = (kind, id);
        let mut invalid = |code: ProblemCode, column: &str, message: &str| {
            item.outcome = Outcome::Invalid.into();
            item.problems.push(Problem { field: column.into(), code: code.into(), message: message.into() });
        };
        match command.action() {
            Action::Retire => {
                if records.remove(&place).is_none() {
                    invalid(ProblemCode::NotFound, "", "is not there");
                    return item;
                }
                item.outcome = Outcome::Retired.into();
                return item;
            }
            Action::Create if records.contains_key(&place) => {
                invalid(ProblemCode::Taken, "id", "is taken");
                return item;
            }
            Action::Update if !records.contains_key(&place) => {
                invalid(ProblemCode::NotFound, "", "is not there");
                return item;
            }
            _ => {}
        }
        let before = records.get(&place).cloned();
        let mut after = before.clone().unwrap_or_else(|| Record::empty(kind));
        let given = values.entity().expect("an entity");
        {
            let entity = after.entity_mut().expect("an entity");
            for column in &command.fields {
                let info = kind.info().field_by_column(column).expect("a known field");
                assert!(info.writable, "{column}");
                entity.set(info.index, given.get(info.index)).expect("the right type");
            }
            entity.header_mut().id = id.as_bytes().to_vec();
        }
        let entity = after.entity().expect("an entity");
        if let (Some(expected), Some(before)) = (command.expected_version, &before)
            && before.entity().and_then(Entity::header).expect("a header").version != expected
        {
            item.outcome = Outcome::Conflict.into();
            return item;
        }
        for info in kind.info().fields() {
            let value = entity.get(info.index);
            if info.required && value.is_null() {
                invalid(ProblemCode::Required, info.column, "is needed");
            }
            let ids = match value {
                Value::Id(id) => vec![id],
                Value::Ids(ids) => ids,
                Value::Text(text) => {
                    assert_eq!(text, text.trim(), "{}", info.column);
                    if info.index == field::NAME && self.forbidden.iter().any(|name| *name == text) {
                        invalid(ProblemCode::Rule, "name", "is a forbidden name");
                    }
                    continue;
                }
                _ => continue,
            };
            let (FieldType::Ref(to) | FieldType::RefList(to)) = info.ty else { continue };
            assert_eq!(ids.len(), ids.iter().collect::<HashSet<_>>().len(), "a list names a record twice");
            for target in &ids {
                if to.info().owner == owner && !records.contains_key(&(to, *target)) && (to, *target) != place {
                    invalid(ProblemCode::NotFound, info.column, "refers to nothing");
                }
                if info.acyclic && reaches(records, kind, info.index, *target, id) {
                    invalid(ProblemCode::Cycle, info.column, "closes a circle");
                }
            }
        }
        let header = entity.header().expect("a header");
        for ((_, other), record) in records.iter().filter(|((of, other), _)| *of == kind && *other != id) {
            let theirs = record.entity().and_then(Entity::header).expect("a header");
            if header.key.is_some() && header.key == theirs.key {
                invalid(ProblemCode::Taken, "key", &format!("belongs to {other}"));
            }
            if header.external_ids.iter().any(|external| theirs.external_ids.contains(external)) {
                invalid(ProblemCode::Taken, "external_ids", &format!("belongs to {other}"));
            }
        }
        if item.outcome() == Outcome::Invalid {
            return item;
        }
        if before.as_ref() == Some(&after) {
            item.outcome = Outcome::Unchanged.into();
            return item;
        }
        item.outcome = if before.is_some() { Outcome::Updated } else { Outcome::Created }.into();
        after.entity_mut().expect("an entity").header_mut().version += 1;
        records.insert(place, after);
        item
    }
}

fn reaches(records: &Records, kind: Kind, index: usize, from: Uuid, to: Uuid) -> bool {
    let mut seen = HashSet::new();
    let mut left = vec![from];
    while let Some(id) = left.pop() {
        if id == to {
            return true;
        }
        if !seen.insert(id) {
            continue;
        }
        match records.get(&(kind, id)).and_then(Record::entity).map(|entity| entity.get(index)) {
            Some(Value::Id(next)) => left.push(next),
            Some(Value::Ids(next)) => left.extend(next),
            _ => {}
        }
    }
    false
}

impl Destination for Fake {
    async fn apply(&self, owner: Owner, request: ApplyRequest) -> Result<ApplyResponse, Status> {
        assert!(request.source.starts_with("import:"));
        if let Some(answer) = self.answers.lock().expect("no panic").get(&request.idempotency_key) {
            return Ok(ApplyResponse { replayed: true, ..answer.clone() });
        }
        let mut records = self.records.lock().expect("no panic");
        let mut copy = records.clone();
        let items: Vec<ItemResult> =
            request.commands.iter().map(|command| self.command(owner, &mut copy, command)).collect();
        let fine = items.iter().all(|item| !matches!(item.outcome(), Outcome::Invalid | Outcome::Conflict));
        let answer = ApplyResponse { applied: fine && !request.dry_run, items, ..ApplyResponse::default() };
        if answer.applied {
            assert!(!request.idempotency_key.is_empty());
            *records = copy;
            *self.writes.lock().expect("no panic") += 1;
            self.answers.lock().expect("no panic").insert(request.idempotency_key, answer.clone());
            let mut lose = self.lose_answers.lock().expect("no panic");
            if *lose > 0 {
                *lose -= 1;
                return Err(Status::unavailable("the answer was lost"));
            }
        }
        Ok(answer)
    }

    async fn snapshot(
        &self,
        owner: Owner,
        kinds: &[Kind],
        each: &mut (dyn FnMut(Record) + Send),
    ) -> Result<(), Status> {
        let records = self.records.lock().expect("no panic").clone();
        for ((kind, _), record) in records {
            if kind.info().owner == owner && kinds.contains(&kind) {
                each(record);
            }
        }
        Ok(())
    }
}
