//! Writes what a batch changed.

use std::collections::{BTreeMap, BTreeSet};

use prost::Message;
use sea_orm::{
    ConnectionTrait, DatabaseTransaction,
    sea_query::{Expr, ExprTrait, OnConflict, Query},
};
use spil_proto::{
    changefeed::v1::{Origin, Record},
    model::{ExternalId, Header, Kind, Value, field},
};
use uuid::Uuid;

use super::{
    Store, StoreError,
    external_id::{self, Entry},
    one_way, row,
    seal::{self, Closed, SEALED, Sealing},
    statement,
};
use crate::command::{one_way::Place, provenance::after_write, working_set::Changed};

/// A record, ready to be written.
pub(super) struct Written<'a> {
    pub(super) record: &'a Record,
    /// How it is written, if anything of its kind is sealed.
    pub(super) closed: Option<&'a Closed>,
    /// Encoded; see [`row::PROVENANCE`].
    pub(super) provenance: Vec<u8>,
}

/// Writes the rows of records, their external ids and the tokens of what is only written. `fields` are those that each change changes.
pub(super) async fn records(
    store: &Store,
    transaction: &DatabaseTransaction,
    changes: &[Changed<'_>],
    fields: &[Vec<u32>],
    origin: &Origin,
    claimed: &[&Place],
    sealing: &Sealing,
) -> Result<(), StoreError> {
    release_names(transaction, changes).await?;
    let mut created: BTreeMap<Kind, Vec<Written<'_>>> = BTreeMap::new();
    let mut updated: BTreeMap<Kind, Vec<Written<'_>>> = BTreeMap::new();
    for (change, fields) in changes.iter().zip(fields) {
        let rows = if change.stored.is_some() { &mut updated } else { &mut created };
        let provenance = after_write(change.provenance, fields, origin).encode_to_vec();
        rows.entry(change.kind).or_default().push(Written {
            record: change.now,
            closed: sealing.find(change.now),
            provenance,
        });
    }
    for (kind, rows) in &created {
        upsert(store, transaction, *kind, rows, false).await?;
    }
    for (kind, rows) in &updated {
        upsert(store, transaction, *kind, rows, true).await?;
    }
    external_ids(store, transaction, changes).await?;
    one_way::keep(transaction, claimed).await
}

/// Unique values are checked row by row. Where a record of the batch takes the key, or the value of a unique field, that another one of it
/// gives up, it is freed first.
async fn release_names(transaction: &DatabaseTransaction, changes: &[Changed<'_>]) -> Result<(), StoreError> {
    let taken: BTreeSet<(Kind, usize, String)> =
        changes.iter().flat_map(|change| names(change.kind, change.now)).collect();
    let mut freed: BTreeMap<(Kind, usize), Vec<Uuid>> = BTreeMap::new();
    for change in changes {
        let keeps: Vec<_> = names(change.kind, change.now).collect();
        for name in change.stored.into_iter().flat_map(|stored| names(change.kind, stored)) {
            if !keeps.contains(&name) && taken.contains(&name) {
                freed.entry((name.0, name.1)).or_default().push(change.id);
            }
        }
    }
    for ((kind, index), ids) in freed {
        let Some(info) = kind.info().field(index) else { continue };
        for list in statement::lists(ids) {
            let statement = Query::update()
                .table(kind.info().table)
                .value(info.column, None::<String>)
                .and_where(Expr::col("id").is_in(list))
                .to_owned();
            transaction.execute(&statement).await?;
        }
    }
    Ok(())
}

/// The key of a live record and the values of its unique fields, with the kind and the number of the field.
fn names(kind: Kind, record: &Record) -> impl Iterator<Item = (Kind, usize, String)> {
    let entity = record.entity().filter(|_| live(record).is_some());
    let fields = kind.info().fields().filter(|info| info.unique || info.index == field::KEY);
    fields.filter_map(move |info| match entity?.get(info.index) {
        Value::Text(text) => Some((kind, info.index, text.into_owned())),
        _ => None,
    })
}

pub(super) async fn upsert(
    store: &Store,
    transaction: &DatabaseTransaction,
    kind: Kind,
    records: &[Written<'_>],
    replace: bool,
) -> Result<(), StoreError> {
    for piece in statement::row_pieces(records) {
        let mut statement = Query::insert();
        let columns = || kind.info().fields().map(|info| info.column).chain([row::PROVENANCE, SEALED]);
        statement.into_table(kind.info().table).columns(columns());
        for (entity, written) in piece.iter().filter_map(|written| Some((written.record.entity()?, written))) {
            let mut values = Vec::with_capacity(kind.info().field_count() + 2);
            for info in kind.info().fields() {
                let value = match entity.get(info.index) {
                    Value::Text(text) if seal::is_name(kind, info) => {
                        Value::Text(store.kept(kind, info, &text)?.into_owned().into())
                    }
                    _ if kind.info().identifies(info.index) => Value::Null,
                    value => value,
                };
                values.push(Expr::value(row::write_field(info, &value, store.inner.dialect)));
            }
            values.push(Expr::value(written.provenance.as_slice()));
            values.push(Expr::value(written.closed.and_then(|closed| closed.sealed.clone())));
            statement.values_panic(values);
        }
        if replace {
            let columns = columns().filter(|column| *column != "id");
            statement.on_conflict(OnConflict::column("id").update_columns(columns).to_owned());
        }
        transaction.execute(&statement).await?;
    }
    Ok(())
}

async fn external_ids(
    store: &Store,
    transaction: &DatabaseTransaction,
    changes: &[Changed<'_>],
) -> Result<(), StoreError> {
    let (mut gone, mut new) = (Vec::new(), Vec::new());
    for change in changes {
        let had: &[ExternalId] = change.stored.and_then(live).map_or(&[], |header| &header.external_ids);
        let has: &[ExternalId] = live(change.now).map_or(&[], |header| &header.external_ids);
        let entry = |external| Entry { kind: change.kind, external, record: change.id };
        gone.extend(had.iter().filter(|external| !has.contains(external)).map(entry));
        new.extend(has.iter().filter(|external| !had.contains(external)).map(entry));
    }
    external_id::delete(store, transaction, &gone).await?;
    external_id::insert(store, transaction, &new).await
}

/// The header of a record that is not retired.
fn live(record: &Record) -> Option<&Header> {
    record.entity()?.header().filter(|header| header.retired_at.is_none())
}
