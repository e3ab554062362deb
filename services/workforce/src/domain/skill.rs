//! Skills that are required, related and claimed.

use spil_changefeed::{Findings, Proposal};
use spil_proto::{
    changefeed::v1::record::Entity,
    workforce::v1::{SkillAssertion, SkillRelation, SkillRequirement},
};

pub(super) fn requirement(requirement: &SkillRequirement, proposal: &Proposal<'_>, findings: &mut Findings) {
    let twice = proposal.siblings("role_id").any(|record| {
        matches!(&record.entity, Some(Entity::SkillRequirement(other)) if other.skill_id == requirement.skill_id)
    });
    if twice {
        findings.broken("skill_id", "the role requires this skill already");
    }
}

pub(super) fn relation(relation: &SkillRelation, findings: &mut Findings) {
    if relation.skill_id == relation.related_id {
        findings.broken("related_id", "a skill is not related to itself");
    }
}

pub(super) fn assertion(assertion: &SkillAssertion, findings: &mut Findings) {
    if let (Some(assessed), Some(expires)) = (assertion.assessed_at, assertion.expires_at)
        && assessed >= expires
    {
        findings.broken("expires_at", "a claim expires after the day it was assessed");
    }
}

#[cfg(test)]
mod tests {
    use spil_proto::changefeed::v1::Record;

    use super::*;

    #[test]
    fn a_role_requires_a_skill_once() {
        let of = |skill: u8| SkillRequirement { skill_id: Some(vec![skill; 16]), ..SkillRequirement::default() };
        let record = |skill| Record { entity: Some(Entity::SkillRequirement(of(skill))) };
        let (after, same, other) = (record(1), record(1), record(2));
        for (siblings, sound) in [(vec![&other], true), (vec![&other, &same], false), (vec![], true)] {
            let mut findings = Findings::default();
            requirement(&of(1), &Proposal::new(None, &after).with_siblings("role_id", siblings), &mut findings);
            assert_eq!(findings.problems.is_empty(), sound);
        }
    }

    #[test]
    fn a_skill_is_not_related_to_itself() {
        for (related, sound) in [(1, false), (2, true)] {
            let mut findings = Findings::default();
            let to = SkillRelation {
                skill_id: Some(vec![1; 16]),
                related_id: Some(vec![related; 16]),
                ..SkillRelation::default()
            };
            relation(&to, &mut findings);
            assert_eq!(findings.problems.is_empty(), sound);
        }
    }

    #[test]
    fn a_claim_expires_after_it_was_assessed() {
        for (assessed_at, expires_at, sound) in
            [(Some(1), Some(2), true), (Some(2), Some(2), false), (Some(3), Some(2), false), (None, Some(2), true)]
        {
            let mut findings = Findings::default();
            assertion(&SkillAssertion { assessed_at, expires_at, ..SkillAssertion::default() }, &mut findings);
            assert_eq!(findings.problems.is_empty(), sound);
        }
    }
}
