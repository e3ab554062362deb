//! The tables of the workforce owner, oldest first.

use sea_orm_migration::prelude::*;

use crate::changefeed::{
    m20261123_000001_create_change_log, m20261124_000000_keep_provenance, m20261124_000100_create_one_way_token,
    m20261125_000100_chain_revisions, m20261125_000101_create_read_log, m20261125_000200_seal_personal_data,
    m20261125_000400_attach_deeds,
};

mod m20261123_000002_create_org_unit;
mod m20261123_000003_create_role;
mod m20261123_000004_create_skill_requirement;
mod m20261123_000005_create_position;
mod m20261123_000006_create_worker;
mod m20261123_000007_create_assignment;
mod m20261123_000008_create_skill;
mod m20261123_000009_create_skill_relation;
mod m20261123_000010_create_skill_assertion;
mod m20261124_000001_create_learning_activity;
mod m20261124_000002_create_learning_outcome;
mod m20261124_000003_create_learning_event;
mod m20261125_000301_add_contestation_to_worker;

/// The tables of records that were made without provenance.
const RECORDS: &[&str] = &[
    "org_unit",
    "role",
    "skill_requirement",
    "position",
    "worker",
    "assignment",
    "skill",
    "skill_relation",
    "skill_assertion",
];

/// The tables of records that were made without room for what is sealed.
const UNSEALED: &[&str] = &[
    "org_unit",
    "role",
    "skill_requirement",
    "position",
    "worker",
    "assignment",
    "skill",
    "skill_relation",
    "skill_assertion",
    "learning_activity",
    "learning_outcome",
    "learning_event",
];

/// Migrates a database of the workforce owner.
pub(crate) struct WorkforceMigrator;

#[async_trait::async_trait]
impl MigratorTrait for WorkforceMigrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261123_000001_create_change_log::Migration),
            Box::new(m20261123_000002_create_org_unit::Migration),
            Box::new(m20261123_000003_create_role::Migration),
            Box::new(m20261123_000004_create_skill_requirement::Migration),
            Box::new(m20261123_000005_create_position::Migration),
            Box::new(m20261123_000006_create_worker::Migration),
            Box::new(m20261123_000007_create_assignment::Migration),
            Box::new(m20261123_000008_create_skill::Migration),
            Box::new(m20261123_000009_create_skill_relation::Migration),
            Box::new(m20261123_000010_create_skill_assertion::Migration),
            Box::new(m20261124_000000_keep_provenance::Migration { records: RECORDS }),
            Box::new(m20261124_000001_create_learning_activity::Migration),
            Box::new(m20261124_000002_create_learning_outcome::Migration),
            Box::new(m20261124_000003_create_learning_event::Migration),
            Box::new(m20261124_000100_create_one_way_token::Migration),
            Box::new(m20261125_000100_chain_revisions::Migration),
            Box::new(m20261125_000101_create_read_log::Migration),
            Box::new(m20261125_000200_seal_personal_data::Migration { records: UNSEALED }),
            Box::new(m20261125_000301_add_contestation_to_worker::Migration),
            Box::new(m20261125_000400_attach_deeds::Migration),
        ]
    }
}
