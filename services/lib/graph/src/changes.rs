//! What differs between two states of the graph.

use std::sync::Arc;

use spil_proto::model::{Kind, Value};
use uuid::Uuid;

use crate::{
    Graph,
    block::{BLOCK_ROWS, Block},
    schema::{self, KindSchema},
};

impl Graph {
    /// The ids of the records of a kind that have another value in one of some fields than they had in an older state, in order, each
    /// once. A record that is not there has no values, so one without any in these fields does not count when it comes or goes.
    /// Fields that refer to records are not looked at.
    ///
    /// What both states share is passed over, so that two states of which one came of the other by a few changes are compared at the
    /// price of these.
    pub fn changed_since(&self, older: &Graph, kind: Kind, fields: &[usize]) -> Vec<Uuid> {
        if self.table(kind).sight.is_some() || older.table(kind).sight.is_some() {
            return self.changed_in_sight(older, kind, fields);
        }
        let (at, schema) = (schema::place(kind), KindSchema::of(kind));
        let (new, old) = (&self.tables[at], &older.tables[at]);
        let mut changed = Vec::new();
        if Arc::ptr_eq(new, old) {
            return changed;
        }
        for at in 0..new.blocks.len().max(old.blocks.len()) {
            let (new, old) = (new.blocks.share(at), old.blocks.share(at));
            if let (Some(new), Some(old)) = (new, old)
                && (Arc::ptr_eq(new, old) || new.is_same(old, fields))
            {
                continue;
            }
            for place in 0..BLOCK_ROWS {
                let (before, now) = (Side::of(old, place), Side::of(new, place));
                if before.id == now.id {
                    let differs = |field: &usize| before.value(schema, *field) != now.value(schema, *field);
                    if now.id.is_some() && fields.iter().any(differs) {
                        changed.extend(now.id);
                    }
                    continue;
                }
                for side in [before, now] {
                    let has_value = |field: &usize| !side.value(schema, *field).is_null();
                    if side.id.is_some() && fields.iter().any(has_value) {
                        changed.extend(side.id);
                    }
                }
            }
        }
        changed.sort_unstable();
        changed.dedup();
        // A record that has moved to another row without being changed is met twice.
        let moved = |id: Uuid| {
            let (Some(now), Some(before)) = (self.table(kind).row_of(id), older.table(kind).row_of(id)) else {
                return false;
            };
            fields.iter().all(|field| self.value(kind, now, *field) == older.value(kind, before, *field))
        };
        changed.retain(|id| !moved(*id));
        changed
    }

    /// The same where one of the states hides something: record by record.
    fn changed_in_sight(&self, older: &Graph, kind: Kind, fields: &[usize]) -> Vec<Uuid> {
        let values = |graph: &'_ Graph, id: Uuid| -> Vec<Value<'static>> {
            let row = graph.table(kind).row_of(id);
            let value = |field: &usize| row.map_or(Value::Null, |row| graph.value(kind, row, *field).into_owned());
            let is_reference = |field: &&usize| KindSchema::of(kind).reference(**field).is_some();
            fields.iter().filter(|field| !is_reference(field)).map(value).collect()
        };
        let ids = |graph: &Graph| -> Vec<Uuid> {
            let table = graph.table(kind);
            table.rows().iter().map(|row| table.id(row)).collect()
        };
        let mut changed = [ids(self), ids(older)].concat();
        changed.sort_unstable();
        changed.dedup();
        changed.retain(|id| values(self, *id) != values(older, *id));
        changed
    }
}

/// A place of a block in one of the states.
#[derive(Clone, Copy)]
struct Side<'a> {
    block: Option<&'a Block>,
    place: usize,
    /// The id, if the row is live.
    id: Option<Uuid>,
}

impl<'a> Side<'a> {
    fn of(block: Option<&'a Arc<Block>>, place: usize) -> Side<'a> {
        let block = block.map(|block| &**block);
        let id = block.filter(|block| block.live.get(place)).map(|block| block.ids[place]);
        Side { block, place, id }
    }

    fn value(&self, schema: &KindSchema, field: usize) -> Value<'a> {
        let column = self.block.filter(|_| self.id.is_some()).and_then(|block| block.column(field));
        match (column, schema.field_type(field)) {
            (Some(column), Some(ty)) => column.value(self.place, ty),
            _ => Value::Null,
        }
    }
}
