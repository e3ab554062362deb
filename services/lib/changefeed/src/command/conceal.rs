//! References to what a viewer does not see are answered as references to what is not there. So are names that tell who somebody is, unless
//! the viewer sees those: an answer would say whose they are.

use std::collections::HashMap;

use spil_access::{Action as Right, FieldSet, ScopeSet, Viewer};
use spil_proto::{
    changefeed::v1::Problem,
    model::{FieldType, Kind, field},
};
use uuid::Uuid;

use super::{
    needs::referred,
    permit::Scopes,
    prepare::{Name, Prepared},
    working_set::WorkingSet,
};

/// What a batch refers to or names, as far as it is not seen wherever it is.
#[derive(Default)]
pub(crate) struct Doubtful<'a> {
    references: Vec<(Kind, Uuid)>,
    names: Vec<(Kind, Uuid, &'a Name)>,
}

impl<'a> Doubtful<'a> {
    /// Looks for what depends on where the records are that a batch refers to.
    pub(crate) fn of(viewer: &Viewer, commands: &'a [Result<Prepared, Vec<Problem>>], set: &WorkingSet) -> Self {
        let mut doubtful = Self::default();
        let mut everywhere = HashMap::new();
        let mut seen = |kind: Kind| *everywhere.entry(kind).or_insert_with(|| seen(viewer, kind, ScopeSet::ALL_ONLY));
        for command in commands.iter().flatten() {
            let targets = command.target().into_iter();
            let lookups = command.lookups.iter();
            let looked_up = lookups.flat_map(|lookup| lookup.names.iter().map(move |name| (lookup.kind, name)));
            for (kind, name) in targets.chain(looked_up.clone()) {
                if let Some(field) = field_of(name)
                    && !seen(kind).is_some_and(|seen| seen.contains(field))
                    && let Some(id) = set.resolve(kind, name)
                {
                    doubtful.names.push((kind, id, name));
                }
            }
            for (info, value) in command.sound_values() {
                if let FieldType::Ref(to) | FieldType::RefList(to) = info.ty
                    && seen(to).is_none()
                {
                    doubtful.references.extend(referred(value).map(|id| (to, id)));
                }
            }
            for (kind, name) in looked_up.filter(|(kind, _)| seen(*kind).is_none()) {
                doubtful.references.extend(set.resolve(kind, name).map(|id| (kind, id)));
            }
        }
        doubtful
    }

    /// The records whose scopes decide.
    pub(crate) fn records(&self) -> Vec<(Kind, Uuid)> {
        let named = self.names.iter().map(|(kind, id, _)| (*kind, *id));
        self.references.iter().copied().chain(named).collect()
    }

    /// Conceals what is not seen.
    pub(crate) fn conceal(&self, viewer: &Viewer, scopes: &Scopes, set: &mut WorkingSet) {
        let seen = |kind: Kind, id: Uuid| {
            let before = scopes.get(&(kind, id)).map_or(ScopeSet::ALL_ONLY, |(before, _)| *before);
            seen(viewer, kind, before)
        };
        for (kind, id) in self.references.iter().copied() {
            // What is not there may come to be by the batch itself.
            if set.is_live(kind, id).is_some() && seen(kind, id).is_none() {
                set.conceal(kind, id);
            }
        }
        for (kind, id, name) in self.names.iter().copied() {
            let field = field_of(name);
            if !seen(kind, id).is_some_and(|seen| field.is_some_and(|field| seen.contains(field))) {
                set.conceal_name(kind, name);
            }
        }
    }
}

/// The field that a name is the value of; none for an id.
fn field_of(name: &Name) -> Option<usize> {
    match name {
        Name::Id(_) => None,
        Name::Key(_) => Some(field::KEY),
        Name::External(_) => Some(field::EXTERNAL_IDS),
    }
}

/// The fields that are seen of a record in some scopes; none if it is not. Who reads the raw feed sees everything, and to who changes every
/// record of a kind, as a system does that writes what it may not read back, no record of it is a secret.
fn seen(viewer: &Viewer, kind: Kind, scopes: ScopeSet) -> Option<FieldSet> {
    if viewer.changes_all(kind) || viewer.may(Right::Follow, kind) {
        return Some(FieldSet::ALL);
    }
    viewer.seen_fields(kind, scopes)
}
