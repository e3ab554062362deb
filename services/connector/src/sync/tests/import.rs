//! What an import makes of small files.

use spil_proto::changefeed::v1::Record;

use super::*;

fn example(name: &str) -> Mapping {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings").join(name);
    parsed(&std::fs::read_to_string(path).expect("an example"))
}

fn field<'r>(record: &'r Record, column: &str) -> Value<'r> {
    let entity = record.entity().expect("an entity");
    entity.get(entity.kind().info().field_by_column(column).expect("a field").index)
}

fn found(fake: &Fake, kind: Kind, id: &str) -> Record {
    fake.by_external(kind, id).unwrap_or_else(|| panic!("no {kind:?} {id}"))
}

fn id_of(fake: &Fake, kind: Kind, id: &str) -> Value<'static> {
    Value::Id(found(fake, kind, id).id().expect("an id"))
}

fn ids_of(fake: &Fake, kind: Kind, ids: &[&str]) -> Vec<uuid::Uuid> {
    let mut out: Vec<_> = ids.iter().map(|id| found(fake, kind, id).id().expect("an id")).collect();
    out.sort();
    out
}

fn references(record: &Record, column: &str) -> Vec<uuid::Uuid> {
    let Value::Ids(mut ids) = field(record, column) else { return Vec::new() };
    ids.sort();
    ids
}

const ELEMENTS: &str = "\
id,type,name,parent,folder,gemma_type,gemma_status
f2,BusinessFunction,\"Beheer, intern\",f1,x,Bedrijfsfunctie,
f1,BusinessFunction,Bestuur,,x,,
f3,BusinessFunction,Toezicht,f1,x,,
c1,Capability,Veranderen,,x,,
p1,BusinessProcess,Bedrijfsproces melden,,x,,
p2,BusinessProcess,Bedrijfsproces afhandelen,p1,x,,
a1,ApplicationComponent,Kascomponent,,x,Referentiecomponent,In gebruik
s1,ApplicationService,Betalen,,x,,
s2,ApplicationService,Innen,,x,,
r1,BusinessRole,Kassier,,x,,
";

const RELATIONS: &str = "\
id,type,source,source_type,target,target_type,name
1,Aggregation,f1,BusinessFunction,f2,BusinessFunction,
2,Aggregation,f1,BusinessFunction,f3,BusinessFunction,
3,Aggregation,f2,BusinessFunction,f3,BusinessFunction,
4,Realization,a1,ApplicationComponent,s1,ApplicationService,
5,Realization,a1,ApplicationComponent,s2,ApplicationService,
6,Serving,s1,ApplicationService,f2,BusinessFunction,
7,Serving,s1,ApplicationService,f3,BusinessFunction,
8,Serving,p1,BusinessProcess,f2,BusinessFunction,
9,Serving,a1,ApplicationComponent,p1,BusinessProcess,
10,Assignment,r1,BusinessRole,p1,BusinessProcess,
11,Flow,a1,ApplicationComponent,a1,ApplicationComponent,gegevens
12,Composition,p1,BusinessProcess,p2,BusinessProcess,
13,Association,p1,BusinessProcess,p2,BusinessProcess,
";

