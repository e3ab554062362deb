//! The graph that answers: published as a whole, taken once for each request, replaced while requests go on.

use std::{
    sync::{Arc, OnceLock, PoisonError, RwLock},
    time::Duration,
};

use arc_swap::ArcSwap;
use prost::Message;
use spil_graph::{Graph, Sight};
use spil_proto::{
    changefeed::v1::Cursor,
    model::{Kind, Owner},
};
use tokio::sync::watch;

use crate::{
    journal::{Journal, Logged, Spot, Stand},
    place_seal,
};

/// A state of the graph, and where it stands with each owner.
pub struct Published {
    /// The graph.
    pub graph: Graph,
    /// Where it stands with each owner, in the order of [`Owner::ALL`].
    pub owners: [PublishedOwner; 3],
    /// What changed, and when.
    pub(crate) changes: Changes,
    /// The same state as those see it who asked lately.
    seen: RwLock<Vec<Seen>>,
    /// The consistency token, once it was asked for.
    token: OnceLock<String>,
}

/// What is seen by a sight.
type Seen = (Arc<Sight>, Arc<Published>);

/// For how many sights a state is kept as it is seen: most requests are of few kinds of viewers.
const MOST_SEEN: usize = 16;

/// How a state of the graph came about.
#[derive(Clone, Debug, Default)]
pub(crate) struct Changes {
    /// The number of this state; each has a greater one than the state before.
    pub(crate) number: u64,
    /// By the number of a kind, the state in which it changed last.
    by_kind: Vec<u64>,
    /// The number of the entry in the journal that is not shown yet.
    pub(crate) journal_end: u64,
}

impl Changes {
    /// Says that records of a kind change in the state that comes next.
    pub(crate) fn touch(&mut self, kind: Kind) {
        let place = kind as usize;
        if self.by_kind.len() <= place {
            self.by_kind.resize(place + 1, 0);
        }
        if let Some(last) = self.by_kind.get_mut(place) {
            *last = self.number + 1;
        }
    }

    /// The state in which a kind changed last; 0 if it never did.
    pub(crate) fn last(&self, kind: Kind) -> u64 {
        self.by_kind.get(kind as usize).copied().unwrap_or_default()
    }
}

/// Where a state of the graph stands with an owner.
#[derive(Clone)]
pub struct PublishedOwner {
    /// Who.
    pub owner: Owner,
    /// The place in the owner's log that the graph shows; none while nothing was read yet.
    pub cursor: Option<Cursor>,
    /// What the follower knows beyond that.
    pub status: Arc<Status>,
}

/// What the follower of an owner knows, kept up to date while it follows.
#[derive(Debug, Default)]
pub struct Status(RwLock<StatusValues>);

/// The values of a [`Status`].
#[derive(Clone, Copy, Debug, Default)]
pub struct StatusValues {
    /// The newest revision that the owner has told of.
    pub head_revision: u64,
    /// When the owner was last heard of: microseconds since 1970.
    pub heard_at: Option<i64>,
    /// How often everything was read anew.
    pub resyncs: u64,
    /// How often the checksums of the graph and of the owner differed.
    pub digest_mismatches: u64,
}

