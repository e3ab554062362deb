//! Plans of traversals.

use super::{
    Item, NodeItems, PageInfoField, Purpose,
    collect::Group,
    object::{Compiler, unknown},
};
use crate::graphql::error::GraphqlError;

/// What is asked of a traversal.
pub(crate) struct ReachField {
    pub(crate) slot: usize,
    pub(crate) items: Vec<Item<ReachItem>>,
}

/// A field of the connection.
pub(crate) enum ReachItem {
    TypeName,
    TotalCount,
    PageInfo(Vec<Item<PageInfoField>>),
    Nodes(NodeItems),
    Edges(Vec<Item<ReachEdgeField>>),
}

/// A field of an edge.
pub(crate) enum ReachEdgeField {
    TypeName,
    Cursor,
    Distance,
    Node(NodeItems),
    Start(NodeItems),
    Path(Vec<Item<ReachStepField>>),
}

/// A field of a step of a path.
pub(crate) enum ReachStepField {
    TypeName,
    Relation,
    Forward,
    Record(NodeItems),
}

impl<'d> Compiler<'d> {
    pub(super) fn reach(&mut self, group: &Group<'d>) -> Result<ReachField, GraphqlError> {
        let slot = self.slot(group, Purpose::Reach);
        let groups = self.below(group, "ReachConnection", &[]);
        let items = self.items(groups, |this, name, group| {
            Ok(match name {
                "__typename" => ReachItem::TypeName,
                "totalCount" => ReachItem::TotalCount,
                "pageInfo" => ReachItem::PageInfo(this.page_info(group)?),
                "nodes" => ReachItem::Nodes(this.node(group)?),
                "edges" => ReachItem::Edges(this.reach_edge(group)?),
                _ => return Err(unknown(name)),
            })
        })?;
        Ok(ReachField { slot, items })
    }

    fn reach_edge(&mut self, group: &Group<'d>) -> Result<Vec<Item<ReachEdgeField>>, GraphqlError> {
        let groups = self.below(group, "ReachEdge", &[]);
        self.items(groups, |this, name, group| {
            Ok(match name {
                "__typename" => ReachEdgeField::TypeName,
                "cursor" => ReachEdgeField::Cursor,
                "distance" => ReachEdgeField::Distance,
                "node" => ReachEdgeField::Node(this.node(group)?),
                "start" => ReachEdgeField::Start(this.node(group)?),
                "path" => ReachEdgeField::Path(this.reach_step(group)?),
                _ => return Err(unknown(name)),
            })
        })
    }

    fn reach_step(&mut self, group: &Group<'d>) -> Result<Vec<Item<ReachStepField>>, GraphqlError> {
        let groups = self.below(group, "ReachStep", &[]);
        self.items(groups, |this, name, group| {
            Ok(match name {
                "__typename" => ReachStepField::TypeName,
                "relation" => ReachStepField::Relation,
                "forward" => ReachStepField::Forward,
                "record" => ReachStepField::Record(this.node(group)?),
                _ => return Err(unknown(name)),
            })
        })
    }
}
