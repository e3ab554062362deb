//! The tables of the initiative owner, oldest first.

use sea_orm_migration::prelude::*;

use crate::changefeed::{
    m20261123_000001_create_change_log, m20261124_000000_keep_provenance, m20261124_000100_create_one_way_token,
    m20261125_000100_chain_revisions, m20261125_000101_create_read_log, m20261125_000200_seal_personal_data,
    m20261125_000400_attach_deeds,
};

mod m20261123_000002_create_initiative;
mod m20261123_000003_create_capability_change;
mod m20261123_000004_create_stakeholder;
mod m20261123_000005_create_role_impact;
mod m20261123_000006_create_benefit;
mod m20261123_000007_create_benefit_share;
mod m20261123_000008_create_measurement;
mod m20261124_000001_add_learning_activities_to_role_impact;
mod m20261124_000002_create_process_impact;
mod m20261124_000003_create_gate_decision;
mod m20261124_000004_create_spend;
mod m20261124_000005_create_pulse_wave;
mod m20261124_000006_create_pulse_response;

/// The tables of records that were made without provenance.
const RECORDS: &[&str] =
    &["initiative", "capability_change", "stakeholder", "role_impact", "benefit", "benefit_share", "measurement"];

/// The tables of records that were made without room for what is sealed.
const UNSEALED: &[&str] = &[
    "initiative",
    "capability_change",
    "stakeholder",
    "role_impact",
    "benefit",
    "benefit_share",
    "measurement",
    "process_impact",
    "gate_decision",
    "spend",
    "pulse_wave",
    "pulse_response",
];

/// Migrates a database of the initiative owner.
pub(crate) struct InitiativeMigrator;

#[async_trait::async_trait]
impl MigratorTrait for InitiativeMigrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261123_000001_create_change_log::Migration),
            Box::new(m20261123_000002_create_initiative::Migration),
            Box::new(m20261123_000003_create_capability_change::Migration),
            Box::new(m20261123_000004_create_stakeholder::Migration),
            Box::new(m20261123_000005_create_role_impact::Migration),
            Box::new(m20261123_000006_create_benefit::Migration),
            Box::new(m20261123_000007_create_benefit_share::Migration),
            Box::new(m20261123_000008_create_measurement::Migration),
            Box::new(m20261124_000000_keep_provenance::Migration { records: RECORDS }),
            Box::new(m20261124_000001_add_learning_activities_to_role_impact::Migration),
            Box::new(m20261124_000002_create_process_impact::Migration),
            Box::new(m20261124_000003_create_gate_decision::Migration),
            Box::new(m20261124_000004_create_spend::Migration),
            Box::new(m20261124_000005_create_pulse_wave::Migration),
            Box::new(m20261124_000006_create_pulse_response::Migration),
            Box::new(m20261124_000100_create_one_way_token::Migration),
            Box::new(m20261125_000100_chain_revisions::Migration),
            Box::new(m20261125_000101_create_read_log::Migration),
            Box::new(m20261125_000200_seal_personal_data::Migration { records: UNSEALED }),
            Box::new(m20261125_000400_attach_deeds::Migration),
        ]
    }
}
