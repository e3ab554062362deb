//! The body of a response that lasts. It is made as the connection takes it, so that a client that does not read holds up what is
//! made for it and nothing else.

use std::{
    convert::Infallible,
    pin::Pin,
    time::{Duration, SystemTime},
};

use actix_web::{HttpResponse, http::header, web::Bytes};
use futures::{Stream, StreamExt, stream};
use spil_auth::Caller;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::event::KEEP_ALIVE;
use crate::http::streams::{Permit, Place, Stopping};

/// How often something is sent where nothing happens.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(12);
/// How long after the end of the token the connection ends. The operations end at once and have to be able to say so.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How long a connection lasts at most. Clients come back.
const LONG: Duration = Duration::from_secs(24 * 3600);

struct Feed {
    events: Pin<Box<dyn Stream<Item = Bytes>>>,
    keep_alive: Interval,
    stopping: Stopping,
    ends_at: Option<Instant>,
    _place: Permit,
}

/// A response with these events. It ends with them, with the token of the caller, and when the service stops: then without a
/// `complete`, so that clients come back, and find another gateway.
pub(super) fn respond(events: impl Stream<Item = Bytes> + 'static, caller: &Caller, place: Place) -> HttpResponse {
    let mut keep_alive = interval_at(Instant::now() + KEEP_ALIVE_INTERVAL, KEEP_ALIVE_INTERVAL);
    keep_alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let feed = Feed {
        events: Box::pin(events),
        keep_alive,
        stopping: place.stopping,
        ends_at: end_of(caller),
        _place: place.permit,
    };
    let body = stream::unfold(feed, |mut feed| async move {
        let bytes = feed.next().await?;
        Some((Ok::<_, Infallible>(bytes), feed))
    });
    // Some browsers and proxies do not tell of a response before its first bytes.
    let body = stream::iter([Ok(KEEP_ALIVE)]).chain(body);
    HttpResponse::Ok()
        .content_type("text/event-stream; charset=utf-8")
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        // What gathers or compresses answers on their way would hold events back.
        .insert_header((header::CONTENT_ENCODING, "identity"))
        .insert_header(("x-accel-buffering", "no"))
        .streaming(body)
}

impl Feed {
    async fn next(&mut self) -> Option<Bytes> {
        tokio::select! {
            event = self.events.next() => event,
            _ = self.keep_alive.tick() => Some(KEEP_ALIVE),
            () = self.stopping.wait() => None,
            () = until(self.ends_at) => None,
        }
    }
}

/// When the connection of a caller ends; none if never.
fn end_of(caller: &Caller) -> Option<Instant> {
    let left = caller.expires_at()?.duration_since(SystemTime::now()).unwrap_or_default();
    Some(Instant::now() + left.min(LONG) + LAST_WORDS)
}

/// Waits for a moment; for ever if there is none.
async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
