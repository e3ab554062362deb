//! Applies after-images.

use std::sync::Arc;

use spil_proto::{
    changefeed::v1::Record,
    model::{Entity, ExternalId, FieldType, Kind, Owner, Value, field},
};
use uuid::Uuid;

use crate::{
    Graph, Row,
    block::{BLOCK_ROWS, Block},
    index::{Index, hash_external_id, hash_id, hash_key},
    list::List,
    schema::{self, Reference},
    table::{MAX_ROWS, Table, next_stamp, split},
};

/// Why a record could not be applied. The graph is then as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// The record is of a kind that this version does not know.
    #[error("the record is of an unknown kind")]
    UnknownKind,
    /// The record has no well-formed id.
    #[error("a record of kind {kind:?} has no id")]
    NoId {
        /// The kind of the record.
        kind: Kind,
    },
    /// A value is not of the type of its field.
    #[error("the field `{column}` of {kind:?} {id} is malformed")]
    Malformed {
        /// The kind of the record.
        kind: Kind,
        /// The id of the record.
        id: Uuid,
        /// The name of the field in the proto file.
        column: &'static str,
    },
    /// There are as many records of a kind as a table can hold.
    #[error("there is no room for more records of kind {kind:?}")]
    Full {
        /// The kind that is full.
        kind: Kind,
    },
}

impl Graph {
    /// Takes over the state of a record: as it is after a change. A retired record leaves the graph. The same image applied
    /// again changes nothing.
    ///
    /// Who set the fields that change is not known then; [`Graph::apply_change`] and [`Graph::apply_known`] say it too.
    ///
    /// # Errors
    /// If the record is of an unknown kind, has no id, or has a decimal field that is no number.
    pub fn apply(&mut self, record: &Record) -> Result<(), ApplyError> {
        let unaccounted = self.unaccounted(record);
        if let Some((table, row)) = self.take(record)? {
            table.forget_fields(row, unaccounted);
        }
        Ok(())
    }

    /// Takes over the state of a record, and gives where it is now; `None` for one that was retired. What is known of who set
    /// its fields stays.
    pub(crate) fn take(&mut self, record: &Record) -> Result<Option<(&mut Table, Row)>, ApplyError> {
        let entity = record.entity().ok_or(ApplyError::UnknownKind)?;
        let kind = entity.kind();
        let Some(header) = entity.header() else { return Err(ApplyError::NoId { kind }) };
        let id = Uuid::from_slice(&header.id).unwrap_or_default();
        if id.is_nil() {
            return Err(ApplyError::NoId { kind });
        }
        if header.retired_at.is_some() {
            self.retire(kind, id);
            self.keep_sight();
            return Ok(None);
        }
        self.check(entity, kind, id)?;
        let place = schema::place(kind);
        let table = Arc::make_mut(&mut self.tables[place]);
        let row = table.known(id);
        table.write(row, entity);
        for reference in &table.schema.references {
            if reference.many {
                self.write_references(kind, row, reference, &entity.get(reference.field));
            } else {
                self.write_reference(kind, row, reference, &entity.get(reference.field));
            }
        }
        self.keep_sight();
        Ok(Some((Arc::make_mut(&mut self.tables[place]), Row(row))))
    }

    /// Forgets all records of an owner. References to them, from records of other owners, dangle.
    pub fn clear(&mut self, owner: Owner) {
        for place in 0..self.tables.len() {
            let table = Arc::make_mut(&mut self.tables[place]);
            let dropped: Vec<usize> = (0..table.schema.inverses.len())
                .filter(|slot| table.schema.inverses[*slot].from.info().owner == owner)
                .collect();
            table.forget(table.kind().info().owner == owner, &dropped);
        }
        self.keep_sight();
    }

    fn check(&self, entity: &dyn Entity, kind: Kind, id: Uuid) -> Result<(), ApplyError> {
        let schema = self.raw(kind).schema;
        for (field, ty) in &schema.plain {
            if matches!(ty, FieldType::Decimal) && matches!(entity.get(*field), Value::Text(_)) {
                let column = kind.info().field(*field).map_or("", |info| info.column);
                return Err(ApplyError::Malformed { kind, id, column });
            }
        }
        // A list of references is bounded by the size of a message, which is far below this margin.
        const MARGIN: usize = 1 << 24;
        let full = |kind: &Kind| self.raw(*kind).rows + MARGIN > MAX_ROWS;
        match schema.references.iter().map(|reference| reference.to).chain([kind]).find(full) {
            Some(kind) => Err(ApplyError::Full { kind }),
            None => Ok(()),
        }
    }

    fn retire(&mut self, kind: Kind, id: Uuid) {
        let place = schema::place(kind);
        let Some(row) = self.tables[place].row_of(id) else { return };
        for reference in &self.tables[place].schema.references {
            if reference.many {
                self.write_references(kind, row.0, reference, &Value::Null);
            } else {
                self.write_reference(kind, row.0, reference, &Value::Null);
            }
        }
        Arc::make_mut(&mut self.tables[place]).retire(row.0);
    }

