//! Makes the table of positions.

use sea_orm_migration::prelude::*;

use crate::record_table::RecordTable;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        RecordTable::new("position")
            .double("fte")
            .boolean("is_leadership")
            .integer("tier")
            .reference("role_id")
            .reference("org_unit_id")
            .reference("reports_to_id")
            .create(manager)
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        RecordTable::new("position").drop(manager).await
    }
}
