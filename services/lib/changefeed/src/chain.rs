//! The hash chain of a change log: each revision carries a hash of itself and of the hash before it. Whoever kept the last one elsewhere can
//! tell later that nothing before it was altered, left out, put in or moved.
//!
//! What is hashed is what is stored, so that no key is needed to check it and none that is destroyed is missed: of a sealed part only its
//! own hash goes into the chain.

use std::{fmt, str::FromStr};

use sha2::{Digest, Sha256};
use spil_proto::model::Owner;
use uuid::Uuid;

/// What the hashes are for, so that no other hash can be taken for one.
const START: &[u8] = b"spil change log 1: start";
const REVISION: &[u8] = b"spil change log 1: revision";
const ATTACHMENT: &[u8] = b"spil change log 1: attachment";
const REDACTED: &[u8] = b"spil change log 1: redacted";

/// The numbers of the deeds, as they are stored and hashed.
pub(crate) const TRIMMED: i32 = 1;
pub(crate) const REDACTED_DEED: i32 = 2;

/// A link of the chain: SHA-256 over a revision and the link before it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Chain([u8; 32]);

impl Chain {
    /// What the first link hangs on: the store, and the number of the first revision that is chained. It is more than 1 where the
    /// database was there before the chain.
    pub(crate) fn start(store_id: Uuid, first: u64) -> Self {
        let mut hash = Sha256::new();
        text(&mut hash, START);
        hash.update(store_id.as_bytes());
        hash.update(first.to_be_bytes());
        Self(hash.finalize().into())
    }

    /// A link as it is stored; `None` if it is of another length.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The link as it is stored.
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        self.0.to_vec()
    }
}

/// In hexadecimal digits.
impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Chain({self})")
    }
}

/// The row of a revision, as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LoggedRevision<'a> {
    pub(crate) number: u64,
    pub(crate) mark: u64,
    /// Microseconds since 1970.
    pub(crate) at: i64,
    pub(crate) actor: &'a str,
    pub(crate) source: &'a str,
    pub(crate) run: &'a str,
    pub(crate) reason: &'a str,
    pub(crate) origin: &'a str,
    /// How many changes belong to it, and how many bytes.
    pub(crate) changes: i64,
    pub(crate) bytes: i64,
}

/// The row of a change, as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LoggedChange<'a> {
    pub(crate) ordinal: i32,
    pub(crate) kind: i32,
    pub(crate) id: Uuid,
    pub(crate) fields: Option<&'a [u8]>,
    pub(crate) record: &'a [u8],
    /// The sealed part, if there is one.
    pub(crate) sealed: Option<&'a [u8]>,
}

/// What a revision tells of the log itself. It is hashed into the link of the revision that carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attachment {
    /// What was changed up to a revision is no longer kept.
    Trimmed {
        /// The last revision whose changes are gone.
        through: u64,
        /// Its link, on which the first one that is kept hangs; `None` if it is from before there was a chain.
        link: Option<Chain>,
    },
    /// The content of a revision was written anew.
    Redacted {
        /// Which one.
        revision: u64,
        /// Its link, which stays; `None` if it is from before there was a chain.
        link: Option<Chain>,
        /// What [`Link::redacted`] gives for it as it is since.
        digest: Chain,
    },
}

/// A link that is being made.
pub(crate) struct Link(Sha256);

impl Link {
    /// Begins the link of a revision.
    pub(crate) fn new(previous: Chain, row: &LoggedRevision<'_>) -> Self {
        let mut hash = Sha256::new();
        text(&mut hash, REVISION);
        hash.update(previous.0);
        Self::of(hash, row)
    }

    /// Begins the hash of a revision whose content was written anew; `link` is the one it had and keeps.
    pub(crate) fn redacted(link: Option<Chain>, row: &LoggedRevision<'_>) -> Self {
        let mut hash = Sha256::new();
        text(&mut hash, REDACTED);
        optional(&mut hash, link.as_ref().map(|link| link.0.as_slice()));
        Self::of(hash, row)
    }

