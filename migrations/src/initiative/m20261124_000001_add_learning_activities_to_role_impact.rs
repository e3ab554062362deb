//! Adds the learning activities to role impacts.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let column = ColumnDef::new("learning_activity_ids").text().to_owned();
        manager.alter_table(Table::alter().table("role_impact").add_column(column).to_owned()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.alter_table(Table::alter().table("role_impact").drop_column("learning_activity_ids").to_owned()).await
    }
}
