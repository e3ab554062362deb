//! Pages of ordered, filtered lists.

use std::{cmp::Ordering, ops::Range};

use spil_proto::model::{Kind, Step};

use crate::{
    Budget, Exhausted, Graph, Order, Position, Row,
    filter::{Filter, Plan},
    order::{By, Counts, Ranked, Sorter},
    records::Records,
    rows::{Rows, RowsIter},
    schema::KindSchema,
    walk::destination,
};

/// What to select.
///
/// All records of the source that pass the filter, in the order asked for, make the list. `after` and `before` cut it to the records
/// that come strictly after and before these positions; then `first` takes from the start, and `last` from the end of what is left
/// (the Relay specification).
#[derive(Clone, Debug)]
pub struct Select<'a> {
    /// The kind of the records.
    pub kind: Kind,
    /// Which records to look at.
    pub source: Source<'a>,
    /// Which of them to take.
    pub filter: Option<&'a Filter>,
    /// In which order; ids decide last, or alone.
    pub order: &'a [Order],
    /// How many from the start.
    pub first: Option<usize>,
    /// How many from the end.
    pub last: Option<usize>,
    /// Only those after this position.
    pub after: Option<&'a Position>,
    /// Only those before this position.
    pub before: Option<&'a Position>,
    /// Whether to count the whole list.
    pub want_total: bool,
}

/// Which records to look at. A source that does not lead to the kind selected is empty.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// All of the kind.
    All,
    /// These live records, in the order of their ids, each once.
    Rows(&'a [Row]),
    /// Those whose `field` refers to the record `row` of kind `to`.
    Referrers {
        /// The kind referred to.
        to: Kind,
        /// The record referred to.
        row: Row,
        /// The number of the field, in the kind selected.
        field: usize,
    },
    /// Those that `field` of the record `row` of kind `from` refers to.
    References {
        /// The kind that refers.
        from: Kind,
        /// The record that refers.
        row: Row,
        /// The number of the field, in that kind.
        field: usize,
    },
    /// Those that one reaches from the record `row` of kind `from` along some steps.
    Walk {
        /// The kind to start from.
        from: Kind,
        /// The record to start from.
        row: Row,
        /// The steps.
        steps: &'a [Step],
    },
    /// Those below the record `row` of the kind selected, in the tree that `field` makes.
    Below {
        /// The record at the top, which is not among them.
        row: Row,
        /// The number of the field, in the kind selected.
        field: usize,
        /// How many levels down; all where nothing is said.
        depth: Option<usize>,
    },
}

/// Records to look at, in the order of their ids.
enum Found<'a> {
    /// All of the kind.
    Whole,
    Listed(Rows<'a>),
    Gathered(Vec<u32>),
}

impl Found<'_> {
    fn rows<'b>(&'b self, table: Records<'b>) -> Rows<'b> {
        match self {
            Found::Whole => table.rows(),
            Found::Listed(rows) => rows.borrowed(),
            Found::Gathered(rows) => Rows::of_slice(table.table, rows),
        }
    }
}

/// A part of an ordered list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The records, in order.
    pub rows: Vec<Row>,
    /// The length of the whole list, positions aside, if it was asked for.
    pub total: Option<usize>,
    /// Whether any record of the list follows the page.
    pub has_next: bool,
    /// Whether any record of the list comes before the page.
    pub has_previous: bool,
}

/// Rows in the order asked for, to be filtered.
#[derive(Clone, Copy)]
enum Sequence<'a> {
    ById(&'a Rows<'a>),
    Sorted(&'a Rows<'a>, Sorter<'a>),
}

impl<'a> Sequence<'a> {
    fn rows(self) -> &'a Rows<'a> {
        match self {
            Sequence::ById(rows) | Sequence::Sorted(rows, _) => rows,
        }
    }

    fn len(self) -> usize {
        self.rows().len()
    }

    fn range(self, range: Range<usize>) -> RowsIter<'a> {
        self.rows().range(range)
    }

    /// How many come before a position, or stand at it if so asked.
    fn count_to(self, position: &Position, inclusive: bool) -> usize {
        let before = |order: Ordering| order.is_lt() || inclusive && order.is_eq();
        match self {
            Sequence::ById(rows) => {
                let count = rows.count_before(position.id);
                count + usize::from(inclusive && rows.id_at(count) == Some(position.id))
            }
            Sequence::Sorted(rows, sorter) => rows.partition_point(|row| before(sorter.compare_to(row, position))),
        }
    }
}

