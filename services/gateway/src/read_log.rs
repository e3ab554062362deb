//! Has it kept who read what of people who are known by it, before they get it.
//!
//! What was kept a moment ago is remembered, so that reading the same again costs little; what waits at the same time goes to the owner in
//! one call. One task makes the calls, one after the other, so that what is added to an entry is added to all that it has.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
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

use crate::{
    follow::FeedToken,
    graphql::reads::{self, FieldBits, Reads},
};

/// What the same reader reads of the same person for the same purpose by the same operation within this time is one entry.
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
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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
    known: Shared,
    client: OwnerClient,
    token: Arc<dyn FeedToken>,
}

/// What was kept lately. The maps hash with a key that each process draws, so that nobody can choose what falls together.
struct Known {
    since: Instant,
    /// How many entries there are.
    count: usize,
    readers: HashMap<Reader, HashMap<Uuid, Entry>>,
}

/// An entry that is kept: its id, and the fields that it names.
#[derive(Clone, Copy)]
struct Entry {
    id: Uuid,
    bits: FieldBits,
}

#[derive(Clone)]
struct Shared(Arc<Mutex<Known>>);

/// Reads of one answer that wait to be kept.
struct Job {
    reader: Reader,
    people: Vec<(Uuid, FieldBits)>,
    done: oneshot::Sender<bool>,
}

/// Reads that go to the owner together.
#[derive(Default)]
struct Batch {
    entries: HashMap<(Reader, Uuid), Entry>,
    waiters: Vec<oneshot::Sender<bool>>,
}

/// Jobs that wait, and the one that was too much for the call before.
struct Waiting {
    jobs: mpsc::Receiver<Job>,
    held: Option<Job>,
}

impl ReadLog {
    /// Starts to keep reads with the owner of people among some. Needs a runtime. None if none of them has people.
    pub fn start(clients: &[OwnerClient], token: Arc<dyn FeedToken>) -> Option<Self> {
        let owner: Owner = Kind::ALL.iter().find(|kind| kind.info().person)?.info().owner;
        let client = clients.iter().find(|client| client.owner() == owner)?.clone();
        let (jobs, waiting) = mpsc::channel(QUEUE);
        let known = Shared::default();
        tokio::spawn(keep_all(client.clone(), Arc::clone(&token), known.clone(), waiting));
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
        let people: Vec<_> = {
            let known = self.known.now();
            let kept = known.readers.get(reader);
            let is_kept = |person: &Uuid, bits: FieldBits| {
                kept.and_then(|kept| kept.get(person)).is_some_and(|entry| entry.bits & bits == bits)
            };
            let people = told.iter().map(|(person, bits)| (*person, *bits));
            people.filter(|(person, bits)| !is_kept(person, *bits)).collect()
        };
        if people.is_empty() {
            return Ok(());
        }
        let (done, kept) = oneshot::channel();
        let job = Job { reader: reader.clone(), people, done };
        let waited = tokio::time::timeout(PATIENCE, async {
            self.jobs.send(job).await.map_err(|_| Unlogged)?;
            kept.await.map_err(|_| Unlogged)
        });
        match waited.await {
            Ok(Ok(true)) => Ok(()),
            _ => Err(Unlogged),
        }
    }
}

impl Default for Shared {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Known { since: Instant::now(), count: 0, readers: HashMap::new() })))
    }
}

impl Shared {
    /// What is known now. It is whole after every step, so a panic elsewhere leaves nothing to fear.
    fn now(&self) -> MutexGuard<'_, Known> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.turn();
        known
    }
}

impl Known {
    /// Forgets everything when its time is over, or when it is too much.
    fn turn(&mut self) {
        if self.since.elapsed() >= WINDOW || self.count > REMEMBERED {
            (self.count, self.since) = (0, Instant::now());
            self.readers.clear();
        }
    }

    fn entry(&self, reader: &Reader, person: &Uuid) -> Option<Entry> {
        self.readers.get(reader)?.get(person).copied()
    }

    fn put(&mut self, reader: Reader, person: Uuid, entry: Entry) {
        let before = self.readers.entry(reader).or_default().insert(person, entry);
        self.count += usize::from(before.is_none());
    }
}

impl Waiting {
    /// What waits, as much as one call takes; none when nobody is left who could send anything.
    async fn next(&mut self, known: &Shared) -> Option<Batch> {
        let mut batch = Batch::default();
        let mut count = 0;
        let mut next = match self.held.take() {
            Some(job) => job,
            None => self.jobs.recv().await?,
        };
        loop {
            count += next.people.len();
            batch.take(next, &known.now());
            next = match self.jobs.try_recv() {
                Ok(job) if count + job.people.len() <= MAX_READS => job,
                Ok(job) => {
                    self.held = Some(job);
                    return Some(batch);
                }
                Err(_) => return Some(batch),
            };
        }
    }
}

impl Batch {
    /// Takes in what one answer tells, beyond what is kept.
    fn take(&mut self, job: Job, known: &Known) {
        let Job { reader, people, done } = job;
        for (person, bits) in people {
            let kept = known.entry(&reader, &person);
            if kept.is_some_and(|kept| kept.bits & bits == bits) {
                continue;
            }
            let new = || kept.unwrap_or_else(|| Entry { id: Uuid::now_v7(), bits: 0 });
            self.entries.entry((reader.clone(), person)).or_insert_with(new).bits |= bits;
        }
        self.waiters.push(done);
    }

