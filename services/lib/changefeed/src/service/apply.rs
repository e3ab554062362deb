//! Applying a batch of commands.

use std::{net::IpAddr, time::Duration};

use rand::RngExt;
use spil_access::{Action, Denied};
use spil_auth::Caller;
use spil_proto::changefeed::v1::{ApplyRequest, ApplyResponse};
use uuid::{ContextV7, Timestamp, Uuid};

use super::OwnerService;
use crate::{
    PersonError, StoreError,
    command::{one_way::fingerprint, permit, prepare::prepare},
    store::{Attempt, AttemptError, Batch, BatchKey},
};

/// The most commands in a batch.
const MAX_COMMANDS: usize = 10_000;
/// The most bytes of an idempotency key, and of the names of a source and of a run.
const MAX_NAME_BYTES: usize = 256;
/// The most bytes of what identifies the whole that a batch is a part of.
const MAX_WHOLE_BYTES: usize = 64;
/// The most bytes of a reason.
pub(super) const MAX_REASON_BYTES: usize = 1 << 10;
/// What is kept of the way of a batch that was sent here at first.
const DIRECT: &str = "grpc";
/// The actor of a batch that writes records of a kind with a field that is only written.
const ANONYMOUS: &str = "anonymous";
/// How often a batch is tried when others are in its way.
const MAX_TRIES: u32 = 12;
/// How often a batch is tried when the database can not be reached. The key keeps it from being applied twice.
const MAX_RECONNECTS: u32 = 3;

