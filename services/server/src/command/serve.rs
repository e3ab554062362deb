//! `spil serve`

use std::{io, process::ExitCode};

use tokio::signal;

use super::Outcome;
use crate::{config::Config, process::Process};

pub(super) async fn run(config: &Config) -> Outcome {
    let process = Process::start(config).await?;
    if let Some(address) = process.http {
        tracing::info!("GraphQL is answered at http://{address}/graphql");
    }
    if let Some(address) = process.grpc {
        tracing::info!("the owners are at http://{address}");
    }
    asked_to_stop().await?;
    tracing::info!("stopping");
    process.stop().await;
    Ok(ExitCode::SUCCESS)
}

/// Waits for Ctrl-C or for the signal with which supervisors ask a process to stop.
pub(super) async fn asked_to_stop() -> io::Result<()> {
    #[cfg(unix)]
    {
        let mut terminate = signal::unix::signal(signal::unix::SignalKind::terminate())?;
        tokio::select! {
            result = signal::ctrl_c() => result,
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    signal::ctrl_c().await
}
