//! Initiatives, whom and what they touch, and what comes of them.

use std::ops::Range;

use spil_proto::{
    changefeed::v1::{Command, record::Entity},
    initiative::v1::{
        CapabilityChange, ImpactKind, Initiative, InitiativeStage, InitiativeType, Raci, RoleImpact, Stakeholder,
    },
    model::{Header, Kind},
};

use super::{
    benefit,
    catalogue::{AREAS, DIVISIONS, INITIATIVES, Idea, PLACES, PROGRAMMES},
    command::{create, header, id_bytes, ids_bytes},
    dice::{Dice, Purpose},
    gate, learning,
    plan::Plan,
    pulse,
};

/// How many records of a kind belong to one initiative or benefit at most; only to number them.
pub(super) const MOST_PARTS: usize = 64;

/// All of them, each after what it refers to.
pub(super) fn commands(plan: &Plan) -> impl Iterator<Item = Command> + Send + '_ {
    (0..plan.initiatives)
        .map(|index| initiative(plan, index))
        .chain((0..plan.initiatives).flat_map(|index| capability_changes(plan, index)))
        .chain((0..plan.initiatives).flat_map(|index| stakeholders(plan, index)))
        .chain((0..plan.initiatives).flat_map(|index| role_impacts(plan, index)))
        .chain((0..plan.initiatives).flat_map(|index| gate::process_impacts(plan, index)))
        .chain((0..plan.initiatives).flat_map(|index| gate::decisions(plan, index)))
        .chain((0..plan.initiatives).flat_map(|index| gate::spends(plan, index)))
        .chain((0..pulse::WAVES).map(|index| pulse::wave(plan, index)))
        .chain((0..pulse::WAVES).flat_map(|index| pulse::responses(plan, index)))
        .chain((0..plan.benefits).map(|index| benefit::benefit(plan, index)))
        .chain((0..plan.benefits).flat_map(|index| benefit::shares(plan, index)))
        .chain((0..plan.benefits).flat_map(|index| benefit::measurements(plan, index)))
}

/// What an initiative is, as far as others need to know.
pub(super) struct Outline {
    pub(super) name: String,
    kind: InitiativeType,
    uses_ai: bool,
    pub(super) area: usize,
    impact: ImpactKind,
    pub(super) stage: InitiativeStage,
    pub(super) start: Option<i32>,
    pub(super) end: Option<i32>,
    /// Whether one division keeps it to itself.
    is_silo: bool,
}

pub(super) fn outline(plan: &Plan, index: usize) -> Outline {
    use InitiativeStage::{Experiment, Idea as Thought, Pilot, Run, Scale, Stopped};
    let mut dice = Dice::aside(plan.seed, Purpose::Stage, index);
    let is_programme = index < plan.programmes;
    let number = index.saturating_sub(plan.programmes);
    // In turn, so that even a small organisation has some of each.
    let stage = if is_programme {
        [Scale, Pilot, Run][index % 3]
    } else {
        [Pilot, Scale, Experiment, Run, Thought, Stopped, Pilot, Scale][number % 8]
    };
    let mut ago = |least, most| plan.today - dice.between(least, most);
    let (start, end) = match stage {
        Thought => {
            let start = (!number.is_multiple_of(3)).then(|| ago(-200, -30));
            (start, start.map(|start| start + 300))
        }
        Experiment => {
            let start = ago(10, 150);
            (Some(start), Some(start + 200))
        }
        // Some pilots go on far longer than planned.
        Pilot => (Some(ago(100, 700)), Some(ago(-400, -30))),
        Scale => (Some(ago(300, 900)), Some(ago(-500, -60))),
        Run => (Some(ago(600, 1500)), Some(ago(10, 400))),
        _ => (Some(ago(300, 900)), Some(ago(20, 240))),
    };
    let is_silo = !is_programme && index % 4 == 1;
    if is_programme {
        let (title, area) = PROGRAMMES[index % PROGRAMMES.len()];
        let name = with_place(title, index / PROGRAMMES.len());
        let uses_ai = matches!(area, 4 | 8);
        let kind = InitiativeType::Programme;
        return Outline { name, kind, uses_ai, area, impact: ImpactKind::Redesigned, stage, start, end, is_silo };
    }
    let &Idea { title, uses_ai, area, impact } = &INITIATIVES[number % INITIATIVES.len()];
    let is_trial = matches!(stage, Thought | Experiment) || (stage == Stopped && dice.chance(500));
    let kind = if is_trial { InitiativeType::Experiment } else { InitiativeType::Project };
    let name = with_place(title, number / INITIATIVES.len());
    Outline { name, kind, uses_ai, area, impact, stage, start, end, is_silo }
}

