//! Turns the data of outside systems into commands.

pub mod source;
