//! What the model table can not say about org units, roles, positions, workers, skills and learning.

mod assignment;
mod learning;
mod skill;

use spil_changefeed::{Findings, Proposal, Related, Rules};
use spil_proto::{
    changefeed::v1::{Record, record::Entity},
    model::Kind,
    workforce::v1::WorkerStatus,
};

/// The rules of the workforce owner.
pub(crate) struct WorkforceRules;

impl Rules for WorkforceRules {
    fn related(&self, kind: Kind) -> &'static [Related] {
        match kind {
            // Not exclusive: what comes of them is a warning.
            Kind::Assignment => &[Related::Siblings { field: "worker_id", exclusive: false }],
            Kind::LearningOutcome => &[Related::Siblings { field: "activity_id", exclusive: true }],
            Kind::SkillRequirement => &[Related::Siblings { field: "role_id", exclusive: true }],
            _ => &[],
        }
    }

    fn left_by(&self, record: &Record) -> Option<&'static str> {
        match &record.entity {
            Some(Entity::Worker(worker)) if worker.status() == WorkerStatus::Left => Some("status"),
            _ => None,
        }
    }

    fn vocabulary(&self) -> &'static [Kind] {
        &[Kind::Role]
    }

    fn check(&self, proposal: &Proposal<'_>, findings: &mut Findings) {
        match &proposal.after.entity {
            Some(Entity::Assignment(assignment)) => assignment::check(assignment, proposal, findings),
            Some(Entity::SkillRequirement(requirement)) => skill::requirement(requirement, proposal, findings),
            Some(Entity::SkillRelation(relation)) => skill::relation(relation, findings),
            Some(Entity::SkillAssertion(assertion)) => skill::assertion(assertion, findings),
            Some(Entity::LearningOutcome(outcome)) => learning::outcome(outcome, proposal, findings),
            Some(Entity::LearningEvent(event)) => learning::event(event, findings),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use spil_proto::model::Owner;

    use super::*;

    #[test]
    fn related_records_go_by_fields_that_there_are() {
        for kind in Owner::Workforce.kinds() {
            for related in WorkforceRules.related(kind) {
                assert!(related.fits(kind), "{kind:?}: {related:?}");
            }
        }
    }
}
