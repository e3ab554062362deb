//! Makes the table of skills.

use sea_orm_migration::prelude::*;

use crate::record_table::RecordTable;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        RecordTable::new("skill")
            .text("uri")
            .enumeration("scheme")
            .enumeration("kind")
            .boolean("is_ai_literacy")
            .list("broader_ids")
            .create(manager)
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        RecordTable::new("skill").drop(manager).await
    }
}
