//! Finds records by words: an index in memory that follows the graph.
//!
//! A task takes each new state of the graph, asks it which texts differ from those in the index
//! ([`changed_since`](spil_graph::Graph::changed_since)), and writes these. Nothing has to be told what changed, so nothing can be missed, also
//! when an owner is read anew. Hits are read again from the graph that answers the request: one that is not there, or has the
//! words no longer, is left out, and the pieces of text that are shown are those of that graph.

mod ask;
mod highlight;
mod index;
mod language;
mod seen;
mod words;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use arc_swap::ArcSwapOption;
use spil_graph::{Budget, Exhausted, Graph};
use spil_proto::model::{Kind, Owner};
use tantivy::{Score, Searcher, TantivyError};
use tokio::{
    sync::watch,
    task::{AbortHandle, spawn_blocking},
};
use uuid::Uuid;

use crate::live::{Live, Published};
use ask::Demand;
use index::{Fields, Indexer, Texts};
use language::Analysis;
use seen::Seen;
use words::Sought;

pub(crate) use ask::MAX_HITS;
pub(crate) use highlight::Highlight;
pub(crate) use language::SearchLanguage;

/// The least time between two writes of the index; changes are gathered meanwhile.
const PAUSE: Duration = Duration::from_millis(50);
/// How long to wait before an index that failed is made anew.
const PAUSE_AFTER_FAULT: Duration = Duration::from_secs(5);
/// How long to wait for a change at a time.
const WATCH: Duration = Duration::from_secs(3600);
/// What a search costs beside the words it compares, and each word of it more. That is about how long it takes, measured in the work
/// of plain queries.
const COST: u64 = 5_000;

/// An index that follows a graph, until this is dropped.
pub(crate) struct Search {
    shared: Arc<Shared>,
    task: AbortHandle,
}

#[derive(Default)]
struct Shared {
    indexed: ArcSwapOption<Indexed>,
    changed: watch::Sender<()>,
}

/// A state of the index.
pub(crate) struct Indexed {
    searcher: Searcher,
    fields: Fields,
    /// The state of the graph that it shows.
    published: Arc<Published>,
}

/// A record that was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Hit {
    pub(crate) kind: Kind,
    pub(crate) id: Uuid,
    pub(crate) score: Score,
}

/// What to look for.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) text: String,
    /// Only records of these kinds.
    pub(crate) kinds: Option<Vec<Kind>>,
    pub(crate) language: Option<SearchLanguage>,
    /// How many records to show from the start.
    pub(crate) first: Option<usize>,
    /// How many records to show from the end.
    pub(crate) last: Option<usize>,
    /// Only those after this one.
    pub(crate) after: Option<Hit>,
    /// Only those before this one.
    pub(crate) before: Option<Hit>,
}

/// A page of what was found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) hits: Vec<(Hit, Vec<Highlight>)>,
    /// How many records fit, as the index has it, of those that are seen.
    pub(crate) total: usize,
    pub(crate) has_next: bool,
    pub(crate) has_previous: bool,
}

