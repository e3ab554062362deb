//! The binary `spil`.

use std::process::ExitCode;

use clap::Parser;
use mimalloc::MiMalloc;
use spil_server::command::{Cli, run};

/// The graph is many small pieces that threads share; this allocator is the quickest at that.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    run(Cli::parse()).await
}
