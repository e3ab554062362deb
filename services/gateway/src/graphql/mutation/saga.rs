//! `applyChanges`: one batch for each owner. A batch for one owner is sent at once. Where there are several owners, all are asked to try
//! first, so that a refusal leaves nothing written; then they are asked to write, one after the other, and the first failure ends it.
//! Where the batch has a name, owners without a part are asked whether they know it: then it is the name of another batch.

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures::future::{join, join_all};
use spil_auth::Caller;
use spil_graph::Graph;
use spil_proto::{
    changefeed::v1::{ApplyRequest, ApplyResponse, ItemResult, Outcome, Record},
    model::{Kind, Owner},
    owner::OwnerClient,
};
use uuid::Uuid;

use super::{
    READ_YOUR_WRITES, UserError, Warning,
    batch::{Batch, Step},
    command::{self, Verdict},
    references::{self, Foreign},
    repetition::{self, Identity},
    send::{self, fault, send},
};
use crate::{
    graphql::{
        bind::Changes,
        error::{Code, GraphqlError},
        eye::Eye,
        plan::Verb,
    },
    live::Published,
};

/// How long owners that have no part in a batch may take to say whether they know its name.
const ASKING_OTHERS: Duration = Duration::from_secs(2);

/// What came of a batch.
pub(in crate::graphql) struct ChangesDone {
    pub(in crate::graphql) published: Arc<Published>,
    /// The graph that shows the records, where it is not the published one.
    shown: Option<Graph>,
    /// The same with the records that were retired.
    with_retired: Option<Graph>,
    pub(super) steps: Vec<StepDone>,
    pub(super) results: Vec<ChangeDone>,
    /// What is wrong with the input beside its changes.
    pub(super) faults: Vec<UserError>,
    /// What is odd beside the changes.
    pub(super) warnings: Vec<Warning>,
    pub(super) applied: bool,
    pub(super) stale: bool,
}

/// What one owner did.
pub(super) struct StepDone {
    pub(super) owner: Owner,
    pub(super) status: ApplyStatus,
    pub(super) changes: Vec<usize>,
    pub(super) message: Option<String>,
}

/// What came of one change.
pub(super) struct ChangeDone {
    /// The name of the outcome in the schema.
    pub(super) outcome: &'static str,
    pub(super) record: Option<(Kind, Uuid)>,
    /// Whether the record is to be shown.
    pub(super) is_written: bool,
    pub(super) retired_at: Option<i64>,
    pub(super) errors: Vec<UserError>,
    pub(super) warnings: Vec<Warning>,
}

/// What became of the part of one owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ApplyStatus {
    Applied,
    Refused,
    NotAttempted,
    Unknown,
}

impl ApplyStatus {
    /// The name in the schema.
    pub(super) fn name(self) -> &'static str {
        match self {
            ApplyStatus::Applied => "APPLIED",
            ApplyStatus::Refused => "REFUSED",
            ApplyStatus::NotAttempted => "NOT_ATTEMPTED",
            ApplyStatus::Unknown => "UNKNOWN",
        }
    }
}

/// Does what `applyChanges` asks for, and waits for the graph to show it.
///
/// # Errors
/// If an owner fails before anything was written, or answers something that can not be. From then on the answer says what was done.
pub(in crate::graphql) async fn run(
    eye: &Eye<'_>,
    clients: &[OwnerClient],
    caller: &Caller,
    token: &str,
    input: &Changes,
) -> Result<ChangesDone, GraphqlError> {
    let batch = Batch::new(caller, input);
    let parts = batch.steps.iter().map(|_| Part::default()).collect();
    let identity = Identity::new(caller, &batch);
    let mut saga = Saga { eye, clients, token, identity, batch, parts };
    let (nowhere, is_taken) = join(saga.leading_nowhere(), saga.is_known_elsewhere()).await;
    if is_taken {
        saga.give_up();
        return saga.finish().await;
    }
    if !saga.batch.is_sound || !nowhere.is_empty() || input.dry_run || saga.parts.len() > 1 {
        if !saga.try_out().await? {
            saga.give_up();
            return saga.finish().await;
        }
        saga.refuse(nowhere);
        for at in 0..saga.parts.len() {
            saga.judge(at);
        }
    }
    if !input.dry_run && saga.is_fine() {
        saga.apply().await?;
    }
    saga.finish().await
}

