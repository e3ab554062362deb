//! What can be reached from some records, with the paths that explain it.

use spil_graph::Reached;

use super::{Halt, Writer, connection::Stand, string};
use crate::graphql::{
    bind::{Bound, Reach, ReachPosition},
    plan::{Item, Place, ReachEdgeField, ReachField, ReachItem, ReachStepField},
    relation_step,
};

impl Writer<'_> {
    /// Writes a page of a traversal.
    pub(super) fn reach(&mut self, field: &ReachField) -> Result<(), Halt> {
        let Bound::Reach(asked) = self.bound(field.slot)? else { return Err(Halt::Mismatch) };
        let from: Vec<_> = self.places(&asked.from).iter().map(|place| (place.kind, place.row)).collect();
        let all = self.graph.reach(&from, &asked.ways, asked.depth, &mut self.budget)?;
        let shown = |reached: &Reached| {
            reached.distance > 0 && asked.to.as_ref().is_none_or(|kinds| kinds.contains(&reached.kind))
        };
        let list: Vec<u32> = (0..).zip(&all).filter(|(_, reached)| shown(reached)).map(|(at, _)| at).collect();
        let position = |at: u32| self.reach_position(&all[at as usize]);
        let mut start = asked.after.map_or(0, |after| list.partition_point(|at| position(*at) <= after));
        let mut end = asked.before.map_or(list.len(), |before| list.partition_point(|at| position(*at) < before));
        // A page that would end before it starts is empty, where it starts.
        end = end.max(start);
        end = end.min(asked.first.map_or(usize::MAX, |first| start.saturating_add(first)));
        start = start.max(asked.last.map_or(0, |last| end.saturating_sub(last)));
        let page = &list[start..end];
        let stand = Stand {
            has_next: end < list.len(),
            has_previous: start > 0,
            start: page.first().map(|at| position(*at).encode()),
            end: page.last().map(|at| position(*at).encode()),
        };
        let walk = Walk { asked, all: &all };
        self.object(&field.items, |this, item| {
            match &item.what {
                ReachItem::TypeName => this.raw("\"ReachConnection\""),
                ReachItem::TotalCount => this.raw(&list.len().to_string()),
                ReachItem::PageInfo(items) => this.stand(items, &stand)?,
                ReachItem::Nodes(items) => {
                    this.array(page, |this, at| this.any_record(walk.place(*at), items))?;
                }
                ReachItem::Edges(items) => this.array(page, |this, at| this.reach_edge(items, &walk, *at))?,
            }
            Ok(())
        })
    }

    fn reach_position(&self, reached: &Reached) -> ReachPosition {
        ReachPosition(reached.distance, reached.kind, self.graph.table(reached.kind).id(reached.row))
    }

    fn reach_edge(&mut self, items: &[Item<ReachEdgeField>], walk: &Walk<'_>, at: u32) -> Result<(), Halt> {
        self.object(items, |this, item| {
            match &item.what {
                ReachEdgeField::TypeName => this.raw("\"ReachEdge\""),
                ReachEdgeField::Cursor => {
                    let cursor = this.reach_position(walk.reached(at)).encode();
                    string(&cursor, &mut this.out);
                }
                ReachEdgeField::Distance => this.raw(&walk.reached(at).distance.to_string()),
                ReachEdgeField::Node(items) => this.any_record(walk.place(at), items)?,
                ReachEdgeField::Start(items) => {
                    let (start, _) = walk.path(at);
                    this.any_record(walk.place(start), items)?;
                }
                ReachEdgeField::Path(items) => {
                    let (_, path) = walk.path(at);
                    this.array(&path, |this, at| this.reach_step(items, walk, *at))?;
                }
            }
            Ok(())
        })
    }

    fn reach_step(&mut self, items: &[Item<ReachStepField>], walk: &Walk<'_>, at: u32) -> Result<(), Halt> {
        let came = walk.reached(at).came.ok_or(Halt::Mismatch)?;
        let (place, forward) = walk.asked.names.get(came.1 as usize).ok_or(Halt::Mismatch)?;
        let step = relation_step::all().get(*place).ok_or(Halt::Mismatch)?;
        self.object(items, |this, item| {
            match &item.what {
                ReachStepField::TypeName => this.raw("\"ReachStep\""),
                ReachStepField::Relation => string(&step.name, &mut this.out),
                ReachStepField::Forward => this.raw(if *forward { "true" } else { "false" }),
                ReachStepField::Record(items) => this.any_record(walk.place(at), items)?,
            }
            Ok(())
        })
    }
}

/// All that was reached.
struct Walk<'a> {
    asked: &'a Reach,
    all: &'a [Reached],
}

impl Walk<'_> {
    /// The record at a place of the answer; places come from the answer itself.
    fn reached(&self, at: u32) -> &Reached {
        &self.all[at as usize]
    }

    fn place(&self, at: u32) -> Place {
        let reached = self.reached(at);
        Place { kind: reached.kind, row: reached.row }
    }

    /// Where the path to a record starts, and the records after that, the last of which is the record itself.
    fn path(&self, at: u32) -> (u32, Vec<u32>) {
        let mut path = Vec::new();
        let mut here = at;
        while let Some((before, _)) = self.reached(here).came {
            path.push(here);
            here = before;
        }
        path.reverse();
        (here, path)
    }
}
