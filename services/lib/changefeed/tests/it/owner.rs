//! An owner under test, and short ways to ask it for things.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use futures::StreamExt;
use spil_auth::{Caller, Permission, Signer, Trust, Verifier};
use spil_changefeed::{Effect, Findings, OwnerService, Proposal, Related, Rules, Store, WallClock};
use spil_proto::{
    changefeed::v1::{
        Action, ApplyRequest, ApplyResponse, Command, Cursor, DigestResponse, ItemResult, Origin, Outcome, ProblemCode,
        Record, SnapshotRequest, Target, record::Entity, target::By,
    },
    model::{ExternalId, Kind, Owner, Value},
};
use uuid::Uuid;

use crate::database::Database;

pub(crate) struct TestOwner {
    pub(crate) service: OwnerService,
    pub(crate) store: Store,
    pub(crate) signer: Signer,
    pub(crate) caller: Caller,
}

/// One rule that sums siblings, one that looks at another record, and one that changes another record unless its budget forbids that.
pub(crate) struct TestRules;

impl Rules for TestRules {
    fn related(&self, kind: Kind) -> &'static [Related] {
        match kind {
            Kind::BenefitShare => &[Related::Siblings { field: "benefit_id", exclusive: true }],
            Kind::GateDecision => &[Related::Affected { field: "initiative_id" }],
            Kind::Measurement => &[Related::Referenced { field: "corrects_id" }],
            _ => &[],
        }
    }

    fn left_by(&self, record: &Record) -> Option<&'static str> {
        match &record.entity {
            Some(Entity::Worker(worker)) if worker.status == 4 => Some("status"),
            _ => None,
        }
    }

    fn check(&self, proposal: &Proposal<'_>, findings: &mut Findings) {
        match &proposal.after.entity {
            Some(Entity::BenefitShare(share)) => {
                let others: f64 = proposal
                    .siblings("benefit_id")
                    .filter_map(|record| match &record.entity {
                        Some(Entity::BenefitShare(other)) => other.share,
                        _ => None,
                    })
                    .sum();
                if others + share.share.unwrap_or_default() > 1.0 + 1e-9 {
                    findings.broken("share", "too much");
                }
            }
            Some(Entity::Measurement(measurement)) => {
                if let Some(Entity::Measurement(earlier)) =
                    proposal.referenced("corrects_id").and_then(|record| record.entity.as_ref())
                    && earlier.at > measurement.at
                {
                    findings.broken("corrects_id", "of a later day");
                }
            }
            Some(Entity::Initiative(initiative)) if proposal.cause().is_some() && initiative.budget.is_some() => {
                findings.broken("stage", "frozen");
            }
            _ => {}
        }
    }

    fn vocabulary(&self) -> &'static [Kind] {
        &[Kind::Role]
    }

    fn effects(&self, proposal: &Proposal<'_>) -> Vec<Effect> {
        match &proposal.after.entity {
            Some(Entity::GateDecision(decision)) if decision.decision != 0 => {
                let stage = decision.to_stage;
                let value = if stage == 0 { Value::Null } else { Value::Enum(stage) };
                vec![Effect { on: "initiative_id", field: "stage", value }]
            }
            _ => Vec::new(),
        }
    }
}

static KEY: AtomicU64 = AtomicU64::new(0);

pub(crate) fn new_key() -> String {
    format!("batch {}", KEY.fetch_add(1, Ordering::Relaxed))
}

impl TestOwner {
    pub(crate) async fn new(database: &Database, owner: Owner) -> Self {
        let store = database.store(owner).await;
        let signer = Signer::generate().expect("a key");
        let service = OwnerService::new(store.clone(), Arc::new(TestRules), signer.verifier(), Arc::new(WallClock));
        Self { service, store, signer, caller: Caller::new("tester", Permission::ALL) }
    }

    /// The caller that a service of ours is.
    pub(crate) async fn as_service(&self) -> Caller {
        let token = self.signer.sign_service(std::time::Duration::from_secs(60)).expect("a token");
        let verifier = Verifier::new(&Trust::default().and_services(&self.signer));
        verifier.verify(&token).await.expect("a valid token")
    }

    pub(crate) async fn send(&self, request: ApplyRequest) -> ApplyResponse {
        self.service.apply(&self.caller, request).await.expect("an answer")
    }

    pub(crate) async fn apply(&self, commands: Vec<Command>) -> ApplyResponse {
        self.send(batch(commands)).await
    }

