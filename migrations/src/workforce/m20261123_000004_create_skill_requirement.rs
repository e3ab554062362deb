//! Makes the table of skill requirements.

use sea_orm_migration::prelude::*;

use crate::record_table::RecordTable;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        RecordTable::new("skill_requirement")
            .reference("role_id")
            .reference("skill_id")
            .integer("level")
            .double("importance")
            .boolean("essential")
            .index("role_id")
            .create(manager)
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        RecordTable::new("skill_requirement").drop(manager).await
    }
}
