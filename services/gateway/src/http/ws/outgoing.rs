//! What goes out over one socket: how much of it waits, and since when.

use std::{
    cell::Cell,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use actix_web::{
    HttpResponse,
    body::{BodySize, BoxBody, MessageBody},
    web::Bytes,
};
use actix_ws::{CloseReason, Closed, Session};
use tokio::{sync::Notify, time::Instant};

use crate::http::streams::Permit;

/// How many bytes may wait before nothing more is made for the client. One message more than that may be there.
const MAX_WAITING_BYTES: usize = 64 << 10;
/// How many messages may wait. The queue of a session takes 32; the rest is for what has to be said at the end.
const MAX_WAITING_MESSAGES: usize = 24;
/// What a frame takes beside its payload, at most.
const FRAME_BYTES: usize = 10;

/// What waits to be taken by the connection, which takes as much as its socket does.
struct Waiting {
    bytes: Cell<usize>,
    messages: Cell<usize>,
    /// When the connection last took something, or was given something after a time without.
    moved_at: Cell<Instant>,
    is_gone: Cell<bool>,
    changed: Notify,
}

/// The sending half of a socket. It is used on the thread that serves the connection, and there alone.
pub(super) struct Outgoing {
    session: Session,
    waiting: Rc<Waiting>,
}

impl Outgoing {
    /// Watches what the connection takes of a response, which holds the place of the connection from now on.
    pub(super) fn new(session: Session, response: HttpResponse, place: Permit) -> (Self, HttpResponse) {
        let waiting = Rc::new(Waiting {
            bytes: Cell::new(0),
            messages: Cell::new(0),
            moved_at: Cell::new(Instant::now()),
            is_gone: Cell::new(false),
            changed: Notify::new(),
        });
        let shared = Rc::clone(&waiting);
        let response = response.map_body(move |_, body| BoxBody::new(Watched { body, waiting: shared, _place: place }));
        (Self { session, waiting }, response)
    }

    /// Whether more may be made for the client.
    pub(super) fn has_room(&self) -> bool {
        self.waiting.bytes.get() < MAX_WAITING_BYTES && self.waiting.messages.get() < MAX_WAITING_MESSAGES
    }

    /// Since how long the client has taken nothing although something waits.
    pub(super) fn stuck_since(&self) -> Option<Instant> {
        (self.waiting.messages.get() > 0).then(|| self.waiting.moved_at.get())
    }

    /// Waits until the connection takes something or is gone.
    pub(super) async fn changed(&self) {
        if !self.waiting.is_gone.get() {
            self.waiting.changed.notified().await;
        }
    }

    /// Sends a message.
    ///
    /// # Errors
    /// If the connection is gone.
    pub(super) async fn text(&mut self, text: String) -> Result<(), Closed> {
        self.waiting.add(text.len());
        self.session.text(text).await
    }

    /// Asks the peer for a sign of life.
    ///
    /// # Errors
    /// If the connection is gone.
    pub(super) async fn ping(&mut self) -> Result<(), Closed> {
        self.waiting.add(0);
        self.session.ping(b"").await
    }

    /// Gives the peer a sign of life.
    ///
    /// # Errors
    /// If the connection is gone.
    pub(super) async fn pong(&mut self, payload: &[u8]) -> Result<(), Closed> {
        self.waiting.add(payload.len());
        self.session.pong(payload).await
    }

    /// Says why the socket is closed, after all that waits. Gives up after a while if even that can not be queued.
    pub(super) async fn close(self, reason: Option<CloseReason>) {
        let _ = tokio::time::timeout(Duration::from_secs(1), self.session.close(reason)).await;
    }
}

impl Waiting {
    fn add(&self, payload: usize) {
        if self.messages.get() == 0 {
            self.moved_at.set(Instant::now());
        }
        self.bytes.set(self.bytes.get() + payload + FRAME_BYTES);
        self.messages.set(self.messages.get() + 1);
    }

    /// The connection takes all that waits at once, and only when its own buffer has room.
    fn taken(&self) {
        self.bytes.set(0);
        self.messages.set(0);
        self.moved_at.set(Instant::now());
        self.changed.notify_one();
    }
}

/// The body of the response, which is what goes out, watched.
struct Watched {
    body: BoxBody,
    waiting: Rc<Waiting>,
    /// The socket is open for as long as there is a body.
    _place: Permit,
}

impl MessageBody for Watched {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let polled = Pin::new(&mut self.body).poll_next(cx);
        if polled.is_ready() {
            self.waiting.taken();
        }
        polled
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.waiting.is_gone.set(true);
        self.waiting.changed.notify_one();
    }
}
