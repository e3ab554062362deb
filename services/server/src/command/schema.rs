//! `spil schema`

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
    process::ExitCode,
};

use serde::Serialize;
use spil_gateway::{
    graphql::schema::SpilSchema,
    schema_check::{BrokenOperation, CheckedSchema, Difference, Operations, Severity, compare},
};

use super::{Outcome, say};

/// The exit status if something breaks; 1 says that the check could not be made.
const BREAKS: u8 = 2;
/// The most bytes of a schema or a document that is read.
const MAX_FILE_BYTES: u64 = 16 << 20;
/// The most files of operations, and how deep folders are searched for them.
const MAX_FILES: usize = 10_000;
const MAX_FOLDERS_DEEP: usize = 32;

/// What is done with the schema; it is printed where nothing is said.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum SchemaCommand {
    /// Prints the GraphQL schema.
    Print,
    /// Compares a schema with an older one and says what breaks. Exit status: 0 if nothing breaks, 2 if something does, 1 if
    /// the check could not be made.
    Check(CheckArgs),
}

/// What is compared.
#[derive(Debug, clap::Args)]
pub(crate) struct CheckArgs {
    /// The file of the schema that clients rely on.
    #[arg(long)]
    old: PathBuf,
    /// The file of the schema that is to come [default: the schema of this binary]
    #[arg(long)]
    new: Option<PathBuf>,
    /// A folder with the operations of clients (`*.graphql`, `*.gql`), or one such file.
    #[arg(long)]
    operations: Option<PathBuf>,
    /// Also tells the differences that nobody notices.
    #[arg(long)]
    all: bool,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

/// What was found, as JSON gives it.
#[derive(Serialize)]
struct Report {
    differences: Vec<Difference>,
    /// How many documents of clients were tried; none if none were given.
    documents: Option<usize>,
    operations: Vec<BrokenOperation>,
}

pub(super) fn run(command: Option<SchemaCommand>) -> Outcome {
    match command {
        None | Some(SchemaCommand::Print) => {
            say(&SpilSchema::get()?.sdl)?;
            Ok(ExitCode::SUCCESS)
        }
        Some(SchemaCommand::Check(args)) => check(&args),
    }
}

fn check(args: &CheckArgs) -> Outcome {
    let read = |path: &Path| -> Result<_, Box<dyn std::error::Error + Send + Sync>> {
        Ok(CheckedSchema::parse(&text(path)?, &path.display().to_string())?)
    };
    let old = read(&args.old)?;
    let new = match &args.new {
        Some(path) => read(path)?,
        None => CheckedSchema::parse(&SpilSchema::get()?.sdl, "the schema of this binary")?,
    };
    let mut differences = compare(&old, &new);
    let breaks = differences.iter().any(|difference| difference.severity == Severity::Breaking);
    if !args.all {
        differences.retain(|difference| difference.severity != Severity::Safe);
    }
    let (documents, mut broken) = match args.operations.as_deref().map(operations).transpose()? {
        None => (None, Vec::new()),
        Some((operations, unreadable)) => {
            let mut broken = operations.broken(&old, &new);
            let documents = operations.len() + unreadable.len();
            broken.extend(unreadable);
            (Some(documents), broken)
        }
    };
    broken.sort();
    let breaks = breaks || !broken.is_empty();
    let report = Report { differences, documents, operations: broken };
    say(&if args.json { serde_json::to_string_pretty(&report)? + "\n" } else { spoken(&report, breaks) })?;
    Ok(if breaks { ExitCode::from(BREAKS) } else { ExitCode::SUCCESS })
}

fn spoken(report: &Report, breaks: bool) -> String {
    let mut out = String::new();
    for Difference { severity, path, message } in &report.differences {
        out.push_str(&format!("{severity:9}  {path}: {message}\n"));
    }
    for BrokenOperation { file, line, column, message } in &report.operations {
        out.push_str(&format!("operation  {file}:{line}:{column}: {message}\n"));
    }
    if let Some(documents) = report.documents {
        out.push_str(&format!("{documents} documents of clients tried, {} problems\n", report.operations.len()));
    }
    out.push_str(if breaks { "something breaks\n" } else { "nothing breaks\n" });
    out
}

/// A file or folder can not be read, or is more than is looked at.
#[derive(Debug, thiserror::Error)]
enum ReadError {
    #[error("can not read {}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{} has more than {MAX_FILE_BYTES} bytes", path.display())]
    TooLarge { path: PathBuf },
    #[error("{} holds more than {MAX_FILES} files, or folders nested more than {MAX_FOLDERS_DEEP} deep", path.display())]
    TooMany { path: PathBuf },
    #[error("{} holds no file that ends in .graphql or .gql", path.display())]
    Nothing { path: PathBuf },
}

fn text(path: &Path) -> Result<String, ReadError> {
    let io = |source| ReadError::Io { path: path.to_owned(), source };
    let mut text = String::new();
    fs::File::open(path).map_err(io)?.take(MAX_FILE_BYTES + 1).read_to_string(&mut text).map_err(io)?;
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(ReadError::TooLarge { path: path.to_owned() });
    }
    Ok(text)
}

/// The documents in a folder, and what is wrong with those that are none: a broken file hides nothing of the others.
fn operations(root: &Path) -> Result<(Operations, Vec<BrokenOperation>), ReadError> {
    let mut files = Vec::new();
    if root.is_dir() {
        find(root, root, MAX_FOLDERS_DEEP, &mut files)?;
    } else {
        files.push(root.to_owned());
    }
    if files.is_empty() {
        return Err(ReadError::Nothing { path: root.to_owned() });
    }
    files.sort();
    let (mut operations, mut unreadable) = (Operations::default(), Vec::new());
    for file in files {
        if let Err(error) = operations.add(&file.display().to_string(), &text(&file)?) {
            unreadable.push(error.place);
        }
    }
    Ok((operations, unreadable))
}

/// Collects the documents in a folder and those below. Links to folders are not followed, so that there is no way round.
fn find(root: &Path, folder: &Path, deeper: usize, files: &mut Vec<PathBuf>) -> Result<(), ReadError> {
    let too_many = || ReadError::TooMany { path: root.to_owned() };
    let deeper = deeper.checked_sub(1).ok_or_else(too_many)?;
    let io = |source| ReadError::Io { path: folder.to_owned(), source };
    for entry in fs::read_dir(folder).map_err(io)? {
        let entry = entry.map_err(io)?;
        let path = entry.path();
        if entry.file_type().map_err(io)?.is_dir() {
            find(root, &path, deeper, files)?;
        } else if path.extension().is_some_and(|end| end == "graphql" || end == "gql") {
            if files.len() == MAX_FILES {
                return Err(too_many());
            }
            files.push(path);
        }
    }
    Ok(())
}