struct Saga<'a> {
    eye: &'a Eye<'a>,
    clients: &'a [OwnerClient],
    token: &'a str,
    identity: Identity,
    batch: Batch<'a>,
    /// What is known of each step.
    parts: Vec<Part>,
}

/// What is known of the part of one owner.
struct Part {
    status: ApplyStatus,
    message: Option<String>,
    /// What the owner said last: to the batch, or to the trial of it.
    answer: Option<ApplyResponse>,
}

impl Default for Part {
    fn default() -> Self {
        Self { status: ApplyStatus::NotAttempted, message: None, answer: None }
    }
}

impl Saga<'_> {
    /// Whether nothing speaks against the batch so far.
    fn is_fine(&self) -> bool {
        self.batch.faults.is_empty() && self.batch.entries.iter().all(|entry| entry.errors.is_empty())
    }

    /// The references to records of other owners that are neither there nor made by the batch, and those to records that an earlier
    /// change retires.
    async fn leading_nowhere(&self) -> Vec<(usize, UserError)> {
        let mut made = HashMap::new();
        let mut retired = HashMap::new();
        for (at, entry) in self.batch.entries.iter().enumerate() {
            if let (Some(deed), Some(record)) = (entry.deed, entry.record()) {
                match deed.verb {
                    Verb::Create => drop(made.insert(record, at)),
                    Verb::Retire => drop(retired.entry(record).or_insert(at)),
                    Verb::Update => {}
                }
            }
        }
        let mut wrong = Vec::new();
        let mut all: Vec<(usize, Foreign)> = Vec::new();
        for (at, entry) in self.batch.entries.iter().enumerate() {
            let Some(deed) = entry.deed else { continue };
            let hidden = references::hidden(self.eye, deed.kind, &entry.write, &entry.root);
            wrong.extend(hidden.into_iter().map(|error| (at, error)));
            for reference in references::foreign(deed.kind, &entry.write) {
                let record = (reference.to, reference.id);
                if retired.get(&record).is_some_and(|earlier| *earlier < at) {
                    wrong.push((at, references::retired(&reference, &entry.root)));
                } else if !made.contains_key(&record) {
                    all.push((at, reference));
                }
            }
        }
        for (at, reference) in references::leading_nowhere(self.eye, all, |(_, reference)| reference).await {
            if let Some(entry) = self.batch.entries.get(at) {
                wrong.push((at, references::not_found(&reference, &entry.root)));
            }
        }
        wrong
    }

    /// Adds what is wrong with references. What was done before is not judged again: what it refers to may be gone since.
    fn refuse(&mut self, wrong: Vec<(usize, UserError)>) {
        for (at, error) in wrong {
            let is_done = self
                .batch
                .steps
                .iter()
                .zip(&self.parts)
                .any(|(step, part)| part.status == ApplyStatus::Applied && step.changes.contains(&at));
            if let Some(entry) = self.batch.entries.get_mut(at).filter(|_| !is_done) {
                entry.errors.push(error);
            }
        }
    }

    /// The part of one owner as a batch. A trial and what follows it differ in `dry_run` alone.
    fn request(&self, step: &Step, dry_run: bool) -> ApplyRequest {
        ApplyRequest {
            idempotency_key: self.identity.key.clone(),
            commands: repetition::commands(&self.batch, step).collect(),
            source: "graphql".to_owned(),
            dry_run,
            batch: self.identity.whole.clone(),
            reason: self.batch.input.reason.clone(),
            origin: self.batch.input.origin.clone(),
            ..ApplyRequest::default()
        }
    }

    fn client(&self, owner: Owner) -> Result<OwnerClient, GraphqlError> {
        let client = self.clients.iter().find(|client| client.owner() == owner).cloned();
        client.ok_or_else(|| GraphqlError::new(Code::Internal, "the mutation could not be sent"))
    }

    /// Whether an owner that has no part in the batch knows its name: it can only have had a part in another batch. One that can not be
    /// asked keeps nobody from writing; those that have a part decide then. Of two batches that get one name at the same moment, and that
    /// have no owner in common, neither may find the other.
    async fn is_known_elsewhere(&self) -> bool {
        if !self.identity.is_named() {
            return false;
        }
        let has_part = |owner: Owner| self.batch.steps.iter().any(|step| step.owner == owner);
        let calls = self.clients.iter().filter(|client| !has_part(client.owner())).cloned().map(|client| {
            let request = ApplyRequest {
                idempotency_key: self.identity.key.clone(),
                dry_run: true,
                batch: self.identity.whole.clone(),
                ..ApplyRequest::default()
            };
            async move {
                let answer = tokio::time::timeout(ASKING_OTHERS, send(&client, self.token, request)).await;
                matches!(answer, Ok(Err(status)) if send::is_key_reused(&status))
            }
        });
        join_all(calls).await.contains(&true)
    }

    /// Ends a batch whose name is that of another one, before anything was written. What some owner has done under that name is none of it.
    fn give_up(&mut self) {
        self.batch.faults.push(command::reused());
        self.parts.iter_mut().for_each(|part| *part = Part::default());
    }

    /// Asks every owner what would come of its part. A part that was done already is found by its key. Answers `false` if the key is that of
    /// another batch.
    async fn try_out(&mut self) -> Result<bool, GraphqlError> {
        let mut is_free = true;
        let mut calls = Vec::with_capacity(self.parts.len());
        for step in &self.batch.steps {
            let mut request = self.request(step, true);
            if !self.identity.is_named() {
                request.idempotency_key.clear();
            }
            let (client, token) = (self.client(step.owner)?, self.token);
            calls.push(async move { send(&client, token, request).await });
        }
        for (part, answer) in self.parts.iter_mut().zip(join_all(calls).await) {
            match answer {
                Ok(answer) => {
                    if answer.replayed {
                        part.status = ApplyStatus::Applied;
                    }
                    part.answer = Some(answer);
                }
                Err(status) if send::is_key_reused(&status) => is_free = false,
                // What is wrong is told, even if it may not be all.
                Err(_) if !self.batch.is_sound => {}
                Err(status) if send::is_unknown(&status) => {
                    return Err(GraphqlError::new(
                        Code::Unavailable,
                        "an owner of the data can not be reached; nothing was written: send it again with the same `clientMutationId`",
                    ));
                }
                Err(status) => return Err(fault(&status)),
            }
        }
        Ok(is_free)
    }

    /// Takes what is wrong from the answer to a step that was not written.
    fn judge(&mut self, at: usize) {
        let (Some(step), Some(part)) = (self.batch.steps.get(at), self.parts.get(at)) else { return };
        let Some(answer) = part.answer.as_ref().filter(|_| part.status != ApplyStatus::Applied) else { return };
        // What was refused, and what refers to that: of the latter only what else is wrong with it is told.
        let mut lost = vec![false; self.batch.entries.len()];
        for (change, item) in step.changes.iter().zip(&answer.items) {
            let Some(entry) = self.batch.entries.get_mut(*change) else { continue };
            let Some(deed) = entry.deed else { continue };
            let mut verdict = Verdict::of(deed.kind, deed.verb, item, &entry.root);
            let links = entry.write.links.iter().filter(|link| lost.get(link.create) == Some(&true));
            let missing: Vec<_> = links.map(|link| entry.path(link)).collect();
            verdict.errors.retain(|error| {
                let is_absent = matches!(error, UserError::Input { code: "NOT_FOUND", .. });
                !(is_absent && missing.iter().any(|path| path.starts_with(error.path())))
            });
            if entry.errors.is_empty() {
                entry.errors = verdict.errors;
            } else {
                command::add_verdict(&mut entry.errors, verdict);
            }
            if let Some(lost) = lost.get_mut(*change) {
                *lost = !entry.errors.is_empty() || !missing.is_empty();
            }
        }
    }

    /// Asks the owners to write, one after the other, until one does not.
    async fn apply(&mut self) -> Result<(), GraphqlError> {
        for at in 0..self.parts.len() {
            let (Some(step), Some(part)) = (self.batch.steps.get(at), self.parts.get(at)) else { break };
            if part.status == ApplyStatus::Applied {
                continue;
            }
            let answer = send(&self.client(step.owner)?, self.token, self.request(step, false)).await;
            let is_first = self.parts.iter().all(|part| part.status != ApplyStatus::Applied);
            let Some(part) = self.parts.get_mut(at) else { break };
            match answer {
                Ok(answer) if answer.applied => {
                    part.status = ApplyStatus::Applied;
                    part.answer = Some(answer);
                }
                Ok(answer) => {
                    part.status = ApplyStatus::Refused;
                    part.answer = Some(answer);
                    self.judge(at);
                    break;
                }
                Err(status) if send::is_key_reused(&status) && is_first => {
                    self.batch.faults.push(command::reused());
                    break;
                }
                // Another batch got the name after all were asked.
                Err(status) if send::is_key_reused(&status) => {
                    part.status = ApplyStatus::Refused;
                    self.batch.faults.push(command::reused_meanwhile());
                    break;
                }
                Err(status) if send::is_unknown(&status) => {
                    tracing::warn!(code = %status.code(), message = status.message(), owner = step.owner.name(), "an owner did not answer");
                    part.status = ApplyStatus::Unknown;
                    part.message = Some(
                        "the owner did not answer; whether its part is written is not known: send the batch again with the same `clientMutationId`"
                            .to_owned(),
                    );
                    break;
                }
                Err(status) if is_first => return Err(fault(&status)),
                Err(status) => {
                    part.status = ApplyStatus::Refused;
                    part.message = Some(fault(&status).message);
                    break;
                }
            }
        }
        Ok(())
    }

    /// Puts together what came of it, over a graph that shows it.
    async fn finish(self) -> Result<ChangesDone, GraphqlError> {
        let Saga { eye, identity, batch, parts, .. } = self;
        let live = eye.live;
        let is_fine = batch.faults.is_empty() && batch.entries.iter().all(|entry| entry.errors.is_empty());
        let is_trial = batch.input.dry_run && is_fine;
        let mut done_before = Vec::new();
        let mut records = Vec::new();
        let mut results: Vec<ChangeDone> = batch
            .entries
            .into_iter()
            .map(|entry| ChangeDone {
                outcome: if entry.errors.is_empty() { "NOT_ATTEMPTED" } else { "REFUSED" },
                // The record to be changed is known; one to be made is not there.
                record: entry.record().filter(|_| entry.deed.is_some_and(|deed| deed.verb != Verb::Create)),
                is_written: false,
                retired_at: None,
                errors: entry.errors,
                warnings: Vec::new(),
            })
            .collect();
        let mut steps = Vec::with_capacity(parts.len());
        let mut cursors = Vec::new();
        for (step, part) in batch.steps.into_iter().zip(parts) {
            let Part { mut status, message, answer } = part;
            let answer = answer.unwrap_or_default();
            if status == ApplyStatus::Applied || is_trial {
                // An answer that was lost is asked for again under the same key: without a name it is never one from before.
                if answer.replayed && identity.is_named() {
                    done_before.push(step.owner);
                }
                for (change, item) in step.changes.iter().zip(answer.items) {
                    let deed = batch.input.changes.get(*change).and_then(|change| change.what.as_ref());
                    if let (Some(result), Some(deed)) = (results.get_mut(*change), deed) {
                        let root = ["input", "changes", &change.to_string(), &deed.name].map(str::to_owned);
                        result.take(deed.kind, Verdict::of(deed.kind, deed.verb, &item, &root).warnings, &item)?;
                        records.extend(item.record.filter(|_| !answer.replayed));
                    }
                }
            }
            match status {
                ApplyStatus::Applied => cursors.push((step.owner, answer.cursor.unwrap_or_default())),
                ApplyStatus::Unknown => step.changes.iter().for_each(|change| {
                    results.get_mut(*change).into_iter().for_each(|result| result.outcome = "UNKNOWN")
                }),
                ApplyStatus::NotAttempted | ApplyStatus::Refused => {
                    let is_refused =
                        |change: &usize| results.get(*change).is_some_and(|result| !result.errors.is_empty());
                    if step.changes.iter().any(is_refused) {
                        status = ApplyStatus::Refused;
                    }
                }
            }
            steps.push(StepDone { owner: step.owner, status, changes: step.changes, message });
        }
        let applied = is_fine && !steps.is_empty() && steps.iter().all(|step| step.status == ApplyStatus::Applied);
        let warnings = repetition::warning(&done_before, steps.len());
        let covers = |published: &Published| cursors.iter().all(|(owner, cursor)| published.covers(*owner, cursor));
        let fresh = live.wait_for(READ_YOUR_WRITES, covers).await;
        let stale = fresh.is_none();
        let published = fresh.unwrap_or_else(|| live.load());
        let (shown, with_retired) = show(&published.graph, records, stale || is_trial);
        Ok(ChangesDone {
            published,
            shown,
            with_retired,
            steps,
            results,
            faults: batch.faults,
            warnings: warnings.into_iter().collect(),
            applied,
            stale,
        })
    }
}