/// A filter as it is tried on the records of one query.
struct Sieve<'a, 'b> {
    graph: &'a Graph,
    kind: Kind,
    plan: &'b Plan<'a>,
    budget: &'b mut Budget,
}

impl Sieve<'_, '_> {
    fn passes(&mut self, row: Row) -> Result<bool, Exhausted> {
        self.budget.spend(1)?;
        self.plan.matches(self.graph, self.kind, row, self.budget)
    }

    fn any(&mut self, rows: impl Iterator<Item = Row>) -> Result<bool, Exhausted> {
        for row in rows {
            if self.passes(row)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Graph {
    /// A page of the records asked for.
    ///
    /// Without an order and a filter it costs what the page costs. Otherwise it looks at the records of the source until it knows
    /// the page and whether there is more on either side; indexes on ids, keys, external ids and references narrow the source. An
    /// order by one field over all records is kept until a change touches it, once it was asked for a few times.
    ///
    /// # Errors
    /// If more records have to be looked at than the budget allows, or the filter is too deep.
    pub fn select<'a>(&'a self, query: &Select<'a>, budget: &mut Budget) -> Result<Page, Exhausted> {
        let table = self.table(query.kind);
        let plan = query.filter.map(|filter| Plan::new(self, query.kind, filter)).transpose()?;
        // A list below many records makes the plan many times.
        budget.spend(plan.as_ref().map_or(0, Plan::size))?;
        let found = self.found(query.kind, query.source, plan.as_ref(), budget)?;
        let rows = found.rows(table);
        if let Some(mut counts) = Counts::of(query.order) {
            let rows = self.counted(query, &rows, plan.as_ref(), &mut counts, budget)?;
            let sorter = Sorter { graph: self, kind: query.kind, order: query.order, counts: Some(&counts) };
            return pick(query, &Rows::of_slice(table.table, &rows), sorter, None, budget);
        }
        let sorter = Sorter { graph: self, kind: query.kind, order: query.order, counts: None };
        let kept = if matches!(found, Found::Whole) { self.kept_order(table, sorter) } else { None };
        let kept = kept.map(|sorted| Rows::of_slice(table.table, sorted));
        let sequence = match &kept {
            _ if query.order.is_empty() => Sequence::ById(&rows),
            Some(sorted) => Sequence::Sorted(sorted, sorter),
            None => return pick(query, &rows, sorter, plan.as_ref(), budget),
        };
        match &plan {
            None => cut(query, sequence, budget),
            Some(plan) => {
                let mut sieve = Sieve { graph: self, kind: query.kind, plan, budget };
                if query.want_total || query.first.is_none() && query.last.is_none() {
                    sift_all(query, sequence, &mut sieve)
                } else {
                    sift_page(query, sequence, &mut sieve)
                }
            }
        }
    }

    /// All records of a source that pass a filter, in the order of their ids: the whole list of which [`Graph::select`] gives a page.
    ///
    /// # Errors
    /// If more records have to be looked at than the budget allows, or the filter is too deep.
    pub fn gather(
        &self,
        kind: Kind,
        source: Source<'_>,
        filter: Option<&Filter>,
        budget: &mut Budget,
    ) -> Result<Vec<Row>, Exhausted> {
        let plan = filter.map(|filter| Plan::new(self, kind, filter)).transpose()?;
        budget.spend(plan.as_ref().map_or(0, Plan::size))?;
        let found = self.found(kind, source, plan.as_ref(), budget)?;
        let rows = found.rows(self.table(kind));
        budget.spend(rows.len() as u64)?;
        let Some(plan) = plan else { return Ok(rows.into_iter().collect()) };
        let mut passed = Vec::new();
        for row in rows {
            if plan.matches(self, kind, row, budget)? {
                passed.push(row);
            }
        }
        Ok(passed)
    }

    /// The records to look at: those of the source, or fewer where indexes tell that no other passes.
    fn found<'a>(
        &'a self,
        kind: Kind,
        source: Source<'a>,
        plan: Option<&Plan<'_>>,
        budget: &mut Budget,
    ) -> Result<Found<'a>, Exhausted> {
        let gathered = |rows: Vec<Row>| Found::Gathered(rows.into_iter().map(|row| row.0).collect());
        Ok(match source {
            Source::All => match plan.and_then(|plan| self.narrow(plan, kind, budget)) {
                Some(rows) => Found::Gathered(rows),
                None => Found::Whole,
            },
            Source::Rows(rows) => {
                let table = self.table(kind);
                match table.sight {
                    None => gathered(rows.to_vec()),
                    Some(_) => gathered(rows.iter().copied().filter(|row| table.is_live(*row)).collect()),
                }
            }
            Source::Referrers { to, row, field } => Found::Listed(self.referrers(to, row, kind, field)),
            Source::References { from, row, field } => {
                let leads_here = KindSchema::of(from).reference(field).is_some_and(|found| found.to == kind);
                gathered(if leads_here { self.targets(from, row, field) } else { Vec::new() })
            }
            Source::Walk { from, row, steps } => {
                let leads_here = steps.iter().try_fold(from, |at, step| destination(at, *step)) == Some(kind);
                gathered(if leads_here { self.walk_within(from, row, steps, budget)? } else { Vec::new() })
            }
            Source::Below { row, field, depth } => {
                let mut rows = self.descendants(kind, row, field, depth, budget)?;
                rows.sort_by_cached_key(|row| self.table(kind).id(*row));
                gathered(rows)
            }
        })
    }