#[tokio::test]
async fn elements_and_relations_become_records_and_references() {
    let fake = Fake::default();
    let mapping = example("gemma.toml");
    let all = files(&[("elements.csv", ELEMENTS), ("relations.csv", RELATIONS)]);
    let report = import(&fake, &mapping, &all.paths).await;
    assert_eq!(counts(&report, Kind::Capability), [4, 0, 0, 0, 0]);
    assert_eq!(counts(&report, Kind::Process), [2, 0, 0, 0, 0]);
    assert_eq!(counts(&report, Kind::Application), [1, 0, 0, 0, 0]);
    assert_eq!(counts(&report, Kind::Role), [1, 0, 0, 0, 0]);
    assert_eq!(field(&found(&fake, Kind::Capability, "f2"), "parent_id"), id_of(&fake, Kind::Capability, "f1"));
    let application = found(&fake, Kind::Application, "a1");
    assert_eq!(references(&application, "capability_ids"), ids_of(&fake, Kind::Capability, &["f2", "f3"]));
    assert_eq!(field(&application, "lifecycle"), Value::Enum(3));
    let process = found(&fake, Kind::Process, "p1");
    assert_eq!(references(&process, "capability_ids"), ids_of(&fake, Kind::Capability, &["f2"]));
    assert_eq!(references(&process, "application_ids"), ids_of(&fake, Kind::Application, &["a1"]));
    let role = found(&fake, Kind::Role, "r1");
    assert_eq!(references(&role, "process_ids"), ids_of(&fake, Kind::Process, &["p1"]));
    assert_eq!(
        reasons(&report.warnings.first),
        [
            "relations.csv:4: Capability [source]: `parent_id` of `f3` (`f2`) differs from the value given on line 4 of elements.csv (`f1`); the earlier one counts"
        ]
    );
    let skipped: Vec<_> = report.skipped.iter().map(|skipped| (skipped.first_line, skipped.rows)).collect();
    // Services; a service that serves nothing; the flow; the parts of a process; what no template is for.
    assert_eq!(skipped, [(9, 2), (6, 1), (12, 1), (13, 1), (14, 1)], "{report}");
    assert!(report.skipped[1].reason.contains("nothing is reached through \"serves\""), "{report}");

    // A relation that is gone is gone from the record, although no row speaks of it.
    let written = fake.revision();
    let again = import(&fake, &mapping, &all.paths).await;
    assert_unchanged(&again);
    assert_eq!(fake.revision(), written);
    let fewer: String =
        RELATIONS.lines().filter(|line| !line.starts_with("10,")).map(|line| format!("{line}\n")).collect();
    let all = files(&[("relations.csv", &fewer), ("elements.csv", ELEMENTS)]);
    let report = import(&fake, &mapping, &all.paths).await;
    assert_eq!(counts(&report, Kind::Role), [0, 1, 0, 0, 0]);
    assert!(references(&found(&fake, Kind::Role, "r1"), "process_ids").is_empty());
    // Without the file of relations nothing is said of them.
    let all = files(&[("elements.csv", ELEMENTS)]);
    assert_unchanged(&import(&fake, &mapping, &all.paths).await);
}

const FIRST_YEAR: &str = "\
Senion/Junior,Post Unique Reference,Grade (or equivalent),Job Title,Parent Department,Organisation,Unit,Reports to Senior Post,FTE,PostStatus (derived)
Senior,00002,SCS4,Head,The Department,Office,Board,XX,1,occupied
Senior,10,SCS1,Deputy,The Department,Office,Health ,00002,0.8,occupied
Senior,0,SCS1,Not in Post,The Department,Office,N/A,10,1,occupied
Senior,0,SCS1,Not in Post,The Department,Office,N/A,10,1,occupied
Senior,12,SCS1,Deputy,The Department,Office,Health,12,1,eliminated
Junior,,Range E,Adviser,The Department,Office,Health,10,5.5,
Junior,,Range E,Adviser,The Department,OFFICE,Health,10,5.5,
";

const SECOND_YEAR: &str = "\
Parent Department,Organisation,Unit,Senior/Junior,Post Unique Reference,Grade,Job Title,Reports to Senior Post,FTE
The Department,Office,Board,Senior,00002,SCS4,Head,xx,1
The Department,Office,Board,Senior,10,SCS1,Deputy,00002,1
The Department,Office,Health,Junior,,Range E,Adviser,10,4
";

#[tokio::test]
async fn an_organogram_of_another_year_replaces_the_first() {
    let fake = Fake::default();
    let mapping = example("uk-organogram.toml");
    let first = files(&[("2011.csv", FIRST_YEAR)]);
    let report = import(&fake, &mapping, &first.paths).await;
    assert_eq!(report.rejected.total, 0, "{report}");
    assert_eq!(counts(&report, Kind::Position), [7, 0, 0, 0, 0]);
    assert_eq!(counts(&report, Kind::OrgUnit), [4, 0, 0, 0, 0]);
    let deputy = found(&fake, Kind::Position, "post/10");
    assert_eq!(field(&deputy, "reports_to_id"), id_of(&fake, Kind::Position, "post/00002"));
    assert_eq!(field(&deputy, "is_leadership"), Value::Bool(true));
    assert_eq!(field(&found(&fake, Kind::Position, "post/12"), "reports_to_id"), Value::Null);
    let group = "group/the department/office/health/range e/adviser/10";
    assert_eq!(field(&found(&fake, Kind::Position, group), "fte"), Value::Float(5.5));
    assert_eq!(field(&found(&fake, Kind::Position, &format!("{group} #2")), "fte"), Value::Float(5.5));
    assert_eq!(report.warnings.total, 1, "the name of the organisation is written in two ways: {report}");
    assert_unchanged(&import(&fake, &mapping, &first.paths).await);

    let second = files(&[("2012.csv", SECOND_YEAR)]);
    let report = import(&fake, &mapping, &second.paths).await;
    assert_eq!(counts(&report, Kind::Position), [0, 2, 1, 4, 0], "{report}");
    assert_eq!(fake.all(Kind::Position).len(), 3);
    assert_eq!(counts(&report, Kind::OrgUnit), [0, 0, 4, 0, 0]);
    assert_unchanged(&import(&fake, &mapping, &second.paths).await);
}