/// Why nothing was found.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SearchError {
    /// It costs more than one request may.
    #[error(transparent)]
    Exhausted(#[from] Exhausted),
    /// The index can not be read: a fault of ours.
    #[error("the index can not be read")]
    Index(#[from] TantivyError),
}

impl Search {
    /// Starts to follow a graph.
    pub(crate) fn start(live: Arc<Live>) -> Search {
        let shared = Arc::new(Shared::default());
        let task = tokio::spawn(follow(live, Arc::clone(&shared))).abort_handle();
        Search { shared, task }
    }

    /// The index as it is; none while it was never written.
    pub(crate) fn indexed(&self) -> Option<Arc<Indexed>> {
        self.shared.indexed.load_full()
    }

    /// Waits until the index shows what a state of the graph shows, but not longer than a limit, and gives it as it is then.
    pub(crate) async fn wait_for(&self, published: &Published, limit: Duration) -> Option<Arc<Indexed>> {
        let mut changed = self.shared.changed.subscribe();
        let wait = async {
            loop {
                changed.mark_unchanged();
                if self.indexed().is_some_and(|indexed| indexed.covers(published)) {
                    return;
                }
                if changed.changed().await.is_err() {
                    return;
                }
            }
        };
        // Late or not, the answer is what there is.
        let _ = tokio::time::timeout(limit, wait).await;
        self.indexed()
    }
}

impl Drop for Search {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Brings the index to each new state of the graph.
async fn follow(live: Arc<Live>, shared: Arc<Shared>) {
    let mut indexer: Option<Indexer> = None;
    loop {
        let stands = |published: &Published| Owner::ALL.map(|owner| published.owner(owner).cursor.clone());
        let shown = shared.indexed.load_full().map(|indexed| stands(&indexed.published));
        let is_news = |published: &Published| {
            published.is_complete() && (indexer.is_none() || shown.as_ref() != Some(&stands(published)))
        };
        let Some(published) = live.wait_for(WATCH, is_news).await else { continue };
        let (own, began) = (indexer.take(), Instant::now());
        let written = spawn_blocking(move || {
            let mut indexer = match own {
                Some(indexer) => indexer,
                None => Indexer::new()?,
            };
            let indexed = indexer.advance(published)?;
            Ok::<_, TantivyError>((indexer, indexed))
        })
        .await;
        match written {
            Ok(Ok((own, indexed))) => {
                if shown.is_none() {
                    indexed.report(began.elapsed());
                }
                indexer = Some(own);
                shared.indexed.store(Some(Arc::new(indexed)));
                shared.changed.send_replace(());
                tokio::time::sleep(PAUSE).await;
            }
            Ok(Err(error)) => {
                tracing::error!(%error, "the search index could not be written; it is made anew");
                tokio::time::sleep(PAUSE_AFTER_FAULT).await;
            }
            Err(error) => {
                tracing::error!(%error, "the search index could not be written; it is made anew");
                tokio::time::sleep(PAUSE_AFTER_FAULT).await;
            }
        }
    }
}

impl Indexed {
    /// Tells how large the index is, and how long it took to make it.
    fn report(&self, took: Duration) {
        let bytes = self.searcher.space_usage().map_or(0, |usage| usage.total().get_bytes());
        let (documents, milliseconds) = (self.searcher.num_docs(), took.as_millis());
        tracing::info!(documents, milliseconds, bytes, "the search index is built");
    }

    /// Whether the index shows what a state of the graph shows, or something newer.
    pub(crate) fn covers(&self, published: &Published) -> bool {
        Owner::ALL.into_iter().all(|owner| {
            published.owner(owner).cursor.as_ref().is_none_or(|cursor| self.published.covers(owner, cursor))
        })
    }

    /// A page of the records that fit a question, the best first: those that have all words, or, where none has, those that have some.
    /// At most [`MAX_HITS`] can be paged through.
    ///
    /// # Errors
    /// If it costs more than the budget allows, or the index can not be read.
    pub(crate) fn find(&self, graph: &Graph, question: &Question, budget: &mut Budget) -> Result<Found, SearchError> {
        let mut analysis = Analysis::new();
        let sought = Sought::new(&question.text, question.language, &mut analysis);
        budget.spend(COST * (1 + sought.words.len() as u64))?;
        let seen = Seen::of(graph);
        let asked = question.kinds.as_deref();
        let kinds = match &seen {
            Some(seen) => Some(seen.among(asked)),
            None => asked.map(|kinds| kinds.iter().map(|kind| (*kind, Texts::ALL)).collect()),
        };
        let kinds = kinds.as_deref();
        let mut demand = Demand::All;
        let (mut hits, mut total) = self.hits(&sought, demand, kinds, seen.as_ref())?;
        if total == 0 && sought.words.len() > 1 {
            demand = Demand::Any;
            (hits, total) = self.hits(&sought, demand, kinds, seen.as_ref())?;
        }
        let start = question.after.map_or(0, |after| after_place(&hits, &after));
        let end = question.before.map_or(hits.len(), |before| before_place(&hits, &before));
        let window = hits.get(start..end).unwrap_or_default();
        let mut reader = highlight::Reader::new(graph, &sought);
        // Each hit is looked at again in the graph that answers: it may be gone, or say something else by now.
        let mut present = |hit: &Hit, budget: &mut Budget| -> Result<Option<(Hit, Vec<Highlight>)>, Exhausted> {
            let Some(row) = graph.table(hit.kind).row_of(hit.id) else { return Ok(None) };
            budget.spend(10)?;
            Ok(reader.read(hit.kind, row, demand, budget)?.map(|highlights| (*hit, highlights)))
        };
        let mut found = Found { hits: Vec::new(), total, has_next: end < hits.len(), has_previous: start > 0 };
        if let (None, Some(last)) = (question.first, question.last) {
            for hit in window.iter().rev() {
                let Some(hit) = present(hit, budget)? else { continue };
                if found.hits.len() == last {
                    found.has_previous = true;
                    break;
                }
                found.hits.push(hit);
            }
            found.hits.reverse();
            return Ok(found);
        }
        for hit in window {
            let Some(hit) = present(hit, budget)? else { continue };
            if question.first.is_some_and(|first| found.hits.len() == first) {
                found.has_next = true;
                break;
            }
            found.hits.push(hit);
        }
        if let Some(last) = question.last
            && found.hits.len() > last
        {
            found.hits.drain(..found.hits.len() - last);
            found.has_previous = true;
        }
        Ok(found)
    }
}

/// Where what fits better than a hit ends: at its place if it is still there, else before all that fit no better.
fn before_place(hits: &[Hit], before: &Hit) -> usize {
    match hits.iter().position(|hit| hit.kind == before.kind && hit.id == before.id) {
        Some(place) => place,
        None => hits.partition_point(|hit| hit.score > before.score),
    }
}

/// Where to go on after a hit: after its place if it is still there, else after all that fit better.
fn after_place(hits: &[Hit], after: &Hit) -> usize {
    match hits.iter().position(|hit| hit.kind == after.kind && hit.id == after.id) {
        Some(place) => place + 1,
        None => hits.partition_point(|hit| hit.score >= after.score),
    }
}

#[cfg(test)]
mod tests;
