//! Walks whole organisations and holds every record against the model table and the rules of the domain.

use std::collections::{HashMap, HashSet};

use spil_proto::{
    changefeed::v1::{Action, Command, record::Entity as Any},
    initiative::v1::{GateOutcome, InitiativeStage, Stakeholder},
    model::{Entity, ExternalId, FieldType, Kind, Owner, TextFormat, Value},
};
use uuid::Uuid;

use super::*;

const TODAY: i32 = 20_780;

fn demo(seed: u64, workers: usize) -> Demo {
    Demo::new(seed, DemoSize::new(workers).unwrap(), TODAY)
}

fn all(demo: &Demo) -> Vec<Command> {
    Owner::ALL.into_iter().flat_map(|owner| demo.commands(owner)).collect()
}

fn entity(command: &Command) -> &dyn Entity {
    command.values.as_ref().unwrap().entity().unwrap()
}

/// The records that are created, by kind and id, in order.
fn created(commands: &[Command]) -> Vec<(Kind, Uuid, &Command)> {
    commands.iter().filter_map(|command| seed::created(command).map(|(kind, id)| (kind, id, command))).collect()
}

fn references(record: &dyn Entity) -> Vec<(Kind, Uuid)> {
    let mut found = Vec::new();
    for field in record.kind().info().own {
        match (field.ty, record.get(field.index)) {
            (FieldType::Ref(to), Value::Id(id)) => found.push((to, id)),
            (FieldType::RefList(to), Value::Ids(ids)) => {
                assert!(ids.is_sorted(), "{} is out of order", field.column);
                found.extend(ids.into_iter().map(|id| (to, id)));
            }
            _ => {}
        }
    }
    found
}

fn any(command: &Command) -> &Any {
    command.values.as_ref().unwrap().entity.as_ref().unwrap()
}

/// Where each initiative stands after the decisions at its gates, in the order of their numbers.
fn stages(commands: &[Command]) -> Vec<InitiativeStage> {
    let mut order = Vec::new();
    let mut reached: HashMap<Uuid, (InitiativeStage, Option<i32>)> = HashMap::new();
    for (_, id, command) in created(commands) {
        match any(command) {
            Any::Initiative(initiative) => {
                assert_eq!(initiative.stage(), InitiativeStage::Idea, "an initiative begins as an idea");
                reached.insert(id, (initiative.stage(), None));
                order.push(id);
            }
            Any::GateDecision(made) => {
                let of = Uuid::from_slice(made.initiative_id.as_ref().unwrap()).unwrap();
                let (stage, last) = reached.get_mut(&of).unwrap();
                assert_eq!(made.decided_at.is_some(), made.decision() != GateOutcome::Unspecified, "{made:?}");
                if let Some(day) = made.decided_at {
                    assert!(day <= TODAY && last.is_none_or(|last| last <= day), "{made:?}");
                    *last = Some(day);
                }
                match made.decision() {
                    GateOutcome::Go => assert!(*stage as i32 + 1 == made.to_stage, "{made:?}"),
                    GateOutcome::Stop => assert_eq!(made.to_stage(), InitiativeStage::Stopped),
                    _ => continue,
                }
                *stage = made.to_stage();
            }
            _ => {}
        }
    }
    order.iter().map(|id| reached[id].0).collect()
}

fn sizes() -> impl Iterator<Item = (u64, usize)> {
    [(1, 50), (2, 51), (3, 137), (4, 500), (5, 2_345), (6, 6_000)].into_iter()
}

#[test]
fn a_size_is_between_fifty_and_two_hundred_thousand() {
    assert_eq!(DemoSize::new(49), Err(UnfitSize(49)));
    assert_eq!(DemoSize::new(200_001), Err(UnfitSize(200_001)));
    assert_eq!(DemoSize::new(50).map(DemoSize::workers), Ok(50));
    assert_eq!(DemoSize::new(200_000).map(DemoSize::workers), Ok(200_000));
    assert_eq!(UnfitSize(7).to_string(), "7 workers; the demo organisation has 50 to 200000");
}

#[test]
fn the_same_seed_gives_the_same_commands() {
    assert!(all(&demo(7, 300)) == all(&demo(7, 300)));
    let ids = |seed, workers| -> HashSet<(Kind, Uuid)> {
        created(&all(&demo(seed, workers))).into_iter().map(|(kind, id, _)| (kind, id)).collect()
    };
    assert!(ids(7, 300).is_disjoint(&ids(8, 300)));
    assert!(ids(7, 300).is_disjoint(&ids(7, 301)));
}

