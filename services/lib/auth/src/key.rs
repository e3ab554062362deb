//! Our own key pair, kept in a file.

use std::{
    fmt, fs, io,
    io::Write,
    path::{Path, PathBuf},
};

use ed25519_dalek::{
    SECRET_KEY_LENGTH, SigningKey,
    pkcs8::{DecodePrivateKey, EncodePrivateKey, spki::der::pem::LineEnding},
};
use sha2::{Digest, Sha256};

/// The first line of a key file that a development run has made, for whoever looks at it.
const DEVELOPMENT_LINE: &str = "# Made by a development run of Spil. Not for production.\n";
/// What the second half of a development key is a hash of, with the first half.
const DEVELOPMENT_KEY: &[u8] = b"spil: key of a development run";
/// How many bytes of a development key are random: 128 bits, as much as such a signature withstands anyway.
const RANDOM_BYTES: usize = SECRET_KEY_LENGTH / 2;

/// An Ed25519 pair that signs the tokens of our services, and in development those of everybody. Never shows its private half.
#[derive(Clone)]
pub struct InternalKey {
    pair: SigningKey,
    is_development: bool,
}

impl fmt::Debug for InternalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InternalKey").finish_non_exhaustive()
    }
}

impl InternalKey {
    /// A new pair for development, from the random numbers of the system. The key itself says what it is for, so that no copy of it in
    /// whatever file is taken for one of production.
    ///
    /// # Errors
    /// If the system has none.
    pub fn generate() -> Result<Self, KeyError> {
        let mut seed = [0; SECRET_KEY_LENGTH];
        let (random, told) = seed.split_at_mut(RANDOM_BYTES);
        getrandom::fill(random).map_err(KeyError::Random)?;
        told.copy_from_slice(&mark(random));
        Ok(Self { pair: SigningKey::from_bytes(&seed), is_development: true })
    }

    /// Reads the pair from a file (PKCS#8, PEM).
    ///
    /// # Errors
    /// If the file can not be read, may be read by others than its owner, or holds no Ed25519 key.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let failed = |source| KeyError::Read { path: path.to_owned(), source };
        check_private(path, &fs::metadata(path).map_err(failed)?)?;
        let pem = fs::read_to_string(path).map_err(failed)?;
        let pair = SigningKey::from_pkcs8_pem(&pem).map_err(|_| KeyError::Malformed { path: path.to_owned() })?;
        // Earlier versions have left nothing but the line.
        let is_development = is_marked(pair.as_bytes()) || pem.starts_with(DEVELOPMENT_LINE);
        Ok(Self { pair, is_development })
    }

    /// Reads the pair from a file, or makes the file with a new pair for development, readable by its owner alone. Safe when several processes
    /// start at once: one of them makes the file and the others read it.
    ///
    /// # Errors
    /// If the file can neither be read nor made.
    pub fn read_or_create(path: &Path) -> Result<Self, KeyError> {
        if path.exists() {
            return Self::read(path);
        }
        let key = Self::generate()?;
        let pem = key.pair.to_pkcs8_pem(LineEnding::LF).map_err(|_| KeyError::Malformed { path: path.to_owned() })?;
        let failed = |source| KeyError::Write { path: path.to_owned(), source };
        // Written aside and linked into place, so that nobody ever reads half a key.
        let aside = path.with_extension(format!("{:016x}.new", u64::from_be_bytes(first_eight(&key.public_bytes()))));
        write_private(&aside, format!("{DEVELOPMENT_LINE}{}", pem.as_str()).as_bytes()).map_err(failed)?;
        let linked = fs::hard_link(&aside, path);
        fs::remove_file(&aside).map_err(failed)?;
        match linked {
            Ok(()) => Ok(key),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Self::read(path),
            Err(error) => Err(failed(error)),
        }
    }

    /// Whether a development run has made it: then it has lain where everybody may have read it, and is not for production.
    pub fn is_development(&self) -> bool {
        self.is_development
    }

    /// A secret that all who have the key can make of it, another for each purpose. It tells nothing of the key.
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        let hash = Sha256::new_with_prefix(b"spil derived secret 1").chain_update(self.pair.to_bytes());
        hash.chain_update(purpose).finalize().into()
    }

    /// The private half in the form that signing takes.
    pub(crate) fn private_der(&self) -> Option<Vec<u8>> {
        Some(self.pair.to_pkcs8_der().ok()?.as_bytes().to_vec())
    }

    /// The public half.
    pub(crate) fn public_bytes(&self) -> [u8; 32] {
        self.pair.verifying_key().to_bytes()
    }
}

/// The second half of a development key with a first half.
fn mark(random: &[u8]) -> [u8; RANDOM_BYTES] {
    let hash: [u8; SECRET_KEY_LENGTH] = Sha256::new_with_prefix(DEVELOPMENT_KEY).chain_update(random).finalize().into();
    std::array::from_fn(|at| hash[at])
}

/// Whether a key is one that a development run has made. Of keys that are random as a whole this one in 2^128 is.
fn is_marked(seed: &[u8; SECRET_KEY_LENGTH]) -> bool {
    let (random, told) = seed.split_at(RANDOM_BYTES);
    told == mark(random)
}

/// A key that others can read lets everybody speak for us.
#[cfg(unix)]
fn check_private(path: &Path, about: &fs::Metadata) -> Result<(), KeyError> {
    use std::os::unix::fs::PermissionsExt;
    // A group may read: that is how Kubernetes gives a secret to a process that is not root.
    if about.permissions().mode() & 0o037 == 0 { Ok(()) } else { Err(KeyError::Open { path: path.to_owned() }) }
}

#[cfg(not(unix))]
fn check_private(_path: &Path, _about: &fs::Metadata) -> Result<(), KeyError> {
    Ok(())
}

/// A name that no other key has.
fn first_eight(bytes: &[u8; 32]) -> [u8; 8] {
    std::array::from_fn(|at| bytes[at])
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

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The system gave no random numbers.
    #[error("the system gave no random numbers")]
    Random(#[source] getrandom::Error),
    /// The file can not be read.
    #[error("the key file {} can not be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others can read or write the file.
    #[error("others may read or write the key file {}: `chmod 600` it", path.display())]
    Open {
        /// The file.
        path: PathBuf,
    },
    /// The file can not be written.
    #[error("the key file {} can not be written", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is no key.
    #[error("the file {} holds no Ed25519 key (PKCS#8, PEM)", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
    },
}
