//! Makes the table of learning activities.

use sea_orm_migration::prelude::*;

use crate::record_table::RecordTable;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        RecordTable::new("learning_activity")
            .enumeration("mode")
            .integer("minutes")
            .double("hours_per_level")
            .list("process_ids")
            .list("application_ids")
            .reference("initiative_id")
            .create(manager)
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        RecordTable::new("learning_activity").drop(manager).await
    }
}
