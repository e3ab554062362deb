//! The keys of an issuer, fetched and kept.
//!
//! One task for each issuer fetches its keys: every few minutes, and soon after a token named a key that is not among them, but never
//! more often than the cool-down allows, whatever comes. Whoever needs a key meanwhile waits for that fetch, as long as few names of keys are
//! made up: beyond an allowance, which grows slowly, nobody waits, and is told that it is not known yet whether there is such a key.

use std::{
    collections::hash_map::RandomState,
    hash::BuildHasher,
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use bytes::Bytes;
use futures::{FutureExt, future::BoxFuture};
use lru::LruCache;
use serde_json::Value;
use tokio::{
    sync::{Notify, Semaphore, watch},
    task::AbortHandle,
    time::{Instant, sleep_until, timeout_at},
};

use crate::{
    IssuerConfig, SignatureAlgorithm,
    fetch::{Fetch, FetchError, Url},
    issuer::KeySource,
    json,
    jwks::{self, JwksError, Key},
};

/// The time from the beginning of one fetch to the next, at least.
pub(crate) const COOL_DOWN: Duration = Duration::from_secs(3);
/// The time between two fetches where nobody asks for one; a tenth more or less.
const PERIOD: Duration = Duration::from_secs(300);
/// The longest time between two fetches while they fail.
const MAX_BACKOFF: Duration = Duration::from_secs(60);
/// How long keys count while the issuer can not be reached. What it takes back meanwhile is not known here.
pub(crate) const MAX_AGE: Duration = Duration::from_secs(12 * 3600);
/// How long a token waits for keys that are being fetched, or will be when it has cooled down.
const WAIT_LIMIT: Duration = Duration::from_secs(6);
/// How many tokens may wait for newer keys of an issuer that has some.
const MAX_WAITING: usize = 256;
/// For how many keys that were not there somebody may wait while the fetches cool down, and the time after which it is one more.
const ALLOWANCE: u32 = 6;
const ALLOWANCE_PERIOD: Duration = Duration::from_secs(10);
/// How many keys that were not there are remembered.
const MAX_MISSED: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1023);

/// Where the keys of an issuer are had from.
pub(crate) trait KeyStore: Send + Sync + 'static {
    /// The keys that count now.
    fn keys(&self) -> Arc<KeySet>;

    /// Tries to have keys among which is one that is not among those that count now. Returns when it is there, when newer keys are there
    /// and it is not, or when that will not be known soon.
    fn refresh<'a>(&'a self, key_id: Option<&'a str>, is_there: &'a IsThere<'a>) -> BoxFuture<'a, Newest>;
}

/// Whether a key is in a set.
pub(crate) type IsThere<'a> = dyn Fn(&KeySet) -> bool + Sync + 'a;

/// What is known of a key that somebody looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Newest {
    /// It is there, or the issuer was asked since it was first looked for, a moment ago, and does not have it.
    Known,
    /// The issuer may have it by now and was not asked since.
    NotYet,
}

/// The keys of an issuer at a time.
pub(crate) struct KeySet {
    /// Rises whenever the keys change: what was verified with others has to be verified anew.
    pub(crate) generation: u64,
    /// None if they could not be had, or not for too long.
    pub(crate) keys: Option<Vec<Key>>,
}

/// Keys that are always the same.
pub(crate) struct FixedKeys(Arc<KeySet>);

impl FixedKeys {
    pub(crate) fn new(key: Key) -> Self {
        Self(Arc::new(KeySet { generation: 0, keys: Some(vec![key]) }))
    }
}

impl KeyStore for FixedKeys {
    fn keys(&self) -> Arc<KeySet> {
        Arc::clone(&self.0)
    }

    fn refresh<'a>(&'a self, _: Option<&'a str>, _: &'a IsThere<'a>) -> BoxFuture<'a, Newest> {
        Box::pin(std::future::ready(Newest::Known))
    }
}

/// Keys that are fetched. The task that does ends when this is dropped.
pub(crate) struct FetchedKeys {
    shared: Arc<Shared>,
    task: AbortHandle,
}

struct Shared {
    set: ArcSwap<KeySet>,
    /// Somebody wants newer keys.
    wanted: Notify,
    progress: Mutex<Progress>,
    /// How many fetches are done.
    done: watch::Sender<u64>,
    /// Who may wait for newer keys.
    waiting: Semaphore,
    missed: Mutex<Missed>,
}

#[derive(Default)]
struct Progress {
    /// When the last fetch began.
    began: Option<Instant>,
    /// The number of the last fetch that began.
    last: u64,
    /// The number of the last one that was answered.
    answered: u64,
    is_running: bool,
}

/// The keys that were not there, by a hash of their names.
struct Missed {
    hasher: RandomState,
    keys: LruCache<u64, MissedKey>,
    /// For how many more somebody may wait, and since when it is so many.
    allowance: (u32, Instant),
}

#[derive(Clone, Copy)]
struct MissedKey {
    /// The number of the last fetch that had begun when it was first looked for.
    first: u64,
    /// Whether it may be waited for while the fetches cool down.
    is_waited_for: bool,
}

