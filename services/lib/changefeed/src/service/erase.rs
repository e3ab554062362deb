//! Erasing a person.

use std::time::Duration;

use rand::RngExt;
use spil_access::{Action, Denied, ScopeSet};
use spil_auth::Caller;
use spil_proto::{
    changefeed::v1::{EraseRequest, EraseResponse, Origin},
    model::Kind,
};
use uuid::Uuid;

use super::{
    OwnerService,
    apply::{DIRECT, MAX_REASON_BYTES},
};
use crate::{StoreError, store::Erasure};

/// How often it is tried when others are in the way.
const MAX_TRIES: u32 = 12;
/// The source of a revision in which somebody was erased.
const SOURCE: &str = "erasure";

/// Why nobody was erased.
#[derive(Debug, thiserror::Error)]
pub enum EraseError {
    /// The caller may not.
    #[error(transparent)]
    Forbidden(#[from] Denied),
    /// The request as a whole is not sound.
    #[error("{0}")]
    Request(&'static str),
    /// There is no such person.
    #[error("there is no such person")]
    NotFound,
    /// Others were in the way again and again.
    #[error("other batches were in the way too often; try again")]
    Contended,
    /// The database can not.
    #[error("the person can not be erased")]
    Store(#[source] StoreError),
    /// The work was cut off.
    #[error("the service is stopping")]
    Stopping,
}

impl OwnerService {
    /// Erases a person, live or retired: everything that tells who it is, in all records of theirs, now and in the log. Nobody can undo
    /// it. The second time it changes nothing and gives the same answer.
    ///
    /// # Errors
    /// If the caller may not, there is no such person, or the database can not.
    pub async fn erase(&self, caller: &Caller, request: EraseRequest) -> Result<EraseResponse, EraseError> {
        let viewer = self.viewer(caller);
        viewer.require_any(Action::Erase)?;
        let kind =
            Kind::from_number(request.kind).filter(|kind| kind.info().owner == self.owner() && kind.info().person);
        let kind = kind.ok_or(EraseError::Request("`kind` is no kind of people of this owner"))?;
        // Nobody is erased by a right within a scope: whether that holds is not looked up here.
        if !viewer.may_with(Action::Erase, kind, ScopeSet::ALL_ONLY, None) {
            return Err(Denied::Kind { action: Action::Erase, kind }.into());
        }
        let person = Uuid::from_slice(&request.id).map_err(|_| EraseError::Request("`id` is not a well-formed id"))?;
        let reason = request.reason;
        if reason.is_empty() || reason.len() > MAX_REASON_BYTES || reason.chars().any(char::is_control) {
            return Err(EraseError::Request("`reason` must have 1 to 1,024 bytes and no control characters"));
        }
        let actor = caller.subject().to_owned();
        let service = self.clone();
        // A task of its own: a caller that hangs up does not stop a transaction half way.
        let done = tokio::spawn(async move { service.erase_until_done(kind, person, actor, reason).await });
        done.await.map_err(|_| EraseError::Stopping)?
    }

    pub(super) async fn erase_until_done(
        &self,
        kind: Kind,
        person: Uuid,
        actor: String,
        reason: String,
    ) -> Result<EraseResponse, EraseError> {
        for tried in 1..=MAX_TRIES {
            let at = self.clock.now();
            let origin = Origin { source: SOURCE.to_owned(), run: String::new(), actor: actor.clone(), at };
            match self
                .store
                .erase(&Erasure { kind, person, origin, reason: reason.clone(), way: DIRECT, mark: rand::random() })
                .await
            {
                Ok(Some(erased)) => {
                    return Ok(EraseResponse {
                        cursor: Some(erased.head.cursor()),
                        erased_at: erased.at,
                        records: u32::try_from(erased.records).unwrap_or(u32::MAX),
                    });
                }
                Ok(None) => return Err(EraseError::NotFound),
                Err(StoreError::Contended(_)) => {}
                Err(error) => return Err(EraseError::Store(error)),
            }
            let pause = Duration::from_millis(5 << tried.min(6));
            let jitter = rand::rng().random_range(0.0..1.0);
            tokio::time::sleep(pause.mul_f64(jitter)).await;
        }
        Err(EraseError::Contended)
    }
}
