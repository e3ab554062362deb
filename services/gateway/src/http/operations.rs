//! The operations that run over one connection, each with the name that the client gave it.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures::{
    Stream, StreamExt,
    stream::{self, AbortHandle, Abortable, SelectAll},
};
use spil_auth::Caller;

use crate::graphql::{Allowed, Engine, Request, Response, ResponseStatus, Responses, Started};

/// What comes of an operation.
#[derive(Debug)]
pub(super) enum Event {
    /// An answer.
    Next(Response),
    /// The operation was refused before it was run. Nothing follows.
    Refused(Response),
    /// There will be no more answers.
    Complete,
}

/// The events of one operation.
pub(super) type Events = Pin<Box<dyn Stream<Item = Event> + Send>>;

/// The events of an operation that is yet to be started.
pub(super) fn start(engine: Arc<Engine>, caller: Caller, token: String, request: Request, allowed: Allowed) -> Events {
    let started = async move {
        match engine.start(&caller, &token, request, allowed).await {
            Started::Once(response) => once(response),
            Started::Stream(responses) => last(responses),
        }
    };
    Box::pin(stream::once(started).flatten())
}

/// The events of an operation with one answer.
pub(super) fn once(response: Response) -> Events {
    match response.status {
        ResponseStatus::Refused(_) => Box::pin(stream::iter([Event::Refused(response)])),
        ResponseStatus::Executed => Box::pin(stream::iter([Event::Next(response), Event::Complete])),
    }
}

/// The events of a subscription.
pub(super) fn last(responses: Responses) -> Events {
    Box::pin(responses.map(Event::Next).chain(stream::iter([Event::Complete])))
}

/// The operations of one connection. Nothing runs unless it is polled, so that who does not poll holds them up.
pub(super) struct Operations {
    running: SelectAll<NamedEvents>,
    active: HashMap<Arc<str>, (u64, AbortHandle)>,
    /// The number of the next operation; a name can be used again, a number is not.
    next: u64,
}

/// An operation: its name and its number.
type Name = (Arc<str>, u64);
/// The events of one operation, with its name.
type NamedEvents = Pin<Box<dyn Stream<Item = (Name, Event)> + Send>>;

impl Operations {
    /// None yet.
    pub(super) fn new() -> Self {
        Self { running: SelectAll::new(), active: HashMap::new(), next: 0 }
    }

    /// How many run.
    pub(super) fn len(&self) -> usize {
        self.active.len()
    }

    /// Whether an operation of this name runs.
    pub(super) fn contains(&self, name: &str) -> bool {
        self.active.contains_key(name)
    }

    /// Adds an operation. One that runs under the same name is ended.
    pub(super) fn insert(&mut self, name: &str, events: Events) {
        self.cancel(name);
        let (handle, registration) = AbortHandle::new_pair();
        let name: Arc<str> = name.into();
        let number = self.next;
        self.next += 1;
        self.active.insert(Arc::clone(&name), (number, handle));
        let named = events.map(move |event| ((Arc::clone(&name), number), event));
        self.running.push(Box::pin(Abortable::new(named, registration)));
    }

    /// Ends an operation. No event of it follows.
    pub(super) fn cancel(&mut self, name: &str) {
        if let Some((_, handle)) = self.active.remove(name) {
            handle.abort();
        }
    }
}

impl Stream for Operations {
    type Item = (Arc<str>, Event);

    /// The next event of any operation; pending for ever where there are none.
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match self.running.poll_next_unpin(cx) {
                Poll::Ready(Some(((name, number), event))) => {
                    // What was ended may have had an event ready.
                    if self.active.get(&name).is_none_or(|(known, _)| *known != number) {
                        continue;
                    }
                    if matches!(event, Event::Refused(_) | Event::Complete) {
                        self.active.remove(&name);
                    }
                    return Poll::Ready(Some((name, event)));
                }
                // The set is empty. Whoever polls is woken by what adds to it.
                Poll::Ready(None) | Poll::Pending => return Poll::Pending,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt, channel::mpsc};

    use super::*;
    use crate::graphql::error::Code;

    fn response(status: ResponseStatus) -> Response {
        Response { body: "{}".into(), status }
    }

    fn kinds(operations: &mut Operations) -> Vec<(String, &'static str)> {
        std::iter::from_fn(|| operations.next().now_or_never().flatten())
            .map(|(name, event)| {
                let kind = match event {
                    Event::Next(_) => "next",
                    Event::Refused(_) => "refused",
                    Event::Complete => "complete",
                };
                (name.to_string(), kind)
            })
            .collect()
    }

    #[test]
    fn one_answer_and_a_refusal() {
        let mut operations = Operations::new();
        operations.insert("a", once(response(ResponseStatus::Executed)));
        assert_eq!(kinds(&mut operations), [("a".to_owned(), "next"), ("a".to_owned(), "complete")]);
        operations.insert("a", once(response(ResponseStatus::Refused(Code::BadInput))));
        assert_eq!(kinds(&mut operations), [("a".to_owned(), "refused")]);
        assert_eq!(operations.len(), 0);
    }

    #[test]
    fn what_is_ended_is_dropped_and_its_name_is_free() {
        let mut operations = Operations::new();
        let (old, responses) = mpsc::unbounded();
        operations.insert("a", last(Box::pin(responses)));
        old.unbounded_send(response(ResponseStatus::Executed)).expect("it is read");
        assert_eq!(kinds(&mut operations), [("a".to_owned(), "next")]);
        assert!(operations.contains("a"));
        old.unbounded_send(response(ResponseStatus::Executed)).expect("it is read");
        operations.cancel("a");
        let (new, responses) = mpsc::unbounded();
        operations.insert("a", last(Box::pin(responses)));
        assert_eq!(kinds(&mut operations), [], "the event of the operation that was ended is not told");
        assert!(old.is_closed(), "and the operation is dropped");
        drop(new);
        assert_eq!(kinds(&mut operations), [("a".to_owned(), "complete")]);
    }

    #[test]
    fn several_take_turns() {
        let mut operations = Operations::new();
        for name in ["a", "b"] {
            let many = stream::iter((0..3).map(|_| response(ResponseStatus::Executed)));
            operations.insert(name, last(Box::pin(many)));
        }
        let told = kinds(&mut operations);
        assert_eq!(told.len(), 8);
        let first_end = told.iter().position(|(_, kind)| *kind == "complete").expect("an end");
        assert!(first_end >= 5, "none is told to its end before the other begins: {told:?}");
    }
}
