//! Values that are written and never read: of each only a token is kept, made with a secret, from which nobody gets back to the value
//! without that secret and a guess.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use prost::Message;
use sha2::Sha256;
use spil_proto::{
    changefeed::v1::{ApplyRequest, ItemResult, Outcome, Problem, ProblemCode, Record},
    model::{FieldInfo, Kind, Value},
};
use unicode_normalization::UnicodeNormalization;
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_128;

use super::{normalise, prepare::Prepared, working_set::WorkingSet};
use crate::rule::problem;

/// How many bytes a secret has.
pub(crate) const SALT_BYTES: usize = 32;

/// A text that must not come out by accident: not in a log, not in a message.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Concealed<T>(T);

impl<T> fmt::Debug for Concealed<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("concealed")
    }
}

/// A value for a field that is only written.
#[derive(Debug)]
pub(crate) struct Secret {
    pub(crate) info: &'static FieldInfo,
    /// Whether the command names the field.
    pub(crate) named: bool,
    /// Folded, see [`fold`]; `None` if nothing is left of the text.
    pub(crate) value: Result<Option<Concealed<String>>, Problem>,
}

impl Secret {
    /// The secret that a command carries in a field; `None` if it carries none.
    pub(super) fn read(info: &'static FieldInfo, named: bool, value: &Value<'_>) -> Option<Self> {
        let value = match value {
            Value::Text(text) => normalise::text(info, text).map(|text| {
                let folded = text.as_deref().map(fold);
                folded.filter(|text| !text.is_empty()).map(Concealed)
            }),
            _ if !named => return None,
            _ => Ok(None),
        };
        Some(Self { info, named, value })
    }
}

/// A form in which what reads alike is alike: compatible letters and both cases are one, and what nobody sees is dropped.
/// Nobody counts twice by writing a name in another way.
fn fold(text: &str) -> String {
    // Through capitals, since some small letters have the same one.
    let seen = text.nfkc().filter(|letter| !is_ignorable(*letter));
    let small: String = seen.flat_map(char::to_uppercase).flat_map(char::to_lowercase).nfkc().collect();
    small.trim().to_owned()
}

/// Whether a character shows nothing of itself (`Default_Ignorable_Code_Point`): soft hyphens, joiners, marks of direction and the like.
fn is_ignorable(letter: char) -> bool {
    matches!(letter,
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}' | '\u{180B}'..='\u{180F}'
        | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}'
        | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFF8}' | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}'
        | '\u{E0000}'..='\u{E0FFF}')
}

/// The secret of a record, with which tokens are made. It never leaves the database and this process.
#[derive(Clone, Debug)]
pub(crate) struct Salt(Concealed<Vec<u8>>);

/// What is kept of a value. Equal values under one salt have equal tokens.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Token(pub(crate) Vec<u8>);

/// A token and where it counts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Place {
    /// The record with whose salt the token was made.
    pub(crate) scope: Uuid,
    pub(crate) token: Token,
}

/// Which new record of a batch takes a token, and with which field.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim {
    pub(crate) record: Uuid,
    pub(crate) column: &'static str,
}

impl Claim {
    fn taken(self) -> Problem {
        problem(self.column, ProblemCode::Taken, format!("`{}` was given before", self.column))
    }
}

impl Salt {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self(Concealed(bytes))
    }

    /// The token of a value of a field.
    fn token(&self, kind: Kind, info: &FieldInfo, value: &Concealed<String>) -> Token {
        Token(self.hash(&[kind.info().table.as_bytes(), info.column.as_bytes(), value.0.as_bytes()]))
    }

    /// HMAC-SHA-256 over some parts, each with its length before it.
    fn hash(&self, parts: &[&[u8]]) -> Vec<u8> {
        // A key of any length is one for HMAC; without it there would be no secret.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0.0) else { return Vec::new() };
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().to_vec()
    }
}