#[tokio::test]
async fn skills_are_told_apart_from_groups_and_relations_by_their_headers() {
    let fake = Fake::default();
    let mapping = example("esco-skills.toml");
    let all = files(&[
        (
            "one.csv",
            "conceptType,conceptUri,preferredLabel,status,skillType,reuseLevel,altLabels,description,broaderConceptUri,broaderConceptPT\r\n\
             KnowledgeSkillCompetence,http://x/s1, spreadsheets ,released,skill/competence,cross-sector,,\"two\r\nlines\r\n\",http://x/g2 | http://x/s2 | http://x/none,a | b | c\r\n",
        ),
        (
            "two.csv",
            "conceptType,conceptUri,skillType,reuseLevel,preferredLabel,status,altLabels,description,broaderConceptUri,broaderConceptPT\n\
             KnowledgeSkillCompetence,http://x/s2,knowledge,transversal,office software,released,,,http://x/g1,a\n\
             KnowledgeSkillCompetence,http://x/s1,,,spreadsheets,released,,,http://x/g2,a\n",
        ),
        (
            "three.csv",
            "Level 0 URI,Level 0 preferred term,Level 1 URI,Level 1 preferred term,Level 2 URI,Level 2 preferred term,Level 3 URI,Level 3 preferred term,Description,Scope note,Level 0 code,Level 1 code,Level 2 code,Level 3 code\n\
             http://x/g1,group,,,,,,,,,S\n\
             http://x/g1,group,http://x/g2,part,,,,,Text,,S,S1\n",
        ),
        (
            "four.csv",
            "originalSkillUri,originalSkillType,relationType,relatedSkillType,relatedSkillUri\n\
             http://x/s1,skill,optional,knowledge,http://x/s2\nhttp://x/s1,skill,essential,knowledge,http://x/gone\n",
        ),
    ]);
    let report = import(&fake, &mapping, &all.paths).await;
    assert_eq!(counts(&report, Kind::Skill), [4, 0, 0, 0, 0], "{report}");
    assert_eq!(counts(&report, Kind::SkillRelation), [1, 0, 0, 0, 1], "{report}");
    let skill = found(&fake, Kind::Skill, "http://x/s1");
    assert_eq!(references(&skill, "broader_ids"), ids_of(&fake, Kind::Skill, &["http://x/g2", "http://x/s2"]));
    assert_eq!(field(&skill, "kind"), Value::Enum(3));
    assert_eq!(text(skill.entity().expect("an entity"), "description"), "two\nlines");
    assert_eq!(text(skill.entity().expect("an entity"), "name"), "spreadsheets");
    assert_eq!(
        reasons(&report.rejected.first),
        ["four.csv:3: SkillRelation [relatedSkillUri]: there is no Skill `http://x/gone`"]
    );
    assert_unchanged(&import(&fake, &mapping, &all.paths).await);
}

const STAFF: &[(&str, &str)] = &[
    ("org_unit.csv", "2,OU2,Team,1,2,IT\n1,OU1,Top,,1,BUSINESS\n"),
    ("role.csv", "7,R7,Engineer,Builds,5\n"),
    ("skill.csv", "3,SK3,Writing,SKILL\n"),
    (
        "person.csv",
        "2,E2,Ben,ben@example.org,2,7,1,2020-02-01\n1,E1,Ada,ada@example.org,1,7,,2019-01-01\n3,E3,Cy,cy@example.org,2,99,1,2019-01-01\n",
    ),
    ("person_skill.csv", "1,3,4\n3,3,2\n"),
    ("role_skill.csv", "7,3,3\n"),
];