/// Why a batch was not looked at. What is wrong with single commands is told in the answer.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The caller may not.
    #[error(transparent)]
    Forbidden(#[from] Denied),
    /// The request as a whole is not sound.
    #[error("{0}")]
    Request(&'static str),
    /// The key is that of another batch.
    #[error("the idempotency key was used for another batch")]
    KeyReused,
    /// The batch is too large to be answered or checked in one piece.
    #[error("the batch is too large: {0}")]
    TooLarge(&'static str),
    /// Others were in the way again and again.
    #[error("other batches were in the way too often; try again")]
    Contended,
    /// Nobody knows who the caller is.
    #[error("it can not be found out which worker the caller is")]
    Person(#[source] PersonError),
    /// The database can not.
    #[error("the batch can not be stored")]
    Store(#[source] StoreError),
    /// The work was cut off.
    #[error("the service is stopping")]
    Stopping,
}

impl OwnerService {
    /// Applies a batch: all of it or nothing.
    ///
    /// # Errors
    /// If the caller may not write, the request as a whole is not sound, or the database can not store it.
    pub async fn apply(&self, caller: &Caller, request: ApplyRequest) -> Result<ApplyResponse, ApplyError> {
        self.apply_from(caller, request, None).await
    }

    /// The same for a batch that came from an address.
    ///
    /// # Errors
    /// As those of [`OwnerService::apply`].
    pub async fn apply_from(
        &self,
        caller: &Caller,
        mut request: ApplyRequest,
        peer: Option<IpAddr>,
    ) -> Result<ApplyResponse, ApplyError> {
        let viewer = self.viewer(caller);
        // Also who asks only whether a name is taken, with no command.
        if ![Action::Create, Action::Update, Action::Retire].into_iter().any(|action| viewer.may_any(action)) {
            return Err(Denied::Action { action: Action::Update }.into());
        }
        let source = checked_name(&request.source)
            .ok_or(ApplyError::Request("`source` must have at most 256 bytes and no control characters"))?;
        let run = checked_name(&request.run)
            .ok_or(ApplyError::Request("`run` must have at most 256 bytes and no control characters"))?;
        if request.commands.len() > MAX_COMMANDS {
            return Err(ApplyError::Request("a batch must have at most 10,000 commands"));
        }
        if request.batch.len() > MAX_WHOLE_BYTES {
            return Err(ApplyError::Request("`batch` must have at most 64 bytes"));
        }
        if request.reason.len() > MAX_REASON_BYTES || request.reason.chars().any(char::is_control) {
            return Err(ApplyError::Request("`reason` must have at most 1,024 bytes and no control characters"));
        }
        let way = checked_name(&std::mem::take(&mut request.origin))
            .ok_or(ApplyError::Request("`origin` must have at most 256 bytes and no control characters"))?;
        let dry_run = std::mem::take(&mut request.dry_run);
        let mut apart = None;
        let key = if dry_run && request.idempotency_key.is_empty() {
            None
        } else {
            let key = checked_name(&request.idempotency_key).filter(|key| !key.is_empty());
            let key =
                key.ok_or(ApplyError::Request("`idempotency_key` must have 1 to 256 bytes and no control characters"))?;
            // Without `dry_run`, so that a dry run finds the answer to the batch itself.
            let (body_hash, values) = fingerprint(&request);
            apart = values;
            // Two issuers may mean two callers by one subject.
            let actor = [caller.issuer(), caller.subject()].join("\n");
            Some(BatchKey { actor, key, body_hash })
        };
        let owner = self.owner();
        let commands: Vec<_> = request.commands.iter().map(|command| prepare(owner, command)).collect();
        permit::check_kinds(&viewer, &commands)?;
        let person = self.person(&viewer).await?;
        // Who sends an answer is often who gives it: neither a name nor an address is kept.
        let is_nameless = commands.iter().flatten().any(|command| !command.kind.info().one_way.is_empty());
        let batch = Batch {
            commands,
            key,
            dry_run,
            apart,
            actor: if is_nameless { ANONYMOUS } else { caller.subject() }.to_owned(),
            source,
            run,
            reason: request.reason,
            way: if is_nameless { String::new() } else { way_of(way, peer) },
            viewer,
            person,
        };
        // A task of its own: a caller that hangs up does not stop a transaction half way.
        let service = self.clone();
        let done = tokio::spawn(async move { service.try_until_done(&batch).await });
        done.await.map_err(|_| ApplyError::Stopping)?
    }

    async fn try_until_done(&self, batch: &Batch) -> Result<ApplyResponse, ApplyError> {
        let mut reconnects = 0;
        for tried in 1..=MAX_TRIES {
            let now = self.clock.now();
            let context = ContextV7::new();
            let mut next_id = move || Uuid::new_v7(timestamp(&context, now));
            let attempt =
                Attempt { batch, rules: self.rules.as_ref(), now, next_id: &mut next_id, mark: rand::random() };
            let error = match self.store.attempt(attempt).await {
                Ok(response) => {
                    self.store.purge_now_and_then(now);
                    return Ok(response);
                }
                Err(error) => error,
            };
            match error {
                AttemptError::KeyReused => {
                    return Err(ApplyError::KeyReused);
                }
                AttemptError::TooLarge => {
                    return Err(ApplyError::TooLarge("its answer would not fit into a message; send smaller ones"));
                }
                AttemptError::TooMuchRelated => {
                    return Err(ApplyError::TooLarge("the rules would look at too many records; send smaller ones"));
                }
                AttemptError::Overtaken => {}
                AttemptError::Store(error) if error.is_passing() => {
                    if let StoreError::Unreachable(_) = error {
                        reconnects += 1;
                        if reconnects >= MAX_RECONNECTS {
                            return Err(ApplyError::Store(error));
                        }
                    }
                }
                AttemptError::Store(error) => return Err(ApplyError::Store(error)),
            }
            let pause = Duration::from_millis(5 << tried.min(6));
            let jitter = rand::rng().random_range(0.0..1.0);
            tokio::time::sleep(pause.mul_f64(jitter)).await;
        }
        Err(ApplyError::Contended)
    }
}

/// By which way a batch came: what its sender says, if it came in elsewhere, and from where it was sent here.
pub(super) fn way_of(said: String, peer: Option<IpAddr>) -> String {
    match (said.is_empty(), peer) {
        (true, None) => DIRECT.to_owned(),
        (true, Some(peer)) => format!("{DIRECT} {peer}"),
        (false, None) => said,
        (false, Some(peer)) => format!("{said} by {DIRECT} {peer}"),
    }
}

pub(super) fn checked_name(name: &str) -> Option<String> {
    (name.len() <= MAX_NAME_BYTES && !name.chars().any(char::is_control)).then(|| name.to_owned())
}

fn timestamp(context: &ContextV7, micros: i64) -> Timestamp {
    let seconds = u64::try_from(micros.div_euclid(1_000_000)).unwrap_or_default();
    let nanos = u32::try_from(micros.rem_euclid(1_000_000) * 1_000).unwrap_or_default();
    Timestamp::from_unix(context, seconds, nanos)
}
