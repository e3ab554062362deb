//! A mutation of one record.

use std::sync::Arc;

use spil_auth::Caller;
use spil_graph::Graph;
use spil_proto::{
    changefeed::v1::{ApplyRequest, ApplyResponse, Cursor, ItemResult, Outcome, Record},
    model::Kind,
    owner::OwnerClient,
};
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_128;

use super::{
    READ_YOUR_WRITES, UserError, Warning,
    command::{self, Verdict},
    references,
    send::{self, fault, send},
};
use crate::{
    graphql::{
        bind::Write,
        error::{Code, GraphqlError},
        eye::Eye,
        plan::Verb,
    },
    live::{Live, Published},
};

/// What came of a mutation.
pub(in crate::graphql) struct Done {
    pub(in crate::graphql) published: Arc<Published>,
    /// The graph that shows the record, where it is not the published one.
    shown: Option<Graph>,
    pub(super) kind: Kind,
    pub(super) id: Option<Uuid>,
    pub(super) retired_at: Option<i64>,
    pub(super) errors: Vec<UserError>,
    pub(super) warnings: Vec<Warning>,
    pub(super) stale: bool,
}

/// Sends a mutation to the owner and waits for the graph to show it.
///
/// # Errors
/// If the owner can not be reached or answers something that can not be.
pub(in crate::graphql) async fn run(
    eye: &Eye<'_>,
    client: &mut OwnerClient,
    caller: &Caller,
    token: &str,
    (kind, verb): (Kind, Verb),
    write: &Write,
) -> Result<Done, GraphqlError> {
    let live = eye.live;
    let root = ["input".to_owned()];
    let mut request = ApplyRequest {
        // What is only to be tried is no repetition of anything.
        idempotency_key: if write.dry_run { String::new() } else { idempotency_key(caller, kind, verb, write) },
        commands: vec![command::command(kind, verb, write)],
        source: "graphql".to_owned(),
        dry_run: write.dry_run,
        reason: write.reason.clone(),
        origin: write.origin.clone(),
        ..ApplyRequest::default()
    };
    let mut found = command::faults(&write.faults, &root);
    let is_whole = found.is_empty();
    found.extend(references::absent(eye, kind, write, &root).await);
    if !found.is_empty() {
        // Nothing will be written; what else is wrong, the owner says. A mutation that was done before is answered
        // again even if what it refers to is gone since.
        request.dry_run = true;
        if !is_whole {
            request.idempotency_key.clear();
        }
        let mut answer = send(client, token, request).await.unwrap_or_default();
        if let Some(item) = answer.items.pop() {
            if answer.replayed {
                return done(live, client, (kind, verb), write, &answer, item).await;
            }
            command::add_verdict(&mut found, Verdict::of(kind, verb, &item, &root));
        }
        return Ok(Done { errors: found, ..Done::nothing(live, kind) });
    }
    let mut answer = match send(client, token, request).await {
        Ok(answer) => answer,
        Err(status) if send::is_key_reused(&status) => {
            return Ok(Done { errors: vec![command::reused()], ..Done::nothing(live, kind) });
        }
        Err(status) => return Err(fault(&status)),
    };
    let Some(item) = answer.items.pop() else {
        return Err(GraphqlError::new(Code::Internal, "the owner gave no answer"));
    };
    done(live, client, (kind, verb), write, &answer, item).await
}

async fn done(
    live: &Live,
    client: &OwnerClient,
    (kind, verb): (Kind, Verb),
    write: &Write,
    answer: &ApplyResponse,
    item: ItemResult,
) -> Result<Done, GraphqlError> {
    let verdict = Verdict::of(kind, verb, &item, &["input".to_owned()]);
    let mut done = Done { errors: verdict.errors, warnings: verdict.warnings, ..Done::nothing(live, kind) };
    match item.outcome() {
        Outcome::Conflict | Outcome::Invalid => {}
        Outcome::Created | Outcome::Updated | Outcome::Unchanged | Outcome::Retired => {
            done.id = Uuid::from_slice(&item.id).ok();
            if answer.replayed {
                // What the record was then is not what it is now: only the graph says that.
                done.warnings.push(command::replayed());
            }
            let record = item.record.filter(|_| !answer.replayed);
            if write.dry_run {
                record.into_iter().for_each(|record| done.add(record));
            } else {
                done.show(live, client, &answer.cursor.clone().unwrap_or_default(), record).await;
            }
        }
        Outcome::Unspecified => return Err(GraphqlError::new(Code::Internal, "the owner gave no outcome")),
    }
    Ok(done)
}

impl Done {
    /// What came of a mutation that nothing came of.
    fn nothing(live: &Live, kind: Kind) -> Self {
        Self {
            published: live.load(),
            shown: None,
            kind,
            id: None,
            retired_at: None,
            errors: Vec::new(),
            warnings: Vec::new(),
            stale: false,
        }
    }

    /// Takes a graph that shows the record: the published one if it does so in time, and else a copy of it to which
    /// the record is added. A retired record is in no published graph, so it is always added to a copy.
    async fn show(&mut self, live: &Live, client: &OwnerClient, cursor: &Cursor, record: Option<Record>) {
        match live.wait_for(READ_YOUR_WRITES, |published| published.covers(client.owner(), cursor)).await {
            Some(published) => self.published = published,
            None => {
                self.published = live.load();
                self.stale = true;
            }
        }
        let Some(record) = record else { return };
        let is_retired = record.entity().and_then(|entity| entity.header()?.retired_at).is_some();
        let is_shown = self.id.is_some_and(|id| self.published.graph.table(self.kind).row_of(id).is_some());
        if is_retired || !is_shown || self.stale {
            self.add(record);
        }
    }

    /// Shows a record in a copy of the graph.
    fn add(&mut self, mut record: Record) {
        self.retired_at = record.entity().and_then(|entity| entity.header()?.retired_at);
        if let Some(entity) = record.entity_mut() {
            entity.header_mut().retired_at = None;
        }
        let mut graph = self.published.graph.clone();
        if graph.apply(&record).is_ok() {
            self.shown = Some(graph);
        }
    }

    /// The graph that shows the record, as it is seen. Errors tell of no field that is hidden.
    pub(in crate::graphql) async fn seen_by(&mut self, eye: &Eye<'_>) -> Graph {
        let graph = match &self.shown {
            Some(shown) => {
                let record = self.id.map(|id| (self.kind, id));
                eye.copy(&self.published, shown, record.as_slice())
            }
            None => eye.published(&self.published).await,
        };
        self.errors.iter_mut().for_each(|error| error.hide(&graph, self.kind));
        graph
    }
}

/// One name for one mutation of one caller: what they call it themselves, or else a name of its own.
fn idempotency_key(caller: &Caller, kind: Kind, verb: Verb, write: &Write) -> String {
    match &write.client_mutation_id {
        None => Uuid::now_v7().to_string(),
        Some(id) => {
            let name = format!("{}\u{0}{kind:?}\u{0}{verb:?}\u{0}{id}", caller.subject());
            format!("graphql:{:032x}", xxh3_128(name.as_bytes()))
        }
    }
}
