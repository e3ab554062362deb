//! The personal fields whose reading is kept, as sets.

use std::sync::LazyLock;

use spil_proto::model::{FieldType, Kind, Step};

/// Some of [`FIELDS`], a bit for each.
pub(crate) type FieldBits = u128;

/// Every personal field of people and of what is about them, and every reference from elsewhere to a person that is personal data.
pub(super) static FIELDS: LazyLock<Vec<(Kind, usize)>> = LazyLock::new(|| {
    let of = |kind: &Kind| {
        let info = kind.info();
        let is_somebodys = info.person || info.subject.is_some();
        let leads_to_somebody = |ty| matches!(ty, FieldType::Ref(to) if to.info().person);
        info.fields()
            .filter(move |field| info.personal(field.index).is_some() && (is_somebodys || leads_to_somebody(field.ty)))
            .map(|field| (info.kind, field.index))
    };
    Kind::ALL.iter().flat_map(of).collect()
});

/// The bits of the fields, by the number of the kind and that of the field; 0 for what is not among them.
static BITS: LazyLock<Vec<Vec<FieldBits>>> = LazyLock::new(|| {
    let mut bits: Vec<Vec<FieldBits>> = Vec::new();
    for (place, (kind, field)) in FIELDS.iter().enumerate() {
        let kind = *kind as usize;
        bits.resize_with(bits.len().max(kind + 1), Vec::new);
        if let Some(of_kind) = bits.get_mut(kind) {
            of_kind.resize(of_kind.len().max(field + 1), 0);
            if let Some(bit) = of_kind.get_mut(*field) {
                *bit = 1 << place;
            }
        }
    }
    bits
});

/// Those that tell who somebody is.
static IDENTIFYING: LazyLock<FieldBits> = LazyLock::new(|| {
    let identifying = FIELDS.iter().zip(0..).filter(|((kind, field), _)| kind.info().identifies(*field));
    identifying.fold(0, |bits, (_, place)| bits | 1 << place)
});

/// A field as a set of fields; empty if its reading is not kept.
pub(crate) fn single(kind: Kind, field: usize) -> FieldBits {
    BITS.get(kind as usize).and_then(|of_kind| of_kind.get(field)).copied().unwrap_or_default()
}

/// Those of some fields that tell who somebody is.
pub(crate) fn identifying(bits: FieldBits) -> FieldBits {
    bits & *IDENTIFYING
}

/// The references that a way follows, either way round.
pub(super) fn followed(steps: &[Step]) -> FieldBits {
    steps.iter().fold(0, |bits, step| match *step {
        Step::Forward { kind, field }
        | Step::Inverse { kind, field }
        | Step::Above { kind, field }
        | Step::Below { kind, field } => bits | single(kind, field),
    })
}

/// The numbers of the fields of a set.
pub(super) fn each(mut bits: FieldBits) -> impl Iterator<Item = (usize, FieldBits)> {
    std::iter::from_fn(move || {
        let place = bits.trailing_zeros();
        let bit = 1_u128.checked_shl(place)?;
        bits &= !bit;
        let (_, field) = FIELDS.get(place as usize)?;
        Some((*field, bit))
    })
}

/// The names of some fields: `Worker.email`.
pub(crate) fn names(bits: FieldBits) -> Vec<String> {
    let name = |(kind, field): &(Kind, usize)| {
        let info = kind.info();
        format!("{}.{}", info.name, info.field(*field).map_or("", |field| field.name))
    };
    FIELDS.iter().zip(0..).filter(|(_, place)| bits & 1 << place != 0).map(|(field, _)| name(field)).collect()
}

#[cfg(test)]
mod tests {
    use spil_proto::model::field;

    use super::*;

    #[test]
    fn every_personal_field_has_its_bit_and_its_person() {
        assert!(FIELDS.len() <= 128, "a set has too few bits");
        assert!(FIELDS.contains(&(Kind::Worker, field::KEY)));
        for info in Kind::ALL.iter().map(|kind| kind.info()) {
            for personal in info.fields().filter(|field| info.personal(field.index).is_some()) {
                let bits = single(info.kind, personal.index);
                assert_eq!(bits.count_ones(), 1, "{}.{}", info.name, personal.name);
                assert_eq!(names(bits), [format!("{}.{}", info.name, personal.name)]);
                assert_eq!(each(bits).collect::<Vec<_>>(), [(personal.index, bits)]);
                assert_eq!(identifying(bits) != 0, info.identifies(personal.index));
                let is_somebodys = info.person || info.subject.is_some();
                assert!(is_somebodys || identifying(bits) == 0, "whose is {}.{}?", info.name, personal.name);
            }
        }
        assert_eq!(single(Kind::Capability, field::NAME), 0);
        assert_eq!(single(Kind::Capability, usize::MAX), 0);
        assert_eq!(each(FieldBits::MAX).count(), FIELDS.len());
    }

    #[test]
    fn a_way_to_people_is_followed_by_what_is_kept_of_them() {
        let workers = Kind::Role.relation("workers").expect("a path");
        assert_eq!(names(followed(&workers.steps)), ["Assignment.positionId", "Assignment.workerId"]);
    }
}
