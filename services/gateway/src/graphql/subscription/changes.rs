//! The stream of changes of one subscriber: from the owners' logs first, if it comes late, and then from the journal.

use std::sync::{Arc, atomic::Ordering};

use spil_access::Viewer;
use spil_proto::model::Owner;
use tokio::sync::watch;

use super::{
    event::{self, Asked, Said, Seeing},
    fill::{self, Piece, expired},
    heavy,
    held::Told,
    place, token_of,
};
use crate::{
    access::Sights,
    graphql::{
        Engine, FRESHNESS_LIMIT, LIGHT_COST,
        bind::Bound,
        error::{Code, GraphqlError},
        execute::Halt,
        plan::{Plan, Root, SubscriptionField},
    },
    journal::{Follow, Found, Logged, Opening, Reader, Spot, Taken, What, number},
    live::Published,
};

/// How many changes that are not wanted are passed before others get a turn.
const PASSED_AT_ONCE: usize = 128;

/// What those who ask the same for changes share.
pub(super) struct Feed {
    /// Names it in the store of what was written.
    pub(super) number: u64,
    pub(super) plan: Arc<Plan>,
    pub(super) bound: Vec<Bound>,
    pub(super) cost: u64,
    /// Who asks; all of them see the same, for the same purpose.
    pub(super) viewer: Viewer,
}

impl Feed {
    /// What is asked, and which changes are wanted.
    fn asked(&self) -> Option<Asked<'_>> {
        let Root::Subscription(item) = &self.plan.root else { return None };
        let SubscriptionField::Changes { slot, items } = &item.what else { return None };
        let Some(Bound::Changes(wanted)) = self.bound.get(*slot) else { return None };
        Some(Asked { key: &item.key, items, wanted, bound: &self.bound })
    }

    fn say(
        &self,
        sights: &Sights,
        published: &Arc<Published>,
        said: &Said<'_>,
        cost: u64,
    ) -> Result<Option<Told>, Halt> {
        let asked = self.asked().ok_or(Halt::Mismatch)?;
        let seeing = Seeing { sights, viewer: &self.viewer };
        let told = event::say(&seeing, published, said, &asked, cost)?;
        Ok(told.map(|(body, reads)| Told::new(body.into(), reads)))
    }
}

/// The revision that is being sent.
struct Current {
    revision: Arc<Logged>,
    /// The event that comes next.
    next: usize,
    /// The entry of the journal, if whoever else reads it stands where this subscriber stands.
    entry: Option<u64>,
}

/// Where the next revision comes from.
enum Source {
    /// That has to be found out.
    Unknown,
    /// An owner's log, up to a place.
    Log { owner: Owner, to: Spot, piece: Option<Piece> },
    /// The journal.
    Journal(Follow),
}

/// The stream of one subscriber.
pub(super) struct ChangeStream {
    engine: Arc<Engine>,
    feed: Arc<Feed>,
    token: String,
    reader: Reader,
    source: Source,
    current: Option<Current>,
    changed: watch::Receiver<u64>,
    /// Whether it has read from the journal since it was found that it can.
    has_followed: bool,
    /// Whether what it has read was in the graph.
    has_begun: bool,
}

impl ChangeStream {
    pub(super) fn new(engine: Arc<Engine>, feed: Arc<Feed>, token: String, reader: Reader) -> Self {
        let changed = engine.live.watch();
        Self {
            engine,
            feed,
            token,
            reader,
            source: Source::Unknown,
            current: None,
            changed,
            has_followed: false,
            has_begun: false,
        }
    }

    /// The place up to which everything was sent.
    pub(super) fn cursor(&self) -> String {
        place::encode(&self.reader)
    }

    /// Finds out where the next revision comes from, which tells whether the place is one to begin at.
    ///
    /// # Errors
    /// If the place is in no log, or the graph is not there yet.
    pub(super) async fn begin(&mut self) -> Result<(), GraphqlError> {
        let find = |published: &Published, reader: &Reader| {
            let opening = self.engine.live.journal().open(reader, published.changes.journal_end, &published.stand());
            if published.is_complete() { opening } else { Opening::Ahead }
        };
        let mut opening = find(&self.engine.live.load(), &self.reader);
        if opening == Opening::Ahead && !self.has_begun {
            let reader = self.reader;
            let arrived = |published: &Published| find(published, &reader) != Opening::Ahead;
            if let Some(published) = self.engine.live.wait_for(FRESHNESS_LIMIT, arrived).await {
                opening = find(&published, &self.reader);
            }
        }
        self.source = match opening {
            Opening::Follow(follow) => Source::Journal(follow),
            Opening::Fill(owner, to) => Source::Log { owner, to, piece: None },
            Opening::Ahead if !self.has_begun => {
                return Err(GraphqlError::new(Code::NotReady, "the graph does not show this place yet; try again"));
            }
            Opening::Ahead | Opening::Expired => return Err(expired()),
        };
        self.has_begun = true;
        self.has_followed = false;
        Ok(())
    }

    /// The next change that is wanted.
    ///
    /// # Errors
    /// If the subscription can not go on.
    pub(super) async fn next(&mut self) -> Result<Option<Told>, GraphqlError> {
        loop {
            if let Some(body) = self.send().await? {
                return Ok(Some(body));
            }
            match &mut self.source {
                Source::Unknown => self.begin().await?,
                Source::Log { .. } => self.read_log().await?,
                Source::Journal(_) => self.read_journal().await?,
            }
        }
    }

