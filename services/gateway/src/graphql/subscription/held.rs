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
    reads::Reads,
};

/// How many bytes of changes that were written out are kept for other subscribers.
pub(super) const WRITTEN_BYTES: usize = 32 << 20;
/// The memory of an entry beside its bytes, about.
const OVERHEAD: usize = 128;
/// How many bytes it takes, about, to know what an answer tells of one person.
const PERSON: usize = 48;

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
    /// The thing with a key; made if nobody holds one that is still good.
    pub(super) fn get_or_make(&self, key: K, is_good: impl FnOnce(&T) -> bool, make: impl FnOnce() -> T) -> Arc<T> {
        let mut things = lock(&self.things);
        if let Some(found) = things.get(&key).and_then(Weak::upgrade).filter(|found| is_good(found)) {
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

/// What the subscriptions of somebody take.
#[derive(Clone, Copy, Default)]
struct Taken {
    subscriptions: usize,
    /// The bytes of their documents and variables.
    bytes: usize,
}

/// Who has how many subscriptions.
pub(super) struct Seats {
    taken: Mutex<HashMap<String, Taken>>,
    all: Taken,
    each: Taken,
}

impl Seats {
    pub(super) fn new(limits: &Limits) -> Arc<Self> {
        let all = Taken { subscriptions: limits.subscriptions, bytes: limits.subscription_bytes };
        let each = Taken { subscriptions: limits.subscriptions_each, bytes: limits.subscription_bytes_each };
        Arc::new(Self { taken: Mutex::default(), all, each })
    }

    /// One more for a caller, whose document and variables have so many bytes.
    ///
    /// # Errors
    /// If there are too many, or they take too much, in all or of this caller.
    pub(super) fn take(self: &Arc<Self>, caller: &str, bytes: usize) -> Result<Seat, GraphqlError> {
        let refused = |message: String| Err(GraphqlError::new(Code::Overloaded, message));
        let mut taken = lock(&self.taken);
        let subscriptions: usize = taken.values().map(|taken| taken.subscriptions).sum();
        let all_bytes: usize = taken.values().map(|taken| taken.bytes).sum();
        if subscriptions >= self.all.subscriptions || all_bytes + bytes > self.all.bytes {
            return refused("there are too many subscriptions; try again later".to_owned());
        }
        let mine = taken.get(caller).copied().unwrap_or_default();
        if mine.subscriptions >= self.each.subscriptions {
            return refused(format!("this caller has {} subscriptions; end some first", self.each.subscriptions));
        }
        if mine.bytes + bytes > self.each.bytes {
            return refused(format!(
                "the documents and variables of this caller's subscriptions would have more than {} bytes; end some first",
                self.each.bytes
            ));
        }
        let mine = taken.entry(caller.to_owned()).or_default();
        mine.subscriptions += 1;
        mine.bytes += bytes;
        Ok(Seat { seats: Arc::clone(self), caller: caller.to_owned(), bytes })
    }
}

/// The right to one subscription, until it is dropped.
pub(super) struct Seat {
    seats: Arc<Seats>,
    caller: String,
    bytes: usize,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = lock(&self.seats.taken);
        if let Some(mine) = taken.get_mut(&self.caller) {
            mine.subscriptions -= 1;
            mine.bytes -= self.bytes;
            if mine.subscriptions == 0 {
                taken.remove(&self.caller);
            }
        }
    }
}

/// Names a change as written for those who ask the same: who, the entry of the journal, the event in it.
pub(super) type WrittenKey = (u64, u64, usize);

/// Changes that were written out, or found not to be wanted, lately.
pub(super) type Written = Store<WrittenKey, Option<Told>>;

/// The newest answers of live queries, by the numbers of these.
pub(super) type Bodies = Store<u64, Told>;

/// What has bytes.
pub(super) trait Weigh {
    /// How many.
    fn bytes(&self) -> usize;
}

impl Weigh for Bytes {
    fn bytes(&self) -> usize {
        self.len()
    }
}

/// An answer that subscribers share, and what it tells of people: kept for each of them before it is sent.
#[derive(Clone)]
pub(super) struct Told {
    pub(super) body: Bytes,
    pub(super) reads: Option<Arc<Reads>>,
}

impl Told {
    pub(super) fn new(body: Bytes, reads: Reads) -> Self {
        Self { body, reads: (!reads.is_empty()).then(|| Arc::new(reads)) }
    }
}

impl Weigh for Told {
    fn bytes(&self) -> usize {
        self.body.len() + self.reads.as_ref().map_or(0, |reads| reads.len() * PERSON)
    }
}

impl Weigh for Option<Told> {
    fn bytes(&self) -> usize {
        self.as_ref().map_or(0, Weigh::bytes)
    }
}

/// Things of so many bytes in all. Those go first that nobody has asked for the longest.
pub(super) struct Store<K, V> {
    kept: Mutex<Kept<K, V>>,
    most: usize,
}

struct Kept<K, V> {
    entries: LruCache<K, V>,
    bytes: usize,
}

impl<K: Hash + Eq, V: Clone + Weigh> Store<K, V> {
    pub(super) fn new(most: usize) -> Self {
        Self { kept: Mutex::new(Kept { entries: LruCache::unbounded(), bytes: 0 }), most }
    }

    pub(super) fn get(&self, key: &K) -> Option<V> {
        lock(&self.kept).entries.get(key).cloned()
    }

    pub(super) fn contains(&self, key: &K) -> bool {
        lock(&self.kept).entries.contains(key)
    }

    pub(super) fn put(&self, key: K, thing: V) {
        let mut kept = lock(&self.kept);
        kept.bytes += thing.bytes() + OVERHEAD;
        if let Some((_, old)) = kept.entries.push(key, thing) {
            kept.bytes -= old.bytes() + OVERHEAD;
        }
        while kept.bytes > self.most {
            let Some((_, old)) = kept.entries.pop_lru() else { break };
            kept.bytes -= old.bytes() + OVERHEAD;
        }
    }

    pub(super) fn remove(&self, key: &K) {
        let mut kept = lock(&self.kept);
        if let Some(old) = kept.entries.pop(key) {
            kept.bytes -= old.bytes() + OVERHEAD;
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&self) {
        let mut kept = lock(&self.kept);
        kept.entries.clear();
        kept.bytes = 0;
    }

    /// How many bytes are kept, with what they take beside.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        lock(&self.kept).bytes
    }
}
