//! The sights of those who ask, kept as long as nothing changes that they depend on.

use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use lru::LruCache;
use spil_access::{Action, Viewer, ViewerKey};
use spil_graph::{Graph, Row, Sight};
use spil_proto::model::Kind;
use uuid::Uuid;

use super::{compile, own, own::Own};
use crate::live::Published;

/// How many viewers' sights are kept. One of somebody who sees some of millions of records takes some hundred kilobytes.
const KEPT: NonZeroUsize = NonZeroUsize::MIN.saturating_add(511);
const SECONDS_A_DAY: u64 = 86_400;

/// What a viewer sees of one state of the graph. Cheap to clone.
#[derive(Clone, Debug)]
pub struct View {
    viewer: Viewer,
    sight: Arc<Sight>,
    own: Arc<Own>,
    identifies_others: bool,
}

impl View {
    /// Who sees it.
    pub fn viewer(&self) -> &Viewer {
        &self.viewer
    }

    /// What is seen.
    pub fn sight(&self) -> &Arc<Sight> {
        &self.sight
    }

    /// The worker who the viewer is, if the graph has it.
    pub fn worker(&self) -> Option<Uuid> {
        self.own.worker().map(|(id, _)| id)
    }

    /// Whether a record is the viewer's worker or about that worker: then it is no news to the viewer who that is.
    pub fn is_own(&self, kind: Kind, row: Row) -> bool {
        self.own.scopes(kind, row).contains(spil_access::Scope::OwnRecord)
    }

    /// Whether an action is allowed on a record that is in the state of the graph which the view is of, whatever its values.
    pub fn may(&self, action: Action, kind: Kind, row: Row) -> bool {
        let scopes = self.own.scopes(kind, row);
        self.viewer.rights(action, kind).iter().any(|right| scopes.contains(right.scope))
    }

    /// Whether who people are is seen of others than the viewer, by some right that has its purpose.
    pub fn identifies_others(&self) -> bool {
        self.identifies_others
    }
}

fn identifies_others(viewer: &Viewer) -> bool {
    Kind::ALL.iter().any(|kind| {
        let rights = viewer.rights(Action::Identify, *kind);
        rights.iter().any(|right| right.scope != spil_access::Scope::OwnRecord)
    })
}

/// What is kept of a viewer.
struct Kept {
    day: i32,
    /// The kinds that the sight depends on, each with the state in which it changed last.
    states: Vec<(Kind, u64)>,
    sight: Arc<Sight>,
    own: Arc<Own>,
    identifies_others: bool,
}

/// The sights of those who asked lately.
pub struct Sights {
    kept: Mutex<LruCache<ViewerKey, Kept>>,
}

impl Default for Sights {
    fn default() -> Self {
        Self { kept: Mutex::new(LruCache::new(KEPT)) }
    }
}

impl Sights {
    /// What a viewer sees of a state of the graph today. Made on a thread that nobody else waits for, where it is not known yet and takes
    /// a walk over the graph.
    pub async fn view(self: &Arc<Self>, viewer: &Viewer, published: &Arc<Published>) -> View {
        let day = today();
        if let Some(view) = self.known(viewer, published, day) {
            return view;
        }
        if !viewer.has_own() {
            return self.make(viewer, published, day);
        }
        let (sights, viewer, published) = (Arc::clone(self), viewer.clone(), Arc::clone(published));
        let nothing = View {
            viewer: viewer.clone(),
            sight: Arc::new(Sight::nothing()),
            own: Arc::default(),
            identifies_others: false,
        };
        let made = tokio::task::spawn_blocking(move || sights.make(&viewer, &published, day)).await;
        // If the work was cut off, nothing is seen rather than too much.
        made.unwrap_or(nothing)
    }

    /// The same on this thread.
    pub fn view_now(&self, viewer: &Viewer, published: &Published) -> View {
        let day = today();
        self.known(viewer, published, day).unwrap_or_else(|| self.make(viewer, published, day))
    }

    /// What a viewer sees of a graph that is not published: a copy of the published one in which some records were written. What would be the
    /// viewer's own by them is not: nothing else is seen of the copy than of the published graph, and who the viewer is, that one says. A
    /// record that is in the copy only is seen where it would be, were it published. It is found out anew, and not kept.
    pub fn sight_of(
        &self,
        viewer: &Viewer,
        published: &Published,
        copy: &Graph,
        records: &[(Kind, Uuid)],
    ) -> Arc<Sight> {
        let view = self.view_now(viewer, published);
        if !viewer.has_own() {
            return view.sight;
        }
        let own = view.worker().map(|worker| Own::of_worker(viewer, worker, copy, today())).unwrap_or_default();
        let sight = compile::sight(viewer, &own, copy);
        Arc::new(sight.and_before(copy, &view.sight, &published.graph, records))
    }

    fn known(&self, viewer: &Viewer, published: &Published, day: i32) -> Option<View> {
        // An entry is whole after every step, so a panic elsewhere leaves nothing to fear.
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.get(&viewer.key())?;
        let is_as_it_was = |(kind, state): &(Kind, u64)| published.changes.last(*kind) == *state;
        if viewer.has_own() && !(found.day == day && found.states.iter().all(is_as_it_was)) {
            return None;
        }
        Some(View {
            viewer: viewer.clone(),
            sight: Arc::clone(&found.sight),
            own: Arc::clone(&found.own),
            identifies_others: found.identifies_others,
        })
    }

    fn make(&self, viewer: &Viewer, published: &Published, day: i32) -> View {
        let own = Arc::new(if viewer.has_own() { Own::find(viewer, &published.graph, day) } else { Own::default() });
        let sight = Arc::new(compile::sight(viewer, &own, &published.graph));
        let identifies_others = identifies_others(viewer);
        let made = Kept {
            day,
            states: states(viewer, published),
            sight: Arc::clone(&sight),
            own: Arc::clone(&own),
            identifies_others,
        };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.put(viewer.key(), made);
        View { viewer: viewer.clone(), sight, own, identifies_others }
    }
}

/// The kinds that decide what is the viewer's own, with the states in which they changed last.
fn states(viewer: &Viewer, published: &Published) -> Vec<(Kind, u64)> {
    own::touched(viewer).into_iter().map(|kind| (kind, published.changes.last(kind))).collect()
}

/// The day, in UTC: days since 1970-01-01.
pub(crate) fn today() -> i32 {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    i32::try_from(seconds / SECONDS_A_DAY).unwrap_or(i32::MAX)
}
