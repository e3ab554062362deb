//! Development tokens: JWTs signed with Ed25519.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, errors::ErrorKind};
use serde_json::{Map, Value};

use crate::{
    Caller, DevelopmentKey, KeyError, Permission,
    known::{self, KnownTokens},
};

/// The issuer of development tokens.
pub const ISSUER: &str = "spil-development";
/// The audience that a token must be for.
pub const AUDIENCE: &str = "spil";
/// The longest token that is looked at.
pub const MAX_TOKEN_BYTES: usize = 8 << 10;
/// How far the clocks of signer and verifier may differ.
const LEEWAY_SECONDS: u64 = 30;

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
    pub fn new(key: &DevelopmentKey) -> Result<Self, SignError> {
        let der = key.private_der().ok_or(SignError::Key)?;
        Ok(Self { key: EncodingKey::from_ed_der(&der), public: key.public_bytes() })
    }

    /// A signer with a new key that is kept nowhere.
    ///
    /// # Errors
    /// If the system has no random numbers.
    pub fn generate() -> Result<Self, SignError> {
        Self::new(&DevelopmentKey::generate()?)
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
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|_| SignError::Clock)?.as_secs();
        // Permissions, separated by blanks (RFC 8693).
        let scope = permissions.iter().map(|permission| permission.name()).collect::<Vec<_>>().join(" ");
        claims.insert("iss".to_owned(), ISSUER.into());
        claims.insert("aud".to_owned(), AUDIENCE.into());
        claims.insert("sub".to_owned(), subject.into());
        claims.insert("iat".to_owned(), now.into());
        claims.insert("exp".to_owned(), now.saturating_add(lifetime.as_secs()).into());
        claims.insert("scope".to_owned(), scope.into());
        jsonwebtoken::encode(&Header::new(Algorithm::EdDSA), &claims, &self.key).map_err(|_| SignError::Key)
    }

    /// Who checks the tokens of this signer.
    pub fn verifier(&self) -> Verifier {
        Verifier::new(&self.public)
    }
}

/// Checks tokens. Cheap to clone; clones share what they know.
#[derive(Clone)]
pub struct Verifier {
    inner: Arc<VerifierInner>,
}

struct VerifierInner {
    key: DecodingKey,
    validation: Validation,
    known: KnownTokens,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").finish_non_exhaustive()
    }
}

impl Verifier {
    /// Checks against a public key. Only EdDSA is taken, whatever the header of a token says; keys in a token are not looked at.
    pub(crate) fn new(public: &[u8; 32]) -> Self {
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_audience(&[AUDIENCE]);
        validation.set_issuer(&[ISSUER]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.validate_nbf = true;
        validation.leeway = LEEWAY_SECONDS;
        let key = DecodingKey::from_ed_der(public);
        Self { inner: Arc::new(VerifierInner { key, validation, known: KnownTokens::new() }) }
    }

    /// Says who the bearer of a token is. A token that was verified a moment ago is known, and its signature is not checked again;
    /// whether it has ended is asked every time.
    ///
    /// # Errors
    /// If the token is too long, malformed, of another signer, expired, not yet valid, for another audience, or names no
    /// subject. Scopes that are no permission are left out.
    pub fn verify(&self, token: &str) -> Result<Caller, AuthError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(AuthError::TooLong);
        }
        let VerifierInner { key, validation, known } = &*self.inner;
        let (hash, now) = (known::hash(token), SystemTime::now());
        if let Some(caller) = known.get(&hash, now) {
            return Ok(caller);
        }
        let claims = jsonwebtoken::decode::<Map<String, Value>>(token, key, validation)
            .map_err(|error| match error.kind() {
                ErrorKind::ExpiredSignature => AuthError::Expired,
                ErrorKind::ImmatureSignature => AuthError::NotYetValid,
                ErrorKind::InvalidAudience | ErrorKind::InvalidIssuer => AuthError::NotForUs,
                _ => AuthError::Invalid,
            })?
            .claims;
        let text = |name| claims.get(name).and_then(Value::as_str).ok_or(AuthError::Invalid);
        let subject = text("sub")?;
        if subject.is_empty() {
            return Err(AuthError::Invalid);
        }
        let caller = Caller::new(subject, text("scope")?.split(' ').filter_map(|name| name.parse().ok()));
        let ends = claims.get("exp").and_then(Value::as_u64).ok_or(AuthError::Invalid)?;
        // A moment beyond what the clock can name never comes.
        let caller = match UNIX_EPOCH.checked_add(Duration::from_secs(ends.saturating_add(LEEWAY_SECONDS))) {
            Some(expires_at) => caller.until(expires_at),
            None => caller,
        };
        let caller = caller.with_claims(claims);
        known.put(hash, &caller, now);
        Ok(caller)
    }
}

/// Why a token is not taken. Says nothing about its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// No token was given.
    #[error("a bearer token is needed")]
    Missing,
    /// The token is longer than [`MAX_TOKEN_BYTES`].
    #[error("the token is too long")]
    TooLong,
    /// The token is malformed or not signed by the right key.
    #[error("the token is not valid")]
    Invalid,
    /// The token was valid once.
    #[error("the token has expired")]
    Expired,
    /// The token is not valid yet.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// The token is by another issuer or for another audience.
    #[error("the token is not for this service")]
    NotForUs,
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
