//! `applyChanges` over owners that fail at the worst moment.

use std::{
    collections::{HashMap, VecDeque},
    sync::Mutex,
};

use futures::{future::join_all, stream};
use spil_proto::{
    capability::v1::service::capability_service_server::{CapabilityService, CapabilityServiceServer},
    changefeed::v1::{
        Action, ApplyRequest, ApplyResponse, AuditRequest, AuditResponse, DigestRequest, DigestResponse, EraseRequest,
        EraseResponse, ItemResult, LogReadsRequest, LogReadsResponse, Outcome, Problem, ProblemCode, ReadLogRequest,
        ReadLogResponse, RedactRequest, RedactResponse, SnapshotRequest, SnapshotResponse, WatchRequest, WatchResponse,
        target,
    },
    initiative::v1::service::initiative_service_server::{InitiativeService, InitiativeServiceServer},
    workforce::v1::service::{
        DueRequest, DueResponse, NamesOfRequest, NamesOfResponse, WhoIsRequest, WhoIsResponse,
        workforce_service_server::{WorkforceService, WorkforceServiceServer},
    },
};
use tonic::{Request as Call, Response as Reply, Status, transport::Server};

use super::*;

/// What goes wrong with a call that is to write.
#[derive(Clone, Copy, PartialEq)]
enum Mishap {
    /// The owner is gone before it writes.
    Before,
    /// The owner writes and is gone before it answers.
    After,
    /// The data have changed since the trial.
    Refused,
    /// The token is not taken any more.
    Forbidden,
    /// Another batch has got the key since the trial.
    Taken,
}

/// An owner that takes every command, keeps answers by their key, and fails as it is told.
#[derive(Clone, Default)]
struct Fake(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// Every call, dry or not.
    calls: Vec<ApplyRequest>,
    /// What was written, by key.
    written: HashMap<String, (ApplyRequest, ApplyResponse)>,
    mishaps: VecDeque<Mishap>,
}

impl Fake {
    fn apply(&self, request: ApplyRequest) -> Result<ApplyResponse, Status> {
        let mut state = self.0.lock().expect("no panic");
        state.calls.push(request.clone());
        let mishap = if request.dry_run { None } else { state.mishaps.pop_front() };
        if let Some((known, answer)) = state.written.get(&request.idempotency_key) {
            if (&known.commands, &known.batch) != (&request.commands, &request.batch) {
                return Err(Status::already_exists("the key was used"));
            }
            if mishap.is_some() {
                return Err(Status::unavailable("gone"));
            }
            return Ok(ApplyResponse { replayed: true, ..answer.clone() });
        }
        match mishap {
            Some(Mishap::Before) => return Err(Status::unavailable("gone")),
            Some(Mishap::Taken) => return Err(Status::already_exists("the key was used")),
            Some(Mishap::Forbidden) => return Err(Status::permission_denied("not any more")),
            Some(Mishap::Refused) => {
                let problem =
                    Problem { code: ProblemCode::Taken.into(), field: "key".to_owned(), ..Problem::default() };
                let refused =
                    ItemResult { outcome: Outcome::Invalid.into(), problems: vec![problem], ..ItemResult::default() };
                return Ok(ApplyResponse { items: vec![refused; request.commands.len()], ..ApplyResponse::default() });
            }
            Some(Mishap::After) | None => {}
        }
        let items = request.commands.iter().map(|command| {
            let mut record = command.values.clone().expect("values");
            let id = match command.target.as_ref().and_then(|target| target.by.clone()) {
                Some(target::By::Id(id)) => id,
                _ => Uuid::now_v7().as_bytes().to_vec(),
            };
            let header = record.entity_mut().expect("an entity").header_mut();
            header.id.clone_from(&id);
            header.version = 1;
            let outcome = if command.action() == Action::Create { Outcome::Created } else { Outcome::Updated };
            ItemResult { outcome: outcome.into(), id, version: 1, record: Some(record), ..ItemResult::default() }
        });
        let cursor = Cursor { store_id: vec![7; 16], epoch: 1, revision: 9, mark: 9 };
        let answer = ApplyResponse {
            applied: !request.dry_run,
            items: items.collect(),
            cursor: Some(cursor),
            ..ApplyResponse::default()
        };
        if !request.dry_run {
            state.written.insert(request.idempotency_key.clone(), (request, answer.clone()));
        }
        if mishap == Some(Mishap::After) { Err(Status::unavailable("gone")) } else { Ok(answer) }
    }

