//! The people of the graph as they are counted: each once, where most of its time goes.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use spil_disclosure::{Census, Group, Groups, Member, Threshold};
use spil_graph::{Graph, Row};
use spil_proto::model::{Kind, KindInfo};
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_128;

/// The place of the tree of units among the trees of the census.
pub(super) const UNITS: usize = 0;
/// The place of the tree of job families and roles.
pub(super) const JOBS: usize = 1;
/// The level from which on somebody counts as having a skill: able to work without help.
pub(super) const SKILLED_FROM: i64 = 3;
/// The number of the worker status of those who are no longer here.
const LEFT: i32 = 4;

/// What is counted of a person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) is_contractor: bool,
    /// The number of the worker status; 0 if it is not known.
    pub(super) status: i32,
    /// The tier of the position; 0 without one.
    pub(super) tier: i64,
    /// Thousandths of a full-time equivalent.
    pub(super) fte: i64,
    /// The skills from [`SKILLED_FROM`] on, in order.
    pub(super) skills: Vec<Uuid>,
    pub(super) has_learned: bool,
}

/// The people, and what everybody may know of the groups that they are in.
#[derive(Debug)]
pub(super) struct Population {
    pub(super) census: Census<Facts>,
    /// The function of each unit by its place, or that of the nearest above it that has one; 0 for none.
    pub(super) functions: Vec<i32>,
    /// The names of the job families by key.
    pub(super) families: HashMap<u128, String>,
    /// The tiers that positions have.
    pub(super) tiers: Vec<i64>,
    /// Whether there is anybody of whom the status is not known, or the tier.
    pub(super) lacks: Lacks,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Lacks {
    pub(super) status: bool,
    pub(super) tier: bool,
}

impl Population {
    /// The people on a day.
    pub(super) fn new(graph: &Graph, today: i32, threshold: Threshold) -> Self {
        let read = Reading::of(graph, today);
        let (trees, members) = (read.trees(), read.members());
        Self::around(Census::new(threshold, trees, members), read)
    }

    /// The people on a later day, with what changed for few held back.
    pub(super) fn renewed(&self, graph: &Graph, today: i32) -> Self {
        let read = Reading::of(graph, today);
        let (trees, members) = (read.trees(), read.members());
        Self::around(self.census.renewed(&trees, members), read)
    }

    fn around(census: Census<Facts>, read: Reading<'_>) -> Self {
        // The trees are those of the census, which may be the ones of the day before.
        let mut functions = Vec::new();
        if let Some(units) = census.groups(UNITS) {
            functions = vec![0; units.len()];
            for place in 1..units.len() {
                let own = units.key(place).and_then(|key| read.function(Uuid::from_u128(key)));
                functions[place] = own.unwrap_or(functions[units.parent(place)]);
            }
        }
        let lacks = census.members().fold(Lacks::default(), |lacks, facts| Lacks {
            status: lacks.status || facts.status == 0,
            tier: lacks.tier || facts.tier == 0,
        });
        // Those of people too: who is held back may have one that is there no more.
        let of_people = census.members().map(|facts| facts.tier).filter(|tier| *tier != 0);
        let tiers: BTreeSet<i64> = read.positions().filter_map(|row| read.tier(row)).chain(of_people).collect();
        Self { functions, families: read.families, tiers: tiers.into_iter().collect(), lacks, census }
    }
}

/// The graph while it is read for a census.
struct Reading<'a> {
    graph: &'a Graph,
    today: i32,
    units: Arc<Groups>,
    jobs: Arc<Groups>,
    families: HashMap<u128, String>,
}

/// The number of a field of a kind. The model has it; a test reads every one.
fn field(info: &'static KindInfo, column: &str) -> usize {
    info.field_by_column(column).map_or(usize::MAX, |field| field.index)
}

fn field_of(kind: Kind, column: &str) -> usize {
    field(kind.info(), column)
}

impl<'a> Reading<'a> {
    fn of(graph: &'a Graph, today: i32) -> Self {
        let positions_by = |kind: Kind, row: Row, column: &str| {
            graph.referrers(kind, row, Kind::Position, field_of(Kind::Position, column)).len() as u64
        };
        let table = graph.table(Kind::OrgUnit);
        let parent = field_of(Kind::OrgUnit, "parent_id");
        let units: Vec<Group> = table
            .rows()
            .iter()
            .map(|row| {
                let positions = positions_by(Kind::OrgUnit, row, "org_unit_id");
                let above = graph.reference(Kind::OrgUnit, row, parent).map(|above| table.id(above).as_u128());
                Group { key: table.id(row).as_u128(), parent: above, is_open: positions > 0, weight: positions }
            })
            .collect();
        let table = graph.table(Kind::Role);
        let family = field_of(Kind::Role, "job_family");
        let mut families = HashMap::new();
        let mut jobs = Vec::new();
        for row in table.rows().iter() {
            let above = table.text(row, family).filter(|name| !name.is_empty()).map(|name| {
                let key = xxh3_128(name.as_bytes());
                families.entry(key).or_insert_with(|| {
                    jobs.push(Group { key, parent: None, is_open: false, weight: 0 });
                    name.to_owned()
                });
                key
            });
            let positions = positions_by(Kind::Role, row, "role_id");
            let key = table.id(row).as_u128();
            jobs.push(Group { key, parent: above, is_open: positions > 0, weight: positions });
        }
        Self { graph, today, units: Arc::new(Groups::new(&units)), jobs: Arc::new(Groups::new(&jobs)), families }
    }