/// What identifies the content of a request, without the values that are only written, and these apart.
pub(crate) fn fingerprint(request: &ApplyRequest) -> ([u8; 16], Option<Concealed<Vec<u8>>>) {
    let hash = |request: &ApplyRequest| xxh3_128(&request.encode_to_vec()).to_be_bytes();
    let one_way = |record: &Record| record.kind().map_or(&[][..], |kind| kind.info().one_way);
    if request.commands.iter().filter_map(|command| command.values.as_ref()).all(|record| one_way(record).is_empty()) {
        return (hash(request), None);
    }
    let mut rest = request.clone();
    let mut apart = Vec::new();
    for (number, command) in rest.commands.iter_mut().enumerate() {
        let Some(record) = &mut command.values else { continue };
        for info in one_way(record) {
            let Some(entity) = record.entity_mut() else { continue };
            if let Value::Text(text) = entity.get(info.index) {
                for part in [&(number as u64).to_be_bytes()[..], info.column.as_bytes(), text.as_bytes()] {
                    apart.extend((part.len() as u64).to_be_bytes());
                    apart.extend(part);
                }
            }
            // To clear a text never fails.
            let _ = entity.set(info.index, Value::Null);
        }
    }
    (hash(&rest), Some(Concealed(apart)))
}

/// The hash of a request that holds values which are only written: with a salt, so that they can not be guessed from it.
pub(crate) fn salted(salt: &Salt, body_hash: [u8; 16], apart: &Concealed<Vec<u8>>) -> [u8; 16] {
    let mut short = [0; 16];
    for (byte, hashed) in short.iter_mut().zip(salt.hash(&[&body_hash, &apart.0])) {
        *byte = hashed;
    }
    short
}

/// The records whose salts a batch needs.
pub(crate) fn scopes(batch: &[&Prepared], set: &WorkingSet) -> Vec<Uuid> {
    let mut scopes: Vec<Uuid> = batch
        .iter()
        .flat_map(|command| command.secrets.iter().filter_map(|secret| named_scope(command, secret.info, set)))
        .collect();
    scopes.sort_unstable();
    scopes.dedup();
    scopes
}

/// The record that a command says the value counts within.
fn named_scope(command: &Prepared, info: &FieldInfo, set: &WorkingSet) -> Option<Uuid> {
    let scope = info.one_way?;
    let given = command.sound_values().find(|(info, _)| info.index == scope);
    if let Some((_, Value::Id(id))) = given {
        return Some(*id);
    }
    let lookup = command.lookups.iter().find(|lookup| lookup.info.index == scope)?;
    set.resolve(lookup.kind, lookup.names.first()?)
}

/// The tokens that a new record takes, and what is wrong with them. They are only held against those of the same batch.
pub(super) fn claims(
    command: &Prepared,
    record: Uuid,
    after: &Record,
    set: &WorkingSet,
    problems: &mut Vec<Problem>,
) -> Vec<(Place, Claim)> {
    let mut claims = Vec::new();
    for info in command.kind.info().one_way {
        let secret = command.secrets.iter().find(|secret| secret.info.index == info.index);
        let value = match secret.map(|secret| &secret.value) {
            Some(Ok(Some(value))) => value,
            Some(Err(problem)) => {
                problems.push(problem.clone());
                continue;
            }
            _ if info.required => {
                problems.push(problem(info.column, ProblemCode::Required, format!("`{}` is required", info.column)));
                continue;
            }
            _ => continue,
        };
        // Without a record to count it within the command is faulty anyway, and says so of that field.
        let scope = info.one_way.and_then(|scope| match after.entity()?.get(scope) {
            Value::Id(id) => Some(id),
            _ => None,
        });
        let Some((scope, salt)) = scope.and_then(|scope| Some((scope, set.salt(scope)?))) else { continue };
        let place = Place { scope, token: salt.token(command.kind, info, value) };
        let claim = Claim { record, column: info.column };
        if set.claim(&place).is_some() {
            problems.push(claim.taken());
        }
        claims.push((place, claim));
    }
    claims
}

/// Refuses the new records whose tokens were taken before the batch.
pub(crate) fn refuse(taken: &[Place], set: &WorkingSet, items: &mut [ItemResult]) {
    for claim in taken.iter().filter_map(|place| set.claim(place)) {
        let made = |item: &&mut ItemResult| item.outcome() == Outcome::Created && item.id == claim.record.as_bytes();
        for item in items.iter_mut().filter(made) {
            *item =
                ItemResult { outcome: Outcome::Invalid.into(), problems: vec![claim.taken()], ..ItemResult::default() };
        }
    }
}

/// What is wrong with values for a record that is there. They are not held against those given first: whoever could do that
/// could find out whose record it is.
pub(super) fn late(command: &Prepared) -> impl Iterator<Item = Problem> {
    command.secrets.iter().filter(|secret| secret.named).map(|secret| {
        let column = secret.info.column;
        problem(column, ProblemCode::Immutable, format!("`{column}` can only be given to a new record"))
    })
}