    /// Lets the next calls that are to write go wrong: four of them, since a call is tried four times.
    fn fail(&self, mishap: Mishap) {
        self.0.lock().expect("no panic").mishaps = VecDeque::from([mishap; 4]);
    }

    fn recover(&self) {
        self.0.lock().expect("no panic").mishaps.clear();
    }

    /// The batches that were written.
    fn written(&self) -> Vec<ApplyRequest> {
        self.0.lock().expect("no panic").written.values().map(|(request, _)| request.clone()).collect()
    }

    /// How many calls were to write.
    fn attempts(&self) -> usize {
        self.0.lock().expect("no panic").calls.iter().filter(|call| !call.dry_run).count()
    }
}

type Nothing<T> = stream::Empty<Result<T, Status>>;

macro_rules! serve {
    ($service:ident $(, $more:item)*) => {
        #[tonic::async_trait]
        impl $service for Fake {
            type SnapshotStream = Nothing<SnapshotResponse>;
            type WatchStream = Nothing<WatchResponse>;

            async fn apply(&self, request: Call<ApplyRequest>) -> Result<Reply<ApplyResponse>, Status> {
                Fake::apply(self, request.into_inner()).map(Reply::new)
            }

            async fn snapshot(&self, _: Call<SnapshotRequest>) -> Result<Reply<Self::SnapshotStream>, Status> {
                Err(Status::unimplemented("not needed"))
            }

            async fn watch(&self, _: Call<WatchRequest>) -> Result<Reply<Self::WatchStream>, Status> {
                Err(Status::unimplemented("not needed"))
            }

            async fn digest(&self, _: Call<DigestRequest>) -> Result<Reply<DigestResponse>, Status> {
                Err(Status::unimplemented("not needed"))
            }

            async fn erase(&self, _: Call<EraseRequest>) -> Result<Reply<EraseResponse>, Status> {
                Err(Status::unimplemented("not needed"))
            }

            async fn redact(&self, _: Call<RedactRequest>) -> Result<Reply<RedactResponse>, Status> {
                Err(Status::unimplemented("not needed"))
            }

            async fn audit(&self, _: Call<AuditRequest>) -> Result<Reply<AuditResponse>, Status> {
                Err(Status::unimplemented("not needed"))
            }

            async fn log_reads(&self, _: Call<LogReadsRequest>) -> Result<Reply<LogReadsResponse>, Status> {
                Err(Status::unimplemented("not needed"))
            }

            async fn read_log(&self, _: Call<ReadLogRequest>) -> Result<Reply<ReadLogResponse>, Status> {
                Err(Status::unimplemented("not needed"))
            }

            $($more)*
        }
    };
}

serve!(CapabilityService);
serve!(
    WorkforceService,
    async fn who_is(&self, _: Call<WhoIsRequest>) -> Result<Reply<WhoIsResponse>, Status> {
        Err(Status::unimplemented("not needed"))
    },
    async fn names_of(&self, _: Call<NamesOfRequest>) -> Result<Reply<NamesOfResponse>, Status> {
        Err(Status::unimplemented("not needed"))
    },
    async fn due(&self, _: Call<DueRequest>) -> Result<Reply<DueResponse>, Status> {
        Err(Status::unimplemented("not needed"))
    }
);
serve!(InitiativeService);

/// An engine over the sample, and its owners in the order of [`Owner::ALL`].
async fn system() -> (Engine, [Fake; 3]) {
    let fakes = [Fake::default(), Fake::default(), Fake::default()];
    let [capability, workforce, initiative] = fakes.clone();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let server = Server::builder()
        .add_service(CapabilityServiceServer::new(capability))
        .add_service(WorkforceServiceServer::new(workforce))
        .add_service(InitiativeServiceServer::new(initiative))
        .serve(address);
    tokio::spawn(server);
    let engine = engine(&sample(), Limits::default());
    let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("a URL");
    let clients = Owner::ALL.map(|owner| OwnerClient::new(owner, endpoint.connect_lazy()));
    (Engine { clients, ..engine }, fakes)
}

