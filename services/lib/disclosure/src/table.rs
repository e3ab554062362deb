//! Tables of figures.

use crate::{
    Groups, Threshold,
    partition::{Partition, People, Total, hides},
};

/// What a table counts of each person.
pub struct Measure<'a, T> {
    /// How many columns there are, at least one.
    pub columns: usize,
    /// The column that a person is in. Where one has to be hidden for the sake of another, it is the last.
    pub column: &'a dyn Fn(&T) -> usize,
    /// What a person adds to the sum of its column.
    pub amount: &'a dyn Fn(&T) -> i64,
    /// The least and the greatest amount of a person, where the sum may not tell that all have nearly the one or the other.
    pub range: Option<(i64, i64)>,
}

impl<T> Measure<'_, T> {
    /// The number of people.
    pub fn count() -> Self {
        Self { columns: 1, column: &|_| 0, amount: &|_| 0, range: None }
    }
}

/// A figure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    /// How many people it is about; at least as many as the threshold.
    pub count: u64,
    /// The sum of their amounts.
    pub amount: i64,
}

/// The figures that may be published of one question. Rows are groups with all their parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// What is in each group that is shown, by class of columns.
    rows: Vec<Option<Total>>,
    /// The class of each column. The columns of one class are not told apart.
    classes: Vec<usize>,
}

impl Table {
    /// Nothing at all.
    fn empty(groups: &Groups, columns: usize) -> Self {
        Self { rows: vec![None; groups.len()], classes: vec![0; columns] }
    }

    /// The figures of people who are in groups, within the groups that the headcount shows.
    pub(crate) fn new<'m, T: 'm>(
        groups: &Groups,
        members: impl Iterator<Item = (usize, &'m T)> + Clone,
        measure: &Measure<'_, T>,
        threshold: Threshold,
        within: Option<&Partition>,
    ) -> (Self, Option<Partition>) {
        let columns = measure.columns.max(1);
        let column = |facts: &T| (measure.column)(facts).min(columns - 1);
        let mut counts = vec![0_u64; columns];
        members.clone().for_each(|(_, facts)| counts[column(facts)] += 1);
        let Some(classes) = classes(&counts, threshold) else { return (Self::empty(groups, columns), None) };
        let width = classes.iter().max().map_or(1, |last| last + 1);
        let mut direct = vec![Total::none(width); groups.len()];
        for (place, facts) in members {
            if let Some(total) = direct.get_mut(place) {
                let class = classes[column(facts)];
                total.counts[class] += 1;
                total.amounts[class] = total.amounts[class].saturating_add((measure.amount)(facts));
            }
        }
        let people = People { direct: &direct, range: measure.range };
        let Some(partition) = Partition::new(groups, &people, threshold, within) else {
            return (Self::empty(groups, columns), None);
        };
        let rows = people.whole(groups).into_iter().enumerate();
        let rows = rows.map(|(place, total)| partition.is_shown(place).then_some(total)).collect();
        (Self { rows, classes }, Some(partition))
    }

    /// All people of a group together; nothing if the group is not shown.
    pub fn total(&self, group: usize) -> Option<Cell> {
        let row = self.rows.get(group)?.as_ref()?;
        Some(Cell { count: row.people(), amount: row.amounts.iter().sum() })
    }

    /// The people of a group in a column; nothing if the group is not shown, or the column is not told from others.
    pub fn cell(&self, group: usize, column: usize) -> Option<Cell> {
        let row = self.rows.get(group)?.as_ref()?;
        let class = *self.classes.get(column)?;
        if self.classes.iter().filter(|other| **other == class).count() > 1 {
            return None;
        }
        Some(Cell { count: *row.counts.get(class)?, amount: *row.amounts.get(class)? })
    }
}

/// Puts columns that have too few people into one class, with the last of the others, or more of them, to hide them: which these are must
/// not depend on the figures. Nothing if all together are too few.
fn classes(counts: &[u64], threshold: Threshold) -> Option<Vec<usize>> {
    let least = threshold.people();
    if counts.iter().sum::<u64>() < least {
        return None;
    }
    let mut told: Vec<usize> = (0..counts.len()).filter(|column| counts[*column] >= least).collect();
    let mut is_enough = told.len() == counts.len();
    let mut rest: u64 = counts.iter().filter(|count| **count < least).sum();
    let mut taken = 0;
    while !is_enough {
        let Some(last) = told.pop() else { break };
        rest += counts[last];
        taken += 1;
        is_enough = hides(rest, taken, threshold);
    }
    let last = told.len();
    Some((0..counts.len()).map(|column| told.iter().position(|other| *other == column).unwrap_or(last)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_with_too_few_are_not_told_apart() {
        let classes = |counts: &[u64]| classes(counts, Threshold::default());
        assert_eq!(classes(&[9]), Some(vec![0]));
        assert_eq!(classes(&[9, 7, 5]), Some(vec![0, 1, 2]));
        assert_eq!(classes(&[20, 3, 2, 7]), Some(vec![0, 1, 1, 1]), "the last of the others hides the small ones");
        assert_eq!(classes(&[9, 3, 20]), Some(vec![0, 1, 1]));
        assert_eq!(
            classes(&[9, 30, 1, 5]),
            Some(vec![0, 1, 1, 1]),
            "one that is just large enough does not hide another"
        );
        assert_eq!(classes(&[20, 0]), Some(vec![0, 0]), "that there is nobody is a figure too");
        assert_eq!(classes(&[2, 2]), None);
    }
}