#[tokio::test]
async fn one_row_feeds_records_that_refer_to_each_other() {
    let fake = Fake::default();
    let mapping = example("staffing.toml");
    let all = files(STAFF);
    let report = import(&fake, &mapping, &all.paths).await;
    // The third person has a role that is not there: so there is no such seat, and nobody holds it.
    assert_eq!(counts(&report, Kind::Worker), [3, 0, 0, 0, 0], "{report}");
    assert_eq!(counts(&report, Kind::Position), [2, 0, 0, 0, 1]);
    assert_eq!(counts(&report, Kind::Assignment), [2, 0, 0, 0, 1]);
    assert_eq!(counts(&report, Kind::SkillAssertion), [2, 0, 0, 0, 0]);
    assert_eq!(
        reasons(&report.rejected.first),
        [
            "person.csv:3: Position [role_id]: there is no Role `99`",
            "person.csv:3: Assignment [id]: there is no Position `3`"
        ]
    );
    let seat = found(&fake, Kind::Position, "2");
    assert_eq!(field(&seat, "reports_to_id"), id_of(&fake, Kind::Position, "1"));
    assert_eq!(field(&seat, "org_unit_id"), id_of(&fake, Kind::OrgUnit, "2"));
    let assignment = found(&fake, Kind::Assignment, "2");
    assert_eq!(field(&assignment, "worker_id"), id_of(&fake, Kind::Worker, "2"));
    assert_eq!(field(&assignment, "position_id"), id_of(&fake, Kind::Position, "2"));
    let again = import(&fake, &mapping, &all.paths).await;
    assert_unchanged(&again);
    assert_eq!(again.rejected.total, 2);
}

#[tokio::test]
async fn a_dry_run_says_the_same_and_writes_nothing() {
    let fake = Fake::that_refuses("Engineer");
    let mapping = example("staffing.toml");
    let all = files(STAFF);
    let planned = dry(&fake, &mapping, &all.paths).await;
    assert_eq!(fake.revision(), 0);
    assert!(Kind::ALL.iter().all(|kind| fake.all(*kind).is_empty()));
    assert_eq!(counts(&planned, Kind::OrgUnit), [2, 0, 0, 0, 0]);
    assert_eq!(counts(&planned, Kind::Role), [0, 0, 0, 0, 1], "the owner's own rules speak: {planned}");
    assert!(planned.to_string().contains("dry run: nothing was written"), "{planned}");
}

