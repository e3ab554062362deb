//! Erases people from all owners: first every owner takes out what it says of a person, then the owner of the person forgets who that is.
//!
//! Nothing is kept here of how far it came. Until the last step the owner of the person knows all names, and each step changes nothing the second
//! time: whoever finds it stopped half way says it again.

use std::{fmt, time::Duration};

use spil_proto::{
    changefeed::v1::{Cursor, EraseRequest, RedactRequest},
    model::{Kind, Owner},
    owner::OwnerClient,
};
use tonic::{Code, Status};
use uuid::Uuid;

/// How often an owner is asked that can not be reached, and the pause before the second time; it doubles.
const ATTEMPTS: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// How long one call may take: the whole log of the owner is read.
const CALL_LIMIT: Duration = Duration::from_secs(600);

/// Who is to be erased, and what is kept of why.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The person.
    pub person: (Kind, Uuid),
    /// Why, 1 to 1,024 bytes.
    pub reason: &'a str,
    /// Which way the request came in, at most 256 bytes; empty if it goes to the owners at first.
    pub origin: &'a str,
}

/// What came of an erasure.
#[derive(Debug)]
pub struct Erasure {
    /// When the person was erased, by this or before: microseconds since 1970-01-01T00:00:00Z.
    pub erased_at: i64,
    /// How many records of the person were written; none if it was done before.
    pub records: u32,
    /// How many other records were written.
    pub redacted: u32,
    /// Fields that may name the person and were left as they are: kind, record, name of the field in GraphQL.
    pub mentions: Vec<(Kind, Uuid, &'static str)>,
    /// Whether there are more.
    pub more_mentions: bool,
    /// Where the logs of the owners stand after it.
    pub(crate) cursors: Vec<(Owner, Cursor)>,
}

/// What an owner was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// To say whose data were kept as long as they may be.
    Due,
    /// To take what tells who the person is out of its records.
    Redact,
    /// To forget who the person is.
    Erase,
}

/// Why somebody was not erased, or not wholly.
#[derive(Debug)]
pub struct ErasureError {
    /// Which owner did not do it.
    pub owner: Owner,
    /// What it did not do.
    pub step: Step,
    /// Which owners have done their part.
    pub done: Vec<Owner>,
    /// What it answers.
    pub status: Box<Status>,
}

impl fmt::Display for ErasureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the {} owner answers {}: {}", self.owner.name(), self.status.code(), self.status.message())?;
        if self.is_half_done() {
            let done: Vec<_> = self.done.iter().map(|owner| owner.name()).collect();
            write!(f, "; done by {} and not yet by all: repeat it, what was done is not done twice", done.join(", "))?;
        }
        Ok(())
    }
}

impl std::error::Error for ErasureError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.status)
    }
}

impl ErasureError {
    /// Whether some owners have done their part and others have not.
    pub fn is_half_done(&self) -> bool {
        !self.done.is_empty()
    }
}

