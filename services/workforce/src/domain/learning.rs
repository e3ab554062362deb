//! What learning activities teach, and where learning happened.

use spil_changefeed::{Findings, Proposal};
use spil_proto::{
    changefeed::v1::record::Entity,
    workforce::v1::{LearningEvent, LearningOutcome},
};

pub(super) fn outcome(outcome: &LearningOutcome, proposal: &Proposal<'_>, findings: &mut Findings) {
    let twice = proposal.siblings("activity_id").any(
        |record| matches!(&record.entity, Some(Entity::LearningOutcome(other)) if other.skill_id == outcome.skill_id),
    );
    if twice {
        findings.broken("skill_id", "the activity teaches this skill already");
    }
}

pub(super) fn event(event: &LearningEvent, findings: &mut Findings) {
    if event.process_id.is_some() && event.application_id.is_some() {
        findings.broken("application_id", "learning happened in a process or in an application, not in both");
    }
}

#[cfg(test)]
mod tests {
    use spil_proto::changefeed::v1::Record;

    use super::*;

    #[test]
    fn an_activity_teaches_a_skill_once() {
        let of = |skill: u8| LearningOutcome { skill_id: Some(vec![skill; 16]), ..LearningOutcome::default() };
        let record = |outcome| Record { entity: Some(Entity::LearningOutcome(outcome)) };
        let (after, same, other) = (record(of(1)), record(of(1)), record(of(2)));
        for (sibling, sound) in [(&same, false), (&other, true)] {
            let mut findings = Findings::default();
            let proposal = Proposal::new(None, &after).with_siblings("activity_id", vec![sibling]);
            outcome(&of(1), &proposal, &mut findings);
            assert_eq!(findings.problems.is_empty(), sound);
        }
    }

    #[test]
    fn learning_happens_in_one_place() {
        let id = Some(vec![1; 16]);
        for (process_id, application_id, sound) in
            [(None, None, true), (id.clone(), None, true), (None, id.clone(), true), (id.clone(), id.clone(), false)]
        {
            let learned = LearningEvent { process_id, application_id, ..LearningEvent::default() };
            let mut findings = Findings::default();
            event(&learned, &mut findings);
            assert_eq!(findings.problems.is_empty(), sound);
        }
    }
}
