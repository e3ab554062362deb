//! Who holds which position, and for how much of their time.

use spil_changefeed::{Findings, Proposal};
use spil_proto::{changefeed::v1::record::Entity, workforce::v1::Assignment};

/// More than this at one time, in full-time equivalents, looks like an error in the data.
const MUCH_FTE: f64 = 1.5;
/// Sums of fractions are not exact.
const TOLERANCE: f64 = 1e-9;

pub(super) fn check(assignment: &Assignment, proposal: &Proposal<'_>, findings: &mut Findings) {
    if let (Some(from), Some(to)) = (assignment.from, assignment.to)
        && from >= to
    {
        findings.broken("to", "`to` is the first day on which the assignment no longer holds; it must be after `from`");
        return;
    }
    let others = proposal.siblings("worker_id").filter_map(|record| match &record.entity {
        Some(Entity::Assignment(other)) => Some(other),
        _ => None,
    });
    let most = peak_fte(assignment, others);
    if most > MUCH_FTE + TOLERANCE {
        findings.warn("fte", format!("the assignments of the worker add up to {most:.2} full-time equivalents"));
    }
}

/// The highest sum of FTE on any day of an assignment. It is reached on its first day or on that of another one.
fn peak_fte<'a>(assignment: &'a Assignment, others: impl Iterator<Item = &'a Assignment>) -> f64 {
    let (from, to) = period(assignment);
    let overlapping: Vec<&Assignment> = others
        .filter(|other| {
            let (other_from, other_to) = period(other);
            other_from < to && from < other_to
        })
        .collect();
    let first_days = overlapping.iter().map(|other| period(other).0.max(from)).chain([from]);
    let sum = |day: i64| {
        let held = overlapping.iter().filter(|other| {
            let (other_from, other_to) = period(other);
            (other_from..other_to).contains(&day)
        });
        assignment.fte.unwrap_or_default() + held.filter_map(|other| other.fte).sum::<f64>()
    };
    first_days.map(sum).fold(0.0, f64::max)
}

fn period(assignment: &Assignment) -> (i64, i64) {
    (assignment.from.map_or(i64::MIN, i64::from), assignment.to.map_or(i64::MAX, i64::from))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use spil_proto::changefeed::v1::Record;

    use super::*;

    fn assignment(from: Option<i32>, to: Option<i32>, fte: f64) -> Assignment {
        Assignment { from, to, fte: Some(fte), ..Assignment::default() }
    }

    fn check_with(assignment: &Assignment, others: &[Assignment]) -> Findings {
        let record = |assignment: &Assignment| Record { entity: Some(Entity::Assignment(assignment.clone())) };
        let after = record(assignment);
        let others: Vec<Record> = others.iter().map(record).collect();
        let proposal = Proposal::new(None, &after).with_siblings("worker_id", others.iter().collect());
        let mut findings = Findings::default();
        check(assignment, &proposal, &mut findings);
        findings
    }

    #[test]
    fn an_assignment_lasts_at_least_a_day() {
        for (from, to, sound) in [(1, 2, true), (1, 1, false), (2, 1, false)] {
            let findings = check_with(&assignment(Some(from), Some(to), 1.0), &[]);
            assert_eq!(findings.problems.is_empty(), sound, "{from} {to}");
        }
    }

    #[test]
    fn too_much_at_one_time_warns_and_one_after_the_other_does_not() {
        let half = |from, to| assignment(Some(from), Some(to), 0.8);
        assert!(check_with(&half(0, 10), &[half(10, 20), half(-10, 0)]).warnings.is_empty());
        assert!(check_with(&half(0, 10), &[half(9, 20)]).warnings.len() == 1);
        // Two others that do not meet each other.
        assert!(check_with(&assignment(Some(0), Some(10), 0.7), &[half(0, 5), half(5, 10)]).warnings.is_empty());
        assert!(check_with(&assignment(None, None, 0.5), &[half(0, 5), half(4, 10)]).warnings.len() == 1);
        assert!(check_with(&assignment(Some(0), Some(1), 1.0), &[assignment(None, None, 0.5)]).warnings.is_empty());
    }

    proptest! {
        #[test]
        fn the_peak_is_the_highest_sum_over_all_days(
            periods in proptest::collection::vec((0..10i32, 1..6i32, 0..8u8), 1..6)
        ) {
            let all: Vec<Assignment> = periods
                .iter()
                .map(|(from, days, eighths)| assignment(Some(*from), Some(from + days), f64::from(*eighths) / 8.0))
                .collect();
            let (first, others) = all.split_first().expect("at least one");
            let by_day = (first.from.expect("given")..first.to.expect("given")).map(|day| {
                let holds = |other: &&Assignment| other.from <= Some(day) && Some(day) < other.to;
                all.iter().filter(holds).filter_map(|other| other.fte).sum::<f64>()
            });
            prop_assert_eq!(peak_fte(first, others.iter()), by_day.fold(0.0, f64::max));
        }
    }
}