    fn write_reference(&mut self, kind: Kind, row: u32, reference: &Reference, value: &Value<'_>) {
        let (from, to) = (schema::place(kind), schema::place(reference.to));
        let new_id = if let Value::Id(id) = value { Some(*id) } else { None };
        let old = self.tables[from].target(Row(row), reference.field);
        if old.map(|old| self.tables[to].id(Row(old))) == new_id {
            return;
        }
        let new = new_id.map(|id| self.known(to, id));
        let table = Arc::make_mut(&mut self.tables[from]);
        let (block, place) = split(row);
        let ty = FieldType::Ref(reference.to);
        table.blocks.get_mut(block).set_reference(place, reference.field, ty, new);
        table.orders.forget(reference.field);
        if let Some(new) = new {
            self.link(from, row, reference, new);
        }
        if let Some(old) = old {
            self.unlink(from, row, reference, old);
        }
    }

    fn write_references(&mut self, kind: Kind, row: u32, reference: &Reference, value: &Value<'_>) {
        let (from, to) = (schema::place(kind), schema::place(reference.to));
        let new_ids: &[Uuid] = if let Value::Ids(ids) = value { ids } else { &[] };
        let old = self.tables[from].targets(Row(row), reference.field);
        let target = &self.tables[to];
        if old.iter().map(|old| target.id(Row(*old))).eq(new_ids.iter().copied()) {
            return;
        }
        let old = old.to_vec();
        let new: Vec<u32> = new_ids.iter().map(|id| self.known(to, *id)).collect();
        let (block, place) = split(row);
        let ty = FieldType::RefList(reference.to);
        let table = Arc::make_mut(&mut self.tables[from]);
        table.blocks.get_mut(block).set_references(place, reference.field, ty, &new);
        table.orders.forget(reference.field);
        let sorted = |rows: &[u32]| {
            let mut rows = rows.to_vec();
            rows.sort_unstable();
            rows.dedup();
            rows
        };
        let (old, new) = (sorted(&old), sorted(&new));
        for row_to in new.iter().filter(|row| old.binary_search(row).is_err()) {
            self.link(from, row, reference, *row_to);
        }
        for row_to in old.iter().filter(|row| new.binary_search(row).is_err()) {
            self.unlink(from, row, reference, *row_to);
        }
    }

    /// The row of an id; a new placeholder if there is none.
    fn known(&mut self, table: usize, id: Uuid) -> u32 {
        match self.tables[table].find(id) {
            Some(row) => row,
            None => Arc::make_mut(&mut self.tables[table]).known(id),
        }
    }

    fn link(&mut self, from: usize, row: u32, reference: &Reference, target: u32) {
        self.change_referrers(from, reference, target, |list, table| list.insert(row, table));
    }

    fn unlink(&mut self, from: usize, row: u32, reference: &Reference, target: u32) {
        self.change_referrers(from, reference, target, |list, table| list.remove(row, table));
        let to = schema::place(reference.to);
        let table = &self.tables[to];
        if !table.is_live(Row(target)) && !table.is_referred_to(target) {
            Arc::make_mut(&mut self.tables[to]).release(target);
        }
    }

    fn change_referrers(
        &mut self,
        from: usize,
        reference: &Reference,
        target: u32,
        change: impl FnOnce(&mut List, &Table),
    ) {
        let to = schema::place(reference.to);
        let (block, place) = split(target);
        if let Ok([table, target]) = self.tables.get_disjoint_mut([from, to]) {
            let target = Arc::make_mut(target);
            let column = target.schema.inverse_column(reference.slot);
            target.blocks.get_mut(block).change_referrers(place, column, |list| change(list, table));
        } else {
            // A table that refers to itself: the list is taken out while ids are read.
            let table = Arc::make_mut(&mut self.tables[to]);
            let column = table.schema.inverse_column(reference.slot);
            let mut list = table.referrers(Row(target), reference.slot).cloned().unwrap_or_default();
            change(&mut list, table);
            table.blocks.get_mut(block).change_referrers(place, column, |old| *old = list);
        }
    }
}

impl Table {
    /// The row of an id; a new placeholder if there is none.
    fn known(&mut self, id: Uuid) -> u32 {
        if let Some(row) = self.find(id) {
            return row;
        }
        let row = match self.free {
            Some(row) => {
                self.free = next_free(self.id(Row(row)));
                row
            }
            None => self.add_row(),
        };
        let (block, place) = split(row);
        Arc::make_mut(&mut self.blocks.get_mut(block).ids)[place] = id;
        self.by_id.insert(hash_id(id), row);
        row
    }

    fn add_row(&mut self) -> u32 {
        if self.rows.is_multiple_of(BLOCK_ROWS) {
            if let Some(full) = self.blocks.len().checked_sub(1) {
                self.blocks.get_mut(full).shrink();
            }
            self.blocks.push(Block::new(self.schema.columns()));
        }
        self.rows += 1;
        // Apply checks that there are less than MAX_ROWS.
        u32::try_from(self.rows - 1).unwrap_or(u32::MAX)
    }

