//! The key with which the keys of people are kept, in a file.

use std::{
    fmt, fs, io,
    io::Write,
    path::{Path, PathBuf},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use super::cipher::{KEY_BYTES, Secret};

/// What the second half of a development key is a hash of, with the first half, which is random: by it the key is known in whatever file.
const DEVELOPMENT_KEY: &[u8] = b"spil: personal key of a development run";
/// The most bytes of a key file: a line of Base64.
const MAX_FILE_BYTES: u64 = 1024;

/// The personal key: with it the keys of people are sealed, and with those what tells who they are. Never shown.
#[derive(Clone)]
pub struct PersonalKey {
    pub(crate) secret: Secret,
    is_development: bool,
}

impl fmt::Debug for PersonalKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("PersonalKey").finish_non_exhaustive()
    }
}

impl PersonalKey {
    /// A new key.
    pub fn generate() -> Self {
        Self { secret: Secret::random(), is_development: false }
    }

    /// Whether a development run has made it: then it has lain where everybody may have read it, and is not for production.
    pub fn is_development(&self) -> bool {
        self.is_development
    }

    /// Reads a key: 32 bytes as a line of Base64.
    ///
    /// # Errors
    /// If the file can not be read, may be read by others than its owner, or holds no key.
    pub fn read(path: &Path) -> Result<Self, PersonalKeyError> {
        let failed = |source| PersonalKeyError::Read { path: path.to_owned(), source };
        let malformed = || PersonalKeyError::Malformed { path: path.to_owned() };
        let about = fs::metadata(path).map_err(failed)?;
        if about.len() > MAX_FILE_BYTES {
            return Err(malformed());
        }
        check_private(path, &about)?;
        let line = Zeroizing::new(fs::read_to_string(path).map_err(failed)?);
        let bytes = Zeroizing::new(STANDARD.decode(line.trim()).map_err(|_| malformed())?);
        Ok(Self { secret: Secret::from_bytes(&bytes).ok_or_else(malformed)?, is_development: is_marked(&bytes) })
    }

    /// Makes a file with a new key, readable by its owner alone, or reads the one that is there. Safe when several processes start at once:
    /// one of them makes the file and the others read it. A key for development says so itself, so that production does not take it.
    ///
    /// # Errors
    /// If the file can neither be made nor read.
    pub fn create_or_read(path: &Path, for_development: bool) -> Result<Self, PersonalKeyError> {
        let failed = |source| PersonalKeyError::Write { path: path.to_owned(), source };
        if path.exists() {
            return Self::read(path);
        }
        let mut bytes: [u8; KEY_BYTES] = rand::random();
        if for_development {
            let (random, told) = bytes.split_at_mut(KEY_BYTES / 2);
            told.copy_from_slice(&mark(random));
        }
        let line = Zeroizing::new(STANDARD.encode(bytes) + "\n");
        bytes.zeroize();
        // Written aside and linked into place, so that nobody ever reads half a key.
        let aside = path.with_extension(format!("{:016x}.new", rand::random::<u64>()));
        write_private(&aside, line.as_bytes()).map_err(failed)?;
        let linked = fs::hard_link(&aside, path);
        fs::remove_file(&aside).map_err(failed)?;
        match linked {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(failed(error)),
            _ => Self::read(path),
        }
    }
}

/// The second half of a development key with a first half.
fn mark(random: &[u8]) -> [u8; KEY_BYTES / 2] {
    let hash: [u8; KEY_BYTES] = Sha256::new_with_prefix(DEVELOPMENT_KEY).chain_update(random).finalize().into();
    std::array::from_fn(|at| hash[at])
}

/// Whether a key is one that a development run has made. Of keys that are random as a whole this one in 2^128 is.
fn is_marked(bytes: &[u8]) -> bool {
    let (random, told) = bytes.split_at(bytes.len().min(KEY_BYTES / 2));
    told == mark(random)
}

/// A key that others can read is none.
#[cfg(unix)]
fn check_private(path: &Path, about: &fs::Metadata) -> Result<(), PersonalKeyError> {
    use std::os::unix::fs::PermissionsExt;
    // A group may read: that is how Kubernetes gives a secret to a process that is not root.
    if about.permissions().mode() & 0o037 == 0 { Ok(()) } else { Err(PersonalKeyError::Open { path: path.to_owned() }) }
}

#[cfg(not(unix))]
fn check_private(_path: &Path, _about: &fs::Metadata) -> Result<(), PersonalKeyError> {
    Ok(())
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Why there is no personal key.
#[derive(Debug, thiserror::Error)]
pub enum PersonalKeyError {
    /// The file can not be read.
    #[error("the file {} of the personal key can not be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file can not be made.
    #[error("the file {} of the personal key can not be made", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others can read or write the file.
    #[error("others may read or write the file {} of the personal key: `chmod 600` it", path.display())]
    Open {
        /// The file.
        path: PathBuf,
    },
    /// The file is no key.
    #[error("the file {} holds no personal key: 32 random bytes as a line of Base64", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_read_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("personal.key");
        let made = PersonalKey::create_or_read(&path, true).expect("made");
        let read = PersonalKey::create_or_read(&path, true).expect("read");
        let mark = |key: &PersonalKey| key.secret.mark(&[b"x"]);
        assert_eq!(mark(&made), mark(&read));
        assert_eq!(mark(&made), mark(&PersonalKey::read(&path).expect("read")));
        assert_eq!(fs::read_dir(folder.path()).expect("files").count(), 1, "something was left");
        assert_eq!(format!("{made:?}"), "PersonalKey { .. }");
        // A development key is known in every file, and none other is taken for one.
        let copy = folder.path().join("copy.key");
        write_private(&copy, fs::read_to_string(&path).expect("a line").trim().as_bytes()).expect("written");
        assert!(made.is_development() && PersonalKey::read(&copy).expect("read").is_development());
        let own = folder.path().join("own.key");
        assert!(!PersonalKey::create_or_read(&own, false).expect("made").is_development());
        assert!(!PersonalKey::read(&own).expect("read").is_development());
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_can_read_or_that_is_none_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("personal.key");
        PersonalKey::create_or_read(&path, true).expect("made");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("set");
        assert!(matches!(PersonalKey::read(&path), Err(PersonalKeyError::Open { .. })));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o440)).expect("set");
        assert!(PersonalKey::read(&path).is_ok(), "a secret of Kubernetes");
        for text in ["", "AAAA\n", "not base64 at all", &"A".repeat(5000)] {
            let path = folder.path().join("other.key");
            let _ = fs::remove_file(&path);
            write_private(&path, text.as_bytes()).expect("written");
            assert!(matches!(PersonalKey::read(&path), Err(PersonalKeyError::Malformed { .. })), "{text:.20}");
        }
        assert!(matches!(PersonalKey::read(&folder.path().join("none")), Err(PersonalKeyError::Read { .. })));
    }
}
