//! Where records go and where the present ones come from: the owners.

use std::future::Future;

use spil_proto::{
    changefeed::v1::{ApplyRequest, ApplyResponse, Record, SnapshotRequest},
    model::{Kind, Owner},
    owner::OwnerClient,
};
use tonic::Status;

/// Something that takes commands and shows its records.
pub trait Destination: Sync {
    /// Applies a batch.
    ///
    /// # Errors
    /// What the owner or the connection answers.
    fn apply(&self, owner: Owner, request: ApplyRequest) -> impl Future<Output = Result<ApplyResponse, Status>> + Send;

    /// Hands over every live record of some kinds of an owner.
    ///
    /// # Errors
    /// What the owner or the connection answers.
    fn snapshot(
        &self,
        owner: Owner,
        kinds: &[Kind],
        each: &mut (dyn FnMut(Record) + Send),
    ) -> impl Future<Output = Result<(), Status>> + Send;
}

/// Clients of the three owners.
#[derive(Clone, Debug)]
pub struct Owners {
    /// Objectives, capabilities, processes, applications.
    pub capability: OwnerClient,
    /// Org units, roles, positions, workers, skills.
    pub workforce: OwnerClient,
    /// Initiatives, stakeholders, impacts, benefits.
    pub initiative: OwnerClient,
}

impl Owners {
    /// The client of an owner.
    pub fn of(&self, owner: Owner) -> &OwnerClient {
        match owner {
            Owner::Capability => &self.capability,
            Owner::Workforce => &self.workforce,
            Owner::Initiative => &self.initiative,
        }
    }
}

/// The owners, called with somebody's token.
#[derive(Debug)]
pub(crate) struct Remote<'a> {
    pub(crate) owners: &'a Owners,
    pub(crate) token: &'a str,
    /// Why it is done.
    pub(crate) reason: &'a str,
}

impl Destination for Remote<'_> {
    async fn apply(&self, owner: Owner, mut request: ApplyRequest) -> Result<ApplyResponse, Status> {
        request.reason = self.reason.to_owned();
        request.origin = "import".to_owned();
        self.owners.of(owner).clone().apply(self.token, request).await
    }

    async fn snapshot(
        &self,
        owner: Owner,
        kinds: &[Kind],
        each: &mut (dyn FnMut(Record) + Send),
    ) -> Result<(), Status> {
        let kinds = kinds.iter().map(|kind| *kind as u32).collect();
        let mut client = self.owners.of(owner).clone();
        let mut parts = client.snapshot(self.token, SnapshotRequest { kinds }).await?;
        while let Some(part) = parts.message().await? {
            part.records.into_iter().for_each(&mut *each);
            if part.complete {
                return Ok(());
            }
        }
        Err(Status::unavailable("the snapshot was cut off"))
    }
}
