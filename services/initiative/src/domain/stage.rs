//! The way of an initiative through its stages.

use spil_proto::initiative::v1::InitiativeStage;

/// Whether an initiative may go from one stage to another: onwards, some stages at once, or to the end; never back.
pub(super) fn may_move(from: InitiativeStage, to: InitiativeStage) -> Result<(), &'static str> {
    use InitiativeStage::{Stopped, Unspecified};
    match (from, to) {
        (Unspecified, _) => Ok(()),
        (from, to) if from == to => Ok(()),
        (Stopped, _) => Err("a stopped initiative stays stopped"),
        (_, Unspecified) => Err("an initiative that has a stage keeps one"),
        (_, Stopped) => Ok(()),
        (from, to) if place(from) < place(to) => Ok(()),
        _ => Err("a stage never goes backwards"),
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
    use proptest::prelude::*;

    use super::*;

    fn stage() -> impl Strategy<Value = InitiativeStage> {
        (0..=6i32).prop_map(|number| InitiativeStage::try_from(number).expect("a stage"))
    }

    #[test]
    fn stages_move_onwards_or_stop() {
        use InitiativeStage::{Idea, Pilot, Run, Scale, Stopped, Unspecified};
        for (from, to, sound) in [
            (Idea, Run, true),
            (Pilot, Scale, true),
            (Scale, Pilot, false),
            (Run, Stopped, true),
            (Stopped, Idea, false),
            (Stopped, Stopped, true),
            (Stopped, Unspecified, false),
            (Idea, Unspecified, false),
            (Unspecified, Run, true),
        ] {
            assert_eq!(may_move(from, to).is_ok(), sound, "{from:?} to {to:?}");
        }
    }

    proptest! {
        #[test]
        fn no_way_leads_back(way in proptest::collection::vec(stage(), 1..12)) {
            let mut at = InitiativeStage::Unspecified;
            let mut been = Vec::new();
            for next in way {
                if may_move(at, next).is_ok() {
                    if next != at && at != InitiativeStage::Unspecified {
                        prop_assert!(!been.contains(&next));
                    }
                    at = next;
                    been.push(at);
                }
            }
        }
    }
}
