//! What of a graph somebody sees.

use std::sync::{Arc, OnceLock};

use spil_proto::model::{Kind, field};
use uuid::Uuid;

use crate::{
    Graph, Row,
    list::List,
    row_set::RowSet,
    rows::Rows,
    schema::{self, KINDS},
    table::Table,
};

/// The most fields of a kind. The model has to stay below it, which a test holds.
const MAX_FIELDS: usize = u64::BITS as usize;

/// The fields that are never hidden.
const ALWAYS: [usize; 5] = [field::ID, field::VERSION, field::CREATED_AT, field::UPDATED_AT, field::RETIRED_AT];

/// Which records of each kind somebody sees, and which of their fields.
///
/// [`Graph::seen_by`] makes a graph of it that answers every question as one would that holds nothing else. Sets of rows are about the
/// records that were there when they were given: in a graph in which a record of that kind has come or gone since, nothing of
/// the set is seen, rather than a row that stands for another record by now.
#[derive(Clone, Debug)]
pub struct Sight {
    /// By the place of the kind; none where everything is seen, which is what reading pays nothing for.
    kinds: Box<[Option<KindSight>]>,
}

/// What is seen of one kind.
#[derive(Clone, Debug, Default)]
pub(crate) struct KindSight {
    rows: Seen,
    veils: Vec<Veil>,
    /// All fields that any veil is over.
    veiled: u64,
    /// Whether it is hidden who wrote.
    veils_actors: bool,
    /// The rows seen, in the order of their ids, once they were asked for.
    listed: OnceLock<Box<[u32]>>,
}

#[derive(Clone, Debug, Default)]
enum Seen {
    #[default]
    All,
    None,
    Only(Stamped),
}

/// Rows of a table in a state.
#[derive(Clone, Debug)]
struct Stamped {
    rows: Arc<RowSet>,
    stamp: u64,
}

/// Fields that are hidden but for some rows.
#[derive(Clone, Debug)]
struct Veil {
    fields: u64,
    except: Option<Stamped>,
}

impl Sight {
    /// Everything is seen.
    pub fn everything() -> Sight {
        Sight { kinds: vec![None; KINDS].into() }
    }

    /// Nothing is seen, until something is said to be.
    pub fn nothing() -> Sight {
        let none = KindSight { rows: Seen::None, ..KindSight::default() };
        Sight { kinds: vec![Some(none); KINDS].into() }
    }

    /// Whether all of every kind is seen.
    pub fn is_everything(&self) -> bool {
        self.kinds.iter().all(Option::is_none)
    }

    /// Whether no record of a kind is seen, whatever there is.
    pub fn sees_none(&self, kind: Kind) -> bool {
        self.kind(kind).is_some_and(|sight| matches!(sight.rows, Seen::None))
    }

    /// Whether every record of a kind is seen. Fields of it may be hidden all the same.
    pub fn sees_all(&self, kind: Kind) -> bool {
        self.kind(kind).is_none_or(|sight| matches!(sight.rows, Seen::All))
    }

    /// Whether every record of a kind is seen with all of its fields.
    pub fn is_whole(&self, kind: Kind) -> bool {
        self.kind(kind).is_none()
    }

    /// Whether a field is seen of every record that is.
    pub fn shows(&self, kind: Kind, field: usize) -> bool {
        self.kind(kind).is_none_or(|sight| !sight.veils_some(field))
    }

    /// Whether it is seen who wrote the records of a kind.
    pub fn shows_actors(&self, kind: Kind) -> bool {
        self.kind(kind).is_none_or(|sight| !sight.veils_actors)
    }

    /// Who wrote the records of a kind is hidden, whatever was said before.
    pub fn hide_actors(&mut self, kind: Kind) {
        self.change(kind, |sight| sight.veils_actors = true);
    }

    /// All records of a kind are seen from now on.
    pub fn see_all(&mut self, kind: Kind) {
        self.change(kind, |sight| sight.rows = Seen::All);
    }

    /// No record of a kind is seen from now on.
    pub fn see_none(&mut self, kind: Kind) {
        self.change(kind, |sight| sight.rows = Seen::None);
    }

