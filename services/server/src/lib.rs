//! Runs any set of the roles of Spil in one process.

pub mod command;
pub mod config;
pub mod demo;
mod in_process;
pub mod process;
mod retention;
pub mod secret;
