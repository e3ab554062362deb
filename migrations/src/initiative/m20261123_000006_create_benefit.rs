//! Makes the table of benefits.

use sea_orm_migration::prelude::*;

use crate::record_table::RecordTable;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        RecordTable::new("benefit")
            .text("unit")
            .enumeration("direction")
            .double("weight")
            .decimal("value")
            .text("currency")
            .double("baseline_value")
            .date("baseline_at")
            .double("target_value")
            .date("target_at")
            .date("realisation_start")
            .boolean("is_disbenefit")
            .reference("objective_id")
            .reference("owner_id")
            .create(manager)
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        RecordTable::new("benefit").drop(manager).await
    }
}