/// The same title again elsewhere.
pub(super) fn with_place(title: &str, copy: usize) -> String {
    match copy.checked_sub(1) {
        None => title.to_owned(),
        Some(place) if place < PLACES.len() => format!("{title}, {}", PLACES[place]),
        Some(place) => format!("{title}, {} {}", PLACES[place % PLACES.len()], place / PLACES.len() + 1),
    }
}

/// The division that leads an initiative. Technology leads more than its own.
fn lead_division(outline: &Outline) -> usize {
    if outline.is_silo { 4 } else { AREAS[outline.area].division }
}

fn initiative(plan: &Plan, index: usize) -> Command {
    create(plan.id(Kind::Initiative, index), Entity::Initiative(record(plan, index)))
}

/// An initiative as it is recorded.
pub(super) fn record(plan: &Plan, index: usize) -> Initiative {
    use InitiativeStage::{Experiment, Idea as Thought, Pilot, Scale};
    let mut dice = plan.dice(Kind::Initiative, index);
    let this = outline(plan, index);
    let is_programme = index < plan.programmes;
    let parent = (!is_programme && dice.chance(700)).then(|| {
        // A programme of the same area, if there is one.
        let same = (0..plan.programmes).filter(|&programme| PROGRAMMES[programme % PROGRAMMES.len()].1 == this.area);
        let same: Vec<usize> = same.collect();
        if same.is_empty() { dice.below(plan.programmes) } else { same[dice.below(same.len())] }
    });
    let lower: Range<usize> = plan.programmes..index.max(plan.programmes);
    let needs = if dice.chance(300) { 1 + dice.below(2) } else { 0 };
    let needs = dice.distinct(needs, lower.len()).into_iter().map(|place| lower.start + place);
    let near: Vec<usize> = plan.area_applications(this.area).collect();
    let count = dice.below(3);
    let mut applications: Vec<usize> = dice.distinct(count, near.len()).into_iter().map(|place| near[place]).collect();
    if this.uses_ai {
        let is_ai = |application: &usize| AREAS[this.area].products[plan.product(*application).1].1;
        applications.extend(near.iter().copied().find(is_ai));
    }
    let objectives = plan.objectives_of(this.area);
    let count = dice.weighted(&[(0, 15), (1, 60), (2, 25)]);
    let objectives = dice.distinct(count, objectives.len()).into_iter().map(|place| objectives[place]);
    let division = lead_division(&this);
    let thousands = if is_programme { dice.between(1_500, 12_000) } else { dice.between(40, 1_800) };
    let has_budget = this.stage != Thought;
    let stage_days = match this.stage {
        Experiment => Some(dice.between(9, 18) * 10),
        Pilot => Some(180),
        Scale => Some(dice.between(26, 52) * 10),
        _ => None,
    };
    let sponsor = plan.leader(&mut dice, AREAS[this.area].division);
    let lead = plan.department(&mut dice, division);
    let description = format!("Changes {} at {}.", AREAS[this.area].name.to_lowercase(), DIVISIONS[division].name);
    Initiative {
        header: Some(header(format!("INI-{:04}", index + 1), &this.name, description)),
        r#type: this.kind as i32,
        uses_ai: Some(this.uses_ai),
        // Where it stands now follows from the decisions at its gates.
        stage: Thought as i32,
        start: this.start,
        end: this.end,
        budget: has_budget.then(|| format!("{thousands}000")),
        currency: has_budget.then(|| "EUR".to_owned()),
        planned_stage_days: stage_days,
        parent_id: parent.map(|parent| id_bytes(plan, Kind::Initiative, parent)),
        application_ids: ids_bytes(plan, Kind::Application, applications),
        objective_ids: ids_bytes(plan, Kind::Objective, objectives),
        depends_on_ids: ids_bytes(plan, Kind::Initiative, needs),
        sponsor_id: (this.stage != Thought || dice.chance(500)).then(|| id_bytes(plan, Kind::Worker, sponsor)),
        lead_org_unit_id: Some(id_bytes(plan, Kind::OrgUnit, lead)),
    }
}

