//! What a viewer sees of the graphs that show what a mutation did.

use std::sync::Arc;

use spil_access::Viewer;
use spil_graph::Graph;
use spil_proto::model::Kind;
use uuid::Uuid;

use super::{
    Engine,
    reads::{self, Recorder},
};
use crate::{
    access::Sights,
    live::{Live, Published},
};

/// The eye of a viewer, for whatever state of the graph.
pub(super) struct Eye<'a> {
    pub(super) live: &'a Live,
    sights: &'a Arc<Sights>,
    viewer: &'a Viewer,
}

impl Engine {
    /// The eye of a viewer.
    pub(super) fn eye<'a>(&'a self, viewer: &'a Viewer) -> Eye<'a> {
        Eye { live: &self.live, sights: &self.sights, viewer }
    }
}

impl Eye<'_> {
    /// A state of the graph as it is seen.
    pub(super) async fn published(&self, published: &Arc<Published>) -> Graph {
        let view = self.sights.view(self.viewer, published).await;
        published.graph.seen_by(view.sight())
    }

    /// A recorder of what is told of people over a state of the graph, if the viewer sees who others are.
    pub(super) fn recorder(&self, published: &Published) -> Option<Box<Recorder>> {
        reads::recorder(&self.sights.view_now(self.viewer, published))
    }

    /// A graph as it is seen that is not published: a copy of the published one to which records were added.
    pub(super) fn copy(&self, published: &Published, graph: &Graph, records: &[(Kind, Uuid)]) -> Graph {
        graph.seen_by(&self.sights.sight_of(self.viewer, published, graph, records))
    }

    /// The published graph without asking whether the sight is known, where it is about a record or two.
    pub(super) fn now(&self, published: &Published) -> Graph {
        published.graph.seen_by(self.sights.view_now(self.viewer, published).sight())
    }

    /// Whether a record is there for whoever refers to it in a state of the graph: seen, or of a kind that the viewer may change whole.
    pub(super) fn finds(&self, published: &Published, kind: Kind, id: Uuid) -> bool {
        // What is not there needs no sight to be made.
        published.graph.table(kind).row_of(id).is_some()
            && (self.changes_all(kind) || self.now(published).table(kind).row_of(id).is_some())
    }

    /// Whether the viewer may change every record of a kind, seen or not, and so knows of each whether it is there.
    pub(super) fn changes_all(&self, kind: Kind) -> bool {
        self.viewer.changes_all(kind)
    }
}
