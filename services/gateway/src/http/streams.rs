//! The connections that last: WebSockets and event streams. They are counted, and told when the service stops.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// The connections that last, of one gateway.
pub(super) struct Streams {
    places: Arc<Semaphore>,
    stopping: watch::Sender<bool>,
}

impl Streams {
    /// Room for so many connections at once.
    pub(super) fn new(most: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS))), stopping: watch::Sender::new(false) }
    }

    /// A place for one more connection; none if all are taken, or the service is about to stop.
    pub(super) fn enter(&self) -> Option<Place> {
        if *self.stopping.borrow() {
            return None;
        }
        let permit = Arc::clone(&self.places).try_acquire_owned().ok()?;
        Some(Place { permit, stopping: Stopping(self.stopping.subscribe()) })
    }

    /// Tells every connection to end, and takes no more.
    pub(super) fn stop(&self) {
        self.stopping.send_replace(true);
    }
}

/// A place that a connection holds for as long as its socket is open.
pub(super) struct Place {
    /// Gives the place back when it is dropped.
    pub(super) permit: OwnedSemaphorePermit,
    /// Says when the service stops.
    pub(super) stopping: Stopping,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn places_are_few_and_come_back() {
        let streams = Streams::new(2);
        let (first, second) = (streams.enter(), streams.enter());
        assert!(first.is_some() && second.is_some() && streams.enter().is_none());
        drop(first);
        let mut third = streams.enter().expect("a place that was given back");
        streams.stop();
        third.stopping.wait().await;
        drop(third);
        assert!(streams.enter().is_none(), "a service that stops takes nobody");
    }
}
