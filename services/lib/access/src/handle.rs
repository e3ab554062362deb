//! The policy in force. The only place of this crate that reads a file.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::ArcSwap;
use sha2::{Digest, Sha256};

use crate::{Fault, Policy, PolicyError, Problem, check::MAX_FILE_BYTES};

/// The policy that is in force where none is given.
pub const DEFAULT_POLICY: &str = include_str!("../default-policy.toml");
/// What it is called in errors.
const DEFAULT_NAME: &str = "default-policy.toml";

/// The policy in force, which may change while it is used.
#[derive(Debug)]
pub struct PolicyHandle {
    current: ArcSwap<Policy>,
    watched: Option<Watched>,
}

#[derive(Debug)]
struct Watched {
    path: PathBuf,
    /// The hash of what was read last, whether it could be used or not; none if nothing could be read.
    seen: Mutex<Option<[u8; 32]>>,
}

impl PolicyHandle {
    /// The policy of a file, or the default one.
    ///
    /// # Errors
    /// If the file can not be read or is no policy.
    pub fn open(path: Option<&Path>) -> Result<Arc<Self>, PolicyError> {
        let Some(path) = path else {
            let current = ArcSwap::from_pointee(Policy::parse(DEFAULT_NAME, DEFAULT_POLICY)?);
            return Ok(Arc::new(Self { current, watched: None }));
        };
        let text = read(path)?;
        let current = ArcSwap::from_pointee(Policy::parse(&path.display().to_string(), &text)?);
        let watched = Watched { path: path.to_owned(), seen: Mutex::new(Some(hash(&text))) };
        Ok(Arc::new(Self { current, watched: Some(watched) }))
    }

    /// The policy that is in force where none is given. Should it be none, which a test holds it is not, nothing is allowed.
    pub fn built_in() -> Arc<Self> {
        Self::open(None).unwrap_or_else(|_| Self::fixed(Policy::nothing()))
    }

    /// A policy that stays.
    pub fn fixed(policy: Policy) -> Arc<Self> {
        Arc::new(Self { current: ArcSwap::from_pointee(policy), watched: None })
    }

    /// The policy in force.
    pub fn load(&self) -> Arc<Policy> {
        self.current.load_full()
    }

    /// Whether there is a file that may change.
    pub fn is_watched(&self) -> bool {
        self.watched.is_some()
    }

    /// Reads the file again. If it is another policy now, that is in force from now on; while it is none, the last one stays, and why is
    /// logged once. Says whether there is a new policy.
    pub fn look(&self) -> bool {
        let Some(Watched { path, seen }) = &self.watched else { return false };
        let text = read(path);
        let now = text.as_ref().ok().map(|text| hash(text));
        // What is kept is one value, so a panic elsewhere leaves nothing to fear.
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen == now {
            return false;
        }
        *seen = now;
        drop(seen);
        match text.and_then(|text| Policy::parse(&path.display().to_string(), &text)) {
            Ok(policy) => {
                tracing::info!(path = %path.display(), roles = policy.roles().count(), "the policy was read again");
                self.current.store(Arc::new(policy));
                true
            }
            Err(error) => {
                tracing::error!(path = %path.display(), %error, "the policy can not be used; the last one stays in force");
                false
            }
        }
    }
}

fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// The text of a file.
pub(crate) fn read(path: &Path) -> Result<String, PolicyError> {
    let refused = |problem| PolicyError { file: path.display().to_string(), faults: vec![Fault { line: 1, problem }] };
    let mut text = String::new();
    let file = File::open(path).map_err(|error| refused(Problem::Unreadable(error.kind())))?;
    file.take(MAX_FILE_BYTES as u64 + 1)
        .read_to_string(&mut text)
        .map_err(|error| refused(Problem::Unreadable(error.kind())))?;
    if text.len() > MAX_FILE_BYTES { Err(refused(Problem::TooLong)) } else { Ok(text) }
}