/// Erases a person from all owners, in the name of the token's subject. The second time it changes nothing.
///
/// # Errors
/// If an owner does not do its part; with `NOT_FOUND` if there is no such person. Then it is to be repeated.
pub async fn erase(clients: &[OwnerClient], token: &str, request: Request<'_>) -> Result<Erasure, ErasureError> {
    let Request { person: (kind, id), reason, origin } = request;
    let home = kind.info().owner;
    let mut erasure = Erasure {
        erased_at: 0,
        records: 0,
        redacted: 0,
        mentions: Vec::new(),
        more_mentions: false,
        cursors: Vec::new(),
    };
    let mut done = Vec::new();
    // The owner of the person comes last: it knows what the others look for.
    let mut owners: Vec<&OwnerClient> = clients.iter().collect();
    owners.sort_by_key(|client| client.owner() == home);
    for client in &owners {
        let call = RedactRequest {
            kind: kind as u32,
            id: id.as_bytes().to_vec(),
            reason: reason.to_owned(),
            origin: origin.to_owned(),
        };
        let answer = insistently(|| {
            let (mut client, call) = ((*client).clone(), call.clone());
            async move { client.redact(token, call).await }
        });
        let answer = answer.await.map_err(failed(client.owner(), Step::Redact, &done))?;
        erasure.redacted = erasure.redacted.saturating_add(answer.records);
        erasure.more_mentions |= answer.more_mentions;
        erasure.mentions.extend(answer.mentions.iter().filter_map(|mention| {
            let kind = Kind::from_number(mention.kind)?;
            let field = kind.info().field_by_column(&mention.field)?;
            Some((kind, Uuid::from_slice(&mention.id).ok()?, field.name))
        }));
        erasure.cursors.extend(answer.cursor.map(|cursor| (client.owner(), cursor)));
        done.push(client.owner());
    }
    let missing = || Status::internal("there is no client of this owner");
    let client = owners.last().filter(|client| client.owner() == home);
    let client = client.ok_or_else(missing).map_err(failed(home, Step::Erase, &done))?;
    let call = EraseRequest {
        kind: kind as u32,
        id: id.as_bytes().to_vec(),
        reason: reason.to_owned(),
        origin: origin.to_owned(),
    };
    let answer = insistently(|| {
        let (mut client, call) = ((*client).clone(), call.clone());
        async move { client.erase(token, call).await }
    });
    let answer = answer.await.map_err(failed(home, Step::Erase, &done))?;
    erasure.cursors.extend(answer.cursor.map(|cursor| (home, cursor)));
    (erasure.erased_at, erasure.records) = (answer.erased_at, answer.records);
    Ok(erasure)
}

/// Asks the owners of people whose data were kept as long as they may be; at most 1,000 of each kind.
///
/// # Errors
/// If an owner does not say it.
pub async fn due(clients: &[OwnerClient], token: &str) -> Result<Vec<(Kind, Uuid)>, ErasureError> {
    let has_people = |owner: Owner| owner.kinds().any(|kind| kind.info().person);
    let mut people = Vec::new();
    for client in clients.iter().filter(|client| has_people(client.owner())) {
        let answer = insistently(|| {
            let mut client = client.clone();
            async move { client.due(token).await }
        });
        let answer = answer.await.map_err(failed(client.owner(), Step::Due, &[]))?;
        let read = |kind, id: &[u8]| Some((Kind::from_number(kind)?, Uuid::from_slice(id).ok()?));
        people.extend(answer.people.iter().filter_map(|person| read(person.kind, &person.id)));
    }
    Ok(people)
}

fn failed(owner: Owner, step: Step, done: &[Owner]) -> impl FnOnce(Status) -> ErasureError + use<> {
    let done = done.to_vec();
    move |status| ErasureError { owner, step, done, status: Box::new(status) }
}

/// Makes a call that does no harm when it is made twice, a few times while the owner can not be reached or others are in its way.
async fn insistently<T, F>(call: impl Fn() -> F) -> Result<T, Status>
where
    F: Future<Output = Result<T, Status>>,
{
    let mut pause = FIRST_PAUSE;
    let mut attempt = 1;
    loop {
        let status = match tokio::time::timeout(CALL_LIMIT, call()).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(status)) => status,
            Err(_) => Status::deadline_exceeded("the owner did not answer in time"),
        };
        let is_passing = matches!(status.code(), Code::Unavailable | Code::Unknown | Code::Cancelled | Code::Aborted);
        if !is_passing || attempt == ATTEMPTS {
            return Err(status);
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
        attempt += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_who_has_done_what() {
        let error = |done: &[Owner]| failed(Owner::Initiative, Step::Redact, done)(Status::unavailable("gone"));
        assert_eq!(error(&[]).to_string(), "the initiative owner answers The service is currently unavailable: gone");
        let half = error(&[Owner::Capability]);
        assert!(
            half.is_half_done()
                && half
                    .to_string()
                    .ends_with("; done by capability and not yet by all: repeat it, what was done is not done twice")
        );
    }
}
