//! Which write last set which field of a record.

use std::sync::Arc;

use spil_proto::{
    changefeed::v1::{Origin, Record, RecordProvenance},
    model::Kind,
};

use crate::{ApplyError, Graph, Row, records::Records, schema::KindSchema, table::Table};

/// The most fields of a kind of which this is kept.
const MAX_FIELDS: usize = u64::BITS as usize;

/// Some fields of a kind, by their places.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fields(u64);

impl Fields {
    /// The fields with numbers as the feed tells them; one that this version does not know is left out.
    fn of_tags(schema: &KindSchema, tags: &[u32]) -> Fields {
        tags.iter().filter_map(|tag| schema.field_of_tag(*tag)).fold(Fields::default(), Fields::with)
    }

    fn with(self, field: usize) -> Fields {
        if field < MAX_FIELDS { Fields(self.0 | 1 << field) } else { self }
    }

    fn without(self, others: Fields) -> Fields {
        Fields(self.0 & !others.0)
    }

    fn contains(self, field: usize) -> bool {
        field < MAX_FIELDS && self.0 >> field & 1 == 1
    }

    fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// Fields that one write set.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    origin: Arc<Origin>,
    fields: Fields,
}

impl PartialEq for Group {
    fn eq(&self, other: &Group) -> bool {
        // Times differ first, and writes are mostly the same value.
        self.fields == other.fields
            && (Arc::ptr_eq(&self.origin, &other.origin)
                || self.origin.at == other.origin.at && self.origin == other.origin)
    }
}

/// The groups of each row of a block. Rows that were written together have the same ones, so these are kept once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Groups {
    /// For each row the place of its groups, 1 for the first; 0 for none.
    codes: Vec<u16>,
    /// Groups that no row has any more leave a gap that can be taken.
    distinct: Vec<Option<Shared>>,
}

#[derive(Clone, Debug)]
struct Shared {
    groups: Arc<[Group]>,
    rows: u16,
}

impl Groups {
    pub(crate) fn is_empty(&self) -> bool {
        self.distinct.iter().all(Option::is_none)
    }

    pub(crate) fn get(&self, place: usize) -> &[Group] {
        self.codes.get(place).and_then(|code| self.shared(*code)).map_or(&[], |shared| &shared.groups)
    }

    fn shared(&self, code: u16) -> Option<&Shared> {
        self.distinct.get(usize::from(code).checked_sub(1)?)?.as_ref()
    }

    pub(crate) fn set(&mut self, place: usize, groups: &[Group]) {
        if self.codes.len() <= place {
            if groups.is_empty() {
                return;
            }
            self.codes.resize(place + 1, 0);
        }
        let old = std::mem::take(&mut self.codes[place]);
        if !groups.is_empty() {
            self.codes[place] = self.code_of(groups);
        }
        if let Some(slot) = usize::from(old).checked_sub(1).and_then(|old| self.distinct.get_mut(old))
            && let Some(shared) = slot
        {
            shared.rows -= 1;
            if shared.rows == 0 {
                *slot = None;
            }
        }
    }

    /// The code of some groups, counted up by one row.
    fn code_of(&mut self, groups: &[Group]) -> u16 {
        // The newest first: rows that come one after the other were mostly written together.
        let same = |slot: &Option<Shared>| slot.as_ref().is_some_and(|shared| *shared.groups == *groups);
        let known = self.distinct.iter().rposition(same);
        let place = known.or_else(|| self.distinct.iter().position(Option::is_none)).unwrap_or_else(|| {
            self.distinct.push(None);
            self.distinct.len() - 1
        });
        self.distinct[place].get_or_insert_with(|| Shared { groups: groups.into(), rows: 0 }).rows += 1;
        // A block has 256 rows, so there are no more than 257 places.
        u16::try_from(place + 1).unwrap_or_default()
    }

    /// The heap in use. A write that several blocks share counts in each.
    pub(crate) fn size_bytes(&self) -> usize {
        let group = |group: &Group| {
            let Origin { source, run, actor, at: _ } = &*group.origin;
            size_of::<Group>() + 16 + size_of::<Origin>() + source.capacity() + run.capacity() + actor.capacity()
        };
        let shared = self.distinct.iter().flatten();
        self.codes.capacity() * size_of::<u16>()
            + self.distinct.capacity() * size_of::<Option<Shared>>()
            + shared.map(|shared| 16 + shared.groups.iter().map(group).sum::<usize>()).sum::<usize>()
    }
}

