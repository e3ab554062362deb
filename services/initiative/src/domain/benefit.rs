//! Benefits, who brings them and what was measured of them.

use spil_changefeed::{Findings, Proposal};
use spil_proto::{
    changefeed::v1::record::Entity,
    initiative::v1::{Benefit, BenefitShare, Measurement},
};

/// Sums of fractions are not exact.
const TOLERANCE: f64 = 1e-9;

pub(super) fn check(benefit: &Benefit, findings: &mut Findings) {
    let points = [
        ("baseline_value", benefit.baseline_value, "baseline_at", benefit.baseline_at),
        ("target_value", benefit.target_value, "target_at", benefit.target_at),
    ];
    for (value_field, value, day_field, day) in points {
        match (value, day) {
            (Some(_), None) => findings.broken(day_field, format!("`{value_field}` needs `{day_field}`")),
            (None, Some(_)) => findings.broken(value_field, format!("`{day_field}` needs `{value_field}`")),
            _ => {}
        }
    }
    if benefit.value.is_some() && benefit.currency.is_none() {
        findings.broken("currency", "a value in money needs a currency");
    }
}

pub(super) fn check_share(share: &BenefitShare, proposal: &Proposal<'_>, findings: &mut Findings) {
    let others = || {
        proposal.siblings("benefit_id").filter_map(|record| match &record.entity {
            Some(Entity::BenefitShare(other)) => Some(other),
            _ => None,
        })
    };
    if others().any(|other| other.initiative_id == share.initiative_id) {
        findings.broken("initiative_id", "the initiative has a share of this benefit already");
    }
    let taken: f64 = others().filter_map(|other| other.share).sum();
    if taken + share.share.unwrap_or_default() > 1.0 + TOLERANCE {
        findings.broken("share", format!("the shares of a benefit add up to at most 1; others have {taken:.4}"));
    }
}

pub(super) fn check_measurement(measurement: &Measurement, proposal: &Proposal<'_>, findings: &mut Findings) {
    if let Some(Entity::Measurement(earlier)) =
        proposal.referenced("corrects_id").and_then(|record| record.entity.as_ref())
        && earlier.benefit_id != measurement.benefit_id
    {
        findings.broken("corrects_id", "a measurement corrects one of the same benefit");
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

    fn share(initiative: usize, share: f64) -> BenefitShare {
        let initiative_id = Some(vec![u8::try_from(initiative).expect("few"); 16]);
        BenefitShare { initiative_id, share: Some(share), ..BenefitShare::default() }
    }

    fn check_shares(new: &BenefitShare, others: &[BenefitShare]) -> Vec<String> {
        let record = |share: &BenefitShare| Record { entity: Some(Entity::BenefitShare(share.clone())) };
        let after = record(new);
        let others: Vec<Record> = others.iter().map(record).collect();
        let mut findings = Findings::default();
        let proposal = Proposal::new(None, &after).with_siblings("benefit_id", others.iter().collect());
        check_share(new, &proposal, &mut findings);
        fields(findings)
    }

    #[test]
    fn a_value_and_its_day_come_together() {
        let check_benefit = |benefit: Benefit| {
            let mut findings = Findings::default();
            check(&benefit, &mut findings);
            fields(findings)
        };
        let benefit = Benefit::default;
        assert!(check_benefit(benefit()).is_empty());
        assert_eq!(check_benefit(Benefit { baseline_value: Some(1.0), ..benefit() }), ["baseline_at"]);
        assert_eq!(check_benefit(Benefit { baseline_at: Some(1), ..benefit() }), ["baseline_value"]);
        assert_eq!(check_benefit(Benefit { target_value: Some(1.0), ..benefit() }), ["target_at"]);
        assert_eq!(check_benefit(Benefit { target_at: Some(1), ..benefit() }), ["target_value"]);
        let both = Benefit { target_at: Some(1), target_value: Some(0.0), ..benefit() };
        assert!(check_benefit(both).is_empty());
        assert_eq!(check_benefit(Benefit { value: Some("5".into()), ..benefit() }), ["currency"]);
    }

    #[test]
    fn an_initiative_has_one_share_of_a_benefit() {
        assert_eq!(check_shares(&share(1, 0.1), &[share(1, 0.1)]), ["initiative_id"]);
        assert!(check_shares(&share(1, 0.1), &[share(2, 0.9)]).is_empty());
    }

    #[test]
    fn a_measurement_corrects_one_of_the_same_benefit() {
        let of = |benefit: u8| Measurement { benefit_id: Some(vec![benefit; 16]), ..Measurement::default() };
        let record = |benefit| Record { entity: Some(Entity::Measurement(of(benefit))) };
        let (after, same, other) = (record(1), record(1), record(2));
        for (earlier, sound) in [(&same, true), (&other, false)] {
            let mut findings = Findings::default();
            let proposal = Proposal::new(None, &after).with_referenced("corrects_id", earlier);
            check_measurement(&of(1), &proposal, &mut findings);
            assert_eq!(findings.problems.is_empty(), sound);
        }
    }

    proptest! {
        #[test]
        fn shares_are_taken_exactly_while_they_add_up_to_one(tenths in proptest::collection::vec(1..=10u32, 1..12)) {
            let (mut taken, mut sum) = (Vec::new(), 0);
            for (initiative, part) in tenths.into_iter().enumerate() {
                let new = share(initiative, f64::from(part) / 10.0);
                let sound = check_shares(&new, &taken).is_empty();
                prop_assert_eq!(sound, sum + part <= 10);
                if sound {
                    sum += part;
                    taken.push(new);
                }
            }
        }
    }
}
