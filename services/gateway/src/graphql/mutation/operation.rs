//! A mutation as a whole: its fields, one after the other.

use std::sync::Arc;

use spil_access::Viewer;
use spil_auth::Caller;

use super::{erase, saga, single};
use crate::{
    graphql::{
        Engine, Response, ResponseStatus,
        bind::Bound,
        end,
        error::{Code, GraphqlError},
        errors_json,
        execute::Writer,
        plan::{Item, MutationField},
    },
    live::Published,
    read_log::Reader,
};

impl Engine {
    /// Does the fields of a mutation one after the other. `token` is the caller's own.
    pub(in crate::graphql) async fn mutate(
        &self,
        (caller, viewer, reader): (&Caller, &Viewer, &Reader),
        token: &str,
        items: &[Item<MutationField>],
        bound: &[Bound],
        mut published: Arc<Published>,
    ) -> Response {
        let mut out = b"{\"data\":{".to_vec();
        let mut errors = Vec::new();
        let mut left = self.limits.cost;
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            out.extend_from_slice(item.key.as_bytes());
            match self.mutate_one((caller, viewer, reader), token, &item.what, bound, &mut left).await {
                Ok((json, latest)) => {
                    out.extend_from_slice(&json);
                    published = latest.unwrap_or(published);
                }
                Err(error) => {
                    out.extend_from_slice(b"null");
                    errors.push(error.at([item.name()]));
                }
            }
        }
        out.push(b'}');
        if !errors.is_empty() {
            out.extend_from_slice(b",\"errors\":");
            out.extend_from_slice(errors_json(&errors).to_string().as_bytes());
        }
        end(&mut out, &published);
        Response { body: out.into(), status: ResponseStatus::Executed }
    }

    async fn mutate_one(
        &self,
        (caller, viewer, reader): (&Caller, &Viewer, &Reader),
        token: &str,
        field: &MutationField,
        bound: &[Bound],
        left: &mut u64,
    ) -> Result<(Vec<u8>, Option<Arc<Published>>), GraphqlError> {
        let unsent = || GraphqlError::new(Code::Internal, "the mutation could not be sent");
        let unwritten = |mut error: GraphqlError| {
            error.message = format!("the mutation was done, but its answer was not written: {}", error.message);
            error
        };
        match field {
            MutationField::TypeName => Ok((b"\"Mutation\"".to_vec(), None)),
            MutationField::Write { slot, kind, verb, payload } => {
                let client = self.clients.iter().find(|client| client.owner() == kind.info().owner);
                let (Some(Bound::Mutation(write)), Some(client)) = (bound.get(*slot), client) else {
                    return Err(unsent());
                };
                let eye = self.eye(viewer);
                let mut done = single::run(&eye, &mut client.clone(), caller, token, (*kind, *verb), write).await?;
                let graph = done.seen_by(&eye).await;
                let recorder = eye.recorder(&done.published);
                let mut writer = Writer::over(&graph, &done.published, bound, *left).recording(recorder);
                writer.payload(payload, write, &done).map_err(|halt| unwritten(halt.into()))?;
                *left = writer.left();
                let reads = writer.take_reads();
                let json = writer.into_bytes();
                self.keep_reads(reader, &reads).await.map_err(unwritten)?;
                Ok((json, Some(done.published)))
            }
            MutationField::Erase { slot, kind, payload } => {
                let Some(Bound::Mutation(write)) = bound.get(*slot) else { return Err(unsent()) };
                let done = erase::run(&self.live, &self.clients[..], token, *kind, write).await?;
                let mut writer = Writer::over(&done.published.graph, &done.published, bound, *left);
                writer.erasure(payload, write, &done).map_err(|halt| unwritten(halt.into()))?;
                *left = writer.left();
                let json = writer.into_bytes();
                Ok((json, Some(done.published)))
            }
            MutationField::Changes { slot, payload } => {
                let Some(Bound::Batch(input)) = bound.get(*slot) else { return Err(unsent()) };
                let eye = self.eye(viewer);
                let mut done = saga::run(&eye, &self.clients, caller, token, input).await?;
                done.be_seen_by(&eye, input).await;
                let recorder = eye.recorder(&done.published);
                let mut writer = Writer::over(done.graph(), &done.published, bound, *left).recording(recorder);
                writer.changes_payload(payload, input, &done).map_err(|halt| unwritten(halt.into()))?;
                *left = writer.left();
                let reads = writer.take_reads();
                let json = writer.into_bytes();
                self.keep_reads(reader, &reads).await.map_err(unwritten)?;
                Ok((json, Some(done.published)))
            }
        }
    }
}
