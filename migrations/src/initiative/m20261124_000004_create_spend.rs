//! Makes the table of money spent.

use sea_orm_migration::prelude::*;

use crate::record_table::RecordTable;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        RecordTable::new("spend")
            .reference("initiative_id")
            .date("at")
            .decimal("amount")
            .text("currency")
            .create(manager)
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        RecordTable::new("spend").drop(manager).await
    }
}
