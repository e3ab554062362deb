//! Tests of the whole system, in one binary so that it is linked once.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "this is test code; a test fails by panicking"
)]

mod apply_changes;
mod arrows;
mod audit;
mod erase;
mod erasure;
mod faults;
mod http;
mod import;
mod model;
mod mutation;
mod operate;
mod own_data;
mod policy;
mod production;
mod provenance;
mod purpose;
mod queries;
mod read_log;
mod readme;
mod rekey;
mod rules;
mod search;
mod secrets;
mod sse;
mod subject;
mod tokens;
mod writer;
mod ws;