    /// Of a kind these records are seen from now on and no others; the rows are those of `graph`.
    pub fn see_only(&mut self, graph: &Graph, kind: Kind, rows: Arc<RowSet>) {
        let stamp = graph.raw(kind).stamp;
        self.change(kind, |sight| sight.rows = Seen::Only(Stamped { rows, stamp }));
    }

    /// Some fields of a kind are hidden, by their numbers, whatever was said before. Id, version and times can not be: they are of every
    /// record that is seen.
    pub fn hide(&mut self, kind: Kind, fields: impl IntoIterator<Item = usize>) {
        self.veil(kind, fields, None);
    }

    /// Some fields of a kind are hidden, but for these records; the rows are those of `graph`. A field that is hidden twice is seen
    /// only of the records that both spare.
    pub fn hide_except(
        &mut self,
        graph: &Graph,
        kind: Kind,
        fields: impl IntoIterator<Item = usize>,
        rows: Arc<RowSet>,
    ) {
        let stamp = graph.raw(kind).stamp;
        self.veil(kind, fields, Some(Stamped { rows, stamp }));
    }

    fn veil(&mut self, kind: Kind, fields: impl IntoIterator<Item = usize>, except: Option<Stamped>) {
        let bit = |field: usize| if ALWAYS.contains(&field) || field >= MAX_FIELDS { 0 } else { 1 << field };
        let fields = fields.into_iter().fold(0, |all, field| all | bit(field));
        if fields != 0 {
            self.change(kind, |sight| {
                sight.veiled |= fields;
                sight.veils.push(Veil { fields, except });
            });
        }
    }

    fn change(&mut self, kind: Kind, change: impl FnOnce(&mut KindSight)) {
        let Some(slot) = self.kinds.get_mut(schema::place(kind)) else { return };
        let mut sight = slot.take().unwrap_or_default();
        change(&mut sight);
        sight.listed = OnceLock::new();
        *slot = (!sight.is_whole()).then_some(sight);
    }

    /// What is seen of a kind; none if all of it is.
    #[inline]
    pub(crate) fn kind(&self, kind: Kind) -> Option<&KindSight> {
        self.kinds.get(schema::place(kind))?.as_ref()
    }

    /// What both see.
    fn and(&self, other: &Sight) -> Sight {
        let both = self.kinds.iter().zip(&other.kinds).map(|(one, other)| match (one, other) {
            (None, sight) | (sight, None) => sight.clone(),
            (Some(one), Some(other)) => Some(one.and(other)),
        });
        Sight { kinds: both.collect() }
    }

    /// What this sight of a graph and another of an earlier state of it both show. The two states differ in nothing but some records. One
    /// of which the earlier state knew nothing is left to this sight: the other can not tell of it.
    #[must_use]
    pub fn and_before(&self, graph: &Graph, other: &Sight, before: &Graph, records: &[(Kind, Uuid)]) -> Sight {
        let mut other = other.clone();
        for kind in Kind::ALL.iter().copied() {
            let (now, then) = (graph.raw(kind), before.raw(kind));
            let Some(Some(sight)) = other.kinds.get_mut(schema::place(kind)) else { continue };
            if now.stamp != then.stamp {
                let of_kind = records.iter().filter(|record| record.0 == kind);
                let moved: Vec<_> = of_kind.map(|(_, id)| (then.row_of(*id), now.row_of(*id))).collect();
                sight.carry(&moved, then.stamp, now.stamp);
            }
        }
        self.and(&other)
    }

    /// Whether all sets of rows are of the records that a graph has.
    fn is_of(&self, graph: &Graph) -> bool {
        self.kinds.iter().zip(&graph.tables).all(|(sight, table)| sight.as_ref().is_none_or(|sight| sight.is_of(table)))
    }

    /// The same without the sets of rows that are of other records than those of a graph.
    fn of(&self, graph: &Graph) -> Sight {
        let kinds = self.kinds.iter().zip(&graph.tables);
        Sight { kinds: kinds.map(|(sight, table)| sight.as_ref().map(|sight| sight.of(table))).collect() }
    }
}

