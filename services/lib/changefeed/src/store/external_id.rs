//! Which live record has which external id.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sea_orm::{
    ConnectionTrait, DatabaseTransaction,
    sea_query::{Expr, ExprTrait, Query},
};
use spil_proto::model::{ExternalId, Kind};
use uuid::Uuid;

use super::{Store, StoreError, statement};

const TABLE: &str = "external_id";
const COLUMNS: [&str; 4] = ["kind", "system", "external_id", "record_id"];

/// An external id of a record.
pub(super) struct Entry<'a> {
    pub(super) kind: Kind,
    pub(super) external: &'a ExternalId,
    pub(super) record: Uuid,
}

/// Finds the records of a kind with external ids; answers with system, id and record.
pub(super) async fn find(
    store: &Store,
    transaction: &DatabaseTransaction,
    kind: Kind,
    wanted: &BTreeSet<(String, String)>,
) -> Result<Vec<(String, String, Uuid)>, StoreError> {
    let mut found = Vec::new();
    for (system, ids) in by_system(wanted.iter().map(|(system, id)| (system.as_str(), id.as_str()))) {
        let mut names = HashMap::with_capacity(ids.len());
        for id in ids {
            names.insert(store.kept_external(kind, system, id)?.into_owned(), id);
        }
        for list in statement::lists(names.keys().map(String::as_str)) {
            let statement = Query::select()
                .columns(["external_id", "record_id"])
                .from(TABLE)
                .and_where(Expr::col("kind").eq(kind as i32))
                .and_where(Expr::col("system").eq(system))
                .and_where(Expr::col("external_id").is_in(list))
                .to_owned();
            for row in transaction.query_all(&statement).await? {
                let kept: String = row.try_get_by_index(0)?;
                if let Some(id) = names.get(&kept) {
                    found.push((system.to_owned(), (*id).to_owned(), row.try_get_by_index(1)?));
                }
            }
        }
    }
    Ok(found)
}

/// Frees external ids.
pub(super) async fn delete(
    store: &Store,
    transaction: &DatabaseTransaction,
    entries: &[Entry<'_>],
) -> Result<(), StoreError> {
    let mut kinds: BTreeMap<Kind, Vec<&ExternalId>> = BTreeMap::new();
    for entry in entries {
        kinds.entry(entry.kind).or_default().push(entry.external);
    }
    for (kind, externals) in kinds {
        for (system, ids) in
            by_system(externals.iter().map(|external| (external.system.as_str(), external.id.as_str())))
        {
            let kept = ids.into_iter().map(|id| store.kept_external(kind, system, id));
            for list in statement::lists(kept.collect::<Result<Vec<_>, _>>()?) {
                let statement = Query::delete()
                    .from_table(TABLE)
                    .and_where(Expr::col("kind").eq(kind as i32))
                    .and_where(Expr::col("system").eq(system))
                    .and_where(Expr::col("external_id").is_in(list.iter().map(AsRef::<str>::as_ref)))
                    .to_owned();
                transaction.execute(&statement).await?;
            }
        }
    }
    Ok(())
}

/// Gives external ids to records.
pub(super) async fn insert(
    store: &Store,
    transaction: &DatabaseTransaction,
    entries: &[Entry<'_>],
) -> Result<(), StoreError> {
    for piece in statement::row_pieces(entries) {
        let mut statement = Query::insert();
        statement.into_table(TABLE).columns(COLUMNS);
        for entry in piece {
            let ExternalId { system, id } = entry.external;
            statement.values_panic([
                (entry.kind as i32).into(),
                system.as_str().into(),
                store.kept_external(entry.kind, system, id)?.into_owned().into(),
                entry.record.into(),
            ]);
        }
        transaction.execute(&statement).await?;
    }
    Ok(())
}

/// Which of some external ids, as they stand in the database, belong to other records of a kind than one.
pub(super) async fn of_others(
    transaction: &DatabaseTransaction,
    kind: Kind,
    kept: Vec<String>,
    record: Uuid,
) -> Result<Vec<String>, StoreError> {
    let statement = Query::select()
        .column("external_id")
        .from(TABLE)
        .and_where(Expr::col("kind").eq(kind as i32))
        .and_where(Expr::col("external_id").is_in(kept))
        .and_where(Expr::col("record_id").ne(record))
        .to_owned();
    let rows = transaction.query_all(&statement).await?;
    rows.iter().map(|row| row.try_get_by_index(0).map_err(StoreError::from)).collect()
}

/// Frees every external id of some records of a kind, in whatever form they stand there.
pub(super) async fn delete_all(
    transaction: &DatabaseTransaction,
    kind: Kind,
    records: &[Uuid],
) -> Result<(), StoreError> {
    for list in statement::lists(records.iter().copied()) {
        let statement = Query::delete()
            .from_table(TABLE)
            .and_where(Expr::col("kind").eq(kind as i32))
            .and_where(Expr::col("record_id").is_in(list))
            .to_owned();
        transaction.execute(&statement).await?;
    }
    Ok(())
}

fn by_system<'a>(wanted: impl Iterator<Item = (&'a str, &'a str)>) -> BTreeMap<&'a str, Vec<&'a str>> {
    let mut systems: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (system, id) in wanted {
        systems.entry(system).or_default().push(id);
    }
    systems
}
