//! The tables that every owner has, whatever it owns.

pub(crate) mod m20261123_000001_create_change_log;
