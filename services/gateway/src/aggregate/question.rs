//! The closed list of questions, and their answers.

use std::collections::{BTreeMap, BTreeSet};

use spil_disclosure::{Cell, Groups, Measure, Table};
use uuid::Uuid;

use super::population::{Facts, JOBS, Population, UNITS};

/// By what people are grouped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dimension {
    /// The unit of the position, with all units below it.
    OrgUnit,
    /// The function that the unit speaks for.
    Function,
    /// The family of the role.
    JobFamily,
    /// The role of the position.
    Role,
    /// Whether the person is a contractor.
    Contractor,
    /// Whether the person works here now.
    Status,
    /// How far from the top the position is.
    Tier,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MeasureOf {
    /// People.
    Headcount,
    /// Full-time equivalents.
    Fte,
    /// The share of those who have a skill.
    Skilled(Uuid),
    /// The share of those who have taken part in learning.
    Learners,
}

/// A question that may be asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Question {
    by: Vec<Dimension>,
    of: MeasureOf,
}

/// A question that may not be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoQuestion {
    /// More figures about the same people in other cuts would tell more than each by itself.
    #[error(
        "people are counted by nothing, by one dimension, or by ORG_UNIT and one of CONTRACTOR, STATUS and TIER: other combinations are not told"
    )]
    By,
    /// The same.
    #[error("FTE is told by ORG_UNIT, FUNCTION, JOB_FAMILY or ROLE; SKILLED and LEARNERS by ORG_UNIT or FUNCTION")]
    Of,
}

/// The answer.
#[derive(Debug, PartialEq)]
pub struct Counted {
    /// When the people were counted, in microseconds since 1970.
    pub at: i64,
    /// The figures, by group.
    pub figures: Vec<Figure>,
}

/// A figure about one group. What is not told is `None`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figure {
    /// The unit.
    pub unit: Option<Uuid>,
    /// The role.
    pub role: Option<Uuid>,
    /// The family of roles.
    pub family: Option<String>,
    /// The number of the function.
    pub function: Option<i32>,
    /// Whether they are contractors.
    pub is_contractor: Option<bool>,
    /// The number of the status.
    pub status: Option<i32>,
    /// The tier.
    pub tier: Option<i64>,
    /// How many people.
    pub people: Option<u64>,
    /// Their full-time equivalents.
    pub fte: Option<f64>,
    /// The share of those who are so, from 0 to 1.
    pub share: Option<f64>,
}

impl Question {
    /// A question of the list.
    ///
    /// # Errors
    /// If it is none.
    pub fn new(mut by: Vec<Dimension>, of: MeasureOf) -> Result<Self, NoQuestion> {
        by.sort_unstable();
        by.dedup();
        match by.as_slice() {
            [] | [_] | [Dimension::OrgUnit, Dimension::Contractor | Dimension::Status | Dimension::Tier] => {}
            _ => return Err(NoQuestion::By),
        }
        let fits = match of {
            MeasureOf::Headcount => true,
            MeasureOf::Fte => {
                use Dimension::{Function, JobFamily, OrgUnit, Role};
                matches!(by.as_slice(), [] | [OrgUnit | Function | JobFamily | Role])
            }
            MeasureOf::Skilled(_) | MeasureOf::Learners => {
                matches!(by.as_slice(), [] | [Dimension::OrgUnit | Dimension::Function])
            }
        };
        if fits { Ok(Self { by, of }) } else { Err(NoQuestion::Of) }
    }

    fn has(&self, dimension: Dimension) -> bool {
        self.by.contains(&dimension)
    }

    pub(super) fn answer(&self, population: &Population, at: i64) -> Counted {
        let tree = if self.has(Dimension::Role) || self.has(Dimension::JobFamily) { JOBS } else { UNITS };
        Counted { at, figures: self.figures(population, tree).unwrap_or_default() }
    }

