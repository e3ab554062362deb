//! The way of initiatives through the gates, what was spent on it, and the processes they touch.

use spil_proto::{
    changefeed::v1::{Command, record::Entity},
    initiative::v1::{GateDecision, GateOutcome, ImpactKind, InitiativeStage, ProcessImpact, Spend},
    model::{Header, Kind},
};

use super::{
    catalogue::AREAS,
    command::{create, id_bytes},
    initiative::{MOST_PARTS, outline, record},
    plan::Plan,
};

/// What was decided, where it leads, and when.
struct Step {
    decision: GateOutcome,
    to: InitiativeStage,
    at: i32,
}

/// The stages that lead to one; a stopped initiative ended in a pilot or before.
fn way(stage: InitiativeStage, ended_early: bool) -> &'static [InitiativeStage] {
    use InitiativeStage::{Experiment, Pilot, Run, Scale, Stopped};
    match stage {
        Experiment => &[Experiment],
        Pilot => &[Experiment, Pilot],
        Scale => &[Experiment, Pilot, Scale],
        Run => &[Experiment, Pilot, Scale, Run],
        Stopped if ended_early => &[Experiment, Stopped],
        Stopped => &[Experiment, Pilot, Stopped],
        _ => &[],
    }
}

pub(super) fn decisions(plan: &Plan, initiative: usize) -> impl Iterator<Item = Command> + Send + use<'_> {
    let mut dice = plan.dice(Kind::GateDecision, initiative);
    let this = outline(plan, initiative);
    let way = way(this.stage, dice.chance(400));
    let start = this.start.unwrap_or(plan.today + 60);
    let last = this.end.unwrap_or(plan.today).min(plan.today);
    let gates = i32::try_from(way.len()).unwrap_or(1).max(1);
    let mut steps: Vec<Step> = Vec::new();
    for (&to, number) in way.iter().zip(0..) {
        let at = start + (last - start) * number / gates - if number == 0 { dice.between(5, 25) } else { 0 };
        let stops = to == InitiativeStage::Stopped;
        // Some gates were passed at the second try.
        if !stops && number > 0 && dice.chance(150) {
            steps.push(Step { decision: GateOutcome::Hold, to: InitiativeStage::Unspecified, at: at - 14 });
        }
        steps.push(Step { decision: if stops { GateOutcome::Stop } else { GateOutcome::Go }, to, at });
    }
    let is_over = matches!(this.stage, InitiativeStage::Run | InitiativeStage::Stopped);
    // The next gate; some are overdue.
    let ahead = (!is_over).then(|| Step {
        decision: GateOutcome::Unspecified,
        to: InitiativeStage::Unspecified,
        at: plan.today + dice.between(-60, 150),
    });
    let board = plan.leader(&mut dice, AREAS[this.area].division);
    steps.into_iter().chain(ahead).enumerate().map(move |(number, step)| {
        let is_decided = step.decision != GateOutcome::Unspecified;
        let evidence = match step.decision {
            GateOutcome::Go => "The figures of the stage before, and what its users say of it.",
            GateOutcome::Hold => "The figures came from too few people to decide on.",
            _ => "The figures stayed below what was agreed, twice in a row.",
        };
        create(
            plan.id(Kind::GateDecision, initiative * MOST_PARTS + number),
            Entity::GateDecision(GateDecision {
                header: Some(Header::default()),
                initiative_id: Some(id_bytes(plan, Kind::Initiative, initiative)),
                gate: Some(format!("Gate {}", number + 1)),
                planned_at: Some(step.at - if is_decided { dice.between(0, 20) } else { 0 }),
                decided_at: is_decided.then_some(step.at),
                decision: step.decision as i32,
                to_stage: step.to as i32,
                criteria: Some(
                    "It is used weekly by those it is meant for, and the benefit shows in a measurement.".into(),
                ),
                kill_criteria: Some("No measurable benefit twice in a row, or no sponsor.".into()),
                evidence: is_decided.then(|| evidence.to_owned()),
                decided_by_id: is_decided.then(|| id_bytes(plan, Kind::Worker, board)),
            }),
        )
    })
}

