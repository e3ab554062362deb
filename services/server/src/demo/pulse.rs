//! What people say when they are asked, wave by wave.

use spil_proto::{
    changefeed::v1::{Command, record::Entity},
    initiative::v1::{PulseResponse, PulseWave},
    model::{Header, Kind, v1::OrgFunction},
};

use super::{
    catalogue::DIVISIONS,
    command::{create, id_bytes, named},
    dice::{Dice, Purpose},
    plan::Plan,
};

/// What is asked: a short name, and the words of the first and the second wording.
const QUESTIONS: [(&str, [&str; 2]); 2] = [
    (
        "Clarity",
        ["I know what changes in my work this year.", "I know what changes in my own work in the next months."],
    ),
    ("Trust", ["I trust that people come first in this change.", "I trust that people come first in how we use AI."]),
];
/// How many quarters back the first wave is.
const QUARTERS: usize = 3;
/// How many waves there are.
pub(super) const WAVES: usize = QUESTIONS.len() * QUARTERS;
/// How many people can answer a wave; only to number them.
const MOST_RESPONSES: usize = 1024;

/// The first day of a wave.
fn opened(plan: &Plan, wave: usize) -> i32 {
    let quarters = i32::try_from(QUARTERS - wave / QUESTIONS.len()).unwrap_or(1);
    plan.today - quarters * 91
}

fn invited(plan: &Plan) -> usize {
    (plan.workers / 4).clamp(25, 500)
}

pub(super) fn wave(plan: &Plan, index: usize) -> Command {
    let (name, wordings) = QUESTIONS[index % QUESTIONS.len()];
    let quarter = index / QUESTIONS.len();
    let wording = usize::from(quarter > 0);
    let from = opened(plan, index);
    create(
        plan.id(Kind::PulseWave, index),
        Entity::PulseWave(PulseWave {
            header: named(format!("PLS-{:02}", index + 1), &format!("{name}, wave {}", quarter + 1)),
            question: Some(wordings[wording].to_owned()),
            wording_version: Some((wording + 1).to_string()),
            scale_min: Some(1),
            scale_max: Some(5),
            top_box: Some(4),
            from: Some(from),
            to: Some(from + 14),
            invited: i32::try_from(invited(plan)).ok(),
        }),
    )
}

pub(super) fn responses(plan: &Plan, wave: usize) -> impl Iterator<Item = Command> + Send + use<'_> {
    let mut dice = plan.dice(Kind::PulseResponse, wave);
    let asked = Dice::aside(plan.seed, Purpose::Pulse, wave).distinct(invited(plan), plan.workers);
    let answers: Vec<usize> = asked.into_iter().filter(|_| dice.chance(620)).collect();
    answers.into_iter().enumerate().map(move |(number, worker)| {
        let (unit, seat) = plan.seat_of(worker);
        let division = plan.units[unit].division;
        let is_leader = seat == 0;
        // Those who decide see the change more clearly than those to whom it comes.
        let bias = if is_leader { 1 } else { 0 };
        let score = (dice.weighted(&[(1, 10), (2, 22), (3, 33), (4, 25), (5, 10)]) + bias).min(5);
        create(
            plan.id(Kind::PulseResponse, wave * MOST_RESPONSES + number),
            Entity::PulseResponse(PulseResponse {
                header: Some(Header::default()),
                wave_id: Some(id_bytes(plan, Kind::PulseWave, wave)),
                function: division.map_or(OrgFunction::Business, |division| DIVISIONS[division].function) as i32,
                is_leader: Some(is_leader),
                score: Some(score),
                responded_at: Some(opened(plan, wave) + dice.between(0, 13)),
                respondent: Some(format!("EMP-{:06}", worker + 1)),
            }),
        )
    })
}
