//! Who has a role, and which worker somebody is.

use std::fmt;

use serde_json::{Map, Value as Json};
use spil_auth::Caller;
use spil_proto::{changefeed::v1::Record, model::Value};
use uuid::Uuid;

/// The most bytes of a name that a claim gives to a worker.
pub const MAX_NAME_BYTES: usize = 256;
/// The claim with the scopes of a token, separated by blanks (RFC 8693).
const SCOPE: &str = "scope";
/// The claim that becomes the actor of what a caller writes.
const SUBJECT: &str = "sub";
/// The field of a worker with the personnel number.
const NUMBER: &str = "number";

/// Who has a role.
#[derive(Clone, Debug)]
pub(crate) enum Member {
    /// Whoever has a token.
    Anyone,
    /// Whoever is linked to a worker.
    Linked,
    /// Whoever's claim has a value.
    Claim { path: String, value: String, issuer: Option<String> },
}

impl Member {
    /// Whether a caller is one of them.
    pub(crate) fn includes(&self, caller: &Caller, is_linked: bool) -> bool {
        match self {
            Member::Anyone => true,
            Member::Linked => is_linked,
            Member::Claim { path, value, issuer } => {
                issuer.as_ref().is_none_or(|issuer| issuer == caller.issuer()) && has(caller, path, value)
            }
        }
    }
}

fn has(caller: &Caller, path: &str, value: &str) -> bool {
    if path == SCOPE && value.parse().is_ok_and(|permission| caller.permissions().contains(permission)) {
        return true;
    }
    match at(caller.claims(), path) {
        Some(Json::String(text)) if path == SCOPE => text.split(' ').any(|scope| scope == value),
        Some(Json::String(text)) => text == value,
        Some(Json::Array(list)) => list.iter().any(|item| item.as_str() == Some(value)),
        _ => false,
    }
}

/// The claim at a path: a name, or names with dots between them, each that of a member of the object before. A claim whose own name has dots
/// comes first.
fn at<'a>(claims: &'a Map<String, Json>, path: &str) -> Option<&'a Json> {
    if let Some(value) = claims.get(path) {
        return Some(value);
    }
    let (first, rest) = path.split_once('.')?;
    at(claims.get(first)?.as_object()?, rest)
}

/// How a worker is named by a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NamedBy {
    Key,
    Number,
    Id,
    ExternalId { system: String },
}

/// The claim that names the worker who a caller is.
#[derive(Clone, Debug)]
pub(crate) struct WorkerClaim {
    pub(crate) path: String,
    pub(crate) by: NamedBy,
}

impl WorkerClaim {
    /// The subjects of tokens that name a worker, as its record is, if it is the subject that names one.
    pub(crate) fn subjects_of(&self, record: &Record) -> Vec<String> {
        let (Some(entity), SUBJECT) = (record.entity(), self.path.as_str()) else { return Vec::new() };
        let header = entity.header();
        match &self.by {
            NamedBy::Key => header.and_then(|header| header.key.clone()).into_iter().collect(),
            NamedBy::Id => record.id().map(|id| id.to_string()).into_iter().collect(),
            NamedBy::ExternalId { system } => {
                let ids = header.map_or(&[][..], |header| &header.external_ids);
                ids.iter().filter(|external| external.system == *system).map(|external| external.id.clone()).collect()
            }
            NamedBy::Number => {
                let number = entity.kind().info().field_by_column(NUMBER).map(|info| entity.get(info.index));
                match number {
                    Some(Value::Text(number)) => vec![number.into_owned()],
                    _ => Vec::new(),
                }
            }
        }
    }

    /// The name of the worker who a caller is, if the token has one.
    pub(crate) fn of(&self, caller: &Caller) -> Option<WorkerName> {
        let name = at(caller.claims(), &self.path)?.as_str()?;
        if name.is_empty() || name.len() > MAX_NAME_BYTES {
            return None;
        }
        Some(match &self.by {
            NamedBy::Key => WorkerName::Key(name.to_owned()),
            NamedBy::Number => WorkerName::Number(name.to_owned()),
            NamedBy::Id => WorkerName::Id(Uuid::try_parse(name).ok()?),
            NamedBy::ExternalId { system } => WorkerName::ExternalId { system: system.clone(), id: name.to_owned() },
        })
    }
}

/// What a token calls the worker who its bearer is. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum WorkerName {
    /// The key of the worker.
    Key(String),
    /// The personnel number.
    Number(String),
    /// An id in another system.
    ExternalId {
        /// The system.
        system: String,
        /// The id there.
        id: String,
    },
    /// The id of the worker.
    Id(Uuid),
}

impl WorkerName {
    /// What tells it from every other.
    pub(crate) fn parts(&self) -> [&[u8]; 3] {
        match self {
            WorkerName::Key(key) => [b"key", key.as_bytes(), b""],
            WorkerName::Number(number) => [b"number", number.as_bytes(), b""],
            WorkerName::ExternalId { system, id } => [b"external", system.as_bytes(), id.as_bytes()],
            WorkerName::Id(id) => [b"id", id.as_bytes(), b""],
        }
    }
}

impl fmt::Debug for WorkerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WorkerName")
    }
}
