//! Follows relations over several steps.

use spil_proto::model::{Kind, Step};

use crate::{Budget, Exhausted, Graph, Row, schema::KindSchema};

/// Where a step leads from a kind; none if the step does not start there.
pub(crate) fn destination(kind: Kind, step: Step) -> Option<Kind> {
    match step {
        Step::Forward { kind: from, field } if from == kind => Some(KindSchema::of(kind).reference(field)?.to),
        Step::Forward { .. } => None,
        Step::Inverse { kind: from, field } => (KindSchema::of(from).reference(field)?.to == kind).then_some(from),
        Step::Above { kind: of, field } | Step::Below { kind: of, field } => {
            (of == kind && KindSchema::of(kind).reference(field)?.to == kind).then_some(kind)
        }
    }
}

impl Graph {
    /// The records that one reaches from a record along some steps: each once, in the order of their ids. Steps that do not fit
    /// together lead nowhere.
    pub fn walk(&self, kind: Kind, row: Row, steps: &[Step]) -> Vec<Row> {
        self.walk_within(kind, row, steps, &mut Budget::new(u64::MAX)).unwrap_or_default()
    }

    /// Like [`Graph::walk`], with a bound on how many records are looked at on the way.
    ///
    /// # Errors
    /// If there are more.
    pub fn walk_within(
        &self,
        kind: Kind,
        row: Row,
        steps: &[Step],
        budget: &mut Budget,
    ) -> Result<Vec<Row>, Exhausted> {
        let (mut rows, merged) = self.reached(kind, row, steps, budget)?;
        if let Some(to) = merged {
            let table = self.table(to);
            rows.sort_by_cached_key(|row| table.id(*row));
        }
        Ok(rows)
    }

    /// Like [`Graph::walk_within`], each once but in any order.
    pub(crate) fn walk_unordered(
        &self,
        kind: Kind,
        row: Row,
        steps: &[Step],
        budget: &mut Budget,
    ) -> Result<Vec<Row>, Exhausted> {
        Ok(self.reached(kind, row, steps, budget)?.0)
    }

    /// How many records one reaches from a record along some steps, each counted once. A single step to the records that refer costs 1,
    /// any other way as much as walking it.
    ///
    /// # Errors
    /// If more records are looked at on the way than the budget allows.
    pub fn count_within(&self, kind: Kind, row: Row, steps: &[Step], budget: &mut Budget) -> Result<usize, Exhausted> {
        budget.spend(1)?;
        match *steps {
            [Step::Inverse { kind: from, field }] => Ok(self.referrers(kind, row, from, field).len()),
            _ => Ok(self.walk_unordered(kind, row, steps, budget)?.len()),
        }
    }

    /// What is reached, and of what kind if it is not in the order of ids.
    fn reached(
        &self,
        kind: Kind,
        row: Row,
        steps: &[Step],
        budget: &mut Budget,
    ) -> Result<(Vec<Row>, Option<Kind>), Exhausted> {
        let mut at = kind;
        let mut rows = vec![row];
        let mut merged = None;
        for step in steps {
            let Some(next) = destination(at, *step) else { return Ok((Vec::new(), None)) };
            let mut reached = Vec::new();
            for row in &rows {
                let before = reached.len();
                match *step {
                    Step::Forward { field, .. } => reached.extend(self.targets(at, *row, field)),
                    Step::Inverse { kind: from, field } => {
                        let referrers = self.referrers(at, *row, from, field);
                        // Before the copy: one list can be as long as the table.
                        budget.spend(referrers.len() as u64)?;
                        reached.extend(referrers);
                        continue;
                    }
                    Step::Above { .. } | Step::Below { .. } => {
                        let mut found = self.closure(at, *row, *step, None, budget)?;
                        let table = self.table(at);
                        found.sort_by_cached_key(|row| table.id(*row));
                        reached.append(&mut found);
                        continue;
                    }
                }
                budget.spend((reached.len() - before) as u64)?;
            }
            // What comes from one record is sorted and distinct already.
            merged = (rows.len() > 1).then_some(next);
            if merged.is_some() {
                reached.sort_unstable();
                reached.dedup();
            }
            rows = reached;
            at = next;
        }
        Ok((rows, merged))
    }

    /// Whether any record that one reaches along some steps passes a test. It stops at the first that does.
    pub(crate) fn reaches(
        &self,
        kind: Kind,
        row: Row,
        steps: &[Step],
        budget: &mut Budget,
        test: &mut dyn FnMut(Row, &mut Budget) -> Result<bool, Exhausted>,
    ) -> Result<bool, Exhausted> {
        let Some((step, rest)) = steps.split_first() else { return test(row, budget) };
        let Some(next) = destination(kind, *step) else { return Ok(false) };
        let mut visit = |row: Row, budget: &mut Budget| {
            budget.spend(1)?;
            if rest.is_empty() { test(row, budget) } else { self.reaches(next, row, rest, budget, test) }
        };
        match *step {
            Step::Forward { field, .. } => {
                let (table, target) = (self.table(kind), self.table(next));
                let one = table.target(row, field);
                for row in one.iter().chain(table.targets(row, field)).copied().map(Row) {
                    if target.is_live(row) && visit(row, budget)? {
                        return Ok(true);
                    }
                }
            }
            Step::Inverse { kind: from, field } => {
                for row in self.referrers(kind, row, from, field) {
                    if visit(row, budget)? {
                        return Ok(true);
                    }
                }
            }
            Step::Above { .. } | Step::Below { .. } => return self.climb(kind, row, *step, None, budget, &mut visit),
        }
        Ok(false)
    }
}
