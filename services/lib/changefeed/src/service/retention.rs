//! Says whose data were kept as long as they may be. To erase them is for whoever reaches all owners.

use spil_access::{Action, Denied, ScopeSet};
use spil_auth::Caller;
use spil_proto::workforce::v1::service::{DueResponse, Person};

use super::{EraseError, OwnerService};

/// The most people of a kind that are told at once; once these are erased, the next are told.
const MOST: usize = 1000;

impl OwnerService {
    /// Says who left, or whose record was retired, longer ago than what tells who they are may be kept: to a service of ours, and to who may
    /// erase them.
    ///
    /// # Errors
    /// If the caller may not, or the database can not be read.
    pub async fn due(&self, caller: &Caller) -> Result<DueResponse, EraseError> {
        let viewer = self.viewer(caller);
        let mut people = Vec::new();
        for kind in self.owner().kinds().filter(|kind| kind.info().person) {
            if !caller.is_service() && !viewer.may_with(Action::Erase, kind, ScopeSet::ALL_ONLY, None) {
                return Err(Denied::Kind { action: Action::Erase, kind }.into());
            }
            let now = self.clock.now();
            let due = self.store.people_to_erase(kind, self.rules.as_ref(), now, MOST).await;
            let due = due.map_err(EraseError::Store)?.into_iter();
            people.extend(due.map(|id| Person { kind: kind as u32, id: id.as_bytes().to_vec() }));
        }
        Ok(DueResponse { people })
    }
}