    fn figures(&self, population: &Population, tree: usize) -> Option<Vec<Figure>> {
        let groups = population.census.groups(tree)?;
        let columns = self.columns(population);
        // Whoever is in no other column is in the first.
        let column = |facts: &Facts| columns.iter().position(|column| column.holds(facts)).unwrap_or_default();
        let amount = |facts: &Facts| if self.of == MeasureOf::Fte { facts.fte } else { 0 };
        let measure = Measure { columns: columns.len(), column: &column, amount: &amount, range: None };
        let table = population.census.table(tree, &measure)?;
        let headcount = population.census.headcount(tree)?;
        let told = Told { question: self, columns: &columns, table: &table, headcount };
        if self.has(Dimension::Function) {
            return Some(told.by_function(groups, &population.functions));
        }
        let mut figures = Vec::new();
        for place in 0..groups.len() {
            let key = groups.key(place);
            let family = key.and_then(|key| population.families.get(&key)).cloned();
            let is_asked = match key {
                None => {
                    !self.by.iter().any(|by| matches!(by, Dimension::OrgUnit | Dimension::Role | Dimension::JobFamily))
                }
                Some(_) if tree == JOBS => self.has(Dimension::JobFamily) == family.is_some(),
                Some(_) => self.has(Dimension::OrgUnit),
            };
            if is_asked {
                let id = key.map(Uuid::from_u128);
                let (unit, role) = if tree == UNITS { (id, None) } else { (None, id.filter(|_| family.is_none())) };
                told.of_group(place, &Figure { unit, role, family, ..Figure::default() }, &mut figures);
            }
        }
        Some(figures)
    }

    /// The columns of the table; what is not known comes last, where there is anybody of whom it is not.
    fn columns(&self, population: &Population) -> Vec<Column> {
        match self.of {
            MeasureOf::Skilled(skill) => return vec![Column::Lacks, Column::Skill(skill)],
            MeasureOf::Learners => return vec![Column::Lacks, Column::Learned],
            MeasureOf::Headcount | MeasureOf::Fte => {}
        }
        if self.has(Dimension::Contractor) {
            vec![Column::Contractor(false), Column::Contractor(true)]
        } else if self.has(Dimension::Status) {
            // At work, on leave, not yet started: the order in which they are told rather than others.
            let known = [2, 3, 1].into_iter().map(Column::Status);
            known.chain(population.lacks.status.then_some(Column::Status(0))).collect()
        } else if self.has(Dimension::Tier) {
            let known = population.tiers.iter().copied().map(Column::Tier);
            known.chain(population.lacks.tier.then_some(Column::Tier(0))).collect()
        } else {
            vec![Column::All]
        }
    }
}

/// A column of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    All,
    Contractor(bool),
    Status(i32),
    Tier(i64),
    Skill(Uuid),
    Learned,
    /// Those who are in no other; it stands first.
    Lacks,
}

impl Column {
    fn holds(self, facts: &Facts) -> bool {
        match self {
            Column::All => true,
            Column::Contractor(is_contractor) => facts.is_contractor == is_contractor,
            Column::Status(status) => facts.status == status,
            Column::Tier(tier) => facts.tier == tier,
            Column::Skill(skill) => facts.skills.binary_search(&skill).is_ok(),
            Column::Learned => facts.has_learned,
            Column::Lacks => false,
        }
    }
}

/// The tables that an answer is made of.
struct Told<'a> {
    question: &'a Question,
    columns: &'a [Column],
    table: &'a Table,
    headcount: &'a Table,
}

