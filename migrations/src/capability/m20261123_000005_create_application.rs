//! Makes the table of applications.

use sea_orm_migration::prelude::*;

use crate::record_table::RecordTable;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        RecordTable::new("application")
            .enumeration("lifecycle")
            .date("plan_from")
            .date("phase_in_from")
            .date("active_from")
            .date("phase_out_from")
            .date("end_of_life_from")
            .text("vendor")
            .boolean("is_ai_system")
            .enumeration("ai_risk_class")
            .list("capability_ids")
            .reference("owner_org_unit_id")
            .create(manager)
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        RecordTable::new("application").drop(manager).await
    }
}
