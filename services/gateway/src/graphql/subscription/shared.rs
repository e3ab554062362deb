//! What subscribers share, so that a thousand who ask the same cost little more than one.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use bytes::Bytes;
use lru::LruCache;

use crate::graphql::{
    error::{Code, GraphqlError},
    limits::Limits,
};

/// How many bytes of changes that were written out are kept for other subscribers.
const WRITTEN_BYTES: usize = 32 << 20;
/// The memory of an entry beside its bytes, about.
const WRITTEN_OVERHEAD: usize = 128;

/// A step is done or not, so a panic elsewhere leaves nothing to fear.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Things that live as long as somebody holds them, by their key.
pub(super) struct Registry<K, T> {
    things: Mutex<HashMap<K, Weak<T>>>,
}

impl<K, T> Default for Registry<K, T> {
    fn default() -> Self {
        Self { things: Mutex::default() }
    }
}

impl<K: Eq + Hash, T> Registry<K, T> {
    /// The thing with a key; made if nobody holds one.
    pub(super) fn get_or_make(&self, key: K, make: impl FnOnce() -> T) -> Arc<T> {
        let mut things = lock(&self.things);
        if let Some(found) = things.get(&key).and_then(Weak::upgrade) {
            return found;
        }
        // Now and then, so that the keys of what is gone are at most as many as those of what is there.
        if things.len() == things.capacity() {
            things.retain(|_, thing| thing.strong_count() > 0);
        }
        let made = Arc::new(make());
        things.insert(key, Arc::downgrade(&made));
        made
    }
}

/// Who has how many subscriptions.
pub(super) struct Seats {
    taken: Mutex<HashMap<String, usize>>,
    all: usize,
    each: usize,
}

impl Seats {
    pub(super) fn new(limits: &Limits) -> Arc<Self> {
        let (all, each) = (limits.subscriptions, limits.subscriptions_each);
        Arc::new(Self { taken: Mutex::default(), all, each })
    }

    /// One more for a caller.
    ///
    /// # Errors
    /// If there are too many, in all or of this caller.
    pub(super) fn take(self: &Arc<Self>, caller: &str) -> Result<Seat, GraphqlError> {
        let mut taken = lock(&self.taken);
        if taken.values().sum::<usize>() >= self.all {
            return Err(GraphqlError::new(Code::Overloaded, "there are too many subscriptions; try again later"));
        }
        let mine = taken.entry(caller.to_owned()).or_default();
        if *mine >= self.each {
            return Err(GraphqlError::new(
                Code::Overloaded,
                format!("this caller has {} subscriptions; end some first", self.each),
            ));
        }
        *mine += 1;
        Ok(Seat { seats: Arc::clone(self), caller: caller.to_owned() })
    }
}

/// The right to one subscription, until it is dropped.
pub(super) struct Seat {
    seats: Arc<Seats>,
    caller: String,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = lock(&self.seats.taken);
        if let Some(mine) = taken.get_mut(&self.caller) {
            *mine -= 1;
            if *mine == 0 {
                taken.remove(&self.caller);
            }
        }
    }
}

/// Names a change as written for those who ask the same: who, the entry of the journal, the event in it.
pub(super) type WrittenKey = (u64, u64, usize);

/// Changes that were written out, or found not to be wanted, lately.
pub(super) struct Written {
    kept: Mutex<Kept>,
}

struct Kept {
    entries: LruCache<WrittenKey, Option<Bytes>>,
    bytes: usize,
}

impl Default for Written {
    fn default() -> Self {
        Self { kept: Mutex::new(Kept { entries: LruCache::unbounded(), bytes: 0 }) }
    }
}

impl Written {
    pub(super) fn get(&self, key: WrittenKey) -> Option<Option<Bytes>> {
        lock(&self.kept).entries.get(&key).cloned()
    }

    pub(super) fn put(&self, key: WrittenKey, body: Option<Bytes>) {
        let weight = |body: &Option<Bytes>| body.as_ref().map_or(0, Bytes::len) + WRITTEN_OVERHEAD;
        let mut kept = lock(&self.kept);
        kept.bytes += weight(&body);
        if let Some((_, old)) = kept.entries.push(key, body) {
            kept.bytes -= weight(&old);
        }
        while kept.bytes > WRITTEN_BYTES {
            let Some((_, old)) = kept.entries.pop_lru() else { break };
            kept.bytes -= weight(&old);
        }
    }
}
