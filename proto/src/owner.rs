//! A client of any owner. The owners serve the same calls under their own names; [`OwnerClient`] picks the name.

use tonic::{Request, Response, Status, Streaming, metadata::MetadataValue, transport::Channel};

use crate::{
    capability::v1::service::capability_service_client::CapabilityServiceClient,
    changefeed::v1::{
        ApplyRequest, ApplyResponse, AuditRequest, AuditResponse, DigestRequest, DigestResponse, EraseRequest,
        EraseResponse, LogReadsRequest, LogReadsResponse, ReadLogRequest, ReadLogResponse, RedactRequest,
        RedactResponse, SnapshotRequest, SnapshotResponse, WatchRequest, WatchResponse,
    },
    initiative::v1::service::initiative_service_client::InitiativeServiceClient,
    model::Owner,
    workforce::v1::service::{
        DueRequest, DueResponse, NamesOfRequest, NamesOfResponse, WhoIsRequest, WhoIsResponse,
        workforce_service_client::WorkforceServiceClient,
    },
};

/// The most bytes of one message: a batch or a part of a snapshot.
pub const MAX_MESSAGE_BYTES: usize = 32 << 20;

/// A client of one owner. Cheap to clone; clones share the connection.
#[derive(Clone, Debug)]
pub struct OwnerClient {
    owner: Owner,
    inner: Inner,
}

#[derive(Clone, Debug)]
enum Inner {
    Capability(CapabilityServiceClient<Channel>),
    Workforce(WorkforceServiceClient<Channel>),
    Initiative(InitiativeServiceClient<Channel>),
}

/// Calls the method of whichever client it is.
macro_rules! call {
    ($self:ident . $method:ident ($request:expr)) => {
        match &mut $self.inner {
            Inner::Capability(client) => client.$method($request).await,
            Inner::Workforce(client) => client.$method($request).await,
            Inner::Initiative(client) => client.$method($request).await,
        }
        .map(Response::into_inner)
    };
}

impl OwnerClient {
    /// A client of an owner at the other end of a channel.
    pub fn new(owner: Owner, channel: Channel) -> Self {
        let inner = match owner {
            Owner::Capability => Inner::Capability(
                CapabilityServiceClient::new(channel)
                    .max_decoding_message_size(MAX_MESSAGE_BYTES)
                    .max_encoding_message_size(MAX_MESSAGE_BYTES),
            ),
            Owner::Workforce => Inner::Workforce(
                WorkforceServiceClient::new(channel)
                    .max_decoding_message_size(MAX_MESSAGE_BYTES)
                    .max_encoding_message_size(MAX_MESSAGE_BYTES),
            ),
            Owner::Initiative => Inner::Initiative(
                InitiativeServiceClient::new(channel)
                    .max_decoding_message_size(MAX_MESSAGE_BYTES)
                    .max_encoding_message_size(MAX_MESSAGE_BYTES),
            ),
        };
        Self { owner, inner }
    }

    /// Whose client it is.
    pub fn owner(&self) -> Owner {
        self.owner
    }

    /// Applies a batch of commands in the name of the token's subject.
    ///
    /// # Errors
    /// What the owner or the connection answers; a broken rule is no error but an item of the answer.
    pub async fn apply(&mut self, token: &str, request: ApplyRequest) -> Result<ApplyResponse, Status> {
        call!(self.apply(authorized(token, request)?))
    }

    /// Streams every live record as of one revision.
    ///
    /// # Errors
    /// What the owner or the connection answers.
    pub async fn snapshot(
        &mut self,
        token: &str,
        request: SnapshotRequest,
    ) -> Result<Streaming<SnapshotResponse>, Status> {
        call!(self.snapshot(authorized(token, request)?))
    }

    /// Streams the changes after a cursor.
    ///
    /// # Errors
    /// What the owner or the connection answers; `OUT_OF_RANGE` if a snapshot is needed first.
    pub async fn watch(&mut self, token: &str, request: WatchRequest) -> Result<Streaming<WatchResponse>, Status> {
        call!(self.watch(authorized(token, request)?))
    }

