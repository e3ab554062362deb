//! Objectives, capabilities, applications and processes.

use spil_proto::{
    capability::v1::{AiRiskClass, Application, ApplicationLifecycle, Capability, Objective, ObjectiveStatus, Process},
    changefeed::v1::{Command, record::Entity},
    model::{ExternalId, Kind, v1::OrgFunction},
};

use super::{
    catalogue::{AREAS, DIVISIONS, OBJECTIVES, ORGANISATION, PLACES, VENDORS},
    command::{create, header, id_bytes, ids_bytes, named},
    dice::Dice,
    plan::Plan,
};

/// All of them, each after what it refers to.
pub(super) fn commands(plan: &Plan) -> impl Iterator<Item = Command> + Send + '_ {
    let objectives = (0..plan.objectives).map(|index| objective(plan, index));
    let capabilities = (0..plan.capabilities.len()).map(|index| capability(plan, index));
    let applications = (0..plan.applications).map(|index| application(plan, index));
    let processes = (0..plan.processes.len()).map(|index| process(plan, index));
    objectives.chain(capabilities).chain(applications).chain(processes)
}

/// How many objectives have none above them.
const WIDEST: usize = 6;

fn objective(plan: &Plan, index: usize) -> Command {
    let mut dice = plan.dice(Kind::Objective, index);
    let (name, weight, areas) = OBJECTIVES[index];
    let parent = (index >= WIDEST)
        .then(|| (0..WIDEST).find(|&wide| OBJECTIVES[wide].2.iter().any(|area| areas.contains(area))))
        .flatten();
    let status = if index < WIDEST {
        ObjectiveStatus::Active
    } else {
        dice.weighted(&[
            (ObjectiveStatus::Active, 70),
            (ObjectiveStatus::Proposed, 12),
            (ObjectiveStatus::Achieved, 12),
            (ObjectiveStatus::Abandoned, 6),
        ])
    };
    let horizon = match status {
        ObjectiveStatus::Achieved | ObjectiveStatus::Abandoned => plan.today - dice.between(20, 400),
        _ => plan.today + dice.between(200, 1600),
    };
    let mut functions: Vec<i32> = areas.iter().map(|&area| DIVISIONS[AREAS[area].division].function as i32).collect();
    if dice.chance(300) {
        functions.push(OrgFunction::Finance as i32);
    }
    functions.sort_unstable();
    functions.dedup();
    let owner = plan.leader(&mut dice, AREAS[areas[0]].division);
    create(
        plan.id(Kind::Objective, index),
        Entity::Objective(Objective {
            header: named(format!("OBJ-{:04}", index + 1), name),
            horizon: Some(horizon),
            status: status as i32,
            weight: Some(weight),
            parent_id: parent.map(|parent| id_bytes(plan, Kind::Objective, parent)),
            co_owner_functions: functions,
            owner_id: Some(id_bytes(plan, Kind::Worker, owner)),
        }),
    )
}

fn capability(plan: &Plan, index: usize) -> Command {
    let mut dice = plan.dice(Kind::Capability, index);
    let this = &plan.capabilities[index];
    let area = &AREAS[this.area];
    let (current, target) = plan.maturity(index);
    let objectives = plan.objectives_of(this.area);
    let count = dice.weighted(&[(0, 45), (1, 40), (2, 15)]);
    let objectives = dice.distinct(count, objectives.len()).into_iter().map(|place| objectives[place]);
    let skills: Vec<usize> = if this.is_leaf {
        let count = 1 + dice.below(2);
        area.skills.iter().flat_map(|&group| plan.pick_skills(&mut dice, group, count)).collect()
    } else {
        Vec::new()
    };
    let description = match this.parent {
        None => format!("All that {ORGANISATION} does in {}.", area.name.to_lowercase()),
        Some(parent) => format!("A part of {}.", plan.capabilities[parent].name),
    };
    let mut header = header(format!("CAP-{:04}", index + 1), &this.name, description);
    if this.area == 0 {
        header.tags.push("customer-facing".to_owned());
    }
    create(
        plan.id(Kind::Capability, index),
        Entity::Capability(Capability {
            header: Some(header),
            kind: area.kind as i32,
            importance: Some(dice.weighted(&[(1, 5), (2, 15), (3, 35), (4, 30), (5, 15)])),
            maturity_current: Some(current),
            maturity_target: Some(target),
            parent_id: this.parent.map(|parent| id_bytes(plan, Kind::Capability, parent)),
            owner_id: Some(id_bytes(plan, Kind::Worker, plan.leader(&mut dice, area.division))),
            objective_ids: ids_bytes(plan, Kind::Objective, objectives),
            required_skill_ids: ids_bytes(plan, Kind::Skill, skills),
        }),
    )
}

/// The first days of the five stages of an application's life.
struct Life {
    lifecycle: ApplicationLifecycle,
    from: [Option<i32>; 5],
}

