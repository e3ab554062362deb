//! Makes the table of initiatives.

use sea_orm_migration::prelude::*;

use crate::record_table::RecordTable;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        RecordTable::new("initiative")
            .enumeration("type")
            .boolean("uses_ai")
            .enumeration("stage")
            .date("start")
            .date("end")
            .decimal("budget")
            .text("currency")
            .integer("planned_stage_days")
            .reference("parent_id")
            .list("application_ids")
            .list("objective_ids")
            .list("depends_on_ids")
            .reference("sponsor_id")
            .reference("lead_org_unit_id")
            .create(manager)
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        RecordTable::new("initiative").drop(manager).await
    }
}
