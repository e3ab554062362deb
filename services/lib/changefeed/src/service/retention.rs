//! Erasing people whose data were kept as long as they may be.

use super::{EraseError, OwnerService};

/// The most people of a kind that are erased in one run; the next run goes on.
const MOST: usize = 1000;
/// Who erases, as the log tells it.
const ACTOR: &str = "spil:retention";
const REASON: &str = "kept as long as the register of personal data allows";

impl OwnerService {
    /// Erases the people who left, or whose record was retired, longer ago than what tells who they are may be kept. Answers with how many
    /// there were. Several replicas may do so at once: whom one has erased the other passes over.
    ///
    /// # Errors
    /// If the database can not. Somebody who can not be erased keeps nobody else from it; the last such fault is told.
    pub async fn retain(&self) -> Result<usize, EraseError> {
        let mut count = 0;
        let mut fault = None;
        for kind in self.owner().kinds().filter(|kind| kind.info().person) {
            let now = self.clock.now();
            let due =
                self.store.people_to_erase(kind, self.rules.as_ref(), now, MOST).await.map_err(EraseError::Store)?;
            for person in due {
                match self.erase_until_done(kind, person, ACTOR.to_owned(), REASON.to_owned()).await {
                    Ok(erased) => count += usize::from(erased.records > 0),
                    Err(error) => fault = Some(error),
                }
            }
        }
        fault.map_or(Ok(count), Err)
    }
}
