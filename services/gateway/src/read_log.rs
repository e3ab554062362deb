//! Has it kept who read what tells who people are, before they get it.
//!
//! What was kept a moment ago is remembered, so that reading the same again costs little; what waits at the same time goes to the owner in
//! one call.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use spil_proto::{
    changefeed::v1::{LogReadsRequest, Read, ReadLogRequest, ReadLogResponse},
    model::{Kind, Owner},
    owner::OwnerClient,
};
use tokio::sync::{mpsc, oneshot};
use tonic::Status;
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_128;

use crate::{
    follow::FeedToken,
    graphql::reads::{self, FieldBits, Reads},
};

/// The same reader, purpose, person and fields within this time are one entry.
const WINDOW: Duration = Duration::from_secs(60);
/// How many entries are remembered at most.
const REMEMBERED: usize = 1 << 18;
/// How many answers wait at most.
const QUEUE: usize = 1024;
/// The most reads of one call.
const MAX_READS: usize = 10_000;
/// How long an answer waits to be logged.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long one call may take.
const CALL_LIMIT: Duration = Duration::from_secs(4);
/// The most bytes of a name that is kept.
const MAX_NAME: usize = 256;

/// Who reads, and what for.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    /// The subject of the token.
    pub(crate) subject: Arc<str>,
    /// Who signed it.
    pub(crate) issuer: Arc<str>,
    /// The name of the purpose; empty if none was named.
    pub(crate) purpose: &'static str,
    /// The name of the operation, as far as it has one.
    pub(crate) operation: Arc<str>,
    /// Which way the request came in.
    pub(crate) entry: &'static str,
}

/// A read could not be kept, so that what was read is not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer tells who people are, and that it was read can not be kept now; try again")]
pub(crate) struct Unlogged;

/// Keeps reads with the owner of people.
pub struct ReadLog {
    jobs: mpsc::Sender<Job>,
    known: Mutex<Known>,
    client: OwnerClient,
    token: Arc<dyn FeedToken>,
}

/// What was kept lately.
struct Known {
    since: Instant,
    keys: HashSet<u128>,
}

/// Reads of one answer that wait to be kept.
struct Job {
    reads: Vec<Read>,
    done: oneshot::Sender<bool>,
}

impl ReadLog {
    /// Starts to keep reads with the owner of people among some. Needs a runtime. None if none of them has people.
    pub fn start(clients: &[OwnerClient], token: Arc<dyn FeedToken>) -> Option<Self> {
        let owner: Owner = Kind::ALL.iter().find(|kind| kind.info().person)?.info().owner;
        let client = clients.iter().find(|client| client.owner() == owner)?.clone();
        let (jobs, waiting) = mpsc::channel(QUEUE);
        tokio::spawn(keep_all(client.clone(), Arc::clone(&token), waiting));
        let known = Mutex::new(Known { since: Instant::now(), keys: HashSet::new() });
        Some(Self { jobs, known, client, token })
    }

    /// Who read about a person, the newest first.
    ///
    /// # Errors
    /// What the owner or the connection answers.
    pub(crate) async fn of(&self, person: Uuid, first: u32, after: Option<Uuid>) -> Result<ReadLogResponse, Status> {
        let token = self.token.feed_token().map_err(|_| Status::unavailable("there is no token to ask with"))?;
        let request = ReadLogRequest {
            person_id: person.as_bytes().to_vec(),
            first,
            after: after.map(|after| after.as_bytes().to_vec()).unwrap_or_default(),
        };
        self.client.clone().read_log(&token, request).await
    }

    /// Keeps what somebody read. It is kept when this returns.
    ///
    /// # Errors
    /// If it can not be kept now; then the answer must not be given.
    pub(crate) async fn keep(&self, reader: &Reader, told: &Reads) -> Result<(), Unlogged> {
        if told.is_empty() {
            return Ok(());
        }
        let mut prefix = Vec::with_capacity(128);
        for part in [&*reader.subject, &*reader.issuer, reader.purpose] {
            prefix.extend_from_slice(&(part.len() as u64).to_be_bytes());
            prefix.extend_from_slice(part.as_bytes());
        }
        let length = prefix.len();
        let mut key = |person: &Uuid, bits: FieldBits| {
            prefix.truncate(length);
            prefix.extend_from_slice(person.as_bytes());
            prefix.extend_from_slice(&bits.to_be_bytes());
            xxh3_128(&prefix)
        };
        let fresh: Vec<_> = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.turn();
            told.iter()
                .map(|(person, bits)| (key(person, *bits), person, *bits))
                .filter(|(key, ..)| !known.keys.contains(key))
                .collect()
        };
        if fresh.is_empty() {
            return Ok(());
        }
        let mut reads = Vec::with_capacity(fresh.len());
        for (_, person, bits) in &fresh {
            reads.push(Read {
                person_id: person.as_bytes().to_vec(),
                reader: short(&reader.subject),
                issuer: short(&reader.issuer),
                purpose: reader.purpose.to_owned(),
                fields: reads::names(*bits),
                operation: short(&reader.operation),
                entry: reader.entry.to_owned(),
            });
        }
        let (done, kept) = oneshot::channel();
        let waited = tokio::time::timeout(PATIENCE, async {
            self.jobs.send(Job { reads, done }).await.map_err(|_| Unlogged)?;
            kept.await.map_err(|_| Unlogged)
        });
        match waited.await {
            Ok(Ok(true)) => {}
            _ => return Err(Unlogged),
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.turn();
        known.keys.extend(fresh.iter().map(|(key, ..)| *key));
        Ok(())
    }
}

