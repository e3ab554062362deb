//! By which texts a person is known, for the owners, which take them out of their records.

use spil_access::{Action, Denied};
use spil_auth::Caller;
use spil_proto::{
    model::Kind,
    workforce::v1::service::{NamesOfRequest, NamesOfResponse},
};
use uuid::Uuid;

use super::OwnerService;
use crate::{Names, PersonError, StoreError, store::MAX_NAMES};

/// Why nobody says by which texts somebody is known.
#[derive(Debug, thiserror::Error)]
pub enum NamesError {
    /// The caller may not.
    #[error(transparent)]
    Forbidden(#[from] Denied),
    /// Names are given to services of ours only.
    #[error("only a service may ask by which texts a person is known")]
    NoService,
    /// The request is not sound.
    #[error("{0}")]
    Request(&'static str),
    /// There is no such person.
    #[error("there is no such person")]
    NotFound,
    /// No person has so many.
    #[error("the person is known by more than {MAX_NAMES} texts")]
    TooMany,
    /// The database can not.
    #[error("the names can not be read")]
    Store(#[from] StoreError),
}

impl OwnerService {
    /// Says by which texts a person is or was known, to a service of ours. What is said is not logged.
    ///
    /// # Errors
    /// If the caller is no service, there is no such person, it is too much, or the database can not be read.
    pub async fn names_of(&self, caller: &Caller, request: NamesOfRequest) -> Result<NamesOfResponse, NamesError> {
        if !caller.is_service() {
            return Err(NamesError::NoService);
        }
        self.viewer(caller).require(Action::Follow, Kind::Worker)?;
        let kind = self.kind_of_people(request.kind).filter(|kind| kind.info().owner == self.owner());
        let kind = kind.ok_or(NamesError::Request("`kind` is no kind of people of this owner"))?;
        let person = Uuid::from_slice(&request.id).map_err(|_| NamesError::Request("`id` is not a well-formed id"))?;
        let Names { texts, doubtful, subjects } = self.own_names(kind, person).await?.ok_or(NamesError::NotFound)?;
        if [&texts, &doubtful, &subjects].into_iter().any(|list| list.len() > MAX_NAMES) {
            return Err(NamesError::TooMany);
        }
        Ok(NamesOfResponse { texts, doubtful, subjects })
    }

    /// The kind with a number, if its records are people.
    pub(super) fn kind_of_people(&self, number: u32) -> Option<Kind> {
        Kind::from_number(number).filter(|kind| kind.info().person)
    }

    /// By which texts a person is known, whoever owns it.
    pub(super) async fn names(&self, kind: Kind, person: Uuid) -> Result<Option<Names>, PersonError> {
        if kind.info().owner == self.owner() {
            Ok(self.own_names(kind, person).await?)
        } else {
            self.people.names(kind, person).await
        }
    }

    async fn own_names(&self, kind: Kind, person: Uuid) -> Result<Option<Names>, StoreError> {
        let policy = self.policy.load();
        self.store.names_of(kind, person, self.rules.vocabulary(), |record| policy.subjects_of(record)).await
    }
}
