//! Makes the table of skill assertions.

use sea_orm_migration::prelude::*;

use crate::record_table::RecordTable;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        RecordTable::new("skill_assertion")
            .reference("worker_id")
            .reference("skill_id")
            .integer("level")
            .enumeration("method")
            .date("assessed_at")
            .date("expires_at")
            .list("evidence_links")
            .text("contestation")
            .create(manager)
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        RecordTable::new("skill_assertion").drop(manager).await
    }
}