impl Known {
    /// Forgets everything when its time is over, or when it is too much.
    fn turn(&mut self) {
        if self.since.elapsed() >= WINDOW || self.keys.len() > REMEMBERED {
            self.keys.clear();
            self.since = Instant::now();
        }
    }
}

/// The beginning of a name, as much as is kept of it, on one line.
fn short(name: &str) -> String {
    let mut end = name.len().min(MAX_NAME);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name[..end].chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

/// Keeps what waits, as much as one call takes at a time.
async fn keep_all(mut client: OwnerClient, token: Arc<dyn FeedToken>, mut waiting: mpsc::Receiver<Job>) {
    let mut held = None;
    loop {
        let first = match held.take() {
            Some(job) => job,
            None => match waiting.recv().await {
                Some(job) => job,
                None => return,
            },
        };
        let Job { mut reads, done } = first;
        let mut waiters = vec![done];
        while let Ok(job) = waiting.try_recv() {
            if reads.len() + job.reads.len() > MAX_READS {
                held = Some(job);
                break;
            }
            reads.extend(job.reads);
            waiters.push(job.done);
        }
        let kept = call(&mut client, token.as_ref(), reads).await;
        for waiter in waiters {
            // Who has hung up need not know.
            let _ = waiter.send(kept);
        }
    }
}

async fn call(client: &mut OwnerClient, token: &dyn FeedToken, reads: Vec<Read>) -> bool {
    let token = match token.feed_token() {
        Ok(token) => token,
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "reads can not be kept");
            return false;
        }
    };
    match tokio::time::timeout(CALL_LIMIT, client.log_reads(&token, LogReadsRequest { reads })).await {
        Ok(Ok(_)) => true,
        Ok(Err(status)) => {
            tracing::warn!(code = %status.code(), message = status.message(), "reads could not be kept");
            false
        }
        Err(_) => {
            tracing::warn!("reads could not be kept in time");
            false
        }
    }
}

#[cfg(test)]
impl ReadLog {
    /// A log for tests that keeps everything here.
    pub(crate) fn in_memory() -> (Self, Arc<Mutex<Vec<Read>>>) {
        struct NoToken;
        impl FeedToken for NoToken {
            fn feed_token(&self) -> Result<String, crate::follow::FeedTokenError> {
                Ok(String::new())
            }
        }
        let (jobs, mut waiting) = mpsc::channel::<Job>(QUEUE);
        let kept = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&kept);
        tokio::spawn(async move {
            while let Some(Job { reads, done }) = waiting.recv().await {
                log.lock().unwrap_or_else(PoisonError::into_inner).extend(reads);
                let _ = done.send(true);
            }
        });
        let channel = tonic::transport::Endpoint::from_static("http://127.0.0.1:1").connect_lazy();
        let client = OwnerClient::new(Owner::Workforce, channel);
        let known = Mutex::new(Known { since: Instant::now(), keys: HashSet::new() });
        (Self { jobs, known, client, token: Arc::new(NoToken) }, kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_cut_between_letters_and_stays_on_one_line() {
        assert_eq!(short("a\nb"), "a b");
        assert_eq!(short(&"é".repeat(200)), "é".repeat(128));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut known = Known { since: Instant::now(), keys: (0..=REMEMBERED as u128).collect() };
        known.turn();
        assert!(known.keys.is_empty());
        known.keys.insert(1);
        known.turn();
        assert_eq!(known.keys.len(), 1);
        if let Some(before) = Instant::now().checked_sub(WINDOW) {
            known.since = before;
            known.turn();
            assert!(known.keys.is_empty());
        }
    }
}
