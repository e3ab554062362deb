//! The front door: GraphQL over HTTP, over WebSocket and over server-sent events, the schema, GraphiQL, and whether the service is
//! well.

mod accept;
mod body;
mod challenge;
mod compress;
mod conditional;
mod console;
mod graphql;
mod health;
mod operations;
mod origin;
mod origins;
mod purpose;
mod sse;
mod streams;
mod ws;

use std::{io, net::TcpListener, sync::Arc, thread, time::Duration};

use actix_web::{
    App,
    dev::{Server, ServerHandle},
    guard,
    http::{KeepAlive, header},
    middleware::{Compress, Condition, DefaultHeaders, from_fn},
    web,
};
#[cfg(target_os = "linux")]
use socket2::SockRef;
use spil_auth::Verifier;

use self::{sse::Reservations, streams::Streams};
use crate::graphql::{Engine, schema::SpilSchema};

pub use origins::{Origins, OriginsError};

/// How long a client may take to send the head of a request.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a client may take nothing of an answer before the connection is cut, however it is used.
#[cfg(target_os = "linux")]
const UNREAD_LIMIT: Duration = Duration::from_secs(30);

/// What the handlers share.
struct State {
    engine: Arc<Engine>,
    verifier: Verifier,
    schema: &'static SpilSchema,
    limits: HttpLimits,
    origins: Origins,
    streams: Streams,
    reservations: Reservations,
}

/// How much one HTTP request may bring.
#[derive(Clone, Copy, Debug)]
pub struct HttpLimits {
    /// The most bytes of a body.
    pub body_bytes: usize,
    /// The most requests of a batch; 1 where no batch is wanted.
    pub batch: usize,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self { body_bytes: 1 << 20, batch: 20 }
    }
}

/// How the front door is set up.
#[derive(Clone, Debug)]
pub struct HttpConfig {
    /// How many threads answer.
    pub workers: usize,
    /// How much one request may bring.
    pub limits: HttpLimits,
    /// The origins whose web pages may ask.
    pub origins: Origins,
    /// How long requests that are under way may take when the service is asked to stop.
    pub drain: Duration,
    /// How many WebSockets and event streams may be open at once.
    pub max_streams: usize,
}

/// A running server.
pub struct HttpServer {
    handle: ServerHandle,
    thread: thread::JoinHandle<()>,
    state: Arc<State>,
}

impl HttpServer {
    /// Serves on a listening socket, on threads of its own.
    ///
    /// # Errors
    /// If the socket can not be served.
    pub fn start(
        listener: TcpListener,
        engine: Engine,
        verifier: Verifier,
        schema: &'static SpilSchema,
        config: HttpConfig,
    ) -> io::Result<Self> {
        let state = Arc::new(State {
            engine: Arc::new(engine),
            verifier,
            schema,
            limits: config.limits,
            origins: config.origins.clone(),
            streams: Streams::new(config.max_streams),
            reservations: Reservations::default(),
        });
        let data = web::Data::from(Arc::clone(&state));
        let (sender, receiver) = std::sync::mpsc::channel();
        let thread = thread::Builder::new().name("http".to_owned()).spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                match serve(listener, data, &config) {
                    Ok(server) => {
                        let _ = sender.send(Ok(server.handle()));
                        if let Err(error) = server.await {
                            tracing::error!(%error, "the HTTP server failed");
                        }
                    }
                    Err(error) => {
                        let _ = sender.send(Err(error));
                    }
                }
            });
        })?;
        let handle = receiver.recv().map_err(|_| io::Error::other("the HTTP server ended at once"))??;
        Ok(Self { handle, thread, state })
    }

    /// Takes no more requests, ends what would last, answers what is under way, and ends.
    pub async fn stop(self) {
        self.state.streams.stop();
        self.handle.stop(true).await;
        // The thread ends by itself once the server has.
        let _ = tokio::task::spawn_blocking(move || self.thread.join()).await;
    }
}

fn serve(listener: TcpListener, state: web::Data<State>, config: &HttpConfig) -> io::Result<Server> {
    // Connections have it from the socket that takes them. Nothing else ends one to a client that does not read: what is to go
    // out waits for the socket, and the socket for the client.
    #[cfg(target_os = "linux")]
    SockRef::from(&listener).set_tcp_user_timeout(Some(UNREAD_LIMIT))?;
    let server = actix_web::HttpServer::new(move || {
        App::new()
            .app_data(state.clone())
            .wrap(from_fn(compress::spare))
            .wrap(Compress::default())
            .wrap(from_fn(compress::unmark))
            .wrap(Condition::new(state.origins.has_others(), state.origins.cors()))
            .wrap(DefaultHeaders::new().add((header::X_CONTENT_TYPE_OPTIONS, "nosniff")))
            .service(
                web::resource("/graphql")
                    .route(web::get().guard(guard::fn_guard(|request| ws::is_upgrade(request.head()))).to(ws::open))
                    .route(web::post().guard(guard::fn_guard(|request| sse::is_wanted(request.head()))).to(sse::post))
                    .route(web::get().guard(guard::fn_guard(|request| sse::is_wanted(request.head()))).to(sse::get))
                    .route(web::post().to(graphql::post))
                    .route(web::get().to(graphql::get))
                    .default_service(web::to(graphql::other_method)),
            )
            .service(
                web::resource("/graphql/stream")
                    .route(web::post().to(sse::post))
                    .route(web::get().to(sse::get))
                    .route(web::put().to(sse::put))
                    .route(web::delete().to(sse::delete))
                    .default_service(web::to(sse::other_method)),
            )
            .route("/schema.graphql", web::get().to(graphql::schema))
            .route("/livez", web::get().to(health::live))
            .route("/readyz", web::get().to(health::ready))
            .route("/", web::get().to(console::root))
            .route("/graphiql", web::get().to(console::page))
            .route("/graphiql/{file:.*}", web::get().to(console::file))
    })
    .workers(config.workers)
    .keep_alive(KeepAlive::Timeout(Duration::from_secs(75)))
    .client_request_timeout(CLIENT_TIMEOUT)
    // Who hangs up does not want the answer any more.
    .h1_allow_half_closed(false)
    .shutdown_timeout(config.drain.as_secs())
    .disable_signals()
    .listen(listener)?
    .run();
    Ok(server)
}
