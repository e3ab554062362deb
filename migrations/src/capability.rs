//! The tables of the capability owner, oldest first.

use sea_orm_migration::prelude::*;

use crate::changefeed::{
    m20261123_000001_create_change_log, m20261124_000000_keep_provenance, m20261124_000100_create_one_way_token,
    m20261125_000100_chain_revisions, m20261125_000101_create_read_log, m20261125_000200_seal_personal_data,
    m20261125_000400_attach_deeds,
};

mod m20261123_000002_create_objective;
mod m20261123_000003_create_capability;
mod m20261123_000004_create_process;
mod m20261123_000005_create_application;

/// The tables of records that were made without provenance.
const RECORDS: &[&str] = &["objective", "capability", "process", "application"];

/// The tables of records that were made without room for what is sealed.
const UNSEALED: &[&str] = &["objective", "capability", "process", "application"];

/// Migrates a database of the capability owner.
pub(crate) struct CapabilityMigrator;

#[async_trait::async_trait]
impl MigratorTrait for CapabilityMigrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261123_000001_create_change_log::Migration),
            Box::new(m20261123_000002_create_objective::Migration),
            Box::new(m20261123_000003_create_capability::Migration),
            Box::new(m20261123_000004_create_process::Migration),
            Box::new(m20261123_000005_create_application::Migration),
            Box::new(m20261124_000000_keep_provenance::Migration { records: RECORDS }),
            Box::new(m20261124_000100_create_one_way_token::Migration),
            Box::new(m20261125_000100_chain_revisions::Migration),
            Box::new(m20261125_000101_create_read_log::Migration),
            Box::new(m20261125_000200_seal_personal_data::Migration { records: UNSEALED }),
            Box::new(m20261125_000400_attach_deeds::Migration),
        ]
    }
}
