//! Finds the people whose data were kept as long as they may be.

use sea_orm::{
    ConnectionTrait, QueryResult,
    sea_query::{Expr, ExprTrait, Order, Query},
};
use spil_proto::model::Kind;
use uuid::Uuid;

use super::{Store, StoreError, row, seal::PERSON_KEY};
use crate::rule::Rules;

/// How many rows are looked at at once.
const PAGE: u64 = 500;
const MICROS_OF_DAY: i64 = 86_400_000_000;

impl Store {
    /// The people of a kind who left, or were retired, longer ago than anything that tells who they are may be kept; at most so many. No key is
    /// needed for that: nothing of it is sealed.
    pub(crate) async fn people_to_erase(
        &self,
        kind: Kind,
        rules: &dyn Rules,
        now: i64,
        most: usize,
    ) -> Result<Vec<Uuid>, StoreError> {
        let Some(days) = kept_days(kind) else { return Ok(Vec::new()) };
        let before = now.saturating_sub(i64::from(days).saturating_mul(MICROS_OF_DAY));
        let mut due = Vec::new();
        let mut after = None;
        loop {
            let erased = Query::select()
                .column("person_id")
                .from(PERSON_KEY)
                .and_where(Expr::col("erased_at").is_not_null())
                .to_owned();
            let mut statement = row::select(kind);
            statement
                .and_where(Expr::col("updated_at").lt(Expr::value(row::time(now, self.inner.dialect))))
                .and_where(Expr::col("id").not_in_subquery(erased))
                .order_by("id", Order::Asc)
                .limit(PAGE);
            if let Some(after) = after {
                statement.and_where(Expr::col("id").gt(after));
            }
            let rows = self.inner.reader.query_all(&statement).await?;
            for found in &rows {
                let (id, left) = left_at(kind, rules, found)?;
                after = Some(id);
                if left.is_some_and(|left| left < before) {
                    due.push(id);
                    if due.len() == most {
                        return Ok(due);
                    }
                }
            }
            if (rows.len() as u64) < PAGE {
                return Ok(due);
            }
        }
    }
}

/// How many days after somebody has left the last of what tells who they are is kept; `None` if nothing is said.
fn kept_days(kind: Kind) -> Option<u32> {
    let info = kind.info();
    let identifying =
        info.fields().filter_map(|field| info.personal(field.index)).filter(|personal| personal.identifying);
    identifying.map(|personal| personal.retention_days).max().filter(|days| *days > 0)
}

/// When somebody left, as far as the row tells: when the record was retired, or when the field was written that says so.
fn left_at(kind: Kind, rules: &dyn Rules, found: &QueryResult) -> Result<(Uuid, Option<i64>), StoreError> {
    let (record, _) = row::read(kind, found)?;
    let unreadable = || StoreError::Unreadable { table: kind.info().table, column: "id" };
    let id = record.id().ok_or_else(unreadable)?;
    let Some(header) = record.entity().and_then(|entity| entity.header()) else { return Ok((id, None)) };
    if header.retired_at.is_some() {
        return Ok((id, header.retired_at));
    }
    let Some(column) = rules.left_by(&record) else { return Ok((id, None)) };
    let tag = kind.info().field_by_column(column).map(|info| info.tag);
    let provenance = row::read_provenance(kind, found)?;
    let written = provenance.as_ref().and_then(|provenance| {
        let groups = &provenance.records.first()?.groups;
        let group = groups.iter().find(|group| tag.is_some_and(|tag| group.fields.contains(&tag)))?;
        Some(provenance.origins.get(usize::try_from(group.origin).ok()?)?.at)
    });
    // Where that was not kept, the last write of all is not too early.
    Ok((id, Some(written.unwrap_or(header.updated_at))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_time_counts() {
        assert_eq!(kept_days(Kind::Worker), Some(730));
        assert_eq!(kept_days(Kind::Role), None);
    }
}