pub(super) fn spends(plan: &Plan, initiative: usize) -> impl Iterator<Item = Command> + Send + use<'_> {
    use InitiativeStage::{Experiment, Pilot, Run, Scale};
    let mut dice = plan.dice(Kind::Spend, initiative);
    let this = outline(plan, initiative);
    let budget: i64 = record(plan, initiative).budget.and_then(|text| text.parse().ok()).unwrap_or_default();
    let percent = match this.stage {
        Experiment => dice.between(20, 60),
        Pilot => dice.between(40, 110),
        Scale => dice.between(50, 100),
        Run => dice.between(80, 120),
        _ => dice.between(30, 80),
    };
    let parts = if budget == 0 { 0 } else { dice.between(2, 6) };
    let start = this.start.unwrap_or(plan.today);
    let last = this.end.unwrap_or(plan.today).min(plan.today);
    // In euros; times a percentage it is in cents.
    let each = budget * i64::from(percent) / i64::from(parts.max(1)) / 100;
    let mut entries: Vec<(i32, i64)> = (0..parts)
        .map(|number| (start + (last - start) * number / parts, each * i64::from(dice.between(80, 120))))
        .collect();
    // An entry that was wrong is set right by another.
    if let Some(&(at, amount)) = entries.last()
        && dice.chance(80)
    {
        entries.push((at, -amount / 10));
    }
    entries.into_iter().enumerate().map(move |(number, (at, cents))| {
        create(
            plan.id(Kind::Spend, initiative * MOST_PARTS + number),
            Entity::Spend(Spend {
                header: Some(Header::default()),
                initiative_id: Some(id_bytes(plan, Kind::Initiative, initiative)),
                at: Some(at),
                amount: Some(format!(
                    "{}{}.{:02}",
                    if cents < 0 { "-" } else { "" },
                    cents.abs() / 100,
                    cents.abs() % 100
                )),
                currency: Some("EUR".to_owned()),
            }),
        )
    })
}

pub(super) fn process_impacts(plan: &Plan, initiative: usize) -> impl Iterator<Item = Command> + Send + use<'_> {
    use ImpactKind::{Augmented, Automated, Redesigned, Retired, Unchanged, Unknown};
    let mut dice = plan.dice(Kind::ProcessImpact, initiative);
    let this = outline(plan, initiative);
    let processes = plan.area_processes[this.area].clone();
    let count = if this.stage == InitiativeStage::Idea { 0 } else { 1 + dice.below(3) };
    let chosen = dice.distinct(count, processes.len());
    chosen.into_iter().enumerate().map(move |(number, place)| {
        let kind = dice.weighted(&[
            (Augmented, 30),
            (Redesigned, 30),
            (Automated, 15),
            (Unchanged, 10),
            (Unknown, 10),
            (Retired, 5),
        ]);
        let severity = match kind {
            Unchanged => Some(0),
            Unknown => None,
            Automated | Retired => Some(dice.between(2, 4)),
            _ => Some(dice.between(1, 3)),
        };
        let is_planned = severity.is_some_and(|severity| severity > 0) && dice.chance(600);
        create(
            plan.id(Kind::ProcessImpact, initiative * MOST_PARTS + number),
            Entity::ProcessImpact(ProcessImpact {
                header: Some(Header::default()),
                initiative_id: Some(id_bytes(plan, Kind::Initiative, initiative)),
                process_id: Some(id_bytes(plan, Kind::Process, processes.start + place)),
                kind: kind as i32,
                severity,
                plan: is_planned.then(|| "Both ways side by side for six weeks, then the new one alone.".to_owned()),
                due: is_planned.then(|| plan.today + dice.between(-40, 300)),
            }),
        )
    })
}
