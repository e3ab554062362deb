//! Makes the table of capabilities.

use sea_orm_migration::prelude::*;

use crate::record_table::RecordTable;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        RecordTable::new("capability")
            .enumeration("kind")
            .integer("importance")
            .integer("maturity_current")
            .integer("maturity_target")
            .reference("parent_id")
            .reference("owner_id")
            .list("objective_ids")
            .list("required_skill_ids")
            .create(manager)
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        RecordTable::new("capability").drop(manager).await
    }
}
