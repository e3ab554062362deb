//! The tables that every owner has, whatever it owns.

pub(crate) mod m20261123_000001_create_change_log;
pub(crate) mod m20261124_000000_keep_provenance;
pub(crate) mod m20261124_000100_create_one_way_token;
pub(crate) mod m20261125_000100_chain_revisions;
pub(crate) mod m20261125_000101_create_read_log;
pub(crate) mod m20261125_000200_seal_personal_data;
pub(crate) mod m20261125_000400_attach_deeds;