#[cfg(test)]
mod tests {
    use spil_proto::{changefeed::v1::Command, initiative::v1::PulseResponse, model::Entity};

    use super::*;

    fn field() -> &'static FieldInfo {
        &Kind::PulseResponse.info().one_way[0]
    }

    fn request(respondent: &str, score: i32) -> ApplyRequest {
        let mut response = PulseResponse { score: Some(score), ..PulseResponse::default() };
        response.set(field().index, Value::Text(respondent.into())).expect("a text");
        let values = Some(Record { entity: Some(spil_proto::changefeed::v1::record::Entity::PulseResponse(response)) });
        ApplyRequest { commands: vec![Command { values, ..Command::default() }], ..ApplyRequest::default() }
    }

    #[test]
    fn a_token_depends_on_value_and_salt_alone() {
        let (salt, other) = (Salt::new(vec![1; SALT_BYTES]), Salt::new(vec![2; SALT_BYTES]));
        let token = |salt: &Salt, value: &str| salt.token(Kind::PulseResponse, field(), &Concealed(value.to_owned()));
        assert_eq!(token(&salt, "ada"), token(&salt, "ada"));
        assert_ne!(token(&salt, "ada"), token(&salt, "ben"));
        assert_ne!(token(&salt, "ada"), token(&other, "ada"));
        assert_eq!(token(&salt, "ada").0.len(), 32);
    }

    #[test]
    fn hmac_is_the_one_of_the_standard() {
        // RFC 4231, test case 2, with the length that stands before each part.
        let mut mac = Hmac::<Sha256>::new_from_slice(b"Jefe").expect("a key");
        mac.update(&28_u64.to_be_bytes());
        mac.update(b"what do ya want for nothing?");
        assert_eq!(
            Salt::new(b"Jefe".to_vec()).hash(&[b"what do ya want for nothing?"]),
            mac.finalize().into_bytes().to_vec()
        );
    }

    #[test]
    fn the_hash_of_a_request_gives_no_value_away() {
        let (plain, apart) = fingerprint(&request("ada", 3));
        let (same, other) = fingerprint(&request("ben", 3));
        assert_eq!(plain, same, "the value is not part of the plain hash");
        let (apart, other) = (apart.expect("a value"), other.expect("a value"));
        assert!(apart != other);
        assert_ne!(fingerprint(&request("ada", 4)).0, plain);
        let salt = Salt::new(vec![3; SALT_BYTES]);
        assert_ne!(salted(&salt, plain, &apart), salted(&salt, plain, &other));
        assert_eq!(salted(&salt, plain, &apart), salted(&salt, plain, &apart));
        assert_ne!(salted(&Salt::new(vec![4; SALT_BYTES]), plain, &apart), salted(&salt, plain, &apart));
    }

    #[test]
    fn what_reads_alike_is_alike() {
        for (one, same) in [
            ("EMP-7", "emp-7"),
            ("EMP-7", "\u{FEFF}E\u{200B}M\u{AD}P\u{200D}-7\u{200E}"),
            ("EMP-7", "\u{FF25}\u{FF2D}\u{FF30}-\u{FF17}\u{A0}"),
            ("Stra\u{DF}e", "STRASSE"),
            ("\u{3A3}\u{3AF}\u{3C3}\u{3C5}\u{3C6}\u{3BF}\u{3C2}", "\u{3A3}\u{38A}\u{3A3}\u{3A5}\u{3A6}\u{39F}\u{3A3}"),
            ("e\u{200C}\u{301}", "\u{C9}"),
        ] {
            assert_eq!(fold(one), fold(same), "{one} {same}");
        }
        assert_ne!(fold("EMP-7"), fold("EMP-8"));
        assert_eq!(fold("\u{200B} \u{2060}"), "");
    }

    #[test]
    fn a_concealed_text_is_not_written_out() {
        let secret = Secret::read(field(), true, &Value::Text(" ada ".into())).expect("a secret");
        assert!(!format!("{secret:?} {:?}", Salt::new(b"ada".to_vec())).contains("ada"));
        assert!(matches!(&secret.value, Ok(Some(Concealed(text))) if text == "ada"));
    }
}
