//! A thousand subscribers and two hundred changes: how many events a second, how long after the owner wrote, how much memory.
#![allow(clippy::panic, clippy::print_stdout, reason = "a bench prints figures, and one that can not go on says so")]

use std::{
    fs,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures::{
    StreamExt,
    future::join_all,
    stream::{self, BoxStream},
};
use spil_auth::{Caller, Permission};
use spil_gateway::{
    follow::{FeedToken, FeedTokenError, Followers},
    graphql::{Allowed, Engine, Request, Started, limits::Limits, schema::SpilSchema},
    live::Live,
};
use spil_proto::{
    capability::v1::service::capability_service_server::{CapabilityService, CapabilityServiceServer},
    changefeed::v1::{
        ApplyRequest, ApplyResponse, AuditRequest, AuditResponse, Change, Cursor, DigestRequest, DigestResponse,
        EraseRequest, EraseResponse, LogReadsRequest, LogReadsResponse, ReadLogRequest, ReadLogResponse, Record,
        RedactRequest, RedactResponse, Revision, SnapshotRequest, SnapshotResponse, WatchRequest, WatchResponse,
    },
    initiative::v1::service::initiative_service_server::{InitiativeService, InitiativeServiceServer},
    model::{Kind, Owner, Value, field},
    owner::OwnerClient,
    workforce::v1::service::{
        DueRequest, DueResponse, NamesOfRequest, NamesOfResponse, WhoIsRequest, WhoIsResponse,
        workforce_service_server::{WorkforceService, WorkforceServiceServer},
    },
};
use tokio::{net::TcpListener, sync::watch};
use tonic::{
    Request as Call, Response as Answer, Status,
    transport::{Endpoint, Server},
};
use uuid::Uuid;

const SUBSCRIBERS: usize = 1000;
const CHANGES: usize = 200;

/// An owner whose log grows when the bench says so.
#[derive(Clone)]
struct Log {
    revisions: Arc<Mutex<Vec<Revision>>>,
    head: watch::Sender<u64>,
}

impl Log {
    fn new() -> Self {
        Self { revisions: Arc::default(), head: watch::Sender::new(0) }
    }

    fn write(&self, records: Vec<Record>) {
        let mut revisions = self.revisions.lock().unwrap_or_else(PoisonError::into_inner);
        let revision = revisions.len() as u64 + 1;
        let changes = records.into_iter().map(|record| Change { record: Some(record), ..Default::default() }).collect();
        revisions.push(Revision { revision, mark: revision, changes, ..Default::default() });
        self.head.send_replace(revision);
    }

    fn snapshot(&self) -> BoxStream<'static, Result<SnapshotResponse, Status>> {
        let cursor = Some(Cursor { store_id: vec![1; 16], epoch: 1, revision: 0, mark: 0 });
        stream::iter([Ok(SnapshotResponse { cursor, complete: true, ..Default::default() })]).boxed()
    }

    fn watch(&self, after: u64) -> BoxStream<'static, Result<WatchResponse, Status>> {
        let state = (self.clone(), self.head.subscribe(), after);
        stream::unfold(state, |(log, mut head, after)| async move {
            // A checkpoint where nothing happens for a second.
            let _ = tokio::time::timeout(Duration::from_secs(1), head.wait_for(|head| *head > after)).await;
            let revisions = {
                let all = log.revisions.lock().unwrap_or_else(PoisonError::into_inner);
                all.get(after as usize..).unwrap_or_default().to_vec()
            };
            let at = after + revisions.len() as u64;
            Some((Ok(WatchResponse { revisions, head: None }), (log, head, at)))
        })
        .boxed()
    }
}

