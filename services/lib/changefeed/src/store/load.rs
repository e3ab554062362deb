//! Loads what a batch needs into its working set, with a few statements for the whole batch.

mod belonging;

use std::collections::{BTreeSet, HashMap};

use sea_orm::{
    ConnectionTrait, DatabaseTransaction,
    sea_query::{Expr, ExprTrait, Order, Query},
};
use spil_proto::model::{FieldInfo, FieldType, Kind, field};
use uuid::Uuid;

use super::{
    Store, StoreError, external_id, one_way, row,
    statement::{self, Hold},
};
use crate::{
    command::{
        needs::{self, ByKind, Names, referred},
        one_way as secrets,
        prepare::Prepared,
        working_set::WorkingSet,
    },
    rule::Rules,
};

pub(crate) use belonging::Scopes;
pub(super) use belonging::{positions, scopes};

/// The most records that rules may look at beside those of the batch.
const MAX_RELATED: usize = 200_000;
/// How many references up the search for a cycle looks.
const MAX_LEVELS: usize = 512;
/// The most records that the search for cycles looks at.
const MAX_ANCESTORS: usize = 200_000;

/// Why a batch could not be loaded.
pub(super) enum LoadError {
    Store(StoreError),
    /// Another batch gave a name away between two looks.
    NameMoved,
    /// Rules would have to look at too many records.
    TooMuchRelated,
}

impl From<StoreError> for LoadError {
    fn from(error: StoreError) -> Self {
        LoadError::Store(error)
    }
}

/// Loads what a batch needs. What is to be changed, and what is relied on, is held until the transaction ends, always in the
/// same order: kind by kind, id by id.
pub(super) async fn load(
    store: &Store,
    transaction: &DatabaseTransaction,
    batch: &[&Prepared],
    rules: &dyn Rules,
    dry: bool,
) -> Result<WorkingSet, LoadError> {
    let loader = Loader { store, transaction, dry };
    let mut set = WorkingSet::default();
    loader.names(&needs::names(batch), &mut set).await?;
    let mut held = needs::targets(batch, &set);
    for (kind, ids) in loader.affected(batch, rules, &set).await? {
        held.entry(kind).or_default().extend(ids);
    }
    for (kind, ids) in held {
        loader.records(kind, &ids, Hold::Exclusive, &mut set).await?;
    }
    if !set.names_hold() {
        return Err(LoadError::NameMoved);
    }
    let references = needs::references(store.inner.owner, batch, &set, rules);
    for kind in store.inner.owner.kinds() {
        let unknown = |ids: Option<&BTreeSet<Uuid>>, set: &WorkingSet| -> BTreeSet<Uuid> {
            ids.into_iter().flatten().copied().filter(|id| set.is_live(kind, *id).is_none()).collect()
        };
        let exclusive = unknown(references.exclusive.get(&kind), &set);
        loader.presence(kind, &exclusive, Hold::Exclusive, &mut set).await?;
        let shared = unknown(references.shared.get(&kind), &set);
        loader.presence(kind, &shared, Hold::Shared, &mut set).await?;
    }
    for (kind, ids) in &references.referenced {
        loader.records(*kind, ids, Hold::Nothing, &mut set).await?;
    }
    let mut related = 0;
    for ((kind, field), of) in &references.siblings {
        let Some(info) = kind.info().field(*field) else { continue };
        related += loader.siblings(*kind, info, of, &mut set).await?;
        if related > MAX_RELATED {
            return Err(LoadError::TooMuchRelated);
        }
    }
    for ((kind, field), start) in references.ancestors {
        let Some(info) = kind.info().field(field) else { continue };
        loader.ancestors(kind, info, start, &mut set).await?;
    }
    loader.salts(batch, &mut set).await?;
    Ok(set)
}

struct Loader<'a> {
    store: &'a Store,
    transaction: &'a DatabaseTransaction,
    dry: bool,
}

