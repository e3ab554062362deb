//! Makes the table of process impacts.

use sea_orm_migration::prelude::*;

use crate::record_table::RecordTable;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        RecordTable::new("process_impact")
            .reference("initiative_id")
            .reference("process_id")
            .enumeration("kind")
            .integer("severity")
            .text("plan")
            .date("due")
            .index("initiative_id")
            .create(manager)
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        RecordTable::new("process_impact").drop(manager).await
    }
}
