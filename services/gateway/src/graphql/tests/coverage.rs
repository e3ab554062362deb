//! Every field of the schema has a rule by which it is decided who sees it.

use apollo_compiler::schema::ExtendedType;
use spil_proto::model::Kind;

use crate::graphql::{demand, schema::SpilSchema};

/// Types that no kind of record makes, with the fields that each has, and why these need no rule of their own: what leads to them has one,
/// and they tell nothing but what the viewer sees. Whoever adds a field adds it here, and says so with good conscience.
const HAND_WRITTEN: &[(&str, &[&str])] = &[
    // Parts of a record, which is seen or not.
    ("ExternalId", &["system", "id"]),
    ("Translation", &["language", "name"]),
    ("Provenance", &["source", "run", "actor", "at"]),
    ("FieldProvenance", &["field", "source", "run", "actor", "at"]),
    // Pages of what is seen.
    ("PageInfo", &["hasNextPage", "hasPreviousPage", "startCursor", "endCursor"]),
    ("Facet", &["value", "count", "record"]),
    ("ReachConnection", &["edges", "nodes", "pageInfo", "totalCount"]),
    ("ReachEdge", &["node", "cursor", "start", "distance", "path"]),
    ("ReachStep", &["relation", "forward", "record"]),
    ("SearchConnection", &["edges", "nodes", "pageInfo", "totalCount", "isStale"]),
    ("SearchEdge", &["cursor", "node", "score", "highlights"]),
    ("SearchHighlight", &["field", "parts"]),
    ("SearchPart", &["text", "isMatch"]),
    // What is wrong with an input, of records that are seen.
    ("InputError", &["code", "message", "path"]),
    ("VersionConflict", &["code", "message", "path", "currentVersion", "fields"]),
    ("Warning", &["message", "path"]),
    (
        "ApplyChangesPayload",
        &["clientMutationId", "applied", "dryRun", "stale", "steps", "results", "userErrors", "warnings"],
    ),
    ("ApplyStep", &["owner", "status", "changes", "message"]),
    ("ChangeResult", &["index", "temporaryId", "id", "outcome", "record", "userErrors", "warnings"]),
    // Of an erasure, which takes the right to erase.
    ("EraseWorkerPayload", &["clientMutationId", "erasedAt", "mentions", "hasMoreMentions", "userErrors"]),
    ("Mention", &["id", "kind", "field"]),
    // Under `snapshot`, which takes the right to operate.
    ("Snapshot", &["owners", "danglingReferences", "digests"]),
    ("OwnerStatus", &["name", "appliedRevision", "headRevision", "heardAt", "resyncs"]),
    ("DanglingReferences", &["kind", "field", "count"]),
    ("KindDigest", &["kind", "count", "checksum"]),
    // What is laid down, of fields and of nobody.
    (
        "PersonalField",
        &["kind", "field", "purposes", "legalBasis", "retentionDays", "isIdentifying", "readers", "description"],
    ),
    // Figures that the module of small groups lets out.
    ("PeopleCounts", &["asOf", "smallestGroup", "groups"]),
    (
        "PeopleGroup",
        &["orgUnit", "role", "jobFamily", "function", "isContractor", "status", "tier", "n", "fte", "share"],
    ),
    // Who asks, to whoever asks; the worker is a record, which is seen or not.
    ("Viewer", &["subject", "issuer", "roles", "purpose", "worker"]),
    // Under `audit`, which takes the right to audit; who people are is told only to whom that is allowed.
    ("AuditPage", &["nodes", "pageInfo"]),
    (
        "AuditEntry",
        &["cursor", "at", "actor", "source", "run", "reason", "origin", "action", "kind", "recordId", "fields"],
    ),
    ("AuditedField", &["name", "before", "after", "isHidden"]),
    // Under `accessLog`, which is told to the person and to auditors.
    ("AccessLogPage", &["nodes", "pageInfo"]),
    ("AccessLogEntry", &["at", "reader", "issuer", "purpose", "fields", "operation", "entry"]),
    // Under `subjectExport`, which takes the right to export the person.
    ("SubjectExport", &["workerId", "at", "document"]),
    // The schema itself.
    ("_Service", &["sdl"]),
    // A change of a record that is seen.
    ("Change", &["cursor", "kind", "id", "action", "version", "at", "actor", "source", "run", "fields", "record"]),
];

/// What every record has beside its fields and relations.
const OF_RECORDS: &[&str] = &["provenance", "provenances"];

/// Whether a type is made of a kind, and its fields with it: `Worker`, `WorkerConnection`, `CreateWorkerPayload`.
fn made_of_kind(name: &str) -> Option<(Kind, &'static str)> {
    Kind::ALL.iter().copied().find_map(|kind| {
        let own = kind.info().name;
        if name == own {
            return Some((kind, "record"));
        }
        if let Some(rest) = name.strip_prefix(own)
            && ["Connection", "Edge"].contains(&rest)
        {
            return Some((kind, "page"));
        }
        let verb = name.strip_suffix("Payload")?.strip_suffix(own)?;
        ["Create", "Update", "Retire"].contains(&verb).then_some((kind, "payload"))
    })
}

fn has_rule(type_name: &str, field: &str) -> bool {
    if ["Query", "Mutation", "Subscription"].contains(&type_name) {
        return demand::of_field(type_name, field).is_some();
    }
    match made_of_kind(type_name) {
        Some((kind, "record")) => {
            kind.info().field_by_name(field).is_some()
                || kind.relation(field).is_some()
                || OF_RECORDS.contains(&field)
                || (kind.info().person && field == "accessLog")
        }
        Some((_, "page")) => ["nodes", "edges", "pageInfo", "totalCount", "facets", "cursor", "node"].contains(&field),
        Some((kind, _)) => {
            field == kind.info().singular
                || ["clientMutationId", "dryRun", "stale", "userErrors", "warnings"].contains(&field)
        }
        None => HAND_WRITTEN.iter().any(|(name, fields)| *name == type_name && fields.contains(&field)),
    }
}

#[test]
fn every_field_of_the_schema_has_a_rule() {
    let schema = SpilSchema::get().expect("a schema");
    let mut lacking = Vec::new();
    for (name, ty) in schema.schema.types.iter().filter(|(name, _)| !name.starts_with("__")) {
        if let ExtendedType::Object(object) = ty {
            let fields = object.fields.keys().filter(|field| !has_rule(name, field));
            lacking.extend(fields.map(|field| format!("{name}.{field}")));
        }
    }
    assert!(lacking.is_empty(), "say in `demand.rs`, or here, who may see {lacking:?}");
}

#[test]
fn a_field_that_nobody_spoke_of_has_no_rule() {
    assert!(
        !has_rule("Query", "salaries") && !has_rule("Mutation", "createSalary") && !has_rule("Subscription", "workers")
    );
    assert!(!has_rule("Worker", "salary") && !has_rule("WorkerConnection", "sum") && !has_rule("Salary", "amount"));
    assert!(has_rule("Query", "workers") && has_rule("Mutation", "updateWorker") && has_rule("Subscription", "worker"));
}
