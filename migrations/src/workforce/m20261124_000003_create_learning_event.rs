//! Makes the table of learning events.

use sea_orm_migration::prelude::*;

use crate::record_table::RecordTable;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        RecordTable::new("learning_event")
            .reference("worker_id")
            .reference("activity_id")
            .integer("minutes")
            .date_time("completed_at")
            .text("statement_id")
            .reference("process_id")
            .reference("application_id")
            .unique("statement_id")
            .create(manager)
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        RecordTable::new("learning_event").drop(manager).await
    }
}
