//! Makes the tables for values that are written and never read: the salts, and the tokens made with them.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // `scope_id` is the record that the salt belongs to.
        manager
            .create_table(
                Table::create()
                    .table("one_way_salt")
                    .col(ColumnDef::new("scope_id").uuid().not_null().primary_key())
                    .col(ColumnDef::new("salt").blob().not_null())
                    .to_owned(),
            )
            .await?;
        // Nothing here says whose record a token is of.
        manager
            .create_table(
                Table::create()
                    .table("one_way_token")
                    .col(ColumnDef::new("scope_id").uuid().not_null())
                    .col(ColumnDef::new("token").blob().not_null())
                    .primary_key(Index::create().col("scope_id").col("token"))
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["one_way_token", "one_way_salt"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}
