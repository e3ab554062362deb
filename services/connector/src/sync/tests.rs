//! Whole imports against owners in memory.

mod fake;
mod import;
mod repeat;
mod samples;

use std::path::PathBuf;

use fake::Fake;
use spil_proto::model::{Entity, Kind, Value};
use uuid::Uuid;

use super::{
    apply::Settings,
    report::{Problem, Report},
};
use crate::{import::ImportError, import::import_into, mapping::Mapping};

/// Files in a folder that goes away with this.
struct Files {
    folder: tempfile::TempDir,
    paths: Vec<PathBuf>,
}

fn files(contents: &[(&str, &str)]) -> Files {
    let folder = tempfile::tempdir().expect("a folder");
    let paths = contents
        .iter()
        .map(|(name, text)| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("written");
            path
        })
        .collect();
    Files { folder, paths }
}

fn parsed(text: &str) -> Mapping {
    Mapping::parse(text).unwrap_or_else(|error| panic!("{error}"))
}

async fn import(fake: &Fake, mapping: &Mapping, paths: &[PathBuf]) -> Report {
    attempt(fake, mapping, paths, None).await.unwrap_or_else(|error| panic!("{error}"))
}

async fn attempt(
    fake: &Fake,
    mapping: &Mapping,
    paths: &[PathBuf],
    allow_retire: Option<usize>,
) -> Result<Report, ImportError> {
    let settings = Settings { batch: 7, dry_run: false, run: Uuid::from_u128(7) };
    import_into(fake, mapping, paths, settings, allow_retire, &()).await
}

async fn dry(fake: &Fake, mapping: &Mapping, paths: &[PathBuf]) -> Report {
    let settings = Settings { batch: 7, dry_run: true, run: Uuid::from_u128(7) };
    import_into(fake, mapping, paths, settings, None, &()).await.unwrap_or_else(|error| panic!("{error}"))
}

/// Created, updated, unchanged, retired, rejected.
fn counts(report: &Report, kind: Kind) -> [u64; 5] {
    let counts = report.of(kind);
    [counts.created, counts.updated, counts.unchanged, counts.retired, counts.rejected]
}

fn reasons(problems: &[Problem]) -> Vec<String> {
    problems.iter().map(ToString::to_string).collect()
}

fn text(entity: &dyn Entity, column: &str) -> String {
    let info = entity.kind().info().field_by_column(column).expect("a field");
    match entity.get(info.index) {
        Value::Text(text) => text.into_owned(),
        other => format!("{other:?}"),
    }
}

/// Nothing but unchanged records.
fn assert_unchanged(report: &Report) {
    let sum = report.sum();
    assert_eq!((sum.created, sum.updated, sum.retired), (0, 0, 0), "{report}");
}
