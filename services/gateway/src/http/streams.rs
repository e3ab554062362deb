//! The connections that last: WebSockets and event streams. They are counted, and told when the service stops.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// How many sockets may be open of which nobody has said whose they are.
const MAX_UNKNOWN: usize = 2000;
/// How many connections one caller may have open.
const MAX_OF_CALLER: usize = 2000;

/// The connections that last, of one gateway.
pub(super) struct Streams {
    places: Arc<Semaphore>,
    unknown: Arc<Semaphore>,
    callers: Arc<Callers>,
    stopping: watch::Sender<bool>,
}

impl Streams {
    /// Room for so many connections at once.
    pub(super) fn new(most: usize) -> Self {
        Self::with_bounds(most, MAX_UNKNOWN, MAX_OF_CALLER)
    }

    fn with_bounds(most: usize, unknown: usize, each: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS))),
            unknown: Arc::new(Semaphore::new(unknown)),
            callers: Arc::new(Callers { open: Mutex::default(), each }),
            stopping: watch::Sender::new(false),
        }
    }

    /// A place for one more connection, of a caller or of somebody who is yet to say who it is; none if all are taken, or the
    /// service is about to stop.
    pub(super) fn enter(&self, caller: Option<&str>) -> Option<Place> {
        if *self.stopping.borrow() {
            return None;
        }
        let holder = match caller {
            Some(caller) => Holder::Caller(self.callers.claim(caller)?),
            None => Holder::Unknown { _permit: Arc::clone(&self.unknown).try_acquire_owned().ok()? },
        };
        let permit = Arc::clone(&self.places).try_acquire_owned().ok()?;
        let holder = Identity { holder: Arc::new(Mutex::new(holder)), callers: Arc::clone(&self.callers) };
        Some(Place { permit: Permit { _permit: permit, holder }, stopping: Stopping(self.stopping.subscribe()) })
    }

    /// Tells every connection to end, and takes no more.
    pub(super) fn stop(&self) {
        self.stopping.send_replace(true);
    }
}

/// How many connections each caller has open.
struct Callers {
    open: Mutex<HashMap<String, usize>>,
    each: usize,
}

impl Callers {
    fn claim(self: &Arc<Self>, caller: &str) -> Option<Claim> {
        let mut open = lock(&self.open);
        if open.get(caller).is_some_and(|open| *open >= self.each) {
            return None;
        }
        *open.entry(caller.to_owned()).or_default() += 1;
        Some(Claim { callers: Arc::clone(self), caller: caller.to_owned() })
    }
}

/// One connection of a caller, until it is dropped.
struct Claim {
    callers: Arc<Callers>,
    caller: String,
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut open = lock(&self.callers.open);
        if let Some(mine) = open.get_mut(&self.caller) {
            *mine -= 1;
            if *mine == 0 {
                open.remove(&self.caller);
            }
        }
    }
}

/// Whose a connection is.
enum Holder {
    Unknown { _permit: OwnedSemaphorePermit },
    Caller(Claim),
}

/// A place that a connection holds for as long as its socket is open.
pub(super) struct Place {
    /// Gives the place back when it is dropped.
    pub(super) permit: Permit,
    /// Says when the service stops.
    pub(super) stopping: Stopping,
}

/// The right to be open, until it is dropped.
pub(super) struct Permit {
    _permit: OwnedSemaphorePermit,
    holder: Identity,
}

impl Permit {
    /// Says whose the connection is, once that is known.
    pub(super) fn identity(&self) -> Identity {
        self.holder.clone()
    }
}

/// Says whose a connection is.
#[derive(Clone)]
pub(super) struct Identity {
    holder: Arc<Mutex<Holder>>,
    callers: Arc<Callers>,
}

impl Identity {
    /// Counts the connection as one of a caller; false if the caller has too many.
    #[must_use]
    pub(super) fn is_of(&self, caller: &str) -> bool {
        let mut holder = lock(&self.holder);
        if matches!(&*holder, Holder::Caller(claim) if claim.caller == caller) {
            return true;
        }
        let Some(claim) = self.callers.claim(caller) else { return false };
        *holder = Holder::Caller(claim);
        true
    }
}

/// Says when the service stops.
pub(super) struct Stopping(watch::Receiver<bool>);

impl Stopping {
    /// Waits until the service stops. May be dropped and called again.
    pub(super) async fn wait(&mut self) {
        // An error says that the service is gone altogether.
        let _ = self.0.wait_for(|stopping| *stopping).await;
    }
}

/// Nothing that holds one of these locks can fail halfway.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn places_are_few_and_come_back() {
        let streams = Streams::new(2);
        let (first, second) = (streams.enter(Some("a")), streams.enter(None));
        assert!(first.is_some() && second.is_some() && streams.enter(Some("b")).is_none());
        drop(first);
        let mut third = streams.enter(Some("b")).expect("a place that was given back");
        streams.stop();
        third.stopping.wait().await;
        drop(third);
        assert!(streams.enter(None).is_none(), "a service that stops takes nobody");
    }

    #[test]
    fn nobody_takes_all_places() {
        let streams = Streams::with_bounds(10, 2, 2);
        let unknown = [streams.enter(None), streams.enter(None)].map(|place| place.expect("a place"));
        assert!(streams.enter(None).is_none(), "as many as may say nothing");
        assert!(unknown[0].permit.identity().is_of("a") && unknown[0].permit.identity().is_of("a"));
        let second = streams.enter(None).expect("the place of one that said who it is");
        assert!(second.permit.identity().is_of("a"));
        assert!(!unknown[1].permit.identity().is_of("a"), "as many as one caller may have");
        assert!(streams.enter(Some("a")).is_none() && streams.enter(Some("b")).is_some());
        drop(second);
        assert!(streams.enter(Some("a")).is_some());
        drop(unknown);
        assert_eq!((lock(&streams.callers.open).len(), streams.unknown.available_permits()), (0, 2));
        assert_eq!(streams.places.available_permits(), 10, "a place that was refused is not kept");
    }
}
