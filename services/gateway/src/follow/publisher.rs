//! The one writer of the graph.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use spil_graph::{ApplyError, Graph};
use spil_proto::{
    changefeed::v1::{Cursor, Origin, Provenance, Record, RecordProvenance, Revision},
    model::Owner,
};
use tokio::sync::{mpsc, oneshot};

use crate::{
    journal::{Logged, Spot},
    live::{Changes, Live, Published, PublishedOwner},
};

/// How long changes are gathered before they are published together.
const COALESCE: Duration = Duration::from_millis(3);

/// What followers tell the publisher.
pub(super) enum Event {
    /// An owner is being read anew. What was read before of a refill that was broken off is forgotten.
    RefillBegun(Owner),
    /// Some records of the owner that is being read anew.
    RefillPart(Vec<Record>, Provenance),
    /// The owner was read whole, as of a place in its log.
    RefillDone(Owner, Cursor, oneshot::Sender<()>),
    /// An owner changed, up to a place in its log.
    Changed(Owner, Cursor, Vec<Revision>),
}

/// The graph under the publisher's hands.
struct Workbench<'a> {
    live: &'a Live,
    /// What was published last, and the changes since.
    graph: Graph,
    owners: [PublishedOwner; 3],
    /// What changed since.
    changes: Changes,
    /// The revisions since, in the order in which they came.
    revisions: Vec<Logged>,
    /// The graph in which an owner is being read anew; changes of the others go into both.
    refill: Option<(Owner, Graph)>,
    /// Since when something is unpublished.
    dirty: Option<Instant>,
}

/// Takes events until the followers are gone. Runs on a thread of its own, since loading is work.
pub(super) fn run(live: &Live, mut events: mpsc::Receiver<Event>) {
    let published = live.load();
    let mut bench = Workbench {
        live,
        graph: published.graph.clone(),
        owners: published.owners.clone(),
        changes: published.changes.clone(),
        revisions: Vec::new(),
        refill: None,
        dirty: None,
    };
    while let Some(event) = events.blocking_recv() {
        bench.take(event);
        // Whatever else is there already is taken along, but nobody waits longer than a few milliseconds.
        while bench.dirty.is_some_and(|since| since.elapsed() < COALESCE) {
            match events.try_recv() {
                Ok(event) => bench.take(event),
                Err(_) => break,
            }
        }
        bench.publish();
    }
}

impl Workbench<'_> {
    fn take(&mut self, event: Event) {
        match event {
            Event::RefillBegun(owner) => {
                let mut graph = self.graph.clone();
                graph.clear(owner);
                self.refill = Some((owner, graph));
            }
            Event::RefillPart(records, provenance) => {
                if let Some((_, graph)) = &mut self.refill {
                    fill(graph, &records, provenance);
                }
            }
            Event::RefillDone(owner, cursor, done) => {
                if let Some((_, graph)) = self.refill.take() {
                    self.graph = graph;
                    owner.kinds().for_each(|kind| self.changes.touch(kind));
                    self.stands(owner, cursor);
                    self.publish();
                }
                // If the follower has gone meanwhile, nobody waits.
                let _ = done.send(());
            }
            Event::Changed(owner, cursor, revisions) => {
                let log = Spot::of(&cursor);
                for revision in revisions {
                    self.revision(owner, &log, revision);
                }
                self.stands(owner, cursor);
            }
        }
    }

    fn revision(&mut self, owner: Owner, log: &Spot, revision: Revision) {
        // Before the graph takes it, which tells what a record was.
        let logged = Logged::new(owner, log, revision, Some(&self.graph));
        let origin = Arc::new(logged.origin());
        for event in &logged.events {
            self.changes.touch(event.kind);
            tell(self.graph.apply_change(&event.record, &event.told, &origin));
            if let Some((refilled, graph)) = &mut self.refill
                && *refilled != owner
            {
                tell(graph.apply_change(&event.record, &event.told, &origin));
            }
        }
        self.revisions.push(logged);
    }

    fn stands(&mut self, owner: Owner, cursor: Cursor) {
        for known in &mut self.owners {
            if known.owner == owner {
                known.cursor = Some(cursor.clone());
            }
        }
        self.dirty.get_or_insert_with(Instant::now);
    }

    fn publish(&mut self) {
        if self.dirty.take().is_some() {
            let published = Published::of(self.graph.clone(), self.owners.clone(), self.changes.clone());
            self.live.publish(published, std::mem::take(&mut self.revisions));
            self.changes.number += 1;
        }
    }
}

/// Takes records of a snapshot, and who set their fields. An owner of an earlier version does not say that.
fn fill(graph: &mut Graph, records: &[Record], provenance: Provenance) {
    let origins: Vec<Arc<Origin>> = provenance.origins.into_iter().map(Arc::new).collect();
    let unknown = RecordProvenance::default();
    for (place, record) in records.iter().enumerate() {
        let known = provenance.records.get(place).unwrap_or(&unknown);
        tell(graph.apply_known(record, known, &origins));
    }
}

/// A record that this version can not read is left out and told of; the rest of the graph is right.
fn tell(applied: Result<(), ApplyError>) {
    if let Err(error) = applied {
        tracing::error!(%error, "a record was left out of the graph");
    }
}
