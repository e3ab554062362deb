//! What there is and how it hangs together, small enough to keep in memory: units, roles, skills, capabilities. The many
//! records (positions, people, claims of skills) are made from it one by one.

use std::ops::Range;

use spil_proto::model::Kind;
use uuid::{Builder, Uuid};

use super::{
    catalogue::{AREAS, ASPECTS, DIVISIONS, JOBS, Job, LEADERSHIP, LEVELS, OBJECTIVES, ORGANISATION, PLACES},
    catalogue::{PROCESS_VERBS, SKILL_GROUPS},
    dice::{Dice, Purpose},
};

/// A unit, its seats and the people on them. Seat 0 leads the unit.
#[derive(Debug)]
pub(super) struct Unit {
    pub(super) name: String,
    pub(super) parent: Option<usize>,
    /// None for the top.
    pub(super) division: Option<usize>,
    /// 0 for the top.
    pub(super) depth: usize,
    pub(super) is_leaf: bool,
    /// The first of the people who sit here, at least one.
    pub(super) first_worker: usize,
    pub(super) workers: usize,
    /// The first of the seats; people take the first ones, the others are vacant.
    pub(super) first_position: usize,
    pub(super) seats: usize,
}

#[derive(Debug)]
pub(super) struct CapabilityPlan {
    pub(super) name: String,
    pub(super) parent: Option<usize>,
    pub(super) area: usize,
    pub(super) is_leaf: bool,
}

#[derive(Debug)]
pub(super) struct ProcessPlan {
    pub(super) name: String,
    pub(super) capability: usize,
}

/// The whole organisation in outline.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) seed: u64,
    pub(super) today: i32,
    pub(super) workers: usize,
    /// Each after its parent.
    pub(super) units: Vec<Unit>,
    pub(super) positions: usize,
    /// The units at the top two levels of each division: their leaders answer for things.
    pub(super) departments: Vec<Vec<usize>>,
    /// How many grades each job has.
    grades: usize,
    /// How many people hold each role.
    pub(super) role_headcount: Vec<usize>,
    /// Each after its parent, area by area.
    pub(super) capabilities: Vec<CapabilityPlan>,
    pub(super) area_capabilities: Vec<Range<usize>>,
    /// Area by area.
    pub(super) processes: Vec<ProcessPlan>,
    pub(super) area_processes: Vec<Range<usize>>,
    pub(super) objectives: usize,
    pub(super) applications: usize,
    pub(super) programmes: usize,
    /// Programmes included; they come first.
    pub(super) initiatives: usize,
    pub(super) benefits: usize,
}

/// The most people in a unit that has no units below it.
pub(super) const LARGEST_TEAM: usize = 14;
/// How many people are in such a unit where the number can be chosen.
const TEAM: usize = 9;
/// The most units right below one.
const SPAN: usize = 9;
/// Ids carry this moment (2026-01-01T00:00:00Z) and not the present one, so that they are the same on every day.
const ID_EPOCH_MS: u64 = 1_767_225_600_000;

impl Plan {
    pub(super) fn new(seed: u64, workers: usize, today: i32) -> Self {
        let mut plan = Self {
            seed,
            today,
            workers,
            units: Vec::new(),
            positions: 0,
            departments: vec![Vec::new(); DIVISIONS.len()],
            grades: match workers {
                0..200 => 1,
                200..2_000 => 3,
                2_000..20_000 => 4,
                _ => LEVELS.len(),
            },
            role_headcount: Vec::new(),
            capabilities: Vec::new(),
            area_capabilities: Vec::new(),
            processes: Vec::new(),
            area_processes: Vec::new(),
            objectives: if workers < 200 { OBJECTIVES.len() / 2 } else { OBJECTIVES.len() },
            applications: 20 + workers.isqrt() * 6 / 5,
            programmes: 0,
            initiatives: 8 + workers.isqrt() * 9 / 10,
            benefits: 0,
        };
        plan.programmes = (plan.initiatives / 8).max(2);
        plan.benefits = plan.initiatives * 3 / 2;
        plan.grow_units();
        plan.grow_capabilities();
        plan.count_heads();
        plan
    }

    /// The id of the record of a kind with an index: a UUID of version 7 that depends on the seed and the size,
    /// so that two organisations never share one.
    pub(super) fn id(&self, kind: Kind, index: usize) -> Uuid {
        let organisation = self.seed.rotate_left(32) ^ self.workers as u64;
        let bits = Dice::aside(organisation, Purpose::Id(kind), index).bits().to_be_bytes();
        let mut tail = [0; 10];
        // Twelve bits count within the millisecond, so that ids are in the order of the indexes; the others are chance.
        tail[..2].copy_from_slice(&((index as u64 % 4096) as u16).to_be_bytes());
        tail[2..].copy_from_slice(&bits);
        Builder::from_unix_timestamp_millis(ID_EPOCH_MS + index as u64 / 4096, &tail).into_uuid()
    }

