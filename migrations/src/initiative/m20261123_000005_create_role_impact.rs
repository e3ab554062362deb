//! Makes the table of role impacts.

use sea_orm_migration::prelude::*;

use crate::record_table::RecordTable;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        RecordTable::new("role_impact")
            .reference("initiative_id")
            .reference("role_id")
            .enumeration("kind")
            .integer("severity")
            .double("share")
            .integer("headcount")
            .text("plan")
            .reference("owner_id")
            .date("due")
            .create(manager)
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        RecordTable::new("role_impact").drop(manager).await
    }
}
