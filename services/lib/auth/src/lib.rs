//! Signs and checks access tokens and says what their bearer may do.
//!
//! Every role checks the token itself: the gateway for its callers, the owners for the gateway and for everybody else. Tokens are those of
//! the issuers that the settings name, whose keys are fetched and kept ([`TrustedIssuers`]); those with which our own services speak to owners;
//! and in development such as the binary signs itself. A token is taken apart by a strict reader before a signature is looked at, and nothing in it says
//! what to check it with.

mod algorithm;
mod caller;
mod fetch;
mod issuer;
mod json;
mod jwks;
mod jws;
mod key;
mod keystore;
mod known;
mod signer;
mod verifier;

pub use algorithm::{SignatureAlgorithm, UnknownAlgorithm};
pub use caller::{Caller, Forbidden, Permission, Permissions, UnknownPermission};
pub use issuer::{IssuerConfig, IssuerError, MAX_ISSUERS};
pub use key::{InternalKey, KeyError};
pub use signer::{AUDIENCE, ISSUER, SERVICE_ISSUER, SERVICE_SUBJECT, SignError, Signer};
pub(crate) use signer::{SERVICE_AUDIENCE, SERVICE_TYPE};
pub use verifier::{AuthError, MAX_TOKEN_BYTES, Trust, TrustedIssuers, Verifier};

#[cfg(test)]
mod tests;
