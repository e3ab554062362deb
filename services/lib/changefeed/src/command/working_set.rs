//! The records that a batch works on: as they are stored, and as earlier commands of the batch left them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use spil_proto::{
    changefeed::v1::{Provenance, Record},
    model::{Entity, Header, Kind, Value, field},
};
use uuid::Uuid;

use super::{
    needs::referred,
    one_way::{Claim, Place, Salt},
    prepare::Name,
};
use crate::rule::Rules;

/// The most records that one search for a cycle walks over.
const MAX_WALK: usize = 100_000;

/// Everything that a batch knows.
#[derive(Debug, Default)]
pub(crate) struct WorkingSet {
    records: HashMap<(Kind, Uuid), Slot>,
    /// Records that are only referred to, and whether they are live.
    presence: HashMap<(Kind, Uuid), bool>,
    keys: HashMap<(Kind, String), Uuid>,
    external_ids: HashMap<(Kind, String, String), Uuid>,
    uniques: HashMap<(Kind, usize, String), Uuid>,
    salts: HashMap<Uuid, Salt>,
    /// The tokens that the batch gives to new records.
    claimed: BTreeMap<Place, Claim>,
    siblings: HashMap<(Kind, usize, Uuid), BTreeSet<Uuid>>,
    edges: HashMap<(Kind, usize), Edges>,
    changed: Vec<(Kind, Uuid)>,
    concealed: Concealed,
}

/// What is there and is not for whoever sends the batch.
#[derive(Debug, Default)]
struct Concealed {
    records: HashSet<(Kind, Uuid)>,
    keys: HashSet<(Kind, String)>,
    external_ids: HashSet<(Kind, String, String)>,
}

#[derive(Debug)]
struct Slot {
    stored: Option<Record>,
    provenance: Option<Provenance>,
    now: Record,
    changed: bool,
}

/// What the acyclic references of a field look like around the batch.
#[derive(Debug, Default)]
struct Edges {
    up: HashMap<Uuid, Vec<Uuid>>,
    /// Records whose references were not loaded because the walk to them was too long.
    unknown: HashSet<Uuid>,
}

/// Where a search for a cycle ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Walk {
    /// There is none.
    Open,
    /// There is one.
    Closed,
    /// It was given up.
    TooFar,
}

/// A record that a batch changed.
#[derive(Debug)]
pub(crate) struct Changed<'a> {
    pub(crate) kind: Kind,
    pub(crate) id: Uuid,
    /// As it is stored; `None` if it is new.
    pub(crate) stored: Option<&'a Record>,
    /// Who set which field of what is stored, as far as that was kept.
    pub(crate) provenance: Option<&'a Provenance>,
    pub(crate) now: &'a Record,
}

impl WorkingSet {
    /// The id of the live record with a name, unless that is concealed. An id is taken as it is.
    pub(crate) fn resolve(&self, kind: Kind, name: &Name) -> Option<Uuid> {
        match name {
            Name::Id(id) => Some(*id),
            Name::Key(key) => {
                let name = (kind, key.clone());
                self.keys.get(&name).copied().filter(|_| !self.concealed.keys.contains(&name))
            }
            Name::External(id) => {
                let name = (kind, id.system.clone(), id.id.clone());
                self.external_ids.get(&name).copied().filter(|_| !self.concealed.external_ids.contains(&name))
            }
        }
    }

    /// Whether nothing may be made to refer to a record, as if it were not there.
    pub(crate) fn is_concealed(&self, kind: Kind, id: Uuid) -> bool {
        self.concealed.records.contains(&(kind, id))
    }

    /// Conceals a record from references.
    pub(crate) fn conceal(&mut self, kind: Kind, id: Uuid) {
        self.concealed.records.insert((kind, id));
    }

    /// Conceals that a record has a name.
    pub(crate) fn conceal_name(&mut self, kind: Kind, name: &Name) {
        match name {
            Name::Id(_) => {}
            Name::Key(key) => {
                self.concealed.keys.insert((kind, key.clone()));
            }
            Name::External(id) => {
                self.concealed.external_ids.insert((kind, id.system.clone(), id.id.clone()));
            }
        }
    }

    /// A record as it is now.
    pub(crate) fn get(&self, kind: Kind, id: Uuid) -> Option<&Record> {
        self.records.get(&(kind, id)).map(|slot| &slot.now)
    }

    /// A record as it is stored; none if it is new.
    pub(crate) fn stored(&self, kind: Kind, id: Uuid) -> Option<&Record> {
        self.records.get(&(kind, id))?.stored.as_ref()
    }

