//! GraphQL over server-sent events: an event stream for each operation, or one for all operations of a client.

mod event;
mod feed;
mod single;

use std::sync::Arc;

use actix_web::{
    HttpRequest, HttpResponse,
    dev::RequestHead,
    http::{StatusCode, header},
    web::{self, Payload},
};
use futures::StreamExt;
pub(super) use single::Reservations;
use spil_auth::Caller;

use super::{
    State,
    accept::{self, Media},
    body::{self, Body},
    challenge::{authenticate, unauthenticated},
    graphql::{self, Parameters},
    operations, purpose, ws,
};
use crate::graphql::{Allowed, Request};

/// Whether a client asks for an event stream.
pub(super) fn is_wanted(head: &RequestHead) -> bool {
    accept::prefers_events(head.headers())
}

/// Runs a request sent by POST: over the stream that was reserved, if one is named, and else over one of its own.
pub(super) async fn post(http: HttpRequest, mut payload: Payload, state: web::Data<State>) -> HttpResponse {
    let media = Media::of(&http).unwrap_or(Media::Json);
    let (caller, token) = match authenticate(&http, &state.verifier).await {
        Ok(known) => known,
        Err(error) => return unauthenticated(error, media),
    };
    let purpose = match purpose::of(&http) {
        Ok(purpose) => purpose,
        Err(error) => return graphql::body_refused(StatusCode::BAD_REQUEST, error, media),
    };
    let request = match body::read(&http, &mut payload, state.limits.body_bytes, 1).await {
        Ok(Body::One(request)) => Request { purpose, ..*request },
        Ok(Body::Many(_)) => return plain(StatusCode::BAD_REQUEST, "a stream takes one request at a time"),
        Err((status, error)) => return graphql::body_refused(status, error, media),
    };
    match single::named(&http) {
        Some(name) => single::run(&state, &name, caller, token, request, media).await,
        None => distinct(&http, &state, caller, token, request, Allowed::Everything),
    }
}

/// Runs a request sent by GET, or opens the stream that was reserved.
pub(super) async fn get(http: HttpRequest, state: web::Data<State>) -> HttpResponse {
    if let Some(name) = single::named(&http) {
        return single::open(&http, &state, &name).await;
    }
    let media = Media::of(&http).unwrap_or(Media::Json);
    let (caller, token) = match authenticate(&http, &state.verifier).await {
        Ok(known) => known,
        Err(error) => return unauthenticated(error, media),
    };
    let purpose = match purpose::of(&http) {
        Ok(purpose) => purpose,
        Err(error) => return graphql::body_refused(StatusCode::BAD_REQUEST, error, media),
    };
    match Parameters::read(&http) {
        Ok(request) => distinct(&http, &state, caller, token, Request { purpose, ..request }, Allowed::Queries),
        Err(error) => graphql::answer(crate::graphql::refused(&[error]), media),
    }
}

/// Reserves a stream.
pub(super) async fn put(http: HttpRequest, state: web::Data<State>) -> HttpResponse {
    match authenticate(&http, &state.verifier).await {
        Ok((caller, _)) => single::reserve(&state, caller),
        Err(error) => unauthenticated(error, Media::Json),
    }
}

/// Ends an operation of a reserved stream.
pub(super) async fn delete(http: HttpRequest, state: web::Data<State>) -> HttpResponse {
    let caller = match authenticate(&http, &state.verifier).await {
        Ok((caller, _)) => caller,
        Err(error) => return unauthenticated(error, Media::Json),
    };
    match single::named(&http) {
        Some(name) => single::end(&http, &state, &name, &caller).await,
        None => plain(StatusCode::NOT_FOUND, "name the stream of the operation"),
    }
}

/// Refuses other methods.
pub(super) async fn other_method() -> HttpResponse {
    let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "streams are asked by POST, GET, PUT or DELETE");
    let methods = header::HeaderValue::from_static("GET, POST, PUT, DELETE");
    response.headers_mut().insert(header::ALLOW, methods);
    response
}

/// A stream for one operation. What keeps the operation from being run is told as an event, since a browser does not show a page
/// what comes with an error status.
fn distinct(
    http: &HttpRequest,
    state: &web::Data<State>,
    caller: Caller,
    token: String,
    request: Request,
    allowed: Allowed,
) -> HttpResponse {
    if !accept::takes_events(http.headers()) {
        return plain(StatusCode::NOT_ACCEPTABLE, "answers are text/event-stream");
    }
    let Some(place) = state.streams.enter(Some(caller.subject())) else { return ws::full() };
    let events = operations::start(Arc::clone(&state.engine), caller.clone(), token, request, allowed);
    feed::respond(events.map(|event| event::distinct(&event)), &caller, place)
}

fn plain(status: StatusCode, message: &'static str) -> HttpResponse {
    HttpResponse::build(status).content_type("text/plain; charset=utf-8").body(message)
}
