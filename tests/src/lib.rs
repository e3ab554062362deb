//! Starts the real binary, on SQLite or PostgreSQL, and talks to it as its users do.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "this is test code; a test fails by panicking"
)]

pub mod attack;
mod binary;
mod client;
pub mod issuer;
mod postgres;

pub use binary::{Spil, SpilBuilder, run, spil};
pub use client::{Client, digests_agree};
pub use postgres::{Database, postgres_url};
