//! Mutations: each becomes one command to the owner of the record, and is answered from a graph that shows it.

use std::{error::Error, sync::Arc, time::Duration};

use spil_auth::Caller;
use spil_graph::Graph;
use spil_proto::{
    changefeed::v1::{
        Action, ApplyRequest, ApplyResponse, Command, Cursor, ItemResult, Outcome, Problem, ProblemCode, Record,
        Target, target,
    },
    model::{FieldType, Kind, Value, field},
    owner::OwnerClient,
};
use tonic::{Code as GrpcCode, Status};
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_128;

use super::{
    bind::Write,
    error::{Code, GraphqlError},
    execute::{Halt, Writer},
    plan::{ErrorField, Item, PayloadField, Place, Verb},
};
use crate::live::{Live, Published};

/// How long the answer to a mutation waits for the graph to show it.
const READ_YOUR_WRITES: Duration = Duration::from_secs(1);
/// How often a command is sent to an owner that can not be reached, and the pause before the second time; it doubles.
const ATTEMPTS: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// How long one call to an owner may take.
const CALL_LIMIT: Duration = Duration::from_secs(10);

/// Something that kept a mutation from being done.
pub(super) enum UserError {
    Input { code: &'static str, message: String, path: Vec<String> },
    Conflict { message: String, current_version: u64, fields: Vec<&'static str> },
}

/// What came of a mutation.
pub(super) struct Done {
    pub(super) published: Arc<Published>,
    /// The graph that shows the record, where it is not the published one.
    shown: Option<Graph>,
    kind: Kind,
    id: Option<Uuid>,
    retired_at: Option<i64>,
    errors: Vec<UserError>,
    warnings: Vec<(String, Vec<String>)>,
    stale: bool,
}

/// Sends a mutation to the owner and waits for the graph to show it.
///
/// # Errors
/// If the owner can not be reached or answers something that can not be.
pub(super) async fn run(
    live: &Live,
    client: &mut OwnerClient,
    caller: &Caller,
    token: &str,
    (kind, verb): (Kind, Verb),
    write: &Write,
) -> Result<Done, GraphqlError> {
    if !write.faults.is_empty() {
        let errors = write.faults.iter().map(|(message, path)| UserError::Input {
            code: "MALFORMED",
            message: message.clone(),
            path: path.clone(),
        });
        return Ok(Done { errors: errors.collect(), ..Done::nothing(live, kind) });
    }
    let absent = absent_references(live, kind, write).await;
    if !absent.is_empty() {
        return Ok(Done { errors: absent, ..Done::nothing(live, kind) });
    }
    let request = ApplyRequest {
        idempotency_key: idempotency_key(caller, kind, verb, write),
        commands: vec![command(kind, verb, write)],
        source: "graphql".to_owned(),
        ..ApplyRequest::default()
    };
    let mut answer = send(client, token, request).await.map_err(|status| fault(&status))?;
    let Some(item) = answer.items.pop() else {
        return Err(GraphqlError::new(Code::Internal, "the owner gave no answer"));
    };
    done(live, client, kind, verb, &answer, item).await
}

async fn done(
    live: &Live,
    client: &OwnerClient,
    kind: Kind,
    verb: Verb,
    answer: &ApplyResponse,
    item: ItemResult,
) -> Result<Done, GraphqlError> {
    let mut done = Done {
        warnings: item
            .warnings
            .iter()
            .map(|warning| (spoken(kind, &warning.message), path(kind, verb, warning)))
            .collect(),
        ..Done::nothing(live, kind)
    };
    match item.outcome() {
        Outcome::Conflict => {
            let fields = item
                .conflicting_fields
                .iter()
                .filter_map(|column| Some(kind.info().field_by_column(column)?.name))
                .collect();
            done.errors.push(UserError::Conflict {
                message: format!("the record has version {} by now", item.version),
                current_version: item.version,
                fields,
            });
        }
        Outcome::Invalid => {
            done.errors.extend(item.problems.iter().map(|problem| UserError::Input {
                code: code_name(problem.code()),
                message: spoken(kind, &problem.message),
                path: path(kind, verb, problem),
            }));
        }
        Outcome::Created | Outcome::Updated | Outcome::Unchanged | Outcome::Retired => {
            done.id = Uuid::from_slice(&item.id).ok();
            let cursor = answer.cursor.clone().unwrap_or_default();
            let record = if answer.replayed {
                // What the record was then is not what it is now: only the graph says that.
                let message =
                    "this mutation was done before; nothing was written now, and the record is given as it is now";
                done.warnings.push((message.to_owned(), vec!["input".to_owned(), "clientMutationId".to_owned()]));
                None
            } else {
                item.record
            };
            done.show(live, client, &cursor, record).await;
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
        let Some(mut record) = record else { return };
        self.retired_at = record.entity().and_then(|entity| entity.header()?.retired_at);
        let is_shown = self.id.is_some_and(|id| self.published.graph.table(self.kind).row_of(id).is_some());
        if self.retired_at.is_none() && is_shown && !self.stale {
            return;
        }
        if let Some(entity) = record.entity_mut() {
            entity.header_mut().retired_at = None;
        }
        let mut graph = self.published.graph.clone();
        if graph.apply(&record).is_ok() {
            self.shown = Some(graph);
        }
    }

    /// The graph that shows the record.
    pub(super) fn graph(&self) -> &Graph {
        self.shown.as_ref().unwrap_or(&self.published.graph)
    }
}

impl Writer<'_> {
    /// Writes the payload of a mutation.
    pub(super) fn payload(&mut self, items: &[Item<PayloadField>], write: &Write, done: &Done) -> Result<(), Halt> {
        self.object(items, |this, item| {
            match &item.what {
                PayloadField::TypeName(name, verb) => {
                    let prefix = match verb {
                        Verb::Create => "Create",
                        Verb::Update => "Update",
                        Verb::Retire => "Retire",
                    };
                    this.raw(&format!("\"{prefix}{name}Payload\""));
                }
                PayloadField::ClientMutationId => match &write.client_mutation_id {
                    Some(id) => this.text(id)?,
                    None => this.raw("null"),
                },
                PayloadField::Record(items) => {
                    let row = done.id.and_then(|id| this.graph.table(done.kind).row_of(id));
                    match row {
                        Some(row) => {
                            let place = Place { kind: done.kind, row };
                            this.retired = done.retired_at.map(|at| (place, at));
                            this.record(place, items)?;
                            this.retired = None;
                        }
                        None => this.raw("null"),
                    }
                }
                PayloadField::UserErrors { input, conflict } => {
                    this.array(&done.errors, |this, error| this.user_error(input, conflict, error))?
                }
                PayloadField::Warnings(items) => this.array(&done.warnings, |this, (message, path)| {
                    this.object(items, |this, item| this.error_field(item.what, "", message, path, None))
                })?,
                PayloadField::Stale => this.raw(if done.stale { "true" } else { "false" }),
            }
            Ok(())
        })
    }

    fn user_error(
        &mut self,
        input: &[Item<ErrorField>],
        conflict: &[Item<ErrorField>],
        error: &UserError,
    ) -> Result<(), Halt> {
        match error {
            UserError::Input { code, message, path } => {
                self.object(input, |this, item| this.error_field(item.what, code, message, path, None))
            }
            UserError::Conflict { message, current_version, fields } => {
                let path = ["input".to_owned(), "expectedVersion".to_owned()];
                self.object(conflict, |this, item| {
                    this.error_field(item.what, "VERSION_CONFLICT", message, &path, Some((*current_version, fields)))
                })
            }
        }
    }

    fn error_field(
        &mut self,
        field: ErrorField,
        code: &str,
        message: &str,
        path: &[String],
        conflict: Option<(u64, &[&str])>,
    ) -> Result<(), Halt> {
        match field {
            ErrorField::TypeName(name) => self.text(name)?,
            ErrorField::Code => self.text(code)?,
            ErrorField::Message => self.text(message)?,
            ErrorField::Path => self.array(path, |this, part| this.text(part))?,
            ErrorField::CurrentVersion => self.raw(&conflict.map_or(0, |(version, _)| version).to_string()),
            ErrorField::Fields => {
                self.array(conflict.map_or(&[], |(_, fields)| fields), |this, name| this.text(name))?
            }
        }
        Ok(())
    }
}

/// References to records of other owners that are not there. An owner looks at its own records only; whether the others are
/// there, the graph knows, if not at once then soon.
async fn absent_references(live: &Live, kind: Kind, write: &Write) -> Vec<UserError> {
    let owner = kind.info().owner;
    let foreign: Vec<(&str, Kind, Uuid)> = write
        .values
        .iter()
        .flat_map(|(info, value)| {
            let ids = match (info.ty, value) {
                (FieldType::Ref(to), Value::Id(id)) => vec![(info.name, to, *id)],
                (FieldType::RefList(to), Value::Ids(ids)) => ids.iter().map(|id| (info.name, to, *id)).collect(),
                _ => Vec::new(),
            };
            ids.into_iter().filter(|(_, to, _)| to.info().owner != owner)
        })
        .collect();
    let is_there =
        |published: &Published, (_, to, id): &(&str, Kind, Uuid)| published.graph.table(*to).row_of(*id).is_some();
    if live
        .wait_for(READ_YOUR_WRITES, |published| foreign.iter().all(|reference| is_there(published, reference)))
        .await
        .is_some()
    {
        return Vec::new();
    }
    let published = live.load();
    foreign
        .iter()
        .filter(|reference| !is_there(&published, reference))
        .map(|(name, to, _)| UserError::Input {
            code: "NOT_FOUND",
            message: format!("`{name}` refers to a record of the kind {} that is not there", to.info().name),
            path: vec!["input".to_owned(), (*name).to_owned()],
        })
        .collect()
}

/// Sends a batch; again, with the same key, when the owner can not be reached: what was done is not done twice.
async fn send(client: &mut OwnerClient, token: &str, request: ApplyRequest) -> Result<ApplyResponse, Status> {
    let mut pause = FIRST_PAUSE;
    let mut attempt = 1;
    loop {
        let call = tokio::time::timeout(CALL_LIMIT, client.apply(token, request.clone()));
        let status = match call.await {
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

fn fault(status: &Status) -> GraphqlError {
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

fn command(kind: Kind, verb: Verb, write: &Write) -> Command {
    let mut values = Record::empty(kind);
    let mut fields = Vec::with_capacity(write.values.len());
    if let Some(entity) = values.entity_mut() {
        for (info, value) in &write.values {
            // The value was read for this very field, so that it fits; if not, the owner says that it is missing.
            let _ = entity.set(info.index, value.clone());
            fields.push(info.column.to_owned());
        }
    }
    let action = match verb {
        Verb::Create => Action::Create,
        Verb::Update => Action::Update,
        Verb::Retire => Action::Retire,
    };
    Command {
        action: action.into(),
        target: write.id.map(|id| Target { by: Some(target::By::Id(id.as_bytes().to_vec())) }),
        expected_version: write.expected_version,
        values: Some(values),
        fields,
        references: Vec::new(),
    }
}

/// The input field that a problem is about.
fn path(kind: Kind, verb: Verb, problem: &Problem) -> Vec<String> {
    let mut path = vec!["input".to_owned()];
    let info = kind.info();
    match info.input_by_column(&problem.field).or_else(|| info.field_by_column(&problem.field)) {
        Some(info) if info.index == field::ID || info.writable => path.push(info.name.to_owned()),
        _ if verb != Verb::Create && matches!(problem.code(), ProblemCode::NotFound | ProblemCode::Retired) => {
            path.push("id".to_owned())
        }
        _ => {}
    }
    path
}

/// A message of an owner in the words of the schema: owners speak of columns.
fn spoken(kind: Kind, message: &str) -> String {
    let info = kind.info();
    info.fields()
        .chain(info.one_way)
        .filter(|info| info.column != info.name)
        .fold(message.to_owned(), |message, info| {
            message.replace(&format!("`{}`", info.column), &format!("`{}`", info.name))
        })
}

fn code_name(code: ProblemCode) -> &'static str {
    match code {
        ProblemCode::Required => "REQUIRED",
        ProblemCode::OutOfRange => "OUT_OF_RANGE",
        ProblemCode::TooLong => "TOO_LONG",
        ProblemCode::Malformed | ProblemCode::UnknownField => "MALFORMED",
        ProblemCode::NotFound => "NOT_FOUND",
        ProblemCode::Taken => "TAKEN",
        ProblemCode::Cycle => "CYCLE",
        ProblemCode::Retired => "RETIRED",
        ProblemCode::Immutable => "IMMUTABLE",
        ProblemCode::Rule | ProblemCode::Unspecified => "RULE",
    }
}
