//! What the model table can not say about initiatives, stakeholders, gates, benefits and pulse waves.

mod benefit;
mod gate;
mod pulse;
mod stage;
mod stakeholder;

use spil_changefeed::{Effect, Findings, Proposal, Related, Rules};
use spil_proto::{
    changefeed::v1::{Record, record::Entity},
    initiative::v1::{CapabilityChange, Initiative},
    model::Kind,
};

/// The rules of the initiative owner.
pub(crate) struct InitiativeRules;

impl Rules for InitiativeRules {
    fn related(&self, kind: Kind) -> &'static [Related] {
        match kind {
            Kind::CapabilityChange => &[Related::Siblings { field: "initiative_id", exclusive: true }],
            Kind::BenefitShare => &[Related::Siblings { field: "benefit_id", exclusive: true }],
            Kind::Measurement => &[Related::Referenced { field: "corrects_id" }],
            Kind::GateDecision => &[Related::Affected { field: "initiative_id" }],
            Kind::PulseResponse => &[Related::Referenced { field: "wave_id" }],
            _ => &[],
        }
    }

    fn check(&self, proposal: &Proposal<'_>, findings: &mut Findings) {
        match &proposal.after.entity {
            Some(Entity::Initiative(initiative)) => check_initiative(initiative, proposal, findings),
            Some(Entity::CapabilityChange(change)) => check_change(change, proposal, findings),
            Some(Entity::Stakeholder(stakeholder)) => stakeholder::check(stakeholder, findings),
            Some(Entity::Benefit(benefit)) => benefit::check(benefit, findings),
            Some(Entity::BenefitShare(share)) => benefit::check_share(share, proposal, findings),
            Some(Entity::Measurement(measurement)) => benefit::check_measurement(measurement, proposal, findings),
            Some(Entity::GateDecision(decision)) => gate::check(decision, proposal, findings),
            Some(Entity::PulseWave(wave)) => pulse::check_wave(wave, findings),
            Some(Entity::PulseResponse(response)) => pulse::check_response(response, proposal, findings),
            _ => {}
        }
    }

    fn check_retire(&self, record: &Record, findings: &mut Findings) {
        if let Some(Entity::GateDecision(decision)) = &record.entity {
            gate::check_retire(decision, findings);
        }
    }

    fn effects(&self, proposal: &Proposal<'_>) -> Vec<Effect> {
        match &proposal.after.entity {
            Some(Entity::GateDecision(decision)) => gate::effects(decision, proposal),
            _ => Vec::new(),
        }
    }
}

fn check_initiative(initiative: &Initiative, proposal: &Proposal<'_>, findings: &mut Findings) {
    if let (Some(start), Some(end)) = (initiative.start, initiative.end)
        && start > end
    {
        findings.broken("end", "`end` must not be before `start`");
    }
    if initiative.budget.is_some() && initiative.currency.is_none() {
        findings.broken("currency", "a budget needs a currency");
    }
    gate::check_stage(initiative, proposal, findings);
}

fn check_change(change: &CapabilityChange, proposal: &Proposal<'_>, findings: &mut Findings) {
    let twice = proposal.siblings("initiative_id").any(|record| {
        matches!(&record.entity, Some(Entity::CapabilityChange(other)) if other.capability_id == change.capability_id)
    });
    if twice {
        findings.broken("capability_id", "the initiative changes this capability already");
    }
}

#[cfg(test)]
mod tests {
    use spil_proto::{
        initiative::v1::InitiativeStage,
        model::{FieldType, Owner},
    };

    use super::*;

    fn problems(before: Option<Initiative>, after: Initiative) -> Vec<String> {
        let record = |initiative| Record { entity: Some(Entity::Initiative(initiative)) };
        let (before, after) = (before.map(record), record(after));
        let mut findings = Findings::default();
        InitiativeRules.check(&Proposal::new(before.as_ref(), &after), &mut findings);
        findings.problems.into_iter().map(|problem| problem.field).collect()
    }

    #[test]
    fn related_records_go_by_fields_that_there_are() {
        for kind in Owner::Initiative.kinds() {
            for related in InitiativeRules.related(kind) {
                assert!(related.fits(kind), "{kind:?}: {related:?}");
                if let (Related::Affected { field }, info) = (related, kind.info()) {
                    let to = info.field_by_column(field).map(|field| field.ty);
                    let Some(FieldType::Ref(to)) = to else { panic!("{field} is no reference") };
                    assert!(InitiativeRules.related(to).is_empty(), "{to:?} changes with {kind:?}");
                }
            }
        }
    }

    #[test]
    fn an_initiative_ends_no_earlier_than_it_starts() {
        for (start, end, sound) in [(1, 1, true), (1, 2, true), (2, 1, false)] {
            let initiative = Initiative { start: Some(start), end: Some(end), ..Initiative::default() };
            assert_eq!(problems(None, initiative).is_empty(), sound);
        }
    }

    #[test]
    fn money_has_a_currency() {
        let budget = Initiative { budget: Some("10".into()), ..Initiative::default() };
        assert_eq!(problems(None, budget.clone()), ["currency"]);
        assert!(problems(None, Initiative { currency: Some("EUR".into()), ..budget }).is_empty());
    }

    #[test]
    fn a_stage_is_held_against_the_one_before() {
        let at = |stage: InitiativeStage| Initiative { stage: stage.into(), ..Initiative::default() };
        assert_eq!(problems(Some(at(InitiativeStage::Pilot)), at(InitiativeStage::Scale)), ["stage"]);
        assert!(problems(None, at(InitiativeStage::Stopped)).is_empty());
    }

    #[test]
    fn an_initiative_changes_a_capability_once() {
        let to = |capability: u8| Record {
            entity: Some(Entity::CapabilityChange(CapabilityChange {
                capability_id: Some(vec![capability; 16]),
                ..CapabilityChange::default()
            })),
        };
        let (after, same, other) = (to(1), to(1), to(2));
        for (sibling, sound) in [(&same, false), (&other, true)] {
            let mut findings = Findings::default();
            let proposal = Proposal::new(None, &after).with_siblings("initiative_id", vec![sibling]);
            InitiativeRules.check(&proposal, &mut findings);
            assert_eq!(findings.problems.is_empty(), sound);
        }
    }
}
