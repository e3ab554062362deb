//! Values that are written and never read: of each only a token is kept, made with a secret, from which nobody gets back to the value
//! without that secret and a guess.

use std::{collections::HashMap, fmt};

use hmac::{Hmac, KeyInit, Mac};
use prost::Message;
use sha2::Sha256;
use spil_proto::{
    changefeed::v1::{ApplyRequest, Problem, ProblemCode, Record},
    model::{FieldInfo, Kind, Value},
};
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
    /// `None` if nothing is left of the text.
    pub(crate) value: Result<Option<Concealed<String>>, Problem>,
}

impl Secret {
    /// The secret that a command carries in a field; `None` if it carries none.
    pub(super) fn read(info: &'static FieldInfo, named: bool, value: &Value<'_>) -> Option<Self> {
        let value = match value {
            Value::Text(text) => normalise::text(info, text).map(|text| text.map(Concealed)),
            _ if !named => return None,
            _ => Ok(None),
        };
        Some(Self { info, named, value })
    }
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

/// The tokens that the records of a batch would have.
pub(crate) fn places(batch: &[&Prepared], set: &WorkingSet, salts: &HashMap<Uuid, Salt>) -> Vec<Place> {
    let mut places: Vec<Place> = batch
        .iter()
        .flat_map(|command| {
            command.secrets.iter().filter_map(|secret| {
                let scope = named_scope(command, secret.info, set)?;
                let Ok(Some(value)) = &secret.value else { return None };
                Some(Place { scope, token: salts.get(&scope)?.token(command.kind, secret.info, value) })
            })
        })
        .collect();
    places.sort_unstable();
    places.dedup();
    places
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

/// The tokens that a new record takes, and what is wrong with them.
pub(super) fn claims(command: &Prepared, after: &Record, set: &WorkingSet, problems: &mut Vec<Problem>) -> Vec<Place> {
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
        if set.token_owner(&place).is_some() {
            let message = format!("`{}` was given before", info.column);
            problems.push(problem(info.column, ProblemCode::Taken, message));
        }
        claims.push(place);
    }
    claims
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
    fn a_concealed_text_is_not_written_out() {
        let secret = Secret::read(field(), true, &Value::Text(" ada ".into())).expect("a secret");
        assert!(!format!("{secret:?} {:?}", Salt::new(b"ada".to_vec())).contains("ada"));
        assert!(matches!(&secret.value, Ok(Some(Concealed(text))) if text == "ada"));
    }
}
