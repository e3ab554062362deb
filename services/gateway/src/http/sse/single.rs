//! One event stream for all operations of a client: it is reserved, opened once, and then told what to run by requests of their own.

use std::{
    collections::{HashMap, HashSet},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web::{self, Bytes},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use futures::{Stream, StreamExt};
use serde::Deserialize;
use spil_auth::Caller;
use tokio::{sync::mpsc, time::Instant};

use super::{event, feed, plain};
use crate::{
    graphql::{
        Allowed, Request, ResponseStatus, Started,
        error::{Code, GraphqlError},
        refused,
    },
    http::{
        State,
        accept::Media,
        challenge, graphql,
        operations::{self, Event, Events, Operations},
        ws,
    },
};

/// The header that names a stream.
const STREAM_HEADER: &str = "x-graphql-event-stream-token";
/// How long a reservation waits for its stream.
const RESERVATION_LIMIT: Duration = Duration::from_secs(30);
/// How many streams may be reserved and not yet open.
const MAX_RESERVATIONS: usize = 1000;
/// How many of these one caller may have.
const MAX_RESERVATIONS_EACH: usize = 20;
/// How many operations may run over one stream at once.
const MAX_OPERATIONS: usize = 100;
/// The longest name of an operation, in bytes.
const MAX_NAME_BYTES: usize = 256;
/// How many results may wait for the stream; who brings one more waits.
const INBOX: usize = 8;
/// How long a request waits for the stream to take it.
const INBOX_LIMIT: Duration = Duration::from_secs(10);

/// The streams that are reserved or open, by their names.
#[derive(Default)]
pub(in crate::http) struct Reservations(Mutex<HashMap<String, Arc<Reservation>>>);

/// A stream that is reserved or open.
struct Reservation {
    /// Who reserved it; nobody else may use it.
    caller: Caller,
    made_at: Instant,
    inbox: mpsc::Sender<Order>,
    /// The other end of the inbox, until the stream is opened.
    orders: Mutex<Option<mpsc::Receiver<Order>>>,
    /// The names of the operations.
    active: Mutex<HashSet<String>>,
}

/// What a stream is told to do.
enum Order {
    Run { id: String, events: Events },
    End { id: String },
}

/// Why something is not done with a stream.
#[derive(Clone, Copy, Debug)]
struct Refusal(StatusCode, &'static str);

impl Refusal {
    const NO_STREAM: Self = Self(StatusCode::NOT_FOUND, "there is no such stream");
    const TOO_MANY: Self = Self(
        StatusCode::TOO_MANY_REQUESTS,
        "this caller has reserved too many streams and not opened them; open some first",
    );
}

impl From<Refusal> for HttpResponse {
    fn from(refusal: Refusal) -> Self {
        plain(refusal.0, refusal.1)
    }
}

#[derive(Deserialize)]
struct Names {
    token: Option<String>,
    #[serde(rename = "operationId")]
    operation_id: Option<String>,
}

/// The names in the query string.
fn names(http: &HttpRequest) -> Names {
    web::Query::<Names>::from_query(http.query_string())
        .map_or(Names { token: None, operation_id: None }, web::Query::into_inner)
}

/// The name of the stream that a request speaks of; the protocol calls it a token.
pub(super) fn named(http: &HttpRequest) -> Option<String> {
    match http.headers().get(STREAM_HEADER) {
        Some(name) => Some(name.to_str().unwrap_or_default().to_owned()),
        None => names(http).token,
    }
}

impl Reservations {
    fn find(&self, name: &str) -> Option<Arc<Reservation>> {
        lock(&self.0).get(name).filter(|reservation| !reservation.is_over()).cloned()
    }

    /// The stream of a caller; the refusal if there is none or it is another's.
    fn of(&self, name: &str, caller: &Caller) -> Result<Arc<Reservation>, Refusal> {
        let found = self.find(name).ok_or(Refusal::NO_STREAM)?;
        if found.caller.subject() == caller.subject() {
            Ok(found)
        } else {
            Err(Refusal(StatusCode::FORBIDDEN, "the stream was reserved by somebody else"))
        }
    }
}

impl Reservation {
    fn is_over(&self) -> bool {
        lock(&self.orders).is_some() && self.made_at.elapsed() > RESERVATION_LIMIT
    }

    fn is_waiting(&self) -> bool {
        lock(&self.orders).is_some()
    }

    /// A place in the inbox; the refusal if the stream is gone or does not take anything.
    async fn place(&self) -> Result<mpsc::OwnedPermit<Order>, Refusal> {
        match tokio::time::timeout(INBOX_LIMIT, self.inbox.clone().reserve_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) => Err(Refusal::NO_STREAM),
            Err(_) => {
                Err(Refusal(StatusCode::SERVICE_UNAVAILABLE, "the stream is not read; open it, or try again later"))
            }
        }
    }
}

/// Reserves a stream, and gives its name.
pub(super) fn reserve(state: &State, caller: Caller) -> HttpResponse {
    let name = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 24]>());
    let (inbox, orders) = mpsc::channel(INBOX);
    let subject = caller.subject().to_owned();
    let reservation = Reservation {
        caller,
        made_at: Instant::now(),
        inbox,
        orders: Mutex::new(Some(orders)),
        active: Mutex::default(),
    };
    let mut all = lock(&state.reservations.0);
    all.retain(|_, reservation| !reservation.is_over());
    let waiting = || all.values().filter(|reservation| reservation.is_waiting());
    if waiting().count() >= MAX_RESERVATIONS {
        return ws::full();
    }
    if waiting().filter(|reservation| reservation.caller.subject() == subject).count() >= MAX_RESERVATIONS_EACH {
        return Refusal::TOO_MANY.into();
    }
    all.insert(name.clone(), Arc::new(reservation));
    HttpResponse::Created()
        .content_type("text/plain; charset=utf-8")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(name)
}

