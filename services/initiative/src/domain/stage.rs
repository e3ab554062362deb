//! The way of an initiative through its stages.

use spil_proto::initiative::v1::{GateOutcome, InitiativeStage};

/// Why a decision can not be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The field of the decision that is wrong.
    pub(super) field: &'static str,
    /// What is wrong with it.
    pub(super) message: &'static str,
}

const fn refusal(field: &'static str, message: &'static str) -> Refusal {
    Refusal { field, message }
}

/// The stage that a decision leads to from another one. `wanted` is what the decision says itself, if anything.
pub(super) fn reached(
    from: InitiativeStage,
    decision: GateOutcome,
    wanted: InitiativeStage,
) -> Result<InitiativeStage, Refusal> {
    use InitiativeStage::{Run, Stopped, Unspecified};
    match decision {
        GateOutcome::Unspecified => Ok(from),
        GateOutcome::Hold if wanted == Unspecified || wanted == from => Ok(from),
        GateOutcome::Hold => Err(refusal("to_stage", "a HOLD leaves the stage as it is")),
        GateOutcome::Pivot if wanted == Stopped => Err(refusal("to_stage", "a PIVOT goes on; what ends is a STOP")),
        GateOutcome::Pivot => Ok(if wanted == Unspecified { from } else { wanted }),
        GateOutcome::Go | GateOutcome::Stop if from == Stopped => {
            Err(refusal("decision", "a stopped initiative goes on by a PIVOT only"))
        }
        GateOutcome::Go | GateOutcome::Stop if from == Run => {
            Err(refusal("decision", "an initiative that runs changes its stage by a PIVOT only"))
        }
        GateOutcome::Stop if matches!(wanted, Unspecified | Stopped) => Ok(Stopped),
        GateOutcome::Stop => Err(refusal("to_stage", "a STOP leads to STOPPED")),
        GateOutcome::Go => match if wanted == Unspecified { next(from) } else { wanted } {
            Unspecified => {
                Err(refusal("to_stage", "the initiative has no stage yet: the GO has to say which one it leads to"))
            }
            Stopped => Err(refusal("to_stage", "a GO goes on; what ends is a STOP")),
            to if place(from) < place(to) => Ok(to),
            _ => Err(refusal("to_stage", "a GO leads to a later stage; back is a PIVOT")),
        },
    }
}

/// The stage after another one; none after the last, or where there is none yet.
fn next(from: InitiativeStage) -> InitiativeStage {
    use InitiativeStage::{Experiment, Idea, Pilot, Run, Scale, Unspecified};
    match from {
        Idea => Experiment,
        Experiment => Pilot,
        Pilot => Scale,
        Scale => Run,
        _ => Unspecified,
    }
}

fn place(stage: InitiativeStage) -> u8 {
    match stage {
        InitiativeStage::Unspecified => 0,
        InitiativeStage::Idea => 1,
        InitiativeStage::Experiment => 2,
        InitiativeStage::Pilot => 3,
        InitiativeStage::Scale => 4,
        InitiativeStage::Run => 5,
        InitiativeStage::Stopped => 6,
    }
}

#[cfg(test)]
mod tests {
    use InitiativeStage::{Experiment, Idea, Pilot, Run, Scale, Stopped, Unspecified};
    use proptest::prelude::*;

    use super::*;

    fn stage() -> impl Strategy<Value = InitiativeStage> {
        (0..=6i32).prop_map(|number| InitiativeStage::try_from(number).expect("a stage"))
    }

    fn decision() -> impl Strategy<Value = GateOutcome> {
        (0..=4i32).prop_map(|number| GateOutcome::try_from(number).expect("a decision"))
    }

    #[test]
    fn each_decision_leads_where_it_should() {
        use GateOutcome::{Go, Hold, Pivot, Stop};
        for (from, decision, wanted, reached_stage) in [
            (Idea, Go, Unspecified, Ok(Experiment)),
            (Experiment, Go, Unspecified, Ok(Pilot)),
            (Pilot, Go, Unspecified, Ok(Scale)),
            (Scale, Go, Unspecified, Ok(Run)),
            (Idea, Go, Scale, Ok(Scale)),
            (Unspecified, Go, Pilot, Ok(Pilot)),
            (Unspecified, Go, Unspecified, Err("to_stage")),
            (Pilot, Go, Idea, Err("to_stage")),
            (Pilot, Go, Pilot, Err("to_stage")),
            (Pilot, Go, Stopped, Err("to_stage")),
            (Run, Go, Unspecified, Err("decision")),
            (Stopped, Go, Pilot, Err("decision")),
            (Pilot, Stop, Unspecified, Ok(Stopped)),
            (Pilot, Stop, Stopped, Ok(Stopped)),
            (Pilot, Stop, Run, Err("to_stage")),
            (Run, Stop, Unspecified, Err("decision")),
            (Stopped, Stop, Unspecified, Err("decision")),
            (Pilot, Hold, Unspecified, Ok(Pilot)),
            (Pilot, Hold, Scale, Err("to_stage")),
            (Stopped, Hold, Unspecified, Ok(Stopped)),
            (Scale, Pivot, Unspecified, Ok(Scale)),
            (Scale, Pivot, Experiment, Ok(Experiment)),
            (Run, Pivot, Pilot, Ok(Pilot)),
            (Stopped, Pivot, Idea, Ok(Idea)),
            (Pilot, Pivot, Stopped, Err("to_stage")),
        ] {
            let found = reached(from, decision, wanted).map_err(|refusal| refusal.field);
            assert_eq!(found, reached_stage, "{from:?} {decision:?} {wanted:?}");
        }
    }

    proptest! {
        #[test]
        fn without_a_pivot_no_way_leads_back(way in proptest::collection::vec((decision(), stage()), 1..24)) {
            let mut at = Idea;
            for (decision, wanted) in way {
                let Ok(to) = reached(at, decision, wanted) else { continue };
                if decision != GateOutcome::Pivot {
                    prop_assert!(place(at) <= place(to));
                    prop_assert!(to == at || !matches!(at, Run | Stopped));
                }
                at = to;
            }
        }
    }
}
