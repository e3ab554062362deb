//! Finds out, over the owner's own tables, in which of a viewer's scopes records are: upwards from each, to what it belongs to.

use std::collections::{BTreeSet, HashMap, HashSet};

use sea_orm::DatabaseTransaction;
use spil_access::{Scope, ScopeSet, WorkerName};
use spil_proto::{
    changefeed::v1::Record,
    model::{ExternalId, FieldType, Kind, Owner, Step, Value},
};
use uuid::Uuid;

use super::Loader;
use crate::{
    Person, PersonError,
    command::{
        needs::{Names, referred},
        working_set::{WorkingSet, is_retired},
    },
    person::MAX_UNITS,
    store::{Store, StoreError, statement::Hold},
};

/// The most records that are looked at to find out where one belongs. What is further away is in no scope.
const MAX_LOOKED_AT: usize = 5_000;
/// Microseconds in a day.
const DAY_MICROS: i64 = 86_400_000_000;

/// The scopes of a record as it is stored and as a batch leaves it.
pub(crate) type Scopes = HashMap<(Kind, Uuid), (ScopeSet, ScopeSet)>;

/// Which image of a record.
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    Before,
    After,
}

/// The day of a time, in UTC.
fn day(now: i64) -> i32 {
    i32::try_from(now.div_euclid(DAY_MICROS)).unwrap_or(i32::MAX)
}

/// The scopes of some records that a batch works on.
pub(in crate::store) async fn scopes(
    (store, transaction): (&Store, &DatabaseTransaction),
    set: &mut WorkingSet,
    person: &Person,
    records: impl IntoIterator<Item = (Kind, Uuid)>,
    now: i64,
) -> Result<Scopes, StoreError> {
    let loader = Loader { store, transaction, dry: true };
    let owner = store.owner();
    let mut finder = Finder { loader, owner, set, today: day(now) };
    let initiatives = finder.initiatives(person.worker).await?;
    let units: HashSet<(Kind, Uuid)> = person.units.iter().map(|id| (Kind::OrgUnit, *id)).collect();
    let mut scopes = Scopes::new();
    for (kind, id) in records {
        if scopes.contains_key(&(kind, id)) {
            continue;
        }
        let mut both = [ScopeSet::ALL_ONLY; 2];
        for (when, found) in [When::Before, When::After].into_iter().zip(&mut both) {
            if finder.record(kind, id, when).await?.is_some_and(|record| is_about(&record, person.worker)) {
                *found = found.with(Scope::OwnRecord);
            }
            for (scope, anchors) in [(Scope::OwnOrgSubtree, &units), (Scope::OwnInitiatives, &initiatives)] {
                if finder.belongs(kind, id, anchors, when).await? {
                    *found = found.with(scope);
                }
            }
        }
        let [before, after] = both;
        scopes.insert((kind, id), (before, after));
    }
    Ok(scopes)
}

/// The positions that a person has, had or will have, as far as this owner knows.
pub(in crate::store) async fn positions(
    (store, transaction): (&Store, &DatabaseTransaction),
    set: &mut WorkingSet,
    person: &Person,
    now: i64,
) -> Result<HashSet<Uuid>, StoreError> {
    let loader = Loader { store, transaction, dry: true };
    let mut finder = Finder { loader, owner: store.owner(), set, today: day(now) };
    let mut positions = HashSet::new();
    let field = |column| Kind::Assignment.info().field_by_column(column).map(|info| info.index);
    if let (Some(worker), Some(position)) = (field("worker_id"), field("position_id")) {
        for (_, assignment) in finder.referrers(Kind::Assignment, worker, person.worker).await? {
            positions.extend(
                assignment.entity().iter().flat_map(|entity| referred(&entity.get(position)).collect::<Vec<_>>()),
            );
        }
    }
    Ok(positions)
}

/// Whether a record is a worker or has that worker as its subject.
fn is_about(record: &Record, worker: Uuid) -> bool {
    let Some(entity) = record.entity() else { return false };
    let info = entity.kind().info();
    (info.person && record.id() == Some(worker))
        || info.subject.is_some_and(|subject| entity.get(subject) == Value::Id(worker))
}

struct Finder<'a> {
    loader: Loader<'a>,
    owner: Owner,
    set: &'a mut WorkingSet,
    today: i32,
}

