//! Erases a person, and says where else the name may stand.

use std::sync::Arc;

use serde_json::{Value as Json, json};
use spil_proto::{model::Kind, owner::OwnerClient};
use tonic::Code as GrpcCode;
use uuid::Uuid;

use super::{READ_YOUR_WRITES, UserError, command, send::fault};
use crate::{
    erasure::{self, ErasureError},
    graphql::{
        bind::Write,
        error::{Code, GraphqlError},
        execute::{Halt, Writer},
        global_id,
        plan::{EraseField, Item},
        scalar,
    },
    live::{Live, Published},
};

/// The most mentions that are told.
const MAX_MENTIONS: usize = 100;

/// What came of an erasure.
pub(in crate::graphql) struct Erased {
    pub(in crate::graphql) published: Arc<Published>,
    at: Option<i64>,
    mentions: Vec<Json>,
    has_more: bool,
    errors: Vec<UserError>,
}

/// Asks the owners to erase a person, and waits for the graph to show it.
///
/// # Errors
/// If an owner can not be reached, or the caller may not.
pub(in crate::graphql) async fn run(
    live: &Live,
    clients: &[OwnerClient],
    token: &str,
    kind: Kind,
    write: &Write,
) -> Result<Erased, GraphqlError> {
    let root = ["input".to_owned()];
    let mut done =
        Erased { published: live.load(), at: None, mentions: Vec::new(), has_more: false, errors: Vec::new() };
    done.errors = command::faults(&write.faults, &root);
    let at = |name: &str| command::within(&root, name);
    if write.reason.is_empty() && done.errors.is_empty() {
        let message = "a `reason` is needed".to_owned();
        done.errors.push(UserError::Input { code: "REQUIRED", message, path: at("reason") });
    }
    let Some(id) = write.id.filter(|_| done.errors.is_empty()) else { return Ok(done) };
    let request = erasure::Request { person: (kind, id), reason: &write.reason, origin: &write.origin };
    match erasure::erase(clients, token, request).await {
        Ok(erased) => {
            done.at = Some(erased.erased_at);
            done.has_more = erased.more_mentions || erased.mentions.len() > MAX_MENTIONS;
            done.mentions = erased.mentions.iter().take(MAX_MENTIONS).map(mention).collect();
            let covers =
                |published: &Published| erased.cursors.iter().all(|(owner, cursor)| published.covers(*owner, cursor));
            done.published = live.wait_for(READ_YOUR_WRITES, covers).await.unwrap_or_else(|| live.load());
        }
        Err(error) if error.status.code() == GrpcCode::NotFound => {
            let message = "there is no such person".to_owned();
            done.errors.push(UserError::Input { code: "NOT_FOUND", message, path: at("id") });
        }
        Err(error) => return Err(fault_of(&error)),
    }
    Ok(done)
}

/// The fault that an erasure which was not done, or not wholly, is to the client.
fn fault_of(error: &ErasureError) -> GraphqlError {
    let status = &error.status;
    match status.code() {
        GrpcCode::Unauthenticated | GrpcCode::PermissionDenied | GrpcCode::InvalidArgument => fault(status),
        GrpcCode::Internal | GrpcCode::Unimplemented | GrpcCode::DataLoss => {
            tracing::error!(%error, "a person was not erased");
            GraphqlError::new(Code::Internal, told(error, "failed"))
        }
        _ => {
            tracing::warn!(%error, "a person was not erased");
            GraphqlError::new(Code::Unavailable, told(error, "can not do its part now"))
        }
    }
}

/// What the client is told: which owner it is, and which have done their part.
fn told(error: &ErasureError, what: &str) -> String {
    let names: Vec<_> = error.done.iter().map(|owner| owner.name()).collect();
    let done = if names.is_empty() { "none yet".to_owned() } else { names.join(", ") };
    format!(
        "the {} owner {what}; owners that have done theirs: {done}. Send it again: what was done is not done twice",
        error.owner.name()
    )
}

fn mention((kind, id, field): &(Kind, Uuid, &'static str)) -> Json {
    json!({"id": global_id::encode(*kind, *id), "kind": kind.info().name, "field": field})
}

impl Writer<'_> {
    /// Writes the payload of an erasure.
    pub(in crate::graphql) fn erasure(
        &mut self,
        items: &[Item<EraseField>],
        write: &Write,
        done: &Erased,
    ) -> Result<(), Halt> {
        self.object(items, |this, item| {
            match &item.what {
                EraseField::TypeName(kind) => this.raw(&format!("\"Erase{}Payload\"", kind.info().name)),
                EraseField::ClientMutationId => this.text_or_null(write.client_mutation_id.as_deref())?,
                EraseField::ErasedAt => this.text_or_null(done.at.map(scalar::date_time_text).as_deref())?,
                EraseField::Mentions(items) => this.plain_list(items, &done.mentions)?,
                EraseField::HasMoreMentions => this.truth(done.has_more),
                EraseField::UserErrors { input, conflict } => {
                    this.array(&done.errors, |this, error| this.user_error(input, conflict, error))?
                }
            }
            Ok(())
        })
    }
}
