//! What somebody may do who asks now, for a purpose or for none.

use std::{fmt, sync::Arc};

use sha2::{Digest, Sha256};
use spil_auth::Caller;
use spil_proto::model::{Entity, Kind, Purpose};

use crate::{Action, FieldSet, Right, Rights, Scope, ScopeSet, WorkerName};

/// What decides what a viewer sees, as one value: whoever has the same sees the same in the same graph on the same day. It does not tell who
/// the viewer is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ViewerKey([u8; 32]);

impl ViewerKey {
    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for ViewerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ViewerKey(")?;
        self.0.iter().take(4).try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}

/// Somebody who asks. Cheap to clone.
#[derive(Clone)]
pub struct Viewer {
    issuer: Arc<str>,
    subject: Arc<str>,
    roles: Arc<[Arc<str>]>,
    worker: Option<Arc<WorkerName>>,
    purpose: Option<Purpose>,
    rights: Arc<Rights>,
    key: ViewerKey,
}

impl fmt::Debug for Viewer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Viewer")
            .field("roles", &self.roles)
            .field("purpose", &self.purpose)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

impl Viewer {
    pub(crate) fn new(
        caller: &Caller,
        roles: Vec<Arc<str>>,
        worker: Option<WorkerName>,
        purpose: Option<Purpose>,
        rights: Arc<Rights>,
    ) -> Self {
        let mut key = *rights.digest();
        if rights.has_own() {
            let mut hash = Sha256::new_with_prefix(key);
            for part in worker.iter().flat_map(WorkerName::parts) {
                hash.update((part.len() as u64).to_be_bytes());
                hash.update(part);
            }
            key = hash.finalize().into();
        }
        Self {
            issuer: caller.issuer().into(),
            subject: caller.subject().into(),
            roles: roles.into(),
            worker: worker.map(Arc::new),
            purpose,
            rights,
            key: ViewerKey(key),
        }
    }

    /// Who signed the token.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The subject of the token.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The names of the roles, in order.
    pub fn roles(&self) -> &[Arc<str>] {
        &self.roles
    }

    /// What the token calls the worker who the viewer is; none if it names none.
    pub fn worker(&self) -> Option<&WorkerName> {
        self.worker.as_deref()
    }

    /// What the viewer asks for.
    pub fn purpose(&self) -> Option<Purpose> {
        self.purpose
    }

    /// The same for all who see the same.
    pub fn key(&self) -> ViewerKey {
        self.key
    }

    /// What is allowed of an action on a kind, for this purpose.
    pub fn rights(&self, action: Action, kind: Kind) -> &[Right] {
        self.rights.of(action, kind)
    }

    /// Whether anything that is allowed depends on who the viewer is.
    pub fn has_own(&self) -> bool {
        self.rights.has_own()
    }

    /// Whether an action is allowed on some records of a kind, whichever they are.
    pub fn may(&self, action: Action, kind: Kind) -> bool {
        if action == Action::Operate { self.rights.operate() } else { !self.rights.of(action, kind).is_empty() }
    }

    /// Whether an action is allowed on anything at all.
    pub fn may_any(&self, action: Action) -> bool {
        Kind::ALL.iter().any(|kind| self.may(action, *kind))
    }

    /// Whether every record of a kind may be changed or retired, whatever it is like. Whether a record of it is there can be found out by doing
    /// so, and is no secret then.
    pub fn changes_all(&self, kind: Kind) -> bool {
        let is_whole = |right: &Right| right.scope == Scope::All && right.with.is_empty();
        [Action::Update, Action::Retire].into_iter().any(|action| self.rights(action, kind).iter().any(is_whole))
    }

    /// Says whether an action is allowed on some records of a kind.
    ///
    /// # Errors
    /// If not; the error names the action and the kind.
    pub fn require(&self, action: Action, kind: Kind) -> Result<(), Denied> {
        if self.may(action, kind) { Ok(()) } else { Err(Denied::Kind { action, kind }) }
    }

    /// Says whether an action is allowed on anything at all.
    ///
    /// # Errors
    /// If not; the error names the action.
    pub fn require_any(&self, action: Action) -> Result<(), Denied> {
        if self.may_any(action) { Ok(()) } else { Err(Denied::Action { action }) }
    }