    /// Asks for the checksums of all kinds.
    ///
    /// # Errors
    /// What the owner or the connection answers.
    pub async fn digest(&mut self, token: &str) -> Result<DigestResponse, Status> {
        call!(self.digest(authorized(token, DigestRequest {})?))
    }

    /// Erases a person, in the name of the token's subject. Sent again it changes nothing.
    ///
    /// # Errors
    /// What the owner or the connection answers; `NOT_FOUND` if there is no such person.
    pub async fn erase(&mut self, token: &str, request: EraseRequest) -> Result<EraseResponse, Status> {
        call!(self.erase(authorized(token, request)?))
    }

    /// Takes what tells who a person is out of the other records of an owner, in the name of the token's subject. Sent again it goes on with what
    /// is left.
    ///
    /// # Errors
    /// What the owner or the connection answers; `NOT_FOUND` if there is no such person.
    pub async fn redact(&mut self, token: &str, request: RedactRequest) -> Result<RedactResponse, Status> {
        call!(self.redact(authorized(token, request)?))
    }

    /// Asks the owner of the workers who has a name.
    ///
    /// # Errors
    /// What the owner or the connection answers; `UNIMPLEMENTED` of an owner that has no workers.
    pub async fn who_is(&mut self, token: &str, request: WhoIsRequest) -> Result<WhoIsResponse, Status> {
        match &mut self.inner {
            Inner::Workforce(client) => client.who_is(authorized(token, request)?).await.map(Response::into_inner),
            Inner::Capability(_) | Inner::Initiative(_) => Err(no_workers()),
        }
    }

    /// Asks the owner of the workers by which texts a person is known, with the token of a service.
    ///
    /// # Errors
    /// What the owner or the connection answers; `NOT_FOUND` if there is no such person, `UNIMPLEMENTED` of an owner that has no workers.
    pub async fn names_of(&mut self, token: &str, request: NamesOfRequest) -> Result<NamesOfResponse, Status> {
        match &mut self.inner {
            Inner::Workforce(client) => client.names_of(authorized(token, request)?).await.map(Response::into_inner),
            Inner::Capability(_) | Inner::Initiative(_) => Err(no_workers()),
        }
    }

    /// Asks the owner of the workers whose data were kept as long as they may be.
    ///
    /// # Errors
    /// What the owner or the connection answers; `UNIMPLEMENTED` of an owner that has no workers.
    pub async fn due(&mut self, token: &str) -> Result<DueResponse, Status> {
        match &mut self.inner {
            Inner::Workforce(client) => client.due(authorized(token, DueRequest {})?).await.map(Response::into_inner),
            Inner::Capability(_) | Inner::Initiative(_) => Err(no_workers()),
        }
    }
}

fn no_workers() -> Status {
    Status::unimplemented("this owner has no workers")
}

impl OwnerClient {
    /// Asks who changed what.
    ///
    /// # Errors
    /// What the owner or the connection answers.
    pub async fn audit(&mut self, token: &str, request: AuditRequest) -> Result<AuditResponse, Status> {
        call!(self.audit(authorized(token, request)?))
    }

    /// Has reads of what tells who people are kept, with the token of a service.
    ///
    /// # Errors
    /// What the owner or the connection answers; then nobody knows whether they are kept.
    pub async fn log_reads(&mut self, token: &str, request: LogReadsRequest) -> Result<LogReadsResponse, Status> {
        call!(self.log_reads(authorized(token, request)?))
    }

    /// Asks who read what tells who a person is.
    ///
    /// # Errors
    /// What the owner or the connection answers.
    pub async fn read_log(&mut self, token: &str, request: ReadLogRequest) -> Result<ReadLogResponse, Status> {
        call!(self.read_log(authorized(token, request)?))
    }
}

/// A request that carries the token as `authorization: Bearer …`.
fn authorized<T>(token: &str, message: T) -> Result<Request<T>, Status> {
    let mut value: MetadataValue<_> =
        format!("Bearer {token}").parse().map_err(|_| Status::unauthenticated("the token is not printable ASCII"))?;
    value.set_sensitive(true);
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", value);
    Ok(request)
}
