//! Makes the table of gate decisions.

use sea_orm_migration::prelude::*;

use crate::record_table::RecordTable;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        RecordTable::new("gate_decision")
            .reference("initiative_id")
            .text("gate")
            .date("planned_at")
            .date("decided_at")
            .enumeration("decision")
            .enumeration("to_stage")
            .text("criteria")
            .text("kill_criteria")
            .text("evidence")
            .reference("decided_by_id")
            .create(manager)
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        RecordTable::new("gate_decision").drop(manager).await
    }
}
