//! Makes room for values that are sealed, and for the keys they are sealed with.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration {
    /// The tables of records that there are by now.
    pub(crate) records: &'static [&'static str],
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // One row, made when the database is first opened with a personal key: the key for marks, sealed with that; and up to which
        // revision the log was looked through for values from before they were sealed.
        manager
            .create_table(
                Table::create()
                    .table("personal_key")
                    .col(ColumnDef::new("id").integer().not_null().primary_key().check(Expr::col("id").eq(1)))
                    .col(ColumnDef::new("wrapped").blob().not_null())
                    .col(ColumnDef::new("sealed_through").big_integer().not_null())
                    .to_owned(),
            )
            .await?;
        // The key of a person; of one who was erased the time alone.
        manager
            .create_table(
                Table::create()
                    .table("person_key")
                    .col(ColumnDef::new("person_id").uuid().not_null().primary_key())
                    .col(ColumnDef::new("wrapped").blob())
                    .col(ColumnDef::new("erased_at").timestamp_with_time_zone())
                    .to_owned(),
            )
            .await?;
        // Marks of the names of people who were erased.
        manager
            .create_table(
                Table::create()
                    .table("erased_name")
                    .col(ColumnDef::new("mark").blob().not_null().primary_key())
                    .col(ColumnDef::new("erased_at").timestamp_with_time_zone().not_null())
                    .to_owned(),
            )
            .await?;
        for table in self.records.iter().copied().chain(["change", "idempotency"]) {
            add(manager, table, ColumnDef::new("sealed").blob().to_owned()).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["erased_name", "person_key", "personal_key"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        for table in self.records.iter().copied().chain(["change", "idempotency"]) {
            manager.alter_table(Table::alter().table(table).drop_column("sealed").to_owned()).await?;
        }
        Ok(())
    }
}

async fn add(manager: &SchemaManager<'_>, table: &'static str, column: ColumnDef) -> Result<(), DbErr> {
    if manager.has_column(table, column.get_column_name()).await? {
        return Ok(());
    }
    manager.alter_table(Table::alter().table(table).add_column(column).to_owned()).await
}
