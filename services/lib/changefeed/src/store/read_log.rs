//! Who read what about whom.

use sea_orm::{
    ConnectionTrait,
    sea_query::{Expr, ExprTrait, Order, Query},
};
use spil_proto::changefeed::v1::{LoggedRead, Read};
use uuid::{ContextV7, Timestamp, Uuid};

use super::{Store, StoreError, row, statement};

pub(super) const TABLE: &str = "read_log";
const COLUMNS: [&str; 9] = ["id", "at", "person_id", "reader", "issuer", "purpose", "fields", "operation", "entry"];

impl Store {
    /// Keeps some reads, all of them or none.
    pub(crate) async fn log_reads(&self, at: i64, reads: &[(Uuid, Read)]) -> Result<(), StoreError> {
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
            for (person, read) in piece {
                insert.values_panic([
                    // Begins with the time, so that the newest has the greatest.
                    Uuid::new_v7(Timestamp::from_unix(&context, seconds, nanos)).into(),
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
                }),
            })
        };
        rows.iter().map(read).collect()
    }
}