impl KindSight {
    fn is_whole(&self) -> bool {
        matches!(self.rows, Seen::All) && self.veils.is_empty() && !self.veils_actors
    }

    /// Whether a row is seen, if it is live.
    #[inline]
    pub(crate) fn sees(&self, row: Row) -> bool {
        match &self.rows {
            Seen::All => true,
            Seen::None => false,
            Seen::Only(only) => only.rows.contains(row),
        }
    }

    /// Whether every row that is live is seen.
    pub(crate) fn sees_all(&self) -> bool {
        matches!(self.rows, Seen::All)
    }

    /// Whether a field is hidden of some records, if not of all.
    #[inline]
    pub(crate) fn veils_some(&self, field: usize) -> bool {
        field < MAX_FIELDS && self.veiled >> field & 1 == 1
    }

    /// Whether a field is hidden of all records.
    pub(crate) fn veils_all(&self, field: usize) -> bool {
        self.veils_some(field) && self.over(field).any(|veil| veil.except.is_none())
    }

    /// Whether a field of a row that is seen is hidden.
    #[inline]
    pub(crate) fn veils(&self, row: Row, field: usize) -> bool {
        self.veils_some(field)
            && self.over(field).any(|veil| veil.except.as_ref().is_none_or(|except| !except.rows.contains(row)))
    }

    /// The veils over a field that is veiled.
    fn over(&self, field: usize) -> impl Iterator<Item = &Veil> {
        self.veils.iter().filter(move |veil| veil.fields >> field & 1 == 1)
    }

    /// The live rows that are seen, in the order of their ids, where not all are. The table has to be the one that the rows are of.
    pub(crate) fn listed(&self, table: &Table) -> &[u32] {
        self.listed.get_or_init(|| match &self.rows {
            Seen::Only(only) if only.rows.len() < table.live.len() / 8 => {
                let mut rows: Vec<u32> = only.rows.iter().filter(|row| table.is_live(*row)).map(|row| row.0).collect();
                rows.sort_by_cached_key(|row| table.id(Row(*row)));
                rows.into()
            }
            _ => {
                let all = table.live.runs();
                all.range(0..all.len()).filter(|row| self.sees(*row)).map(|row| row.0).collect()
            }
        })
    }

    /// Those rows of a list of referrers by a field that are seen, and of which the field is.
    pub(crate) fn of_list<'a>(&self, table: &'a Table, list: &'a List, field: usize) -> Rows<'a> {
        let runs = list.runs();
        if matches!(self.rows, Seen::None) || self.veils_all(field) {
            return Rows::of_slice(table, &[]);
        }
        if self.sees_all() && !self.veils_some(field) {
            return Rows::of_list(table, list);
        }
        let is_seen = |row: &Row| self.sees(*row) && !self.veils(*row, field);
        let seen = runs.range(0..runs.len()).filter(is_seen).count();
        if seen == runs.len() {
            return Rows::of_list(table, list);
        }
        Rows::of_vec(table, runs.range(0..runs.len()).filter(is_seen).map(|row| row.0).collect())
    }

    /// Whether any row of such a list is seen.
    pub(crate) fn sees_any(&self, list: &List, field: usize) -> bool {
        if self.sees_all() && !self.veils_some(field) {
            return !list.is_empty();
        }
        let runs = list.runs();
        runs.range(0..runs.len()).any(|row| self.sees(row) && !self.veils(row, field))
    }

    fn and(&self, other: &KindSight) -> KindSight {
        let rows = match (&self.rows, &other.rows) {
            (Seen::All, rows) | (rows, Seen::All) => rows.clone(),
            (Seen::Only(one), Seen::Only(other)) if one.stamp == other.stamp => {
                let rows = one.rows.iter().filter(|row| other.rows.contains(*row)).collect();
                Seen::Only(Stamped { rows: Arc::new(rows), stamp: one.stamp })
            }
            _ => Seen::None,
        };
        let veils = [&*self.veils, &*other.veils].concat();
        KindSight {
            rows,
            veils,
            veiled: self.veiled | other.veiled,
            veils_actors: self.veils_actors || other.veils_actors,
            listed: OnceLock::new(),
        }
    }

