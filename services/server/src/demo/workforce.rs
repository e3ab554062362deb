//! Units, skills, roles, positions, people and what they can do.

use spil_proto::{
    changefeed::v1::{Command, record::Entity},
    model::{ExternalId, Header, Kind, v1::OrgFunction},
    workforce::v1::{
        AssertionMethod, Assignment, OrgUnit, Position, Role, Skill, SkillAssertion, SkillKind, SkillRelation,
        SkillRelationType, SkillRequirement, SkillScheme, Worker, WorkerStatus,
    },
};

use super::{
    catalogue::{AI_LITERACY, AREAS, DIVISIONS, DOMAIN, GENERAL, LEADERSHIP, LEADERSHIP_SKILLS, LEVELS, SKILL_GROUPS},
    command::{create, id_bytes, ids_bytes, named, update},
    dice::{Dice, Purpose},
    learning, person,
    plan::Plan,
};

/// How many skills are asserted of each worker.
pub(super) const ASSERTIONS: usize = 10;
/// How many assignments a worker can have; only to number them.
const MOST_ASSIGNMENTS: usize = 3;
/// How many skills a role can require; only to number the requirements.
const MOST_REQUIREMENTS: usize = 16;

/// All of them, each after what it refers to.
pub(super) fn commands(plan: &Plan) -> impl Iterator<Item = Command> + Send + '_ {
    few(plan)
        .chain((0..learning::activity_count(plan)).map(|index| learning::activity(plan, index)))
        .chain((0..learning::activity_count(plan)).flat_map(|index| learning::outcomes(plan, index)))
        .chain(
            (0..plan.units.len())
                .flat_map(move |unit| (0..plan.units[unit].seats).map(move |seat| position(plan, unit, seat))),
        )
        // A unit names its head, who sits in the unit: one of the two has to come later.
        .chain((0..plan.units.len()).map(|unit| head(plan, unit)))
        .chain((0..plan.workers).map(|index| worker(plan, index)))
        .chain((0..plan.workers).flat_map(|index| assignments(plan, index)))
        .chain((0..plan.workers).flat_map(|index| learning::events(plan, index)))
        .chain((0..plan.workers).flat_map(|index| assertions(plan, index)))
}

/// How many there are, without making the many.
pub(super) fn count(plan: &Plan) -> usize {
    let assignments: usize = (0..plan.workers).map(|index| Posts::of(plan, index).count()).sum();
    let activities = learning::activity_count(plan);
    let outcomes: usize = (0..activities).map(|index| learning::outcomes(plan, index).count()).sum();
    let events: usize = (0..plan.workers).map(|index| learning::event_count(plan, index)).sum();
    let learning = activities + outcomes + events;
    learning + few(plan).count() + plan.positions + plan.units.len() + plan.workers * (1 + ASSERTIONS) + assignments
}

/// Those whose number grows little with the number of people.
fn few(plan: &Plan) -> impl Iterator<Item = Command> + Send + '_ {
    (0..plan.units.len())
        .map(|index| org_unit(plan, index))
        .chain((0..skill_count()).map(|index| skill(plan, index)))
        .chain((SKILL_GROUPS.len()..skill_count()).flat_map(|index| skill_relations(plan, index)))
        .chain((0..plan.roles()).map(|index| role(plan, index)))
        .chain((0..plan.roles()).flat_map(|index| skill_requirements(plan, index)))
}

fn org_unit(plan: &Plan, index: usize) -> Command {
    let unit = &plan.units[index];
    let key = format!("ORG-{:04}", index + 1);
    let mut header = Header { key: Some(key), name: Some(unit.name.clone()), ..Header::default() };
    header.external_ids.push(ExternalId { system: "hr-core".to_owned(), id: format!("U{:05}", index + 1) });
    let function = unit.division.map_or(OrgFunction::Business, |division| DIVISIONS[division].function);
    create(
        plan.id(Kind::OrgUnit, index),
        Entity::OrgUnit(OrgUnit {
            header: Some(header),
            function: function as i32,
            cost_center: Some(format!("{}{:05}", unit.division.map_or(10, |division| division + 20), index + 1)),
            parent_id: unit.parent.map(|parent| id_bytes(plan, Kind::OrgUnit, parent)),
            head_id: None,
        }),
    )
}

fn head(plan: &Plan, index: usize) -> Command {
    let position = plan.units[index].first_position;
    let head_id = Some(id_bytes(plan, Kind::Position, position));
    let values = OrgUnit { head_id, ..OrgUnit::default() };
    update(plan.id(Kind::OrgUnit, index), Entity::OrgUnit(values), &["head_id"])
}