    /// Whether an action is allowed on one record.
    pub fn may_with(&self, action: Action, kind: Kind, scopes: ScopeSet, record: Option<&dyn Entity>) -> bool {
        self.rights(action, kind).iter().any(|right| right.is_about(scopes, record))
    }

    /// The fields that are seen of a record that is in some scopes. What identifies somebody needs to be allowed twice: to be read, and to
    /// identify. None if the record is not seen at all.
    pub fn seen_fields(&self, kind: Kind, scopes: ScopeSet) -> Option<FieldSet> {
        let of = |action| {
            let rights = self.rights(action, kind).iter().filter(|right| scopes.contains(right.scope));
            rights.map(|right| right.fields).reduce(FieldSet::or)
        };
        let read = of(Action::Read)?;
        let hidden = FieldSet::identifying(kind).without(of(Action::Identify).unwrap_or_default());
        Some(read.without(hidden))
    }

    /// Says whether fields of a record may be written. `images` are the record before and after, as far as there is one, with the scopes that
    /// it is in. Each field has to be allowed by something that is about all of them.
    ///
    /// # Errors
    /// If not; the error says what is lacking.
    pub fn check_write(
        &self,
        action: Action,
        kind: Kind,
        fields: FieldSet,
        images: &[(ScopeSet, &dyn Entity)],
    ) -> Result<(), Denied> {
        self.require(action, kind)?;
        let rights = self.rights(action, kind);
        let in_scope = |right: &&Right| images.iter().all(|(scopes, _)| scopes.contains(right.scope));
        let mut covered = None;
        for right in rights.iter().filter(in_scope) {
            if images.iter().all(|(scopes, record)| right.is_about(*scopes, Some(*record))) {
                covered = Some(covered.unwrap_or(FieldSet::NONE).or(right.fields));
            }
        }
        let Some(covered) = covered else {
            let condition = rights.iter().filter(in_scope).find_map(|right| right.with.first());
            return Err(match condition {
                Some(condition) => Denied::Value { action, kind, field: condition.field },
                None => Denied::Scope { action, kind },
            });
        };
        match fields.without(covered).iter().next() {
            None => Ok(()),
            Some(field) => Err(Denied::Field { action, kind, field }),
        }
    }
}

/// Something is not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Nowhere.
    #[error("the token does not allow to `{}`", action.name())]
    Action {
        /// What.
        action: Action,
    },
    /// With no record of the kind.
    #[error("the token does not allow to `{}` records of the kind `{}`", action.name(), kind.info().name)]
    Kind {
        /// What.
        action: Action,
        /// Which kind.
        kind: Kind,
    },
    /// Not with this record.
    #[error("the token does not allow to `{}` this record of the kind `{}`", action.name(), kind.info().name)]
    Scope {
        /// What.
        action: Action,
        /// Which kind.
        kind: Kind,
    },
    /// Not this field.
    #[error("the token does not allow to `{}` `{}` of the kind `{}`", action.name(), name_of(*kind, *field), kind.info().name)]
    Field {
        /// What.
        action: Action,
        /// Which kind.
        kind: Kind,
        /// The number of the field.
        field: usize,
    },
    /// Not with such a value in a field.
    #[error(
        "the token does not allow to `{}` a record of the kind `{}` with another value of `{}`",
        action.name(),
        kind.info().name,
        name_of(*kind, *field)
    )]
    Value {
        /// What.
        action: Action,
        /// Which kind.
        kind: Kind,
        /// The number of the field.
        field: usize,
    },
}

impl Denied {
    /// The field that it is about, if it is about one.
    pub fn field(&self) -> Option<usize> {
        match self {
            Denied::Field { field, .. } | Denied::Value { field, .. } => Some(*field),
            Denied::Action { .. } | Denied::Kind { .. } | Denied::Scope { .. } => None,
        }
    }
}

fn name_of(kind: Kind, field: usize) -> &'static str {
    let info = kind.info();
    info.field(field).or_else(|| info.one_way.iter().find(|info| info.index == field)).map_or("", |info| info.name)
}
