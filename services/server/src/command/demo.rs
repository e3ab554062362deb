//! `spil demo`

use std::{
    io::{self, IsTerminal},
    net::SocketAddr,
    process::ExitCode,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use indicatif::{ProgressBar, ProgressStyle};
use spil_auth::Permission;
use spil_gateway::live::Live;
use spil_proto::{
    changefeed::v1::{Cursor, SnapshotRequest},
    model::{Kind, Owner},
    owner::OwnerClient,
};

use super::{Outcome, complain, say, serve::asked_to_stop};
use crate::{
    config::{Config, Profile},
    demo::{self, Demo, DemoSize},
    process::Process,
};

/// How long the token lasts that is printed.
const TOKEN_LIFETIME: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long the graph may take to show what was written.
const LOADING_LIMIT: Duration = Duration::from_secs(300);
/// Seconds in a day.
const DAY: u64 = 86_400;

/// What the demo organisation is like.
#[derive(Debug, clap::Args)]
pub(crate) struct DemoArgs {
    /// How many people work there: 50 to 200000.
    #[arg(long, default_value_t = 500)]
    workers: usize,
    /// Another number makes another organisation.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Ends when everything is written, instead of serving.
    #[arg(long)]
    seed_only: bool,
}

pub(super) async fn run(config: Config, args: &DemoArgs) -> Outcome {
    if config.profile == Profile::Production {
        return Err(DemoError::InProduction.into());
    }
    let size = DemoSize::new(args.workers)?;
    let mut process = Process::start(&config).await?;
    let result = fill_and_serve(&config, args, size, &mut process).await;
    process.stop().await;
    result?;
    Ok(ExitCode::SUCCESS)
}

async fn fill_and_serve(
    config: &Config,
    args: &DemoArgs,
    size: DemoSize,
    process: &mut Process,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let live = process.live.clone().ok_or(DemoError::NoGateway)?;
    wait_until_loaded(&live).await?;
    refuse_strangers(&live, args, size)?;
    fill(args, size, process).await?;
    if args.seed_only {
        return Ok(());
    }
    let Some(address) = process.http else { return Ok(()) };
    wait_until_shown(&live, process).await?;
    let token = process.signer.sign("demo", &Permission::ALL, TOKEN_LIFETIME)?;
    say(&welcome(address, process.grpc, &token, config))?;
    asked_to_stop().await?;
    complain("stopping");
    Ok(())
}

/// Why there is no demo organisation.
#[derive(Debug, thiserror::Error)]
enum DemoError {
    #[error("`profile` is `production`, where no demo organisation is made")]
    InProduction,
    #[error("the demo organisation needs the role `gateway`")]
    NoGateway,
    #[error(
        "there are records here already that are not of this demo organisation ({workers} workers, seed {seed}); `make clean-demo` forgets those in .spil, or give another folder with --data"
    )]
    Strangers { workers: usize, seed: u64 },
    #[error("the records were not read in time")]
    NotLoaded,
    #[error("the owner {owner} can not be asked")]
    Owner { owner: &'static str, source: Box<tonic::Status> },
}

async fn wait_until_loaded(live: &Live) -> Result<(), DemoError> {
    let loaded = live.wait_for(LOADING_LIMIT, spil_gateway::live::Published::is_complete).await;
    loaded.map(|_| ()).ok_or(DemoError::NotLoaded)
}

/// A demo organisation is not mixed with anything else: not with another one, and above all not with real people.
fn refuse_strangers(live: &Live, args: &DemoArgs, size: DemoSize) -> Result<(), DemoError> {
    let graph = &live.load().graph;
    let is_empty = Kind::ALL.iter().all(|kind| graph.table(*kind).is_empty());
    // One of the first records may have been retired since; hardly all of them.
    let is_ours = Demo::new(args.seed, size, 0).first().any(|(kind, id)| graph.table(kind).row_of(id).is_some());
    if is_empty || is_ours { Ok(()) } else { Err(DemoError::Strangers { workers: size.workers(), seed: args.seed }) }
}

