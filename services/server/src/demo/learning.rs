//! By what people learn, what it teaches, and who took part.

use spil_proto::{
    changefeed::v1::{Command, record::Entity},
    model::{Header, Kind},
    workforce::v1::{LearningActivity, LearningEvent, LearningMode, LearningOutcome},
};
use uuid::Builder;

use super::{
    catalogue::{LEARNING, LearningIdea},
    command::{create, header, id_bytes, ids_bytes},
    dice::{Dice, Purpose},
    initiative::with_place,
    plan::Plan,
};

/// How many skills an activity can teach, and how many events a worker can have; only to number them.
const MOST: usize = 4;
/// Microseconds of a day and of a minute.
const DAY: i64 = 86_400_000_000;
const MINUTE: i64 = 60_000_000;

/// How many activities there are.
pub(super) fn activity_count(plan: &Plan) -> usize {
    LEARNING.len() + plan.workers.isqrt() / 4
}

fn idea(activity: usize) -> &'static LearningIdea {
    &LEARNING[activity % LEARNING.len()]
}

pub(super) fn activity(plan: &Plan, index: usize) -> Command {
    let mut dice = plan.dice(Kind::LearningActivity, index);
    let idea = idea(index);
    let is_embedded = idea.mode == LearningMode::Embedded;
    let processes = &plan.area_processes[idea.area];
    let count = if is_embedded { 1 + dice.below(3) } else { 0 };
    let processes = dice.distinct(count, processes.len()).into_iter().map(|place| processes.start + place);
    let applications = plan.area_applications(idea.area).take(usize::from(is_embedded && dice.chance(600)));
    let initiative = dice.chance(450).then(|| dice.below(plan.initiatives));
    let description = match idea.mode {
        LearningMode::Embedded => "Help at the moment it is needed, without leaving the work.",
        LearningMode::Social => "People who do the same work learn from one another.",
        _ => "A programme with a beginning, an end and a test.",
    };
    let name = with_place(idea.title, index / LEARNING.len());
    create(
        plan.id(Kind::LearningActivity, index),
        Entity::LearningActivity(LearningActivity {
            header: Some(header(format!("LRN-{:04}", index + 1), &name, description.to_owned())),
            mode: idea.mode as i32,
            minutes: Some(idea.minutes),
            hours_per_level: Some(f64::from(dice.between(4, 60))),
            process_ids: ids_bytes(plan, Kind::Process, processes),
            application_ids: ids_bytes(plan, Kind::Application, applications),
            initiative_id: initiative.map(|initiative| id_bytes(plan, Kind::Initiative, initiative)),
        }),
    )
}

pub(super) fn outcomes(plan: &Plan, activity: usize) -> impl Iterator<Item = Command> + Send + use<'_> {
    let mut dice = plan.dice(Kind::LearningOutcome, activity);
    let count = 1 + dice.below(3);
    let skills = plan.pick_skills(&mut dice, idea(activity).group, count);
    skills.into_iter().enumerate().map(move |(number, skill)| {
        create(
            plan.id(Kind::LearningOutcome, activity * MOST + number),
            Entity::LearningOutcome(LearningOutcome {
                header: Some(Header::default()),
                activity_id: Some(id_bytes(plan, Kind::LearningActivity, activity)),
                skill_id: Some(id_bytes(plan, Kind::Skill, skill)),
                to_level: Some(dice.between(1, 4)),
            }),
        )
    })
}

/// How often a worker took part in something.
pub(super) fn event_count(plan: &Plan, worker: usize) -> usize {
    Dice::aside(plan.seed, Purpose::Learning, worker).weighted(&[(0, 50), (1, 35), (2, 15)])
}

pub(super) fn events(plan: &Plan, worker: usize) -> impl Iterator<Item = Command> + Send + use<'_> {
    let mut dice = plan.dice(Kind::LearningEvent, worker);
    let chosen = dice.distinct(event_count(plan, worker), activity_count(plan));
    chosen.into_iter().enumerate().map(move |(number, activity)| {
        let idea = idea(activity);
        let index = worker * MOST + number;
        let day = i64::from(plan.today - dice.between(2, 700));
        let statement = (u128::from(dice.bits()) << 64 | u128::from(dice.bits())).to_be_bytes();
        let processes = &plan.area_processes[idea.area];
        let context = dice.weighted(&[(0, 60), (1, 25), (2, 15)]);
        let process = (context == 1).then(|| processes.start + dice.below(processes.len()));
        let application = plan.area_applications(idea.area).next().filter(|_| context == 2);
        create(
            plan.id(Kind::LearningEvent, index),
            Entity::LearningEvent(LearningEvent {
                header: Some(Header::default()),
                worker_id: Some(id_bytes(plan, Kind::Worker, worker)),
                activity_id: Some(id_bytes(plan, Kind::LearningActivity, activity)),
                minutes: Some(idea.minutes),
                completed_at: Some(day * DAY + i64::from(dice.between(8 * 60, 17 * 60)) * MINUTE),
                statement_id: Some(Builder::from_random_bytes(statement).into_uuid().to_string()),
                process_id: process.map(|process| id_bytes(plan, Kind::Process, process)),
                application_id: application.map(|application| id_bytes(plan, Kind::Application, application)),
            }),
        )
    })
}

/// The activities that prepare people for what an initiative does to their role.
pub(super) fn preparing(plan: &Plan, impact: usize) -> Vec<Vec<u8>> {
    let mut dice = Dice::aside(plan.seed, Purpose::Preparation, impact);
    let count = dice.weighted(&[(0, 40), (1, 40), (2, 20)]);
    ids_bytes(plan, Kind::LearningActivity, dice.distinct(count, activity_count(plan)))
}
