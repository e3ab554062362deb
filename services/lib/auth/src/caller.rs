//! Who calls, and what they may do.

use std::{fmt, str::FromStr, time::SystemTime};

/// Something a caller may be allowed to do. Each stands for itself: `write` does not include `read`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// Query the graph, follow the feeds.
    Read,
    /// Create, update and retire records.
    Write,
    /// See how the service itself is doing.
    Admin,
}

impl Permission {
    /// Every permission.
    pub const ALL: [Permission; 3] = [Permission::Read, Permission::Write, Permission::Admin];

    /// Its name in tokens: `read`, `write`, `admin`.
    pub fn name(self) -> &'static str {
        match self {
            Permission::Read => "read",
            Permission::Write => "write",
            Permission::Admin => "admin",
        }
    }

    fn bit(self) -> u8 {
        match self {
            Permission::Read => 1,
            Permission::Write => 2,
            Permission::Admin => 4,
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
#[error("`{name}` is no permission; there are `read`, `write` and `admin`")]
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

/// Who calls, as a verified token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    subject: String,
    permissions: Permissions,
    expires_at: Option<SystemTime>,
}

impl Caller {
    /// A caller with a name and permissions, for ever.
    pub fn new(subject: impl Into<String>, permissions: impl IntoIterator<Item = Permission>) -> Self {
        Self { subject: subject.into(), permissions: permissions.into_iter().collect(), expires_at: None }
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
