//! Subscribers who come late: what the journal does not hold is read from the owner's own log.

use std::sync::Mutex;

use futures::{
    StreamExt,
    stream::{self, BoxStream},
};
use spil_proto::{
    capability::v1::service::capability_service_server::{CapabilityService, CapabilityServiceServer},
    changefeed::v1::{
        ApplyRequest, ApplyResponse, AuditRequest, AuditResponse, DigestRequest, DigestResponse, EraseRequest,
        EraseResponse, LogReadsRequest, LogReadsResponse, ReadLogRequest, ReadLogResponse, RedactRequest,
        RedactResponse, Revision, SnapshotRequest, SnapshotResponse, WatchRequest, WatchResponse,
    },
};
use tokio::net::TcpListener;
use tonic::{Request as Call, Response as Answer, Status, transport::Server};

use super::{
    subscription::{CHANGES, assert_quiet, capability, next, refusal, subscribe, write},
    *,
};

/// The log of an owner, from a revision on.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<Revision>>>);

impl Log {
    fn write(&self, engine: &Engine, name: &str) {
        let mut log = self.0.lock().expect("a log");
        let version = log.len() as i64 + 2;
        let records = vec![capability(1, name, version), capability(2, name, version)];
        log.push(write(engine, Owner::Capability, records));
    }

    fn trim(&self) {
        self.0.lock().expect("a log").clear();
    }
}

#[tonic::async_trait]
impl CapabilityService for Log {
    type SnapshotStream = BoxStream<'static, Result<SnapshotResponse, Status>>;
    type WatchStream = BoxStream<'static, Result<WatchResponse, Status>>;

    async fn watch(&self, call: Call<WatchRequest>) -> Result<Answer<Self::WatchStream>, Status> {
        assert_eq!(call.metadata().get("authorization").expect("a token"), "Bearer token", "the caller's own token");
        let after = call.into_inner().after.expect("a place");
        let log = self.0.lock().expect("a log").clone();
        let later = log.iter().position(|revision| revision.revision == after.revision + 1);
        let Some(later) = later.filter(|_| after.mark == after.revision) else {
            return Err(Status::out_of_range("trimmed"));
        };
        // A checkpoint, then pieces.
        let pieces = log[later..].chunks(2).map(<[Revision]>::to_vec);
        let messages: Vec<_> = [Vec::new()]
            .into_iter()
            .chain(pieces)
            .map(|revisions| Ok(WatchResponse { revisions, head: None }))
            .collect();
        Ok(Answer::new(stream::iter(messages).boxed()))
    }

    async fn apply(&self, _: Call<ApplyRequest>) -> Result<Answer<ApplyResponse>, Status> {
        Err(Status::unimplemented("apply"))
    }