fn life(dice: &mut Dice, today: i32) -> Life {
    use ApplicationLifecycle::{Active, EndOfLife, PhaseIn, PhaseOut, Plan};
    let lifecycle = dice.weighted(&[(Active, 66), (PhaseOut, 12), (PhaseIn, 8), (EndOfLife, 8), (Plan, 6)]);
    let mut days = |least, most| dice.between(least, most);
    // The stage the application is in began in the past; the next begins in the future, where that is known.
    let from = match lifecycle {
        Plan => {
            let phase_in = today + days(60, 300);
            [Some(today - days(30, 200)), Some(phase_in), Some(phase_in + days(60, 300)), None, None]
        }
        PhaseIn => {
            let phase_in = today - days(10, 150);
            [Some(phase_in - days(60, 400)), Some(phase_in), Some(today + days(30, 300)), None, None]
        }
        PhaseOut => {
            let active = today - days(1500, 5000);
            let out = today - days(10, 300);
            [None, Some(active - days(60, 400)), Some(active), Some(out), Some(today + days(30, 600))]
        }
        EndOfLife => {
            let end = today - days(10, 500);
            let out = end - days(100, 600);
            [None, None, Some(out - days(1000, 4000)), Some(out), Some(end)]
        }
        _ => {
            let active = today - days(60, 3500);
            let phase_in = active - days(60, 400);
            let out = (days(0, 9) < 2).then(|| today + days(200, 900));
            [Some(phase_in - days(60, 400)), Some(phase_in), Some(active), out, None]
        }
    };
    Life { lifecycle, from }
}

fn application(plan: &Plan, index: usize) -> Command {
    let mut dice = plan.dice(Kind::Application, index);
    let (area, product, copy) = plan.product(index);
    let (product, is_ai) = AREAS[area].products[product];
    let vendor = dice.pick(VENDORS);
    let brand = if vendor == "in-house" { "Havenlicht" } else { vendor.split(' ').next().unwrap_or(vendor) };
    let mut name = format!("{brand} {product}");
    if copy > 0 {
        name = format!("{name} ({})", PLACES[(copy - 1) % PLACES.len()]);
    }
    let risk = if is_ai {
        dice.weighted(&[
            (AiRiskClass::Minimal, 40),
            (AiRiskClass::Limited, 25),
            (AiRiskClass::High, 15),
            (AiRiskClass::Unknown, 20),
        ])
    } else {
        AiRiskClass::Unspecified
    };
    let Life { lifecycle, from } = life(&mut dice, plan.today);
    let capabilities = plan.area_capabilities[area].clone();
    let count = 1 + dice.below(3);
    let served = dice.distinct(count, capabilities.len()).into_iter().map(|place| capabilities.start + place);
    let mut header =
        header(format!("APP-{:04}", index + 1), &name, format!("{product} for {}.", AREAS[area].name.to_lowercase()));
    header.external_ids.push(ExternalId { system: "cmdb".to_owned(), id: format!("CI{:06}", 100_000 + index) });
    if dice.chance(150) {
        header.tags.push("saas".to_owned());
    }
    create(
        plan.id(Kind::Application, index),
        Entity::Application(Application {
            header: Some(header),
            lifecycle: lifecycle as i32,
            plan_from: from[0],
            phase_in_from: from[1],
            active_from: from[2],
            phase_out_from: from[3],
            end_of_life_from: from[4],
            vendor: Some(vendor.to_owned()),
            is_ai_system: Some(is_ai),
            ai_risk_class: risk as i32,
            capability_ids: ids_bytes(plan, Kind::Capability, served),
            owner_org_unit_id: Some(id_bytes(plan, Kind::OrgUnit, plan.department(&mut dice, AREAS[area].division))),
        }),
    )
}

fn process(plan: &Plan, index: usize) -> Command {
    let mut dice = plan.dice(Kind::Process, index);
    let this = &plan.processes[index];
    let capability = &plan.capabilities[this.capability];
    let mut capabilities = vec![this.capability];
    // Some processes also realise the capability above.
    capabilities.extend(capability.parent.filter(|_| dice.chance(150)));
    let near: Vec<usize> = plan.area_applications(capability.area).collect();
    let count = dice.below(4);
    let applications = dice.distinct(count, near.len()).into_iter().map(|place| near[place]);
    let has_procedure = dice.chance(800);
    create(
        plan.id(Kind::Process, index),
        Entity::Process(Process {
            header: named(format!("PRC-{:04}", index + 1), &this.name),
            criticality: Some(dice.weighted(&[(1, 10), (2, 25), (3, 35), (4, 20), (5, 10)])),
            procedure_version: has_procedure.then(|| format!("{}.{}", dice.between(1, 6), dice.between(0, 9))),
            procedure_version_date: has_procedure.then(|| plan.today - dice.between(20, 1500)),
            capability_ids: ids_bytes(plan, Kind::Capability, capabilities),
            application_ids: ids_bytes(plan, Kind::Application, applications),
        }),
    )
}
