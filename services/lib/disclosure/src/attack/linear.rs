//! Who adds and subtracts: the groups themselves are known, and every figure is an equation.

use std::sync::Arc;

use crate::{Cell, Census, Group, Groups, Measure, Member, Table, Threshold};

/// People by group and column: `(group, column, how many)`.
type World<'a> = &'a [(u128, usize, usize)];

pub(super) fn members(groups: &Groups, world: World<'_>) -> Vec<Member<usize>> {
    let mut members = Vec::new();
    for (key, column, people) in world {
        let place = groups.place(*key).unwrap_or(Groups::EVERYBODY);
        for _ in 0..*people {
            members.push(Member { id: members.len() as u128, groups: vec![place], facts: *column });
        }
    }
    members
}

pub(super) fn binary(columns: usize) -> Measure<'static, usize> {
    Measure { columns, column: &|column| *column, amount: &|_| 0, range: None }
}

/// Everything that is told of a world: for each group and column, or the whole group, a figure or nothing.
struct Told {
    groups: Arc<Groups>,
    columns: usize,
    totals: Vec<Option<Cell>>,
    cells: Vec<Vec<Option<Cell>>>,
}

impl Told {
    /// What is published.
    fn published(groups: &Arc<Groups>, columns: usize, world: World<'_>, threshold: Threshold) -> Self {
        let census = Census::new(threshold, vec![Arc::clone(groups)], members(groups, world));
        let table = census.table(0, &binary(columns)).expect("a tree");
        let headcount = census.headcount(0).expect("a tree");
        let of = |table: &Table, group: usize| (0..columns).map(|column| table.cell(group, column)).collect();
        Self {
            groups: Arc::clone(groups),
            columns,
            totals: (0..groups.len()).map(|group| headcount.total(group)).collect(),
            cells: (0..groups.len()).map(|group| of(&table, group)).collect(),
        }
    }

    /// What a table without any defence but a threshold tells: each figure that is not below it.
    fn naive(groups: &Arc<Groups>, columns: usize, world: World<'_>, least: u64) -> Self {
        let count = |group: usize, column: Option<usize>| {
            let count = truth(groups, world, group, column);
            (count >= least).then_some(Cell { count, amount: 0 })
        };
        Self {
            groups: Arc::clone(groups),
            columns,
            totals: (0..groups.len()).map(|group| count(group, None)).collect(),
            cells: (0..groups.len())
                .map(|group| (0..columns).map(|column| count(group, Some(column))).collect())
                .collect(),
        }
    }

    /// What somebody works out who adds and subtracts: the number of people of a group in a column, or of the whole group.
    fn solve(&self, group: usize, column: Option<usize>) -> Option<u64> {
        let unknowns = self.groups.len() * self.columns;
        let sum_of = |group: usize, column: Option<usize>| {
            let mut row = vec![0.0; unknowns + 1];
            for place in (0..self.groups.len()).filter(|place| is_within(&self.groups, *place, group)) {
                for at in (0..self.columns).filter(|at| column.is_none_or(|column| *at == column)) {
                    row[place * self.columns + at] = 1.0;
                }
            }
            row
        };
        let mut rows = Vec::new();
        for place in 0..self.groups.len() {
            let told = self.cells[place].iter().enumerate().map(|(column, cell)| (Some(column), *cell));
            for (column, cell) in std::iter::once((None, self.totals[place])).chain(told) {
                if let Some(cell) = cell {
                    let mut row = sum_of(place, column);
                    row[unknowns] = cell.count as f64;
                    rows.push(row);
                }
            }
            // Where nobody can be, nobody is.
            if !self.groups.is_open(place) {
                for at in 0..self.columns {
                    let mut row = vec![0.0; unknowns + 1];
                    row[place * self.columns + at] = 1.0;
                    rows.push(row);
                }
            }
        }
        let pivots = reduce(&mut rows, unknowns);
        let mut wanted = sum_of(group, column);
        for (row, pivot) in rows.iter().zip(&pivots) {
            let factor = wanted[*pivot];
            wanted.iter_mut().zip(row).for_each(|(value, other)| *value -= factor * other);
        }
        wanted[..unknowns].iter().all(|value| value.abs() < 1e-9).then(|| (-wanted[unknowns]).round() as u64)
    }
}

/// Gauss-Jordan elimination; the rows that remain, each with the column that it alone has.
fn reduce(rows: &mut Vec<Vec<f64>>, unknowns: usize) -> Vec<usize> {
    let mut pivots = Vec::new();
    for column in 0..unknowns {
        let at = pivots.len();
        let best = (at..rows.len()).max_by(|a, b| rows[*a][column].abs().total_cmp(&rows[*b][column].abs()));
        let Some(best) = best.filter(|best| rows[*best][column].abs() > 1e-9) else { continue };
        rows.swap(at, best);
        let divisor = rows[at][column];
        rows[at].iter_mut().for_each(|value| *value /= divisor);
        let pivot = rows[at].clone();
        for (other, row) in rows.iter_mut().enumerate().filter(|(other, _)| *other != at) {
            let _ = other;
            let factor = row[column];
            row.iter_mut().zip(&pivot).for_each(|(value, pivot)| *value -= factor * pivot);
        }
        pivots.push(column);
    }
    rows.truncate(pivots.len());
    pivots
}

