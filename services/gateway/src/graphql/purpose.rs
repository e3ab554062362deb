//! The purposes that a request can name, and the legal bases, as clients write them.

use spil_proto::model::{LegalBasis, Purpose};

/// What the names of the model have before those of clients.
const PREFIX: &str = "PURPOSE_";

/// The purposes that can be named.
const ALL: [Purpose; 4] =
    [Purpose::PersonnelAdministration, Purpose::SkillDevelopment, Purpose::ResponseCounting, Purpose::ChangePlanning];

/// The name of a purpose, as the enumeration `Purpose` of the schema has it.
pub(crate) fn name(purpose: Purpose) -> &'static str {
    purpose.as_str_name().trim_start_matches(PREFIX)
}

/// The name of a legal basis, as the enumeration `LegalBasis` of the schema has it.
pub(crate) fn legal_basis(basis: LegalBasis) -> &'static str {
    basis.as_str_name().trim_start_matches("LEGAL_BASIS_")
}

/// The names of all purposes.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    ALL.into_iter().map(name)
}

/// The purpose with a name.
pub(crate) fn of_name(text: &str) -> Option<Purpose> {
    ALL.into_iter().find(|purpose| name(*purpose) == text)
}

#[cfg(test)]
mod tests {
    use spil_proto::model::PERSONAL_ENUMS;

    use super::*;

    #[test]
    fn every_purpose_of_the_model_can_be_named() {
        let list = PERSONAL_ENUMS.iter().find(|list| list.name == "Purpose").expect("the purposes");
        let of_model: Vec<_> = list.values.iter().map(|value| value.name).collect();
        assert_eq!(names().collect::<Vec<_>>(), of_model);
        assert!(names().all(|text| of_name(text).map(name) == Some(text)));
        assert_eq!(of_name("UNSPECIFIED"), None);
    }
}