impl Graph {
    /// Takes over the state of a record after a change that set some of its fields. These are the write's from then on, the
    /// others stay with whoever set them before. `fields` are numbers as in `Change.fields`.
    ///
    /// # Errors
    /// Like [`Graph::apply`].
    pub fn apply_change(&mut self, record: &Record, fields: &[u32], origin: &Arc<Origin>) -> Result<(), ApplyError> {
        let Some((table, row)) = self.take(record)? else { return Ok(()) };
        let fields = Fields::of_tags(table.schema, fields);
        if !fields.is_empty() {
            let mut groups = table.groups_without(row, fields);
            groups.push(Group { origin: Arc::clone(origin), fields });
            table.set_groups(row, &groups);
        }
        Ok(())
    }

    /// Takes over the state of a record together with who set its fields, as a snapshot has them. The groups name writes by
    /// their places in `origins`; one that is not there is left out.
    ///
    /// # Errors
    /// Like [`Graph::apply`].
    pub fn apply_known(
        &mut self,
        record: &Record,
        known: &RecordProvenance,
        origins: &[Arc<Origin>],
    ) -> Result<(), ApplyError> {
        let Some((table, row)) = self.take(record)? else { return Ok(()) };
        let groups: Vec<Group> = known
            .groups
            .iter()
            .filter_map(|group| {
                let origin = origins.get(usize::try_from(group.origin).ok()?)?;
                let fields = Fields::of_tags(table.schema, &group.fields);
                (!fields.is_empty()).then(|| Group { origin: Arc::clone(origin), fields })
            })
            .collect();
        table.set_groups(row, &groups);
        Ok(())
    }

    /// The fields in which a record differs from the one that is there, if anything is known of who set those.
    pub(crate) fn unaccounted(&self, record: &Record) -> Fields {
        let (Some(entity), Some(id)) = (record.entity(), record.id()) else { return Fields::default() };
        let kind: Kind = entity.kind();
        let table = self.raw(kind);
        let whole = Records { table, sight: None };
        let Some(row) = table.row_of(id).filter(|row| !table.groups(*row).is_empty()) else {
            return Fields::default();
        };
        let differs = |field: &usize| entity.get(*field) != self.value_in(whole, row, *field);
        (0..table.schema.types.len()).filter(differs).fold(Fields::default(), Fields::with)
    }
}

impl<'a> Records<'a> {
    /// The write that last set a field. None if the field was never set, was set before this was kept, or is one that the
    /// owner itself keeps up to date.
    pub fn origin(self, row: Row, field: usize) -> Option<&'a Origin> {
        if self.sight.is_some_and(|sight| !sight.sees(row) || sight.veils(row, field)) {
            return None;
        }
        let group = self.table.groups(row).iter().find(|group| group.fields.contains(field))?;
        Some(&group.origin)
    }
}

impl Table {
    fn groups(&self, row: Row) -> &[Group] {
        self.column(row, self.schema.provenance_column()).map_or(&[], |(column, place)| column.groups(place))
    }

    /// What is known of a row, some fields left out.
    pub(crate) fn groups_without(&self, row: Row, fields: Fields) -> Vec<Group> {
        let rest = |group: &Group| Group { origin: Arc::clone(&group.origin), fields: group.fields.without(fields) };
        self.groups(row).iter().map(rest).filter(|group| !group.fields.is_empty()).collect()
    }

    pub(crate) fn forget_fields(&mut self, row: Row, fields: Fields) {
        if !fields.is_empty() {
            let groups = self.groups_without(row, fields);
            self.set_groups(row, &groups);
        }
    }

    pub(crate) fn set_groups(&mut self, row: Row, groups: &[Group]) {
        if *self.groups(row) != *groups {
            let (block, place) = crate::table::split(row.0);
            self.blocks.get_mut(block).set_groups(place, self.schema.provenance_column(), groups);
        }
    }
}

#[cfg(test)]
mod tests;
