//! Ways up and down the tree that a kind's records make by a reference to their own kind.
//!
//! A record may have several parents, and feeds that are not one cut may show a cycle for a moment: each record is met once.

use std::collections::HashSet;

use spil_proto::model::{Kind, Step};

use crate::{Budget, Exhausted, Graph, Row, walk::destination};

impl Graph {
    /// The records above a record by a field that refers to the own kind: the nearest first, those equally near in the order of
    /// their ids, each once and the record itself never. None if the field does not refer to the own kind.
    ///
    /// # Errors
    /// If more records have to be looked at than the budget allows.
    pub fn ancestors(&self, kind: Kind, row: Row, field: usize, budget: &mut Budget) -> Result<Vec<Row>, Exhausted> {
        self.closure(kind, row, Step::Above { kind, field }, None, budget)
    }

    /// The records below a record by a field that refers to the own kind, at most `depth` levels down: level by level, each level in
    /// the order of the ids, each once and the record itself never. None if the field does not refer to the own kind.
    ///
    /// # Errors
    /// If more records have to be looked at than the budget allows.
    pub fn descendants(
        &self,
        kind: Kind,
        row: Row,
        field: usize,
        depth: Option<usize>,
        budget: &mut Budget,
    ) -> Result<Vec<Row>, Exhausted> {
        self.closure(kind, row, Step::Below { kind, field }, depth, budget)
    }

    /// All records that a step up or down the tree leads to, level by level.
    pub(crate) fn closure(
        &self,
        kind: Kind,
        row: Row,
        step: Step,
        depth: Option<usize>,
        budget: &mut Budget,
    ) -> Result<Vec<Row>, Exhausted> {
        let mut found = Vec::new();
        self.climb(kind, row, step, depth, budget, &mut |row, _| {
            found.push(row);
            Ok(false)
        })?;
        Ok(found)
    }

    /// Visits the records that a step up or down the tree leads to, level by level, and stops at the first that the visitor is
    /// content with; tells whether there was one. Every reference looked at costs 1.
    pub(crate) fn climb(
        &self,
        kind: Kind,
        row: Row,
        step: Step,
        depth: Option<usize>,
        budget: &mut Budget,
        visit: &mut dyn FnMut(Row, &mut Budget) -> Result<bool, Exhausted>,
    ) -> Result<bool, Exhausted> {
        if destination(kind, step) != Some(kind) {
            return Ok(false);
        }
        let table = self.table(kind);
        let mut met = HashSet::from([row]);
        let mut level = vec![row];
        let mut levels_left = depth.unwrap_or(usize::MAX);
        while !level.is_empty() && levels_left > 0 {
            levels_left -= 1;
            let mut next = Vec::new();
            for row in level {
                match step {
                    Step::Forward { field, .. } | Step::Above { field, .. } => {
                        let targets = self.targets(kind, row, field);
                        budget.spend(targets.len() as u64)?;
                        next.extend(targets.into_iter().filter(|row| met.insert(*row)));
                    }
                    Step::Inverse { field, .. } | Step::Below { field, .. } => {
                        let referrers = self.referrers(kind, row, kind, field);
                        budget.spend(referrers.len() as u64)?;
                        next.extend(referrers.iter().filter(|row| met.insert(*row)));
                    }
                }
            }
            next.sort_by_cached_key(|row| table.id(*row));
            for row in &next {
                if visit(*row, budget)? {
                    return Ok(true);
                }
            }
            level = next;
        }
        Ok(false)
    }
}
