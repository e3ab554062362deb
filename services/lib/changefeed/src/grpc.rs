//! The calls of an owner over gRPC. This is the only place that knows tonic's side of the server.

mod expiry;
mod status;
#[cfg(test)]
mod tests;

use std::pin::Pin;

use futures::{Stream, StreamExt};
use spil_auth::{AuthError, Caller};
use spil_proto::{
    capability::v1::service::capability_service_server::{CapabilityService, CapabilityServiceServer},
    changefeed::v1::{
        ApplyRequest, ApplyResponse, AuditRequest, AuditResponse, DigestRequest, DigestResponse, EraseRequest,
        EraseResponse, LogReadsRequest, LogReadsResponse, ReadLogRequest, ReadLogResponse, RedactRequest,
        RedactResponse, SnapshotRequest, SnapshotResponse, WatchRequest, WatchResponse,
    },
    initiative::v1::service::initiative_service_server::{InitiativeService, InitiativeServiceServer},
    model::Owner,
    owner::MAX_MESSAGE_BYTES,
    workforce::v1::service::{
        DueRequest, DueResponse, NamesOfRequest, NamesOfResponse, WhoIsRequest, WhoIsResponse,
        workforce_service_server::{WorkforceService, WorkforceServiceServer},
    },
};
use tonic::{Request, Response, Status, metadata::MetadataMap, service::Routes};

use crate::OwnerService;

/// The gRPC server of some owners, each under its own service name.
pub fn routes(services: impl IntoIterator<Item = OwnerService>) -> Routes {
    services.into_iter().fold(Routes::default(), |routes, service| {
        let owner = service.owner();
        let calls = Calls { service };
        match owner {
            Owner::Capability => routes.add_service(
                CapabilityServiceServer::new(calls)
                    .max_decoding_message_size(MAX_MESSAGE_BYTES)
                    .max_encoding_message_size(MAX_MESSAGE_BYTES),
            ),
            Owner::Workforce => routes.add_service(
                WorkforceServiceServer::new(calls)
                    .max_decoding_message_size(MAX_MESSAGE_BYTES)
                    .max_encoding_message_size(MAX_MESSAGE_BYTES),
            ),
            Owner::Initiative => routes.add_service(
                InitiativeServiceServer::new(calls)
                    .max_decoding_message_size(MAX_MESSAGE_BYTES)
                    .max_encoding_message_size(MAX_MESSAGE_BYTES),
            ),
        }
    })
}

struct Calls {
    service: OwnerService,
}

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

impl Calls {
    async fn caller(&self, metadata: &MetadataMap) -> Result<Caller, Status> {
        let mut shown = metadata.get_all("authorization").iter();
        let header = shown.next().and_then(|value| value.to_str().ok());
        if shown.next().is_some() {
            // Which of them is meant, another server on the way may see otherwise.
            return Err(status::of_token(&AuthError::Invalid));
        }
        let token = header.and_then(|header| {
            let (scheme, token) = header.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_matches(' '))
        });
        let token = token.ok_or_else(|| status::of_token(&AuthError::Missing))?;
        self.service.authenticate(token).await.map_err(|error| status::of_token(&error))
    }
}

