//! Decisions at gates, and what follows from them for the stage of the initiative.

use spil_changefeed::{Effect, Findings, Proposal};
use spil_proto::{
    changefeed::v1::{Record, record::Entity},
    initiative::v1::{GateDecision, GateOutcome, Initiative, InitiativeStage},
    model::Value,
};

use super::stage::reached;

pub(super) fn check(decision: &GateDecision, proposal: &Proposal<'_>, findings: &mut Findings) {
    match (was_made(decision), decision.decided_at) {
        (true, None) => findings.broken("decided_at", "a decision needs the day on which it was made"),
        (false, Some(_)) => findings.broken("decision", "`decided_at` needs a decision"),
        _ => {}
    }
    // The day of those who decide may be a day ahead of the one here.
    if let (Some(day), Some(today)) = (decision.decided_at, proposal.today())
        && day > today.saturating_add(1)
    {
        findings.broken("decided_at", "a decision can not be made on a day that is ahead");
    }
    let before = proposal.before.and_then(as_decision).filter(|before| was_made(before));
    if let Some(before) = before {
        if before.to_stage != decision.to_stage {
            findings.immutable("to_stage", "`to_stage` can not be changed once it is decided");
        }
    } else if let Err(refusal) = reached(stage(proposal), decision.decision(), decision.to_stage()) {
        findings.broken(refusal.field, refusal.message);
    }
}

/// What was decided stays: the stage of the initiative follows from it.
pub(super) fn check_retire(decision: &GateDecision, findings: &mut Findings) {
    if was_made(decision) {
        findings.broken("", "a decision that was made can not be retired; make another one");
    }
}

/// A decision that is made now moves the initiative.
pub(super) fn effects(decision: &GateDecision, proposal: &Proposal<'_>) -> Vec<Effect> {
    if proposal.before.and_then(as_decision).is_some_and(was_made) || !was_made(decision) {
        return Vec::new();
    }
    let from = stage(proposal);
    match reached(from, decision.decision(), decision.to_stage()) {
        Ok(to) if to != from => {
            vec![Effect { on: "initiative_id", field: "stage", value: Value::Enum(to.into()) }]
        }
        _ => Vec::new(),
    }
}

/// Whether a stage changes without a decision. The first one is not a move: it records where things stand.
pub(super) fn check_stage(initiative: &Initiative, proposal: &Proposal<'_>, findings: &mut Findings) {
    let Some(Entity::Initiative(before)) = proposal.before.and_then(|record| record.entity.as_ref()) else { return };
    let moves = before.stage() != InitiativeStage::Unspecified && before.stage() != initiative.stage();
    if moves && proposal.cause().and_then(as_decision).is_none() {
        findings.broken("stage", "a stage moves only by a gate decision");
    }
}

/// Whether the gate is passed, and not ahead.
fn was_made(decision: &GateDecision) -> bool {
    decision.decision() != GateOutcome::Unspecified
}

/// Where the initiative stands.
fn stage(proposal: &Proposal<'_>) -> InitiativeStage {
    match proposal.referenced("initiative_id").and_then(|record| record.entity.as_ref()) {
        Some(Entity::Initiative(initiative)) => initiative.stage(),
        _ => InitiativeStage::Unspecified,
    }
}

