//! One way in which two schemas differ.

use std::fmt;

use serde::Serialize;

/// What a difference does to somebody who relied on the old schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// An operation or a client that was right can fail.
    Breaking,
    /// What was right stays right, but a client may meet something that it does not expect: a new value of an enumeration.
    Dangerous,
    /// Nobody notices who does not look.
    Safe,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Breaking => "breaking",
            Severity::Dangerous => "dangerous",
            Severity::Safe => "safe",
        })
    }
}

/// One way in which two schemas differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What it does to others.
    pub severity: Severity,
    /// Where: `Capability.maturityTarget`, `Query.capabilities(first:)`, `OrderDirection.ASC`, `@key`.
    pub path: String,
    /// What has changed, for people.
    pub message: String,
}

/// Collects what is found.
pub(super) type Found = Vec<Difference>;

pub(super) fn tell(found: &mut Found, severity: Severity, path: impl Into<String>, message: impl Into<String>) {
    found.push(Difference { severity, path: path.into(), message: message.into() });
}