macro_rules! serve {
    ($service:ident $(, $more:item)*) => {
        #[tonic::async_trait]
        impl $service for Log {
            type SnapshotStream = BoxStream<'static, Result<SnapshotResponse, Status>>;
            type WatchStream = BoxStream<'static, Result<WatchResponse, Status>>;

            async fn snapshot(&self, _: Call<SnapshotRequest>) -> Result<Answer<Self::SnapshotStream>, Status> {
                Ok(Answer::new(Log::snapshot(self)))
            }

            async fn watch(&self, call: Call<WatchRequest>) -> Result<Answer<Self::WatchStream>, Status> {
                let after = call.into_inner().after.map_or(0, |cursor| cursor.revision);
                Ok(Answer::new(Log::watch(self, after)))
            }

            async fn apply(&self, _: Call<ApplyRequest>) -> Result<Answer<ApplyResponse>, Status> {
                Err(Status::unimplemented("apply"))
            }

            async fn audit(&self, _: Call<AuditRequest>) -> Result<Answer<AuditResponse>, Status> {
                Err(Status::unimplemented("audit"))
            }

            async fn log_reads(&self, _: Call<LogReadsRequest>) -> Result<Answer<LogReadsResponse>, Status> {
                Err(Status::unimplemented("log_reads"))
            }

            async fn read_log(&self, _: Call<ReadLogRequest>) -> Result<Answer<ReadLogResponse>, Status> {
                Err(Status::unimplemented("read_log"))
            }

            async fn digest(&self, _: Call<DigestRequest>) -> Result<Answer<DigestResponse>, Status> {
                Err(Status::unimplemented("digest"))
            }

            async fn erase(&self, _: Call<EraseRequest>) -> Result<Answer<EraseResponse>, Status> {
                Err(Status::unimplemented("erase"))
            }

            async fn redact(&self, _: Call<RedactRequest>) -> Result<Answer<RedactResponse>, Status> {
                Err(Status::unimplemented("redact"))
            }

            $($more)*
        }
    };
}

serve!(CapabilityService);
serve!(
    WorkforceService,
    async fn who_is(&self, _: Call<WhoIsRequest>) -> Result<Answer<WhoIsResponse>, Status> {
        Err(Status::unimplemented("who_is"))
    },
    async fn names_of(&self, _: Call<NamesOfRequest>) -> Result<Answer<NamesOfResponse>, Status> {
        Err(Status::unimplemented("names_of"))
    },
    async fn due(&self, _: Call<DueRequest>) -> Result<Answer<DueResponse>, Status> {
        Err(Status::unimplemented("due"))
    }
);
serve!(InitiativeService);

struct Token;

impl FeedToken for Token {
    fn feed_token(&self) -> Result<String, FeedTokenError> {
        Ok("token".to_owned())
    }
}

/// An engine that follows a log.
async fn engine(log: &Log) -> (Arc<Engine>, Followers) {
    let idle = Log::new();
    let server = Server::builder()
        .add_service(CapabilityServiceServer::new(log.clone()))
        .add_service(WorkforceServiceServer::new(idle.clone()))
        .add_service(InitiativeServiceServer::new(idle));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap_or_else(|error| panic!("no port: {error}"));
    let address = listener.local_addr().map(|address| format!("http://{address}")).unwrap_or_default();
    let incoming = stream::unfold(listener, |listener| async {
        Some((listener.accept().await.map(|(stream, _)| stream), listener))
    });
    tokio::spawn(server.serve_with_incoming(incoming));
    let channel = Endpoint::from_shared(address).unwrap_or_else(|error| panic!("{error}")).connect_lazy();
    let clients = Owner::ALL.map(|owner| OwnerClient::new(owner, channel.clone()));
    let live = Arc::new(Live::empty());
    let followers = Followers::start(Arc::clone(&live), clients.clone(), Arc::new(Token));
    let loaded = live.wait_for(Duration::from_secs(30), |published| published.is_complete()).await;
    assert!(loaded.is_some(), "the graph was not loaded");
    let schema = SpilSchema::get().unwrap_or_else(|error| panic!("{error}"));
    (
        Arc::new(Engine::new(schema, live, clients, Limits { subscriptions_each: SUBSCRIBERS, ..Limits::default() })),
        followers,
    )
}