impl ChangeDone {
    /// Takes what the owner did, or would do.
    fn take(&mut self, kind: Kind, warnings: Vec<Warning>, item: &ItemResult) -> Result<(), GraphqlError> {
        self.outcome = match item.outcome() {
            Outcome::Created => "CREATED",
            Outcome::Updated => "UPDATED",
            Outcome::Unchanged => "UNCHANGED",
            Outcome::Retired => "RETIRED",
            Outcome::Conflict | Outcome::Invalid | Outcome::Unspecified => {
                return Err(GraphqlError::new(Code::Internal, "the owner gave no outcome"));
            }
        };
        self.record = Uuid::from_slice(&item.id).ok().map(|id| (kind, id));
        self.is_written = true;
        self.retired_at = item.record.as_ref().and_then(retired_at);
        self.warnings = warnings;
        Ok(())
    }
}

fn retired_at(record: &Record) -> Option<i64> {
    record.entity()?.header()?.retired_at
}

/// Copies of a graph that show records as they were written: the living ones, if the graph does not show them or is behind, and besides
/// them the retired ones, which no graph shows otherwise.
fn show(graph: &Graph, records: Vec<Record>, is_behind: bool) -> (Option<Graph>, Option<Graph>) {
    let is_shown = |record: &Record| {
        record.kind().zip(record.id()).is_some_and(|(kind, id)| graph.table(kind).row_of(id).is_some())
    };
    let mut living = None;
    for record in records.iter().filter(|record| is_behind || (retired_at(record).is_none() && !is_shown(record))) {
        // A record that an owner has sent fits; if it did not, it would not be shown.
        let _ = living.get_or_insert_with(|| graph.clone()).apply(record);
    }
    let mut with_retired = None;
    for mut record in records.into_iter().filter(|record| retired_at(record).is_some()) {
        if let Some(entity) = record.entity_mut() {
            entity.header_mut().retired_at = None;
        }
        let base = living.as_ref().unwrap_or(graph);
        let _ = with_retired.get_or_insert_with(|| base.clone()).apply(&record);
    }
    (living, with_retired)
}

impl ChangesDone {
    /// Hides what is not seen of the graphs that show the records, and of the errors.
    pub(in crate::graphql) async fn be_seen_by(&mut self, eye: &Eye<'_>, input: &Changes) {
        let records: Vec<_> = self.results.iter().filter_map(|result| result.record).collect();
        let seen = match &self.shown {
            Some(shown) => eye.copy(&self.published, shown, &records),
            None => eye.published(&self.published).await,
        };
        self.with_retired = self.with_retired.take().map(|graph| eye.copy(&self.published, &graph, &records));
        for (result, change) in self.results.iter_mut().zip(&input.changes) {
            if let Some(deed) = &change.what {
                result.errors.iter_mut().for_each(|error| error.hide(&seen, deed.kind));
            }
        }
        self.shown = Some(seen);
    }

    /// The graph that shows the records which are live.
    pub(in crate::graphql) fn graph(&self) -> &Graph {
        self.shown.as_ref().unwrap_or(&self.published.graph)
    }

    /// The graph that shows the record of a change.
    pub(super) fn graph_of(&self, result: &ChangeDone) -> &Graph {
        self.with_retired.as_ref().filter(|_| result.retired_at.is_some()).unwrap_or_else(|| self.graph())
    }
}
