//! The calls over gRPC.

use std::time::Duration;

use spil_auth::Permission;
use spil_changefeed::routes;
use spil_proto::{
    changefeed::v1::{SnapshotRequest, WatchRequest},
    model::Owner,
    owner::OwnerClient,
};
use tonic::Code;

use crate::{
    database::Database,
    owner::{TestOwner, batch, create},
    sample::capability,
};

pub(crate) async fn calls_need_a_token_and_permission(database: Database) {
    let owner = TestOwner::new(&database, Owner::Capability).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
    let routes = routes([owner.service.clone()]);
    let server = tokio::spawn(tonic::transport::Server::builder().add_routes(routes).serve_with_incoming(incoming));
    let channel = tonic::transport::Endpoint::from_shared(format!("http://{address}")).expect("an address");
    let mut client = OwnerClient::new(Owner::Capability, channel.connect().await.expect("connected"));

    let sign = |permissions: &[Permission]| {
        owner.signer.sign("somebody", permissions, Duration::from_secs(60)).expect("a token")
    };
    let (reader, writer) = (sign(&[Permission::Follow]), sign(&[Permission::Write]));
    let request = || batch(vec![create(capability(None, "A"))]);

    let code = |result: Result<(), tonic::Status>| result.expect_err("refused").code();
    assert_eq!(code(client.apply("nonsense", request()).await.map(drop)), Code::Unauthenticated);
    assert_eq!(code(client.apply(&reader, request()).await.map(drop)), Code::PermissionDenied);
    assert_eq!(code(client.digest(&writer).await.map(drop)), Code::PermissionDenied);
    assert_eq!(code(client.snapshot(&writer, SnapshotRequest::default()).await.map(drop)), Code::PermissionDenied);
    assert_eq!(code(client.watch(&writer, WatchRequest::default()).await.map(drop)), Code::PermissionDenied);
    assert_eq!(code(client.watch(&reader, WatchRequest::default()).await.map(drop)), Code::InvalidArgument);
    let foreign = SnapshotRequest { kinds: vec![24] };
    assert_eq!(code(client.snapshot(&reader, foreign).await.map(drop)), Code::InvalidArgument);

    let answer = client.apply(&writer, request()).await.expect("applied");
    let cursor = answer.cursor.expect("a cursor");
    let digest = client.digest(&reader).await.expect("a digest");
    assert_eq!(digest.cursor, Some(cursor.clone()));
    let mut snapshot = client.snapshot(&reader, SnapshotRequest { kinds: vec![2] }).await.expect("a snapshot");
    let first = snapshot.message().await.expect("a part").expect("a part");
    assert_eq!((first.cursor, first.total), (Some(cursor.clone()), 1));

    let mut zero = cursor.clone();
    (zero.revision, zero.mark) = (0, 0);
    let mut changes = client.watch(&reader, WatchRequest { after: Some(zero) }).await.expect("a stream");
    let revision = loop {
        let message = changes.message().await.expect("a message").expect("a message");
        if let Some(revision) = message.revisions.into_iter().next() {
            break revision;
        }
    };
    assert_eq!((revision.actor.as_str(), revision.source.as_str()), ("somebody", "test"));
    assert_eq!(revision.mark, cursor.mark);
    let mut far = cursor;
    far.revision = 9;
    assert_eq!(code(client.watch(&reader, WatchRequest { after: Some(far) }).await.map(drop)), Code::OutOfRange);
    server.abort();
}
