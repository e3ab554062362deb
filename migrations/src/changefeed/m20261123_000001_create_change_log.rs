//! Makes the change log, the table of external ids and that of answered batches.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // One row. Its lock puts the revisions into the order in which they are committed. `mark` is that of the last
        // revision, 0 before the first: a random number that tells it from one of the same number in another history.
        manager
            .create_table(
                Table::create()
                    .table("change_head")
                    .col(ColumnDef::new("id").integer().not_null().primary_key().check(Expr::col("id").eq(1)))
                    .col(ColumnDef::new("store_id").uuid().not_null())
                    .col(ColumnDef::new("epoch").big_integer().not_null())
                    .col(ColumnDef::new("revision").big_integer().not_null())
                    .col(ColumnDef::new("mark").big_integer().not_null())
                    .col(ColumnDef::new("trimmed_through").big_integer().not_null())
                    .to_owned(),
            )
            .await?;
        let store_id = match manager.get_database_backend() {
            DbBackend::Sqlite => "randomblob(16)",
            _ => "gen_random_uuid()",
        };
        manager
            .execute(
                Query::insert()
                    .into_table("change_head")
                    .columns(["id", "store_id", "epoch", "revision", "mark", "trimmed_through"])
                    .values([1.into(), Expr::cust(store_id), 1.into(), 0.into(), 0.into(), 0.into()])
                    .map_err(|error| DbErr::Migration(error.to_string()))?
                    .to_owned(),
            )
            .await?;
        // `changes` and `bytes` say how much belongs to the revision: readers page by them and notice what was trimmed.
        manager
            .create_table(
                Table::create()
                    .table("revision")
                    .col(ColumnDef::new("revision").big_integer().not_null().primary_key())
                    .col(ColumnDef::new("mark").big_integer().not_null())
                    .col(ColumnDef::new("at").timestamp_with_time_zone().not_null())
                    .col(ColumnDef::new("actor").text().not_null())
                    .col(ColumnDef::new("source").text().not_null())
                    .col(ColumnDef::new("changes").integer().not_null())
                    .col(ColumnDef::new("bytes").big_integer().not_null())
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("change")
                    .col(ColumnDef::new("revision").big_integer().not_null())
                    .col(ColumnDef::new("ordinal").integer().not_null())
                    .col(ColumnDef::new("kind").integer().not_null())
                    .col(ColumnDef::new("record_id").uuid().not_null())
                    .col(ColumnDef::new("record").blob().not_null())
                    .primary_key(Index::create().col("revision").col("ordinal"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("external_id")
                    .col(ColumnDef::new("kind").integer().not_null())
                    .col(ColumnDef::new("system").text().not_null())
                    .col(ColumnDef::new("external_id").text().not_null())
                    .col(ColumnDef::new("record_id").uuid().not_null())
                    .primary_key(Index::create().col("kind").col("system").col("external_id"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("idempotency")
                    .col(ColumnDef::new("actor").text().not_null())
                    .col(ColumnDef::new("key").text().not_null())
                    .col(ColumnDef::new("body_hash").blob().not_null())
                    .col(ColumnDef::new("response").blob().not_null())
                    .col(ColumnDef::new("created_at").timestamp_with_time_zone().not_null())
                    .primary_key(Index::create().col("actor").col("key"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create().name("idempotency_created_at").table("idempotency").col("created_at").to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["idempotency", "external_id", "change", "revision", "change_head"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}
