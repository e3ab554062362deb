//! An import from beginning to end.

use std::{fmt, path::PathBuf};

use spil_proto::model::{Kind, Owner};
use tonic::Status;
use uuid::Uuid;

use crate::{
    mapping::Mapping,
    sync::{
        apply::{self, ApplyError, Settings},
        destination::{Destination, Owners, Remote},
        map::{self, MapError},
        plan::{self, Guard, PlanError},
        present::Present,
        report::Report,
    },
};

/// What to import, and where to. `Debug` does not show the token.
pub struct Import {
    /// What the columns mean.
    pub mapping: Mapping,
    /// The files.
    pub files: Vec<PathBuf>,
    /// Whether to say what would happen, and write nothing.
    pub dry_run: bool,
    /// The owners.
    pub clients: Owners,
    /// The token of whoever imports.
    pub token: String,
    /// Why, for people: kept with what is written. At most 1 KiB, without control characters; empty if nothing is said.
    pub reason: String,
    /// The most commands of a batch: 1 to 10,000.
    pub batch: usize,
    /// How many records of a kind may be retired, where that is more than what is allowed without asking
    /// ([`plan::RETIRE_PERCENT`], [`plan::RETIRE_ALWAYS`], [`plan::RETIRE_AT_MOST`]).
    pub allow_retire: Option<usize>,
}

impl fmt::Debug for Import {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Import")
            .field("files", &self.files)
            .field("dry_run", &self.dry_run)
            .field("batch", &self.batch)
            .field("allow_retire", &self.allow_retire)
            .finish_non_exhaustive()
    }
}

/// Why an import ended early.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A file can not be read, or the mapping has no table for it.
    #[error(transparent)]
    Map(#[from] MapError),
    /// The present records can not be read.
    #[error("the present records of the owner {owner} can not be read")]
    Snapshot {
        /// Which owner.
        owner: &'static str,
        /// What it said.
        #[source]
        source: Box<Status>,
    },
    /// Suspiciously many records would be retired; nothing was written.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// An owner could not be reached or refused the caller. What was applied before stays; run the import again.
    #[error(transparent)]
    Apply(#[from] ApplyError),
}

/// How far an import is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The present records are read; counts records.
    Present,
    /// The files are read; counts rows.
    Read,
    /// The plan is made; counts steps.
    Plan,
    /// The steps are applied, or in a dry run asked about; counts steps.
    Apply,
}

/// Somebody who wants to know how far an import is.
pub trait Progress: Send + Sync {
    /// So many are done, of so many if that is known.
    fn update(&self, phase: Phase, done: u64, total: Option<u64>);
}

/// Nobody wants to know.
impl Progress for () {
    fn update(&self, _: Phase, _: u64, _: Option<u64>) {}
}

/// Imports files. Reading and planning happen on the calling thread.
///
/// # Errors
/// If a file, the present records or an owner can not be read or reached, or suspiciously many records would be retired. Faulty
/// rows and records are no error; they are in the report.
pub async fn run(import: Import, progress: &dyn Progress) -> Result<Report, ImportError> {
    let destination = Remote { owners: &import.clients, token: &import.token, reason: &import.reason };
    let settings = Settings { batch: import.batch, dry_run: import.dry_run, run: Uuid::now_v7() };
    import_into(&destination, &import.mapping, &import.files, settings, import.allow_retire, progress).await
}

pub(crate) async fn import_into<D: Destination>(
    destination: &D,
    mapping: &Mapping,
    files: &[PathBuf],
    settings: Settings,
    allow_retire: Option<usize>,
    progress: &dyn Progress,
) -> Result<Report, ImportError> {
    let mut report = Report {
        mapping: mapping.name().to_owned(),
        dry_run: settings.dry_run,
        run: settings.run,
        ..Report::default()
    };
    // A wrong file name is found before a large snapshot is read.
    let wanted = map::map(mapping, files, &mut report, &mut |rows| progress.update(Phase::Read, rows, None))?;
    let mut present = Present::new(mapping);
    let mut count = 0_u64;
    for owner in Owner::ALL {
        let kinds: Vec<Kind> = mapping.kinds().filter(|kind| kind.info().owner == owner).collect();
        if kinds.is_empty() {
            continue;
        }
        let mut each = |record| {
            present.insert(record);
            count += 1;
            if count.is_multiple_of(4096) {
                progress.update(Phase::Present, count, None);
            }
        };
        destination
            .snapshot(owner, &kinds, &mut each)
            .await
            .map_err(|source| ImportError::Snapshot { owner: owner.name(), source: Box::new(source) })?;
    }
    progress.update(Phase::Present, count, Some(count));
    let guard = Guard { allow: allow_retire, warn_only: settings.dry_run };
    let plan = plan::plan(mapping, wanted, &present, guard, &mut Uuid::now_v7, &mut report)?;
    drop(present);
    for kind in mapping.written() {
        report.counts(kind);
    }
    let total = (plan.steps.len() + plan.later.len() + plan.retire.len()) as u64;
    progress.update(Phase::Plan, total, Some(total));
    let applied = |done| progress.update(Phase::Apply, done, Some(total));
    apply::apply(mapping, plan, destination, settings, &mut report, &applied).await?;
    Ok(report)
}