#[tokio::test]
async fn records_that_the_owner_refuses_are_told_with_their_line_and_the_others_go_through() {
    let fake = Fake::that_refuses("Engineer");
    let mapping = example("staffing.toml");
    let mut with_other = STAFF.to_vec();
    with_other[1] = ("role.csv", "7,R7,Engineer,Builds,5\n8,R8,Writer,Writes,5\n");
    let all = files(&with_other);
    let report = import(&fake, &mapping, &all.paths).await;
    assert_eq!(counts(&report, Kind::Role), [1, 0, 0, 0, 1], "{report}");
    assert_eq!(counts(&report, Kind::Position), [0, 0, 0, 0, 3], "{report}");
    assert_eq!(counts(&report, Kind::Assignment), [0, 0, 0, 0, 3], "{report}");
    assert_eq!(counts(&report, Kind::Worker), [3, 0, 0, 0, 0], "{report}");
    assert!(
        reasons(&report.rejected.first).contains(&"role.csv:1: Role [name]: is a forbidden name".to_owned()),
        "{report}"
    );
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again_and_nothing_is_made_twice() {
    let fake = Fake::that_loses_answers(2);
    let mapping = example("staffing.toml");
    let all = files(STAFF);
    let report = import(&fake, &mapping, &all.paths).await;
    assert_eq!(counts(&report, Kind::Worker), [3, 0, 0, 0, 0], "{report}");
    assert_eq!(fake.all(Kind::Worker).len(), 3);
}

const UNITS: &str = r#"
name = "units"
[[table]]
name = "units"
[[table.record]]
kind = "OrgUnit"
id = "{id}"
key = "{code?}"
retire_missing = true
[table.record.fields]
name = "{name}"
parent_id = { id = "{parent}", missing = "warn" }
head_id = { id = "{head}", missing = "null" }
[[table]]
name = "seats"
[[table.record]]
kind = "Position"
id = "{seat}"
[table.record.fields]
name = "{seat}"
org_unit_id = { id = "{unit}" }
reports_to_id = { id = "{boss}" }
"#;

#[tokio::test]
async fn circles_among_kinds_are_closed_in_a_second_step_and_circles_in_a_tree_are_cut() {
    let fake = Fake::default();
    let mapping = parsed(UNITS);
    let all = files(&[
        ("units.csv", "id,code,name,parent,head\na,,A,c,1\nb,,B,a,2\nc,,C,b,\nd,,D,d,\n"),
        ("seats.csv", "seat,unit,boss\n2,b,1\n1,a,\n"),
    ]);
    let report = import(&fake, &mapping, &all.paths).await;
    assert_eq!(report.rejected.total, 0, "{report}");
    assert_eq!(counts(&report, Kind::OrgUnit), [4, 0, 0, 0, 0], "{report}");
    assert_eq!(counts(&report, Kind::Position), [2, 0, 0, 0, 0], "{report}");
    assert_eq!(field(&found(&fake, Kind::OrgUnit, "a"), "head_id"), id_of(&fake, Kind::Position, "1"));
    assert_eq!(field(&found(&fake, Kind::Position, "2"), "org_unit_id"), id_of(&fake, Kind::OrgUnit, "b"));
    assert_eq!(report.warnings.total, 2, "{report}");
    assert!(reasons(&report.warnings.first).iter().any(|reason| reason.contains("closes a circle")), "{report}");
    assert!(reasons(&report.warnings.first).iter().any(|reason| reason.contains("refers to itself")), "{report}");
    assert_unchanged(&import(&fake, &mapping, &all.paths).await);
    // A tree that is turned over: every step on the way is a tree too.
    let straight = files(&[("units.csv", "id,code,name,parent,head\na,,A,,1\nb,,B,a,2\nc,,C,b,\nd,,D,,\n")]);
    import(&fake, &mapping, &straight.paths).await;
    let turned = files(&[("units.csv", "id,code,name,parent,head\na,,A,b,1\nb,,B,c,2\nc,,C,,\nd,,D,,\n")]);
    let report = import(&fake, &mapping, &turned.paths).await;
    assert_eq!(counts(&report, Kind::OrgUnit), [0, 3, 1, 0, 0], "{report}");
}

#[tokio::test]
async fn records_are_retired_only_where_that_is_safe() {
    let fake = Fake::default();
    let mapping = parsed(UNITS);
    let row = |number: usize| format!("{number},,Unit {number},,\n");
    let file = |count: usize| {
        let rows: String = (0..count).map(row).collect();
        files(&[("units.csv", &format!("id,code,name,parent,head\n{rows}"))])
    };
    import(&fake, &mapping, &file(100).paths).await;
    // A record of another source is not this mapping's to retire.
    let mut other = Record::empty(Kind::OrgUnit);
    other.entity_mut().expect("an entity").header_mut().id = uuid::Uuid::from_u128(7).as_bytes().to_vec();
    fake.put(other);
    let written = fake.revision();
    let error = attempt(&fake, &mapping, &file(40).paths, None).await.expect_err("too many");
    assert_eq!(
        error.to_string(),
        "60 of 100 records of kind OrgUnit are in the files no more, where at most 20 may be retired (20 % without asking, \
         but always 5 and never more than 50). If nothing is missing from the files, allow it with --allow-retire 60"
    );
    assert_eq!(fake.revision(), written, "nothing was written");
    let planned = dry(&fake, &mapping, &file(40).paths).await;
    assert_eq!(counts(&planned, Kind::OrgUnit), [0, 0, 40, 60, 0]);
    assert!(planned.warnings.first[0].reason.contains("--allow-retire 60"), "{planned}");
    // A file without rows, or with rows that can not be read, says nothing of what is gone.
    let report = import(&fake, &mapping, &file(0).paths).await;
    assert_eq!(counts(&report, Kind::OrgUnit), [0, 0, 0, 0, 0]);
    assert!(report.warnings.first[0].reason.contains("units.csv has no rows"), "{report}");
    let broken = files(&[("units.csv", "id,code,name,parent,head\n1,,Unit 1,,\n2,,Unit, 2,,,x\n")]);
    let report = import(&fake, &mapping, &broken.paths).await;
    assert_eq!(counts(&report, Kind::OrgUnit), [0, 0, 1, 0, 0], "{report}");
    // A row that is refused still says that its record is there.
    let long = "x".repeat(5000);
    let refused = files(&[(
        "units.csv",
        &format!("id,code,name,parent,head\n{}99,,{long},,\n", (0..60).map(row).collect::<String>()),
    )]);
    let report = attempt(&fake, &mapping, &refused.paths, Some(39)).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(counts(&report, Kind::OrgUnit), [0, 0, 60, 39, 1], "{report}");
    let report = attempt(&fake, &mapping, &file(2).paths, Some(59)).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(counts(&report, Kind::OrgUnit), [0, 0, 2, 59, 0], "{report}");
    assert_eq!(fake.all(Kind::OrgUnit).len(), 3);
}

#[tokio::test]
async fn a_file_that_was_cut_short_retires_nearly_nobody() {
    let mapping = parsed(UNITS);
    let file = |count: usize| {
        let rows: String = (0..count).map(|number| format!("{number},,Unit {number},,\n")).collect();
        files(&[("units.csv", &format!("id,code,name,parent,head\n{rows}"))])
    };
    // How many there were, and how many may be gone without asking: 5 of a short list, a fifth, 50 of a long one.
    for (before, freely) in [(6, 5), (10, 5), (29, 5), (30, 6), (45, 9), (249, 49), (250, 50), (300, 50)] {
        let fake = Fake::default();
        import(&fake, &mapping, &file(before).paths).await;
        let written = fake.revision();
        let too_few = before - freely - 1;
        for left in [1, too_few].into_iter().filter(|left| (1..=too_few).contains(left)) {
            let gone = before - left;
            let error = attempt(&fake, &mapping, &file(left).paths, None).await.expect_err("too many");
            let said = error.to_string();
            assert!(said.starts_with(&format!("{gone} of {before} records of kind OrgUnit")), "{said}");
            assert!(said.contains(&format!("at most {freely} may")), "{said}");
            assert!(said.ends_with(&format!("--allow-retire {gone}")), "{said}");
            attempt(&fake, &mapping, &file(left).paths, Some(gone - 1)).await.expect_err("one too many");
        }
        assert_eq!((fake.revision(), fake.all(Kind::OrgUnit).len()), (written, before), "nothing was written");
        let report = import(&fake, &mapping, &file(before - freely).paths).await;
        assert_eq!(counts(&report, Kind::OrgUnit), [0, 0, (before - freely) as u64, freely as u64, 0], "{report}");
    }
}

#[tokio::test]
async fn rows_that_disagree_are_told_with_the_record_both_lines_and_both_values() {
    let fake = Fake::default();
    let mapping = |conflict: &str| {
        parsed(&format!(
            "name = \"t\"\n[[table]]\nname = \"t\"\n[[table.record]]\nkind = \"Role\"\nid = \"{{id}}\"\n[table.record.fields]\n\
             name = {{ column = \"name\"{conflict} }}\ntags = [\"{{tag}}\"]\n"
        ))
    };
    let all = files(&[("roles.csv", "id,name,tag\n1,One,a\n1,,b\n1,Uno,a\n1,Uno,c\n")]);
    let report = import(&fake, &mapping(""), &all.paths).await;
    assert_eq!(
        reasons(&report.warnings.first),
        [
            "roles.csv:4: Role [name]: `name` of `1` (`Uno`) differs from the value given on line 2 (`One`); this one counts"
        ]
    );
    let role = found(&fake, Kind::Role, "1");
    assert_eq!(text(role.entity().expect("an entity"), "name"), "Uno");
    assert_eq!(field(&role, "tags"), Value::Texts(vec!["a".to_owned(), "b".to_owned(), "c".to_owned()].into()));
    let report = import(&fake, &mapping(", conflict = \"first\""), &all.paths).await;
    assert_eq!(counts(&report, Kind::Role), [0, 1, 0, 0, 0]);
    assert_eq!(
        reasons(&report.warnings.first)[0],
        "roles.csv:4: Role [name]: `name` of `1` (`Uno`) differs from the value given on line 2 (`One`); the earlier one counts"
    );
    let report = import(&fake, &mapping(", conflict = \"reject\""), &all.paths).await;
    assert_eq!(counts(&report, Kind::Role), [0, 1, 0, 0, 2], "the tag of a refused row is refused too: {report}");
    assert_eq!(
        reasons(&report.rejected.first)[0],
        "roles.csv:4: Role [name]: `name` of `1` (`Uno`) differs from the value given on line 2 (`One`)"
    );
}

#[tokio::test]
async fn values_of_every_type_are_told_as_a_file_has_them_but_long_and_personal_ones_are_not() {
    let warnings = async |kind: &str, column: &str, one: &str, other: &str| {
        let mapping = parsed(&format!(
            "name = \"t\"\n[[table]]\nname = \"t\"\n[[table.record]]\nkind = \"{kind}\"\nkey = \"{{key}}\"\n\
             [table.record.fields]\nname = \"{{key}}\"\n{column} = {{ column = \"value\" }}\n"
        ));
        let all = files(&[("t.csv", &format!("key,value\nK1,{one}\nK1,{other}\n"))]);
        let report = dry(&Fake::default(), &mapping, &all.paths).await;
        assert_eq!(report.warnings.total, 1, "{report}");
        report.warnings.first[0].reason.clone()
    };
    let told = |column: &str, one: &str, other: &str| {
        format!("`{column}` of `K1` (`{other}`) differs from the value given on line 2 (`{one}`); this one counts")
    };
    for (kind, column, one, other) in [
        ("Application", "lifecycle", "ACTIVE", "PHASE_OUT"),
        ("Position", "fte", "0.5", "1"),
        ("Position", "is_leadership", "true", "false"),
        ("Objective", "horizon", "1969-12-31", "2030-02-28"),
        ("Benefit", "value", "10.5", "-3"),
    ] {
        assert_eq!(warnings(kind, column, one, other).await, told(column, one, other));
    }
    let long = "ë".repeat(100);
    let cut = "ë".repeat(80) + "…";
    assert_eq!(warnings("Role", "description", &long, "short").await, told("description", &cut, "short"));
    assert_eq!(
        warnings("Worker", "email", "ada@example.org", "ben@example.org").await,
        "`email` of `K1` differs from the value given on line 2; this one counts"
    );
}

#[tokio::test]
async fn records_made_by_hand_are_taken_over_by_key_and_keep_what_the_mapping_does_not_speak_of() {
    let fake = Fake::default();
    let mut by_hand = Record::empty(Kind::Role);
    {
        let entity = by_hand.entity_mut().expect("an entity");
        let header = entity.header_mut();
        header.id = uuid::Uuid::from_u128(7).as_bytes().to_vec();
        header.key = Some("R1".into());
        header.description = Some("by hand".into());
        header.tags = vec!["mine".into()];
        header.external_ids = vec![spil_proto::model::ExternalId { system: "hr".into(), id: "17".into() }];
        header.version = 4;
    }
    fake.put(by_hand);
    let mapping = parsed(
        "name = \"t\"\n[[table]]\nname = \"t\"\n[[table.record]]\nkind = \"Role\"\nid = \"{id}\"\nkey = \"{code}\"\ntranslations.nl = \"{naam}\"\n\
         [table.record.fields]\nname = \"{name}\"\ntags = { column = \"tag\", add = true }\nlevel = { column = \"level\", empty = \"keep\" }\n",
    );
    let all = files(&[("roles.csv", "id;code;name;naam;tag;level\n1;R1;One;Een;new;\n2;R1;Two;Twee;;3\n")]);
    let report = import(&fake, &mapping, &all.paths).await;
    assert_eq!(counts(&report, Kind::Role), [0, 1, 0, 0, 1], "{report}");
    let roles = fake.all(Kind::Role);
    assert_eq!(roles.len(), 1);
    let header = roles[0].entity().and_then(Entity::header).expect("a header");
    assert_eq!(header.description.as_deref(), Some("by hand"));
    assert_eq!(header.name.as_deref(), Some("One"));
    assert_eq!(header.translations.len(), 1);
    let mut tags = header.tags.clone();
    tags.sort();
    assert_eq!(tags, ["mine", "new"]);
    assert_eq!(header.external_ids.len(), 2);
    assert_unchanged(&import(&fake, &mapping, &all.paths).await);
}

#[tokio::test]
async fn files_that_no_table_is_for_are_refused_before_anything_is_read() {
    let fake = Fake::default();
    let all = files(&[("elements.csv", "id,typ,name\n1,a,b\n"), ("other.csv", "a\n1\n")]);
    let error = attempt(&fake, &example("gemma.toml"), &all.paths, None).await.expect_err("no table");
    let message = error.to_string();
    assert!(message.contains("\"elements\" needs the columns"), "{message}");
    assert!(message.contains("`type`"), "{message}");
    let missing = [all.folder.path().join("nowhere-elements.csv")];
    let error = attempt(&fake, &example("gemma.toml"), &missing, None).await.expect_err("no file");
    assert!(matches!(error, ImportError::Map(_)), "{error}");
}