/// The ids must outlive every version: they are how a second start finds what the first has sent.
#[test]
fn ids_stay_as_they_are() {
    let first = all(&demo(42, 50)).into_iter().next().unwrap();
    assert_eq!(seed::created(&first).unwrap().1.to_string(), "019b76da-a800-7000-8a37-2ddfb477a49c");
}

#[test]
fn ids_and_keys_do_not_depend_on_the_day() {
    let names = |today| -> Vec<(Kind, Uuid, Option<String>)> {
        let commands = all(&Demo::new(3, DemoSize::new(120).unwrap(), today));
        created(&commands)
            .into_iter()
            // Measurements are taken as time goes by.
            .filter(|(kind, ..)| *kind != Kind::Measurement)
            .map(|(kind, id, command)| (kind, id, entity(command).header().unwrap().key.clone()))
            .collect()
    };
    assert!(names(TODAY) == names(TODAY + 40));
}

#[test]
fn every_reference_leads_to_a_record_and_within_an_owner_to_an_earlier_one() {
    for (seed, workers) in sizes() {
        let commands = all(&demo(seed, workers));
        let known: HashSet<(Kind, Uuid)> = created(&commands).into_iter().map(|(kind, id, _)| (kind, id)).collect();
        let mut earlier = HashSet::new();
        for command in &commands {
            let record = entity(command);
            for (to, id) in references(record) {
                assert!(known.contains(&(to, id)), "{:?} refers to a {to:?} that is not there", record.kind());
                if to.info().owner == record.kind().info().owner {
                    assert!(earlier.contains(&(to, id)), "{:?} refers to a later {to:?}", record.kind());
                }
            }
            earlier.extend(seed::created(command));
        }
    }
}

#[test]
fn ids_keys_and_external_ids_are_unique() {
    for (seed, workers) in sizes() {
        let commands = all(&demo(seed, workers));
        let mut ids = HashSet::new();
        let mut keys = HashSet::new();
        let mut external = HashSet::new();
        let mut emails = HashSet::new();
        for (kind, id, command) in created(&commands) {
            assert_eq!((id.get_version_num(), id.get_variant()), (7, uuid::Variant::RFC4122));
            assert!(ids.insert((kind, id)), "{kind:?} {id} twice");
            let header = entity(command).header().unwrap();
            assert!(header.key.iter().all(|key| keys.insert((kind, key.clone()))), "{:?} twice", header.key);
            for ExternalId { system, id } in &header.external_ids {
                assert!(external.insert((kind, system.clone(), id.clone())), "{system} {id} twice");
            }
            if let Any::Worker(worker) = any(command) {
                let email = worker.email.clone().unwrap();
                assert!(email.is_ascii() && email.split('@').count() == 2 && !email.contains(".."), "{email}");
                assert!(emails.insert(email));
            }
        }
    }
}

#[test]
fn every_value_is_within_the_model() {
    for (seed, workers) in sizes() {
        for command in all(&demo(seed, workers)) {
            let record = entity(&command);
            let info = record.kind().info();
            let is_creation = command.action() == Action::Create;
            assert!(is_creation || command.fields == ["head_id"]);
            for field in info.fields() {
                let value = record.get(field.index);
                let name = format!("{}.{}: {value:?}", info.name, field.column);
                assert!(!(is_creation && field.required && value.is_null()), "{name}");
                let number = match &value {
                    Value::Int(number) => Some(*number as f64),
                    Value::Float(number) => Some(*number),
                    Value::Text(text) if matches!(field.ty, FieldType::Decimal) => panic!("{text} is no number"),
                    _ => None,
                };
                if let (Some(number), true) = (number, field.writable) {
                    assert!(number.is_finite() && field.min.is_none_or(|least| number >= least), "{name}");
                    assert!(field.max.is_none_or(|most| number <= most), "{name}");
                }
                let texts: Vec<&str> = match &value {
                    Value::Text(text) => vec![text],
                    Value::Texts(texts) => texts.iter().map(String::as_str).collect(),
                    _ => Vec::new(),
                };
                for text in texts {
                    assert!(!text.is_empty() && text.trim() == text && text.len() <= field.max_length, "{name}");
                    assert!(
                        !text.chars().any(|letter| letter.is_control() || ('\u{300}'..'\u{370}').contains(&letter)),
                        "{name}"
                    );
                    match field.format {
                        TextFormat::Uri => assert!(text.starts_with("http"), "{name}"),
                        TextFormat::Currency => assert_eq!(text, "EUR"),
                        _ => {}
                    }
                }
                match (field.ty, &value) {
                    (FieldType::Enum(list), Value::Enum(number)) => assert!(list.name_of(*number).is_some(), "{name}"),
                    (FieldType::EnumList(list), Value::Enums(numbers)) => {
                        assert!(numbers.is_sorted() && numbers.iter().all(|&n| list.name_of(n).is_some()), "{name}");
                    }
                    _ => {}
                }
            }
        }
    }
}