    async fn snapshot(&self, _: Call<SnapshotRequest>) -> Result<Answer<Self::SnapshotStream>, Status> {
        Err(Status::unimplemented("snapshot"))
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

    async fn audit(&self, _: Call<AuditRequest>) -> Result<Answer<AuditResponse>, Status> {
        Err(Status::unimplemented("audit"))
    }

    async fn log_reads(&self, _: Call<LogReadsRequest>) -> Result<Answer<LogReadsResponse>, Status> {
        Err(Status::unimplemented("log_reads"))
    }

    async fn read_log(&self, _: Call<ReadLogRequest>) -> Result<Answer<ReadLogResponse>, Status> {
        Err(Status::unimplemented("read_log"))
    }
}

/// An owner that serves its log, and a way to it.
async fn owner() -> (Log, OwnerClient) {
    let log = Log::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    let incoming = stream::unfold(listener, |listener| async {
        Some((listener.accept().await.map(|(stream, _)| stream), listener))
    });
    let server = Server::builder().add_service(CapabilityServiceServer::new(log.clone()));
    tokio::spawn(server.serve_with_incoming(incoming));
    let channel = Endpoint::from_shared(address).expect("an address").connect_lazy();
    (log, OwnerClient::new(Owner::Capability, channel))
}

/// A gateway that has read everything anew: the same graph, and nothing in its journal.
fn restarted(engine: &Engine, client: &OwnerClient) -> Arc<Engine> {
    let live = Live::empty();
    let published = engine.live.load();
    live.publish(Published::new(published.graph.clone(), published.owners.clone()), Vec::new());
    let mut clients = engine.clients.clone();
    clients[0] = client.clone();
    Arc::new(Engine::new(SpilSchema::get().expect("a schema"), Arc::new(live), clients, Limits::default()))
}

fn change(mut answer: Json) -> (String, String) {
    assert!(answer.get("errors").is_none(), "{answer}");
    let change = answer["data"]["changes"].take();
    let text = |value: &Json| value.as_str().expect("a text").to_owned();
    (text(&change["record"]["name"]), text(&change["cursor"]))
}

#[tokio::test]
async fn a_subscriber_goes_on_at_another_gateway_where_it_left_off() {
    let (log, client) = owner().await;
    let first = restarted(&engine(&sample(), Limits::default()), &client);
    let mut stream = subscribe(&first, CHANGES, json!({})).await;
    let names: Vec<String> = (0..5).map(|number| number.to_string()).collect();
    names.iter().for_each(|name| log.write(&first, name));
    let second = restarted(&first, &client);
    let mut told = Vec::new();
    for _ in 0..names.len() * 2 {
        told.push(change(next(&mut stream).await));
    }
    assert_eq!(told.iter().map(|(name, _)| name.as_str()).collect::<String>(), "0011223344");
    for (at, (_, cursor)) in told.iter().enumerate() {
        let mut again = subscribe(&second, CHANGES, json!({"after": cursor})).await;
        for expected in &told[at + 1..] {
            assert_eq!(change(next(&mut again).await).0, expected.0, "after change {at}");
        }
        assert_quiet(&mut again);
    }
    // And from the log into the journal, without a gap.
    let mut again = subscribe(&second, CHANGES, json!({"after": told[2].1})).await;
    assert_eq!(change(next(&mut again).await).0, "1");
    log.write(&second, "5");
    log.write(&second, "6");
    let mut rest = String::new();
    for _ in 0..10 {
        rest.push_str(&change(next(&mut again).await).0);
    }
    assert_eq!(rest, "2233445566");
    assert_quiet(&mut again);
}

#[tokio::test]
async fn what_was_missed_while_an_owner_was_read_anew_is_told_too() {
    let (log, client) = owner().await;
    let gateway = restarted(&engine(&sample(), Limits::default()), &client);
    let mut stream = subscribe(&gateway, CHANGES, json!({})).await;
    assert_quiet(&mut stream);
    // The writes of another gateway's graph, of which this one reads the outcome only.
    let other = restarted(&gateway, &client);
    log.write(&other, "a");
    log.write(&other, "b");
    let read = other.live.load();
    gateway.live.publish(Published::new(read.graph.clone(), read.owners.clone()), Vec::new());
    log.write(&gateway, "c");
    let mut told = String::new();
    for _ in 0..6 {
        told.push_str(&change(next(&mut stream).await).0);
    }
    assert_eq!(told, "aabbcc");
    // What can not be had any more ends the subscription.
    log.write(&other, "x");
    log.trim();
    let read = other.live.load();
    let mut owners = read.owners.clone();
    owners[0].cursor.as_mut().expect("a place").revision += 9;
    gateway.live.publish(Published::new(read.graph.clone(), owners), Vec::new());
    let last = next(&mut stream).await;
    assert_eq!(last["errors"][0]["extensions"]["code"], "CURSOR_EXPIRED", "{last}");
    assert!(stream.next().await.is_none(), "it is over");
}

#[tokio::test]
async fn a_place_that_is_not_there_any_more_is_refused() {
    let (log, client) = owner().await;
    let gateway = restarted(&engine(&sample(), Limits::default()), &client);
    let start = gateway.live.load().token().to_owned();
    log.write(&gateway, "a");
    let later = restarted(&gateway, &client);
    log.trim();
    let mut stream = subscribe(&later, CHANGES, json!({"after": start})).await;
    let last = next(&mut stream).await;
    assert_eq!(last["errors"][0]["extensions"]["code"], "CURSOR_EXPIRED", "{last}");
    assert_eq!(last["errors"][0]["extensions"]["cursor"], start, "nothing was told");
    let mut owners = gateway.live.load().owners.clone();
    owners[1].cursor.as_mut().expect("a place").store_id = vec![8; 16];
    let elsewhere = Published::new(gateway.live.load().graph.clone(), owners).token().to_owned();
    assert_eq!(refusal(&later, CHANGES, json!({"after": elsewhere})).await, "CURSOR_EXPIRED");
    let mut owners = gateway.live.load().owners.clone();
    owners[1].cursor.as_mut().expect("a place").revision += 1;
    let ahead = Published::new(gateway.live.load().graph.clone(), owners).token().to_owned();
    assert_eq!(refusal(&later, CHANGES, json!({"after": ahead})).await, "NOT_READY");
}

#[tokio::test]
async fn an_owner_that_is_down_ends_the_subscription_with_the_place_to_go_on_from() {
    let (log, client) = owner().await;
    let gateway = restarted(&engine(&sample(), Limits::default()), &client);
    let start = gateway.live.load().token().to_owned();
    log.write(&gateway, "a");
    let nowhere = Endpoint::from_static("http://127.0.0.1:1").connect_lazy();
    let later = restarted(&gateway, &OwnerClient::new(Owner::Capability, nowhere));
    let mut stream = subscribe(&later, CHANGES, json!({"after": start})).await;
    let last = next(&mut stream).await;
    assert_eq!(last["errors"][0]["extensions"]["code"], "UNAVAILABLE", "{last}");
    let cursor = &last["errors"][0]["extensions"]["cursor"];
    let mut again = subscribe(&restarted(&gateway, &client), CHANGES, json!({"after": cursor})).await;
    assert_eq!(change(next(&mut again).await).0, "a");
}

#[tokio::test]
async fn whom_the_journal_leaves_behind_is_told_so_and_goes_on() {
    let (log, client) = owner().await;
    let gateway = restarted(&engine(&sample(), Limits::default()), &client);
    let (mut slow, mut quick) =
        (subscribe(&gateway, CHANGES, json!({})).await, subscribe(&gateway, CHANGES, json!({})).await);
    log.write(&gateway, "a");
    assert_eq!(change(next(&mut slow).await).0, "a");
    assert_eq!(change(next(&mut quick).await).0, "a");
    assert_eq!(change(next(&mut quick).await).0, "a");
    log.write(&gateway, "b");
    assert_eq!(change(next(&mut quick).await).0, "b");
    assert_eq!(change(next(&mut quick).await).0, "b");
    // More than the journal keeps at once.
    let flood: Vec<_> = (0..66_000).map(|number| capability(1, "c", number + 2)).collect();
    write(&gateway, Owner::Capability, flood);
    assert_eq!(change(next(&mut quick).await).0, "c", "others are not concerned");
    assert_eq!(change(next(&mut slow).await).0, "a", "what is at hand is told");
    let last = next(&mut slow).await;
    assert_eq!(last["errors"][0]["extensions"]["code"], "SUBSCRIBER_TOO_SLOW", "{last}");
    let cursor = &last["errors"][0]["extensions"]["cursor"];
    let mut again = subscribe(&gateway, CHANGES, json!({"after": cursor})).await;
    assert_eq!(change(next(&mut again).await).0, "b");
}
