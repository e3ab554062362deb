//! What an owner does, whatever it owns.

mod apply;
mod erase;
mod feed;
mod retention;
mod snapshot;

use std::sync::Arc;

use spil_auth::{AuthError, Caller, Forbidden, Permission, Verifier};
use spil_proto::{
    changefeed::v1::{DigestResponse, KindDigest},
    model::Owner,
};

pub use apply::ApplyError;
pub use erase::EraseError;
pub use feed::{FeedError, FeedLimits, FeedStream};

use crate::{Clock, Rules, Store, StoreError};

/// An owner: its database, its rules and whom it trusts. Cheap to clone.
#[derive(Clone)]
pub struct OwnerService {
    store: Store,
    rules: Arc<dyn Rules>,
    verifier: Verifier,
    clock: Arc<dyn Clock>,
    limits: FeedLimits,
}

/// Why a digest could not be made.
#[derive(Debug, thiserror::Error)]
pub enum DigestError {
    /// The caller may not.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// The database can not.
    #[error("the records can not be read")]
    Store(#[from] StoreError),
}

impl OwnerService {
    /// An owner on a database that is migrated.
    pub fn new(store: Store, rules: Arc<dyn Rules>, verifier: Verifier, clock: Arc<dyn Clock>) -> Self {
        Self { store, rules, verifier, clock, limits: FeedLimits::default() }
    }

    /// The same with other limits for streams.
    #[must_use]
    pub fn with_limits(mut self, limits: FeedLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Which owner it is.
    pub fn owner(&self) -> Owner {
        self.store.owner()
    }

    /// Says whose token this is.
    ///
    /// # Errors
    /// If the token is not sound.
    pub async fn authenticate(&self, token: &str) -> Result<Caller, AuthError> {
        self.verifier.verify(token).await
    }

    /// The checksums of all kinds, of the tables and not of the log.
    ///
    /// # Errors
    /// If the caller may not read, or the database can not be read.
    pub async fn digest(&self, caller: &Caller) -> Result<DigestResponse, DigestError> {
        caller.require(Permission::Read)?;
        let (head, sums) = self.store.digest().await?;
        let kinds = sums
            .into_iter()
            .map(|sum| KindDigest { kind: sum.kind as u32, count: sum.count, checksum: sum.sum.to_be_bytes().to_vec() })
            .collect();
        Ok(DigestResponse { cursor: Some(head.cursor()), kinds })
    }
}
