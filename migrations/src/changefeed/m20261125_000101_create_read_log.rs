//! Makes the table of who read what about whom.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // `fields` are names of kinds and fields, `Worker.email`, separated by spaces.
        manager
            .create_table(
                Table::create()
                    .table("read_log")
                    .col(ColumnDef::new("id").uuid().not_null().primary_key())
                    .col(ColumnDef::new("at").timestamp_with_time_zone().not_null())
                    .col(ColumnDef::new("person_id").uuid().not_null())
                    .col(ColumnDef::new("reader").text().not_null())
                    .col(ColumnDef::new("issuer").text().not_null())
                    .col(ColumnDef::new("purpose").text().not_null())
                    .col(ColumnDef::new("fields").text().not_null())
                    .col(ColumnDef::new("operation").text().not_null())
                    .col(ColumnDef::new("entry").text().not_null())
                    .to_owned(),
            )
            .await?;
        let by_person = Index::create().name("read_log_person").table("read_log").col("person_id").col("id").to_owned();
        manager.create_index(by_person).await?;
        manager.create_index(Index::create().name("read_log_at").table("read_log").col("at").to_owned()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("read_log").to_owned()).await
    }
}