    /// The reads as the owner keeps them.
    fn reads(&self) -> Vec<Read> {
        let read = |((reader, person), entry): (&(Reader, Uuid), &Entry)| Read {
            person_id: person.as_bytes().to_vec(),
            reader: short(&reader.subject),
            issuer: short(&reader.issuer),
            purpose: reader.purpose.to_owned(),
            fields: reads::names(entry.bits),
            operation: short(&reader.operation),
            entry: reader.entry.to_owned(),
            id: entry.id.as_bytes().to_vec(),
        };
        self.entries.iter().map(read).collect()
    }

    /// Tells those who wait whether it is kept.
    fn end(self, is_kept: bool, known: &Shared) {
        if is_kept {
            let mut known = known.now();
            for ((reader, person), entry) in self.entries {
                known.put(reader, person, entry);
            }
        }
        for waiter in self.waiters {
            // Who has hung up need not know.
            let _ = waiter.send(is_kept);
        }
    }
}

/// The beginning of a name, as much as is kept of it, on one line.
fn short(name: &str) -> String {
    let end = name.floor_char_boundary(MAX_NAME);
    name[..end].chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

/// Keeps what waits, as much as one call takes at a time.
async fn keep_all(mut client: OwnerClient, token: Arc<dyn FeedToken>, known: Shared, jobs: mpsc::Receiver<Job>) {
    let mut waiting = Waiting { jobs, held: None };
    while let Some(batch) = waiting.next(&known).await {
        let reads = batch.reads();
        let is_kept = reads.is_empty() || call(&mut client, token.as_ref(), reads).await;
        batch.end(is_kept, &known);
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
        let (jobs, waiting) = mpsc::channel::<Job>(QUEUE);
        let kept = Arc::new(Mutex::new(Vec::<Read>::new()));
        let (log, known) = (Arc::clone(&kept), Shared::default());
        let shared = known.clone();
        tokio::spawn(async move {
            let mut waiting = Waiting { jobs: waiting, held: None };
            while let Some(batch) = waiting.next(&shared).await {
                for read in batch.reads() {
                    let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
                    match log.iter_mut().find(|known| known.id == read.id) {
                        Some(known) => *known = read,
                        None => log.push(read),
                    }
                }
                batch.end(true, &shared);
            }
        });
        let channel = tonic::transport::Endpoint::from_static("http://127.0.0.1:1").connect_lazy();
        let client = OwnerClient::new(Owner::Workforce, channel);
        (Self { jobs, known, client, token: Arc::new(NoToken) }, kept)
    }
}

#[cfg(test)]
mod tests {
    use spil_proto::model::field;

    use super::*;

    fn reader(operation: &str) -> Reader {
        let operation = operation.into();
        Reader { subject: "hr".into(), issuer: "issuer".into(), purpose: "P", operation, entry: "http" }
    }

    #[test]
    fn a_name_is_cut_between_letters_and_stays_on_one_line() {
        assert_eq!(short("a\nb"), "a b");
        assert_eq!(short(&"é".repeat(200)), "é".repeat(128));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let shared = Shared::default();
        for number in 0..=REMEMBERED as u128 {
            let entry = Entry { id: Uuid::nil(), bits: 1 };
            shared.0.lock().expect("whole").put(reader("A"), Uuid::from_u128(number), entry);
        }
        assert!(shared.now().entry(&reader("A"), &Uuid::nil()).is_none());
        let mut known = shared.now();
        known.put(reader("A"), Uuid::nil(), Entry { id: Uuid::nil(), bits: 1 });
        known.put(reader("A"), Uuid::nil(), Entry { id: Uuid::nil(), bits: 3 });
        known.turn();
        assert_eq!((known.count, known.entry(&reader("A"), &Uuid::nil()).map(|entry| entry.bits)), (1, Some(3)));
        if let Some(before) = Instant::now().checked_sub(WINDOW) {
            known.since = before;
            known.turn();
            assert_eq!((known.count, known.readers.len()), (0, 0));
        }
    }

    #[tokio::test]
    async fn an_entry_grows_by_what_is_read_beside() {
        let (log, kept) = ReadLog::in_memory();
        let [name, mail] = ["displayName", "email"].map(|name| {
            let info = Kind::Worker.info().field_by_name(name).expect("a field");
            reads::single(Kind::Worker, info.index)
        });
        let key = reads::single(Kind::Worker, field::KEY);
        let [ada, ben] = [1, 2].map(Uuid::from_u128);
        // Together, so that some of it may wait for one call.
        let (first, second) = (Reads::from([(ada, name), (ben, name)]), Reads::from([(ada, mail)]));
        let (asks, team) = (reader("Team"), reader("Other"));
        let both = futures::join!(log.keep(&asks, &first), log.keep(&asks, &second));
        assert_eq!(both, (Ok(()), Ok(())));
        assert_eq!(log.keep(&asks, &Reads::from([(ada, key | name)])).await, Ok(()));
        assert_eq!(log.keep(&team, &Reads::from([(ada, name)])).await, Ok(()));
        let mut kept: Vec<_> = kept
            .lock()
            .expect("whole")
            .iter()
            .map(|read| (read.operation.clone(), read.person_id[15], read.fields.join(" ")))
            .collect();
        kept.sort();
        let entry = |operation: &str, person: u8, fields: &str| (operation.to_owned(), person, fields.to_owned());
        let expected = [
            entry("Other", 1, "Worker.displayName"),
            entry("Team", 1, "Worker.key Worker.displayName Worker.email"),
            entry("Team", 2, "Worker.displayName"),
        ];
        assert_eq!(kept, expected);
    }
}