fn is_within(groups: &Groups, place: usize, above: usize) -> bool {
    let mut at = place;
    while at != above && at != Groups::EVERYBODY {
        at = groups.parent(at);
    }
    at == above
}

fn truth(groups: &Groups, world: World<'_>, group: usize, column: Option<usize>) -> u64 {
    let counted = world.iter().filter(|(key, at, _)| {
        let place = groups.place(*key).unwrap_or(Groups::EVERYBODY);
        is_within(groups, place, group) && column.is_none_or(|column| column == *at)
    });
    counted.map(|(_, _, people)| *people as u64).sum()
}

fn tree(groups: &[(u128, Option<u128>, bool)]) -> Arc<Groups> {
    let groups: Vec<_> = groups
        .iter()
        .map(|(key, parent, is_open)| Group { key: *key, parent: *parent, is_open: *is_open, weight: 0 })
        .collect();
    Arc::new(Groups::new(&groups))
}

/// The naive figures give a hidden value away, the published ones do not, and still tell something.
fn falls_only_without_defence(groups: &Arc<Groups>, columns: usize, world: World<'_>, wanted: (u128, Option<usize>)) {
    let (key, column) = wanted;
    let place = groups.place(key).expect("a group");
    let value = truth(groups, world, place, column);
    let threshold = Threshold::default();
    assert!(value < threshold.people(), "the value is one to hide");
    let naive = Told::naive(groups, columns, world, threshold.people());
    let shown = column.map_or(naive.totals[place], |column| naive.cells[place][column]);
    assert_eq!(shown, None, "the naive figures hide it");
    assert_eq!(naive.solve(place, column), Some(value), "and it is worked out all the same");
    let published = Told::published(groups, columns, world, threshold);
    assert_eq!(published.solve(place, column), None, "what is published does not tell it");
    assert!(published.totals[Groups::EVERYBODY].is_some());
    // The same world with a threshold of one: it is the threshold that protects.
    let weak = Told::published(groups, columns, world, Threshold::weak(1));
    assert_eq!(weak.solve(place, column), Some(value));
}

#[test]
fn a_whole_minus_its_parts() {
    let groups = tree(&[(1, None, false), (2, Some(1), true), (3, Some(1), true), (4, Some(1), true)]);
    falls_only_without_defence(&groups, 1, &[(2, 0, 3), (3, 0, 9), (4, 0, 20)], (2, None));
}

#[test]
fn a_unit_minus_those_below_it() {
    // The head of a department, by the department minus its teams.
    let groups = tree(&[(1, None, true), (2, Some(1), true), (3, Some(1), true)]);
    let world = [(1, 0, 1), (2, 0, 8), (3, 0, 12)];
    let naive = Told::naive(&groups, 1, &world, 5);
    let department = groups.place(1).expect("a group");
    assert_eq!(naive.totals[department].map(|cell| cell.count), Some(21));
    let direct = |told: &Told| {
        Some(told.totals[department]?.count - told.solve(department + 1, None)? - told.solve(department + 2, None)?)
    };
    assert_eq!(direct(&naive), Some(1));
    assert_eq!(direct(&Told::published(&groups, 1, &world, Threshold::default())), None);
}

#[test]
fn two_dimensions() {
    // Who of a team has the skill, by those of the department minus those of the other teams.
    let groups = tree(&[(1, None, false), (2, Some(1), true), (3, Some(1), true)]);
    let world = [(2, 0, 10), (2, 1, 2), (3, 0, 15), (3, 1, 20)];
    falls_only_without_defence(&groups, 2, &world, (2, Some(1)));
}

#[test]
fn what_is_not_one_thing_is_the_other() {
    // All but two have it: the whole and those who have it are shown.
    let groups = tree(&[(1, None, true), (2, None, true)]);
    let world = [(1, 0, 2), (1, 1, 30), (2, 0, 30), (2, 1, 30)];
    falls_only_without_defence(&groups, 2, &world, (1, Some(0)));
}

#[test]
fn a_deep_tree_is_not_solved_from_below() {
    let groups = tree(&[
        (1, None, false),
        (2, Some(1), false),
        (3, Some(2), true),
        (4, Some(2), true),
        (5, Some(1), true),
        (6, Some(1), true),
    ]);
    falls_only_without_defence(&groups, 1, &[(3, 0, 2), (4, 0, 7), (5, 0, 40), (6, 0, 6)], (3, None));
}

#[test]
fn asking_again_under_other_names_gives_nothing_new() {
    let groups = tree(&[(1, None, true), (2, None, true), (3, None, true)]);
    let world = [(1, 0, 2), (2, 0, 9), (3, 0, 30)];
    let census = Census::new(Threshold::default(), vec![Arc::clone(&groups)], members(&groups, &world));
    let once = census.table(0, &binary(2)).expect("a tree");
    for _ in 0..100 {
        assert_eq!(census.table(0, &binary(2)).expect("a tree"), once);
    }
}