/// Opens a reserved stream. Its name, which only the caller was told, is enough: browsers can send nothing else with an event
/// stream.
pub(super) async fn open(http: &HttpRequest, state: &web::Data<State>, name: &str) -> HttpResponse {
    let found = if http.headers().contains_key(header::AUTHORIZATION) {
        match challenge::authenticate(http, &state.verifier).await {
            Ok((caller, _)) => state.reservations.of(name, &caller),
            Err(error) => return challenge::unauthenticated(error, Media::Json),
        }
    } else {
        state.reservations.find(name).ok_or(Refusal::NO_STREAM)
    };
    let reservation = match found {
        Ok(reservation) => reservation,
        Err(refusal) => return refusal.into(),
    };
    let Some(place) = state.streams.enter(Some(reservation.caller.subject())) else { return ws::full() };
    let Some(orders) = lock(&reservation.orders).take() else {
        return plain(StatusCode::CONFLICT, "the stream is open already");
    };
    let caller = reservation.caller.clone();
    let open = OpenStream {
        orders,
        operations: Operations::new(),
        reservation,
        state: state.clone().into_inner(),
        name: name.to_owned(),
    };
    feed::respond(open, &caller, place)
}

/// Runs an operation over a stream. What keeps it from being run is answered here; its results go over the stream.
pub(super) async fn run(
    state: &State,
    name: &str,
    caller: Caller,
    token: String,
    request: Request,
    media: Media,
) -> HttpResponse {
    let reservation = match state.reservations.of(name, &caller) {
        Ok(reservation) => reservation,
        Err(refusal) => return refusal.into(),
    };
    let id = request.extensions.as_ref().and_then(|extensions| extensions.operation_id.clone());
    let Some(id) = id.filter(|id| (1..=MAX_NAME_BYTES).contains(&id.len())) else {
        let message = format!("`extensions.operationId` is a text of 1 to {MAX_NAME_BYTES} bytes");
        return graphql::answer(refused(&[GraphqlError::new(Code::BadRequest, message)]), media);
    };
    let name = match Claim::new(reservation, id) {
        Ok(claim) => claim,
        Err(Unclaimed::Taken) => return plain(StatusCode::CONFLICT, "an operation of this name runs already"),
        Err(Unclaimed::TooMany) => {
            let message = format!("at most {MAX_OPERATIONS} operations run over one stream at once");
            return graphql::answer(refused(&[GraphqlError::new(Code::Overloaded, message)]), media);
        }
    };
    // The place comes first, so that nothing is done whose result could not be told.
    let place = match name.reservation.place().await {
        Ok(place) => place,
        Err(refusal) => return refusal.into(),
    };
    let events = match state.engine.start(&caller, &token, request, Allowed::Everything).await {
        Started::Once(response) if matches!(response.status, ResponseStatus::Refused(_)) => {
            return graphql::answer(response, media);
        }
        Started::Once(response) => operations::once(response),
        Started::Stream(responses) => operations::last(responses),
    };
    if let Some(id) = name.keep() {
        place.send(Order::Run { id, events });
    }
    HttpResponse::Accepted().finish()
}