impl Loader<'_> {
    fn hold(&self, hold: Hold) -> Hold {
        if self.dry { Hold::Nothing } else { hold }
    }

    async fn names(&self, names: &Names, set: &mut WorkingSet) -> Result<(), StoreError> {
        for (kind, keys) in &names.keys {
            let Some(info) = kind.info().field(field::KEY) else { continue };
            for (key, id) in self.holders(*kind, info, keys).await? {
                set.add_key(*kind, key, id);
            }
        }
        for (kind, wanted) in &names.external_ids {
            for (system, id, record) in external_id::find(self.store, self.transaction, *kind, wanted).await? {
                set.add_external_id(*kind, system, id, record);
            }
        }
        for ((kind, index), values) in &names.uniques {
            let Some(info) = kind.info().field(*index) else { continue };
            for (value, id) in self.holders(*kind, info, values).await? {
                set.add_unique(*kind, *index, value, id);
            }
        }
        Ok(())
    }

    /// Which live record has which of some values of a field that no two have the same.
    async fn holders(
        &self,
        kind: Kind,
        info: &'static FieldInfo,
        values: &BTreeSet<String>,
    ) -> Result<Vec<(String, Uuid)>, StoreError> {
        let mut names = HashMap::with_capacity(values.len());
        for value in values {
            names.insert(self.store.kept(kind, info, value)?.into_owned(), value);
        }
        let mut holders = Vec::new();
        for list in statement::lists(names.keys().map(String::as_str)) {
            let statement = Query::select()
                .columns([info.column, "id"])
                .from(kind.info().table)
                .and_where(Expr::col(info.column).is_in(list))
                .and_where(Expr::col("retired_at").is_null())
                .to_owned();
            for row in self.transaction.query_all(&statement).await? {
                let kept: String = row.try_get_by_index(0)?;
                if let Some(value) = names.get(&kept) {
                    holders.push(((*value).clone(), row.try_get_by_index(1)?));
                }
            }
        }
        Ok(holders)
    }

    /// The records that change with those of the batch. References that say so never change, so they are read before they are held.
    async fn affected(
        &self,
        batch: &[&Prepared],
        rules: &dyn Rules,
        set: &WorkingSet,
    ) -> Result<ByKind<Uuid>, StoreError> {
        let mut affected = needs::affected(batch, set, rules);
        for ((kind, index), ids) in needs::affecting_targets(batch, set, rules) {
            let Some(info) = kind.info().field(index) else { continue };
            let FieldType::Ref(to) = info.ty else { continue };
            for list in statement::lists(ids) {
                let statement = Query::select()
                    .column(info.column)
                    .from(kind.info().table)
                    .and_where(Expr::col("id").is_in(list))
                    .and_where(Expr::col(info.column).is_not_null())
                    .to_owned();
                for row in self.transaction.query_all(&statement).await? {
                    affected.entry(to).or_default().insert(row.try_get_by_index(0)?);
                }
            }
        }
        Ok(affected)
    }

    /// The salts for values that are only written. A dry run needs none: it must not tell who was counted.
    async fn salts(&self, batch: &[&Prepared], set: &mut WorkingSet) -> Result<(), StoreError> {
        let scopes = secrets::scopes(batch, set);
        if !self.dry && !scopes.is_empty() {
            set.add_salts(one_way::salts(self.transaction, &scopes).await?);
        }
        Ok(())
    }

    async fn records(
        &self,
        kind: Kind,
        ids: &BTreeSet<Uuid>,
        hold: Hold,
        set: &mut WorkingSet,
    ) -> Result<(), StoreError> {
        for list in statement::lists(ids.iter().copied()) {
            let mut statement = row::select(kind);
            statement.and_where(Expr::col("id").is_in(list)).order_by("id", Order::Asc);
            self.hold(hold).apply(&mut statement, self.store.inner.dialect);
            let rows = self.transaction.query_all(&statement).await?;
            for (record, provenance) in self.store.read_rows(self.transaction, kind, &rows).await? {
                if let Some(id) = record.id() {
                    set.add_stored(kind, id, record, provenance);
                }
            }
        }
        Ok(())
    }

    async fn presence(
        &self,
        kind: Kind,
        ids: &BTreeSet<Uuid>,
        hold: Hold,
        set: &mut WorkingSet,
    ) -> Result<(), StoreError> {
        for list in statement::lists(ids.iter().copied()) {
            let mut statement = Query::select();
            statement
                .column("id")
                .expr(Expr::col("retired_at").is_null())
                .from(kind.info().table)
                .and_where(Expr::col("id").is_in(list))
                .order_by("id", Order::Asc);
            self.hold(hold).apply(&mut statement, self.store.inner.dialect);
            for row in self.transaction.query_all(&statement).await? {
                set.add_presence(kind, row.try_get_by_index(0)?, row.try_get_by_index(1)?);
            }
        }
        Ok(())
    }

    /// Answers with how many there are.
    async fn siblings(
        &self,
        kind: Kind,
        info: &'static FieldInfo,
        of: &BTreeSet<Uuid>,
        set: &mut WorkingSet,
    ) -> Result<usize, StoreError> {
        let mut count = 0;
        for list in statement::lists(of.iter().copied()) {
            let mut statement = row::select(kind);
            statement
                .and_where(Expr::col(info.column).is_in(list))
                .and_where(Expr::col("retired_at").is_null())
                // One more than allowed, to tell.
                .limit(MAX_RELATED as u64 + 1);
            let rows = self.transaction.query_all(&statement).await?;
            for (record, provenance) in self.store.read_rows(self.transaction, kind, &rows).await? {
                let Some(entity) = record.entity() else { continue };
                count += 1;
                let group: Vec<Uuid> = referred(&entity.get(info.index)).collect();
                if let Some(id) = record.id() {
                    set.add_stored(kind, id, record, provenance);
                    group.into_iter().for_each(|of| set.add_sibling(kind, info.index, of, id));
                }
            }
        }
        Ok(count)
    }

    /// Follows an acyclic reference from some records upwards, level by level.
    async fn ancestors(
        &self,
        kind: Kind,
        info: &'static FieldInfo,
        start: BTreeSet<Uuid>,
        set: &mut WorkingSet,
    ) -> Result<(), StoreError> {
        let mut seen = start.clone();
        let mut level = start;
        for _ in 0..MAX_LEVELS {
            if level.is_empty() || seen.len() > MAX_ANCESTORS {
                break;
            }
            let mut next = BTreeSet::new();
            for list in statement::lists(std::mem::take(&mut level)) {
                let statement = Query::select()
                    .columns(["id", info.column])
                    .from(kind.info().table)
                    .and_where(Expr::col("id").is_in(list))
                    .and_where(Expr::col("retired_at").is_null())
                    .and_where(Expr::col(info.column).is_not_null())
                    .to_owned();
                for found in self.transaction.query_all(&statement).await? {
                    let up: Vec<Uuid> = referred(&row::read_field(kind, info, &found, 1)?).collect();
                    next.extend(up.iter().copied().filter(|id| seen.insert(*id)));
                    set.add_edges(kind, info.index, found.try_get_by_index(0)?, up);
                }
            }
            level = next;
        }
        level.into_iter().for_each(|id| set.add_unknown(kind, info.index, id));
        Ok(())
    }
}
