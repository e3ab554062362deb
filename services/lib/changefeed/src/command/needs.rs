//! What a batch needs to know before it can be applied. Everything is asked for in one go for the whole batch.

use std::collections::{BTreeMap, BTreeSet};

use spil_proto::model::{FieldInfo, FieldType, Kind, Owner, Value, field};
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
    /// The values of unique fields: kind, field, values.
    pub(crate) uniques: BTreeMap<(Kind, usize), BTreeSet<String>>,
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
                (index, Value::Text(text)) if info.unique => {
                    names.uniques.entry((command.kind, index)).or_default().insert(text.clone().into_owned());
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

/// The records that change with those that a batch writes, as far as the batch says it itself.
pub(crate) fn affected(batch: &[&Prepared], set: &WorkingSet, rules: &dyn Rules) -> ByKind<Uuid> {
    let mut affected = ByKind::new();
    for command in batch {
        for (info, to) in affecting(rules, command.kind) {
            affected.entry(to).or_default().extend(given(command, info, to, set));
        }
    }
    affected
}

/// The records that are written and whose stored references say what changes with them: kind, field, records.
pub(crate) fn affecting_targets(
    batch: &[&Prepared],
    set: &WorkingSet,
    rules: &dyn Rules,
) -> BTreeMap<(Kind, usize), BTreeSet<Uuid>> {
    use spil_proto::changefeed::v1::Action;
    let mut targets: BTreeMap<(Kind, usize), BTreeSet<Uuid>> = BTreeMap::new();
    for command in batch.iter().filter(|command| matches!(command.action, Action::Update | Action::Upsert)) {
        let Some(id) = command.target().and_then(|(kind, name)| set.resolve(kind, name)) else { continue };
        for (info, _) in affecting(rules, command.kind) {
            targets.entry((command.kind, info.index)).or_default().insert(id);
        }
    }
    targets
}

/// The references of a kind to records that change with it.
fn affecting(rules: &dyn Rules, kind: Kind) -> impl Iterator<Item = (&'static FieldInfo, Kind)> {
    rules.related(kind).iter().filter_map(move |related| {
        let Related::Affected { field } = related else { return None };
        let info = kind.info().field_by_column(field)?;
        match info.ty {
            FieldType::Ref(to) => Some((info, to)),
            _ => None,
        }
    })
}

/// The ids that a command gives a reference, by value or by name.
fn given(command: &Prepared, info: &FieldInfo, to: Kind, set: &WorkingSet) -> Vec<Uuid> {
    let mut ids: Vec<Uuid> = Vec::new();
    for (_, value) in command.sound_values().filter(|(value, _)| value.index == info.index) {
        ids.extend(referred(value));
    }
    for lookup in command.lookups.iter().filter(|lookup| lookup.info.index == info.index) {
        ids.extend(lookup.names.iter().filter_map(|name| set.resolve(to, name)));
    }
    ids
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
            let ids = given(command, info, to, set);
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
                    // Loaded and held with the targets.
                    Related::Affected { .. } => {}
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
