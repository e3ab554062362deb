//! `spil healthcheck`: a probe for images that have no shell and no curl.

use std::{net::SocketAddr, process::ExitCode, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{Outcome, complain, say};
use crate::config::{Config, Role};

/// How long the gateway may take to answer.
const LIMIT: Duration = Duration::from_secs(3);
/// The most bytes of the answer that are read.
const MAX_ANSWER: u64 = 64 << 10;

pub(super) async fn run(config: &Config) -> Outcome {
    if !config.roles.contains(&Role::Gateway) {
        return owners(reachable(config.grpc_listen)).await;
    }
    match tokio::time::timeout(LIMIT, ask(reachable(config.listen))).await {
        Ok(Ok(answer)) if answer.starts_with("HTTP/1.1 200 ") => {
            say("ready\n")?;
            Ok(ExitCode::SUCCESS)
        }
        Ok(Ok(_)) => {
            complain("spil: not ready yet");
            Ok(ExitCode::FAILURE)
        }
        Ok(Err(error)) => {
            complain(&format!("spil: nothing answers at {}: {error}", config.listen));
            Ok(ExitCode::FAILURE)
        }
        Err(_) => {
            complain("spil: no answer in time");
            Ok(ExitCode::FAILURE)
        }
    }
}

/// Owners say nothing without a token; that they take connections has to do.
async fn owners(address: SocketAddr) -> Outcome {
    match tokio::time::timeout(LIMIT, TcpStream::connect(address)).await {
        Ok(Ok(_)) => {
            say("ready\n")?;
            Ok(ExitCode::SUCCESS)
        }
        _ => {
            complain(&format!("spil: nothing answers at {address}"));
            Ok(ExitCode::FAILURE)
        }
    }
}

/// Where to reach a socket that listens on all addresses.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        let local =
            if address.is_ipv4() { std::net::Ipv4Addr::LOCALHOST.into() } else { std::net::Ipv6Addr::LOCALHOST.into() };
        address.set_ip(local);
    }
    address
}

async fn ask(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream
        .write_all(format!("GET /readyz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").as_bytes())
        .await?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