    fn of(mut hash: Sha256, row: &LoggedRevision<'_>) -> Self {
        hash.update(row.number.to_be_bytes());
        hash.update(row.mark.to_be_bytes());
        hash.update(row.at.to_be_bytes());
        for part in [row.actor, row.source, row.run, row.reason, row.origin] {
            text(&mut hash, part.as_bytes());
        }
        hash.update(row.changes.to_be_bytes());
        hash.update(row.bytes.to_be_bytes());
        Self(hash)
    }

    /// Adds the next change.
    pub(crate) fn add(&mut self, row: &LoggedChange<'_>) {
        let hash = &mut self.0;
        hash.update(row.ordinal.to_be_bytes());
        hash.update(row.kind.to_be_bytes());
        hash.update(row.id.as_bytes());
        optional(hash, row.fields);
        text(hash, row.record);
        let sealed = row.sealed.map(Sha256::digest);
        optional(hash, sealed.as_ref().map(|sealed| sealed.as_slice()));
    }

    /// Adds what the revision tells of the log, after its changes: those of one revision in the order of their deeds and subjects.
    pub(crate) fn attach(&mut self, attachment: &Attachment) {
        let hash = &mut self.0;
        text(hash, ATTACHMENT);
        let (deed, subject, link, digest) = attachment.columns();
        hash.update(deed.to_be_bytes());
        hash.update(subject.to_be_bytes());
        for chain in [link, digest] {
            optional(hash, chain.as_ref().map(|chain| chain.0.as_slice()));
        }
    }

    /// Closes the link.
    pub(crate) fn close(self) -> Chain {
        Chain(self.0.finalize().into())
    }
}

impl Attachment {
    /// The number of the deed, the revision it was done to, the link of that, and the hash of it as it is since.
    pub(crate) fn columns(&self) -> (i32, u64, Option<Chain>, Option<Chain>) {
        match *self {
            Attachment::Trimmed { through, link } => (TRIMMED, through, link, None),
            Attachment::Redacted { revision, link, digest } => (REDACTED_DEED, revision, link, Some(digest)),
        }
    }

    /// The attachment of these columns; `None` if there is no such deed.
    pub(crate) fn from_columns(deed: i32, subject: u64, link: Option<Chain>, digest: Option<Chain>) -> Option<Self> {
        match (deed, digest) {
            (TRIMMED, None) => Some(Attachment::Trimmed { through: subject, link }),
            (REDACTED_DEED, Some(digest)) => Some(Attachment::Redacted { revision: subject, link, digest }),
            _ => None,
        }
    }
}

/// With its length first, so that nothing can pass from one value to the next.
fn text(hash: &mut Sha256, bytes: &[u8]) {
    hash.update((bytes.len() as u64).to_be_bytes());
    hash.update(bytes);
}

fn optional(hash: &mut Sha256, bytes: Option<&[u8]>) {
    match bytes {
        None => hash.update([0]),
        Some(bytes) => {
            hash.update([1]);
            text(hash, bytes);
        }
    }
}

/// A link with its place, to be kept elsewhere: `workforce:1204:` and 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Whose log it is of.
    pub owner: Owner,
    /// The revision.
    pub revision: u64,
    /// The link of that revision.
    pub chain: Chain,
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.owner.name(), self.revision, self.chain)
    }
}

/// A text is no checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no checkpoint; one looks like `workforce:1204:` and 64 hexadecimal digits")]
pub struct NoCheckpoint(String);

impl FromStr for Checkpoint {
    type Err = NoCheckpoint;

    fn from_str(text: &str) -> Result<Self, NoCheckpoint> {
        let parse = || {
            let mut parts = text.trim().split(':');
            let owner = parts.next()?;
            let owner = Owner::ALL.into_iter().find(|known| known.name() == owner)?;
            let revision = parts.next()?.parse().ok()?;
            let digits = parts.next()?;
            let is_hex = digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            if !is_hex || parts.next().is_some() {
                return None;
            }
            let mut chain = [0; 32];
            for (at, byte) in chain.iter_mut().enumerate() {
                *byte = u8::from_str_radix(digits.get(2 * at..2 * at + 2)?, 16).ok()?;
            }
            Some(Self { owner, revision, chain: Chain(chain) })
        };
        parse().ok_or_else(|| NoCheckpoint(text.chars().take(120).collect()))
    }
}

#[cfg(test)]
mod tests;