    /// Applies one command that must be sound.
    pub(crate) async fn one(&self, command: Command) -> ItemResult {
        let response = self.apply(vec![command]).await;
        assert!(response.applied, "{:?}", response.items);
        response.items.into_iter().next().expect("an item")
    }

    /// Applies one command that must not be sound.
    pub(crate) async fn refused(&self, command: Command) -> ItemResult {
        let response = self.apply(vec![command]).await;
        assert!(!response.applied, "{:?}", response.items);
        response.items.into_iter().next().expect("an item")
    }

    pub(crate) async fn snapshot(&self) -> (Cursor, Vec<Record>) {
        let mut stream = self.service.snapshot(&self.caller, SnapshotRequest::default()).await.expect("a snapshot");
        let first = stream.next().await.expect("a part").expect("a part");
        let cursor = first.cursor.expect("a cursor");
        let mut records = first.records;
        let mut complete = first.complete;
        while let Some(part) = stream.next().await {
            assert!(!complete, "something after the end");
            let part = part.expect("a part");
            assert!(part.cursor.is_none());
            records.extend(part.records);
            complete = part.complete;
        }
        assert!(complete, "cut off");
        assert_eq!(records.len() as u64, first.total);
        (cursor, records)
    }

    /// Who set which field of each live record, as a snapshot says.
    pub(crate) async fn provenance(&self) -> Told {
        let mut stream = self.service.snapshot(&self.caller, SnapshotRequest::default()).await.expect("a snapshot");
        let mut told = Told::new();
        while let Some(part) = stream.next().await {
            let part = part.expect("a part");
            let provenance = part.provenance.unwrap_or_default();
            assert_eq!(provenance.records.len(), part.records.len());
            for (record, known) in part.records.iter().zip(&provenance.records) {
                let fields = told.entry((record.kind().expect("a kind"), record.id().expect("an id"))).or_default();
                for group in &known.groups {
                    let origin = &provenance.origins[usize::try_from(group.origin).expect("a place")];
                    for field in &group.fields {
                        assert_eq!(fields.insert(*field, origin.clone()), None, "said twice");
                    }
                }
            }
        }
        told
    }

    pub(crate) async fn head(&self) -> Cursor {
        self.digest().await.cursor.expect("a cursor")
    }

    pub(crate) async fn digest(&self) -> DigestResponse {
        self.service.digest(&self.caller).await.expect("a digest")
    }
}

/// Who set which field, by its number, of each record.
pub(crate) type Told = BTreeMap<(Kind, Uuid), BTreeMap<u32, Origin>>;

pub(crate) fn batch(commands: Vec<Command>) -> ApplyRequest {
    ApplyRequest { idempotency_key: new_key(), commands, source: "test".into(), ..ApplyRequest::default() }
}

pub(crate) fn create(values: Record) -> Command {
    Command { action: Action::Create.into(), values: Some(values), ..Command::default() }
}

pub(crate) fn update(target: By, fields: &[&str], values: Record) -> Command {
    Command {
        action: Action::Update.into(),
        target: Some(Target { by: Some(target) }),
        fields: fields.iter().map(|field| (*field).to_owned()).collect(),
        values: Some(values),
        ..Command::default()
    }
}

pub(crate) fn upsert(target: By, fields: &[&str], values: Record) -> Command {
    Command { action: Action::Upsert.into(), ..update(target, fields, values) }
}

pub(crate) fn retire(kind: Kind, target: By) -> Command {
    Command { action: Action::Retire.into(), ..update(target, &[], Record::empty(kind)) }
}

pub(crate) fn by_id(id: Uuid) -> By {
    By::Id(id.as_bytes().to_vec())
}

pub(crate) fn by_key(key: &str) -> By {
    By::Key(key.to_owned())
}

pub(crate) fn by_external(system: &str, id: &str) -> By {
    By::ExternalId(ExternalId { system: system.to_owned(), id: id.to_owned() })
}

pub(crate) fn id(item: &ItemResult) -> Uuid {
    Uuid::from_slice(&item.id).expect("an id")
}

/// The fields and codes of what is wrong.
pub(crate) fn problems(item: &ItemResult) -> Vec<(&str, ProblemCode)> {
    item.problems.iter().map(|problem| (problem.field.as_str(), problem.code())).collect()
}

pub(crate) fn outcomes(response: &ApplyResponse) -> Vec<Outcome> {
    response.items.iter().map(ItemResult::outcome).collect()
}