    /// Writes all but the references of a record, which is live from then on.
    fn write(&mut self, row: u32, entity: &dyn Entity) {
        let (key, external_ids) = (entity.get(field::KEY), entity.get(field::EXTERNAL_IDS));
        let key = if let Value::Text(key) = &key { Some(&**key) } else { None };
        let external_ids = if let Value::ExternalIds(items) = &external_ids { &**items } else { &[] };
        self.write_names(row, key, external_ids);
        let (block, place) = split(row);
        let block = self.blocks.get_mut(block);
        for (field, ty) in &self.schema.plain {
            if block.set(place, *field, *ty, &entity.get(*field)) {
                self.orders.forget(*field);
            }
        }
        if !block.live.get(place) {
            block.live.set(place, true);
            self.change_live(|live, table| live.insert(row, table));
        }
    }

    fn change_live(&mut self, change: impl FnOnce(&mut List, &Table)) {
        let mut live = std::mem::take(&mut self.live);
        change(&mut live, self);
        self.live = live;
        self.stamp = next_stamp();
        self.orders.forget_all();
    }

    /// Brings the indexes of keys and external ids up to date; the columns still hold the old ones.
    fn write_names(&mut self, row: u32, new_key: Option<&str>, new_external_ids: &[ExternalId]) {
        let old_key = self.text(Row(row), field::KEY);
        if old_key != new_key {
            if let Some(old) = old_key.map(hash_key) {
                self.by_key.remove(old, row);
            }
            if let Some(new) = new_key {
                self.by_key.insert(hash_key(new), row);
            }
        }
        let hash = |item: &ExternalId| hash_external_id(&item.system, &item.id);
        let old = self.external_ids(Row(row), field::EXTERNAL_IDS);
        if old != new_external_ids {
            for old in old.iter().map(hash).collect::<Vec<_>>() {
                self.by_external_id.remove(old, row);
            }
            for new in new_external_ids {
                self.by_external_id.insert(hash(new), row);
            }
        }
    }

    /// Makes a live row without references a placeholder, or frees it if nothing refers to it.
    fn retire(&mut self, row: u32) {
        self.change_live(|live, table| live.remove(row, table));
        self.write_names(row, None, &[]);
        self.set_groups(Row(row), &[]);
        let (block, place) = split(row);
        let block = self.blocks.get_mut(block);
        for (field, ty) in &self.schema.plain {
            block.set(place, *field, *ty, &Value::Null);
        }
        block.live.set(place, false);
        if !self.is_referred_to(row) {
            self.release(row);
        }
    }

    /// Frees a row that is not live and that nothing refers to.
    fn release(&mut self, row: u32) {
        self.by_id.remove(hash_id(self.id(Row(row))), row);
        self.put_free(row);
    }

    fn put_free(&mut self, row: u32) {
        let (block, place) = split(row);
        Arc::make_mut(&mut self.blocks.get_mut(block).ids)[place] = free_mark(self.free);
        self.free = Some(row);
    }

    /// Forgets the records themselves, if so asked, and the referrers in some slots; then frees what is left of use to nobody.
    fn forget(&mut self, records: bool, slots: &[usize]) {
        if self.rows == 0 {
            return;
        }
        let used = |column: usize, table: &Table| table.blocks.iter().any(|block| block.column(column).is_some());
        if !records && !slots.iter().any(|slot| used(self.schema.inverse_column(*slot), self)) {
            return;
        }
        let own = if records { 0..self.schema.types.len() } else { 0..0 };
        for number in 0..self.blocks.len() {
            let block = self.blocks.get_mut(number);
            let inverse = slots.iter().map(|slot| self.schema.inverse_column(*slot));
            let known = records.then(|| self.schema.provenance_column());
            for column in own.clone().chain(inverse).chain(known) {
                block.drop_column(column);
            }
            if records {
                block.live = Default::default();
            }
        }
        if records {
            self.live = List::Empty;
            self.stamp = next_stamp();
            self.by_key = Index::default();
            self.by_external_id = Index::default();
            self.orders.forget_all();
        }
        self.by_id = Index::default();
        self.free = None;
        let mut kept = 0;
        // Backwards, so that free rows are taken again from the start.
        for number in (0..self.rows).rev() {
            let row = u32::try_from(number).unwrap_or(u32::MAX);
            if self.is_live(Row(row)) || self.is_referred_to(row) {
                self.by_id.insert(hash_id(self.id(Row(row))), row);
                kept += 1;
            } else {
                self.put_free(row);
            }
        }
        if kept == 0 {
            *self = Table::new(self.kind());
        }
    }
}

/// What stands in the place of the id of a free row, so that it tells the next free one.
fn free_mark(next: Option<u32>) -> Uuid {
    Uuid::from_u128(next.map_or(0, |row| u128::from(row) + 1))
}

fn next_free(mark: Uuid) -> Option<u32> {
    u32::try_from(mark.as_u128().checked_sub(1)?).ok()
}

#[cfg(test)]
mod tests;
