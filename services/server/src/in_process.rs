//! Owners in the same process are reached as owners elsewhere are: by gRPC, over a pipe in memory instead of a socket.

use std::io;

use hyper_util::rt::TokioIo;
use tokio::{io::DuplexStream, sync::mpsc, task::JoinHandle};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{
    service::Routes,
    transport::{Channel, Endpoint, Server, Uri},
};

/// The bytes that a pipe holds before the writer waits.
const PIPE_BYTES: usize = 1 << 20;

/// Serves an owner in memory until it is told to stop.
pub(crate) fn serve(
    routes: Routes,
    stop: CancellationToken,
) -> (Channel, JoinHandle<Result<(), tonic::transport::Error>>) {
    let (sender, receiver) = mpsc::channel::<Result<DuplexStream, io::Error>>(16);
    let server = tokio::spawn(
        Server::builder()
            .initial_stream_window_size(4 << 20)
            .initial_connection_window_size(8 << 20)
            .add_routes(routes)
            .serve_with_incoming_shutdown(ReceiverStream::new(receiver), stop.cancelled_owned()),
    );
    let connect = tower::service_fn(move |_: Uri| {
        let sender = sender.clone();
        async move {
            let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
            sender.send(Ok(theirs)).await.map_err(|_| io::Error::from(io::ErrorKind::ConnectionRefused))?;
            Ok::<_, io::Error>(TokioIo::new(ours))
        }
    });
    let channel = Endpoint::from_static("http://in-process")
        .initial_stream_window_size(4 << 20)
        .initial_connection_window_size(8 << 20)
        .connect_with_connector_lazy(connect);
    (channel, server)
}
