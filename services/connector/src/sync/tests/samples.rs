//! The example mappings on the published files, if the folder with them is named by `SPIL_SAMPLES`.

use std::path::{Path, PathBuf};

use super::*;

fn samples() -> Option<PathBuf> {
    let folder = std::env::var_os("SPIL_SAMPLES").map(PathBuf::from);
    if folder.is_none() {
        println!("skipped: SPIL_SAMPLES does not name a folder with the published files");
    }
    folder
}

fn example(name: &str) -> Mapping {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings").join(name);
    parsed(&std::fs::read_to_string(path).expect("an example"))
}

/// Imports twice, dry and for good; the second time nothing may change.
async fn twice(fake: &Fake, mapping: &Mapping, paths: &[PathBuf], allow: Option<usize>) -> Report {
    let before = fake.revision();
    let planned = dry(fake, mapping, paths).await;
    assert_eq!(fake.revision(), before, "a dry run wrote");
    let report = attempt(fake, mapping, paths, allow).await.unwrap_or_else(|error| panic!("{error}"));
    println!("{report}");
    assert_eq!(planned.sum(), report.sum());
    let written = fake.revision();
    let again = import(fake, mapping, paths).await;
    assert_unchanged(&again);
    assert_eq!(fake.revision(), written, "nothing was to be written");
    report
}

#[tokio::test]
async fn the_municipal_tables_come_in_whole() {
    let Some(folder) = samples() else { return };
    let paths = ["gemma-elements.csv", "gemma-relations.csv"].map(|name| folder.join("capability").join(name));
    let fake = Fake::default();
    let report = twice(&fake, &example("gemma.toml"), &paths, None).await;
    assert_eq!(counts(&report, Kind::Capability), [304 + 26, 0, 0, 0, 0]);
    assert_eq!(counts(&report, Kind::Process), [177, 0, 0, 0, 0]);
    assert_eq!(counts(&report, Kind::Application), [138, 0, 0, 0, 0]);
    assert_eq!(counts(&report, Kind::Role), [56, 0, 0, 0, 0]);
    let skipped: u64 = report.skipped.iter().map(|skipped| skipped.rows).sum();
    // Elements: the services. Relations: all but those that are followed; services that serve no function lead nowhere.
    assert_eq!(skipped, 233 + (931 - 302 - 45 - 156 - 99 - 5 - 2) + 80);
    let refer = |kind: Kind, column: &str| {
        let index = kind.info().field_by_column(column).expect("a field").index;
        let ids = |record: &spil_proto::changefeed::v1::Record| match record.entity().expect("an entity").get(index) {
            Value::Ids(ids) => ids.len(),
            Value::Id(_) => 1,
            _ => 0,
        };
        fake.all(kind).iter().map(ids).sum::<usize>()
    };
    assert_eq!(refer(Kind::Capability, "parent_id"), 289);
    assert_eq!(refer(Kind::Role, "process_ids"), 45);
    assert_eq!(refer(Kind::Process, "capability_ids"), 5);
    assert_eq!(refer(Kind::Process, "application_ids"), 2);
    assert_eq!(refer(Kind::Application, "capability_ids"), 88);
}

#[tokio::test]
async fn the_organogram_comes_in_year_after_year() {
    let Some(folder) = samples() else { return };
    let mapping = example("uk-organogram.toml");
    let fake = Fake::default();
    // Positions, reporting lines that lead somewhere, org units: from the folder's own description, or counted in the file.
    let years = [
        ("hmt-2010-06.csv", 336, 0, 90 + 4),
        ("hmt-2011-03.csv", 526, 525, 119 + 2),
        ("hmt-2011-09.csv", 518, 517, 137 + 2),
        ("hmt-2012-09.csv", 444, 443, 122 + 2),
        ("hmt-2013-03.csv", 434, 433 - 18, 116 + 2),
    ];
    for (name, positions, lines, units) in years {
        let report = twice(&fake, &mapping, &[folder.join("workforce").join(name)], Some(1000)).await;
        assert_eq!(report.rejected.total, 0, "{report}");
        let all = fake.all(Kind::Position);
        assert_eq!(all.len(), positions, "{name}");
        let to = Kind::Position.info().field_by_column("reports_to_id").expect("a field").index;
        let with = all.iter().filter(|record| !record.entity().expect("an entity").get(to).is_null()).count();
        assert_eq!(with, lines, "{name}");
        assert_eq!(fake.all(Kind::OrgUnit).len(), units, "{name}");
    }
}

#[tokio::test]
async fn the_skills_come_in_whole() {
    let Some(folder) = samples() else { return };
    let paths: Vec<PathBuf> = [
        "esco-digitalSkillsCollection.csv",
        "esco-digCompSkillsCollection.csv",
        "esco-transversalSkillsCollection.csv",
        "esco-skillSkillRelations.csv",
        "esco-skillsHierarchy.csv",
    ]
    .iter()
    .map(|name| folder.join("skills").join(name))
    .collect();
    let fake = Fake::default();
    let report = twice(&fake, &example("esco-skills.toml"), &paths, None).await;
    assert_eq!(counts(&report, Kind::Skill), [1377 + 640, 0, 0, 0, 0]);
    assert_eq!(counts(&report, Kind::SkillRelation), [442, 0, 0, 0, 0]);
}