    /// The next wanted event of the revision at hand.
    async fn send(&mut self) -> Result<Option<Told>, GraphqlError> {
        let Some(Current { revision, mut next, entry }) = self.current.take() else { return Ok(None) };
        let feed = Arc::clone(&self.feed);
        let wanted = feed.asked().ok_or_else(|| GraphqlError::from(Halt::Mismatch))?.wanted;
        while let Some(event) = revision.events.get(next) {
            let number = next;
            next += 1;
            if event.erased {
                // What was written before may tell who it was.
                self.engine.subscriptions.written.clear();
            }
            // Counted as sent before it is: if writing it fails, the subscription ends with an error and the place before.
            let past = self.reader.past(&revision, next);
            if wanted.admits(&revision, event)
                && let Some(body) = self.written(&revision, number, entry, &past).await?
            {
                self.reader = past;
                self.current = Some(Current { revision, next, entry });
                return Ok(Some(body));
            }
            if next % PASSED_AT_ONCE == 0 {
                tokio::task::yield_now().await;
            }
        }
        self.reader = self.reader.past(&revision, revision.events.len());
        tokio::task::consume_budget().await;
        Ok(None)
    }

    /// An event as it is sent; written once for all who ask the same and stand at the same place.
    async fn written(
        &self,
        revision: &Arc<Logged>,
        number: usize,
        entry: Option<u64>,
        past: &Reader,
    ) -> Result<Option<Told>, GraphqlError> {
        // What is somebody's own may be another's by the time that the next asks: that is found out for each.
        let is_shared = Arc::strong_count(&self.feed) > 1 && !self.feed.viewer.has_own();
        let key = entry.filter(|_| is_shared).map(|entry| (self.feed.number, entry, number));
        let written = &self.engine.subscriptions.written;
        if let Some(found) = key.and_then(|key| written.get(&key)) {
            return Ok(found);
        }
        let published = self.engine.live.load();
        let (cursor, token) = (place::encode(past), token_of(past, revision));
        let body = self.write(published, revision, number, cursor, token).await?;
        if let Some(key) = key {
            written.put(key, body.clone());
        }
        Ok(body)
    }

    async fn write(
        &self,
        published: Arc<Published>,
        revision: &Arc<Logged>,
        number: usize,
        cursor: String,
        token: String,
    ) -> Result<Option<Told>, GraphqlError> {
        let (feed, revision) = (Arc::clone(&self.feed), Arc::clone(revision));
        let cost = feed.cost;
        let sights = Arc::clone(&self.engine.sights);
        let say = move |feed: &Feed, cost| match revision.events.get(number) {
            Some(event) => {
                let said = Said { revision: &revision, event, cursor: &cursor, token: &token };
                feed.say(&sights, &published, &said, cost)
            }
            None => Ok(None),
        };
        if !feed.plan.is_heavy.load(Ordering::Relaxed) {
            match say(&feed, cost.min(LIGHT_COST)) {
                Err(Halt::TooCostly) if cost > LIGHT_COST => feed.plan.is_heavy.store(true, Ordering::Relaxed),
                result => return result.map_err(GraphqlError::from),
            }
        }
        let turns = Arc::clone(&self.engine.subscriptions.costly);
        Ok(heavy(turns, move || say(&feed, cost)).await??)
    }

    /// Takes the next revision from an owner's log.
    async fn read_log(&mut self) -> Result<(), GraphqlError> {
        let Source::Log { owner, to, piece } = &mut self.source else { return Ok(()) };
        let at = self.reader.at[number(*owner)];
        if at.revision >= to.revision {
            self.source = Source::Unknown;
            return Ok(());
        }
        if piece.as_ref().is_none_or(|piece| piece.revisions.is_empty()) {
            *piece = None;
            let client = self.engine.clients.iter().find(|client| client.owner() == *owner);
            let client = client.ok_or_else(|| GraphqlError::from(Halt::Mismatch))?.clone();
            let turns = Arc::clone(&self.engine.subscriptions.turns);
            *piece = Some(fill::read(turns, client, self.engine.log_token(&self.token)?, at).await?);
        }
        let Some(revision) = piece.as_mut().and_then(|piece| piece.revisions.pop_front()) else { return Ok(()) };
        match self.reader.meets_revision(&revision) {
            Taken::Events(next) => self.current = Some(Current { revision, next, entry: None }),
            // An owner's log has no gaps; if this one has, it is another log by now.
            Taken::Known | Taken::Broken | Taken::Expired => return Err(expired()),
        }
        Ok(())
    }

    /// Takes the next revision from the journal, or waits for it.
    async fn read_journal(&mut self) -> Result<(), GraphqlError> {
        let Source::Journal(follow) = &mut self.source else { return Ok(()) };
        self.changed.mark_unchanged();
        // Only what the graph shows.
        if follow.next >= self.engine.live.load().changes.journal_end {
            return self.changed.changed().await.map_err(|_| GraphqlError::from(Halt::Mismatch));
        }
        let entry = match self.engine.live.journal().at(follow.next) {
            Found::Entry(entry) => entry,
            Found::Gone if self.has_followed => {
                return Err(GraphqlError::new(
                    Code::SubscriberTooSlow,
                    "the subscriber is too slow for the changes that come; go on from the last cursor",
                ));
            }
            Found::Gone | Found::Ahead => {
                self.source = Source::Unknown;
                return Ok(());
            }
        };
        match self.reader.meets(follow, &entry) {
            Taken::Known => {}
            Taken::Events(next) => {
                if let What::Revision(revision) = &entry.what {
                    let is_in_step = self.reader.at.map(Some) == entry.before;
                    let (revision, number) = (Arc::clone(revision), is_in_step.then_some(follow.next));
                    self.current = Some(Current { revision, next, entry: number });
                }
            }
            Taken::Broken => {
                self.source = Source::Unknown;
                return Ok(());
            }
            Taken::Expired => return Err(expired()),
        }
        follow.next += 1;
        self.has_followed = true;
        Ok(())
    }
}
