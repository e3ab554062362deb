//! What an owner does, whatever it owns.

mod apply;
mod audit;
mod erase;
mod feed;
mod names;
mod people;
mod redact;
mod retention;
mod snapshot;

use std::sync::Arc;

use spil_access::{Action, Denied, PolicyHandle, Viewer};
use spil_auth::{AuthError, Caller, Verifier};
use spil_proto::{
    changefeed::v1::{DigestResponse, KindDigest},
    model::{Kind, Owner},
};

pub use apply::ApplyError;
pub use audit::AuditError;
pub use erase::EraseError;
pub use feed::{FeedError, FeedLimits, FeedStream};
pub use names::NamesError;
pub use people::WhoIsError;

use crate::{Clock, People, Rules, Store, StoreError, person::Nobody};

/// An owner: its database, its rules and whom it trusts. Cheap to clone.
#[derive(Clone)]
pub struct OwnerService {
    store: Store,
    rules: Arc<dyn Rules>,
    verifier: Verifier,
    clock: Arc<dyn Clock>,
    limits: FeedLimits,
    policy: Arc<PolicyHandle>,
    people: Arc<dyn People>,
}

/// Why a digest could not be made.
#[derive(Debug, thiserror::Error)]
pub enum DigestError {
    /// The caller may not.
    #[error(transparent)]
    Forbidden(#[from] Denied),
    /// The database can not.
    #[error("the records can not be read")]
    Store(#[from] StoreError),
}

impl OwnerService {
    /// An owner on a database that is migrated.
    pub fn new(store: Store, rules: Arc<dyn Rules>, verifier: Verifier, clock: Arc<dyn Clock>) -> Self {
        let (limits, policy, people) = (FeedLimits::default(), PolicyHandle::built_in(), Arc::new(Nobody));
        Self { store, rules, verifier, clock, limits, policy, people }
    }

    /// The same with other limits for streams.
    #[must_use]
    pub fn with_limits(mut self, limits: FeedLimits) -> Self {
        self.limits = limits;
        self
    }

    /// The same with another policy than the built-in one.
    #[must_use]
    pub fn with_policy(mut self, policy: Arc<PolicyHandle>) -> Self {
        self.policy = policy;
        self
    }

    /// The same with somebody to ask who a caller is. The owner of the workers knows it itself.
    #[must_use]
    pub fn with_people(mut self, people: Arc<dyn People>) -> Self {
        self.people = people;
        self
    }

    /// What a caller may do.
    pub(crate) fn viewer(&self, caller: &Caller) -> Viewer {
        self.policy.load().viewer(caller, None)
    }

    /// Says whether a caller may read the raw records of some kinds, all that this owner has.
    fn may_follow(&self, caller: &Caller, kinds: impl IntoIterator<Item = Kind>) -> Result<(), Denied> {
        let viewer = self.viewer(caller);
        kinds.into_iter().try_for_each(|kind| viewer.require(Action::Follow, kind))
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
    /// If the caller may not follow, or the database can not be read.
    pub async fn digest(&self, caller: &Caller) -> Result<DigestResponse, DigestError> {
        self.may_follow(caller, self.owner().kinds())?;
        let (head, sums) = self.store.digest().await?;
        let kinds = sums
            .into_iter()
            .map(|sum| KindDigest { kind: sum.kind as u32, count: sum.count, checksum: sum.sum.to_be_bytes().to_vec() })
            .collect();
        Ok(DigestResponse { cursor: Some(head.cursor()), kinds })
    }
}
