//! What a batch needs to know before it can be applied. Everything is asked for in one go for the whole batch.

use std::collections::{BTreeMap, BTreeSet};

use spil_proto::model::{FieldType, Kind, Owner, Value, field};
use uuid::Uuid;

use super::{
    prepare::{Name, Prepared},
    working_set::WorkingSet,
};
use crate::rule::{Related, Rules};

/// Sets of something for each kind, in a fixed order.
pub(crate) type ByKind<T> = BTreeMap<Kind, BTreeSet<T>>;

/// The names to be resolved: those of targets and references, and those that records want for themselves.
#[derive(Debug, Default)]
pub(crate) struct Names {
    pub(crate) keys: ByKind<String>,
    pub(crate) external_ids: ByKind<(String, String)>,
}

impl Names {
    fn add(&mut self, kind: Kind, name: &Name) {
        match name {
            Name::Id(_) => {}
            Name::Key(key) => {
                self.keys.entry(kind).or_default().insert(key.clone());
            }
            Name::External(id) => {
                self.external_ids.entry(kind).or_default().insert((id.system.clone(), id.id.clone()));
            }
        }
    }
}

/// The names that a batch uses.
pub(crate) fn names(batch: &[&Prepared]) -> Names {
    let mut names = Names::default();
    for command in batch {
        if let Some(target) = &command.target {
            names.add(command.kind, target);
        }
        for lookup in &command.lookups {
            lookup.names.iter().for_each(|name| names.add(lookup.kind, name));
        }
        for (info, value) in command.sound_values() {
            match (info.index, value) {
                (field::KEY, Value::Text(key)) => {
                    names.keys.entry(command.kind).or_default().insert(key.clone().into_owned());
                }
                (field::EXTERNAL_IDS, Value::ExternalIds(ids)) => {
                    let wanted = names.external_ids.entry(command.kind).or_default();
                    wanted.extend(ids.iter().map(|id| (id.system.clone(), id.id.clone())));
                }
                _ => {}
            }
        }
    }
    names
}

/// The records that a batch means to change, as far as they are there.
pub(crate) fn targets(batch: &[&Prepared], set: &WorkingSet) -> ByKind<Uuid> {
    let mut targets = ByKind::new();
    for (kind, name) in batch.iter().filter_map(|command| command.target()) {
        if let Some(id) = set.resolve(kind, name) {
            targets.entry(kind).or_default().insert(id);
        }
    }
    targets
}

/// Records that the batch refers to.
#[derive(Debug, Default)]
pub(crate) struct References {
    /// Records of this owner that must be there and stay there.
    pub(crate) shared: ByKind<Uuid>,
    /// Records of this owner whose referring records are summed up or counted by a rule: one batch at a time.
    pub(crate) exclusive: ByKind<Uuid>,
    /// The groups of siblings that rules look at: kind, field, record referred to.
    pub(crate) siblings: BTreeMap<(Kind, usize), BTreeSet<Uuid>>,
    /// The records referred to that rules look at.
    pub(crate) referenced: ByKind<Uuid>,
    /// Where the search for cycles starts: kind, acyclic field, records.
    pub(crate) ancestors: BTreeMap<(Kind, usize), BTreeSet<Uuid>>,
}

/// What a batch refers to. Needs the targets in the working set: a rule looks at a record's present references too.
pub(crate) fn references(owner: Owner, batch: &[&Prepared], set: &WorkingSet, rules: &dyn Rules) -> References {
    let mut needed = References::default();
    let restructured = restructured(batch);
    for command in batch {
        let stored = command.target().and_then(|(kind, name)| set.get(kind, set.resolve(kind, name)?));
        let related = rules.related(command.kind);
        for info in command.kind.info().own {
            let to = match info.ty {
                FieldType::Ref(to) | FieldType::RefList(to) => to,
                _ => continue,
            };
            let mut ids: Vec<Uuid> = Vec::new();
            for (_, value) in command.sound_values().filter(|(value, _)| value.index == info.index) {
                ids.extend(referred(value));
            }
            for lookup in command.lookups.iter().filter(|lookup| lookup.info.index == info.index) {
                ids.extend(lookup.names.iter().filter_map(|name| set.resolve(to, name)));
            }
            if info.acyclic && restructured.contains(&command.kind) {
                needed.ancestors.entry((command.kind, info.index)).or_default().extend(ids.iter().copied());
            }
            if to.info().owner == owner {
                needed.shared.entry(to).or_default().extend(ids.iter().copied());
            }
            for related in related.iter().filter(|related| related.field() == info.column) {
                let present = stored.and_then(|record| record.entity()).map(|entity| entity.get(info.index));
                let all = ids.iter().copied().chain(present.iter().flat_map(referred));
                match related {
                    Related::Siblings { exclusive, .. } => {
                        let all: Vec<Uuid> = all.collect();
                        needed.siblings.entry((command.kind, info.index)).or_default().extend(all.iter().copied());
                        if *exclusive {
                            needed.exclusive.entry(to).or_default().extend(all);
                        }
                    }
                    Related::Referenced { .. } => needed.referenced.entry(to).or_default().extend(all),
                }
            }
        }
    }
    needed
}

/// The ids that a value refers to.
pub(crate) fn referred(value: &Value<'_>) -> impl Iterator<Item = Uuid> {
    let (one, many) = match value {
        Value::Id(id) => (Some(*id), &[][..]),
        Value::Ids(ids) => (None, ids.as_slice()),
        _ => (None, &[][..]),
    };
    one.into_iter().chain(many.iter().copied())
}

/// The kinds of which a batch may change acyclic references of records that are there already. Two batches that do so at
/// the same time could close a cycle together.
pub(crate) fn restructured(batch: &[&Prepared]) -> BTreeSet<Kind> {
    use spil_proto::changefeed::v1::Action;
    let changes = |command: &&&Prepared| {
        let acyclic = |index: usize| command.kind.info().field(index).is_some_and(|info| info.acyclic);
        matches!(command.action, Action::Update | Action::Upsert)
            && (command.sound_values().any(|(info, value)| acyclic(info.index) && !value.is_null())
                || command.lookups.iter().any(|lookup| lookup.info.acyclic && !lookup.names.is_empty()))
    };
    batch.iter().filter(changes).map(|command| command.kind).collect()
}