/// The same calls under the name of each owner.
macro_rules! serve {
    ($service:ident $(, $more:item)*) => {
        #[tonic::async_trait]
        impl $service for Calls {
            type SnapshotStream = Answers<SnapshotResponse>;
            type WatchStream = Answers<WatchResponse>;

            async fn apply(&self, request: Request<ApplyRequest>) -> Result<Response<ApplyResponse>, Status> {
                let caller = self.caller(request.metadata()).await?;
                let peer = request.remote_addr().map(|address| address.ip());
                let answer = self.service.apply_from(&caller, request.into_inner(), peer).await;
                answer.map(Response::new).map_err(|error| status::of_apply(&error))
            }

            async fn snapshot(
                &self,
                request: Request<SnapshotRequest>,
            ) -> Result<Response<Self::SnapshotStream>, Status> {
                let caller = self.caller(request.metadata()).await?;
                let stream = self.service.snapshot(&caller, request.into_inner()).await;
                let stream = stream.map_err(|error| status::of_feed(&error))?;
                let parts = stream.map(|part| part.map_err(|error| status::of_feed(&error)));
                Ok(Response::new(expiry::until(&caller, parts)))
            }

            async fn watch(&self, request: Request<WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
                let caller = self.caller(request.metadata()).await?;
                let stream = self.service.watch(&caller, request.into_inner()).await;
                let stream = stream.map_err(|error| status::of_feed(&error))?;
                let parts = stream.map(|part| part.map_err(|error| status::of_feed(&error)));
                Ok(Response::new(expiry::until(&caller, parts)))
            }

            async fn digest(&self, request: Request<DigestRequest>) -> Result<Response<DigestResponse>, Status> {
                let caller = self.caller(request.metadata()).await?;
                let answer = self.service.digest(&caller).await;
                answer.map(Response::new).map_err(|error| status::of_digest(&error))
            }

            async fn erase(&self, request: Request<EraseRequest>) -> Result<Response<EraseResponse>, Status> {
                let caller = self.caller(request.metadata()).await?;
                let peer = request.remote_addr().map(|address| address.ip());
                let answer = self.service.erase(&caller, request.into_inner(), peer).await;
                answer.map(Response::new).map_err(|error| status::of_erase(&error))
            }

            async fn redact(&self, request: Request<RedactRequest>) -> Result<Response<RedactResponse>, Status> {
                let caller = self.caller(request.metadata()).await?;
                let peer = request.remote_addr().map(|address| address.ip());
                let answer = self.service.redact(&caller, request.into_inner(), peer).await;
                answer.map(Response::new).map_err(|error| status::of_erase(&error))
            }

            async fn audit(&self, request: Request<AuditRequest>) -> Result<Response<AuditResponse>, Status> {
                let caller = self.caller(request.metadata()).await?;
                let answer = self.service.audit(&caller, request.into_inner()).await;
                answer.map(Response::new).map_err(|error| status::of_audit(&error))
            }

            async fn log_reads(&self, request: Request<LogReadsRequest>) -> Result<Response<LogReadsResponse>, Status> {
                let caller = self.caller(request.metadata()).await?;
                let answer = self.service.log_reads(&caller, request.into_inner()).await;
                answer.map(Response::new).map_err(|error| status::of_audit(&error))
            }

            async fn read_log(&self, request: Request<ReadLogRequest>) -> Result<Response<ReadLogResponse>, Status> {
                let caller = self.caller(request.metadata()).await?;
                let answer = self.service.read_log(&caller, request.into_inner()).await;
                answer.map(Response::new).map_err(|error| status::of_audit(&error))
            }

            $($more)*
        }
    };
}

serve!(CapabilityService);
serve!(
    WorkforceService,
    async fn who_is(&self, request: Request<WhoIsRequest>) -> Result<Response<WhoIsResponse>, Status> {
        let caller = self.caller(request.metadata()).await?;
        let answer = self.service.who_is(&caller, request.into_inner()).await;
        answer.map(Response::new).map_err(|error| status::of_who_is(&error))
    },
    async fn names_of(&self, request: Request<NamesOfRequest>) -> Result<Response<NamesOfResponse>, Status> {
        let caller = self.caller(request.metadata()).await?;
        let answer = self.service.names_of(&caller, request.into_inner()).await;
        answer.map(Response::new).map_err(|error| status::of_names(&error))
    },
    async fn due(&self, request: Request<DueRequest>) -> Result<Response<DueResponse>, Status> {
        let caller = self.caller(request.metadata()).await?;
        let answer = self.service.due(&caller).await;
        answer.map(Response::new).map_err(|error| status::of_erase(&error))
    }
);
serve!(InitiativeService);