fn skill_count() -> usize {
    SKILL_GROUPS.len() + SKILL_GROUPS.iter().map(|group| group.skills.len()).sum::<usize>()
}

/// The group that a skill belongs to or is, and its place in it.
fn group_of(plan: &Plan, skill: usize) -> (usize, Option<usize>) {
    if skill < SKILL_GROUPS.len() {
        return (skill, None);
    }
    let group = (0..SKILL_GROUPS.len()).find(|&group| plan.group_skills(group).contains(&skill)).unwrap_or_default();
    (group, Some(skill - plan.group_skills(group).start))
}

fn skill(plan: &Plan, index: usize) -> Command {
    let mut dice = plan.dice(Kind::Skill, index);
    let (number, place) = group_of(plan, index);
    let group = &SKILL_GROUPS[number];
    let key = format!("SKL-{:04}", index + 1);
    let mut broader: Vec<usize> = place.map(|_| number).into_iter().collect();
    if place.is_some() && dice.chance(100) {
        broader.push((number + 1 + dice.below(SKILL_GROUPS.len() - 1)) % SKILL_GROUPS.len());
    }
    let kind = if place.is_some() { group.kind } else { SkillKind::Competence };
    create(
        plan.id(Kind::Skill, index),
        Entity::Skill(Skill {
            uri: Some(format!("https://skills.{DOMAIN}/{key}")),
            header: named(key, place.map_or(group.name, |place| group.skills[place])),
            scheme: SkillScheme::Local as i32,
            kind: kind as i32,
            is_ai_literacy: Some(number == AI_LITERACY),
            broader_ids: ids_bytes(plan, Kind::Skill, broader),
        }),
    )
}

fn skill_relations(plan: &Plan, skill: usize) -> impl Iterator<Item = Command> + Send + use<'_> {
    let mut dice = plan.dice(Kind::SkillRelation, skill);
    let (group, place) = group_of(plan, skill);
    let before = place.filter(|&place| place > 0 && dice.chance(600)).map(|_| skill - 1);
    let ai = plan.group_skills(AI_LITERACY);
    let literacy = (group != AI_LITERACY && dice.chance(150)).then(|| ai.start + dice.below(ai.len()));
    let kind = dice.weighted(&[(SkillRelationType::Essential, 35), (SkillRelationType::Optional, 65)]);
    [(before, kind), (literacy, SkillRelationType::Optional)].into_iter().enumerate().filter_map(
        move |(number, (related, kind))| {
            let related = related?;
            Some(create(
                plan.id(Kind::SkillRelation, skill * 2 + number),
                Entity::SkillRelation(SkillRelation {
                    header: Some(Header::default()),
                    skill_id: Some(id_bytes(plan, Kind::Skill, skill)),
                    related_id: Some(id_bytes(plan, Kind::Skill, related)),
                    r#type: kind as i32,
                }),
            ))
        },
    )
}

fn role(plan: &Plan, index: usize) -> Command {
    let mut dice = plan.dice(Kind::Role, index);
    let (name, family, level, isco, processes) = match plan.job(index) {
        None => {
            let (name, level, isco) = LEADERSHIP[index];
            (name.to_owned(), "Leadership", level, isco, Vec::new())
        }
        Some((job, grade)) => {
            let (prefix, level) = LEVELS[grade];
            let areas = DIVISIONS[job.division].areas;
            let near = &plan.area_processes[areas[dice.below(areas.len())]];
            let count = 1 + dice.below(3);
            let processes = dice.distinct(count, near.len()).into_iter().map(|place| near.start + place).collect();
            (format!("{prefix}{}", job.title), job.family, level, job.isco, processes)
        }
    };
    create(
        plan.id(Kind::Role, index),
        Entity::Role(Role {
            header: named(format!("ROL-{:04}", index + 1), &name),
            job_family: Some(family.to_owned()),
            level: Some(level.to_owned()),
            occupation_uri: Some(format!("http://data.europa.eu/esco/isco/C{isco}")),
            process_ids: ids_bytes(plan, Kind::Process, processes),
        }),
    )
}

/// How many skills of which groups somebody in a role draws on, the main group first.
fn skill_mix(plan: &Plan, role: usize, main: usize, second: usize) -> Vec<(usize, usize)> {
    let wanted = match plan.job(role) {
        None => [(LEADERSHIP_SKILLS, main), (GENERAL, second), (AI_LITERACY, 1), (GENERAL, 2)],
        Some((job, _)) => [(job.skills[0], main), (job.skills[1], second), (AI_LITERACY, 1), (GENERAL, 2)],
    };
    let mut mix: Vec<(usize, usize)> = Vec::with_capacity(wanted.len());
    for (group, count) in wanted {
        match mix.iter_mut().find(|(known, _)| *known == group) {
            Some((_, sum)) => *sum += count,
            None => mix.push((group, count)),
        }
    }
    mix
}