/// A batch over all owners.
async fn send(engine: &Engine, name: Option<&str>) -> Json {
    let changes = json!([
        {"createRoleImpact": {"initiativeId": "#i", "roleId": "#r", "kind": "CREATED"}},
        {"temporaryId": "i", "createInitiative": {"name": "initiative"}},
        {"temporaryId": "r", "createRole": {"name": "role"}},
        {"temporaryId": "c", "createCapability": {"name": "capability"}},
        {"createCapabilityChange": {"initiativeId": "#i", "capabilityId": "#c"}},
    ]);
    send_changes(engine, name, changes).await
}

async fn send_changes(engine: &Engine, name: Option<&str>, changes: Json) -> Json {
    let query = "mutation($input: ApplyChangesInput!) { applyChanges(input: $input) { applied stale steps { owner status changes message }
        results { id outcome record { name } userErrors { code path } } userErrors { code path } warnings { path message } } }";
    ask_with(engine, query, json!({"input": {"clientMutationId": name, "changes": changes}})).await
}

/// What the answer warns of, all of it about the name of the batch.
fn warning(answer: &Json) -> &str {
    let warnings = answer["data"]["applyChanges"]["warnings"].as_array().expect("warnings");
    assert_eq!(warnings.len(), 1, "{answer}");
    assert_eq!(warnings[0]["path"], json!(["input", "clientMutationId"]));
    warnings[0]["message"].as_str().expect("a text")
}

fn steps(answer: &Json) -> Vec<(String, String)> {
    let text = |json: &Json| json.as_str().unwrap_or_default().to_owned();
    let steps = answer["data"]["applyChanges"]["steps"].as_array().expect("steps");
    steps.iter().map(|step| (text(&step["owner"]), text(&step["status"]))).collect()
}

fn of<'a>(statuses: [(&'a str, &'a str); 3]) -> Vec<(String, String)> {
    statuses.map(|(owner, status)| (owner.to_owned(), status.to_owned())).to_vec()
}

