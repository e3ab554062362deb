//! The records of one kind.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use spil_proto::model::{ExternalId, Kind};
use uuid::Uuid;

use crate::{
    Row,
    block::{BLOCK_ROWS, Block},
    chunks::Chunks,
    column::Column,
    index::{Index, hash_id},
    list::{Ids, List},
    order::Orders,
    schema::KindSchema,
};

/// The most rows of one kind.
pub(crate) const MAX_ROWS: usize = 1 << 31;

/// The records of one kind, whoever may see them: [`Records`](crate::Records) are what callers get.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) schema: &'static KindSchema,
    pub(crate) blocks: Chunks<Block>,
    /// How many rows there are: live ones, placeholders and free ones.
    pub(crate) rows: usize,
    /// The first of the free rows. The id of a free row tells the next one.
    pub(crate) free: Option<u32>,
    pub(crate) live: List,
    pub(crate) by_id: Index,
    pub(crate) by_key: Index,
    pub(crate) by_external_id: Index,
    pub(crate) orders: Orders,
    /// Differs from that of every other table and of every state of this one in which other records are live.
    pub(crate) stamp: u64,
}

/// A stamp that no table has had.
pub(crate) fn next_stamp() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Relaxed)
}

impl Ids for Table {
    #[inline]
    fn id_of(&self, row: u32) -> Uuid {
        self.id(Row(row))
    }
}

/// The block of a row and its place there.
#[inline]
pub(crate) fn split(row: u32) -> (usize, usize) {
    (row as usize / BLOCK_ROWS, row as usize % BLOCK_ROWS)
}

impl Table {
    pub(crate) fn new(kind: Kind) -> Table {
        let schema = KindSchema::of(kind);
        Table {
            schema,
            blocks: Chunks::default(),
            rows: 0,
            free: None,
            live: List::Empty,
            by_id: Index::default(),
            by_key: Index::default(),
            by_external_id: Index::default(),
            orders: Orders::new(schema.types.len()),
            stamp: next_stamp(),
        }
    }

    /// The kind of the records.
    pub(crate) fn kind(&self) -> Kind {
        self.schema.kind
    }

    /// The live record with an id.
    pub(crate) fn row_of(&self, id: Uuid) -> Option<Row> {
        self.find(id).map(Row).filter(|row| self.is_live(*row))
    }

    /// Whether a row is a live record.
    #[inline]
    pub(crate) fn is_live(&self, row: Row) -> bool {
        let (block, place) = split(row.0);
        block < self.blocks.len() && self.blocks.get(block).live.get(place)
    }

    /// The id of a row; nil for a row that does not exist.
    #[inline]
    pub(crate) fn id(&self, row: Row) -> Uuid {
        let (block, place) = split(row.0);
        if block < self.blocks.len() { self.blocks.get(block).ids[place] } else { Uuid::nil() }
    }

    /// A text.
    #[inline]
    pub(crate) fn text(&self, row: Row, field: usize) -> Option<&str> {
        let (column, place) = self.column(row, field)?;
        column.text(place)
    }

    /// External ids; empty if there are none.
    pub(crate) fn external_ids(&self, row: Row, field: usize) -> &[ExternalId] {
        self.column(row, field).map_or(&[], |(column, place)| column.external_ids(place))
    }

    /// The target of a reference, live or not.
    #[inline]
    pub(crate) fn target(&self, row: Row, field: usize) -> Option<u32> {
        let (column, place) = self.column(row, field)?;
        column.reference(place)
    }

    /// The targets of a list of references, live or not, in the order in which they were given.
    pub(crate) fn targets(&self, row: Row, field: usize) -> &[u32] {
        self.column(row, field).map_or(&[], |(column, place)| column.references(place))
    }

    /// The records of another table that refer to a row.
    pub(crate) fn referrers(&self, row: Row, slot: usize) -> Option<&List> {
        let (column, place) = self.column(row, self.schema.inverse_column(slot))?;
        column.referrers(place)
    }

    #[inline]
    pub(crate) fn column(&self, row: Row, number: usize) -> Option<(&Column, usize)> {
        let (block, place) = split(row.0);
        if block >= self.blocks.len() {
            return None;
        }
        Some((self.blocks.get(block).column(number)?, place))
    }

    /// The row with an id, live or placeholder.
    pub(crate) fn find(&self, id: Uuid) -> Option<u32> {
        self.by_id.candidates(hash_id(id)).find(|row| self.id(Row(*row)) == id)
    }

    /// Whether there is such a row, of whatever state.
    pub(crate) fn has_row(&self, row: Row) -> bool {
        (row.0 as usize) < self.rows
    }

    /// Whether any record refers to a row.
    pub(crate) fn is_referred_to(&self, row: u32) -> bool {
        (0..self.schema.inverses.len()).any(|slot| self.referrers(Row(row), slot).is_some_and(|list| !list.is_empty()))
    }

    /// The heap in use.
    pub(crate) fn size_bytes(&self) -> usize {
        size_of::<Table>()
            + self.blocks.size_bytes()
            + self.blocks.iter().map(Block::size_bytes).sum::<usize>()
            + self.live.size_bytes()
            + self.by_id.size_bytes()
            + self.by_key.size_bytes()
            + self.by_external_id.size_bytes()
            + self.orders.size_bytes()
    }
}