fn as_decision(record: &Record) -> Option<&GateDecision> {
    match &record.entity {
        Some(Entity::GateDecision(decision)) => Some(decision),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(decision: &GateDecision) -> Record {
        Record { entity: Some(Entity::GateDecision(decision.clone())) }
    }

    fn made(decision: GateOutcome, to_stage: InitiativeStage) -> GateDecision {
        GateDecision {
            decision: decision.into(),
            decided_at: Some(20_000),
            to_stage: to_stage.into(),
            ..GateDecision::default()
        }
    }

    /// The fields that are wrong, and the stage that the initiative gets.
    fn judge(at: InitiativeStage, before: Option<&GateDecision>, after: &GateDecision) -> (Vec<String>, Vec<Effect>) {
        let initiative =
            Record { entity: Some(Entity::Initiative(Initiative { stage: at.into(), ..Initiative::default() })) };
        let (before, now) = (before.map(record), record(after));
        let proposal = Proposal::new(before.as_ref(), &now).with_referenced("initiative_id", &initiative);
        let mut findings = Findings::default();
        check(after, &proposal, &mut findings);
        (findings.problems.into_iter().map(|problem| problem.field).collect(), effects(after, &proposal))
    }

    fn to(stage: InitiativeStage) -> Vec<Effect> {
        vec![Effect { on: "initiative_id", field: "stage", value: Value::Enum(stage.into()) }]
    }

    #[test]
    fn a_decision_and_its_day_come_together() {
        let planned = GateDecision { planned_at: Some(1), ..GateDecision::default() };
        let day = GateDecision { decided_at: Some(1), ..GateDecision::default() };
        let decision = GateDecision { decision: GateOutcome::Hold.into(), ..GateDecision::default() };
        assert!(judge(InitiativeStage::Idea, None, &planned).0.is_empty());
        assert_eq!(judge(InitiativeStage::Idea, None, &day).0, ["decision"]);
        assert_eq!(judge(InitiativeStage::Idea, None, &decision).0, ["decided_at"]);
    }

    #[test]
    fn a_decision_is_not_made_ahead() {
        let initiative = Record { entity: Some(Entity::Initiative(Initiative::default())) };
        let hold = made(GateOutcome::Hold, InitiativeStage::Unspecified);
        for (today, sound) in [(19_998, false), (19_999, true), (20_000, true), (20_001, true)] {
            let after = record(&hold);
            let proposal =
                Proposal::new(None, &after)
                    .with_referenced("initiative_id", &initiative)
                    .at(i64::from(today) * 86_400_000_000 + 86_399_999_999);
            let mut findings = Findings::default();
            check(&hold, &proposal, &mut findings);
            let wrong: Vec<&str> = findings.problems.iter().map(|problem| problem.field.as_str()).collect();
            assert_eq!(wrong, if sound { vec![] } else { vec!["decided_at"] }, "{today}");
        }
    }

    #[test]
    fn what_was_decided_is_not_retired() {
        for (decision, sound) in
            [(GateDecision::default(), true), (made(GateOutcome::Hold, InitiativeStage::Unspecified), false)]
        {
            let mut findings = Findings::default();
            check_retire(&decision, &mut findings);
            assert_eq!(findings.problems.is_empty(), sound);
        }
    }

    #[test]
    fn a_decision_moves_the_initiative_when_it_is_made() {
        use InitiativeStage::{Pilot, Scale, Stopped, Unspecified};
        let planned = GateDecision::default();
        let go = made(GateOutcome::Go, Unspecified);
        assert_eq!(judge(Pilot, None, &go), (vec![], to(Scale)));
        assert_eq!(judge(Pilot, Some(&planned), &go), (vec![], to(Scale)));
        assert_eq!(judge(Pilot, None, &made(GateOutcome::Stop, Unspecified)), (vec![], to(Stopped)));
        assert_eq!(judge(Pilot, None, &made(GateOutcome::Hold, Unspecified)), (vec![], vec![]));
        assert_eq!(judge(Pilot, None, &planned), (vec![], vec![]));
        assert_eq!(judge(Stopped, None, &go).0, ["decision"]);
    }

    #[test]
    fn what_was_decided_moves_nothing_again_and_stays() {
        use InitiativeStage::{Pilot, Run, Unspecified};
        let go = made(GateOutcome::Go, Unspecified);
        let explained = GateDecision { evidence: Some("the figures".to_owned()), ..go.clone() };
        assert_eq!(judge(Pilot, Some(&go), &explained), (vec![], vec![]));
        let elsewhere = made(GateOutcome::Go, Run);
        assert_eq!(judge(Pilot, Some(&go), &elsewhere), (vec!["to_stage".to_owned()], vec![]));
    }

    #[test]
    fn a_stage_changes_by_a_decision_only() {
        use InitiativeStage::{Idea, Pilot, Unspecified};
        let at = |stage: InitiativeStage| Initiative { stage: stage.into(), ..Initiative::default() };
        let record = |initiative: &Initiative| Record { entity: Some(Entity::Initiative(initiative.clone())) };
        let cause = self::record(&made(GateOutcome::Go, Unspecified));
        for (before, after, by_decision, sound) in [
            (None, Pilot, false, true),
            (Some(Pilot), Pilot, false, true),
            (Some(Unspecified), Pilot, false, true),
            (Some(Idea), Pilot, false, false),
            (Some(Pilot), Unspecified, false, false),
            (Some(Idea), Pilot, true, true),
        ] {
            let (before, now) = (before.map(|stage| record(&at(stage))), record(&at(after)));
            let mut proposal = Proposal::new(before.as_ref(), &now);
            if by_decision {
                proposal = proposal.caused_by(&cause);
            }
            let mut findings = Findings::default();
            check_stage(&at(after), &proposal, &mut findings);
            assert_eq!(findings.problems.is_empty(), sound, "{before:?} {after:?}");
        }
    }
}
