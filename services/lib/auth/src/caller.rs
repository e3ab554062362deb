//! Who calls, and what they may do.

use std::{fmt, str::FromStr, sync::Arc, time::SystemTime};

use serde_json::{Map, Value};

use crate::{ISSUER, SERVICE_ISSUER};

/// Something a caller may be allowed to do. Each stands for itself: `write` does not include `read`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// Query the graph.
    Read,
    /// Create, update and retire records.
    Write,
    /// See how the service itself is doing.
    Admin,
    /// See who somebody is, for a purpose.
    Personal,
    /// Read who changed what and who read what about whom.
    Audit,
    /// Read the raw snapshots and change feeds of the owners.
    Follow,
    /// See figures about groups of people, and no record by that.
    Aggregate,
}

impl Permission {
    /// Every permission.
    pub const ALL: [Permission; 7] = [
        Permission::Read,
        Permission::Write,
        Permission::Admin,
        Permission::Personal,
        Permission::Audit,
        Permission::Follow,
        Permission::Aggregate,
    ];

    /// Its name in tokens: `read`, `write`, `admin`, `personal`, `audit`, `follow`, `aggregate`.
    pub fn name(self) -> &'static str {
        match self {
            Permission::Read => "read",
            Permission::Write => "write",
            Permission::Admin => "admin",
            Permission::Personal => "personal",
            Permission::Audit => "audit",
            Permission::Follow => "follow",
            Permission::Aggregate => "aggregate",
        }
    }

    fn bit(self) -> u8 {
        match self {
            Permission::Read => 1,
            Permission::Write => 2,
            Permission::Admin => 4,
            Permission::Personal => 8,
            Permission::Audit => 16,
            Permission::Follow => 32,
            Permission::Aggregate => 64,
        }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Permission {
    type Err = UnknownPermission;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Permission::ALL
            .into_iter()
            .find(|permission| permission.name() == name)
            .ok_or_else(|| UnknownPermission { name: name.to_owned() })
    }
}

/// A name that is no permission.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is no permission; there are `read`, `write`, `admin`, `personal`, `audit`, `follow` and `aggregate`")]
pub struct UnknownPermission {
    name: String,
}

/// A set of permissions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Permissions(u8);

impl Permissions {
    /// Whether a permission is among them.
    pub fn contains(self, permission: Permission) -> bool {
        self.0 & permission.bit() != 0
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<T: IntoIterator<Item = Permission>>(permissions: T) -> Self {
        Self(permissions.into_iter().fold(0, |bits, permission| bits | permission.bit()))
    }
}

/// Who calls, as a verified token says. Cheap to clone. `Debug` shows no claim, and so nothing personal.
#[derive(Clone, PartialEq, Eq)]
pub struct Caller {
    issuer: Arc<str>,
    subject: Arc<str>,
    claims: Arc<Map<String, Value>>,
    permissions: Permissions,
    expires_at: Option<SystemTime>,
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller")
            .field("issuer", &self.issuer)
            .field("permissions", &self.permissions)
            .finish_non_exhaustive()
    }
}

impl Caller {
    /// A caller of the development issuer with a name and permissions and without further claims, for ever.
    pub fn new(subject: impl Into<String>, permissions: impl IntoIterator<Item = Permission>) -> Self {
        Self {
            issuer: ISSUER.into(),
            subject: subject.into().into(),
            claims: Arc::default(),
            permissions: permissions.into_iter().collect(),
            expires_at: None,
        }
    }

    /// The same caller as another issuer names it.
    #[must_use]
    pub fn of_issuer(mut self, issuer: impl Into<Arc<str>>) -> Self {
        self.issuer = issuer.into();
        self
    }

    /// The same caller with the claims of a token. They change neither the subject nor the permissions.
    #[must_use]
    pub fn with_claims(mut self, claims: Map<String, Value>) -> Self {
        self.claims = Arc::new(claims);
        self
    }

    /// The same caller, up to a moment.
    #[must_use]
    pub fn until(mut self, expires_at: SystemTime) -> Self {
        self.expires_at = Some(expires_at);
        self
    }

    /// When the token ceases to count, leeway included: what lasts longer than one answer has to end then. None if never.
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.expires_at
    }

    /// Who signed the token: the `iss` of an issuer that is trusted.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Whether this is a service of ours that speaks for itself, in the name of no caller.
    pub fn is_service(&self) -> bool {
        &*self.issuer == SERVICE_ISSUER
    }

    /// Every claim of the token, as the issuer wrote it; no more than [`MAX_TOKEN_BYTES`](crate::MAX_TOKEN_BYTES) hold.
    pub fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    /// The subject of the token; the actor of every change the caller makes.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// What the caller may do.
    pub fn permissions(&self) -> Permissions {
        self.permissions
    }

    /// Says whether the caller may do something.
    ///
    /// # Errors
    /// If not; the error names what is lacking.
    pub fn require(&self, permission: Permission) -> Result<(), Forbidden> {
        if self.permissions.contains(permission) { Ok(()) } else { Err(Forbidden { lacking: permission }) }
    }
}

/// The caller is known and may not do this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the token lacks the permission `{lacking}`")]
pub struct Forbidden {
    /// The permission that is needed.
    pub lacking: Permission,
}
