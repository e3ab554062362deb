//! Writes what a batch changed.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message;
use sea_orm::{
    ConnectionTrait, DatabaseTransaction,
    sea_query::{Expr, ExprTrait, OnConflict, Query},
};
use spil_proto::{
    changefeed::v1::{Origin, Record},
    model::{ExternalId, Header, Kind},
};
use uuid::Uuid;

use super::{
    Store, StoreError,
    external_id::{self, Entry},
    row, statement,
};
use crate::command::{provenance::after_write, working_set::Changed};

/// A record, ready to be written.
struct Written<'a> {
    record: &'a Record,
    /// Encoded; see [`row::PROVENANCE`].
    provenance: Vec<u8>,
}

/// Writes the rows of records and their external ids. `fields` are those that each change changes.
pub(super) async fn records(
    store: &Store,
    transaction: &DatabaseTransaction,
    changes: &[Changed<'_>],
    fields: &[Vec<u32>],
    origin: &Origin,
) -> Result<(), StoreError> {
    release_keys(transaction, changes).await?;
    let mut created: BTreeMap<Kind, Vec<Written<'_>>> = BTreeMap::new();
    let mut updated: BTreeMap<Kind, Vec<Written<'_>>> = BTreeMap::new();
    for (change, fields) in changes.iter().zip(fields) {
        let rows = if change.stored.is_some() { &mut updated } else { &mut created };
        let provenance = after_write(change.provenance, fields, origin).encode_to_vec();
        rows.entry(change.kind).or_default().push(Written { record: change.now, provenance });
    }
    for (kind, rows) in &created {
        upsert(store, transaction, *kind, rows, false).await?;
    }
    for (kind, rows) in &updated {
        upsert(store, transaction, *kind, rows, true).await?;
    }
    external_ids(transaction, changes).await
}

/// Unique keys are checked row by row. Where a record of the batch takes the key that another one of it gives up, the
/// key is freed first.
async fn release_keys(transaction: &DatabaseTransaction, changes: &[Changed<'_>]) -> Result<(), StoreError> {
    let taken: BTreeSet<(Kind, &str)> =
        changes.iter().filter_map(|change| Some((change.kind, live(change.now)?.key.as_deref()?))).collect();
    let mut freed: BTreeMap<Kind, Vec<Uuid>> = BTreeMap::new();
    for change in changes {
        let Some(had) = change.stored.and_then(live).and_then(|header| header.key.as_deref()) else { continue };
        let keeps = live(change.now).and_then(|header| header.key.as_deref()) == Some(had);
        if !keeps && taken.contains(&(change.kind, had)) {
            freed.entry(change.kind).or_default().push(change.id);
        }
    }
    for (kind, ids) in freed {
        for list in statement::lists(ids) {
            let statement = Query::update()
                .table(kind.info().table)
                .value("key", None::<String>)
                .and_where(Expr::col("id").is_in(list))
                .to_owned();
            transaction.execute(&statement).await?;
        }
    }
    Ok(())
}

async fn upsert(
    store: &Store,
    transaction: &DatabaseTransaction,
    kind: Kind,
    records: &[Written<'_>],
    replace: bool,
) -> Result<(), StoreError> {
    for piece in statement::row_pieces(records) {
        let mut statement = Query::insert();
        let columns = || kind.info().fields().map(|info| info.column).chain([row::PROVENANCE]);
        statement.into_table(kind.info().table).columns(columns());
        for (entity, written) in piece.iter().filter_map(|written| Some((written.record.entity()?, written))) {
            let values = kind
                .info()
                .fields()
                .map(|info| Expr::value(row::write_field(info, &entity.get(info.index), store.inner.dialect)));
            statement.values_panic(values.chain([Expr::value(written.provenance.as_slice())]));
        }
        if replace {
            let columns = columns().filter(|column| *column != "id");
            statement.on_conflict(OnConflict::column("id").update_columns(columns).to_owned());
        }
        transaction.execute(&statement).await?;
    }
    Ok(())
}

async fn external_ids(transaction: &DatabaseTransaction, changes: &[Changed<'_>]) -> Result<(), StoreError> {
    let (mut gone, mut new) = (Vec::new(), Vec::new());
    for change in changes {
        let had: &[ExternalId] = change.stored.and_then(live).map_or(&[], |header| &header.external_ids);
        let has: &[ExternalId] = live(change.now).map_or(&[], |header| &header.external_ids);
        let entry = |external| Entry { kind: change.kind, external, record: change.id };
        gone.extend(had.iter().filter(|external| !has.contains(external)).map(entry));
        new.extend(has.iter().filter(|external| !had.contains(external)).map(entry));
    }
    external_id::delete(transaction, &gone).await?;
    external_id::insert(transaction, &new).await
}

/// The header of a record that is not retired.
fn live(record: &Record) -> Option<&Header> {
    record.entity()?.header().filter(|header| header.retired_at.is_none())
}