impl Finder<'_> {
    /// A record of this owner in one of its images; none if it is not there, or retired.
    async fn record(&mut self, kind: Kind, id: Uuid, when: When) -> Result<Option<Record>, StoreError> {
        if kind.info().owner != self.owner {
            return Ok(None);
        }
        if self.set.get(kind, id).is_none() {
            self.loader.records(kind, &BTreeSet::from([id]), Hold::Nothing, self.set).await?;
        }
        let record = match when {
            When::Before => self.set.stored(kind, id),
            When::After => self.set.get(kind, id),
        };
        Ok(record.cloned())
    }

    /// The records of this owner that refer to one, as they are stored.
    async fn referrers(&mut self, kind: Kind, field: usize, of: Uuid) -> Result<Vec<(Uuid, Record)>, StoreError> {
        let info = kind.info().field(field).filter(|info| matches!(info.ty, FieldType::Ref(_)));
        let Some(info) = info.filter(|_| kind.info().owner == self.owner) else { return Ok(Vec::new()) };
        self.loader.siblings(kind, info, &BTreeSet::from([of]), self.set).await?;
        let found = self.set.siblings(kind, field, of, Uuid::nil());
        let found = found.into_iter().filter(|record| !is_retired(record));
        Ok(found.filter_map(|record| Some((record.id()?, record.clone()))).collect())
    }

    /// Whether a record is one of some, or belongs to one, directly or not.
    async fn belongs(
        &mut self,
        kind: Kind,
        id: Uuid,
        anchors: &HashSet<(Kind, Uuid)>,
        when: When,
    ) -> Result<bool, StoreError> {
        if anchors.is_empty() {
            return Ok(false);
        }
        let mut seen = HashSet::from([(kind, id)]);
        let mut waiting = vec![(kind, id)];
        while let Some(at) = waiting.pop() {
            // One that does not come to be, or is gone, is nowhere.
            let is_there = at.0.info().owner != self.owner || self.record(at.0, at.1, when).await?.is_some();
            if is_there && anchors.contains(&at) {
                return Ok(true);
            }
            for relation in at.0.belongs_to() {
                for whole in self.follow(at, &relation.steps, when).await? {
                    if seen.len() < MAX_LOOKED_AT && seen.insert(whole) {
                        waiting.push(whole);
                    }
                }
            }
        }
        Ok(false)
    }

    /// Where some steps lead, over records that hold today.
    async fn follow(
        &mut self,
        from: (Kind, Uuid),
        steps: &[Step],
        when: When,
    ) -> Result<Vec<(Kind, Uuid)>, StoreError> {
        let mut at = vec![from];
        for (place, step) in steps.iter().enumerate() {
            let mut next = Vec::new();
            for (kind, id) in at {
                match *step {
                    Step::Forward { field, .. } => {
                        let Some(record) = self.record(kind, id, when).await? else { continue };
                        let holds = place == 0 || self.holds(&record);
                        let to = kind.info().field(field).map(|info| info.ty);
                        if let (true, Some(FieldType::Ref(to) | FieldType::RefList(to)), Some(entity)) =
                            (holds, to, record.entity())
                        {
                            next.extend(referred(&entity.get(field)).map(|id| (to, id)));
                        }
                    }
                    Step::Inverse { kind: from, field } => {
                        let is_last = place + 1 == steps.len();
                        let found = self.referrers(from, field, id).await?;
                        let found = found.into_iter().filter(|(_, record)| is_last || self.holds(record));
                        next.extend(found.map(|(id, _)| (from, id)));
                    }
                    Step::Above { .. } | Step::Below { .. } => {}
                }
            }
            at = next;
        }
        Ok(at)
    }

    /// Whether a record holds today: always, if it has no first or last day.
    fn holds(&self, record: &Record) -> bool {
        let Some(entity) = record.entity() else { return false };
        let day = |column: &str| {
            let field = entity.kind().info().own.iter().find(|field| field.column == column)?;
            match entity.get(field.index) {
                Value::Date(day) => Some(day),
                _ => None,
            }
        };
        day("from").is_none_or(|from| from <= self.today) && day("to").is_none_or(|to| self.today < to)
    }

    /// The initiatives that a worker sponsors or has a stake in today.
    async fn initiatives(&mut self, worker: Uuid) -> Result<HashSet<(Kind, Uuid)>, StoreError> {
        let mut found = HashSet::new();
        if self.owner != Kind::Initiative.info().owner {
            return Ok(found);
        }
        let field = |kind: Kind, column| kind.info().field_by_column(column).map(|info| info.index);
        if let Some(sponsor) = field(Kind::Initiative, "sponsor_id") {
            let sponsored = self.referrers(Kind::Initiative, sponsor, worker).await?;
            found.extend(sponsored.into_iter().map(|(id, _)| (Kind::Initiative, id)));
        }
        let stakes = field(Kind::Stakeholder, "worker_id").zip(field(Kind::Stakeholder, "initiative_id"));
        if let Some((of, to)) = stakes {
            for (_, stake) in self.referrers(Kind::Stakeholder, of, worker).await? {
                if let (true, Some(entity)) = (self.holds(&stake), stake.entity()) {
                    found.extend(referred(&entity.get(to)).map(|id| (Kind::Initiative, id)));
                }
            }
        }
        Ok(found)
    }
}

