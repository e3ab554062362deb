//! `spil policy`

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    process::ExitCode,
};

use serde_json::json;
use spil_access::{Policy, PolicyHandle, run_cases};

use super::{Outcome, say};
use crate::config::Config;

/// The exit status if a policy is not sound, or a case does not hold; 1 says that nothing could be checked.
const FAILS: u8 = 2;
/// The most bytes of a file with cases that are read; one more than are taken, to tell.
const MAX_CASES_BYTES: u64 = (1 << 20) + 1;

/// What is done with a policy.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum PolicyCommand {
    /// Says whether a policy is sound, and if not, what is wrong in which line. Exit status: 0 if it is, 2 if it is not.
    Check(CheckArgs),
    /// Runs the cases of a file against a policy. Exit status: 0 if all hold, 2 if one does not, 1 if they can not be run.
    Test(TestArgs),
    /// Prints the policy that is in force where none is given.
    Default,
}

/// Which policy.
#[derive(Debug, clap::Args)]
pub(crate) struct CheckArgs {
    /// The policy [default: that of the settings, or else the built-in one]
    file: Option<PathBuf>,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

/// Which cases, against which policy.
#[derive(Debug, clap::Args)]
pub(crate) struct TestArgs {
    /// The file with the cases.
    cases: PathBuf,
    /// The policy [default: that of the settings, or else the built-in one]
    #[arg(long)]
    policy: Option<PathBuf>,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

/// Why cases can not be run.
#[derive(Debug, thiserror::Error)]
enum CasesFileError {
    #[error("the cases {} can not be read", path.display())]
    Read { path: PathBuf, source: std::io::Error },
}

pub(super) fn run(config: &Config, command: PolicyCommand) -> Outcome {
    match command {
        PolicyCommand::Default => {
            say(spil_access::DEFAULT_POLICY)?;
            Ok(ExitCode::SUCCESS)
        }
        PolicyCommand::Check(args) => check(args.file.as_deref().or(config.policy.as_deref()), args.json),
        PolicyCommand::Test(args) => test(args.policy.as_deref().or(config.policy.as_deref()), &args.cases, args.json),
    }
}

fn check(file: Option<&Path>, as_json: bool) -> Outcome {
    match PolicyHandle::open(file) {
        Ok(handle) => {
            let policy = handle.load();
            let roles: Vec<(&str, &str)> = policy.roles().collect();
            if as_json {
                let roles: Vec<_> =
                    roles.iter().map(|(name, description)| json!({"name": name, "description": description})).collect();
                say(&format!("{}\n", json!({"sound": true, "roles": roles, "faults": []})))?;
            } else {
                let name = file.map_or_else(|| "the built-in policy".to_owned(), |file| file.display().to_string());
                say(&format!("{name} is sound: {} roles\n", roles.len()))?;
                for (name, description) in roles {
                    say(&format!("  {name}: {description}\n"))?;
                }
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(error) if as_json => {
            let faults: Vec<_> = error
                .faults
                .iter()
                .map(|fault| json!({"file": error.file, "line": fault.line, "problem": fault.problem.to_string()}))
                .collect();
            say(&format!("{}\n", json!({"sound": false, "roles": [], "faults": faults})))?;
            Ok(ExitCode::from(FAILS))
        }
        Err(error) => {
            for fault in &error.faults {
                say(&format!("{}:{}: {}\n", error.file, fault.line, fault.problem))?;
            }
            Ok(ExitCode::from(FAILS))
        }
    }
}

fn test(policy: Option<&Path>, cases: &Path, as_json: bool) -> Outcome {
    let policy: std::sync::Arc<Policy> = PolicyHandle::open(policy)?.load();
    let mut text = String::new();
    File::open(cases)
        .and_then(|file| file.take(MAX_CASES_BYTES).read_to_string(&mut text))
        .map_err(|source| CasesFileError::Read { path: cases.to_owned(), source })?;
    let outcomes = run_cases(&policy, &cases.display().to_string(), &text)?;
    let failed = outcomes.iter().filter(|outcome| !outcome.passed).count();
    if as_json {
        let all: Vec<_> = outcomes
            .iter()
            .map(|outcome| {
                json!({
                    "name": outcome.name,
                    "line": outcome.line,
                    "roles": outcome.roles,
                    "allowed": outcome.allowed,
                    "passed": outcome.passed,
                    "reason": outcome.reason,
                })
            })
            .collect();
        say(&format!("{}\n", json!({"passed": failed == 0, "cases": all})))?;
    } else {
        for outcome in outcomes.iter().filter(|outcome| !outcome.passed) {
            let (found, expected) = if outcome.allowed { ("allowed", "deny") } else { ("denied", "allow") };
            say(&format!(
                "{}:{}: {}: {found}, and expected is `{expected}`; roles: [{}]{}{}\n",
                cases.display(),
                outcome.line,
                outcome.name,
                outcome.roles.join(", "),
                if outcome.reason.is_empty() { "" } else { "; " },
                outcome.reason
            ))?;
        }
        say(&format!("{} of {} cases hold\n", outcomes.len() - failed, outcomes.len()))?;
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(FAILS) })
}
