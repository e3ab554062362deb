//! Every method has a rule by which it is decided who may call it.

use std::{collections::BTreeSet, fs, path::Path};

/// Each method with what it takes, which the function of the same name in `service` asks for. Whoever adds a method adds it here, and says so
/// with good conscience.
const RULES: &[(&str, &str)] = &[
    ("Apply", "create, update or retire on the kind of each command, for its fields, values and scope"),
    ("Snapshot", "follow on each kind asked for"),
    ("Watch", "follow on every kind of the owner"),
    ("Digest", "follow on every kind of the owner"),
    ("Audit", "audit on the kind of each record told; who people are is told to services of ours alone"),
    ("LogReads", "services of ours alone"),
    ("ReadLog", "audit on the kinds of people, or a service of ours, which knows who asks about themselves"),
    ("Erase", "erase on the kind, of whomever, or a service of ours"),
    (
        "Redact",
        "erase on the kind of the person, of whomever, or a service of ours; what to look for the owner finds out by itself",
    ),
    ("NamesOf", "services of ours alone"),
    ("Due", "erase on every kind of people, of whomever, or a service of ours"),
    ("WhoIs", "follow on workers"),
];

/// The methods of a proto file.
fn methods(text: &str) -> impl Iterator<Item = String> {
    text.lines().filter_map(|line| {
        let rest = line.trim_start().strip_prefix("rpc ")?;
        Some(rest.split('(').next()?.trim().to_owned())
    })
}

#[test]
fn every_method_has_a_rule() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../proto/spil");
    let mut found = BTreeSet::new();
    for owner in ["capability", "workforce", "initiative"] {
        let path = folder.join(owner).join("v1/service.proto");
        found.extend(methods(&fs::read_to_string(&path).expect("the protos are there")));
    }
    let known: BTreeSet<String> = RULES.iter().map(|(method, _)| (*method).to_owned()).collect();
    assert!(found.len() >= 4, "{found:?}");
    assert_eq!(found, known, "say here who may call each method");
}