impl Store {
    /// The worker with a name, with the units where that worker has a say. Numbers find nobody: nothing can be looked up by them.
    ///
    /// # Errors
    /// If the database can not be read, or there are too many units.
    pub(crate) async fn person(&self, name: &WorkerName, now: i64) -> Result<Option<Person>, PersonError> {
        let transaction = self.begin(true).await?;
        let found = self.person_in(&transaction, name, now).await;
        transaction.rollback().await.map_err(StoreError::from)?;
        found
    }

    async fn person_in(
        &self,
        transaction: &DatabaseTransaction,
        name: &WorkerName,
        now: i64,
    ) -> Result<Option<Person>, PersonError> {
        if self.owner() != Kind::Worker.info().owner {
            return Ok(None);
        }
        let loader = Loader { store: self, transaction, dry: true };
        let mut set = WorkingSet::default();
        let mut names = Names::default();
        let id = match name {
            WorkerName::Id(id) => Some(*id),
            WorkerName::Number(_) => None,
            WorkerName::Key(key) => {
                names.keys.entry(Kind::Worker).or_default().insert(key.clone());
                loader.names(&names, &mut set).await?;
                set.key_owner(Kind::Worker, key)
            }
            WorkerName::ExternalId { system, id } => {
                let ExternalId { system, id } = ExternalId { system: system.clone(), id: id.clone() };
                names.external_ids.entry(Kind::Worker).or_default().insert((system.clone(), id.clone()));
                loader.names(&names, &mut set).await?;
                set.external_id_owner(Kind::Worker, &system, &id)
            }
        };
        let Some(worker) = id else { return Ok(None) };
        let mut finder = Finder { loader, owner: self.owner(), set: &mut set, today: day(now) };
        let is_live =
            finder.record(Kind::Worker, worker, When::Before).await?.is_some_and(|record| !is_retired(&record));
        if !is_live {
            return Ok(None);
        }
        let units = finder.units(worker).await?;
        Ok(Some(Person { worker, units }))
    }
}

impl Finder<'_> {
    /// The units of a worker's current positions, those that these head, and all below them.
    async fn units(&mut self, worker: Uuid) -> Result<HashSet<Uuid>, PersonError> {
        let mut units = HashSet::new();
        let mut waiting = Vec::new();
        let steps = |kind: Kind, name| kind.relation(name).map(|relation| relation.steps).unwrap_or_default();
        for name in ["orgUnit", "headedOrgUnits"] {
            let steps = [steps(Kind::Worker, "positions"), steps(Kind::Position, name)].concat();
            let found = self.follow((Kind::Worker, worker), &steps, When::Before).await?;
            waiting.extend(found.into_iter().filter(|(kind, _)| *kind == Kind::OrgUnit).map(|(_, id)| id));
        }
        let parent = Kind::OrgUnit.tree_field();
        while let Some(unit) = waiting.pop() {
            if units.len() >= MAX_UNITS {
                return Err(PersonError::TooMany);
            }
            if let (true, Some(parent)) = (units.insert(unit), parent) {
                let below = self.referrers(Kind::OrgUnit, parent, unit).await?;
                waiting.extend(below.into_iter().map(|(id, _)| id));
            }
        }
        Ok(units)
    }
}