    /// Whether a record is live; `None` if it is not there.
    pub(crate) fn is_live(&self, kind: Kind, id: Uuid) -> Option<bool> {
        match self.get(kind, id) {
            Some(record) => Some(header(record).is_some_and(|header| header.retired_at.is_none())),
            None => self.presence.get(&(kind, id)).copied(),
        }
    }

    /// Who has a key.
    pub(crate) fn key_owner(&self, kind: Kind, key: &str) -> Option<Uuid> {
        self.keys.get(&(kind, key.to_owned())).copied()
    }

    /// Who has an external id.
    pub(crate) fn external_id_owner(&self, kind: Kind, system: &str, id: &str) -> Option<Uuid> {
        self.external_ids.get(&(kind, system.to_owned(), id.to_owned())).copied()
    }

    /// Who has a value of a unique field.
    pub(crate) fn unique_owner(&self, kind: Kind, field: usize, value: &str) -> Option<Uuid> {
        self.uniques.get(&(kind, field, value.to_owned())).copied()
    }

    pub(crate) fn add_unique(&mut self, kind: Kind, field: usize, value: String, id: Uuid) {
        self.uniques.insert((kind, field, value), id);
    }

    /// The salt of a record.
    pub(crate) fn salt(&self, scope: Uuid) -> Option<&Salt> {
        self.salts.get(&scope)
    }

    pub(crate) fn add_salts(&mut self, salts: HashMap<Uuid, Salt>) {
        self.salts.extend(salts);
    }

    /// Who takes a token in this batch.
    pub(crate) fn claim(&self, place: &Place) -> Option<Claim> {
        self.claimed.get(place).copied()
    }

    /// Gives tokens to a new record. It keeps them when it is retired.
    pub(crate) fn add_claims(&mut self, claims: Vec<(Place, Claim)>) {
        self.claimed.extend(claims);
    }

    /// The tokens of new records, in an order that says nothing of the records.
    pub(crate) fn claimed(&self) -> impl Iterator<Item = &Place> {
        self.claimed.keys()
    }

    pub(crate) fn add_key(&mut self, kind: Kind, key: String, id: Uuid) {
        self.keys.insert((kind, key), id);
    }

    pub(crate) fn add_external_id(&mut self, kind: Kind, system: String, external_id: String, id: Uuid) {
        self.external_ids.insert((kind, system, external_id), id);
    }

    /// Adds a record as it is stored; one that is there already stays.
    pub(crate) fn add_stored(&mut self, kind: Kind, id: Uuid, record: Record, provenance: Option<Provenance>) {
        self.records.entry((kind, id)).or_insert_with(|| Slot {
            now: record.clone(),
            stored: Some(record),
            provenance,
            changed: false,
        });
    }

    pub(crate) fn add_presence(&mut self, kind: Kind, id: Uuid, live: bool) {
        self.presence.insert((kind, id), live);
    }

    pub(crate) fn add_sibling(&mut self, kind: Kind, field: usize, of: Uuid, id: Uuid) {
        self.siblings.entry((kind, field, of)).or_default().insert(id);
    }

    pub(crate) fn add_edges(&mut self, kind: Kind, field: usize, id: Uuid, to: Vec<Uuid>) {
        self.edges.entry((kind, field)).or_default().up.insert(id, to);
    }

    /// Says that the references of a record are not known.
    pub(crate) fn add_unknown(&mut self, kind: Kind, field: usize, id: Uuid) {
        self.edges.entry((kind, field)).or_default().unknown.insert(id);
    }

    /// The live records of a kind, one excepted, that refer to a record by a field.
    pub(crate) fn siblings(&self, kind: Kind, field: usize, of: Uuid, except: Uuid) -> Vec<&Record> {
        let ids = self.siblings.get(&(kind, field, of)).into_iter().flatten();
        ids.filter(|id| **id != except).filter_map(|id| self.get(kind, *id)).collect()
    }

    /// Whether references from a record to others would close a cycle.
    pub(crate) fn walk(&self, kind: Kind, field: usize, from: Uuid, to: &[Uuid]) -> Walk {
        let edges = self.edges.get(&(kind, field));
        let mut seen: HashSet<Uuid> = to.iter().copied().collect();
        let mut rest: Vec<Uuid> = to.to_vec();
        while let Some(id) = rest.pop() {
            if id == from {
                return Walk::Closed;
            }
            let Some(edges) = edges else { continue };
            if edges.unknown.contains(&id) || seen.len() > MAX_WALK {
                return Walk::TooFar;
            }
            rest.extend(edges.up.get(&id).into_iter().flatten().filter(|id| seen.insert(**id)));
        }
        Walk::Open
    }

