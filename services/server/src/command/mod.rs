//! The commands of the binary.

mod audit;
mod demo;
mod import;
mod migrate;
mod policy;
mod probe;
mod rekey;
mod schema;
mod serve;
mod subject;
mod token;

use std::{
    error::Error,
    io::{self, IsTerminal, Write},
    process::ExitCode,
};

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::config::{Config, Flags};

/// Spil: the graph of how an organisation changes.
#[derive(Debug, Parser)]
#[command(name = "spil", version, max_term_width = 120)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    flags: Flags,
    /// What is logged, for instance `info,spil_gateway=debug`.
    #[arg(long, env = "SPIL_LOG", default_value = "info", global = true)]
    log: String,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the roles of this process until it is asked to stop.
    Serve,
    /// Runs everything in one process with a demo organisation in it, and prints how to ask it.
    Demo(demo::DemoArgs),
    /// Brings the databases of the owners up to date. Safe to start several times at once.
    Migrate,
    /// Signs a development token.
    Token(token::TokenArgs),
    /// Prints the GraphQL schema, or says what a change of it breaks.
    Schema {
        #[command(subcommand)]
        command: Option<schema::SchemaCommand>,
    },
    /// Checks or tests a policy: who may what.
    Policy {
        #[command(subcommand)]
        command: policy::PolicyCommand,
    },
    /// Reads CSV files into the graph, as a mapping says.
    Import(import::ImportArgs),
    /// Proves that the change logs of the owners are whole.
    Audit {
        #[command(subcommand)]
        command: audit::AuditCommand,
    },
    /// Gives a person everything that is kept of them, or erases them.
    Subject {
        #[command(subcommand)]
        command: subject::SubjectCommand,
    },
    /// Asks the gateway at `--listen` whether it is ready; where `--roles` has no gateway, whether the owners at `--grpc-listen` are there.
    Healthcheck,
    /// Prints the settings that are in force, or says what is wrong with them.
    Config,
}

type Outcome = Result<ExitCode, Box<dyn Error + Send + Sync>>;

/// Runs a command and says how it went.
pub async fn run(cli: Cli) -> ExitCode {
    let outcome = match start_log(&cli.log) {
        Ok(()) => dispatch(cli).await,
        Err(error) => Err(error.into()),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            let mut text = format!("spil: {error}");
            let mut cause = error.source();
            while let Some(reason) = cause {
                text.push_str(&format!(": {reason}"));
                cause = reason.source();
            }
            complain(&text);
            ExitCode::FAILURE
        }
    }
}

async fn dispatch(cli: Cli) -> Outcome {
    match cli.command {
        Command::Serve => serve::run(&Config::load(&cli.flags)?).await,
        Command::Demo(args) => demo::run(Config::load(&cli.flags)?, &args).await,
        Command::Migrate => migrate::run(&Config::load(&cli.flags)?).await,
        Command::Token(args) => token::run(&Config::load(&cli.flags)?, &args).await,
        Command::Schema { command } => schema::run(command),
        Command::Policy { command } => policy::run(&Config::load(&cli.flags)?, command),
        Command::Import(args) => import::run(&Config::load(&cli.flags)?, args).await,
        Command::Audit { command } => audit::run(&Config::load(&cli.flags)?, &command).await,
        Command::Subject { command } => subject::run(&Config::load(&cli.flags)?, command).await,
        Command::Healthcheck => probe::run(&Config::load(&cli.flags)?).await,
        Command::Config => {
            let config = Config::load(&cli.flags)?;
            config.check_production()?;
            say(&toml::to_string_pretty(&config.without_secrets())?)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// What is to be logged makes no sense.
#[derive(Debug, thiserror::Error)]
#[error("`--log {filter}` is not understood; say for instance `info` or `info,spil_gateway=debug`")]
struct LogError {
    filter: String,
    source: tracing_subscriber::filter::ParseError,
}

/// Logs go to standard error; standard output is for answers.
fn start_log(filter: &str) -> Result<(), LogError> {
    let filter = EnvFilter::try_new(filter).map_err(|source| LogError { filter: filter.to_owned(), source })?;
    let terminal = io::stderr().is_terminal();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(terminal)
        .with_target(false)
        .init();
    Ok(())
}

/// Writes to standard output. Whoever reads it may have gone, for instance `head`: that is no fault.
fn say(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Writes a line to standard error. There is nowhere to tell of a failure to do so.
fn complain(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}
