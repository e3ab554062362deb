//! Reads from an owner's own log what the journal does not hold any more, or never did.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use spil_proto::{changefeed::v1::WatchRequest, owner::OwnerClient};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::{Code as GrpcCode, Status};

use crate::{
    graphql::error::{Code, GraphqlError},
    journal::{Logged, Spot},
};

/// How many pieces of logs are held for subscribers at once; each is some megabytes at most.
pub(super) const PIECES: usize = 32;
/// How long a subscriber waits for its turn.
const TURN_LIMIT: Duration = Duration::from_secs(30);
/// How long an owner may take to send a piece.
const READ_LIMIT: Duration = Duration::from_secs(15);
/// How often an owner is asked, and the pause before the second time; it doubles.
const ATTEMPTS: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Some revisions of an owner's log.
pub(super) struct Piece {
    pub(super) revisions: VecDeque<Arc<Logged>>,
    /// Held as long as the piece is.
    _turn: OwnedSemaphorePermit,
}

/// Reads the revisions after a place, some of them.
///
/// # Errors
/// If the place is not in the log, the caller may not read it, or the owner can not be reached.
pub(super) async fn read(
    turns: Arc<Semaphore>,
    mut client: OwnerClient,
    token: String,
    after: Spot,
) -> Result<Piece, GraphqlError> {
    // In a task of its own: whoever does not poll must not stand in the way of those behind it.
    let reading = tokio::spawn(async move {
        let turn = tokio::time::timeout(TURN_LIMIT, turns.acquire_owned()).await.ok().and_then(Result::ok);
        let overloaded =
            || GraphqlError::new(Code::Overloaded, "too many subscribers are catching up; try again later");
        let turn = turn.ok_or_else(overloaded)?;
        let mut pause = FIRST_PAUSE;
        for attempt in 1.. {
            let asked = tokio::time::timeout(READ_LIMIT, ask(&mut client, &token, after)).await;
            let status = match asked.unwrap_or_else(|_| Err(Status::deadline_exceeded("the owner took too long"))) {
                Ok(revisions) => return Ok(Piece { revisions, _turn: turn }),
                Err(status) => status,
            };
            if is_final(&status) || attempt == ATTEMPTS {
                return Err(fault(&status));
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        Err(GraphqlError::new(Code::Internal, "the changes could not be read"))
    });
    let stop = StopOnDrop(reading.abort_handle());
    let read = reading.await;
    drop(stop);
    read.unwrap_or_else(|_| Err(GraphqlError::new(Code::Internal, "the changes could not be read")))
}

struct StopOnDrop(tokio::task::AbortHandle);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn ask(client: &mut OwnerClient, token: &str, after: Spot) -> Result<VecDeque<Arc<Logged>>, Status> {
    let owner = client.owner();
    let mut stream = client.watch(token, WatchRequest { after: Some(after.cursor()) }).await?;
    while let Some(message) = stream.message().await? {
        if !message.revisions.is_empty() {
            let logged = |revision| Arc::new(Logged::new(owner, &after, revision, None));
            return Ok(message.revisions.into_iter().map(logged).collect());
        }
        // A checkpoint. The caller knows that there is more.
    }
    Err(Status::unavailable("the stream ended"))
}

/// Whether asking again would be answered the same.
fn is_final(status: &Status) -> bool {
    matches!(
        status.code(),
        GrpcCode::OutOfRange | GrpcCode::Unauthenticated | GrpcCode::PermissionDenied | GrpcCode::InvalidArgument
    )
}

fn fault(status: &Status) -> GraphqlError {
    match status.code() {
        GrpcCode::OutOfRange | GrpcCode::InvalidArgument => expired(),
        GrpcCode::Unauthenticated => GraphqlError::new(Code::Unauthenticated, status.message()),
        GrpcCode::PermissionDenied => GraphqlError::new(Code::Forbidden, status.message()),
        _ => {
            GraphqlError::new(Code::Unavailable, "the owner of the data can not be reached; go on from the last cursor")
        }
    }
}

/// The changes after a place are not known any more.
pub(super) fn expired() -> GraphqlError {
    GraphqlError::new(
        Code::CursorExpired,
        "the changes after this place are not kept any more, or the data were restored or replaced since; read the data anew",
    )
}
