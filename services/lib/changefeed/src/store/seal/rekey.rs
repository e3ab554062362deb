//! Changes the personal key: what is sealed with it, the key of marks and the keys of people, is sealed with another one. What tells who
//! people are is sealed with the keys of people, which stay, so that neither records nor the log are touched.
//!
//! It is one transaction: whatever ends it in the middle, the database opens with the old key and with nothing else, and it is begun anew.
//! Once it is done the same call finds that and does nothing.

use sea_orm::{
    ConnectionTrait, DatabaseTransaction,
    sea_query::{Expr, ExprTrait, OnConflict, Order, Query},
};
use uuid::Uuid;

use super::{PERSON_KEY, PERSONAL_KEY, Store, StoreError, marks_key, people_key};
use crate::{
    seal::PersonalKey,
    store::statement::{self, Hold},
};

/// How many keys of people are held in memory at once.
const PAGE: u64 = 1000;

/// What came of a change of the personal key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rekeyed {
    /// The keys of so many people are sealed with the new key now.
    Done(u64),
    /// The database was sealed with the new key before.
    Before,
    /// The database was never given a personal key.
    Nothing,
}

impl Store {
    /// Seals with another personal key what was sealed with the present one. Nobody else may use the database meanwhile: an owner that runs
    /// on keeps the old key, with which it reads nobody and writes nobody new from then on.
    ///
    /// # Errors
    /// If the database was sealed with neither key, can not be reached, or refuses. Nothing is changed then.
    pub async fn rekey(&self, old: &PersonalKey, new: &PersonalKey) -> Result<Rekeyed, StoreError> {
        let transaction = self.begin(false).await?;
        match self.rekey_in(&transaction, old, new).await {
            Ok(rekeyed @ Rekeyed::Done(_)) => {
                transaction.commit().await?;
                // The keys as they were sealed before may still stand in pages that were freed.
                self.overwrite_freed_pages().await;
                Ok(rekeyed)
            }
            Ok(rekeyed) => {
                transaction.rollback().await?;
                Ok(rekeyed)
            }
            Err(error) => {
                // The error that came first says more than what the rollback may meet.
                transaction.rollback().await.ok();
                Err(error)
            }
        }
    }

    async fn rekey_in(
        &self,
        transaction: &DatabaseTransaction,
        old: &PersonalKey,
        new: &PersonalKey,
    ) -> Result<Rekeyed, StoreError> {
        let Some(wrapped) = self.wrapped_marks_held(transaction, Hold::Exclusive).await? else {
            return Ok(Rekeyed::Nothing);
        };
        let (old_marks, new_marks) = (marks_key(old), marks_key(new));
        let place = PERSONAL_KEY.as_bytes();
        if new_marks.unwrap_key(place, &wrapped).is_some() {
            return Ok(Rekeyed::Before);
        }
        let marks = old_marks.unwrap_key(place, &wrapped).ok_or(StoreError::PersonalKey)?;
        let (old_people, new_people) = (people_key(old), people_key(new));
        let (mut count, mut after) = (0, None);
        loop {
            let page = self.page_of_keys(transaction, after).await?;
            let Some((last, _)) = page.last() else { break };
            after = Some(*last);
            count += page.len() as u64;
            let mut rewrapped = Vec::with_capacity(page.len());
            for (id, wrapped) in &page {
                let key = old_people
                    .unwrap_key(id.as_bytes(), wrapped)
                    .ok_or(StoreError::Unreadable { table: PERSON_KEY, column: "wrapped" })?;
                rewrapped.push((*id, key.wrapped(&new_people, id.as_bytes()).ok_or(StoreError::PersonalKey)?));
            }
            for piece in statement::row_pieces(&rewrapped) {
                let mut statement = Query::insert();
                statement.into_table(PERSON_KEY).columns(["person_id", "wrapped"]);
                for (id, wrapped) in piece {
                    statement.values_panic([(*id).into(), wrapped.clone().into()]);
                }
                statement.on_conflict(OnConflict::column("person_id").update_column("wrapped").to_owned());
                transaction.execute(&statement).await?;
            }
        }
        let wrapped = marks.wrapped(&new_marks, place).ok_or(StoreError::PersonalKey)?;
        let update = Query::update().table(PERSONAL_KEY).value("wrapped", wrapped).to_owned();
        transaction.execute(&update).await?;
        Ok(Rekeyed::Done(count))
    }

    /// The keys of some people who were not erased, in order, held until the transaction ends.
    async fn page_of_keys(
        &self,
        transaction: &DatabaseTransaction,
        after: Option<Uuid>,
    ) -> Result<Vec<(Uuid, Vec<u8>)>, StoreError> {
        let mut statement = Query::select();
        statement
            .columns(["person_id", "wrapped"])
            .from(PERSON_KEY)
            .and_where(Expr::col("wrapped").is_not_null())
            .and_where_option(after.map(|after| Expr::col("person_id").gt(after)))
            .order_by("person_id", Order::Asc)
            .limit(PAGE);
        Hold::Exclusive.apply(&mut statement, self.inner.dialect);
        let rows = transaction.query_all(&statement).await?;
        rows.iter().map(|row| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?))).collect()
    }

    /// The key of marks as it stands in the database, held until the transaction ends.
    pub(super) async fn wrapped_marks_held(
        &self,
        transaction: &DatabaseTransaction,
        hold: Hold,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let mut statement = Query::select().column("wrapped").from(PERSONAL_KEY).to_owned();
        hold.apply(&mut statement, self.inner.dialect);
        let row = transaction.query_one(&statement).await?;
        Ok(row.map(|row| row.try_get_by_index(0)).transpose()?)
    }
}
