//! Sends the steps of a plan to the owners, batch by batch.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use prost::Message;
use spil_proto::{
    changefeed::v1::{
        Action, ApplyRequest, ApplyResponse, Command, ItemResult, Outcome, ProblemCode, Record, Target, target,
    },
    model::{Kind, Owner, Value, WrongType},
};
use tonic::{Code, Status};
use uuid::Uuid;

use super::{
    destination::Destination,
    draft::Origin,
    plan::{Plan, Retire, Step},
    report::{Problem, Report},
};
use crate::mapping::{FieldValue, Mapping, Missing};

/// The most commands of a batch that an owner takes.
pub const MAX_BATCH: usize = 10_000;
/// The most bytes of a batch; a single command may have more.
pub const MAX_BATCH_BYTES: usize = 8 << 20;
/// How often a batch is sent again without the commands that the owner refused.
const MAX_ROUNDS: usize = 8;
/// How often a call is tried when the owner can not be reached.
const MAX_TRIES: u32 = 6;

/// Why a plan was not carried out, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The owner could not be reached, or did not let the caller in.
    #[error("the owner of {owner} records did not take a batch")]
    Call {
        /// Which owner.
        owner: &'static str,
        /// What it said.
        #[source]
        source: Box<Status>,
    },
    /// The answer does not fit the batch.
    #[error("the owner of {owner} records gave an answer that does not fit the batch: {what}")]
    Answer {
        /// Which owner.
        owner: &'static str,
        /// What does not fit.
        what: &'static str,
    },
    /// A value is of another type than its field.
    #[error("the field {field} can not be written")]
    Value {
        /// The field.
        field: &'static str,
        /// Why.
        #[source]
        source: WrongType,
    },
}

/// How to apply.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The most commands of a batch, 1 to [`MAX_BATCH`].
    pub batch: usize,
    /// Whether to ask the owners only, and write nothing.
    pub dry_run: bool,
    /// Names this import; the owners keep it with what it changes.
    pub run: Uuid,
}

/// One command to be: a step of the plan.
#[derive(Clone, Debug)]
enum Work {
    First(Step),
    Later(Step),
    Retire(Retire),
}

impl Work {
    fn kind(&self) -> Kind {
        match self {
            Work::First(step) | Work::Later(step) => step.kind,
            Work::Retire(retire) => retire.kind,
        }
    }

    fn id(&self) -> Uuid {
        match self {
            Work::First(step) | Work::Later(step) => step.id,
            Work::Retire(retire) => retire.id,
        }
    }

    fn creates(&self) -> bool {
        matches!(self, Work::First(step) if step.version.is_none())
    }

    fn step_mut(&mut self) -> Option<&mut Step> {
        match self {
            Work::First(step) | Work::Later(step) => Some(step),
            Work::Retire(_) => None,
        }
    }

    fn origin(&self) -> Option<Origin> {
        match self {
            Work::First(step) | Work::Later(step) => Some(step.origin),
            Work::Retire(_) => None,
        }
    }

    fn command(&self) -> Result<Command, ApplyError> {
        let by_id = |id: Uuid| Some(Target { by: Some(target::By::Id(id.as_bytes().to_vec())) });
        let mut record = Record::empty(self.kind());
        let mut fields = Vec::new();
        let (Work::First(step) | Work::Later(step)) = self else {
            let Work::Retire(retire) = self else { return Ok(Command::default()) };
            return Ok(Command {
                action: Action::Retire.into(),
                target: by_id(retire.id),
                expected_version: Some(retire.version),
                values: Some(record),
                ..Command::default()
            });
        };
        if let Some(entity) = record.entity_mut() {
            for written in &step.values {
                entity
                    .set(written.field.index, written.value.clone())
                    .map_err(|source| ApplyError::Value { field: written.field.column, source })?;
                fields.push(written.field.column.to_owned());
            }
        }
        Ok(Command {
            action: if self.creates() { Action::Create.into() } else { Action::Update.into() },
            target: by_id(step.id),
            expected_version: step.version,
            values: Some(record),
            fields,
            references: Vec::new(),
        })
    }
}

/// Work that is sent together, with the commands for it.
type Batch = Vec<(Work, Command)>;

/// What the sender keeps in mind from batch to batch.
struct Sender<'a, D> {
    mapping: &'a Mapping,
    files: &'a [String],
    destination: &'a D,
    settings: Settings,
    report: &'a mut Report,
    /// New records that were refused, so that nothing may refer to them.
    lost: HashSet<Uuid>,
}

