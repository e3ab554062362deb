//! Questions put to many people, and what they answer.

use spil_changefeed::{Findings, Proposal};
use spil_proto::{
    changefeed::v1::record::Entity,
    initiative::v1::{PulseResponse, PulseWave},
};

pub(super) fn check_wave(wave: &PulseWave, findings: &mut Findings) {
    if let (Some(min), Some(max)) = (wave.scale_min, wave.scale_max) {
        if min >= max {
            findings.broken("scale_max", "`scale_max` must be above `scale_min`");
        } else if wave.top_box.is_some_and(|top| top <= min || top > max) {
            findings.broken("top_box", "`top_box` must be above `scale_min` and at most `scale_max`");
        }
    }
    if let (Some(from), Some(to)) = (wave.from, wave.to)
        && from >= to
    {
        findings.broken("to", "`to` is the first day on which no answers are taken; it must be after `from`");
    }
}

pub(super) fn check_response(response: &PulseResponse, proposal: &Proposal<'_>, findings: &mut Findings) {
    let Some(Entity::PulseWave(wave)) = proposal.referenced("wave_id").and_then(|record| record.entity.as_ref()) else {
        return;
    };
    if let (Some(min), Some(max), Some(score)) = (wave.scale_min, wave.scale_max, response.score)
        && !(min..=max).contains(&score)
    {
        findings.broken("score", format!("`score` must be {min} to {max}, the scale of the wave"));
    }
    if (wave.from.is_some() || wave.to.is_some()) && response.responded_at.is_none() {
        findings.missing("responded_at", "the wave takes answers on some days only: `responded_at` is required");
    }
    let outside = |day: i32| wave.from.is_some_and(|from| day < from) || wave.to.is_some_and(|to| day >= to);
    if response.responded_at.is_some_and(outside) {
        findings.broken("responded_at", "the wave takes no answers on that day");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use spil_proto::changefeed::v1::Record;

    use super::*;

    fn fields(findings: Findings) -> Vec<String> {
        findings.problems.into_iter().map(|problem| problem.field).collect()
    }

    fn wave_problems(scale: (i32, i32), top_box: Option<i32>, days: (Option<i32>, Option<i32>)) -> Vec<String> {
        let wave = PulseWave {
            scale_min: Some(scale.0),
            scale_max: Some(scale.1),
            top_box,
            from: days.0,
            to: days.1,
            ..PulseWave::default()
        };
        let mut findings = Findings::default();
        check_wave(&wave, &mut findings);
        fields(findings)
    }

    fn response_problems(score: i32, responded_at: Option<i32>) -> Vec<String> {
        let wave = PulseWave {
            scale_min: Some(1),
            scale_max: Some(5),
            from: Some(100),
            to: Some(110),
            ..PulseWave::default()
        };
        let wave = Record { entity: Some(Entity::PulseWave(wave)) };
        let response = PulseResponse { score: Some(score), responded_at, ..PulseResponse::default() };
        let after = Record { entity: Some(Entity::PulseResponse(response.clone())) };
        let mut findings = Findings::default();
        check_response(&response, &Proposal::new(None, &after).with_referenced("wave_id", &wave), &mut findings);
        fields(findings)
    }

    #[test]
    fn a_scale_goes_up_and_holds_its_top() {
        let open = (None, None);
        assert!(wave_problems((1, 5), Some(4), open).is_empty());
        assert!(wave_problems((1, 5), None, open).is_empty());
        assert_eq!(wave_problems((5, 5), None, open), ["scale_max"]);
        assert_eq!(wave_problems((1, 5), Some(6), open), ["top_box"]);
        assert_eq!(wave_problems((1, 5), Some(1), open), ["top_box"], "then every score would be favourable");
    }

    #[test]
    fn a_wave_lasts_at_least_a_day() {
        assert!(wave_problems((1, 5), None, (Some(1), Some(2))).is_empty());
        assert_eq!(wave_problems((1, 5), None, (Some(2), Some(2))), ["to"]);
    }

    #[test]
    fn an_answer_comes_while_the_wave_is_open() {
        for (day, sound) in [(Some(99), false), (Some(100), true), (Some(109), true), (Some(110), false), (None, false)]
        {
            assert_eq!(response_problems(3, day).is_empty(), sound, "{day:?}");
        }
    }

    proptest! {
        #[test]
        fn a_score_is_within_the_scale(score in -10..10i32) {
            prop_assert_eq!(response_problems(score, Some(100)).is_empty(), (1..=5).contains(&score));
        }
    }
}
