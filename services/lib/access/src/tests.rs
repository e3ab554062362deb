use proptest::prelude::*;
use serde_json::json;
use spil_auth::{Caller, Permission};
use spil_proto::{
    changefeed::v1::Record,
    model::{ExternalId, FieldType, Kind, Purpose, Value, field},
};

use crate::{
    Action, DEFAULT_POLICY, Denied, FieldSet, Policy, PolicyError, PolicyHandle, Problem, Scope, ScopeSet, Viewer,
    WorkerName, run_cases,
};

const EXAMPLE: &str = include_str!("../examples/policy.toml");
const EXAMPLE_CASES: &str = include_str!("../examples/policy-cases.toml");
const DEFAULT_CASES: &str = include_str!("../examples/default-policy-cases.toml");

fn default() -> Policy {
    Policy::parse("default", DEFAULT_POLICY).expect("a policy")
}

fn linked(worker: &str) -> Caller {
    let claims = json!({"worker": worker}).as_object().cloned().expect("an object");
    Caller::new("ada", []).with_claims(claims)
}

fn own() -> ScopeSet {
    ScopeSet::ALL_ONLY.with(Scope::OwnRecord)
}

fn index(kind: Kind, name: &str) -> usize {
    crate::fields::by_name(kind, name).expect("a field").index
}

#[test]
fn every_field_has_a_place_in_a_set() {
    for kind in Kind::ALL {
        let info = kind.info();
        let mut numbers = info.fields().map(|field| field.index).chain(info.one_way.iter().map(|field| field.index));
        assert!(numbers.all(|number| number < 128), "{kind:?}");
    }
}

#[test]
fn scopes_of_the_default_policy_stand_for_themselves() {
    let policy = default();
    let of = |permissions: &[Permission]| policy.viewer(&Caller::new("ada", permissions.iter().copied()), None);
    assert!(of(&[]).roles().is_empty());
    assert!(Action::ALL.into_iter().all(|action| !of(&[]).may_any(action)));
    let reader = of(&[Permission::Read]);
    // What somebody answered in a survey is for few, though it has no name.
    let is_for_few = |kind: Kind| kind == Kind::PulseResponse;
    assert!(Kind::ALL.iter().all(|kind| reader.may(Action::Read, *kind) != is_for_few(*kind)));
    assert!(Kind::ALL.iter().all(|kind| !reader.may(Action::Update, *kind)));
    for permission in [Permission::Audit, Permission::Admin] {
        assert!(Kind::ALL.iter().all(|kind| of(&[permission]).may(Action::Read, *kind) == is_for_few(*kind)));
    }
    let seen = reader.seen_fields(Kind::Worker, ScopeSet::ALL_ONLY).expect("seen");
    assert!(!seen.contains(field::NAME) && !seen.contains(index(Kind::Worker, "email")));
    assert!(seen.contains(field::ID) && seen.contains(index(Kind::Worker, "status")));
    let writer = of(&[Permission::Write]);
    assert!(writer.may(Action::Create, Kind::Worker) && !writer.may(Action::Read, Kind::Worker));
    assert!(of(&[Permission::Admin]).may(Action::Operate, Kind::Worker));
}

#[test]
fn people_are_identified_for_a_purpose_only() {
    let policy = default();
    let caller = Caller::new("ada", [Permission::Read, Permission::Personal]);
    let seen = |purpose| {
        let viewer = policy.viewer(&caller, purpose);
        viewer.seen_fields(Kind::Worker, ScopeSet::ALL_ONLY).expect("seen").contains(index(Kind::Worker, "displayName"))
    };
    assert!(!seen(None));
    assert!(seen(Some(Purpose::PersonnelAdministration)) && seen(Some(Purpose::SkillDevelopment)));
    // Each purpose shows what the register has for it and no more.
    let all = ["number", "displayName", "email", "contestation"].map(|name| index(Kind::Worker, name));
    let shown = |purpose| {
        let seen = policy.viewer(&caller, Some(purpose)).seen_fields(Kind::Worker, ScopeSet::ALL_ONLY).expect("seen");
        [field::KEY].iter().chain(&all).map(|field| seen.contains(*field)).collect::<Vec<_>>()
    };
    assert_eq!(shown(Purpose::PersonnelAdministration), [true; 5]);
    for purpose in [Purpose::SkillDevelopment, Purpose::ChangePlanning] {
        assert_eq!(shown(purpose), [false, false, true, false, true], "{purpose:?}");
    }
    assert_eq!(shown(Purpose::ResponseCounting), [false; 5]);
    let alone = Caller::new("ada", [Permission::Personal]);
    let viewer = policy.viewer(&alone, Some(Purpose::SkillDevelopment));
    assert_eq!(viewer.seen_fields(Kind::Worker, ScopeSet::ALL_ONLY), None);
}

