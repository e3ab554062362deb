//! Makes the table of pulse waves.

use sea_orm_migration::prelude::*;

use crate::record_table::RecordTable;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        RecordTable::new("pulse_wave")
            .text("question")
            .text("wording_version")
            .integer("scale_min")
            .integer("scale_max")
            .integer("top_box")
            .date("from")
            .date("to")
            .integer("invited")
            .create(manager)
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        RecordTable::new("pulse_wave").drop(manager).await
    }
}
