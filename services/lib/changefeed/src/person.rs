//! Which worker a viewer is, and where that worker has a say: what scopes are measured by.

use std::{collections::HashSet, fmt, future::Future, pin::Pin, sync::Arc};

use spil_access::WorkerName;
use spil_proto::{
    model::Kind,
    owner::OwnerClient,
    workforce::v1::service::{NamesOfRequest, WhoIsRequest, who_is_request::By},
};
use uuid::Uuid;

use crate::StoreError;

/// The most units that somebody's own may have below them. Whoever has more can write within no scope of units.
pub const MAX_UNITS: usize = 50_000;

/// A worker, as far as scopes depend on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Person {
    /// The worker.
    pub worker: Uuid,
    /// The units of the current positions, those that these head, and all below them.
    pub units: HashSet<Uuid>,
}

/// By which texts a person is or was known. `Debug` does not show them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// Texts that stand for this person alone.
    pub texts: Vec<String>,
    /// Texts that may stand for somebody or something else.
    pub doubtful: Vec<String>,
    /// The subjects of tokens by which the policy knows the person, without the prefix of an issuer.
    pub subjects: Vec<String>,
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Names")
    }
}

/// Why nobody knows who somebody is.
#[derive(Debug, thiserror::Error)]
pub enum PersonError {
    /// The database can not be read.
    #[error("the database can not say who the worker is")]
    Store(#[from] StoreError),
    /// The owner of the workers can not be asked.
    #[error("the owner of the workers can not be asked who the worker is")]
    Unreachable(#[source] Box<tonic::Status>),
    /// The worker has too much below.
    #[error("the worker has more than {MAX_UNITS} units below")]
    TooMany,
    /// Nobody said where the owner of the workers is.
    #[error("this owner does not know where the owner of the workers is: say so in its settings, under `owners`")]
    NoAddress,
}

/// What [`People`] answer.
pub type FoundPerson<'a> = Pin<Box<dyn Future<Output = Result<Option<Person>, PersonError>> + Send + 'a>>;

/// What [`People`] answer to who asks for names.
pub type FoundNames<'a> = Pin<Box<dyn Future<Output = Result<Option<Names>, PersonError>> + Send + 'a>>;

/// Knows who somebody is.
pub trait People: Send + Sync {
    /// The worker with a name; none if there is none, or if workers can not be found by such a name.
    fn find<'a>(&'a self, name: &'a WorkerName) -> FoundPerson<'a>;

    /// By which texts a person of a kind is known; none if there is no such person.
    fn names(&self, kind: Kind, person: Uuid) -> FoundNames<'_>;
}

/// Where nobody knows anybody: whatever is allowed within a scope only is refused.
pub(crate) struct Nobody;

impl People for Nobody {
    fn find<'a>(&'a self, _name: &'a WorkerName) -> FoundPerson<'a> {
        Box::pin(async { Ok(None) })
    }

    fn names(&self, _kind: Kind, _person: Uuid) -> FoundNames<'_> {
        Box::pin(async { Err(PersonError::NoAddress) })
    }
}

/// Signs the token with which an owner asks another.
pub type OwnerToken = Arc<dyn Fn() -> Option<String> + Send + Sync>;

/// Asks the owner of the workers.
#[derive(Clone)]
pub struct RemotePeople {
    client: OwnerClient,
    token: OwnerToken,
}

impl fmt::Debug for RemotePeople {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemotePeople").finish_non_exhaustive()
    }
}

impl RemotePeople {
    /// Asks by a client, which is one of the owner of the workers.
    pub fn new(client: OwnerClient, token: OwnerToken) -> Self {
        Self { client, token }
    }
}

impl People for RemotePeople {
    fn find<'a>(&'a self, name: &'a WorkerName) -> FoundPerson<'a> {
        Box::pin(async move {
            let Some(by) = request(name) else { return Ok(None) };
            let token = (self.token)().unwrap_or_default();
            let answer = self.client.clone().who_is(&token, WhoIsRequest { by: Some(by) }).await;
            let answer = answer.map_err(|status| PersonError::Unreachable(Box::new(status)))?;
            let Ok(worker) = Uuid::from_slice(&answer.worker_id) else { return Ok(None) };
            let units = answer.org_unit_ids.iter().filter_map(|id| Uuid::from_slice(id).ok()).collect();
            Ok(Some(Person { worker, units }))
        })
    }

    fn names(&self, kind: Kind, person: Uuid) -> FoundNames<'_> {
        Box::pin(async move {
            let token = (self.token)().unwrap_or_default();
            let request = NamesOfRequest { kind: kind as u32, id: person.as_bytes().to_vec() };
            match self.client.clone().names_of(&token, request).await {
                Ok(names) => Ok(Some(Names { texts: names.texts, doubtful: names.doubtful, subjects: names.subjects })),
                Err(status) if status.code() == tonic::Code::NotFound => Ok(None),
                Err(status) => Err(PersonError::Unreachable(Box::new(status))),
            }
        })
    }
}

/// How a name is asked for. Numbers are kept where nothing can be looked up by them.
fn request(name: &WorkerName) -> Option<By> {
    match name {
        WorkerName::Key(key) => Some(By::Key(key.clone())),
        WorkerName::ExternalId { system, id } => {
            Some(By::ExternalId(spil_proto::model::ExternalId { system: system.clone(), id: id.clone() }))
        }
        WorkerName::Id(id) => Some(By::Id(id.as_bytes().to_vec())),
        WorkerName::Number(_) => None,
    }
}

/// What a request asks for.
pub(crate) fn name(by: By) -> Option<WorkerName> {
    Some(match by {
        By::Key(key) => WorkerName::Key(key),
        By::ExternalId(id) => WorkerName::ExternalId { system: id.system, id: id.id },
        By::Id(id) => WorkerName::Id(Uuid::from_slice(&id).ok()?),
    })
}