#[test]
fn own_data_need_no_purpose() {
    let viewer = default().viewer(&linked("W-1"), None);
    assert_eq!(viewer.worker(), Some(&WorkerName::Key("W-1".to_owned())));
    let email = index(Kind::Worker, "email");
    assert!(viewer.seen_fields(Kind::Worker, own()).expect("seen").contains(email));
    assert_eq!(viewer.seen_fields(Kind::Worker, ScopeSet::ALL_ONLY), None);
}

#[test]
fn a_worker_writes_only_own_claims() {
    let viewer = default().viewer(&linked("W-1"), None);
    let method = index(Kind::SkillAssertion, "method");
    let assertion = |number| {
        let mut record = Record::empty(Kind::SkillAssertion);
        record.entity_mut().expect("an entity").set(method, Value::Enum(number)).expect("a method");
        record
    };
    let FieldType::Enum(list) = Kind::SkillAssertion.info().field(method).expect("a field").ty else { unreachable!() };
    let (own_claim, other) =
        (assertion(list.number_of("SELF").expect("a value")), assertion(list.number_of("MANAGER").expect("a value")));
    let level = FieldSet::from_iter([index(Kind::SkillAssertion, "level")]);
    let contestation = FieldSet::from_iter([index(Kind::SkillAssertion, "contestation")]);
    let check = |action, fields, images: &[(ScopeSet, &Record)]| {
        let images: Vec<_> =
            images.iter().map(|(scopes, record)| (*scopes, record.entity().expect("an entity"))).collect();
        viewer.check_write(action, Kind::SkillAssertion, fields, &images)
    };
    assert_eq!(check(Action::Create, level, &[(own(), &own_claim)]), Ok(()));
    assert!(
        matches!(check(Action::Create, level, &[(own(), &other)]), Err(Denied::Value { field, .. }) if field == method)
    );
    assert!(matches!(check(Action::Create, level, &[(ScopeSet::ALL_ONLY, &own_claim)]), Err(Denied::Scope { .. })));
    assert_eq!(check(Action::Update, contestation, &[(own(), &other), (own(), &other)]), Ok(()));
    assert!(matches!(check(Action::Update, level, &[(own(), &other), (own(), &other)]), Err(Denied::Field { .. })));
    // What others say does not become one's own by saying so.
    assert!(matches!(check(Action::Update, level, &[(own(), &other), (own(), &own_claim)]), Err(Denied::Field { .. })));
    assert!(check(Action::Retire, FieldSet::NONE, &[(own(), &other)]).is_err());
    assert!(matches!(viewer.require(Action::Create, Kind::Worker), Err(Denied::Kind { .. })));
}

#[test]
fn the_key_is_the_same_for_who_may_the_same() {
    let policy = default();
    let viewer = |caller: &Caller, purpose| policy.viewer(caller, purpose).key();
    let reads = |name: &str| Caller::new(name, [Permission::Read]);
    let purpose = Some(Purpose::SkillDevelopment);
    assert_eq!(viewer(&reads("ada"), None), viewer(&reads("bob"), None));
    assert_eq!(
        viewer(&reads("ada"), None),
        viewer(&reads("ada"), purpose),
        "a purpose that opens nothing is no other view"
    );
    let personal = Caller::new("ada", [Permission::Read, Permission::Personal]);
    assert_ne!(viewer(&personal, None), viewer(&personal, purpose));
    assert_eq!(viewer(&personal, None), viewer(&reads("bob"), None));
    assert_ne!(viewer(&linked("W-1"), None), viewer(&linked("W-2"), None));
    let unlinked = reads("ada").with_claims(json!({"worker": 7}).as_object().cloned().expect("an object"));
    assert_eq!(viewer(&unlinked, None), viewer(&reads("bob"), None));
}

