//! Says how many records per second an owner takes and gives: `apply_rate sqlite:///tmp/rate.db` or `apply_rate postgres://…`.
#![allow(clippy::print_stdout, reason = "a program for people")]

use std::{error::Error, sync::Arc, time::Instant};

use futures::StreamExt;
use spil_auth::{Caller, Permission, Signer};
use spil_changefeed::{Findings, OwnerService, PersonalKey, Proposal, Related, Rules, StoreConfig, WallClock, open};
use spil_proto::{
    changefeed::v1::{Action, ApplyRequest, Command, Record, SnapshotRequest, Target, record::Entity, target::By},
    model::{Header, Kind, Owner},
    workforce::v1::{Assignment, Position, Worker},
};
use uuid::Uuid;

const BATCHES: usize = 20;
const BATCH: usize = 1_000;

struct WorkforceLike;

impl Rules for WorkforceLike {
    fn related(&self, kind: Kind) -> &'static [Related] {
        match kind {
            Kind::Assignment => &[Related::Siblings { field: "worker_id", exclusive: false }],
            _ => &[],
        }
    }

    fn check(&self, proposal: &Proposal<'_>, findings: &mut Findings) {
        if proposal.siblings("worker_id").count() > 9 {
            findings.warn("worker_id", "many");
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).ok_or("give the URL of an empty database")?;
    let store = open(&StoreConfig { owner: Owner::Workforce, url, max_connections: 8 }).await?;
    store.migrate().await?;
    store.unlock(&PersonalKey::generate()).await?;
    let service =
        OwnerService::new(store, Arc::new(WorkforceLike), Signer::generate()?.verifier(), Arc::new(WallClock));
    let rate = Rate { service, caller: Caller::new("rate", Permission::ALL) };

    let workers = rate.run("create workers", |number| upsert(worker(number), number)).await?;
    rate.run("upsert the same workers", |number| upsert(worker(number), number)).await?;
    rate.run("rename the workers", |number| upsert(worker(number + 1), number)).await?;
    let positions = rate.run("create positions", |_| create(position())).await?;
    rate.run("create assignments", |number| create(assignment(&workers, &positions, number))).await?;

    let start = Instant::now();
    let mut parts = rate.service.snapshot(&rate.caller, SnapshotRequest::default()).await?;
    let mut records = 0;
    while let Some(part) = parts.next().await {
        records += part?.records.len();
    }
    report("read a snapshot", records, start);
    let start = Instant::now();
    rate.service.digest(&rate.caller).await?;
    report("make a digest", records, start);
    Ok(())
}

struct Rate {
    service: OwnerService,
    caller: Caller,
}

impl Rate {
    async fn run(&self, what: &str, command: impl Fn(usize) -> Command) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
        let mut ids = Vec::with_capacity(BATCHES * BATCH);
        let requests: Vec<ApplyRequest> = (0..BATCHES)
            .map(|batch| ApplyRequest {
                idempotency_key: Uuid::now_v7().to_string(),
                commands: (batch * BATCH..(batch + 1) * BATCH).map(&command).collect(),
                source: "rate".into(),
                ..ApplyRequest::default()
            })
            .collect();
        let start = Instant::now();
        for request in requests {
            let answer = self.service.apply(&self.caller, request).await?;
            if !answer.applied {
                return Err("a batch was not applied".into());
            }
            ids.extend(answer.items.into_iter().map(|item| item.id));
        }
        report(what, ids.len(), start);
        Ok(ids)
    }
}

fn report(what: &str, records: usize, start: Instant) {
    let seconds = start.elapsed().as_secs_f64();
    println!("{what:24} {:9.0} records/s", f64::from(u32::try_from(records).unwrap_or(u32::MAX)) / seconds);
}

fn create(values: Record) -> Command {
    Command { action: Action::Create.into(), values: Some(values), ..Command::default() }
}

fn upsert(values: Record, number: usize) -> Command {
    Command {
        action: Action::Upsert.into(),
        target: Some(Target { by: Some(By::Key(format!("W{number:06}"))) }),
        fields: ["name", "number", "display_name", "email", "status", "is_contractor"].map(str::to_owned).to_vec(),
        ..create(values)
    }
}

fn worker(number: usize) -> Record {
    Record {
        entity: Some(Entity::Worker(Worker {
            header: Some(Header { name: Some(format!("Worker {number}")), ..Header::default() }),
            number: Some(format!("{number}")),
            display_name: Some(format!("Somebody {number}")),
            email: Some(format!("somebody.{number}@example.org")),
            status: 2,
            is_contractor: Some(false),
            contestation: None,
        })),
    }
}

fn position() -> Record {
    Record { entity: Some(Entity::Position(Position { fte: Some(1.0), tier: Some(3), ..Position::default() })) }
}

fn assignment(workers: &[Vec<u8>], positions: &[Vec<u8>], number: usize) -> Record {
    Record {
        entity: Some(Entity::Assignment(Assignment {
            worker_id: workers.get(number).cloned(),
            position_id: positions.get(number).cloned(),
            fte: Some(1.0),
            from: Some(19_000),
            ..Assignment::default()
        })),
    }
}
