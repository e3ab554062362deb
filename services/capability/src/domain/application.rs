//! The life of an application and its class under the AI Act.

use spil_changefeed::Findings;
use spil_proto::capability::v1::{AiRiskClass, Application};

pub(super) fn check(application: &Application, findings: &mut Findings) {
    dates_in_order(application, findings);
    if application.is_ai_system == Some(false) && application.ai_risk_class() != AiRiskClass::Unspecified {
        findings.broken("ai_risk_class", "only an AI system has a risk class");
    }
}

/// A stage begins no earlier than the stages before it. Stages may be left out, and two may begin on one day.
fn dates_in_order(application: &Application, findings: &mut Findings) {
    let stages = [
        ("plan_from", application.plan_from),
        ("phase_in_from", application.phase_in_from),
        ("active_from", application.active_from),
        ("phase_out_from", application.phase_out_from),
        ("end_of_life_from", application.end_of_life_from),
    ];
    let mut latest: Option<(&str, i32)> = None;
    for (field, from) in stages {
        let Some(from) = from else { continue };
        match latest {
            Some((earlier, day)) if from < day => {
                findings.broken(field, format!("`{field}` must not be before `{earlier}`"));
            }
            _ => latest = Some((field, from)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn problems(application: &Application) -> Vec<String> {
        let mut findings = Findings::default();
        check(application, &mut findings);
        findings.problems.into_iter().map(|problem| problem.field).collect()
    }

    #[test]
    fn only_what_may_be_an_ai_system_has_a_risk_class() {
        let class = i32::from(AiRiskClass::High);
        for (is_ai_system, ai_risk_class, broken) in
            [(Some(false), class, true), (Some(false), 0, false), (Some(true), class, false), (None, class, false)]
        {
            let application = Application { is_ai_system, ai_risk_class, ..Application::default() };
            assert_eq!(!problems(&application).is_empty(), broken, "{is_ai_system:?} {ai_risk_class}");
        }
    }

    #[test]
    fn a_stage_before_an_earlier_one_is_named() {
        let application = Application { plan_from: Some(10), end_of_life_from: Some(9), ..Application::default() };
        assert_eq!(problems(&application), ["end_of_life_from"]);
    }

    proptest! {
        #[test]
        fn dates_are_sound_exactly_if_they_never_go_back(days in proptest::array::uniform5(proptest::option::of(-5..5i32))) {
            let [plan_from, phase_in_from, active_from, phase_out_from, end_of_life_from] = days;
            let application =
                Application { plan_from, phase_in_from, active_from, phase_out_from, end_of_life_from, ..Application::default() };
            let given: Vec<i32> = days.into_iter().flatten().collect();
            prop_assert_eq!(problems(&application).is_empty(), given.is_sorted());
        }
    }
}
