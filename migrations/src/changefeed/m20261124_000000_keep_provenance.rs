//! Keeps which write set each field of a record, which fields a change changed, and which run a revision belongs to.

use sea_orm_migration::prelude::*;

/// Adds the columns. On a new database the tables of records are made with theirs.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration {
    /// The tables of records that were there without it.
    pub(crate) records: &'static [&'static str],
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        add(manager, "revision", ColumnDef::new("run").text().to_owned()).await?;
        add(manager, "change", ColumnDef::new("fields").blob().to_owned()).await?;
        for table in self.records {
            add(manager, table, ColumnDef::new("provenance").blob().to_owned()).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns = [("revision", "run"), ("change", "fields")];
        for (table, column) in columns.into_iter().chain(self.records.iter().map(|table| (*table, "provenance"))) {
            manager.alter_table(Table::alter().table(table).drop_column(column).to_owned()).await?;
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
