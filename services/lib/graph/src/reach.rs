//! What can be reached from some records, and how.

use std::collections::HashSet;

use spil_proto::model::{Kind, Step};

use crate::{Budget, Exhausted, Graph, Row, walk::destination};

/// A way to go on from the records of a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// The kind it starts from.
    pub from: Kind,
    /// The kind it leads to.
    pub to: Kind,
    /// The steps. All of them together count as one in a distance.
    pub steps: Vec<Step>,
}

impl Way {
    /// The same way the other way round.
    #[must_use]
    pub fn reversed(&self) -> Way {
        Way { from: self.to, to: self.from, steps: self.steps.iter().rev().map(|step| step.reversed()).collect() }
    }
}

/// A record that was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reached {
    /// Its kind.
    pub kind: Kind,
    /// Its row.
    pub row: Row,
    /// How many ways in a row lead to it at least; 0 for a record that the search started from.
    pub distance: u32,
    /// The last of these ways: the place of the record that it came from in the answer, and the number of the way. None for a record
    /// that the search started from.
    pub came: Option<(u32, u32)>,
}

impl Graph {
    /// The records that one reaches from some records along ways, at most `depth` of them in a row: breadth-first, each once, in the
    /// order of distance, kind and id. The records to start from come first, at distance 0.
    ///
    /// Of several shortest paths to a record that one is taken whose last record but one comes first in the answer, and then the way that
    /// comes first in `ways`; so the answer depends on nothing else than what is asked and what is there.
    ///
    /// Every reference looked at costs 1, and every record reached 1 more.
    ///
    /// # Errors
    /// If that is more than the budget allows.
    pub fn reach(
        &self,
        from: &[(Kind, Row)],
        ways: &[Way],
        depth: u32,
        budget: &mut Budget,
    ) -> Result<Vec<Reached>, Exhausted> {
        // Ways that lead elsewhere than they say lead nowhere.
        let fits = |way: &Way| way.steps.iter().try_fold(way.from, |at, step| destination(at, *step)) == Some(way.to);
        let mut of_kind: Vec<Vec<(u32, &Way)>> = vec![Vec::new(); crate::schema::KINDS];
        for (number, way) in (0..).zip(ways).filter(|(_, way)| fits(way)) {
            of_kind[crate::schema::place(way.from)].push((number, way));
        }
        let mut met = HashSet::new();
        let mut level: Vec<Reached> = from
            .iter()
            .filter(|(kind, row)| self.table(*kind).is_live(*row) && met.insert((*kind, *row)))
            .map(|(kind, row)| Reached { kind: *kind, row: *row, distance: 0, came: None })
            .collect();
        let mut all: Vec<Reached> = Vec::new();
        for distance in 1..=depth.saturating_add(1) {
            budget.spend(level.len() as u64)?;
            level.sort_by_cached_key(|reached| (reached.kind, self.table(reached.kind).id(reached.row)));
            // A budget of 2^32 records is far beyond what memory holds.
            let first = u32::try_from(all.len()).map_err(|_| Exhausted)?;
            all.append(&mut level);
            if distance > depth {
                break;
            }
            for (place, reached) in (first..).zip(&all[first as usize..]) {
                for (number, way) in &of_kind[crate::schema::place(reached.kind)] {
                    for row in self.walk_within(reached.kind, reached.row, &way.steps, budget)? {
                        if met.insert((way.to, row)) {
                            level.push(Reached { kind: way.to, row, distance, came: Some((place, *number)) });
                        }
                    }
                }
            }
            if level.is_empty() {
                break;
            }
        }
        Ok(all)
    }
}
