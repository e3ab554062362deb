//! Where data come from.

pub mod decode;
pub mod file;
