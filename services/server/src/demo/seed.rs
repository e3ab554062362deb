//! Sends the demo organisation to the owners.

use spil_proto::{
    changefeed::v1::{
        Action, ApplyRequest, ApplyResponse, Command, ItemResult, Outcome, ProblemCode, Record, Target, target,
    },
    model::{Kind, Owner},
    owner::OwnerClient,
};
use tonic::{Code, Status};
use uuid::Uuid;

use super::{Demo, DemoSize};

/// How many commands go into one batch.
pub const BATCH: usize = 1_000;

/// How far the sending has come.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Whose commands are being sent.
    pub owner: Owner,
    /// How many commands, of all owners, are through.
    pub done: usize,
    /// How many there are.
    pub total: usize,
}

/// What became of the commands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// For each owner, in the order they were served.
    pub owners: Vec<OwnerSummary>,
}

/// What became of the commands for one owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnerSummary {
    /// Whose they were.
    pub owner: Owner,
    /// How many commands were applied now.
    pub applied: usize,
    /// How many had been applied before.
    pub present: usize,
}

impl Summary {
    /// How many commands were applied now.
    pub fn applied(&self) -> usize {
        self.owners.iter().map(|owner| owner.applied).sum()
    }

    /// How many commands had been applied before.
    pub fn present(&self) -> usize {
        self.owners.iter().map(|owner| owner.present).sum()
    }
}

/// Why the demo organisation could not be sent.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// There is no client for an owner.
    #[error("no client for the owner {}", .0.name())]
    NoClient(Owner),
    /// The owner could not be reached or turned the batch down as a whole.
    #[error("the owner {} did not take batch {batch}", owner.name())]
    Call {
        /// Which owner.
        owner: Owner,
        /// Which batch, from 0.
        batch: usize,
        /// What it answered.
        source: Box<Status>,
    },
    /// A command was turned down: the store holds something else, or an organisation of another seed or size.
    #[error(
        "the owner {} turned down a command of batch {batch}: {message}",
        owner.name()
    )]
    Refused {
        /// Which owner.
        owner: Owner,
        /// Which batch, from 0.
        batch: usize,
        /// The field that is wrong; may be empty.
        field: String,
        /// What is wrong with it.
        message: String,
    },
}

/// Sends the organisation of a seed and a size to the owners, in batches of [`BATCH`], and tells `progress` after each. Each
/// batch has a name of its own (`demo:<seed>:<workers>:<number>`), and an owner that has the whole organisation is left alone: a
/// second start changes nothing, on whatever day, and one that was cut off is taken up again.
///
/// # Errors
/// If an owner can not be reached, or holds records that are in the way.
pub async fn seed(
    clients: &mut [OwnerClient],
    token: &str,
    seed: u64,
    size: DemoSize,
    today: i32,
    mut progress: impl FnMut(Progress),
) -> Result<Summary, SeedError> {
    let demo = Demo::new(seed, size, today);
    let total = Owner::ALL.iter().map(|&owner| demo.count(owner)).sum();
    let mut done = 0;
    let mut number = 0;
    let mut summary = Summary::default();
    for owner in Owner::ALL {
        let client = clients.iter_mut().find(|client| client.owner() == owner).ok_or(SeedError::NoClient(owner))?;
        let mut own = OwnerSummary { owner, applied: 0, present: 0 };
        let count = demo.count(owner);
        if holds(client, token, demo.last(owner), number).await? {
            own.present = count;
            done += count;
            number += count.div_ceil(BATCH);
            progress(Progress { owner, done, total });
        } else {
            let mut commands = demo.commands(owner);
            loop {
                let batch: Vec<Command> = commands.by_ref().take(BATCH).collect();
                if batch.is_empty() {
                    break;
                }
                let sent = batch.len();
                let key = format!("demo:{seed}:{}:{number}", size.workers());
                if send(client, token, batch, key, number).await? {
                    own.applied += sent
                } else {
                    own.present += sent
                }
                done += sent;
                number += 1;
                progress(Progress { owner, done, total });
            }
        }
        summary.owners.push(own);
    }
    Ok(summary)
}

/// Sends a batch; false if it was there before.
async fn send(
    client: &mut OwnerClient,
    token: &str,
    commands: Vec<Command>,
    idempotency_key: String,
    batch: usize,
) -> Result<bool, SeedError> {
    let owner = client.owner();
    let last = commands.iter().rev().find_map(created);
    let request = ApplyRequest { idempotency_key, commands, source: "demo".to_owned(), ..ApplyRequest::default() };
    match client.apply(token, request).await {
        Ok(ApplyResponse { applied: true, replayed, .. }) => Ok(!replayed),
        // The names of batches are forgotten after some days; then the records themselves are in the way, every one of them.
        Ok(response) if response.items.iter().all(|item| is_taken(item) || is_settled(item)) => Ok(false),
        Ok(response) => {
            let stranger = response.items.iter().find(|item| is_refused(item) && !is_taken(item));
            Err(refused(owner, batch, stranger.or(response.items.iter().find(|item| is_refused(item)))))
        }
        // The batch was sent on another day: it has the same name and ids, but other dates.
        Err(status) if status.code() == Code::InvalidArgument && holds(client, token, last, batch).await? => Ok(false),
        Err(status) => Err(SeedError::Call { owner, batch, source: Box::new(status) }),
    }
}

/// Whether an owner has, or had, a record.
async fn holds(
    client: &mut OwnerClient,
    token: &str,
    record: Option<(Kind, Uuid)>,
    batch: usize,
) -> Result<bool, SeedError> {
    let Some((kind, id)) = record else { return Ok(false) };
    // To make it once more would be wrong for one reason or another; what counts is whether the id is taken.
    let probe = Command {
        action: Action::Create as i32,
        target: Some(Target { by: Some(target::By::Id(id.as_bytes().to_vec())) }),
        values: Some(Record::empty(kind)),
        ..Command::default()
    };
    let request =
        ApplyRequest { commands: vec![probe], source: "demo".to_owned(), dry_run: true, ..Default::default() };
    let owner = client.owner();
    let response = client.apply(token, request).await;
    let response = response.map_err(|status| SeedError::Call { owner, batch, source: Box::new(status) })?;
    Ok(response.items.first().is_some_and(is_taken))
}

fn is_refused(item: &ItemResult) -> bool {
    matches!(item.outcome(), Outcome::Invalid | Outcome::Conflict)
}

/// Whether the id of a record to be made belongs to one already.
fn is_taken(item: &ItemResult) -> bool {
    item.problems.iter().any(|problem| problem.field == "id" && problem.code() == ProblemCode::Taken)
}

/// Whether a command changed a record that was there, or found it as it should be.
fn is_settled(item: &ItemResult) -> bool {
    matches!(item.outcome(), Outcome::Updated | Outcome::Unchanged)
}

fn refused(owner: Owner, batch: usize, item: Option<&ItemResult>) -> SeedError {
    let problem = item.and_then(|item| item.problems.first()).cloned().unwrap_or_default();
    SeedError::Refused { owner, batch, field: problem.field, message: problem.message }
}

/// The kind and id of the record that a command makes.
pub(super) fn created(command: &Command) -> Option<(Kind, Uuid)> {
    let Some(target::By::Id(id)) = command.target.as_ref()?.by.as_ref() else { return None };
    if command.action() != Action::Create {
        return None;
    }
    Some((command.values.as_ref()?.kind()?, Uuid::from_slice(id).ok()?))
}

#[cfg(test)]
mod tests;
