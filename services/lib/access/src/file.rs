//! The form of a policy file.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

/// A policy as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PolicyFile {
    /// The version of this form.
    pub(crate) version: Spanned<i64>,
    /// How a token names the worker that its bearer is.
    pub(crate) worker: Option<WorkerSection>,
    /// The roles by name.
    #[serde(default)]
    pub(crate) roles: BTreeMap<Spanned<String>, RoleSection>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WorkerSection {
    /// The claim, by its path.
    pub(crate) claim: Spanned<String>,
    /// What the claim holds.
    pub(crate) by: Spanned<String>,
    /// With `external_id`: the system that gave it.
    pub(crate) system: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoleSection {
    /// What the role is for.
    #[serde(default)]
    pub(crate) description: String,
    /// Who has it: whoever fits one of them.
    #[serde(default)]
    pub(crate) members: Vec<Spanned<MemberSection>>,
    /// What it allows.
    #[serde(default)]
    pub(crate) allow: Vec<Spanned<AllowSection>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MemberSection {
    /// The claim, by its path.
    pub(crate) claim: Option<String>,
    /// The value that it has, or has among others.
    pub(crate) value: Option<String>,
    /// The issuer of the token; any where nothing is said.
    pub(crate) issuer: Option<String>,
    /// Whoever is linked to a worker.
    #[serde(default)]
    pub(crate) linked: bool,
    /// Whoever has a token.
    #[serde(default)]
    pub(crate) anyone: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AllowSection {
    /// The kinds of records, by the names of their types; `*` for all.
    pub(crate) kinds: Option<Vec<Spanned<String>>>,
    /// Kinds that are not meant by `*`.
    #[serde(default)]
    pub(crate) except: Vec<Spanned<String>>,
    /// What may be done.
    pub(crate) actions: Vec<Spanned<String>>,
    /// With which records.
    pub(crate) scope: Option<Spanned<String>>,
    /// With which fields, by their names in GraphQL; all where nothing is said.
    pub(crate) fields: Option<Vec<Spanned<String>>>,
    /// What values the record has to have, before and after.
    #[serde(default)]
    pub(crate) with: BTreeMap<Spanned<String>, Vec<Spanned<String>>>,
    /// For which purposes people may be identified; `*` for all.
    pub(crate) purposes: Option<Vec<Spanned<String>>>,
}

/// Says in which line a byte of a text is, from 1 on.
pub(crate) fn line_of(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}
