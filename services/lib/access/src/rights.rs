//! What the roles of somebody together allow.

use sha2::{Digest, Sha256};
use spil_proto::model::{Entity, Kind, Value};

use crate::{Action, FieldSet, Scope, ScopeSet};

/// A value that a record has to have.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Condition {
    /// The number of the field, which holds one of a closed list.
    pub field: usize,
    /// The numbers of the values that will do, in ascending order.
    pub values: Vec<i32>,
}

impl Condition {
    /// Whether a record fulfils it.
    pub fn holds(&self, record: &dyn Entity) -> bool {
        matches!(record.get(self.field), Value::Enum(value) if self.values.binary_search(&value).is_ok())
    }
}

/// One thing that is allowed: some fields of the records of a kind within a scope.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Right {
    /// With which records.
    pub scope: Scope,
    /// With which fields.
    pub fields: FieldSet,
    /// What the record has to be like.
    pub with: Vec<Condition>,
}

impl Right {
    /// Whether it allows everything that another does.
    fn covers(&self, other: &Right) -> bool {
        (self.scope == Scope::All || self.scope == other.scope)
            && self.fields.covers(other.fields)
            && (self.with.is_empty() || self.with == other.with)
    }

    /// Whether it is about a record with these scopes and values.
    pub fn is_about(&self, scopes: ScopeSet, record: Option<&dyn Entity>) -> bool {
        scopes.contains(self.scope)
            && (self.with.is_empty()
                || record.is_some_and(|record| self.with.iter().all(|condition| condition.holds(record))))
    }
}

/// What is allowed of every action on every kind. Two that allow the same are equal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rights {
    /// By the place of the kind, then of the action.
    by: Vec<Vec<Right>>,
    operate: bool,
    has_own: bool,
    digest: [u8; 32],
}

/// Puts rights together.
pub(crate) struct RightsBuilder {
    by: Vec<Vec<Right>>,
    operate: bool,
}

fn place(kind: Kind, action: Action) -> Option<usize> {
    let kind = Kind::ALL.binary_search(&kind).ok()?;
    Some(kind * Action::ALL.len() + action.place())
}

impl RightsBuilder {
    pub(crate) fn new() -> Self {
        Self { by: vec![Vec::new(); Kind::ALL.len() * Action::ALL.len()], operate: false }
    }

    pub(crate) fn allow(&mut self, action: Action, kind: Kind, right: Right) {
        if action == Action::Operate {
            self.operate = true;
        } else if let Some(rights) = place(kind, action).and_then(|place| self.by.get_mut(place)) {
            rights.push(right);
        }
    }

    /// Leaves out what another right allows anyway, so that those who may the same have the same rights.
    pub(crate) fn finish(mut self) -> Rights {
        let mut hash = Sha256::new();
        hash.update([u8::from(self.operate)]);
        let mut has_own = false;
        for rights in &mut self.by {
            rights.sort_unstable();
            rights.dedup();
            let all = rights.clone();
            rights.retain(|right| !all.iter().any(|other| other != right && other.covers(right)));
            hash.update((rights.len() as u64).to_be_bytes());
            for right in rights.iter() {
                has_own |= right.scope != Scope::All;
                hash.update([right.scope as u8]);
                hash.update(right.fields.bytes());
                hash.update((right.with.len() as u64).to_be_bytes());
                for condition in &right.with {
                    hash.update((condition.field as u64).to_be_bytes());
                    hash.update((condition.values.len() as u64).to_be_bytes());
                    condition.values.iter().for_each(|value| hash.update(value.to_be_bytes()));
                }
            }
        }
        Rights { by: self.by, operate: self.operate, has_own, digest: hash.finalize().into() }
    }
}

impl Rights {
    /// What is allowed of an action on a kind; nothing if it is empty.
    pub fn of(&self, action: Action, kind: Kind) -> &[Right] {
        place(kind, action).and_then(|place| self.by.get(place)).map_or(&[], Vec::as_slice)
    }

    /// Whether the service itself may be looked at.
    pub(crate) fn operate(&self) -> bool {
        self.operate
    }

    /// Whether anything depends on who the viewer is.
    pub(crate) fn has_own(&self) -> bool {
        self.has_own
    }

    /// The same for all rights that allow the same.
    pub(crate) fn digest(&self) -> &[u8; 32] {
        &self.digest
    }
}
