//! The purposes that a request can name, and the legal bases, as clients write them.

use std::{
    collections::HashSet,
    hash::{BuildHasher, RandomState},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use spil_auth::Caller;
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

/// The same caller, purpose and operation within this time are one line of the log.
const WINDOW: Duration = Duration::from_secs(60);
/// How many lines are remembered at most; beyond that some are written twice.
const REMEMBERED: usize = 1 << 16;

/// Writes down who names a purpose, without writing the same again and again.
pub(super) struct Noted {
    /// Makes numbers of lines that nobody else can foresee.
    hash: RandomState,
    written: Mutex<Written>,
}

struct Written {
    since: Instant,
    lines: HashSet<u64>,
}

impl Default for Noted {
    fn default() -> Self {
        let written = Written { since: Instant::now(), lines: HashSet::new() };
        Self { hash: RandomState::new(), written: Mutex::new(written) }
    }
}

impl Noted {
    /// Writes down that somebody names a purpose. The operation is one that the document has, so its name is no value.
    pub(super) fn note(&self, caller: &Caller, purpose: Option<Purpose>, operation: Option<&str>) {
        let Some(purpose) = purpose else { return };
        let operation = operation.unwrap_or_default();
        if self.is_new(Instant::now(), (caller.issuer(), caller.subject(), name(purpose), operation)) {
            let subject = caller.subject();
            tracing::info!(subject, purpose = name(purpose), operation, "a request names a purpose");
        }
    }

    fn is_new(&self, now: Instant, line: (&str, &str, &str, &str)) -> bool {
        let line = self.hash.hash_one(line);
        // What is remembered is whole after every step, so a panic elsewhere leaves nothing to fear.
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_duration_since(written.since) >= WINDOW || written.lines.len() >= REMEMBERED {
            written.lines.clear();
            written.since = now;
        }
        written.lines.insert(line)
    }
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

    #[test]
    fn the_same_line_is_written_once_a_minute() {
        let (noted, start) = (Noted::default(), Instant::now());
        let line = |operation| ("issuer", "somebody", "SKILL_DEVELOPMENT", operation);
        assert!(noted.is_new(start, line("A")) && !noted.is_new(start, line("A")) && noted.is_new(start, line("B")));
        assert!(noted.is_new(start, ("issuer", "somebody", "CHANGE_PLANNING", "A")));
        let later = start + WINDOW + Duration::from_secs(1);
        assert!(noted.is_new(later, line("A")) && !noted.is_new(later, line("A")));
    }

    #[test]
    fn what_is_remembered_of_lines_is_bounded() {
        let (noted, now) = (Noted::default(), Instant::now());
        for number in 0..=REMEMBERED {
            noted.is_new(now, ("issuer", "somebody", "SKILL_DEVELOPMENT", &number.to_string()));
        }
        assert!(noted.written.lock().expect("whole").lines.len() <= REMEMBERED);
    }
}