fn capability(number: u64, version: u64) -> Record {
    let mut record = Record::empty(Kind::Capability);
    let Some(entity) = record.entity_mut() else { panic!("no entity") };
    let mut set = |field, value| entity.set(field, value).unwrap_or_else(|error| panic!("{error}"));
    set(field::ID, Value::Id(Uuid::from_u128(u128::from(number) + 1)));
    set(field::NAME, Value::Text(format!("Capability {number}, written {version} times").into()));
    set(field::DESCRIPTION, Value::Text("Some words that say what it is. ".repeat(8).into()));
    set(field::VERSION, Value::Int(i64::try_from(version).unwrap_or(i64::MAX)));
    set(field::UPDATED_AT, Value::DateTime(i64::try_from(version).unwrap_or(i64::MAX)));
    record
}

/// Memory in use by this process, in bytes.
fn memory() -> u64 {
    let pages = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    pages.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or_default() * 4096
}

/// Subscribers who ask something, and what each of them has read when it has read enough: when each answer came.
async fn run(name: &str, query: impl Fn(usize) -> String, pause: Duration) {
    let log = Log::new();
    let (engine, _followers) = engine(&log).await;
    let caller = Caller::new("bench", Permission::ALL);
    let before = memory();
    let mut readers = Vec::with_capacity(SUBSCRIBERS);
    for number in 0..SUBSCRIBERS {
        let request: Request = serde_json::from_value(serde_json::json!({"query": query(number)}))
            .unwrap_or_else(|error| panic!("{error}"));
        let Started::Stream(mut stream) = engine.start(&caller, "token", request, Allowed::Everything).await else {
            panic!("refused")
        };
        readers.push(tokio::spawn(async move {
            let mut times = Vec::with_capacity(CHANGES);
            while times.len() < CHANGES {
                let Some(response) = stream.next().await else { panic!("it ended") };
                let place = response.body.windows(8).position(|window| window == b"written ");
                let digits = place.and_then(|place| response.body.get(place + 8..)).unwrap_or_default();
                let digits: String =
                    digits.iter().take_while(|digit| digit.is_ascii_digit()).map(|digit| char::from(*digit)).collect();
                assert_eq!(digits.parse::<usize>().ok(), Some(times.len() + 1), "in order");
                times.push(Instant::now());
            }
            times
        }));
    }
    let began = Instant::now();
    let mut written = Vec::with_capacity(CHANGES);
    for version in 1..=CHANGES as u64 {
        log.write(vec![capability(7, version)]);
        written.push(Instant::now());
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
    }
    let read = join_all(readers).await;
    let took = began.elapsed();
    let mut delays: Vec<Duration> = read
        .into_iter()
        .flat_map(|times| times.unwrap_or_else(|error| panic!("{error}")))
        .zip(written.iter().cycle())
        .map(|(came, written)| came.saturating_duration_since(*written))
        .collect();
    delays.sort_unstable();
    let at = |share: usize| delays.get(delays.len() * share / 1000).copied().unwrap_or_default();
    let (events, seconds) = (SUBSCRIBERS * CHANGES, took.as_secs_f64());
    println!(
        "{name}: {events} events in {seconds:.2} s, {:.0} a second; delay p50 {:.1?}, p99 {:.1?}; {:.1} MiB more memory",
        events as f64 / seconds,
        at(500),
        at(990),
        memory().saturating_sub(before) as f64 / f64::from(1 << 20),
    );
}

#[tokio::main]
async fn main() {
    let same = "subscription { changes { cursor kind id action version fields record { name description } } }";
    let other = |number: usize| same.replacen("name", &format!("n{number}: name"), 1);
    run("all ask the same, as fast as the owner writes", |_| same.to_owned(), Duration::ZERO).await;
    run("all ask the same, a change every 10 ms", |_| same.to_owned(), Duration::from_millis(10)).await;
    run("everybody asks something else, a change every 25 ms", other, Duration::from_millis(25)).await;
}