impl Told<'_> {
    /// The figures of a group, one for each column.
    fn of_group(&self, place: usize, group: &Figure, figures: &mut Vec<Figure>) {
        let whole = self.headcount.total(place);
        let cells: Vec<_> = (0..self.columns.len()).map(|column| self.table.cell(place, column)).collect();
        self.of_cells(whole, &cells, group, figures);
    }

    fn of_cells(&self, whole: Option<Cell>, cells: &[Option<Cell>], group: &Figure, figures: &mut Vec<Figure>) {
        let people = whole.map(|cell| cell.count);
        match self.question.of {
            MeasureOf::Headcount => {
                for (column, cell) in self.columns.iter().zip(cells) {
                    let mut figure = group.clone();
                    match *column {
                        Column::Contractor(is_contractor) => figure.is_contractor = Some(is_contractor),
                        Column::Status(status) => figure.status = Some(status).filter(|status| *status != 0),
                        Column::Tier(tier) => figure.tier = Some(tier).filter(|tier| *tier != 0),
                        _ => {}
                    }
                    figure.people = cell.map(|cell| cell.count);
                    figures.push(figure);
                }
            }
            MeasureOf::Fte => {
                // Where blocks had to be put together further than for the headcount, the figure is not that of the same people.
                let cell = cells.first().copied().flatten().filter(|cell| Some(cell.count) == people);
                let fte = cell.map(|cell| cell.amount as f64 / 1000.0);
                figures.push(Figure { people, fte, ..group.clone() });
            }
            MeasureOf::Skilled(_) | MeasureOf::Learners => {
                let share = match cells {
                    [Some(lack), Some(have)] if Some(lack.count + have.count) == people => {
                        Some(have.count as f64 / (lack.count + have.count) as f64)
                    }
                    _ => None,
                };
                figures.push(Figure { people, share, ..group.clone() });
            }
        }
    }

    /// The figures by function: sums of what the units tell, so that they tell nothing more. The people of a block whose units speak for
    /// several functions, or for none, are counted together.
    fn by_function(&self, groups: &Groups, functions: &[i32]) -> Vec<Figure> {
        let blocks_of = |table: &Table| {
            let mut blocks = vec![Groups::EVERYBODY; groups.len()];
            for place in 1..groups.len() {
                blocks[place] = if table.total(place).is_some() { place } else { blocks[groups.parent(place)] };
            }
            blocks
        };
        // What is in each function: by the blocks of a table, each minus the blocks within it.
        let sums = |table: &Table, column: Option<usize>| {
            let blocks = blocks_of(table);
            let mut of_block: BTreeMap<usize, Option<i32>> = BTreeMap::new();
            for place in (0..groups.len()).filter(|place| groups.is_open(*place)) {
                let function = functions.get(place).copied().unwrap_or_default();
                let entry = of_block.entry(blocks[place]).or_insert(Some(function));
                *entry = entry.filter(|known| *known == function);
            }
            let figure = |place: usize| match column {
                None => table.total(place),
                Some(column) => table.cell(place, column),
            };
            let mut sums: BTreeMap<i32, Cell> = BTreeMap::new();
            for place in (0..groups.len()).filter(|place| blocks[*place] == *place) {
                let Some(mut own) = figure(place) else { continue };
                for part in groups.parts(place).iter().filter(|part| blocks[**part] == **part) {
                    if let Some(cell) = figure(*part) {
                        own.count = own.count.saturating_sub(cell.count);
                        own.amount -= cell.amount;
                    }
                }
                let function = of_block.get(&place).copied().flatten().unwrap_or_default();
                let sum = sums.entry(function).or_default();
                sum.count += own.count;
                sum.amount += own.amount;
            }
            sums.retain(|_, sum| sum.count > 0);
            sums
        };
        let whole = sums(self.headcount, None);
        let columns: Vec<_> = (0..self.columns.len()).map(|column| sums(self.table, Some(column))).collect();
        let all = functions.iter().chain(&[0]).copied().collect::<BTreeSet<_>>();
        let mut figures = Vec::new();
        for function in all {
            let cells: Vec<_> = columns.iter().map(|sums| sums.get(&function).copied()).collect();
            let group = Figure { function: Some(function).filter(|function| *function != 0), ..Figure::default() };
            self.of_cells(whole.get(&function).copied(), &cells, &group, &mut figures);
        }
        figures
    }
}