impl Status {
    /// The values as they are now.
    pub fn read(&self) -> StatusValues {
        *self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the values.
    pub(crate) fn update(&self, change: impl FnOnce(&mut StatusValues)) {
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Published {
    /// Where the graph stands with one owner.
    pub fn owner(&self, owner: Owner) -> &PublishedOwner {
        let [capability, workforce, initiative] = &self.owners;
        match owner {
            Owner::Capability => capability,
            Owner::Workforce => workforce,
            Owner::Initiative => initiative,
        }
    }

    /// The same state as somebody sees it.
    pub(crate) fn seen_by(self: &Arc<Self>, sight: &Arc<Sight>) -> Arc<Self> {
        if sight.is_everything() {
            return Arc::clone(self);
        }
        let find = |seen: &[Seen]| {
            seen.iter().find(|(of, _)| Arc::ptr_eq(of, sight)).map(|(_, published)| Arc::clone(published))
        };
        if let Some(published) = find(&self.seen.read().unwrap_or_else(PoisonError::into_inner)) {
            return published;
        }
        let made = Arc::new(Self::of(self.graph.seen_by(sight), self.owners.clone(), self.changes.clone()));
        let mut seen = self.seen.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(published) = find(&seen) {
            return published;
        }
        if seen.len() == MOST_SEEN {
            seen.remove(0);
        }
        seen.push((Arc::clone(sight), Arc::clone(&made)));
        made
    }

    /// A state that came about by some changes.
    pub(crate) fn of(graph: Graph, owners: [PublishedOwner; 3], changes: Changes) -> Self {
        Self { graph, owners, changes, seen: RwLock::default(), token: OnceLock::new() }
    }

    /// A state whose coming about nobody asks for.
    #[cfg(test)]
    pub(crate) fn new(graph: Graph, owners: [PublishedOwner; 3]) -> Self {
        Self::of(graph, owners, Changes::default())
    }

    /// Where the graph stands with all owners.
    pub(crate) fn stand(&self) -> Stand {
        self.owners.each_ref().map(|owner| owner.cursor.as_ref().map(Spot::of))
    }

    /// Whether everything of every owner was read at least once.
    pub fn is_complete(&self) -> bool {
        self.owners.iter().all(|owner| owner.cursor.is_some())
    }

    /// Whether a place is of the log that the graph shows of an owner.
    pub fn is_same_log(&self, owner: Owner, wanted: &Cursor) -> bool {
        self.owner(owner)
            .cursor
            .as_ref()
            .is_some_and(|cursor| cursor.store_id == wanted.store_id && cursor.epoch == wanted.epoch)
    }

    /// Whether the graph shows what an owner had at a place of its log. A place in another store or epoch is not
    /// covered: nobody can say what it means now.
    pub fn covers(&self, owner: Owner, wanted: &Cursor) -> bool {
        // The same number with another mark is of a history that was restored over.
        let is_new_enough = |cursor: &Cursor| {
            cursor.revision > wanted.revision || (cursor.revision == wanted.revision && cursor.mark == wanted.mark)
        };
        self.is_same_log(owner, wanted) && self.owner(owner).cursor.as_ref().is_some_and(is_new_enough)
    }

    /// The consistency token: where the graph stands with every owner, as an opaque text.
    pub fn token(&self) -> &str {
        self.token.get_or_init(|| token(self.owners.iter().map(|owner| owner.cursor.clone().unwrap_or_default())))
    }
}

/// A consistency token of places in the logs of all owners, in the order of [`Owner::ALL`].
pub(crate) fn token(cursors: impl IntoIterator<Item = Cursor>) -> String {
    let mut bytes = Vec::with_capacity(128);
    for cursor in cursors {
        // Writing to memory does not fail; an owner that was never read is an empty message.
        let _ = cursor.encode_length_delimited(&mut bytes);
    }
    place_seal::seal(&bytes)
}

/// Reads a consistency token; `None` if it is none.
pub fn parse_token(token: &str) -> Option<[Cursor; 3]> {
    if token.len() > 512 {
        return None;
    }
    let bytes = place_seal::open(token)?;
    let mut rest = bytes.as_slice();
    let mut next = || Cursor::decode_length_delimited(&mut rest).ok();
    let cursors = [next()?, next()?, next()?];
    rest.is_empty().then_some(cursors)
}

/// The graph as it is now, for any number of readers.
pub struct Live {
    current: ArcSwap<Published>,
    changed: watch::Sender<u64>,
    journal: Journal,
}

impl Live {
    /// An empty graph.
    pub fn empty() -> Self {
        let owners = Owner::ALL.map(|owner| PublishedOwner { owner, cursor: None, status: Arc::default() });
        Self {
            current: ArcSwap::from_pointee(Published::of(Graph::new(), owners, Changes::default())),
            changed: watch::Sender::new(0),
            journal: Journal::default(),
        }
    }

    /// The graph as it is now. Take it once for each request.
    pub fn load(&self) -> Arc<Published> {
        self.current.load_full()
    }

    /// Puts another state in place of the present one, and the revisions that lead to it into the journal, in their order. There
    /// is one writer.
    pub(crate) fn publish(&self, mut published: Published, revisions: Vec<Logged>) {
        published.changes.number = self.load().changes.number + 1;
        published.changes.journal_end = self.journal.append(revisions, &published.stand());
        self.current.store(Arc::new(published));
        self.changed.send_modify(|count| *count += 1);
    }

    /// What was published last.
    pub(crate) fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Tells when another state is there.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Waits until the graph is as wanted, and gives it; `None` if it was not in time.
    pub async fn wait_for(&self, limit: Duration, wanted: impl Fn(&Published) -> bool) -> Option<Arc<Published>> {
        let mut changed = self.changed.subscribe();
        let wait = async {
            loop {
                changed.mark_unchanged();
                let published = self.load();
                if wanted(&published) {
                    return Some(published);
                }
                changed.changed().await.ok()?;
            }
        };
        tokio::time::timeout(limit, wait).await.ok().flatten()
    }
}
