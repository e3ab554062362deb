//! Benefits, who brings them, and what was measured.

use spil_proto::{
    changefeed::v1::{Command, record::Entity},
    initiative::v1::{Benefit, BenefitDirection, BenefitShare, InitiativeStage, Measurement},
    model::{Header, Kind},
};

use super::{
    catalogue::{AREAS, BENEFITS, BenefitIdea},
    command::{create, id_bytes, named},
    dice::Dice,
    initiative::{MOST_PARTS, outline},
    plan::Plan,
};

/// What a benefit is, as far as its measurements need to know.
struct Course {
    idea: &'static BenefitIdea,
    baseline: f64,
    target: f64,
    baseline_at: i32,
    target_at: i32,
    /// Whether anybody measured before.
    has_baseline: bool,
}

/// The initiative that brings most of a benefit.
fn bringer(plan: &Plan, benefit: usize) -> usize {
    benefit % plan.initiatives
}

fn course(plan: &Plan, dice: &mut Dice, benefit: usize) -> Course {
    let idea = &BENEFITS[benefit % BENEFITS.len()];
    let (least, most) = idea.baseline;
    let baseline = tenths(least + (most - least) * f64::from(dice.between(0, 100)) / 100.0);
    let start = outline(plan, bringer(plan, benefit)).start.unwrap_or(plan.today);
    let baseline_at = start.min(plan.today) - dice.between(10, 90);
    Course {
        idea,
        baseline,
        target: tenths(baseline * idea.target),
        baseline_at,
        target_at: baseline_at + dice.between(500, 1100),
        has_baseline: dice.chance(880),
    }
}

fn tenths(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

pub(super) fn benefit(plan: &Plan, index: usize) -> Command {
    let mut dice = plan.dice(Kind::Benefit, index);
    let course = course(plan, &mut dice, index);
    let idea = course.idea;
    let initiative = outline(plan, bringer(plan, index));
    let change = ((idea.target - 1.0).abs() * 1000.0).round() as i64;
    let worth = idea.value * change * i64::from(dice.between(5, 30)) / 10;
    let in_money = idea.value > 0;
    let worth = if idea.is_disbenefit { -worth } else { worth };
    let objectives = plan.objectives_of(initiative.area);
    let served = dice.chance(800);
    let objective = objectives.get(dice.below(objectives.len())).copied().filter(|_| served);
    let owner = plan.leader(&mut dice, AREAS[initiative.area].division);
    let direction = if idea.target > 1.0 { BenefitDirection::Increase } else { BenefitDirection::Decrease };
    // What is accepted as a loss grows, and less of it is better.
    let direction = if idea.is_disbenefit { BenefitDirection::Decrease } else { direction };
    create(
        plan.id(Kind::Benefit, index),
        Entity::Benefit(Benefit {
            header: named(format!("BEN-{:04}", index + 1), &format!("{}: {}", idea.name, initiative.name)),
            unit: Some(idea.unit.to_owned()),
            direction: direction as i32,
            weight: (!in_money).then(|| f64::from(dice.between(1, 10))),
            value: in_money.then(|| worth.to_string()),
            currency: in_money.then(|| "EUR".to_owned()),
            baseline_value: course.has_baseline.then_some(course.baseline),
            baseline_at: course.has_baseline.then_some(course.baseline_at),
            target_value: Some(course.target),
            target_at: Some(course.target_at),
            realisation_start: Some(course.baseline_at + dice.between(100, 450)),
            is_disbenefit: Some(idea.is_disbenefit),
            objective_id: objective.map(|objective| id_bytes(plan, Kind::Objective, objective)),
            owner_id: dice.chance(850).then(|| id_bytes(plan, Kind::Worker, owner)),
        }),
    )
}

pub(super) fn shares(plan: &Plan, benefit: usize) -> impl Iterator<Item = Command> + Send + use<'_> {
    let mut dice = plan.dice(Kind::BenefitShare, benefit);
    let main = bringer(plan, benefit);
    // In hundredths, so that they add up to what is meant.
    let mut left = 100;
    let mut parts = vec![(main, dice.between(50, 80))];
    left -= parts[0].1;
    let helpers = dice.below(3);
    for helper in dice.distinct(helpers, plan.initiatives) {
        let part = dice.between(5, 20).min(left);
        if helper != main && part > 0 {
            parts.push((helper, part));
            left -= part;
        }
    }
    if parts.len() == 1 && dice.chance(700) {
        parts[0].1 = 100;
    }
    parts.into_iter().enumerate().map(move |(number, (initiative, hundredths))| {
        create(
            plan.id(Kind::BenefitShare, benefit * MOST_PARTS + number),
            Entity::BenefitShare(BenefitShare {
                header: Some(Header::default()),
                benefit_id: Some(id_bytes(plan, Kind::Benefit, benefit)),
                initiative_id: Some(id_bytes(plan, Kind::Initiative, initiative)),
                share: Some(f64::from(hundredths) / 100.0),
            }),
        )
    })
}

pub(super) fn measurements(plan: &Plan, benefit: usize) -> impl Iterator<Item = Command> + Send + use<'_> {
    use InitiativeStage::{Pilot, Run, Scale, Stopped};
    // The same dice as those of the benefit, up to here.
    let course = course(plan, &mut plan.dice(Kind::Benefit, benefit), benefit);
    let mut dice = plan.dice(Kind::Measurement, benefit);
    let initiative = outline(plan, bringer(plan, benefit));
    let is_measured = matches!(initiative.stage, Pilot | Scale | Run | Stopped) && course.has_baseline;
    let every = dice.weighted(&[(30, 60), (91, 40)]);
    let most = dice.between(2, 12);
    // How much of the promised change comes.
    let success = f64::from(match initiative.stage {
        Stopped => dice.between(-10, 20),
        Pilot => dice.between(0, 60),
        _ => dice.between(30, 115),
    }) / 100.0;
    let span = f64::from(course.target_at - course.baseline_at);
    let mut found: Vec<(i32, f64, Option<usize>)> = Vec::new();
    let mut at = course.baseline_at + every;
    while is_measured && found.len() < most as usize && at <= plan.today {
        let part = (f64::from(at - course.baseline_at) / span).min(1.0) * success;
        let noise = f64::from(dice.between(-30, 30)) / 1000.0 * course.baseline;
        let value = course.baseline + (course.target - course.baseline) * part + noise;
        found.push((at, (value * 100.0).round() / 100.0, None));
        at += every;
    }
    if let Some(&(at, value, _)) = found.last()
        && dice.chance(80)
    {
        found.push((at, (value * 97.0).round() / 100.0, Some(found.len() - 1)));
    }
    let id = move |number: usize| plan.id(Kind::Measurement, benefit * MOST_PARTS + number);
    found.into_iter().enumerate().map(move |(number, (at, value, corrects))| {
        create(
            id(number),
            Entity::Measurement(Measurement {
                header: Some(Header::default()),
                benefit_id: Some(id_bytes(plan, Kind::Benefit, benefit)),
                at: Some(at),
                value: Some(value),
                method: Some(course.idea.method.to_owned()),
                corrects_id: corrects.map(|earlier| id(earlier).as_bytes().to_vec()),
            }),
        )
    })
}