fn skill_requirements(plan: &Plan, role: usize) -> impl Iterator<Item = Command> + Send + use<'_> {
    let mut dice = plan.dice(Kind::SkillRequirement, role);
    let grade = plan.job(role).map_or(2, |(_, grade)| [2, 3, 1, 4, 5][grade]);
    let second = 1 + dice.below(2);
    let skills: Vec<(usize, bool)> = skill_mix(plan, role, 3, second)
        .into_iter()
        .enumerate()
        .flat_map(|(rank, (group, count))| {
            plan.pick_skills(&mut dice, group, count).into_iter().map(move |s| (s, rank == 0))
        })
        .collect();
    skills.into_iter().enumerate().map(move |(number, (skill, is_main))| {
        let level = if is_main { grade } else { 1 + i32::from(dice.chance(400)) };
        let index = role * MOST_REQUIREMENTS + number;
        create(
            plan.id(Kind::SkillRequirement, index),
            Entity::SkillRequirement(SkillRequirement {
                header: Some(Header::default()),
                role_id: Some(id_bytes(plan, Kind::Role, role)),
                skill_id: Some(id_bytes(plan, Kind::Skill, skill)),
                level: Some(level),
                importance: Some(f64::from(dice.between(if is_main { 40 } else { 5 }, if is_main { 90 } else { 45 }))),
                essential: Some(is_main && dice.chance(700)),
            }),
        )
    })
}

/// How many full-time equivalents a position is.
fn fte(plan: &Plan, position: usize) -> f64 {
    Dice::aside(plan.seed, Purpose::Fte, position).weighted(&[(1.0, 74), (0.8, 18), (0.6, 8)])
}

fn position(plan: &Plan, number: usize, seat: usize) -> Command {
    let unit = &plan.units[number];
    let index = unit.first_position + seat;
    let leads = seat == 0;
    let above =
        if leads { unit.parent.map(|parent| plan.units[parent].first_position) } else { Some(unit.first_position) };
    let tier = unit.depth + if leads { 1 } else { 2 };
    create(
        plan.id(Kind::Position, index),
        Entity::Position(Position {
            header: Some(Header { key: Some(format!("POS-{:06}", index + 1)), ..Header::default() }),
            fte: Some(fte(plan, index)),
            is_leadership: Some(leads),
            tier: i32::try_from(tier).ok(),
            role_id: Some(id_bytes(plan, Kind::Role, plan.role_at(number, seat))),
            org_unit_id: Some(id_bytes(plan, Kind::OrgUnit, number)),
            reports_to_id: above.map(|above| id_bytes(plan, Kind::Position, above)),
        }),
    )
}

fn status(plan: &Plan, worker: usize, leads: bool) -> WorkerStatus {
    if leads {
        return WorkerStatus::Active;
    }
    Dice::aside(plan.seed, Purpose::Status, worker).weighted(&[
        (WorkerStatus::Active, 940),
        (WorkerStatus::OnLeave, 30),
        (WorkerStatus::Left, 18),
        (WorkerStatus::PreHire, 12),
    ])
}

fn worker(plan: &Plan, index: usize) -> Command {
    let mut dice = plan.dice(Kind::Worker, index);
    let (_, seat) = plan.seat_of(index);
    let person = person::Person::new(&mut dice);
    let number = 1_000_001 + index;
    // The name of a person stands in `display_name` alone, which is marked as personal.
    let mut header = Header { key: Some(format!("EMP-{:06}", index + 1)), ..Header::default() };
    header.external_ids.push(ExternalId { system: "hr-core".to_owned(), id: format!("P{number}") });
    create(
        plan.id(Kind::Worker, index),
        Entity::Worker(Worker {
            header: Some(header),
            number: Some(number.to_string()),
            email: Some(person.email(index + 1)),
            display_name: Some(person.display_name()),
            status: status(plan, index, seat == 0) as i32,
            is_contractor: Some(seat > 0 && dice.chance(70)),
            contestation: (index % 250 == 249).then(|| "I have not worked under this contract since June.".to_owned()),
        }),
    )
}

/// What a worker holds or held.
struct Posts {
    dice: Dice,
    unit: usize,
    seat: usize,
    status: WorkerStatus,
    /// Whether the worker held another position before.
    moved: bool,
    /// Whether the worker helps out in another position.
    helps: bool,
}