/// Carries out a plan; says in the report what became of it. `progress` hears of the number of steps done.
///
/// # Errors
/// If an owner can not be reached or refuses the caller. What it says of single records is in the report; batches that were
/// applied before stay applied, and a second run goes on from there.
pub async fn apply<D: Destination>(
    mapping: &Mapping,
    plan: Plan,
    destination: &D,
    settings: Settings,
    report: &mut Report,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<(), ApplyError> {
    let mut by_owner: HashMap<Owner, Vec<Work>> = HashMap::new();
    let works = (plan.steps.into_iter().map(Work::First))
        .chain(plan.later.into_iter().map(Work::Later))
        .chain(plan.retire.into_iter().map(Work::Retire));
    for work in works {
        by_owner.entry(work.kind().info().owner).or_default().push(work);
    }
    let settings = Settings { batch: settings.batch.clamp(1, MAX_BATCH), ..settings };
    let mut sender = Sender { mapping, files: &plan.files, destination, settings, report, lost: HashSet::new() };
    let mut done = 0;
    for owner in Owner::ALL {
        let works = by_owner.remove(&owner).unwrap_or_default();
        if settings.dry_run {
            sender.ask(owner, works, &mut done, progress).await?;
        } else {
            sender.write(owner, works, &mut done, progress).await?;
        }
    }
    Ok(())
}

impl<D: Destination> Sender<'_, D> {
    async fn write(
        &mut self,
        owner: Owner,
        works: Vec<Work>,
        done: &mut u64,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<(), ApplyError> {
        let mut works = works.into_iter().peekable();
        while works.peek().is_some() {
            let mut batch: Batch = Vec::new();
            let mut bytes = 0;
            while batch.len() < self.settings.batch
                && let Some(work) = works.peek()
            {
                let command = work.command()?;
                let length = command.encoded_len();
                if !batch.is_empty() && bytes + length > MAX_BATCH_BYTES {
                    break;
                }
                bytes += length;
                batch.extend(works.next().map(|work| (work, command)));
            }
            let size = batch.len() as u64;
            let mut batches = vec![batch];
            while let Some(batch) = batches.pop() {
                if let Some(mut first) = self.settle(owner, batch).await? {
                    let second = first.split_off(first.len() / 2);
                    batches.extend([second, first]);
                }
            }
            *done += size;
            progress(*done);
        }
        Ok(())
    }

    /// Sends a batch until the owner has taken what can be taken of it. Gives it back if it is too large for the owner.
    async fn settle(&mut self, owner: Owner, mut batch: Batch) -> Result<Option<Batch>, ApplyError> {
        for _ in 0..MAX_ROUNDS {
            self.prune(&mut batch)?;
            if batch.is_empty() {
                return Ok(None);
            }
            let commands = batch.iter().map(|(_, command)| command.clone()).collect();
            let answer = match self.call(owner, commands, false).await {
                Err(ApplyError::Call { source, .. }) if batch.len() > 1 && too_large(&source) => {
                    return Ok(Some(batch));
                }
                answer => answer?,
            };
            if answer.items.len() != batch.len() {
                return Err(ApplyError::Answer { owner: owner.name(), what: "not one item for each command" });
            }
            if answer.applied {
                for ((work, _), item) in batch.iter().zip(&answer.items) {
                    self.count(work, item);
                }
                return Ok(None);
            }
            let before = batch.len();
            let mut kept = Vec::with_capacity(before);
            for ((work, command), item) in batch.into_iter().zip(&answer.items) {
                if refused(item) {
                    self.refuse(&work, item);
                } else {
                    kept.push((work, command));
                }
            }
            batch = kept;
            if batch.len() == before {
                return Err(ApplyError::Answer { owner: owner.name(), what: "not applied, and no item says why" });
            }
        }
        for (work, _) in &batch {
            let reason = "the owner refused the batch again and again; run the import again".to_owned();
            self.reject(work, String::new(), reason);
        }
        Ok(None)
    }

    /// Takes references to refused records out of a batch, and records that can not be without them.
    fn prune(&mut self, batch: &mut Batch) -> Result<(), ApplyError> {
        if self.lost.is_empty() {
            return Ok(());
        }
        let mut kept = Vec::with_capacity(batch.len());
        for (mut work, mut command) in std::mem::take(batch) {
            if !work.creates() && self.lost.contains(&work.id()) {
                continue;
            }
            let mut fatal = None;
            let mut dropped = Vec::new();
            if let Some(step) = work.step_mut() {
                for written in &mut step.values {
                    let hit = match &mut written.value {
                        Value::Id(id) => self.lost.contains(id),
                        Value::Ids(ids) => ids.iter().any(|id| self.lost.contains(id)),
                        _ => false,
                    };
                    if !hit {
                        continue;
                    }
                    let policy =
                        match written.rule.and_then(|rule| self.mapping.rules().get(rule)).map(|rule| &rule.value) {
                            Some(FieldValue::Reference(rule)) => rule.missing,
                            _ => Missing::Reject,
                        };
                    if policy == Missing::Reject || written.field.required {
                        fatal = Some(written.field.column);
                        break;
                    }
                    dropped.push(written.field.column);
                    written.value = match std::mem::replace(&mut written.value, Value::Null) {
                        Value::Ids(mut ids) => {
                            ids.retain(|id| !self.lost.contains(id));
                            if ids.is_empty() { Value::Null } else { Value::Ids(ids) }
                        }
                        _ => Value::Null,
                    };
                }
            }
            if let Some(column) = fatal {
                self.reject(&work, column.to_owned(), "the record refers to one that was refused".to_owned());
                continue;
            }
            if !dropped.is_empty() {
                for column in dropped {
                    let problem = self.problem(
                        &work,
                        column.to_owned(),
                        "a reference to a refused record is left out".to_owned(),
                    );
                    self.report.warnings.push(problem);
                }
                command = work.command()?;
            }
            kept.push((work, command));
        }
        *batch = kept;
        Ok(())
    }

    /// Asks the owner about the steps, in batches that refer to nothing new outside themselves.
    async fn ask(
        &mut self,
        owner: Owner,
        works: Vec<Work>,
        done: &mut u64,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<(), ApplyError> {
        let fresh: HashSet<Uuid> = works.iter().filter(|work| work.creates()).map(Work::id).collect();
        let mut works = works.into_iter().peekable();
        while works.peek().is_some() {
            let mut batch: Batch = Vec::new();
            let mut known: HashSet<Uuid> = HashSet::new();
            let mut bytes = 0;
            while batch.len() < MAX_BATCH
                && let Some(work) = works.peek()
            {
                let command = work.command()?;
                let length = command.encoded_len();
                if !batch.is_empty() && bytes + length > MAX_BATCH_BYTES {
                    break;
                }
                let Some(work) = works.next() else { break };
                *done += 1;
                let outside = |id: &Uuid| fresh.contains(id) && !known.contains(id);
                let open = match &work {
                    Work::First(step) | Work::Later(step) => {
                        (!work.creates() && outside(&step.id))
                            || step.values.iter().any(|written| match &written.value {
                                Value::Id(id) => outside(id),
                                Value::Ids(ids) => ids.iter().any(outside),
                                _ => false,
                            })
                    }
                    Work::Retire(_) => false,
                };
                if open {
                    self.report.unchecked += 1;
                    self.count_planned(&work);
                    continue;
                }
                if work.creates() {
                    known.insert(work.id());
                }
                bytes += length;
                batch.push((work, command));
            }
            if batch.is_empty() {
                continue;
            }
            let commands = batch.iter().map(|(_, command)| command.clone()).collect();
            let answer = match self.call(owner, commands, true).await {
                Err(ApplyError::Call { source, .. }) if too_large(&source) => {
                    self.report.unchecked += batch.len() as u64;
                    batch.iter().for_each(|(work, _)| self.count_planned(work));
                    continue;
                }
                answer => answer?,
            };
            if answer.items.len() != batch.len() {
                return Err(ApplyError::Answer { owner: owner.name(), what: "not one item for each command" });
            }
            for ((work, _), item) in batch.iter().zip(&answer.items) {
                if refused(item) {
                    self.refuse(work, item);
                } else {
                    self.count(work, item);
                }
            }
            progress(*done);
        }
        Ok(())
    }

    async fn call(&self, owner: Owner, commands: Vec<Command>, dry_run: bool) -> Result<ApplyResponse, ApplyError> {
        let source = format!("import:{}", self.mapping.name());
        let run = self.settings.run.to_string();
        let mut request = ApplyRequest { commands, source, dry_run, run, ..ApplyRequest::default() };
        if !dry_run {
            // The same batch has the same key, so that a batch whose answer was lost is not applied twice.
            let hash = xxhash_rust::xxh3::xxh3_128(&request.encode_to_vec());
            request.idempotency_key = format!("import:{}:{hash:032x}", self.mapping.name());
        }
        let mut wait = Duration::from_millis(200);
        for attempt in 1.. {
            match self.destination.apply(owner, request.clone()).await {
                Ok(answer) => return Ok(answer),
                Err(status) if attempt < MAX_TRIES && passing(status.code()) => {
                    tracing::warn!(owner = owner.name(), code = ?status.code(), attempt, "a batch is sent again");
                    tokio::time::sleep(wait).await;
                    wait *= 2;
                }
                Err(status) => return Err(ApplyError::Call { owner: owner.name(), source: Box::new(status) }),
            }
        }
        Err(ApplyError::Answer { owner: owner.name(), what: "none" })
    }

    fn count(&mut self, work: &Work, item: &ItemResult) {
        let kind = work.kind();
        for warning in &item.warnings {
            let problem = self.problem(work, warning.field.clone(), warning.message.clone());
            self.report.warnings.push(problem);
        }
        // The second half of a record that was counted with its first half.
        if matches!(work, Work::Later(_)) {
            return;
        }
        let counts = self.report.counts(kind);
        match item.outcome() {
            Outcome::Created => counts.created += 1,
            Outcome::Updated => counts.updated += 1,
            Outcome::Retired => counts.retired += 1,
            Outcome::Unchanged => counts.unchanged += 1,
            Outcome::Conflict | Outcome::Invalid | Outcome::Unspecified => {}
        }
    }

    fn count_planned(&mut self, work: &Work) {
        let counts = self.report.counts(work.kind());
        match work {
            Work::First(step) if step.version.is_none() => counts.created += 1,
            Work::First(_) => counts.updated += 1,
            Work::Later(_) => {}
            Work::Retire(_) => counts.retired += 1,
        }
    }

    fn refuse(&mut self, work: &Work, item: &ItemResult) {
        if item.outcome() == Outcome::Conflict {
            self.reject(
                work,
                item.conflicting_fields.join(", "),
                "somebody else changed the record meanwhile; run the import again".to_owned(),
            );
            return;
        }
        let reasons: Vec<String> = item.problems.iter().map(|problem| problem.message.clone()).collect();
        let field = item.problems.first().map(|problem| problem.field.clone()).unwrap_or_default();
        let taken = item.problems.iter().any(|problem| problem.code() == ProblemCode::Taken);
        let hint = if taken && matches!(work, Work::First(_)) {
            "; if another row gives it up, run the import again"
        } else {
            ""
        };
        self.reject(work, field, format!("{}{hint}", reasons.join("; ")));
    }

    fn reject(&mut self, work: &Work, column: String, reason: String) {
        if work.creates() {
            self.lost.insert(work.id());
        }
        let problem = self.problem(work, column, reason);
        self.report.reject(problem);
    }

    fn problem(&self, work: &Work, field: String, reason: String) -> Problem {
        let origin = match work {
            Work::First(step) | Work::Later(step) => step
                .values
                .iter()
                .find(|written| written.field.column == field)
                .map(|written| written.origin)
                .or(work.origin()),
            Work::Retire(_) => None,
        };
        let columns = match work {
            Work::First(step) | Work::Later(step) => step
                .values
                .iter()
                .find(|written| written.field.column == field)
                .and_then(|written| self.mapping.rules().get(written.rule?))
                .map(|rule| rule.columns.clone()),
            Work::Retire(_) => None,
        };
        let (file, line, reason) = match (origin, work) {
            (Some(origin), _) => {
                (self.files.get(usize::from(origin.file)).cloned().unwrap_or_default(), u64::from(origin.line), reason)
            }
            (None, Work::Retire(retire)) => (String::new(), 0, format!("`{}` is not retired: {reason}", retire.name)),
            (None, _) => (String::new(), 0, reason),
        };
        let column = columns.filter(|columns| !columns.is_empty()).unwrap_or(field);
        Problem { file, line, column, kind: Some(work.kind()), reason }
    }
}

fn refused(item: &ItemResult) -> bool {
    matches!(item.outcome(), Outcome::Invalid | Outcome::Conflict)
}

/// Whether it is worth while to try again.
fn passing(code: Code) -> bool {
    matches!(code, Code::Unavailable | Code::Aborted | Code::DeadlineExceeded | Code::Unknown)
}

/// Whether the owner would take the batch in smaller parts.
fn too_large(status: &Status) -> bool {
    matches!(status.code(), Code::ResourceExhausted | Code::OutOfRange)
}
