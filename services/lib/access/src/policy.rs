//! A policy, and what it says of a caller.

use std::{
    num::NonZeroUsize,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

use lru::LruCache;
use spil_auth::Caller;
use spil_proto::{
    changefeed::v1::Record,
    model::{Kind, Purpose},
};

use crate::{
    Action, FieldSet, PolicyError, Right, Rights, Scope, Viewer,
    check::{Checked, check},
    membership::{Member, WorkerClaim},
    rights::RightsBuilder,
};

/// For how many sets of roles and purposes the rights are kept ready.
const KEPT_RIGHTS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(255);

/// A role: who has it and what it allows.
#[derive(Debug)]
pub(crate) struct Role {
    pub(crate) name: Arc<str>,
    pub(crate) description: String,
    pub(crate) members: Vec<Member>,
    pub(crate) allowed: Vec<Allowed>,
}

/// One thing that a role allows.
#[derive(Debug)]
pub(crate) struct Allowed {
    pub(crate) action: Action,
    pub(crate) kind: Kind,
    pub(crate) right: Right,
    /// For which purposes; `None` if none is needed.
    pub(crate) purposes: Option<Vec<Purpose>>,
}

/// Which roles, by their places, and for what.
type RightsKey = (u64, Option<Purpose>);

/// What our own services may do.
static SERVICE: LazyLock<Arc<Rights>> = LazyLock::new(|| {
    let mut rights = RightsBuilder::new();
    for kind in Kind::ALL.iter().copied() {
        for action in [Action::Follow, Action::Read, Action::Audit] {
            rights.allow(action, kind, Right { scope: Scope::All, fields: FieldSet::ALL, with: Vec::new() });
        }
    }
    Arc::new(rights.finish())
});

/// Who may do what. Pure: it reads no clock and no file.
pub struct Policy {
    worker: Option<WorkerClaim>,
    /// In the order of their names; at most 64.
    roles: Vec<Role>,
    rights: Mutex<LruCache<RightsKey, Arc<Rights>>>,
}

impl std::fmt::Debug for Policy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Policy").field("roles", &self.roles).finish_non_exhaustive()
    }
}

impl Policy {
    /// Reads a policy from the text of a file. `name` is the file's name, for what is said about it.
    ///
    /// # Errors
    /// If it is no policy; the error names the lines and what is wrong there.
    pub fn parse(name: &str, text: &str) -> Result<Self, PolicyError> {
        let Checked { worker, roles } = check(name, text)?;
        Ok(Self { worker, roles, rights: Mutex::new(LruCache::new(KEPT_RIGHTS)) })
    }

    /// A policy that allows nothing.
    pub fn nothing() -> Self {
        Self { worker: None, roles: Vec::new(), rights: Mutex::new(LruCache::new(KEPT_RIGHTS)) }
    }

    /// What a caller may do, and what may be seen for a purpose.
    ///
    /// A service of ours that speaks for itself may follow everything and see what was done, whatever the policy says: without that nothing
    /// would run. It writes nothing.
    pub fn viewer(&self, caller: &Caller, purpose: Option<Purpose>) -> Viewer {
        if caller.is_service() {
            return Viewer::new(caller, Vec::new(), None, purpose, Arc::clone(&SERVICE));
        }
        let worker = self.worker.as_ref().and_then(|claim| claim.of(caller));
        let mut places = 0_u64;
        let mut roles = Vec::new();
        for (place, role) in self.roles.iter().enumerate() {
            if role.members.iter().any(|member| member.includes(caller, worker.is_some())) {
                places |= 1 << place;
                roles.push(Arc::clone(&role.name));
            }
        }
        Viewer::new(caller, roles, worker, purpose, self.rights((places, purpose)))
    }

    /// The rights of a set of roles, made when they are first asked for.
    fn rights(&self, key: RightsKey) -> Arc<Rights> {
        // What is kept is whole after every step, so a panic elsewhere leaves nothing to fear.
        let mut kept = self.rights.lock().unwrap_or_else(PoisonError::into_inner);
        let (places, purpose) = key;
        let made = kept.get_or_insert(key, || {
            let of = |place: usize| places & (1 << place) != 0;
            let roles = self.roles.iter().enumerate().filter(|(place, _)| of(*place)).map(|(_, role)| role);
            let mut rights = RightsBuilder::new();
            for allowed in roles.flat_map(|role| &role.allowed) {
                let mut right = allowed.right.clone();
                if let Some(purposes) = &allowed.purposes {
                    let Some(purpose) = purpose.filter(|purpose| purposes.contains(purpose)) else { continue };
                    // Whatever a policy allows, for a purpose no more is seen than the register has for it.
                    right.fields = right.fields.and(FieldSet::identifying_for(allowed.kind, purpose));
                    if right.fields.is_empty() {
                        continue;
                    }
                }
                rights.allow(allowed.action, allowed.kind, right);
            }
            Arc::new(rights.finish())
        });
        Arc::clone(made)
    }

    /// The subjects of tokens that name the worker who a record is, without the prefix of an issuer; none where another claim than the subject
    /// names workers.
    pub fn subjects_of(&self, worker: &Record) -> Vec<String> {
        let is_worker = worker.kind() == Some(Kind::Worker);
        self.worker.as_ref().filter(|_| is_worker).map(|claim| claim.subjects_of(worker)).unwrap_or_default()
    }

    /// The names of the roles, in order, with what they are for.
    pub fn roles(&self) -> impl Iterator<Item = (&str, &str)> {
        self.roles.iter().map(|role| (&*role.name, role.description.as_str()))
    }

    /// The roles by which a field of a kind can be seen, in order of their names: whatever the records, and of what identifies people for some
    /// purpose that the register has for it.
    pub fn readers(&self, kind: Kind, field: usize) -> Vec<&str> {
        let identifies = kind.info().identifies(field);
        let of_register = kind.info().personal(field).map(|personal| personal.purposes).unwrap_or_default();
        let has_purpose = |purposes: &Vec<Purpose>| purposes.iter().any(|purpose| of_register.contains(purpose));
        let sees = |role: &Role, action: Action| {
            role.allowed.iter().any(|it| {
                let is_about = it.kind == kind && it.action == action && it.right.fields.contains(field);
                is_about && it.purposes.as_ref().is_none_or(has_purpose)
            })
        };
        // The right to see the record may come by another role, of those that everybody who identifies has.
        let read_by_any = self.roles.iter().any(|role| sees(role, Action::Read));
        self.roles
            .iter()
            .filter(|role| match identifies {
                true => read_by_any && sees(role, Action::Identify),
                false => sees(role, Action::Read),
            })
            .map(|role| &*role.name)
            .collect()
    }
}

/// Every purpose.
pub(crate) fn purposes() -> impl Iterator<Item = Purpose> {
    (1..).map_while(|number| Purpose::try_from(number).ok())
}

/// The purpose with a name: `SKILL_DEVELOPMENT`.
pub(crate) fn purpose_by_name(name: &str) -> Option<Purpose> {
    purposes().find(|purpose| purpose_name(*purpose) == name)
}

/// The name of a purpose: `SKILL_DEVELOPMENT`.
pub(crate) fn purpose_name(purpose: Purpose) -> &'static str {
    let name = purpose.as_str_name();
    name.strip_prefix("PURPOSE_").unwrap_or(name)
}
