//! Makes the table of stakeholders.

use sea_orm_migration::prelude::*;

use crate::record_table::RecordTable;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        RecordTable::new("stakeholder")
            .reference("initiative_id")
            .reference("worker_id")
            .reference("org_unit_id")
            .enumeration("function")
            .enumeration("raci")
            .double("fte")
            .date("from")
            .date("to")
            .create(manager)
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        RecordTable::new("stakeholder").drop(manager).await
    }
}