impl FetchedKeys {
    /// Fetches the keys of an issuer from now on. Has to be called within a runtime.
    pub(crate) fn start(config: &IssuerConfig, source: KeySource, fetch: Arc<dyn Fetch>) -> Self {
        let shared = Arc::new(Shared {
            set: ArcSwap::from_pointee(KeySet { generation: 0, keys: None }),
            wanted: Notify::new(),
            progress: Mutex::default(),
            done: watch::channel(0).0,
            waiting: Semaphore::new(MAX_WAITING),
            missed: Mutex::new(Missed::new()),
        });
        let fetcher = Fetcher {
            issuer: config.issuer.clone(),
            algorithms: config.algorithms.clone(),
            source,
            jwks: None,
            fetch,
            shared: Arc::clone(&shared),
            fetched: None,
            failures: 0,
        };
        Self { shared, task: tokio::spawn(fetcher.run()).abort_handle() }
    }
}

impl Drop for FetchedKeys {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl KeyStore for FetchedKeys {
    fn keys(&self) -> Arc<KeySet> {
        self.shared.set.load_full()
    }

    fn refresh<'a>(&'a self, key_id: Option<&'a str>, is_there: &'a IsThere<'a>) -> BoxFuture<'a, Newest> {
        Box::pin(async move {
            let until = Instant::now() + WAIT_LIMIT;
            let mut done = self.shared.done.subscribe();
            let asked = self.shared.progress().last;
            let (name, first) = self.shared.missed().first(key_id, asked);
            let (mut place, mut has_waited) = (None, false);
            loop {
                let set = self.keys();
                if is_there(&set) {
                    return Newest::Known;
                }
                let will_be_soon = {
                    let progress = self.shared.progress();
                    let is_cooling = progress.began.is_some_and(|began| began.elapsed() < COOL_DOWN);
                    let is_answered = progress.answered == progress.last;
                    // A fetch that began since, of which this one may have waited for the end.
                    if is_answered && (progress.last > asked || (progress.last > first && is_cooling)) {
                        return Newest::Known;
                    }
                    if !progress.is_running && progress.last > asked {
                        // It was asked since, and did not answer.
                        return Newest::NotYet;
                    }
                    if !progress.is_running {
                        // Also while it cools down: then the keys are fetched as soon as it has.
                        self.shared.wanted.notify_one();
                    }
                    progress.is_running || !is_cooling
                };
                if set.keys.is_none() {
                    // The first keys are waited for by everybody, and by nobody while the issuer does not answer.
                    if has_waited || !will_be_soon {
                        return Newest::NotYet;
                    }
                } else {
                    if !will_be_soon && !self.shared.missed().may_wait(name) {
                        return Newest::NotYet;
                    }
                    place = place.or_else(|| self.shared.waiting.try_acquire().ok());
                    if place.is_none() {
                        return Newest::NotYet;
                    }
                }
                if timeout_at(until, done.changed()).await.is_err() {
                    return Newest::NotYet;
                }
                has_waited = true;
            }
        })
    }
}

impl Shared {
    /// Whole after every step, so a panic elsewhere leaves nothing to fear.
    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whole after every step too.
    fn missed(&self) -> MutexGuard<'_, Missed> {
        self.missed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Missed {
    fn new() -> Self {
        Self { hasher: RandomState::new(), keys: LruCache::new(MAX_MISSED), allowance: (ALLOWANCE, Instant::now()) }
    }

    /// What a key that is not there is remembered by, and the last fetch that had begun when it was first looked for.
    fn first(&mut self, key_id: Option<&str>, last: u64) -> (u64, u64) {
        let name = self.hasher.hash_one(key_id);
        (name, self.keys.get_or_insert(name, || MissedKey { first: last, is_waited_for: false }).first)
    }

    /// Whether a key that is not there may be waited for while the fetches cool down. Once for each key it takes from the allowance.
    fn may_wait(&mut self, name: u64) -> bool {
        let (left, since) = self.allowance;
        let periods = u32::try_from(since.elapsed().as_secs() / ALLOWANCE_PERIOD.as_secs()).unwrap_or(ALLOWANCE);
        let grown = left.saturating_add(periods).min(ALLOWANCE);
        self.allowance = (grown, since + ALLOWANCE_PERIOD.saturating_mul(periods));
        let Some(key) = self.keys.get_mut(&name) else { return false };
        if !key.is_waited_for && grown > 0 {
            key.is_waited_for = true;
            self.allowance.0 = grown - 1;
        }
        key.is_waited_for
    }
}

/// Why there are no newer keys.
#[derive(Debug, thiserror::Error)]
enum RefreshError {
    #[error("{url} can not be fetched")]
    Fetch { url: Url, source: FetchError },
    #[error("{0} is no discovery document: it has no `jwks_uri` by https")]
    Discovery(Url),
    #[error("{0} is the discovery document of another issuer")]
    OtherIssuer(Url),
    #[error("{url} is no set of keys")]
    Jwks { url: Url, source: JwksError },
}

struct Fetcher {
    issuer: String,
    algorithms: Vec<SignatureAlgorithm>,
    source: KeySource,
    /// Where the keys are, as the discovery document says.
    jwks: Option<Url>,
    fetch: Arc<dyn Fetch>,
    shared: Arc<Shared>,
    /// When keys were last had.
    fetched: Option<Instant>,
    /// How many fetches failed since.
    failures: u32,
}

impl Fetcher {
    async fn run(mut self) {
        let mut next = Instant::now();
        loop {
            let shared = Arc::clone(&self.shared);
            tokio::select! {
                () = sleep_until(next) => {}
                () = shared.wanted.notified() => {}
            }
            let began = shared.progress().began;
            if let Some(began) = began {
                sleep_until(began + COOL_DOWN).await;
            }
            {
                let mut progress = shared.progress();
                progress.began = Some(Instant::now());
                progress.last += 1;
                progress.is_running = true;
                // Who has asked until now is answered by this.
                let _ = shared.wanted.notified().now_or_never();
            }
            let result = self.read().await;
            let is_answered = result.is_ok();
            let wait = self.take(result);
            {
                let mut progress = shared.progress();
                progress.is_running = false;
                if is_answered {
                    progress.answered = progress.last;
                }
            }
            // Whoever waits is woken; who came during the fetch has its outcome too.
            shared.done.send_modify(|done| *done += 1);
            next = Instant::now() + wait;
        }
    }

