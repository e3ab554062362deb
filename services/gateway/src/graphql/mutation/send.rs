//! Sends batches to the owners, and says what it means when one does not answer.

use std::{error::Error, time::Duration};

use spil_proto::{
    changefeed::v1::{ApplyRequest, ApplyResponse},
    owner::OwnerClient,
};
use tonic::{Code as GrpcCode, Status};

use crate::graphql::error::{Code, GraphqlError};

/// How often a command is sent to an owner that can not be reached, and the pause before the second time; it doubles.
const ATTEMPTS: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// How long one call to an owner may take.
const CALL_LIMIT: Duration = Duration::from_secs(10);

/// Sends a batch; again, with the same key, when the owner can not be reached: what was done is not done twice.
pub(super) async fn send(client: &OwnerClient, token: &str, request: ApplyRequest) -> Result<ApplyResponse, Status> {
    let mut pause = FIRST_PAUSE;
    let mut attempt = 1;
    loop {
        let (mut client, request) = (client.clone(), request.clone());
        let status = match tokio::time::timeout(CALL_LIMIT, client.apply(token, request)).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(status)) => status,
            Err(_) => Status::deadline_exceeded("the owner did not answer in time"),
        };
        if !(is_cut_off(&status) || status.code() == GrpcCode::Aborted) || attempt == ATTEMPTS {
            return Err(status);
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
        attempt += 1;
    }
}

/// Whether the connection failed and not the owner: nobody knows what the owner has done. A status that was made here,
/// and not sent by the owner, has a source.
fn is_cut_off(status: &Status) -> bool {
    matches!(status.code(), GrpcCode::Unavailable | GrpcCode::Unknown | GrpcCode::Cancelled)
        || status.source().is_some()
}

/// Whether the owner has an answer to another batch under the key of this one.
pub(super) fn is_key_reused(status: &Status) -> bool {
    status.code() == GrpcCode::AlreadyExists
}

/// Whether nobody knows what the owner has done. Where it says that others were in its way, or that it was too much, it has done nothing.
pub(super) fn is_unknown(status: &Status) -> bool {
    is_cut_off(status) || matches!(status.code(), GrpcCode::DeadlineExceeded | GrpcCode::Internal)
}

/// The fault that a status is to the client.
pub(super) fn fault(status: &Status) -> GraphqlError {
    match status.code() {
        GrpcCode::Unauthenticated => {
            GraphqlError::new(Code::Unauthenticated, "the owner of the data does not take the token")
        }
        GrpcCode::PermissionDenied => GraphqlError::new(Code::Forbidden, status.message()),
        GrpcCode::InvalidArgument => GraphqlError::new(Code::BadInput, status.message()),
        code if is_cut_off(status)
            || matches!(code, GrpcCode::DeadlineExceeded | GrpcCode::Aborted | GrpcCode::ResourceExhausted) =>
        {
            tracing::warn!(code = %status.code(), message = status.message(), "an owner could not be reached");
            GraphqlError::new(
                Code::Unavailable,
                "the owner of the data can not be reached; whether the change was made is not known: send it again with the same `clientMutationId`",
            )
        }
        _ => {
            tracing::error!(code = %status.code(), message = status.message(), "an owner failed");
            GraphqlError::new(Code::Internal, "the owner of the data failed")
        }
    }
}