    /// Makes the sets of rows of one state of the table those of another, given the rows that some records had and have. The rows of all
    /// others are the same. One that had none is taken into every set.
    fn carry(&mut self, moved: &[(Option<Row>, Option<Row>)], from: u64, to: u64) {
        let rows = if let Seen::Only(only) = &mut self.rows { Some(only) } else { None };
        let excepts = self.veils.iter_mut().filter_map(|veil| veil.except.as_mut());
        let gone: RowSet = moved.iter().filter_map(|(had, _)| *had).collect();
        for set in excepts.chain(rows).filter(|set| set.stamp == from) {
            let mut rows: RowSet = set.rows.iter().filter(|row| !gone.contains(*row)).collect();
            let is_in = |had: &Option<Row>| had.is_none_or(|had| set.rows.contains(had));
            rows.extend(moved.iter().filter(|(had, _)| is_in(had)).filter_map(|(_, has)| *has));
            *set = Stamped { rows: Arc::new(rows), stamp: to };
        }
        self.listed = OnceLock::new();
    }

    fn is_of(&self, table: &Table) -> bool {
        let mut sets = self.veils.iter().filter_map(|veil| veil.except.as_ref());
        let rows = if let Seen::Only(only) = &self.rows { Some(only) } else { None };
        sets.all(|set| set.stamp == table.stamp) && rows.is_none_or(|only| only.stamp == table.stamp)
    }

    fn of(&self, table: &Table) -> KindSight {
        let mut sight = self.clone();
        sight.listed = OnceLock::new();
        if matches!(&sight.rows, Seen::Only(only) if only.stamp != table.stamp) {
            sight.rows = Seen::None;
        }
        for veil in &mut sight.veils {
            veil.except.take_if(|except| except.stamp != table.stamp);
        }
        sight
    }
}

impl Graph {
    /// The row of an id that is live or that a record refers to, as far as either is seen: what a filter by an id can find.
    pub(crate) fn known_row(&self, kind: Kind, id: Uuid) -> Option<u32> {
        let table = self.table(kind);
        let row = table.table.find(id)?;
        if self.sight.is_none() || table.is_live(Row(row)) {
            return Some(row);
        }
        let mut slots = (0..).zip(&table.schema().inverses);
        let is_referred_to = slots.any(|(slot, inverse)| {
            let list = table.table.referrers(Row(row), slot);
            list.is_some_and(|list| match self.table(inverse.from).sight {
                None => !list.is_empty(),
                Some(sight) => sight.sees_any(list, inverse.field),
            })
        });
        is_referred_to.then_some(row)
    }

    /// Forgets what the sight says of rows that a write has made others. Whatever was written shows no more than before.
    pub(crate) fn keep_sight(&mut self) {
        if let Some(sight) = self.sight.take() {
            self.sight = Some(if sight.is_of(self) { sight } else { Arc::new(sight.of(self)) });
        }
    }

    /// Whether it is seen who wrote the records of a kind.
    pub fn shows_actors(&self, kind: Kind) -> bool {
        self.sight.as_ref().is_none_or(|sight| sight.shows_actors(kind))
    }

    /// What is seen of it; none if everything is.
    pub fn sight(&self) -> Option<&Sight> {
        self.sight.as_deref()
    }

    /// The graph as somebody sees it. Every question is answered as if the records that are not seen were not there, so that
    /// references to them dangle, and as if fields that are hidden had never been set. What this graph hides already stays hidden.
    ///
    /// It costs as much as a clone.
    #[must_use]
    pub fn seen_by(&self, sight: &Arc<Sight>) -> Graph {
        let mut sight = match &self.sight {
            Some(own) => Arc::new(own.and(sight)),
            None => Arc::clone(sight),
        };
        if !sight.is_of(self) {
            sight = Arc::new(sight.of(self));
        }
        Graph { tables: self.tables.clone(), sight: (!sight.is_everything()).then_some(sight) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_of_every_kind_can_be_hidden() {
        for kind in Kind::ALL {
            assert!(kind.info().fields().all(|info| info.index < MAX_FIELDS), "{kind:?}");
        }
    }
}