#[test]
fn neither_a_viewer_nor_a_name_shows_who_somebody_is() {
    let viewer = default().viewer(&linked("W-4711"), None);
    let shown = format!("{viewer:?} {:?}", viewer.worker());
    assert!(!shown.contains("4711") && !shown.contains("ada"), "{shown}");
}

fn faults(text: &str) -> Vec<(usize, Problem)> {
    let PolicyError { faults, .. } = Policy::parse("policy.toml", text).expect_err("no policy");
    faults.into_iter().map(|fault| (fault.line, fault.problem)).collect()
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    let role = |allow: &str| format!("version = 1\n[roles.a]\nallow = [\n  {allow},\n]\n");
    let one = |allow: &str| {
        let mut faults = faults(&role(allow));
        assert_eq!(faults.len(), 1, "{faults:?}");
        let (line, problem) = faults.remove(0);
        assert_eq!(line, 4, "{problem}");
        problem.to_string()
    };
    says(&[
        (one(r#"{ kinds = ["Wrker"], actions = ["read"], scope = "all" }"#), "`Wrker` is no kind of record"),
        (one(r#"{ kinds = ["Worker"], actions = ["see"], scope = "all" }"#), "`see` is no action"),
        (one(r#"{ kinds = ["Worker"], actions = ["read"], scope = "mine" }"#), "`mine` is no scope"),
        (one(r#"{ kinds = ["Worker"], actions = ["read"] }"#), "`scope` is missing"),
        (
            one(r#"{ kinds = ["Worker"], actions = ["read"], scope = "all", fields = ["wage"] }"#),
            "`Worker` has no field `wage`",
        ),
        (
            one(r#"{ kinds = ["Worker"], actions = ["update"], scope = "all", with = { email = ["a"] } }"#),
            "`Worker.email` does not",
        ),
        (
            one(r#"{ kinds = ["Worker"], actions = ["update"], scope = "all", with = { status = ["GONE"] } }"#),
            "`status` is never `GONE`",
        ),
        (
            one(r#"{ kinds = ["Worker"], actions = ["read"], scope = "all", with = { status = ["LEFT"] } }"#),
            "`with` means nothing for `read`",
        ),
        (one(r#"{ kinds = ["Worker"], actions = ["identify"], scope = "all" }"#), "`purposes` is missing"),
        (
            one(r#"{ kinds = ["Worker"], actions = ["identify"], scope = "all", purposes = ["FUN"] }"#),
            "`FUN` is no purpose",
        ),
        (
            one(r#"{ kinds = ["Worker"], actions = ["read"], scope = "all", purposes = ["*"] }"#),
            "`purposes` means something for",
        ),
        (one(r#"{ kinds = ["Worker"], except = ["Role"], actions = ["read"], scope = "all" }"#), "`except` goes with"),
        (one(r#"{ kinds = [], actions = ["read"], scope = "all" }"#), "`kinds` is empty"),
        (one(r#"{ actions = ["follow"], scope = "own_record" }"#), "`follow` is about a kind as a whole"),
        (one(r#"{ actions = ["retire"], scope = "all", fields = ["name"] }"#), "`fields` means nothing for `retire`"),
        (one(r#"{ actions = ["read"], scope = "all", kind = ["Worker"] }"#), "unknown field `kind`"),
    ]);
    assert_eq!(faults("version = 2\n"), [(1, Problem::Version(2))]);
    assert_eq!(
        faults("version = 1\n[roles.a]\nmembers = [\n{ linked = true },\n{ claim = \"a\" }]\n"),
        [(4, Problem::NoWorkerClaim), (5, Problem::Member)]
    );
    assert_eq!(faults("version = 1\n[worker]\nclaim = \"a\"\nby = \"external_id\"\n"), [(4, Problem::NamedBy)]);
    assert!(matches!(faults("version = 1\n\n[roles.a\n").as_slice(), [(3, Problem::Form(_))]));
    assert!(matches!(faults(&"#".repeat(2 << 20)).as_slice(), [(1, Problem::TooLong)]));
    let many: String = (0..65).map(|number| format!("[roles.r{number}]\n")).collect();
    assert!(
        faults(&format!("version = 1\n{many}"))
            .iter()
            .any(|(_, problem)| matches!(problem, Problem::TooMany("roles", _)))
    );
}

fn says(said: &[(String, &str)]) {
    for (said, expected) in said {
        assert!(said.contains(expected), "{said:?} does not say {expected:?}");
    }
}

#[test]
fn claims_are_found_by_path_list_and_issuer() {
    let policy = Policy::parse(
        "policy.toml",
        r#"
version = 1
[worker]
claim = "hr.id"
by = "external_id"
system = "hris"
[roles.path]
members = [{ claim = "realm_access.roles", value = "hr" }]
[roles.dotted]
members = [{ claim = "https://example.org/groups", value = "hr", issuer = "https://a.example" }]
[roles.scoped]
members = [{ claim = "scope", value = "read" }]
[roles.everybody]
members = [{ anyone = true }]
[roles.linked]
members = [{ linked = true }]
"#,
    )
    .expect("a policy");
    let roles = |issuer: &str, claims: serde_json::Value| {
        let caller =
            Caller::new("ada", []).of_issuer(issuer).with_claims(claims.as_object().cloned().expect("an object"));
        let viewer = policy.viewer(&caller, None);
        (viewer.roles().iter().map(ToString::to_string).collect::<Vec<_>>().join(" "), viewer.worker().cloned())
    };
    assert_eq!(roles("x", json!({})), ("everybody".to_owned(), None));
    assert_eq!(roles("x", json!({"realm_access": {"roles": ["a", "hr"]}})).0, "everybody path");
    assert_eq!(roles("x", json!({"realm_access": {"roles": "hrx"}})).0, "everybody");
    assert_eq!(roles("https://a.example", json!({"https://example.org/groups": ["hr"]})).0, "dotted everybody");
    assert_eq!(roles("https://b.example", json!({"https://example.org/groups": ["hr"]})).0, "everybody");
    assert_eq!(roles("x", json!({"scope": "write read"})).0, "everybody scoped");
    assert_eq!(roles("x", json!({"scope": "readable"})).0, "everybody");
    let worker = WorkerName::ExternalId { system: "hris".to_owned(), id: "7".to_owned() };
    assert_eq!(roles("x", json!({"hr": {"id": "7"}})), ("everybody linked".to_owned(), Some(worker)));
    assert_eq!(roles("x", json!({"hr": {"id": "7".repeat(300)}})), ("everybody".to_owned(), None));
}

#[test]
fn the_committed_policies_do_what_their_cases_say() {
    let example = Policy::parse("policy.toml", EXAMPLE).expect("the example is a policy");
    for (policy, name, cases) in
        [(example, "policy-cases.toml", EXAMPLE_CASES), (default(), "default-policy-cases.toml", DEFAULT_CASES)]
    {
        let outcomes = run_cases(&policy, name, cases).expect("cases");
        for outcome in &outcomes {
            assert!(outcome.passed, "{name}:{}: {} ({})", outcome.line, outcome.name, outcome.reason);
        }
        assert!(outcomes.iter().any(|outcome| outcome.allowed) && outcomes.iter().any(|outcome| !outcome.allowed));
    }
}

#[test]
fn a_case_that_does_not_hold_fails_and_one_that_makes_no_sense_is_named() {
    let case = |rest: &str| format!("[[cases]]\nname = \"a\"\n{rest}");
    let run = |text: &str| run_cases(&default(), "cases.toml", text);
    let denied = run(&case("action = \"read\"\nkind = \"Worker\"\nexpect = \"allow\"\n")).expect("cases");
    assert!(!denied[0].passed && !denied[0].allowed && denied[0].line == 1);
    for (rest, said) in [
        ("action = \"see\"\nexpect = \"allow\"\n", "`see` is no action"),
        ("action = \"read\"\nexpect = \"allow\"\n", "`kind` is missing"),
        ("action = \"read\"\nkind = \"Wrker\"\nexpect = \"deny\"\n", "`Wrker` is no kind"),
        ("action = \"read\"\nkind = \"Worker\"\nexpect = \"maybe\"\n", "maybe"),
    ] {
        let error = run(&case(rest)).expect_err("no case").to_string();
        assert!(error.starts_with("cases.toml:") && error.contains(said), "{error}");
    }
    assert!(run("cases = []\n").is_err());
}

#[test]
fn the_schema_knows_what_the_parser_reads() {
    let schema: serde_json::Value = serde_json::from_str(include_str!("../policy.schema.json")).expect("JSON");
    let names = |pointer: &str| -> Vec<String> {
        let list = schema.pointer(pointer).and_then(serde_json::Value::as_array).expect(pointer);
        list.iter().map(|name| name.as_str().expect("a name").to_owned()).collect()
    };
    let keys = |pointer: &str| -> Vec<String> {
        let object = schema.pointer(pointer).and_then(serde_json::Value::as_object).expect(pointer);
        object.keys().cloned().collect()
    };
    assert_eq!(names("/$defs/action/enum"), Action::ALL.map(Action::name));
    assert_eq!(names("/$defs/scope/enum"), Scope::ALL.map(Scope::name));
    let mut kinds: Vec<&str> = Kind::ALL.iter().map(|kind| kind.info().name).collect();
    kinds.insert(0, "*");
    assert_eq!(names("/$defs/kind/enum"), kinds);
    let purposes: Vec<&str> =
        std::iter::once("*").chain(crate::policy::purposes().map(crate::policy::purpose_name)).collect();
    assert_eq!(names("/$defs/purpose/enum"), purposes);
    // The parser names what it takes when it is given something else.
    for (pointer, text) in [
        ("/properties", "version = 1\nx = 1\n"),
        ("/$defs/worker/properties", "version = 1\n[worker]\nclaim = \"a\"\nby = \"key\"\nx = 1\n"),
        ("/$defs/role/properties", "version = 1\n[roles.a]\nx = 1\n"),
        ("/$defs/member/properties", "version = 1\n[roles.a]\nmembers = [{ x = 1 }]\n"),
        ("/$defs/allow/properties", "version = 1\n[roles.a]\nallow = [{ x = 1 }]\n"),
    ] {
        let said = Policy::parse("policy.toml", text).expect_err("an unknown name").to_string();
        for key in keys(pointer) {
            assert!(said.contains(&format!("`{key}`")), "{said} does not know `{key}`");
        }
        let parent = pointer.trim_end_matches("/properties");
        assert_eq!(schema.pointer(&format!("{parent}/additionalProperties")), Some(&json!(false)), "{pointer}");
    }
}

#[test]
fn the_handle_follows_its_file_and_keeps_the_last_policy_while_that_is_broken() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("policy.toml");
    let reads =
        "version = 1\n[roles.a]\nmembers = [{ anyone = true }]\nallow = [{ actions = [\"read\"], scope = \"all\" }]\n";
    std::fs::write(&path, reads).expect("written");
    let handle = PolicyHandle::open(Some(&path)).expect("a policy");
    let may = || handle.load().viewer(&Caller::new("ada", []), None).may(Action::Read, Kind::Role);
    assert!(may() && handle.is_watched() && !handle.look());
    std::fs::write(&path, "version = 1\n").expect("written");
    assert!(handle.look() && !may());
    std::fs::write(&path, "version = 7\n").expect("written");
    assert!(!handle.look() && !may());
    std::fs::remove_file(&path).expect("removed");
    assert!(!handle.look() && !may());
    std::fs::write(&path, reads).expect("written");
    assert!(handle.look() && may());
    std::fs::write(&path, "roles").expect("written");
    let error = PolicyHandle::open(Some(&path)).expect_err("no policy").to_string();
    assert!(error.contains("policy.toml:1:"), "{error}");
    assert!(!PolicyHandle::open(None).expect("the default").is_watched());
}

/// An entry of a policy, by numbers.
#[derive(Clone, Debug)]
struct Entry {
    kind: usize,
    action: usize,
    scope: usize,
    fields: Option<Vec<usize>>,
}

const KINDS: [Kind; 3] = [Kind::Worker, Kind::SkillAssertion, Kind::Initiative];
const ACTIONS: [Action; 5] = [Action::Read, Action::Identify, Action::Create, Action::Update, Action::Retire];

impl Entry {
    fn text(&self) -> String {
        let (kind, action, scope) = (KINDS[self.kind], ACTIONS[self.action], Scope::ALL[self.scope]);
        let fields = match &self.fields {
            Some(fields) if action != Action::Retire => {
                let names: Vec<_> =
                    fields.iter().map(|at| kind.info().fields().nth(*at).expect("a field").name).collect();
                format!(", fields = {names:?}")
            }
            _ => String::new(),
        };
        let purposes = if action == Action::Identify { ", purposes = [\"*\"]" } else { "" };
        format!(
            "  {{ kinds = [\"{}\"], actions = [\"{}\"], scope = \"{}\"{fields}{purposes} }},\n",
            kind.info().name,
            action.name(),
            scope.name()
        )
    }
}

fn entry() -> impl Strategy<Value = Entry> {
    let fields = proptest::option::of(proptest::collection::vec(0..14_usize, 1..4));
    (0..KINDS.len(), 0..ACTIONS.len(), 0..Scope::ALL.len(), fields).prop_map(|(kind, action, scope, fields)| Entry {
        kind,
        action,
        scope,
        fields,
    })
}

fn viewer_of(entries: &[Entry]) -> Viewer {
    let allow: String = entries.iter().map(Entry::text).collect();
    let text = format!("version = 1\n[roles.a]\nmembers = [{{ anyone = true }}]\nallow = [\n{allow}]\n");
    let policy = Policy::parse("policy.toml", &text).expect("a policy");
    policy.viewer(&Caller::new("ada", []), Some(Purpose::SkillDevelopment))
}

/// Everything that a viewer may, one thing at a time.
fn all_that_is_allowed(viewer: &Viewer) -> Vec<(usize, usize, u8, usize)> {
    let mut allowed = Vec::new();
    for (at, kind) in KINDS.into_iter().enumerate() {
        let record = Record::empty(kind);
        let entity = record.entity().expect("an entity");
        for bits in 0..8_u8 {
            let scopes = [Scope::OwnOrgSubtree, Scope::OwnRecord, Scope::OwnInitiatives].into_iter().enumerate();
            let scopes: ScopeSet = scopes.filter(|(at, _)| bits & 1 << at != 0).map(|(_, scope)| scope).collect();
            let seen = viewer.seen_fields(kind, scopes);
            for field in kind.info().fields() {
                if seen.is_some_and(|seen| seen.contains(field.index)) {
                    allowed.push((at, 0, bits, field.index));
                }
                for (place, action) in ACTIONS.into_iter().enumerate().filter(|(_, action)| action.is_write()) {
                    let fields = FieldSet::from_iter([field.index]);
                    if viewer.check_write(action, kind, fields, &[(scopes, entity)]).is_ok() {
                        allowed.push((at, place, bits, field.index));
                    }
                }
            }
        }
    }
    allowed
}

/// What an entry by itself allows, as the words of a policy say, apart from everything above.
fn allows(entry: &Entry, kind: usize, action: Action, bits: u8, field: usize) -> bool {
    let in_scope = entry.scope == 0 || bits & 1 << (entry.scope - 1) != 0;
    let numbers = |at: &usize| KINDS[entry.kind].info().fields().nth(*at).map(|field| field.index);
    let has_field = match &entry.fields {
        Some(fields) if ACTIONS[entry.action] != Action::Retire => fields.iter().any(|at| numbers(at) == Some(field)),
        _ => true,
    };
    let of_itself = action == Action::Read && KINDS[kind].info().field(field).is_some_and(|info| !info.writable);
    let has_field = has_field || of_itself;
    // No policy shows more than the register has for the purpose.
    let has_purpose = action != Action::Identify || {
        let personal = KINDS[kind].info().personal(field);
        personal.is_some_and(|personal| personal.purposes.contains(&Purpose::SkillDevelopment))
    };
    entry.kind == kind && ACTIONS[entry.action] == action && in_scope && has_field && has_purpose
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_allowed_is_what_some_entry_allows(entries in proptest::collection::vec(entry(), 0..6)) {
        let allowed = all_that_is_allowed(&viewer_of(&entries));
        let mut expected = Vec::new();
        for (at, kind) in KINDS.into_iter().enumerate() {
            for bits in 0..8_u8 {
                for field in kind.info().fields() {
                    let some = |action| entries.iter().any(|entry| allows(entry, at, action, bits, field.index));
                    for (place, action) in ACTIONS.into_iter().enumerate().filter(|(_, action)| *action != Action::Identify) {
                        let identifies = action == Action::Read && kind.info().identifies(field.index);
                        if some(action) && (!identifies || some(Action::Identify)) {
                            expected.push((at, place, bits, field.index));
                        }
                    }
                }
            }
        }
        prop_assert_eq!(allowed, expected);
    }

    #[test]
    fn one_entry_more_takes_nothing_away(entries in proptest::collection::vec(entry(), 0..6), more in entry()) {
        let before = all_that_is_allowed(&viewer_of(&entries));
        let mut entries = entries;
        entries.push(more);
        let after = all_that_is_allowed(&viewer_of(&entries));
        prop_assert!(before.iter().all(|one| after.contains(one)));
    }

    #[test]
    fn the_order_means_nothing(mut entries in proptest::collection::vec(entry(), 0..6), turn in 0..6_usize) {
        let (viewer, before) = (viewer_of(&entries), entries.clone());
        let length = entries.len().max(1);
        entries.rotate_left(turn % length);
        entries.extend(before.into_iter().take(turn % 3));
        prop_assert_eq!(viewer.key(), viewer_of(&entries).key());
    }
}

#[test]
fn our_own_services_follow_whatever_the_policy_says_and_write_nothing() {
    let service = Caller::new("spil", []).of_issuer(spil_auth::SERVICE_ISSUER);
    let viewer = Policy::nothing().viewer(&service, None);
    assert!(Kind::ALL.iter().all(|kind| viewer.may(Action::Follow, *kind)));
    assert!(Action::ALL.into_iter().filter(|action| action.is_write()).all(|action| !viewer.may_any(action)));
    assert!(!viewer.may_any(Action::Identify));
}

#[test]
fn subjects_name_workers_only_where_the_policy_says_so() {
    let mut record = Record::empty(Kind::Worker);
    let worker = record.entity_mut().expect("a worker");
    let id = uuid::Uuid::from_u128(7);
    let external_ids =
        [("hr", "4711"), ("other", "x")].map(|(system, id)| ExternalId { system: system.into(), id: id.into() });
    worker.set(field::ID, Value::Id(id)).expect("an id");
    worker.set(field::KEY, Value::Text("ada".into())).expect("a text");
    worker.set(field::EXTERNAL_IDS, Value::ExternalIds(external_ids.as_slice().into())).expect("a list");
    worker.set(index(Kind::Worker, "number"), Value::Text("N-1".into())).expect("a text");
    let of = |claim: &str, by: &str| {
        let text = format!("version = 1\n[worker]\nclaim = \"{claim}\"\n{by}\n");
        Policy::parse("test", &text).expect("a policy").subjects_of(&record)
    };
    assert_eq!(of("sub", "by = \"key\""), ["ada"]);
    assert_eq!(of("sub", "by = \"number\""), ["N-1"]);
    assert_eq!(of("sub", "by = \"id\""), [id.to_string()]);
    assert_eq!(of("sub", "by = \"external_id\"\nsystem = \"hr\""), ["4711"]);
    assert_eq!(of("worker", "by = \"key\""), [""; 0]);
    assert_eq!(Policy::nothing().subjects_of(&record), [""; 0]);
}