/// Ends an operation of a stream.
pub(super) async fn end(http: &HttpRequest, state: &State, name: &str, caller: &Caller) -> HttpResponse {
    let reservation = match state.reservations.of(name, caller) {
        Ok(reservation) => reservation,
        Err(refusal) => return refusal.into(),
    };
    let Some(id) = names(http).operation_id else {
        return plain(StatusCode::BAD_REQUEST, "the parameter `operationId` names the operation");
    };
    // One that is not told to run yet is not told any more.
    if lock(&reservation.active).remove(&id) {
        match reservation.place().await {
            Ok(place) => drop(place.send(Order::End { id })),
            Err(refusal) => return refusal.into(),
        }
    }
    HttpResponse::Ok().finish()
}

/// The name of an operation that is about to run. It is free again when the claim is dropped.
struct Claim {
    reservation: Arc<Reservation>,
    id: Option<String>,
}

/// Why a name can not be claimed.
enum Unclaimed {
    Taken,
    TooMany,
}

impl Claim {
    fn new(reservation: Arc<Reservation>, id: String) -> Result<Self, Unclaimed> {
        let mut active = lock(&reservation.active);
        if active.contains(&id) {
            return Err(Unclaimed::Taken);
        }
        if active.len() >= MAX_OPERATIONS {
            return Err(Unclaimed::TooMany);
        }
        active.insert(id.clone());
        drop(active);
        Ok(Self { reservation, id: Some(id) })
    }

    /// Leaves the name to the stream; none if the operation was ended meanwhile.
    fn keep(mut self) -> Option<String> {
        let id = self.id.take()?;
        lock(&self.reservation.active).contains(&id).then_some(id)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Some(id) = self.id.take() {
            lock(&self.reservation.active).remove(&id);
        }
    }
}

/// The events of a stream that is open.
struct OpenStream {
    orders: mpsc::Receiver<Order>,
    operations: Operations,
    reservation: Arc<Reservation>,
    state: Arc<State>,
    name: String,
}

impl Stream for OpenStream {
    type Item = Bytes;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let this = &mut *self;
        while let Poll::Ready(Some(order)) = this.orders.poll_recv(cx) {
            match order {
                Order::Run { id, events } => this.operations.insert(&id, events),
                Order::End { id } => this.operations.cancel(&id),
            }
        }
        let Some((id, event)) = ready!(this.operations.poll_next_unpin(cx)) else { return Poll::Ready(None) };
        if !matches!(event, Event::Next(_)) {
            lock(&this.reservation.active).remove(&*id);
        }
        Poll::Ready(Some(event::named(&id, &event)))
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        lock(&self.state.reservations.0).remove(&self.name);
    }
}

/// Nothing that holds one of these locks can fail halfway.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
