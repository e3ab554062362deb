//! A run of rows of one table.

use std::sync::Arc;

use spil_proto::model::{FieldType, Value};
use uuid::Uuid;

use crate::{
    bits::Bits,
    column::Column,
    list::List,
    provenance::{Group, Groups},
};

/// How many rows a block has.
pub(crate) const BLOCK_ROWS: usize = 256;

/// A run of rows: their ids, which of them are live, and a column for each field that any of them has a value in.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) ids: Arc<[Uuid; BLOCK_ROWS]>,
    pub(crate) live: Bits,
    columns: Box<[Option<Arc<Column>>]>,
}

impl Block {
    pub(crate) fn new(columns: usize) -> Block {
        Block {
            ids: Arc::new([Uuid::nil(); BLOCK_ROWS]),
            live: Bits::default(),
            columns: vec![None; columns].into_boxed_slice(),
        }
    }

    #[inline]
    pub(crate) fn column(&self, number: usize) -> Option<&Column> {
        self.columns.get(number)?.as_deref()
    }

    /// Whether a state of the block shares its rows and some columns with another, so that nothing can differ in these.
    pub(crate) fn is_same(&self, other: &Block, columns: &[usize]) -> bool {
        let shared = |number: &usize| match (self.columns.get(*number), other.columns.get(*number)) {
            (Some(Some(mine)), Some(Some(others))) => Arc::ptr_eq(mine, others),
            (None | Some(None), None | Some(None)) => true,
            _ => false,
        };
        self.live == other.live && Arc::ptr_eq(&self.ids, &other.ids) && columns.iter().all(shared)
    }

    /// The column, to be changed, made if there is none.
    fn column_mut(&mut self, number: usize, make: impl FnOnce() -> Option<Column>) -> Option<&mut Column> {
        let column = self.columns.get_mut(number)?;
        if column.is_none() {
            *column = make().map(Arc::new);
        }
        column.as_mut().map(Arc::make_mut)
    }

    /// Writes a value; says whether that changed anything.
    pub(crate) fn set(&mut self, place: usize, field: usize, ty: FieldType, value: &Value<'_>) -> bool {
        let same = match self.column(field) {
            Some(column) => column.holds(place, ty, value),
            None => value.is_null(),
        };
        if same {
            return false;
        }
        if let Some(column) = self.column_mut(field, || Column::new(ty)) {
            column.set(place, value);
        }
        if value.is_null() {
            self.drop_if_empty(field);
        }
        true
    }

    pub(crate) fn set_reference(&mut self, place: usize, field: usize, ty: FieldType, row: Option<u32>) {
        if let Some(column) = self.column_mut(field, || Column::new(ty)) {
            column.set_reference(place, row);
        }
        if row.is_none() {
            self.drop_if_empty(field);
        }
    }

    pub(crate) fn set_references(&mut self, place: usize, field: usize, ty: FieldType, rows: &[u32]) {
        if let Some(column) = self.column_mut(field, || Column::new(ty)) {
            column.set_references(place, rows);
        }
        if rows.is_empty() {
            self.drop_if_empty(field);
        }
    }

    /// Changes the referrers of a row in a column of them.
    pub(crate) fn change_referrers(&mut self, place: usize, column: usize, change: impl FnOnce(&mut List)) {
        let list = self
            .column_mut(column, || Some(Column::Referrers(Vec::new())))
            .and_then(|column| column.referrers_mut(place));
        if let Some(list) = list {
            change(list);
            if list.is_empty() {
                self.drop_if_empty(column);
            }
        }
    }

    /// Says who set which field of a row.
    pub(crate) fn set_groups(&mut self, place: usize, column: usize, groups: &[Group]) {
        if let Some(column) = self.column_mut(column, || Some(Column::Provenance(Groups::default()))) {
            column.set_groups(place, groups);
        }
        if groups.is_empty() {
            self.drop_if_empty(column);
        }
    }

    fn drop_if_empty(&mut self, number: usize) {
        if let Some(column) = self.columns.get_mut(number)
            && column.as_deref().is_some_and(Column::is_empty)
        {
            *column = None;
        }
    }

    /// Forgets all values of a column.
    pub(crate) fn drop_column(&mut self, number: usize) {
        if let Some(column) = self.columns.get_mut(number) {
            *column = None;
        }
    }

    /// Gives back room that was kept for growth; what is shared stays as it is.
    pub(crate) fn shrink(&mut self) {
        for column in self.columns.iter_mut().flatten() {
            if let Some(column) = Arc::get_mut(column) {
                column.shrink();
            }
        }
    }

    /// The heap in use.
    pub(crate) fn size_bytes(&self) -> usize {
        let columns = self.columns.iter().flatten().map(|column| 24 + size_of::<Column>() + column.size_bytes());
        size_of::<[Uuid; BLOCK_ROWS]>()
            + 24
            + self.columns.len() * size_of::<Option<Arc<Column>>>()
            + columns.sum::<usize>()
    }
}
