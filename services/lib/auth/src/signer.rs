//! Tokens of our own, signed with Ed25519: of services, and in development of everybody.

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Map, Value};

use crate::{InternalKey, KeyError, Permission, Trust, Verifier};

/// The issuer of development tokens.
pub const ISSUER: &str = "spil-development";
/// The audience of development tokens.
pub const AUDIENCE: &str = "spil";
/// The issuer of the tokens with which our services speak to owners for themselves.
pub const SERVICE_ISSUER: &str = "spil-internal";
/// Their audience: owners, and nobody else.
pub(crate) const SERVICE_AUDIENCE: &str = "spil-owners";
/// Their subject: the gateway.
pub const SERVICE_SUBJECT: &str = "spil:gateway";
/// Their type, which no token of a person has.
pub(crate) const SERVICE_TYPE: &str = "spil-service+jwt";

/// Signs tokens.
#[derive(Clone)]
pub struct Signer {
    key: EncodingKey,
    public: [u8; 32],
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").finish_non_exhaustive()
    }
}

impl Signer {
    /// A signer with a key.
    ///
    /// # Errors
    /// If the key can not be used to sign.
    pub fn new(key: &InternalKey) -> Result<Self, SignError> {
        let der = key.private_der().ok_or(SignError::Key)?;
        Ok(Self { key: EncodingKey::from_ed_der(&der), public: key.public_bytes() })
    }

    /// A signer with a new key that is kept nowhere.
    ///
    /// # Errors
    /// If the system has no random numbers.
    pub fn generate() -> Result<Self, SignError> {
        Self::new(&InternalKey::generate()?)
    }

    /// A token for somebody that is valid from now for a time.
    ///
    /// # Errors
    /// If the clock stands before 1970 or the key can not sign.
    pub fn sign(&self, subject: &str, permissions: &[Permission], lifetime: Duration) -> Result<String, SignError> {
        self.sign_with(subject, permissions, Map::new(), lifetime)
    }

    /// The same with further claims, for instance `worker`. They can not take the place of those that every token has.
    ///
    /// # Errors
    /// If the clock stands before 1970 or the key can not sign.
    pub fn sign_with(
        &self,
        subject: &str,
        permissions: &[Permission],
        mut claims: Map<String, Value>,
        lifetime: Duration,
    ) -> Result<String, SignError> {
        // Permissions, separated by blanks (RFC 8693).
        let scope = permissions.iter().map(|permission| permission.name()).collect::<Vec<_>>().join(" ");
        claims.insert("scope".to_owned(), scope.into());
        self.encode(&Header::new(Algorithm::EdDSA), ISSUER, AUDIENCE, subject, claims, lifetime)
    }

    /// A token with which a service of ours speaks to owners in nobody's name but its own, valid from now for a time.
    ///
    /// # Errors
    /// If the clock stands before 1970 or the key can not sign.
    pub fn sign_service(&self, lifetime: Duration) -> Result<String, SignError> {
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some(SERVICE_TYPE.to_owned());
        let mut claims = Map::new();
        claims.insert("scope".to_owned(), Permission::Read.name().into());
        self.encode(&header, SERVICE_ISSUER, SERVICE_AUDIENCE, SERVICE_SUBJECT, claims, lifetime)
    }

    fn encode(
        &self,
        header: &Header,
        issuer: &str,
        audience: &str,
        subject: &str,
        mut claims: Map<String, Value>,
        lifetime: Duration,
    ) -> Result<String, SignError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|_| SignError::Clock)?.as_secs();
        for (name, value) in [("iss", issuer), ("aud", audience), ("sub", subject)] {
            claims.insert(name.to_owned(), value.into());
        }
        claims.insert("iat".to_owned(), now.into());
        claims.insert("exp".to_owned(), now.saturating_add(lifetime.as_secs()).into());
        jsonwebtoken::encode(header, &claims, &self.key).map_err(|_| SignError::Key)
    }

    /// The public half of the key.
    pub(crate) fn public(&self) -> &[u8; 32] {
        &self.public
    }

    /// Who takes the development tokens of this signer, and nothing else.
    pub fn verifier(&self) -> Verifier {
        Verifier::new(&Trust::default().and_development(self))
    }
}

/// Why nothing could be signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// There is no key.
    #[error("there is no key to sign with")]
    NoKey(#[from] KeyError),
    /// The key can not sign.
    #[error("the key can not sign")]
    Key,
    /// The clock stands before 1970.
    #[error("the clock stands before 1970")]
    Clock,
}