fn outcomes(answer: &Json) -> Vec<String> {
    let results = answer["data"]["applyChanges"]["results"].as_array().expect("results");
    results.iter().map(|result| result["outcome"].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn an_owner_that_fails_between_two_steps_is_told_and_the_repetition_ends_it() {
    for (mishap, writes) in [(Mishap::Before, 0), (Mishap::After, 1)] {
        let (engine, [capability, workforce, initiative]) = system().await;
        initiative.fail(mishap);
        let answer = send(&engine, Some("name")).await;
        let payload = &answer["data"]["applyChanges"];
        assert_eq!(payload["applied"], false, "{answer}");
        let wanted = of([("WORKFORCE", "APPLIED"), ("CAPABILITY", "APPLIED"), ("INITIATIVE", "UNKNOWN")]);
        assert_eq!(steps(&answer), wanted);
        assert!(payload["steps"][2]["message"].as_str().is_some_and(|message| message.contains("clientMutationId")));
        assert_eq!(outcomes(&answer), ["UNKNOWN", "UNKNOWN", "CREATED", "CREATED", "UNKNOWN"]);
        assert_eq!(payload["userErrors"], json!([]));
        assert_eq!(payload["results"][2]["record"], json!({"name": "role"}), "what is written is shown");
        assert_eq!((initiative.written().len(), initiative.attempts()), (writes, 4));
        initiative.recover();
        let again = send(&engine, Some("name")).await;
        assert_eq!(again["data"]["applyChanges"]["applied"], true, "{again}");
        assert_eq!(outcomes(&again), ["CREATED"; 5]);
        let told = warning(&again);
        assert!(told.starts_with("this mutation was done before; nothing was written now") == (writes == 1), "{told}");
        assert!(
            told.starts_with("the part of WORKFORCE and that of CAPABILITY was done before") == (writes == 0),
            "{told}"
        );
        assert_eq!(payload["results"][3]["id"], again["data"]["applyChanges"]["results"][3]["id"]);
        for owner in [&capability, &workforce, &initiative] {
            assert_eq!(owner.written().len(), 1);
        }
        assert_eq!((capability.attempts(), workforce.attempts()), (1, 1), "what was done is not even tried again");
        // The initiative owner was told of the very records that the others had made.
        let made = |owner: &Fake, at: usize| owner.written()[0].commands[at].target.clone().expect("an id");
        let Some(target::By::Id(role)) = made(&workforce, 0).by else { panic!("an id") };
        let impact = initiative.written()[0].commands[1].values.clone().expect("values");
        let field = Kind::RoleImpact.info().field_by_column("role_id").expect("a field").index;
        let role = Uuid::from_slice(&role).expect("an id");
        assert_eq!(impact.entity().expect("an entity").get(field), Value::Id(role));
        assert_eq!((role.get_version_num(), role.as_bytes()[0]), (7, 0));
    }
}

#[tokio::test]
async fn an_answer_that_is_lost_once_is_asked_for_again() {
    let (engine, [_, _, initiative]) = system().await;
    initiative.0.lock().expect("no panic").mishaps = VecDeque::from([Mishap::After]);
    let answer = send(&engine, None).await;
    assert_eq!(answer["data"]["applyChanges"]["applied"], true);
    assert_eq!(answer["data"]["applyChanges"]["warnings"], json!([]), "it is written now");
    assert_eq!((initiative.written().len(), initiative.attempts()), (1, 2));
}

#[tokio::test]
async fn another_input_under_a_name_is_refused_whichever_owners_it_goes_to() {
    let role = json!({"createRole": {"name": "role"}});
    let capability = json!({"createCapability": {"name": "capability"}});
    let initiative = json!({"createInitiative": {"name": "initiative"}});
    let other = json!({"createInitiative": {"name": "other"}});
    let cases = [
        (json!([role]), json!([capability])),
        (json!([role]), json!([{"createRole": {"name": "other"}}])),
        (json!([role]), json!([role, capability])),
        (json!([role, capability]), json!([role])),
        (json!([role, capability]), json!([initiative])),
        (json!([role, initiative]), json!([role, other])),
        (json!([role, initiative]), json!([role, initiative, capability])),
    ];
    let check = async |(first, second): (Json, Json)| {
        let (engine, owners) = system().await;
        let made = send_changes(&engine, Some("name"), first.clone()).await;
        assert_eq!(made["data"]["applyChanges"]["applied"], true, "{made}");
        let before: Vec<_> = owners.iter().map(|owner| owner.written().len()).collect();
        let refused = send_changes(&engine, Some("name"), second.clone()).await;
        let payload = &refused["data"]["applyChanges"];
        let path = ["input", "clientMutationId"];
        assert_eq!(payload["userErrors"], json!([{"code": "MUTATION_ID_REUSED", "path": path}]), "{first} {second}");
        assert_eq!((&payload["applied"], &payload["warnings"]), (&json!(false), &json!([])));
        assert!(steps(&refused).iter().all(|(_, status)| status == "NOT_ATTEMPTED"), "{refused}");
        assert!(outcomes(&refused).iter().all(|outcome| outcome == "NOT_ATTEMPTED"), "{refused}");
        assert_eq!(owners.iter().map(|owner| owner.written().len()).collect::<Vec<_>>(), before);
        // The same input is still the same, and another name is another batch.
        let again = send_changes(&engine, Some("name"), first).await;
        assert_eq!(again["data"]["applyChanges"]["applied"], true, "{again}");
        assert!(warning(&again).contains("nothing was written now"));
        assert_eq!(send_changes(&engine, Some("another"), second).await["data"]["applyChanges"]["applied"], true);
    };
    join_all(cases.map(check)).await;
}

#[tokio::test]
async fn a_name_that_is_taken_between_the_trial_and_the_writing_is_told_of_truly() {
    let (engine, [_, workforce, initiative]) = system().await;
    let changes = json!([{"createRole": {"name": "role"}}, {"createInitiative": {"name": "initiative"}}]);
    workforce.fail(Mishap::Taken);
    let refused = send_changes(&engine, Some("name"), changes.clone()).await;
    let both = |one: &str, other: &str| vec![("WORKFORCE".into(), one.into()), ("INITIATIVE".into(), other.into())];
    assert_eq!(steps(&refused), both("NOT_ATTEMPTED", "NOT_ATTEMPTED"), "{refused}");
    workforce.recover();
    initiative.fail(Mishap::Taken);
    let refused = send_changes(&engine, Some("name"), changes).await;
    assert_eq!(steps(&refused), both("APPLIED", "REFUSED"), "{refused}");
    assert_eq!(refused["data"]["applyChanges"]["userErrors"][0]["code"], "MUTATION_ID_REUSED");
}

#[tokio::test]
async fn an_owner_without_a_part_that_can_not_be_asked_is_in_nobodys_way() {
    let (mut engine, [_, workforce, _]) = system().await;
    engine.clients[2] = OwnerClient::new(Owner::Initiative, Endpoint::from_static("http://127.0.0.1:1").connect_lazy());
    let answer = send_changes(&engine, Some("name"), json!([{"createRole": {"name": "role"}}])).await;
    assert_eq!(answer["data"]["applyChanges"]["applied"], true, "{answer}");
    assert_eq!(workforce.written().len(), 1);
}

#[tokio::test]
async fn what_other_owners_keep_of_a_batch_does_not_depend_on_values_that_are_only_written() {
    let kept = async |respondent: &str, score: u8| {
        let (engine, [capability, ..]) = system().await;
        let changes = json!([
            {"createCapability": {"name": "capability"}},
            {"createPulseResponse": {"waveId": global_id::encode(Kind::PulseWave, Uuid::nil()), "respondent": respondent, "score": score}},
        ]);
        let answer = send_changes(&engine, Some("name"), changes).await;
        assert_eq!(answer["data"]["applyChanges"]["applied"], true, "{answer}");
        capability.written().remove(0).batch
    };
    let ada = kept("ada", 3).await;
    assert_eq!(ada.len(), 32);
    assert_eq!(ada, kept("ben", 3).await);
    assert_ne!(ada, kept("ada", 4).await);
}

#[tokio::test]
async fn data_that_changed_since_the_trial_stop_the_saga_where_it_is() {
    let (engine, [capability, workforce, initiative]) = system().await;
    capability.fail(Mishap::Refused);
    let answer = send(&engine, Some("name")).await;
    let payload = &answer["data"]["applyChanges"];
    let wanted = of([("WORKFORCE", "APPLIED"), ("CAPABILITY", "REFUSED"), ("INITIATIVE", "NOT_ATTEMPTED")]);
    assert_eq!(steps(&answer), wanted);
    assert_eq!(outcomes(&answer), ["NOT_ATTEMPTED", "NOT_ATTEMPTED", "CREATED", "REFUSED", "NOT_ATTEMPTED"]);
    assert_eq!(
        payload["userErrors"],
        json!([{"code": "TAKEN", "path": ["input", "changes", "3", "createCapability", "key"]}])
    );
    assert_eq!((payload["applied"].clone(), workforce.written().len(), initiative.attempts()), (json!(false), 1, 0));
    capability.recover();
    assert_eq!(send(&engine, Some("name")).await["data"]["applyChanges"]["applied"], true);
    assert_eq!(workforce.attempts(), 1);
}

#[tokio::test]
async fn an_owner_that_turns_the_caller_away_after_another_has_written_is_told_of() {
    let (engine, [capability, ..]) = system().await;
    capability.fail(Mishap::Forbidden);
    let answer = send(&engine, None).await;
    let wanted = of([("WORKFORCE", "APPLIED"), ("CAPABILITY", "REFUSED"), ("INITIATIVE", "NOT_ATTEMPTED")]);
    assert_eq!(steps(&answer), wanted);
    assert_eq!(answer["data"]["applyChanges"]["steps"][1]["message"], "not any more");
}

#[tokio::test]
async fn nothing_is_written_where_an_owner_can_not_be_asked_first() {
    let (mut engine, [capability, workforce, _]) = system().await;
    engine.clients[2] = OwnerClient::new(Owner::Initiative, Endpoint::from_static("http://127.0.0.1:1").connect_lazy());
    let answer = send(&engine, Some("name")).await;
    assert_eq!(
        (&answer["data"]["applyChanges"], &answer["errors"][0]["extensions"]["code"]),
        (&Json::Null, &json!("UNAVAILABLE"))
    );
    assert!(answer["errors"][0]["message"].as_str().is_some_and(|message| message.contains("nothing was written")));
    assert_eq!((capability.attempts(), workforce.attempts()), (0, 0));
}

#[tokio::test]
async fn the_ids_that_a_named_batch_makes_are_those_of_its_caller_and_name() {
    let (engine, [capability, ..]) = system().await;
    let name = Uuid::now_v7();
    send(&engine, Some(&name.to_string())).await;
    let made = capability.written().remove(0).commands.remove(0).target.expect("an id").by;
    let Some(target::By::Id(id)) = made else { panic!("an id") };
    assert_eq!(&id[..6], &name.as_bytes()[..6], "a name that bears a time gives it to the ids");
    assert_eq!(Uuid::from_slice(&id).expect("an id").get_version_num(), 7);
}
