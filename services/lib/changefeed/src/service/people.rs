//! Who a caller is among the workers.

use spil_access::{Action, Denied, Viewer};
use spil_auth::Caller;
use spil_proto::{
    model::Kind,
    workforce::v1::service::{WhoIsRequest, WhoIsResponse},
};

use super::{ApplyError, OwnerService};
use crate::{Person, PersonError, person};

/// Why nobody says who somebody is.
#[derive(Debug, thiserror::Error)]
pub enum WhoIsError {
    /// The caller may not.
    #[error(transparent)]
    Forbidden(#[from] Denied),
    /// The request names nobody.
    #[error("the request has no name, or an id that is none")]
    Request,
    /// It can not be found out.
    #[error(transparent)]
    Person(#[from] PersonError),
}

impl OwnerService {
    /// The worker who a viewer is, if anything that the viewer may do depends on that.
    pub(super) async fn person(&self, viewer: &Viewer) -> Result<Option<Person>, ApplyError> {
        let Some(name) = viewer.worker().filter(|_| viewer.has_own()) else { return Ok(None) };
        let found = match self.owner() == Kind::Worker.info().owner {
            true => self.store.person(name, self.clock.now()).await,
            false => self.people.find(name).await,
        };
        found.map_err(ApplyError::Person)
    }

    /// Says who has a name, to one who may follow: the other owners.
    ///
    /// # Errors
    /// If the caller may not, nothing is asked for, or the database can not be read.
    pub async fn who_is(&self, caller: &Caller, request: WhoIsRequest) -> Result<WhoIsResponse, WhoIsError> {
        self.viewer(caller).require(Action::Follow, Kind::Worker)?;
        let name = request.by.and_then(person::name).ok_or(WhoIsError::Request)?;
        let Some(found) = self.store.person(&name, self.clock.now()).await? else {
            return Ok(WhoIsResponse::default());
        };
        let mut units: Vec<Vec<u8>> = found.units.iter().map(|id| id.as_bytes().to_vec()).collect();
        units.sort_unstable();
        Ok(WhoIsResponse { worker_id: found.worker.as_bytes().to_vec(), org_unit_ids: units })
    }
}