    /// The rows that pass, with their counts: each is taken once, and before there is anything to compare.
    fn counted(
        &self,
        query: &Select<'_>,
        rows: &Rows<'_>,
        plan: Option<&Plan<'_>>,
        counts: &mut Counts,
        budget: &mut Budget,
    ) -> Result<Vec<u32>, Exhausted> {
        let mut passed = Vec::new();
        for row in rows {
            if let Some(plan) = plan {
                budget.spend(1)?;
                if !plan.matches(self, query.kind, row, budget)? {
                    continue;
                }
            }
            counts.take(self, query.kind, row, query.order, budget)?;
            passed.push(row.0);
        }
        Ok(passed)
    }

    /// The records that indexes leave over, if they are few enough to be worth it.
    fn narrow(&self, plan: &Plan<'_>, kind: Kind, budget: &mut Budget) -> Option<Vec<u32>> {
        let limit = (self.table(kind).len() as u64 / 4 + 64).min(budget.left());
        let mut allowed = Budget::new(limit);
        let rows = plan.candidates(self, kind, &mut allowed)?;
        budget.spend(limit - allowed.left()).ok()?;
        Some(rows)
    }

    /// All records in an order that is kept. Where some are not seen, or the values that decide, there is none.
    fn kept_order<'a>(&'a self, table: Records<'a>, sorter: Sorter<'_>) -> Option<&'a [u32]> {
        if let (Some(sight), [level]) = (table.sight, sorter.order)
            && (!sight.sees_all() || matches!(level.by, By::Field(field) if sight.veils_some(field)))
        {
            return None;
        }
        table.table.orders.sorted(sorter, table.table)
    }
}

/// The places that `first` and `last` leave of a window.
fn page_of(query: &Select<'_>, window: Range<usize>) -> Range<usize> {
    let end = query.first.map_or(window.end, |first| window.end.min(window.start.saturating_add(first)));
    let start = query.last.map_or(window.start, |last| window.start.max(end.saturating_sub(last)));
    start..end
}

/// The places between the positions.
fn window(query: &Select<'_>, sequence: Sequence<'_>) -> Range<usize> {
    let start = query.after.map_or(0, |position| sequence.count_to(position, true));
    let end = query.before.map_or(sequence.len(), |position| sequence.count_to(position, false));
    start..end.max(start)
}

/// A page without a filter.
fn cut(query: &Select<'_>, sequence: Sequence<'_>, budget: &mut Budget) -> Result<Page, Exhausted> {
    let page = page_of(query, window(query, sequence));
    budget.spend(page.len() as u64)?;
    Ok(Page {
        has_next: page.end < sequence.len(),
        has_previous: page.start > 0,
        total: query.want_total.then(|| sequence.len()),
        rows: sequence.range(page).collect(),
    })
}

/// A page from the whole filtered list.
fn sift_all(query: &Select<'_>, sequence: Sequence<'_>, sieve: &mut Sieve<'_, '_>) -> Result<Page, Exhausted> {
    let window = window(query, sequence);
    let mut passed = Vec::new();
    let (mut before, mut total) = (0, 0);
    for (place, row) in sequence.range(0..sequence.len()).enumerate() {
        if sieve.passes(row)? {
            total += 1;
            if window.contains(&place) {
                passed.push(row);
            } else if place < window.start {
                before += 1;
            }
        }
    }
    let page = page_of(query, before..before + passed.len());
    Ok(Page {
        has_next: page.end < total,
        has_previous: page.start > 0,
        total: query.want_total.then_some(total),
        rows: passed[page.start - before..page.end - before].to_vec(),
    })
}