fn capability_changes(plan: &Plan, initiative: usize) -> impl Iterator<Item = Command> + Send + use<'_> {
    let mut dice = plan.dice(Kind::CapabilityChange, initiative);
    let this = outline(plan, initiative);
    let range = plan.area_capabilities[this.area].clone();
    let count = 1 + dice.below(if initiative < plan.programmes { 6 } else { 3 });
    let chosen = dice.distinct(count, range.len());
    chosen.into_iter().enumerate().map(move |(number, place)| {
        let capability = range.start + place;
        let index = initiative * MOST_PARTS + number;
        create(
            plan.id(Kind::CapabilityChange, index),
            Entity::CapabilityChange(CapabilityChange {
                header: Some(Header::default()),
                initiative_id: Some(id_bytes(plan, Kind::Initiative, initiative)),
                capability_id: Some(id_bytes(plan, Kind::Capability, capability)),
                expected_maturity: dice.chance(900).then(|| plan.maturity(capability).1),
            }),
        )
    })
}

/// Who takes part.
enum Part {
    Worker(usize),
    OrgUnit(usize),
}

/// The divisions that have a say, the leading one first, and how likely (of a thousand) each is heard.
fn heard(this: &Outline) -> Vec<(usize, usize)> {
    let mut divisions = vec![(lead_division(this), 1000)];
    let others: &[(usize, usize)] = if this.is_silo {
        // Those who were asked too late.
        &[(8, 150)]
    } else {
        &[
            (AREAS[this.area].division, 1000),
            (4, 850),
            (5, 600),
            (1, 400),
            (2, 400),
            (3, 250),
            (6, 400),
            (7, 250),
            (8, 350),
            (9, 350),
        ]
    };
    for &(division, likely) in others {
        if divisions.iter().all(|&(known, _)| known != division) {
            divisions.push((division, likely));
        }
    }
    divisions
}

fn stakeholders(plan: &Plan, initiative: usize) -> impl Iterator<Item = Command> + Send + use<'_> {
    let mut dice = plan.dice(Kind::Stakeholder, initiative);
    let this = outline(plan, initiative);
    // Nobody is named twice: each comes from another division, and the member of a team leads nothing.
    let mut parts: Vec<(usize, Part, Raci)> = Vec::new();
    for (division, likely) in heard(&this) {
        if !dice.chance(likely) {
            continue;
        }
        let raci = match parts.len() {
            0 => Raci::A,
            1 => Raci::R,
            _ => dice.weighted(&[(Raci::R, 15), (Raci::C, 55), (Raci::I, 30)]),
        };
        let unit = plan.department(&mut dice, division);
        let is_unit = raci != Raci::A && dice.chance(250);
        let part = if is_unit { Part::OrgUnit(unit) } else { Part::Worker(plan.units[unit].first_worker) };
        parts.push((division, part, raci));
    }
    let division = lead_division(&this);
    let team = plan.units.iter().filter(|unit| unit.division == Some(division) && unit.is_leaf && unit.workers > 1);
    let teams: Vec<usize> = team.map(|unit| unit.first_worker).take(MOST_PARTS).collect();
    let wanted = dice.below(3);
    for place in dice.distinct(wanted, teams.len()) {
        parts.push((division, Part::Worker(teams[place] + 1), Raci::R));
    }
    parts.into_iter().enumerate().map(move |(number, (division, part, raci))| {
        let (worker, unit) = match part {
            Part::Worker(worker) => (Some(worker), None),
            Part::OrgUnit(unit) => (None, Some(unit)),
        };
        let is_over = matches!(this.stage, InitiativeStage::Stopped | InitiativeStage::Run);
        let fte = match raci {
            Raci::R => f64::from(dice.between(2, if unit.is_some() { 30 } else { 10 })) / 10.0,
            _ => f64::from(dice.between(0, 2)) / 10.0,
        };
        let index = initiative * MOST_PARTS + number;
        create(
            plan.id(Kind::Stakeholder, index),
            Entity::Stakeholder(Stakeholder {
                header: Some(Header::default()),
                initiative_id: Some(id_bytes(plan, Kind::Initiative, initiative)),
                worker_id: worker.map(|worker| id_bytes(plan, Kind::Worker, worker)),
                org_unit_id: unit.map(|unit| id_bytes(plan, Kind::OrgUnit, unit)),
                function: DIVISIONS[division].function as i32,
                raci: raci as i32,
                fte: Some(fte),
                from: this.start,
                to: this.end.filter(|_| is_over),
            }),
        )
    })
}

