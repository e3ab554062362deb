//! Streaming changes to followers.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use futures::Stream;
use spil_access::Denied;
use spil_auth::Caller;
use spil_proto::changefeed::v1::{Cursor, WatchRequest, WatchResponse};
use tokio::sync::mpsc;

use super::OwnerService;
use crate::{
    Store, StoreError,
    store::{Head, Page},
};

/// How streams are kept within bounds.
#[derive(Clone, Copy, Debug)]
pub struct FeedLimits {
    /// How many messages wait for a reader.
    pub buffer: usize,
    /// How long a reader may leave the buffer full before it is dropped.
    pub patience: Duration,
    /// How long nothing may happen before a checkpoint is sent.
    pub checkpoint: Duration,
}

impl Default for FeedLimits {
    fn default() -> Self {
        Self { buffer: 4, patience: Duration::from_secs(20), checkpoint: Duration::from_secs(1) }
    }
}

/// Why a stream can not begin or has ended.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The caller may not.
    #[error(transparent)]
    Forbidden(#[from] Denied),
    /// The request is not sound.
    #[error("{0}")]
    Request(&'static str),
    /// The changes after the cursor can not be had: a snapshot must be taken.
    #[error("the changes after this cursor can not be had; take a snapshot")]
    OutOfRange,
    /// The reader does not keep up.
    #[error("the reader is too slow; the stream ends")]
    TooSlow,
    /// The owner stops.
    #[error("the service is stopping")]
    Stopping,
    /// The database can not be read.
    #[error("the change log can not be read")]
    Store(#[from] StoreError),
}

/// A bounded stream of messages. An error is the last item, and comes through even where the buffer is full.
#[derive(Debug)]
pub struct FeedStream<T> {
    messages: mpsc::Receiver<T>,
    end: Arc<Mutex<Option<FeedError>>>,
}

/// The other end of a [`FeedStream`].
pub(super) struct Sink<T> {
    messages: mpsc::Sender<T>,
    patience: Duration,
}

impl<T: Send + 'static> FeedStream<T> {
    /// A stream that is filled by a task.
    pub(super) fn fed_by<F>(limits: FeedLimits, feed: impl FnOnce(Sink<T>) -> F) -> Self
    where
        F: Future<Output = Result<(), FeedError>> + Send + 'static,
    {
        let (sender, receiver) = mpsc::channel(limits.buffer.max(1));
        let end = Arc::new(Mutex::new(None));
        let sink = Sink { messages: sender.clone(), patience: limits.patience };
        let task = feed(sink);
        let outcome = Arc::clone(&end);
        tokio::spawn(async move {
            let ended = tokio::select! {
                ended = task => ended,
                () = sender.closed() => Ok(()),
            };
            if let Err(error) = ended {
                *outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            }
            // The last sender goes after the error is in its place.
            drop(sender);
        });
        Self { messages: receiver, end }
    }
}

impl<T> Sink<T> {
    /// Hands a message over.
    pub(super) async fn send(&self, message: T) -> Result<(), FeedError> {
        match self.messages.send_timeout(message, self.patience).await {
            Ok(()) => Ok(()),
            Err(mpsc::error::SendTimeoutError::Timeout(_)) => Err(FeedError::TooSlow),
            // Nobody reads what is said now.
            Err(mpsc::error::SendTimeoutError::Closed(_)) => Err(FeedError::Stopping),
        }
    }
}

impl<T> Stream for FeedStream<T> {
    type Item = Result<T, FeedError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let message = ready!(self.messages.poll_recv(context));
        Poll::Ready(match message {
            Some(message) => Some(Ok(message)),
            None => self.end.lock().unwrap_or_else(PoisonError::into_inner).take().map(Err),
        })
    }
}

impl OwnerService {
    /// Streams the changes after a cursor. The first message is a checkpoint.
    ///
    /// # Errors
    /// If the caller may not follow, or the changes can not be had.
    pub async fn watch(&self, caller: &Caller, request: WatchRequest) -> Result<FeedStream<WatchResponse>, FeedError> {
        self.may_follow(caller, self.owner().kinds())?;
        let after = request.after.ok_or(FeedError::Request("`after` is required; a snapshot has it"))?;
        let heads = self.store.follow_head().await?;
        let log = self.store.head_after(&after).await?.ok_or(FeedError::OutOfRange)?;
        let watcher = Watcher { store: self.store.clone(), limits: self.limits, position: after, log };
        Ok(FeedStream::fed_by(self.limits, |sink| watcher.run(heads, sink)))
    }
}

struct Watcher {
    store: Store,
    limits: FeedLimits,
    position: Cursor,
    /// The log that is followed.
    log: Head,
}

impl Watcher {
    async fn run(
        mut self,
        mut heads: tokio::sync::watch::Receiver<Head>,
        sink: Sink<WatchResponse>,
    ) -> Result<(), FeedError> {
        sink.send(checkpoint(&self.log)).await?;
        loop {
            let mut head = *heads.borrow_and_update();
            if head.revision < self.position.revision {
                // A page can be newer than the head that led to it. One that is read now is not older than the page.
                head = self.store.head().await?;
            }
            if !head.same_log(&self.log) || !self.is_within(&head) {
                return Err(FeedError::OutOfRange);
            }
            if head.revision > self.position.revision {
                self.send_page(&head, &sink).await?;
                continue;
            }
            match tokio::time::timeout(self.limits.checkpoint, heads.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(FeedError::Stopping),
                Err(_) => sink.send(checkpoint(&head)).await?,
            }
        }
    }

    /// Whether the position is in the log that a head stands for. One before its last revision is looked at with the page.
    fn is_within(&self, head: &Head) -> bool {
        (head.trimmed_through..=head.revision).contains(&self.position.revision)
            && (self.position.revision < head.revision || self.position.mark == head.mark)
    }

    async fn send_page(&mut self, head: &Head, sink: &Sink<WatchResponse>) -> Result<(), FeedError> {
        match self.store.revisions_after(&self.position).await? {
            Page::OutOfRange => Err(FeedError::OutOfRange),
            Page::Revisions(revisions) => {
                // The head says that there are some.
                let Some(last) = revisions.last() else { return Err(FeedError::OutOfRange) };
                (self.position.revision, self.position.mark) = (last.revision, last.mark);
                // The page may be newer than the head that led to it.
                let head = if head.revision < last.revision { self.position.clone() } else { head.cursor() };
                sink.send(WatchResponse { revisions, head: Some(head) }).await
            }
        }
    }
}

fn checkpoint(head: &Head) -> WatchResponse {
    WatchResponse { revisions: Vec::new(), head: Some(head.cursor()) }
}
