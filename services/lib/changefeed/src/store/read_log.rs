//! Who read what about whom, for as long as what is read is kept.

use sea_orm::{
    ConnectionTrait,
    sea_query::{Expr, ExprTrait, OnConflict, Order, Query},
};
use spil_proto::{
    changefeed::v1::{LoggedRead, Read},
    model::Kind,
};
use uuid::{ContextV7, Timestamp, Uuid};

use super::{Store, StoreError, row, statement};

pub(super) const TABLE: &str = "read_log";
const COLUMNS: [&str; 9] = ["id", "at", "person_id", "reader", "issuer", "purpose", "fields", "operation", "entry"];

/// How many entries are deleted at once.
const TRIM: u64 = 500;
const MICROS_OF_DAY: i64 = 86_400_000_000;

/// A read that is to be kept.
pub(crate) struct NewRead {
    /// The entry that it makes longer, if it is there; none for a new one with an id of our own.
    pub(crate) id: Option<Uuid>,
    pub(crate) person: Uuid,
    pub(crate) read: Read,
}

impl Store {
    /// Keeps some reads, all of them or none. No two have the same id.
    pub(crate) async fn log_reads(&self, at: i64, reads: &[NewRead]) -> Result<(), StoreError> {
        if reads.is_empty() {
            return Ok(());
        }
        let context = ContextV7::new();
        let seconds = u64::try_from(at.div_euclid(1_000_000)).unwrap_or_default();
        let nanos = u32::try_from(at.rem_euclid(1_000_000) * 1_000).unwrap_or_default();
        let transaction = self.begin(false).await?;
        for piece in statement::row_pieces(reads) {
            let mut insert = Query::insert();
            insert.into_table(TABLE).columns(COLUMNS);
            for NewRead { id, person, read } in piece {
                // Begins with the time, so that the newest has the greatest.
                let id = id.unwrap_or_else(|| Uuid::new_v7(Timestamp::from_unix(&context, seconds, nanos)));
                insert.values_panic([
                    id.into(),
                    row::time(at, self.inner.dialect).into(),
                    (*person).into(),
                    read.reader.as_str().into(),
                    read.issuer.as_str().into(),
                    read.purpose.as_str().into(),
                    read.fields.join(" ").into(),
                    read.operation.as_str().into(),
                    read.entry.as_str().into(),
                ]);
            }
            insert.on_conflict(OnConflict::column("id").update_column("fields").to_owned());
            transaction.execute(&insert).await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// Some reads about a person, the newest first.
    pub(crate) async fn reads_of(
        &self,
        person: Uuid,
        after: Option<Uuid>,
        limit: u64,
    ) -> Result<Vec<LoggedRead>, StoreError> {
        let mut select = Query::select();
        select
            .columns(COLUMNS)
            .from(TABLE)
            .and_where(Expr::col("person_id").eq(person))
            .order_by("id", Order::Desc)
            .limit(limit);
        if let Some(after) = after {
            select.and_where(Expr::col("id").lt(after));
        }
        let rows = self.inner.reader.query_all(&select).await?;
        let read = |row: &sea_orm::QueryResult| {
            let at: chrono::DateTime<chrono::Utc> = row.try_get_by_index(1)?;
            let fields: String = row.try_get_by_index(6)?;
            Ok(LoggedRead {
                id: row.try_get_by_index::<Uuid>(0)?.as_bytes().to_vec(),
                at: at.timestamp_micros(),
                read: Some(Read {
                    person_id: row.try_get_by_index::<Uuid>(2)?.as_bytes().to_vec(),
                    reader: row.try_get_by_index(3)?,
                    issuer: row.try_get_by_index(4)?,
                    purpose: row.try_get_by_index(5)?,
                    fields: fields.split(' ').map(str::to_owned).collect(),
                    operation: row.try_get_by_index(7)?,
                    entry: row.try_get_by_index(8)?,
                    id: Vec::new(),
                }),
            })
        };
        rows.iter().map(read).collect()
    }

    /// Deletes entries that are older than anything personal is kept after somebody has left, in bounded pieces. Answers with how many there
    /// were.
    ///
    /// # Errors
    /// If the database can not be reached or refuses.
    pub async fn trim_read_log(&self, now: i64) -> Result<u64, StoreError> {
        let before = now.saturating_sub(i64::from(kept_days()).saturating_mul(MICROS_OF_DAY));
        let mut deleted = 0;
        loop {
            let old = Query::select()
                .column("id")
                .from(TABLE)
                .and_where(Expr::col("at").lt(Expr::value(row::time(before, self.inner.dialect))))
                .limit(TRIM)
                .to_owned();
            let statement = Query::delete().from_table(TABLE).and_where(Expr::col("id").in_subquery(old)).to_owned();
            let transaction = self.begin(false).await?;
            let rows = transaction.execute(&statement).await?.rows_affected();
            transaction.commit().await?;
            deleted += rows;
            if rows < TRIM {
                return Ok(deleted);
            }
        }
    }
}

/// How many days an entry is kept: as long as the register keeps anything personal.
fn kept_days() -> u32 {
    let personal = |kind: &Kind| {
        let info = kind.info();
        info.fields().filter_map(|field| info.personal(field.index)).map(|personal| personal.retention_days).max()
    };
    Kind::ALL.iter().filter_map(personal).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_kept_as_long_as_anything_personal() {
        assert_eq!(kept_days(), 730);
    }
}