    fn trees(&self) -> Vec<Arc<Groups>> {
        vec![Arc::clone(&self.units), Arc::clone(&self.jobs)]
    }

    fn function(&self, unit: Uuid) -> Option<i32> {
        let table = self.graph.table(Kind::OrgUnit);
        table.enumeration(table.row_of(unit)?, field_of(Kind::OrgUnit, "function")).filter(|number| *number != 0)
    }

    fn positions(&self) -> impl Iterator<Item = Row> {
        self.graph.table(Kind::Position).rows().iter().collect::<Vec<_>>().into_iter()
    }

    fn tier(&self, position: Row) -> Option<i64> {
        self.graph.table(Kind::Position).int(position, field_of(Kind::Position, "tier"))
    }

    fn members(&self) -> Vec<Member<Facts>> {
        let info = Kind::Worker.info();
        let (status, is_contractor) = (field(info, "status"), field(info, "is_contractor"));
        let table = self.graph.table(Kind::Worker);
        let mut members = Vec::with_capacity(table.len());
        for row in table.rows().iter() {
            let status = table.enumeration(row, status).unwrap_or_default();
            if status == LEFT {
                continue;
            }
            let (fte, position) = self.work(row);
            // Those few who hold none would be what is left of a whole when its parts are taken away, so that all parts had to be hidden for them.
            if position.is_none() {
                continue;
            }
            let facts = Facts {
                is_contractor: table.boolean(row, is_contractor).unwrap_or(false),
                status,
                tier: position.and_then(|position| self.tier(position)).unwrap_or_default(),
                fte,
                skills: self.skills(row),
                has_learned: !self.about(row, Kind::LearningEvent).is_empty(),
            };
            let group = |groups: &Groups, kind: Kind, column: &str| {
                let found = position.and_then(|position| {
                    let to = self.graph.reference(Kind::Position, position, field_of(Kind::Position, column))?;
                    groups.place(self.graph.table(kind).id(to).as_u128())
                });
                found.unwrap_or(Groups::EVERYBODY)
            };
            let groups =
                vec![group(&self.units, Kind::OrgUnit, "org_unit_id"), group(&self.jobs, Kind::Role, "role_id")];
            members.push(Member { id: table.id(row).as_u128(), groups, facts });
        }
        members
    }

    fn about(&self, worker: Row, kind: Kind) -> Vec<Row> {
        self.graph.referrers(Kind::Worker, worker, kind, field_of(kind, "worker_id")).iter().collect()
    }

    /// How much somebody works, and the position that takes most of it; of several alike that of the oldest assignment.
    fn work(&self, worker: Row) -> (i64, Option<Row>) {
        let info = Kind::Assignment.info();
        let table = self.graph.table(Kind::Assignment);
        let mut whole = 0;
        let mut most = None;
        for row in self.about(worker, Kind::Assignment) {
            let from = table.date(row, field(info, "from")).is_none_or(|from| from <= self.today);
            let to = table.date(row, field(info, "to")).is_none_or(|to| self.today < to);
            if !from || !to {
                continue;
            }
            // What is not said is a whole one. At most two are allowed, so this is no large number.
            let fte = (table.float(row, field(info, "fte")).unwrap_or(1.0) * 1000.0).round() as i64;
            whole += fte;
            if let Some(position) = self.graph.reference(Kind::Assignment, row, field(info, "position_id")) {
                most = most.max(Some((fte, Reverse(table.id(row)), position)));
            }
        }
        (whole, most.map(|(_, _, position)| position))
    }

    fn skills(&self, worker: Row) -> Vec<Uuid> {
        let info = Kind::SkillAssertion.info();
        let table = self.graph.table(Kind::SkillAssertion);
        let mut skills = Vec::new();
        for row in self.about(worker, Kind::SkillAssertion) {
            let counts = table.date(row, field(info, "expires_at")).is_none_or(|at| self.today < at);
            if counts
                && table.int(row, field(info, "level")).is_some_and(|level| level >= SKILLED_FROM)
                && let Some(skill) = self.graph.reference(Kind::SkillAssertion, row, field(info, "skill_id"))
            {
                skills.push(self.graph.table(Kind::Skill).id(skill));
            }
        }
        skills.sort_unstable();
        skills.dedup();
        skills
    }
}
