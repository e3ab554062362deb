//! What is tried.

pub(crate) mod audit;
pub(crate) mod batch;
pub(crate) mod calls;
pub(crate) mod chain;
pub(crate) mod effect;
pub(crate) mod erase;
pub(crate) mod feed;
pub(crate) mod kinds;
pub(crate) mod one_way;
pub(crate) mod overlap;
pub(crate) mod policy;
pub(crate) mod provenance;
pub(crate) mod race;
pub(crate) mod redact;
pub(crate) mod rekey;
pub(crate) mod restart;
pub(crate) mod restore;
pub(crate) mod say;
pub(crate) mod seal;
pub(crate) mod structure;
pub(crate) mod tables;
pub(crate) mod unique;
