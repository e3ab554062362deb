//! Signs and checks access tokens and says what their bearer may do.
//!
//! Every role checks the token itself: the gateway for its callers, the owners for the gateway and for everybody else. The
//! key is an Ed25519 pair; whoever only checks needs the public half.

mod caller;
mod key;
mod known;
mod token;

pub use caller::{Caller, Forbidden, Permission, Permissions};
pub use key::{DevelopmentKey, KeyError};
pub use token::{AUDIENCE, AuthError, ISSUER, MAX_TOKEN_BYTES, SignError, Signer, Verifier};

#[cfg(test)]
mod tests;