#[test]
fn every_kind_and_every_field_occurs() {
    let small = all(&demo(1, 50));
    let kinds: HashSet<Kind> = small.iter().map(|command| entity(command).kind()).collect();
    assert_eq!(kinds.len(), Kind::ALL.len());
    let larger = all(&demo(1, 1_000));
    for kind in Kind::ALL {
        for field in kind.info().own.iter().chain(kind.info().one_way) {
            let occurs =
                larger.iter().map(entity).any(|record| record.kind() == *kind && !record.get(field.index).is_null());
            assert!(occurs, "no {}.{}", kind.info().name, field.column);
        }
    }
    let stages: HashSet<i32> = stages(&small).into_iter().map(|stage| stage as i32).collect();
    assert_eq!(stages, (InitiativeStage::Idea as i32..=InitiativeStage::Stopped as i32).collect());
}

fn before(from: Option<i32>, to: Option<i32>) -> bool {
    from.zip(to).is_none_or(|(from, to)| from < to)
}

#[test]
fn dates_are_in_order() {
    for (seed, workers) in sizes() {
        let commands = all(&demo(seed, workers));
        let mut stages = stages(&commands).into_iter();
        for command in commands {
            match any(&command) {
                Any::Application(application) => {
                    let life = [
                        application.plan_from,
                        application.phase_in_from,
                        application.active_from,
                        application.phase_out_from,
                        application.end_of_life_from,
                    ];
                    let known: Vec<i32> = life.into_iter().flatten().collect();
                    assert!(known.is_sorted_by(|a, b| a < b), "{life:?}");
                    // The stage it is in has begun, and no later one has.
                    let stage = application.lifecycle as usize - 1;
                    assert!(life[stage].is_some_and(|day| day <= TODAY), "{application:?}");
                    assert!(life[stage + 1..].iter().flatten().all(|&day| day > TODAY), "{application:?}");
                    assert!(application.is_ai_system == Some(true) || application.ai_risk_class == 0);
                }
                Any::Assignment(assignment) => assert!(before(assignment.from, assignment.to), "{assignment:?}"),
                Any::SkillAssertion(assertion) => {
                    assert!(before(assertion.assessed_at, assertion.expires_at));
                    assert!(assertion.assessed_at.unwrap() <= TODAY);
                }
                Any::Initiative(initiative) => {
                    assert!(before(initiative.start, initiative.end), "{initiative:?}");
                    assert_eq!(initiative.budget.is_some(), initiative.currency.is_some());
                    let ended = initiative.end.is_some_and(|end| end <= TODAY);
                    let is_over = matches!(stages.next(), Some(InitiativeStage::Run | InitiativeStage::Stopped));
                    assert_eq!(ended, is_over, "{initiative:?}");
                }
                Any::Stakeholder(stakeholder) => assert!(before(stakeholder.from, stakeholder.to), "{stakeholder:?}"),
                Any::Benefit(benefit) => {
                    assert!(before(benefit.baseline_at, benefit.target_at));
                    assert_eq!(benefit.baseline_value.is_some(), benefit.baseline_at.is_some());
                    assert_eq!(benefit.target_value.is_some(), benefit.target_at.is_some());
                    assert_eq!(benefit.value.is_some(), benefit.currency.is_some());
                }
                Any::Measurement(measurement) => assert!(measurement.at.unwrap() <= TODAY),
                Any::Spend(spend) => assert!(spend.at.unwrap() <= TODAY, "{spend:?}"),
                Any::LearningEvent(event) => assert!(event.completed_at.unwrap() < i64::from(TODAY) * 86_400_000_000),
                Any::PulseWave(wave) => assert!(before(wave.from, wave.to) && wave.to.unwrap() <= TODAY),
                _ => {}
            }
        }
    }
}

