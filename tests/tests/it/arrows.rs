//! Which crate may use which. What the compiler allows because a line in a manifest says so, this does not.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};

use cargo_metadata::{DependencyKind, MetadataCommand};

/// For each crate, the crates of ours that it may use.
const ARROWS: &[(&str, &[&str])] = &[
    ("spil-proto", &[]),
    ("spil-auth", &[]),
    ("spil-access", &["spil-proto", "spil-auth"]),
    ("spil-migrations", &["spil-proto"]),
    ("spil-graph", &["spil-proto"]),
    ("spil-disclosure", &[]),
    ("spil-changefeed", &["spil-proto", "spil-access", "spil-auth", "spil-migrations"]),
    ("spil-capability", &["spil-proto", "spil-changefeed"]),
    ("spil-workforce", &["spil-proto", "spil-changefeed"]),
    ("spil-initiative", &["spil-proto", "spil-changefeed"]),
    ("spil-connector", &["spil-proto"]),
    ("spil-gateway", &["spil-proto", "spil-access", "spil-disclosure", "spil-graph", "spil-auth"]),
];

/// Libraries that only some crates may name.
const CONFINED: &[(&str, &[&str])] = &[
    ("sea-orm", &["spil-changefeed", "spil-migrations", "spil-tests"]),
    ("sea-orm-migration", &["spil-migrations"]),
    ("sqlx", &["spil-changefeed"]),
    ("actix-web", &["spil-gateway"]),
    ("apollo-compiler", &["spil-gateway"]),
    ("jsonwebtoken", &["spil-auth", "spil-tests"]),
    ("rustls", &["spil-auth"]),
    ("hyper-rustls", &["spil-auth"]),
];

/// The pure core: no runtime, no database, no web, no clock, no chance.
const PURE: &str = "spil-graph";
const IMPURE: &[&str] = &["tokio", "sea-orm", "sqlx", "actix-web", "reqwest", "rand", "getrandom", "futures"];

/// Families of libraries that the pure core must not reach by any way, each with what its crates are called.
const UNREACHED: &[&str] = &[
    "tokio", "hyper", "h2", "tonic", "tower", "axum", "sea-orm", "sqlx", "actix", "reqwest", "mio", "socket2", "rand",
];

/// Names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] = &["common", "core", "shared", "types", "utils", "util", "helpers", "helper", "misc"];

#[test]
fn crates_use_only_what_they_may() {
    let metadata = MetadataCommand::new().no_deps().exec().expect("metadata");
    let used: BTreeMap<String, BTreeSet<String>> = metadata
        .packages
        .iter()
        .map(|package| {
            let used = package.dependencies.iter().filter(|dependency| dependency.kind == DependencyKind::Normal);
            (package.name.to_string(), used.map(|dependency| dependency.name.clone()).collect())
        })
        .collect();
    for (name, used) in &used {
        let ours: BTreeSet<_> = used.iter().filter(|used| used.starts_with("spil-")).map(String::as_str).collect();
        match ARROWS.iter().find(|(from, _)| from == name) {
            Some((_, allowed)) => {
                let forbidden: Vec<_> = ours.iter().filter(|used| !allowed.contains(used)).collect();
                assert!(forbidden.is_empty(), "{name} must not use {forbidden:?}");
            }
            None => {
                assert!(["spil-server", "spil-tests"].contains(&name.as_str()), "say in ARROWS what {name} may use")
            }
        }
        for (library, crates) in CONFINED {
            assert!(!used.contains(*library) || crates.contains(&name.as_str()), "{name} must not name {library}");
        }
    }
    for library in IMPURE {
        assert!(!used[PURE].contains(*library), "{PURE} must not use {library}");
    }
}

/// Whether a crate belongs to a family: `tokio-util` to `tokio`, `randomise` not to `rand`.
fn is_of(name: &str, family: &str) -> bool {
    name.strip_prefix(family).is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '_']))
}

#[test]
fn the_pure_core_reaches_no_runtime_no_web_and_no_database() {
    // The crates that a crate uses, directly or not, as it is built by itself.
    let reached = |name: &str| -> BTreeSet<String> {
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
        let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args(["tree", "--locked", "--manifest-path", manifest, "-p", name, "-e", "normal", "--prefix", "none"])
            .output()
            .expect("cargo runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let lines = String::from_utf8(output.stdout).expect("names");
        lines.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
    };
    let pure = reached(PURE);
    assert!(pure.contains(PURE) && pure.contains("spil-proto"), "{pure:?}");
    let forbidden: Vec<_> = pure.iter().filter(|name| UNREACHED.iter().any(|family| is_of(name, family))).collect();
    assert!(forbidden.is_empty(), "{PURE} must not reach {forbidden:?}");
    // Whoever speaks to an owner does reach them, so the names are seen where they are.
    let impure = reached("spil-changefeed");
    for family in ["tokio", "hyper", "tonic", "sea-orm"] {
        assert!(impure.iter().any(|name| is_of(name, family)), "{family} in {impure:?}");
    }
}

#[test]
fn every_crate_and_module_has_a_name_that_says_something() {
    let metadata = MetadataCommand::new().no_deps().exec().expect("metadata");
    for package in &metadata.packages {
        let end = package.name.trim_start_matches("spil-");
        assert!(!EMPTY_NAMES.contains(&end), "{}", package.name);
    }
    let mut folders = vec![
        metadata.workspace_root.join("services"),
        metadata.workspace_root.join("proto"),
        metadata.workspace_root.join("migrations"),
    ];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let entry = entry.expect("an entry");
            let name = entry.file_name().to_string_lossy().into_owned();
            if ["node_modules", "dist", "target"].contains(&name.as_str()) {
                continue;
            }
            let stem = name.split('.').next().unwrap_or_default();
            assert!(!EMPTY_NAMES.contains(&stem), "{folder}/{name}");
            if entry.file_type().expect("a type").is_dir() {
                folders.push(folder.join(name));
            }
        }
    }
}
