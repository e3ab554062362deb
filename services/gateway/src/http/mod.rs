//! The front door: GraphQL over HTTP, the schema, GraphiQL, and whether the service is well.

mod console;
mod graphql;
mod health;

use std::{io, net::TcpListener, sync::Arc, time::Duration};

use actix_web::{
    App, HttpServer,
    dev::Server,
    http::{KeepAlive, header},
    middleware::DefaultHeaders,
    web,
};
use spil_auth::Verifier;

use crate::graphql::{Engine, schema::SpilSchema};

/// The most bytes of a request.
pub const MAX_BODY_BYTES: usize = 1 << 20;
/// How long a client may take to send the head of a request.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(10);

/// What the handlers share.
struct State {
    engine: Engine,
    verifier: Verifier,
    schema: &'static SpilSchema,
}

/// How the front door is set up.
#[derive(Clone, Copy, Debug)]
pub struct HttpConfig {
    /// How many threads answer.
    pub workers: usize,
    /// How long requests that are under way may take when the service is asked to stop.
    pub drain: Duration,
}

/// Starts to serve on a listening socket. The server stops, after it has answered what is under way, when its handle is told to.
///
/// # Errors
/// If the socket can not be served.
pub fn serve(
    listener: TcpListener,
    engine: Engine,
    verifier: Verifier,
    schema: &'static SpilSchema,
    config: HttpConfig,
) -> io::Result<Server> {
    let state = web::Data::from(Arc::new(State { engine, verifier, schema }));
    let server = HttpServer::new(move || {
        App::new()
            .app_data(state.clone())
            .app_data(web::PayloadConfig::new(MAX_BODY_BYTES))
            .wrap(DefaultHeaders::new().add((header::X_CONTENT_TYPE_OPTIONS, "nosniff")))
            .service(
                web::resource("/graphql")
                    .route(web::post().to(graphql::post))
                    .route(web::get().to(graphql::get))
                    .default_service(web::to(graphql::other_method)),
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
    .shutdown_timeout(config.drain.as_secs())
    .disable_signals()
    .listen(listener)?
    .run();
    Ok(server)
}