#[test]
fn pairs_are_unique_and_shares_add_up() {
    for (seed, workers) in sizes() {
        let commands = all(&demo(seed, workers));
        let mut pairs = HashSet::new();
        let mut shares: HashMap<Vec<u8>, f64> = HashMap::new();
        let mut measured = HashMap::new();
        let mut fte: HashMap<Vec<u8>, f64> = HashMap::new();
        for (kind, id, command) in created(&commands) {
            let pair = match any(command) {
                Any::SkillRequirement(this) => (this.role_id.clone(), this.skill_id.clone()),
                Any::SkillRelation(this) => {
                    assert_ne!(this.skill_id, this.related_id);
                    (this.skill_id.clone(), this.related_id.clone())
                }
                Any::SkillAssertion(this) => (this.worker_id.clone(), this.skill_id.clone()),
                Any::CapabilityChange(this) => (this.initiative_id.clone(), this.capability_id.clone()),
                Any::Stakeholder(this) => {
                    let Stakeholder { worker_id, org_unit_id, .. } = this;
                    assert!(worker_id.is_some() != org_unit_id.is_some());
                    (this.initiative_id.clone(), worker_id.clone().or(org_unit_id.clone()))
                }
                Any::RoleImpact(this) => (this.initiative_id.clone(), this.role_id.clone()),
                Any::ProcessImpact(this) => (this.initiative_id.clone(), this.process_id.clone()),
                Any::LearningOutcome(this) => (this.activity_id.clone(), this.skill_id.clone()),
                Any::PulseResponse(this) => (this.wave_id.clone(), this.respondent.clone().map(String::into_bytes)),
                Any::BenefitShare(this) => {
                    *shares.entry(this.benefit_id.clone().unwrap()).or_default() += this.share.unwrap();
                    (this.benefit_id.clone(), this.initiative_id.clone())
                }
                Any::Measurement(this) => {
                    measured.insert(id.as_bytes().to_vec(), (this.benefit_id.clone(), this.at));
                    if let Some(earlier) = &this.corrects_id {
                        assert_eq!(measured[earlier], (this.benefit_id.clone(), this.at));
                    }
                    continue;
                }
                Any::Assignment(this) => {
                    if this.from <= Some(TODAY) && this.to.is_none_or(|to| to > TODAY) {
                        *fte.entry(this.worker_id.clone().unwrap()).or_default() += this.fte.unwrap();
                    }
                    continue;
                }
                _ => continue,
            };
            assert!(pairs.insert((kind, pair)), "{kind:?} twice for the same pair");
        }
        assert!(shares.values().all(|&sum| sum <= 1.0 + 1e-9), "{shares:?}");
        assert!(fte.values().all(|&sum| sum <= 1.5), "{fte:?}");
    }
}

#[test]
fn an_organisation_has_the_size_it_was_asked_for() {
    for (seed, workers) in sizes() {
        let demo = demo(seed, workers);
        let commands = all(&demo);
        let of = |kind| created(&commands).iter().filter(|(of, ..)| *of == kind).count();
        assert_eq!(of(Kind::Worker), workers);
        assert_eq!(of(Kind::SkillAssertion), 10 * workers);
        assert!(of(Kind::Assignment) >= workers && of(Kind::Position) >= workers);
        assert!(of(Kind::OrgUnit) < workers && of(Kind::Position) < workers + of(Kind::OrgUnit));
        let updates = commands.iter().filter(|command| command.action() == Action::Update).count();
        assert_eq!(updates, of(Kind::OrgUnit), "each unit is given its head");
        for owner in Owner::ALL {
            assert_eq!(demo.commands(owner).count(), demo.count(owner));
            let last = demo.commands(owner).last().unwrap();
            assert_eq!(demo.last(owner), seed::created(&last));
        }
    }
}

#[test]
fn capabilities_are_two_to_four_levels_deep_and_initiatives_grow_slowly() {
    for (seed, workers) in sizes() {
        let plan = demo(seed, workers).plan;
        let depth = |mut capability: usize| {
            let mut depth = 1;
            while let Some(parent) = plan.capabilities[capability].parent {
                capability = parent;
                depth += 1;
            }
            depth
        };
        let leaves: HashSet<usize> =
            (0..plan.capabilities.len()).filter(|&at| plan.capabilities[at].is_leaf).map(depth).collect();
        assert!(leaves.iter().all(|depth| (2..=4).contains(depth)), "{leaves:?}");
    }
    let initiatives = |workers| demo(1, workers).plan.initiatives;
    assert!(initiatives(50) >= 10);
    assert!(initiatives(200_000) < 40 * initiatives(50));
}

#[test]
fn the_largest_organisation_is_planned_in_outline_only() {
    let demo = demo(9, DemoSize::MOST);
    assert!(demo.plan.units.len() < 30_000);
    let teams = demo.plan.units.iter().filter(|unit| unit.is_leaf).map(|unit| unit.workers);
    assert!(teams.max().unwrap() <= plan::LARGEST_TEAM);
    // Any record can be made without those before it.
    let last = demo.last(Owner::Workforce).unwrap();
    assert_eq!(last.0, Kind::SkillAssertion);
    assert_eq!(demo.plan.seat_of(DemoSize::MOST - 1).0, demo.plan.units.len() - 1);
    assert_eq!(demo.plan.role_headcount.iter().sum::<usize>(), DemoSize::MOST);
}
