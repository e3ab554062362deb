//! Makes the table of pulse responses.

use sea_orm_migration::prelude::*;

use crate::record_table::RecordTable;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        RecordTable::new("pulse_response")
            .reference("wave_id")
            .enumeration("function")
            .boolean("is_leader")
            .integer("score")
            .date("responded_at")
            .create(manager)
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        RecordTable::new("pulse_response").drop(manager).await
    }
}