impl Posts {
    fn of(plan: &Plan, worker: usize) -> Self {
        let (unit, seat) = plan.seat_of(worker);
        let mut dice = Dice::aside(plan.seed, Purpose::Posts, worker);
        let status = status(plan, worker, seat == 0);
        // There is another position for members in the unit.
        let can = seat > 0 && plan.units[unit].seats > 2 && status == WorkerStatus::Active;
        let moved = can && dice.chance(80);
        let helps = can && dice.chance(30);
        Self { dice, unit, seat, status, moved, helps }
    }

    fn count(&self) -> usize {
        1 + usize::from(self.moved) + usize::from(self.helps)
    }
}

fn assignments(plan: &Plan, worker: usize) -> impl Iterator<Item = Command> + Send + use<'_> {
    let posts = Posts::of(plan, worker);
    let Posts { mut dice, unit, seat, status, moved, helps } = posts;
    let unit = &plan.units[unit];
    let own = unit.first_position + seat;
    // The next seat among those of the members.
    let other = unit.first_position + 1 + if unit.seats > 2 { seat % (unit.seats - 1) } else { 0 };
    let (from, to) = match status {
        WorkerStatus::PreHire => (plan.today + dice.between(7, 90), None),
        WorkerStatus::Left => {
            let to = plan.today - dice.between(1, 300);
            (to - dice.between(200, 4000), Some(to))
        }
        _ => (plan.today - dice.between(30, 6000), None),
    };
    let before = moved.then(|| (other, 0.8, from - dice.between(300, 1500), Some(from)));
    let helping =
        helps.then(|| (other, 0.2, plan.today - dice.between(5, 25), Some(plan.today + dice.between(30, 200))));
    let main = (own, fte(plan, own), from, to);
    [before, Some(main), helping].into_iter().flatten().enumerate().map(move |(number, (position, fte, from, to))| {
        create(
            plan.id(Kind::Assignment, worker * MOST_ASSIGNMENTS + number),
            Entity::Assignment(Assignment {
                header: Some(Header::default()),
                position_id: Some(id_bytes(plan, Kind::Position, position)),
                worker_id: Some(id_bytes(plan, Kind::Worker, worker)),
                fte: Some(fte),
                from: Some(from),
                to,
            }),
        )
    })
}

fn assertions(plan: &Plan, worker: usize) -> impl Iterator<Item = Command> + Send + use<'_> {
    let mut dice = plan.dice(Kind::SkillAssertion, worker);
    let (unit, seat) = plan.seat_of(worker);
    let role = plan.role_at(unit, seat);
    let grade = plan.job(role).map_or(3, |(_, grade)| [2, 3, 1, 4, 5][grade]);
    let mut skills = Vec::with_capacity(ASSERTIONS);
    for (rank, (group, count)) in skill_mix(plan, role, 5, 2).into_iter().enumerate() {
        skills.extend(plan.pick_skills(&mut dice, group, count).into_iter().map(|skill| (skill, group, rank == 0)));
    }
    let worker_id = id_bytes(plan, Kind::Worker, worker);
    skills.into_iter().enumerate().map(move |(number, (skill, group, is_main))| {
        let likely = if is_main { grade } else { 2 };
        let level = (likely + dice.weighted(&[(-1, 30), (0, 50), (1, 20)])).clamp(1, 5);
        let method = dice.weighted(&[
            (AssertionMethod::Self_, 40),
            (AssertionMethod::Manager, 25),
            (AssertionMethod::Work, 15),
            (AssertionMethod::Test, 10),
            (AssertionMethod::Inferred, 10),
        ]);
        let assessed = plan.today - dice.between(5, 900);
        // Tests and the right to work on live networks are good for a time only.
        let lasts = match method {
            AssertionMethod::Test => Some(730),
            _ => AREAS[1].skills.contains(&group).then_some(1095),
        };
        let evidence = matches!(method, AssertionMethod::Test | AssertionMethod::Work) && dice.chance(400);
        let contested = method == AssertionMethod::Inferred && dice.chance(25);
        let index = worker * ASSERTIONS + number;
        create(
            plan.id(Kind::SkillAssertion, index),
            Entity::SkillAssertion(SkillAssertion {
                header: Some(Header::default()),
                worker_id: Some(worker_id.clone()),
                skill_id: Some(id_bytes(plan, Kind::Skill, skill)),
                level: Some(level),
                method: method as i32,
                assessed_at: Some(assessed),
                expires_at: lasts.map(|days| assessed + days),
                evidence_links: evidence.then(|| format!("https://evidence.{DOMAIN}/{index}")).into_iter().collect(),
                contestation: contested
                    .then(|| "I have not done this work; the system took it from a project list.".to_owned()),
            }),
        )
    })
}