/// A page from as little of the list as it takes.
fn sift_page(query: &Select<'_>, sequence: Sequence<'_>, sieve: &mut Sieve<'_, '_>) -> Result<Page, Exhausted> {
    let window = window(query, sequence);
    let mut rows = Vec::new();
    let (mut has_next, mut has_previous) = (false, false);
    if let Some(first) = query.first {
        for row in sequence.range(window.clone()) {
            if sieve.passes(row)? {
                if rows.len() == first {
                    has_next = true;
                    break;
                }
                rows.push(row);
            }
        }
        let dropped = query.last.map_or(0, |last| rows.len().saturating_sub(last));
        has_previous = dropped > 0;
        rows.drain(..dropped);
    } else if let Some(last) = query.last {
        for row in sequence.range(window.clone()).rev() {
            if sieve.passes(row)? {
                if rows.len() == last {
                    has_previous = true;
                    break;
                }
                rows.push(row);
            }
        }
        rows.reverse();
    }
    has_next = has_next || sieve.any(sequence.range(window.end..sequence.len()))?;
    // What comes before is most likely right before.
    has_previous = has_previous || sieve.any(sequence.range(0..window.start).rev())?;
    Ok(Page { rows, total: None, has_next, has_previous })
}

/// A page in an order that is not kept: one pass that holds on to the best only.
fn pick(
    query: &Select<'_>,
    rows: &Rows<'_>,
    sorter: Sorter<'_>,
    plan: Option<&Plan<'_>>,
    budget: &mut Budget,
) -> Result<Page, Exhausted> {
    let (mut before, mut between, mut beyond) = (0, 0, 0);
    // With `last` alone the greatest are wanted, so that everything is turned around.
    let backwards = query.first.is_none() && query.last.is_some();
    let wanted = query.first.or(query.last);
    let mut best = Best { wanted, backwards, sorter, rows: Vec::new(), worst: None };
    for row in rows {
        budget.spend(1)?;
        if let Some(plan) = plan
            && !plan.matches(sorter.graph, sorter.kind, row, budget)?
        {
            continue;
        }
        if query.after.is_some_and(|position| sorter.compare_to(row, position).is_le()) {
            before += 1;
        } else if query.before.is_some_and(|position| sorter.compare_to(row, position).is_ge()) {
            beyond += 1;
        } else {
            between += 1;
            best.offer(sorter.rank(row));
        }
    }
    let page = page_of(query, 0..between);
    let mut rows = best.into_rows();
    if !backwards {
        rows.drain(..page.start.min(rows.len()));
    }
    Ok(Page {
        rows,
        total: query.want_total.then_some(before + between + beyond),
        has_next: beyond > 0 || page.end < between,
        has_previous: before > 0 || page.start > 0,
    })
}

/// The first few of many in some order.
struct Best<'a> {
    wanted: Option<usize>,
    backwards: bool,
    sorter: Sorter<'a>,
    /// Up to twice as many as wanted.
    rows: Vec<Ranked>,
    /// The last of those wanted as of the last time they were sorted out.
    worst: Option<Ranked>,
}

impl Best<'_> {
    fn compare(&self, a: Ranked, b: Ranked) -> Ordering {
        let order = self.sorter.compare(a, b);
        if self.backwards { order.reverse() } else { order }
    }

    fn offer(&mut self, row: Ranked) {
        let Some(wanted) = self.wanted else {
            self.rows.push(row);
            return;
        };
        if wanted == 0 || self.worst.is_some_and(|worst| self.compare(row, worst).is_gt()) {
            return;
        }
        self.rows.push(row);
        if self.rows.len() >= wanted.saturating_mul(2).max(64) {
            self.sort_out(wanted);
        }
    }

    fn sort_out(&mut self, wanted: usize) {
        if self.rows.len() > wanted {
            let mut rows = std::mem::take(&mut self.rows);
            let (_, worst, _) = rows.select_nth_unstable_by(wanted - 1, |a, b| self.compare(*a, *b));
            self.worst = Some(*worst);
            rows.truncate(wanted);
            self.rows = rows;
        }
    }

    /// Those wanted, from the least to the greatest.
    fn into_rows(mut self) -> Vec<Row> {
        if let Some(wanted) = self.wanted.filter(|wanted| *wanted > 0) {
            self.sort_out(wanted);
        }
        let sorter = self.sorter;
        self.rows.sort_unstable_by(|a, b| sorter.compare(*a, *b));
        self.rows.into_iter().map(|ranked| ranked.row).collect()
    }
}
