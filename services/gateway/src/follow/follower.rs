//! Reads one owner: a snapshot, then the changes after it, for ever.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use spil_proto::{
    changefeed::v1::{Cursor, Revision, SnapshotRequest, WatchRequest},
    model::Kind,
    owner::OwnerClient,
};
use tokio::{
    sync::{Semaphore, mpsc, oneshot},
    task::{JoinError, JoinSet},
};
use tonic::{Code, Status as GrpcStatus};

use super::{FeedToken, FeedTokenError, backoff::Backoff, publisher::Event};
use crate::live::{Live, Status};

/// How long a stream may be silent. An owner says something every second when nothing happens.
const SILENCE: Duration = Duration::from_secs(15);
/// How often the checksums of the owner are compared with those of the graph.
const COMPARE_EVERY: Duration = Duration::from_secs(15 * 60);

/// How long an owner may take to sum up its tables.
const COMPARE_LIMIT: Duration = Duration::from_secs(5 * 60);

/// Why a follower has to start again.
#[derive(Debug, thiserror::Error)]
enum Interrupted {
    #[error("no token")]
    Token(#[from] FeedTokenError),
    #[error("the owner answers {}: {}", .0.code(), .0.message())]
    Owner(#[from] GrpcStatus),
    #[error("the stream ended before the snapshot was whole")]
    CutOff,
    #[error("the owner was silent for too long")]
    Silent,
    #[error("the revisions have a gap: after {after} came {came}")]
    Gap { after: u64, came: u64 },
    #[error("the checksum of the kind {kind:?} differs from the owner's at the same revision")]
    Digest { kind: Kind },
    #[error("the publisher has ended")]
    Ended,
}

impl Interrupted {
    /// Whether the place in the log is lost, so that everything has to be read anew.
    fn loses_place(&self) -> bool {
        match self {
            Interrupted::Owner(status) => status.code() == Code::OutOfRange,
            Interrupted::Gap { .. } | Interrupted::Digest { .. } => true,
            _ => false,
        }
    }
}

pub(super) struct Follower {
    client: OwnerClient,
    token: Arc<dyn FeedToken>,
    refill: Arc<Semaphore>,
    sender: mpsc::Sender<Event>,
    status: Arc<Status>,
    live: Arc<Live>,
    /// The place up to which everything was handed to the publisher.
    cursor: Option<Cursor>,
    backoff: Backoff,
}

impl Follower {
    pub(super) fn new(
        client: OwnerClient,
        token: Arc<dyn FeedToken>,
        refill: Arc<Semaphore>,
        sender: mpsc::Sender<Event>,
        status: Arc<Status>,
        live: Arc<Live>,
    ) -> Self {
        Self { client, token, refill, sender, status, live, cursor: None, backoff: Backoff::default() }
    }

    pub(super) async fn run(mut self) {
        let owner = self.client.owner().name();
        loop {
            let Err(reason) = self.follow().await;
            if matches!(reason, Interrupted::Ended) {
                return;
            }
            if reason.loses_place() {
                self.cursor = None;
            }
            let pause = self.backoff.next(rand::random());
            tracing::warn!(owner, %reason, pause_ms = pause.as_millis(), "following was interrupted");
            tokio::time::sleep(pause).await;
        }
    }

    async fn follow(&mut self) -> Result<std::convert::Infallible, Interrupted> {
        let cursor = match self.cursor.clone() {
            Some(cursor) => cursor,
            None => self.refill().await?,
        };
        self.watch(cursor).await
    }

    /// Reads everything. Until it is whole, the graph that answers does not show any of it.
    async fn refill(&mut self) -> Result<Cursor, Interrupted> {
        let owner = self.client.owner();
        let refill = Arc::clone(&self.refill);
        let _permit = refill.acquire().await.map_err(|_| Interrupted::Ended)?;
        let token = self.token.feed_token()?;
        let opening = self.client.snapshot(&token, SnapshotRequest { kinds: Vec::new() });
        let mut stream = tokio::time::timeout(SILENCE, opening).await.map_err(|_| Interrupted::Silent)??;
        self.send(Event::RefillBegun(owner)).await?;
        let mut cursor = None;
        loop {
            let part = tokio::time::timeout(SILENCE, stream.message()).await.map_err(|_| Interrupted::Silent)??;
            let part = part.ok_or(Interrupted::CutOff)?;
            self.heard(None);
            if let Some(start) = part.cursor {
                tracing::info!(
                    owner = owner.name(),
                    revision = start.revision,
                    records = part.total,
                    "reading everything"
                );
                cursor = Some(start);
            }
            self.send(Event::RefillPart(part.records, part.provenance.unwrap_or_default())).await?;
            if part.complete {
                break;
            }
        }
        let cursor = cursor.ok_or(Interrupted::CutOff)?;
        // The permit is held until the publisher is done with it, so that the next owner starts from the finished graph.
        let (done, is_done) = oneshot::channel();
        self.send(Event::RefillDone(owner, cursor.clone(), done)).await?;
        is_done.await.map_err(|_| Interrupted::Ended)?;
        self.status.update(|status| {
            status.resyncs += 1;
            status.head_revision = status.head_revision.max(cursor.revision);
        });
        self.cursor = Some(cursor.clone());
        Ok(cursor)
    }

    /// Reads changes, until something interrupts it.
    async fn watch(&mut self, after: Cursor) -> Result<std::convert::Infallible, Interrupted> {
        let token = self.token.feed_token()?;
        let opening = self.client.watch(&token, WatchRequest { after: Some(after.clone()) });
        let mut stream = tokio::time::timeout(SILENCE, opening).await.map_err(|_| Interrupted::Silent)??;
        let mut at = after;
        let mut compare = tokio::time::interval_at(tokio::time::Instant::now() + COMPARE_EVERY, COMPARE_EVERY);
        compare.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        // Beside the stream, so that changes are read while the owner counts; ended with it.
        let mut comparison = JoinSet::new();
        loop {
            let message = tokio::select! {
                message = tokio::time::timeout(SILENCE, stream.message()) => message.map_err(|_| Interrupted::Silent)??,
                Some(found) = comparison.join_next() => {
                    self.judge(found)?;
                    continue;
                }
                _ = compare.tick(), if comparison.is_empty() => {
                    let token = self.token.feed_token()?;
                    comparison.spawn(differing(self.client.clone(), token, Arc::clone(&self.live)));
                    continue;
                }
            };
            let message = message.ok_or(Interrupted::CutOff)?;
            if let Some(last) = message.revisions.last() {
                check_order(at.revision, &message.revisions)?;
                at.revision = last.revision;
                at.mark = last.mark;
                self.send(Event::Changed(self.client.owner(), at.clone(), message.revisions)).await?;
                self.cursor = Some(at.clone());
            }
            self.heard(message.head.map(|head| head.revision));
            self.backoff.reset();
        }
    }

    /// What a comparison of checksums means. One that could not be made means nothing; the next will do.
    fn judge(&self, found: Result<Result<Option<Kind>, GrpcStatus>, JoinError>) -> Result<(), Interrupted> {
        match found {
            Ok(Ok(None)) => Ok(()),
            Ok(Ok(Some(kind))) => {
                tracing::error!(kind = kind.info().name, "the graph differs from its owner");
                self.status.update(|status| status.digest_mismatches += 1);
                Err(Interrupted::Digest { kind })
            }
            Ok(Err(status)) => {
                tracing::warn!(
                    owner = self.client.owner().name(),
                    reason = status.message(),
                    "checksums were not compared"
                );
                Ok(())
            }
            Err(_) => Ok(()),
        }
    }

    fn heard(&self, head: Option<u64>) {
        let now =
            SystemTime::now().duration_since(UNIX_EPOCH).ok().and_then(|since| i64::try_from(since.as_micros()).ok());
        self.status.update(|status| {
            status.heard_at = now.or(status.heard_at);
            status.head_revision = head.unwrap_or(status.head_revision);
        });
    }

    async fn send(&self, event: Event) -> Result<(), Interrupted> {
        self.sender.send(event).await.map_err(|_| Interrupted::Ended)
    }
}

/// The first kind whose checksum is not the owner's, where the owner stands at the very revision that the graph shows; under a
/// stream of writes it does not, and the next time will do.
async fn differing(mut client: OwnerClient, token: String, live: Arc<Live>) -> Result<Option<Kind>, GrpcStatus> {
    let asked = tokio::time::timeout(COMPARE_LIMIT, client.digest(&token)).await;
    let digest = asked.map_err(|_| GrpcStatus::deadline_exceeded("the owner took too long"))??;
    let published = live.load();
    if published.owner(client.owner()).cursor != digest.cursor {
        return Ok(None);
    }
    let compared = move || {
        digest.kinds.iter().find_map(|theirs| {
            let kind = Kind::from_number(theirs.kind)?;
            let (count, checksum) = published.graph.digest(kind);
            ((count, checksum.to_be_bytes().as_slice()) != (theirs.count, theirs.checksum.as_slice())).then_some(kind)
        })
    };
    // A second for millions of records: not on a thread that others wait for.
    tokio::task::spawn_blocking(compared).await.map_err(|_| GrpcStatus::cancelled("the process stops"))
}

/// Each revision must be the one after the one before; else something was lost on the way.
fn check_order(mut after: u64, revisions: &[Revision]) -> Result<(), Interrupted> {
    for revision in revisions {
        if revision.revision != after + 1 {
            return Err(Interrupted::Gap { after, came: revision.revision });
        }
        after = revision.revision;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_seen() {
        let revisions = |numbers: &[u64]| {
            numbers.iter().map(|revision| Revision { revision: *revision, ..Default::default() }).collect::<Vec<_>>()
        };
        assert!(check_order(4, &revisions(&[5, 6, 7])).is_ok());
        assert!(check_order(4, &[]).is_ok());
        for numbers in [&[6][..], &[4], &[5, 7], &[5, 5]] {
            let error = check_order(4, &revisions(numbers)).expect_err("a gap");
            assert!(error.loses_place(), "{error}");
        }
    }

    #[test]
    fn only_a_lost_place_is_read_anew() {
        assert!(Interrupted::Owner(GrpcStatus::out_of_range("trimmed")).loses_place());
        for reason in [Interrupted::Owner(GrpcStatus::unavailable("down")), Interrupted::CutOff, Interrupted::Silent] {
            assert!(!reason.loses_place(), "{reason}");
        }
    }
}
