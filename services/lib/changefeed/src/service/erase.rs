//! Erasing a person.

use std::{net::IpAddr, time::Duration};

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
    apply::{MAX_REASON_BYTES, checked_name, way_of},
};
use crate::{
    Names, PersonError, StoreError,
    redact::{Texts, Traces},
    store::{Erased, Erasure},
};

/// How often it is tried when others are in the way.
const MAX_TRIES: u32 = 12;
/// The source of a revision in which somebody was erased, or taken out of other records.
const SOURCE: &str = "erasure";
/// Who erases where a service of ours does it because the time has come.
const RETENTION: &str = "spil:retention";

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
    /// Nobody says by which texts the person is known.
    #[error("it can not be found out by which texts the person is known")]
    Person(#[source] PersonError),
    /// The database can not.
    #[error("the person can not be erased")]
    Store(#[source] StoreError),
    /// The work was cut off.
    #[error("the service is stopping")]
    Stopping,
}

/// Who is to be erased, and who says so.
#[derive(Clone)]
pub(super) struct Demand {
    pub(super) kind: Kind,
    pub(super) person: Uuid,
    actor: String,
    reason: String,
    pub(super) way: String,
}

impl Demand {
    /// Who writes, and when.
    pub(super) fn origin(&self, at: i64) -> Origin {
        Origin { source: SOURCE.to_owned(), run: String::new(), actor: self.actor.clone(), at }
    }

    /// Takes out of what is kept of the demand itself who the person is.
    pub(super) fn without(mut self, names: &Names) -> Self {
        let texts = Texts::new(names.texts.iter().map(String::as_str));
        let traces = Traces::new(texts, &names.subjects, None);
        for (column, text) in [("actor", &mut self.actor), ("reason", &mut self.reason)] {
            if let Some(redacted) = traces.redact_in(column, text) {
                *text = redacted;
            }
        }
        self
    }

    /// Why, in the words of whoever asks for it.
    pub(super) fn reason(&self) -> &str {
        &self.reason
    }
}

impl OwnerService {
    /// Erases a person, live or retired: everything that tells who it is, in all records of theirs, now and in the log. Nobody can undo
    /// it. The second time it changes nothing and gives the same answer. What the records of others say of the person is taken out before by
    /// [`OwnerService::redact`].
    ///
    /// # Errors
    /// If the caller may not, there is no such person, or the database can not.
    pub async fn erase(
        &self,
        caller: &Caller,
        request: EraseRequest,
        peer: Option<IpAddr>,
    ) -> Result<EraseResponse, EraseError> {
        let EraseRequest { kind, id, reason, origin } = request;
        let demand = self.demand(caller, (kind, &id), reason, &origin, peer)?;
        if demand.kind.info().owner != self.owner() {
            return Err(EraseError::Request("`kind` is no kind of people of this owner"));
        }
        let service = self.clone();
        // A task of its own: a caller that hangs up does not stop a transaction half way.
        let done = tokio::spawn(async move { service.erase_until_done(demand).await });
        done.await.map_err(|_| EraseError::Stopping)?
    }

    /// What is asked for, if the caller may ask for it.
    pub(super) fn demand(
        &self,
        caller: &Caller,
        (kind, id): (u32, &[u8]),
        reason: String,
        origin: &str,
        peer: Option<IpAddr>,
    ) -> Result<Demand, EraseError> {
        let viewer = self.viewer(caller);
        let is_service = caller.is_service();
        if !is_service {
            viewer.require_any(Action::Erase)?;
        }
        let kind = self.kind_of_people(kind).ok_or(EraseError::Request("`kind` is no kind of people"))?;
        // Nobody is erased by a right within a scope: whether that holds is not looked up here.
        if !is_service && !viewer.may_with(Action::Erase, kind, ScopeSet::ALL_ONLY, None) {
            return Err(Denied::Kind { action: Action::Erase, kind }.into());
        }
        let person = Uuid::from_slice(id).map_err(|_| EraseError::Request("`id` is not a well-formed id"))?;
        if reason.is_empty() || reason.len() > MAX_REASON_BYTES || reason.chars().any(char::is_control) {
            return Err(EraseError::Request("`reason` must have 1 to 1,024 bytes and no control characters"));
        }
        let way = checked_name(origin)
            .ok_or(EraseError::Request("`origin` must have at most 256 bytes and no control characters"))?;
        let actor = if is_service { RETENTION } else { caller.subject() }.to_owned();
        Ok(Demand { kind, person, actor, reason, way: way_of(way, peer) })
    }

    async fn erase_until_done(&self, demand: Demand) -> Result<EraseResponse, EraseError> {
        let (kind, person) = (demand.kind, demand.person);
        let names = self.names(kind, person).await.map_err(EraseError::Person)?.ok_or(EraseError::NotFound)?;
        let demand = demand.without(&names);
        let erased = insist(|| {
            let erasure = Erasure {
                kind,
                person,
                origin: demand.origin(self.clock.now()),
                reason: demand.reason().to_owned(),
                way: demand.way.clone(),
                mark: rand::random(),
            };
            async move { self.store.erase(&erasure).await }
        });
        let Erased { head, at, records } = erased.await?.ok_or(EraseError::NotFound)?;
        let records = u32::try_from(records).unwrap_or(u32::MAX);
        Ok(EraseResponse { cursor: Some(head.cursor()), erased_at: at, records })
    }
}

/// Tries until others are no longer in the way.
pub(super) async fn insist<T, F>(attempt: impl Fn() -> F) -> Result<T, EraseError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    for tried in 1..=MAX_TRIES {
        match attempt().await {
            Ok(done) => return Ok(done),
            Err(StoreError::Contended(_)) => {}
            Err(error) => return Err(EraseError::Store(error)),
        }
        let pause = Duration::from_millis(5 << tried.min(6));
        let jitter = rand::rng().random_range(0.0..1.0);
        tokio::time::sleep(pause.mul_f64(jitter)).await;
    }
    Err(EraseError::Contended)
}
