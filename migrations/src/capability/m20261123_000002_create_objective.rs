//! Makes the table of objectives.

use sea_orm_migration::prelude::*;

use crate::record_table::RecordTable;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        RecordTable::new("objective")
            .date("horizon")
            .enumeration("status")
            .double("weight")
            .reference("parent_id")
            .list("co_owner_functions")
            .reference("owner_id")
            .create(manager)
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        RecordTable::new("objective").drop(manager).await
    }
}