fn role_impacts(plan: &Plan, initiative: usize) -> impl Iterator<Item = Command> + Send + use<'_> {
    use ImpactKind::{Augmented, Automated, Created, Redesigned, Retired, Unchanged, Unknown};
    let mut dice = plan.dice(Kind::RoleImpact, initiative);
    let this = outline(plan, initiative);
    let division = AREAS[this.area].division;
    let roles = plan.division_roles(division);
    // What nobody has thought through yet has no impacts on record.
    let count = if this.stage == InitiativeStage::Idea { 0 } else { 1 + dice.below(5) };
    let chosen = dice.distinct(count, roles.len());
    chosen.into_iter().enumerate().map(move |(number, place)| {
        let role = roles.start + place;
        let others = [(Augmented, 30), (Redesigned, 25), (Unchanged, 20), (Unknown, 15), (Automated, 6), (Created, 4)];
        let kind = if dice.chance(600) { this.impact } else { dice.weighted(&others) };
        let severity = match kind {
            Unchanged => Some(0),
            Unknown => None,
            Automated | Retired => Some(dice.between(2, 4)),
            _ => Some(dice.between(1, 3)),
        };
        let share = severity.map(|severity| f64::from(severity * 20 + dice.between(0, 4) * 5) / 100.0);
        let head = plan.role_headcount[role];
        let touched = if kind == Created { 0 } else { head * (50 + dice.below(51)) / 100 };
        let is_planned = severity.is_some_and(|severity| severity > 0) && dice.chance(550);
        let plan_text = match kind {
            Automated | Retired => {
                "Nobody leaves because of this: retraining within the area first, then internal vacancies."
            }
            Created => {
                "Half of the new seats are for people from roles that shrink; training starts three months before."
            }
            _ => "Two days of training in small groups, then practice at work with a colleague who knows the new way.",
        };
        let owner = plan.leader(&mut dice, if number % 2 == 0 { division } else { 5 });
        let index = initiative * MOST_PARTS + number;
        create(
            plan.id(Kind::RoleImpact, index),
            Entity::RoleImpact(RoleImpact {
                header: Some(Header::default()),
                initiative_id: Some(id_bytes(plan, Kind::Initiative, initiative)),
                role_id: Some(id_bytes(plan, Kind::Role, role)),
                kind: kind as i32,
                severity,
                share,
                headcount: i32::try_from(touched).ok(),
                plan: is_planned.then(|| plan_text.to_owned()),
                owner_id: is_planned.then(|| id_bytes(plan, Kind::Worker, owner)),
                due: is_planned.then(|| plan.today + dice.between(-60, 400)),
                learning_activity_ids: if is_planned { learning::preparing(plan, index) } else { Vec::new() },
            }),
        )
    })
}