    pub(super) fn dice(&self, kind: Kind, index: usize) -> Dice {
        Dice::of(self.seed, kind, index)
    }

    fn grow_units(&mut self) {
        let below = self.workers - 1;
        let mut shares: Vec<usize> = DIVISIONS.iter().map(|division| (below * division.weight / 1000).max(1)).collect();
        // The largest division takes what rounding left.
        shares[1] += below - shares.iter().sum::<usize>();
        self.add_unit(ORGANISATION.to_owned(), None, None, 0, 1, false);
        for (number, (division, people)) in DIVISIONS.iter().zip(shares).enumerate() {
            self.grow(division.name.to_owned(), 0, number, 1, people);
        }
    }

    fn grow(&mut self, name: String, parent: usize, division: usize, depth: usize, people: usize) {
        if people <= LARGEST_TEAM {
            self.add_unit(name, Some(parent), Some(division), depth, people, true);
            return;
        }
        let this = self.add_unit(name.clone(), Some(parent), Some(division), depth, 1, false);
        let departments = DIVISIONS[division].departments;
        let most = if depth == 1 { departments.len() } else { SPAN };
        let children = (people - 1).div_ceil(TEAM).clamp(2, most);
        for child in 0..children {
            let share = (people - 1) / children + usize::from(child < (people - 1) % children);
            let name = match depth {
                1 => departments[child].to_owned(),
                2 => format!("{name} {}", PLACES[child]),
                3 => format!("{name}, Section {}", child + 1),
                _ => format!("{name}-{}", child + 1),
            };
            self.grow(name, this, division, depth + 1, share);
        }
    }

    fn add_unit(
        &mut self,
        name: String,
        parent: Option<usize>,
        division: Option<usize>,
        depth: usize,
        workers: usize,
        is_leaf: bool,
    ) -> usize {
        let number = self.units.len();
        let first_worker = self.units.last().map_or(0, |unit| unit.first_worker + unit.workers);
        // One seat in some thirty is vacant.
        let vacant = usize::from(Dice::aside(self.seed, Purpose::Vacancy, number).chance((workers - 1) * 35));
        let unit = Unit {
            name,
            parent,
            division,
            depth,
            is_leaf,
            first_worker,
            workers,
            first_position: self.positions,
            seats: workers + vacant,
        };
        self.positions += unit.seats;
        self.units.push(unit);
        if let Some(division) = division
            && depth <= 2
        {
            self.departments[division].push(number);
        }
        number
    }

    fn grow_capabilities(&mut self) {
        for (area, description) in AREAS.iter().enumerate() {
            let start = self.capabilities.len();
            let top = self.add_capability(description.name.to_owned(), None, area, false);
            for (number, part) in description.parts.iter().enumerate() {
                let has_parts = !part.parts.is_empty() && (self.workers >= 200 || number < 2);
                let second = self.add_capability(part.name.to_owned(), Some(top), area, !has_parts);
                for name in part.parts.iter().take(if has_parts { usize::MAX } else { 0 }) {
                    let dice = Dice::aside(self.seed, Purpose::Split, self.capabilities.len()).chance(400);
                    let is_split = dice && self.workers >= 500;
                    let third = self.add_capability((*name).to_owned(), Some(second), area, !is_split);
                    for aspect in ASPECTS.iter().take(if is_split { usize::MAX } else { 0 }) {
                        self.add_capability(format!("{name}: {aspect}"), Some(third), area, true);
                    }
                }
            }
            self.area_capabilities.push(start..self.capabilities.len());
            self.grow_processes(start);
        }
    }

    fn grow_processes(&mut self, from: usize) {
        let start = self.processes.len();
        for capability in from..self.capabilities.len() {
            if !self.capabilities[capability].is_leaf {
                continue;
            }
            let mut dice = Dice::aside(self.seed, Purpose::Processes, capability);
            let count = 1 + usize::from(dice.chance(300));
            for verb in dice.distinct(count, PROCESS_VERBS.len()) {
                let name = format!("{} {}", PROCESS_VERBS[verb], within_sentence(&self.capabilities[capability].name));
                self.processes.push(ProcessPlan { name, capability });
            }
        }
        self.area_processes.push(start..self.processes.len());
    }

    fn add_capability(&mut self, name: String, parent: Option<usize>, area: usize, is_leaf: bool) -> usize {
        self.capabilities.push(CapabilityPlan { name, parent, area, is_leaf });
        self.capabilities.len() - 1
    }

