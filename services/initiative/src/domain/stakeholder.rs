//! Who takes part in an initiative.

use spil_changefeed::Findings;
use spil_proto::initiative::v1::Stakeholder;

pub(super) fn check(stakeholder: &Stakeholder, findings: &mut Findings) {
    match (&stakeholder.worker_id, &stakeholder.org_unit_id) {
        (Some(_), None) | (None, Some(_)) => {}
        (None, None) => findings.broken("worker_id", "a stakeholder is a worker or an org unit; none is given"),
        (Some(_), Some(_)) => findings.broken("org_unit_id", "a stakeholder is a worker or an org unit, not both"),
    }
    if let (Some(from), Some(to)) = (stakeholder.from, stakeholder.to)
        && from >= to
    {
        findings.broken("to", "`to` is the first day on which the part no longer holds; it must be after `from`");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(stakeholder: &Stakeholder) -> Vec<String> {
        let mut findings = Findings::default();
        check(stakeholder, &mut findings);
        findings.problems.into_iter().map(|problem| problem.field).collect()
    }

    #[test]
    fn a_stakeholder_is_one_of_worker_and_org_unit() {
        let id = Some(vec![1; 16]);
        let of = |worker_id, org_unit_id| Stakeholder { worker_id, org_unit_id, ..Stakeholder::default() };
        assert!(problems(&of(id.clone(), None)).is_empty());
        assert!(problems(&of(None, id.clone())).is_empty());
        assert_eq!(problems(&of(None, None)), ["worker_id"]);
        assert_eq!(problems(&of(id.clone(), id)), ["org_unit_id"]);
    }

    #[test]
    fn a_part_lasts_at_least_a_day() {
        for (from, to, sound) in [(1, 2, true), (1, 1, false), (2, 1, false)] {
            let stakeholder =
                Stakeholder { worker_id: Some(vec![1; 16]), from: Some(from), to: Some(to), ..Stakeholder::default() };
            assert_eq!(problems(&stakeholder).is_empty(), sound);
        }
    }
}