/// Waits until the graph shows what the owners have now.
async fn wait_until_shown(live: &Live, process: &mut Process) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let token = process.signer.sign_service(TOKEN_LIFETIME)?;
    for client in &mut process.clients {
        let owner = client.owner();
        let head = head(client, &token)
            .await
            .map_err(|source| DemoError::Owner { owner: owner.name(), source: Box::new(source) })?;
        live.wait_for(LOADING_LIMIT, |published| published.covers(owner, &head)).await.ok_or(DemoError::NotLoaded)?;
    }
    Ok(())
}

/// Where the log of an owner stands: the first part of a snapshot says it.
async fn head(client: &mut OwnerClient, token: &str) -> Result<Cursor, tonic::Status> {
    let mut stream = client.snapshot(token, SnapshotRequest { kinds: Vec::new() }).await?;
    let first = stream.message().await?;
    Ok(first.and_then(|part| part.cursor).unwrap_or_default())
}

/// Writes the demo organisation, and shows how far it is.
async fn fill(
    args: &DemoArgs,
    size: DemoSize,
    process: &mut Process,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let token = process.signer.sign("demo", &[Permission::Read, Permission::Write], TOKEN_LIFETIME)?;
    let today = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() / DAY;
    let bar = ProgressBar::no_length();
    if let Ok(style) = ProgressStyle::with_template("{msg:>12} {bar:40} {human_pos}/{human_len} records {elapsed}") {
        bar.set_style(style);
    }
    let terminal = io::stderr().is_terminal();
    let mut told = 0;
    let summary = demo::seed(&mut process.clients, &token, args.seed, size, i32::try_from(today)?, |progress| {
        bar.set_message(progress.owner.name());
        bar.set_length(progress.total as u64);
        bar.set_position(progress.done as u64);
        // Without a terminal there is no bar: a line now and then instead.
        let tenth = progress.done * 10 / progress.total.max(1);
        if !terminal && tenth > told {
            told = tenth;
            complain(&format!("demo organisation: {} of {} records", progress.done, progress.total));
        }
    })
    .await;
    bar.finish_and_clear();
    let summary = summary?;
    match summary.applied() {
        0 => complain("The demo organisation is there already."),
        count => complain(&format!("Wrote {count} records.")),
    }
    tracing::debug!(owners = Owner::ALL.len(), present = summary.present(), "demo organisation");
    Ok(())
}

fn welcome(address: SocketAddr, grpc: Option<SocketAddr>, token: &str, config: &Config) -> String {
    let query = r#"{
  initiatives(filter: {usesAi: {eq: true}}, orderBy: [{field: NAME}], first: 3) {
    totalCount
    nodes {
      name
      stage
      capabilities { nodes { name maturityCurrent maturityTarget } }
      roleImpacts { nodes { kind share role { name } } }
    }
  }
}"#;
    let one_line = query.split_whitespace().collect::<Vec<_>>().join(" ");
    let grpc = grpc.map(|address| format!("  gRPC      http://{address} (spil import)\n")).unwrap_or_default();
    format!(
        "\nSpil is running.\n\n  GraphiQL  http://{address}/graphiql#token={token}\n  GraphQL   http://{address}/graphql\n  schema    http://{address}/schema.graphql\n{grpc}  data      {}\n\n\
         Token (7 days; the GraphiQL address above holds it already)\n\n{token}\n\nA query to try, in GraphiQL:\n\n{query}\n\nor in a shell:\n\ncurl -s http://{address}/graphql -H 'content-type: application/json' \\\n  \
         -H 'authorization: Bearer {token}' \\\n  -d '{{\"query\":\"{one_line}\"}}'\n\nStop it with Ctrl-C.\n",
        config.data_folder().display(),
    )
}