    fn count_heads(&mut self) {
        let mut heads = vec![0; self.roles()];
        for (number, unit) in self.units.iter().enumerate() {
            for seat in 0..unit.workers {
                heads[self.role_at(number, seat)] += 1;
            }
        }
        self.role_headcount = heads;
    }

    /// The number of roles: those of leaders first, then each job in each grade.
    pub(super) fn roles(&self) -> usize {
        LEADERSHIP.len() + JOBS.len() * self.grades
    }

    /// The job of a role and its grade; None for the role of a leader.
    pub(super) fn job(&self, role: usize) -> Option<(&'static Job, usize)> {
        let number = role.checked_sub(LEADERSHIP.len())?;
        Some((&JOBS[number / self.grades], number % self.grades))
    }

    /// The roles of a division's jobs.
    pub(super) fn division_roles(&self, division: usize) -> Range<usize> {
        let first = JOBS.partition_point(|job| job.division < division);
        let end = JOBS.partition_point(|job| job.division <= division);
        LEADERSHIP.len() + first * self.grades..LEADERSHIP.len() + end * self.grades
    }

    /// The role of a seat.
    pub(super) fn role_at(&self, unit: usize, seat: usize) -> usize {
        let place = &self.units[unit];
        let Some(division) = place.division.filter(|_| seat > 0) else {
            return match place.depth {
                0 | 1 => place.depth,
                _ if place.is_leaf => 4,
                2 => 2,
                _ => 3,
            };
        };
        let roles = self.division_roles(division);
        let jobs = roles.len() / self.grades;
        let mut dice = self.dice(Kind::Position, place.first_position + seat);
        // Most of a team do the same job.
        let mut team = Dice::aside(self.seed, Purpose::TeamJob, unit);
        let job = if dice.chance(650) { team.below(jobs) } else { dice.below(jobs) };
        let grade = dice.weighted(&[(0, 45), (1, 30), (2, 12), (3, 9), (4, 4)]).min(self.grades - 1);
        roles.start + job * self.grades + grade
    }

    /// The unit where somebody sits, and on which seat.
    pub(super) fn seat_of(&self, worker: usize) -> (usize, usize) {
        let unit = self.units.partition_point(|unit| unit.first_worker <= worker) - 1;
        (unit, worker - self.units[unit].first_worker)
    }

    /// Somebody who leads one of the upper units of a division.
    pub(super) fn leader(&self, dice: &mut Dice, division: usize) -> usize {
        self.units[self.department(dice, division)].first_worker
    }

    /// One of the upper units of a division.
    pub(super) fn department(&self, dice: &mut Dice, division: usize) -> usize {
        let departments = &self.departments[division];
        departments[dice.below(departments.len())]
    }

    /// The skills of a group. Groups are skills themselves and come first.
    pub(super) fn group_skills(&self, group: usize) -> Range<usize> {
        let start = SKILL_GROUPS.len() + SKILL_GROUPS[..group].iter().map(|group| group.skills.len()).sum::<usize>();
        start..start + SKILL_GROUPS[group].skills.len()
    }

    /// Some different skills of a group.
    pub(super) fn pick_skills(&self, dice: &mut Dice, group: usize, count: usize) -> Vec<usize> {
        let range = self.group_skills(group);
        dice.distinct(count, range.len()).into_iter().map(|skill| range.start + skill).collect()
    }

    /// How mature a capability is and is to be.
    pub(super) fn maturity(&self, capability: usize) -> (i32, i32) {
        let mut dice = Dice::aside(self.seed, Purpose::Maturity, capability);
        let current = dice.weighted(&[(0, 5), (1, 25), (2, 40), (3, 25), (4, 5)]);
        (current, (current + dice.weighted(&[(0, 25), (1, 45), (2, 30)])).min(5))
    }

    /// The objectives that an area serves.
    pub(super) fn objectives_of(&self, area: usize) -> Vec<usize> {
        (0..self.objectives).filter(|&number| OBJECTIVES[number].2.contains(&area)).collect()
    }

    /// The sort of application with a number: area, product, and which of its kind.
    pub(super) fn product(&self, application: usize) -> (usize, usize, usize) {
        let products = AREAS[0].products.len();
        (application % AREAS.len(), application / AREAS.len() % products, application / AREAS.len() / products)
    }

    /// The applications of an area.
    pub(super) fn area_applications(&self, area: usize) -> impl Iterator<Item = usize> + use<> {
        (area..self.applications).step_by(AREAS.len())
    }
}

/// A name as it stands within a sentence: without the capital, unless it starts with an abbreviation.
fn within_sentence(name: &str) -> String {
    let mut letters = name.chars();
    match (letters.next(), letters.next()) {
        (Some(first), Some(second)) if second.is_lowercase() => {
            first.to_lowercase().chain(name.chars().skip(1)).collect()
        }
        _ => name.to_owned(),
    }
}