    /// Takes a record as a command leaves it.
    pub(crate) fn put(&mut self, rules: &dyn Rules, kind: Kind, id: Uuid, record: Record) {
        let before = self.records.remove(&(kind, id));
        if let Some(entity) = before.as_ref().and_then(|slot| slot.now.entity()) {
            self.unlink(rules, kind, id, entity);
        }
        if let Some(entity) = record.entity()
            && entity.header().is_some_and(|header| header.retired_at.is_none())
        {
            self.link(rules, kind, id, entity);
        }
        if !before.as_ref().is_some_and(|slot| slot.changed) {
            self.changed.push((kind, id));
        }
        let (stored, provenance) = before.map_or((None, None), |slot| (slot.stored, slot.provenance));
        self.records.insert((kind, id), Slot { stored, provenance, now: record, changed: true });
    }

    fn link(&mut self, rules: &dyn Rules, kind: Kind, id: Uuid, entity: &dyn Entity) {
        for related in rules.related(kind) {
            if let Some(info) = kind.info().field_by_column(related.field()) {
                for of in referred(&entity.get(info.index)) {
                    self.add_sibling(kind, info.index, of, id);
                }
            }
        }
        for info in kind.info().own.iter().filter(|info| info.acyclic) {
            let to: Vec<Uuid> = referred(&entity.get(info.index)).collect();
            self.add_edges(kind, info.index, id, to);
        }
        let Some(header) = entity.header() else { return };
        if let Some(key) = &header.key {
            self.add_key(kind, key.clone(), id);
        }
        for external in &header.external_ids {
            self.add_external_id(kind, external.system.clone(), external.id.clone(), id);
        }
        for info in kind.info().own.iter().filter(|info| info.unique) {
            if let Value::Text(text) = entity.get(info.index) {
                self.add_unique(kind, info.index, text.into_owned(), id);
            }
        }
    }

    fn unlink(&mut self, rules: &dyn Rules, kind: Kind, id: Uuid, entity: &dyn Entity) {
        for related in rules.related(kind) {
            if let Some(info) = kind.info().field_by_column(related.field()) {
                for of in referred(&entity.get(info.index)) {
                    if let Some(group) = self.siblings.get_mut(&(kind, info.index, of)) {
                        group.remove(&id);
                    }
                }
            }
        }
        for info in kind.info().own.iter().filter(|info| info.acyclic) {
            if let Some(edges) = self.edges.get_mut(&(kind, info.index)) {
                edges.up.remove(&id);
            }
        }
        let Some(header) = entity.header() else { return };
        if let Some(key) = &header.key {
            let name = (kind, key.clone());
            if self.keys.get(&name) == Some(&id) {
                self.keys.remove(&name);
            }
        }
        for external in &header.external_ids {
            let name = (kind, external.system.clone(), external.id.clone());
            if self.external_ids.get(&name) == Some(&id) {
                self.external_ids.remove(&name);
            }
        }
        for info in kind.info().own.iter().filter(|info| info.unique) {
            let Value::Text(text) = entity.get(info.index) else { continue };
            let name = (kind, info.index, text.into_owned());
            if self.uniques.get(&name) == Some(&id) {
                self.uniques.remove(&name);
            }
        }
    }

    /// What the batch changed, each record once, in the order of the first change.
    pub(crate) fn changed(&self) -> impl Iterator<Item = Changed<'_>> {
        self.changed.iter().filter_map(|&(kind, id)| {
            let slot = self.records.get(&(kind, id))?;
            Some(Changed {
                kind,
                id,
                stored: slot.stored.as_ref(),
                provenance: slot.provenance.as_ref(),
                now: &slot.now,
            })
        })
    }

    /// Whether the names that led to the stored records are still theirs: between the two looks another batch may have
    /// given them away.
    pub(crate) fn names_hold(&self) -> bool {
        let holds = |kind: Kind, id: Uuid, held: &dyn Fn(&Header) -> bool| match self.get(kind, id).and_then(header) {
            Some(header) => header.retired_at.is_none() && held(header),
            None => true,
        };
        self.keys.iter().all(|((kind, key), id)| holds(*kind, *id, &|header| header.key.as_ref() == Some(key)))
            && self.external_ids.iter().all(|((kind, system, external), id)| {
                holds(*kind, *id, &|header| {
                    header.external_ids.iter().any(|own| own.system == *system && own.id == *external)
                })
            })
    }
}

fn header(record: &Record) -> Option<&Header> {
    record.entity()?.header()
}

/// The version of a record.
pub(crate) fn version(record: &Record) -> u64 {
    header(record).map_or(0, |header| header.version)
}

/// Whether a record is retired.
pub(crate) fn is_retired(record: &Record) -> bool {
    record.entity().is_some_and(|entity| !entity.get(field::RETIRED_AT).is_null())
}