    /// Fetches the keys. The discovery document is read again each time but for those in between, which somebody waits for.
    async fn read(&mut self) -> Result<Vec<Key>, RefreshError> {
        let is_due = self.fetched.is_none_or(|at| at.elapsed() >= PERIOD / 2);
        let url = match (&self.source, &self.jwks) {
            (KeySource::Jwks(url), _) => url.clone(),
            (KeySource::Discovery(_), Some(url)) if !is_due && self.failures == 0 => url.clone(),
            (KeySource::Discovery(document), _) => self.discover(document).await?,
        };
        let document = self.get(&url).await?;
        let keys = jwks::read(&document, &self.algorithms)
            .map_err(|source| RefreshError::Jwks { url: url.clone(), source })?;
        self.jwks = Some(url);
        Ok(keys)
    }

    async fn discover(&self, url: &Url) -> Result<Url, RefreshError> {
        let document = json::object(&self.get(url).await?).ok_or_else(|| RefreshError::Discovery(url.clone()))?;
        // Else anybody who can answer at that address could speak for the issuer (OpenID Connect Discovery, section 4.3).
        if document.get("issuer").and_then(Value::as_str) != Some(&self.issuer) {
            return Err(RefreshError::OtherIssuer(url.clone()));
        }
        let jwks = document.get("jwks_uri").and_then(Value::as_str).and_then(Url::parse);
        jwks.ok_or_else(|| RefreshError::Discovery(url.clone()))
    }

    async fn get(&self, url: &Url) -> Result<Bytes, RefreshError> {
        self.fetch.get(url).await.map_err(|source| RefreshError::Fetch { url: url.clone(), source })
    }

    /// Keeps what was had, and says when to try again.
    fn take(&mut self, result: Result<Vec<Key>, RefreshError>) -> Duration {
        let old = self.shared.set.load();
        match result {
            Ok(keys) => {
                if self.failures > 0 || old.keys.is_none() {
                    tracing::info!(issuer = self.issuer, keys = keys.len(), "the keys of an issuer are there");
                } else if old.keys.as_ref() != Some(&keys) {
                    tracing::info!(issuer = self.issuer, keys = keys.len(), "an issuer has other keys now");
                }
                if keys.is_empty() {
                    tracing::warn!(issuer = self.issuer, "an issuer has no key that the settings allow");
                }
                if old.keys.as_ref() != Some(&keys) {
                    self.shared.set.store(Arc::new(KeySet { generation: old.generation + 1, keys: Some(keys) }));
                }
                self.fetched = Some(Instant::now());
                self.failures = 0;
                jittered(PERIOD)
            }
            Err(error) => {
                self.failures = self.failures.saturating_add(1);
                // The first times, and then ever more seldom.
                if self.failures.is_power_of_two() {
                    tracing::warn!(
                        issuer = self.issuer,
                        failures = self.failures,
                        error = &error as &dyn std::error::Error,
                        "the keys of an issuer can not be had; those that are there still count for a while"
                    );
                }
                if old.keys.is_some() && self.fetched.is_none_or(|at| at.elapsed() >= MAX_AGE) {
                    tracing::error!(issuer = self.issuer, "the keys of an issuer are too old and no longer count");
                    self.shared.set.store(Arc::new(KeySet { generation: old.generation + 1, keys: None }));
                }
                let backoff = COOL_DOWN.saturating_mul(1 << self.failures.min(6).saturating_sub(1));
                jittered(backoff.min(MAX_BACKOFF))
            }
        }
    }
}

/// A time a tenth longer or shorter, so that many processes do not ask at once.
fn jittered(time: Duration) -> Duration {
    let chance = getrandom::u32().unwrap_or(u32::MAX / 2);
    time.mul_f64(0.9 + 0.2 * f64::from(chance) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests;
