//! GraphQL over WebSocket: the subprotocol `graphql-transport-ws`.

mod close;
mod connection;
mod message;
mod outgoing;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web::{self, Payload},
};

use self::{close::Close, connection::Connection, outgoing::Outgoing};
use super::{State, accept::Media, challenge, graphql, origin, purpose, streams::Place};

/// The one subprotocol that is spoken.
const SUBPROTOCOL: &str = "graphql-transport-ws";

/// Whether a request asks for a WebSocket.
pub(super) fn is_upgrade(head: &actix_web::dev::RequestHead) -> bool {
    head.headers()
        .get(header::UPGRADE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.split(',').any(|name| name.trim().eq_ignore_ascii_case("websocket")))
}

/// Opens a WebSocket. A token in the header counts until the client shows another; one that is no good is refused at once.
pub(super) async fn open(
    http: HttpRequest,
    payload: Payload,
    state: web::Data<State>,
) -> Result<HttpResponse, actix_web::Error> {
    if !state.origins.allow(&http) {
        return Ok(HttpResponse::Forbidden()
            .content_type("text/plain; charset=utf-8")
            .body("pages of this origin may not open a socket here"));
    }
    let known = if http.headers().contains_key(header::AUTHORIZATION) {
        match challenge::authenticate(&http, &state.verifier).await {
            Ok(known) => Some(known),
            Err(error) => return Ok(challenge::unauthenticated(error, Media::Json)),
        }
    } else {
        None
    };
    let purpose = match purpose::of(&http) {
        Ok(purpose) => purpose,
        Err(error) => return Ok(graphql::body_refused(StatusCode::BAD_REQUEST, error, Media::Json)),
    };
    let subject = known.as_ref().map(|(caller, _)| caller.subject());
    let Some(Place { permit, stopping }) = state.streams.enter(subject) else { return Ok(full()) };
    let identity = permit.identity();
    let (response, session, incoming) = actix_ws::handle_with_protocols(&http, payload, &[SUBPROTOCOL])?;
    let (outgoing, response) = Outgoing::new(session, response, permit);
    if !response.headers().contains_key(header::SEC_WEBSOCKET_PROTOCOL) {
        // The reason can be told only over a socket that is open.
        outgoing.close(Some(Close::SubprotocolNotAcceptable.reason())).await;
        return Ok(response);
    }
    let bytes = state.limits.body_bytes;
    let incoming = incoming.max_frame_size(bytes).aggregate_continuations().max_continuation_size(bytes);
    let connection = Connection::new(state.into_inner(), (known, purpose), incoming, outgoing, (identity, stopping));
    actix_web::rt::spawn(connection.from(origin::of(&http)).run());
    Ok(response)
}

/// Says that there is no place for one more connection that lasts.
pub(super) fn full() -> HttpResponse {
    HttpResponse::ServiceUnavailable()
        .insert_header((header::RETRY_AFTER, "5"))
        .content_type("text/plain; charset=utf-8")
        .body("too many sockets and event streams are open; try again later")
}
