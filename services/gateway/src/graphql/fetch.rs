//! What an answer needs from the owners of data: found out by writing it once, asked for, and written then.

use std::{collections::HashMap, time::Duration};

use futures::future::{join_all, try_join_all};
use serde_json::{Value, json};
use spil_access::{Action, Scope};
use spil_proto::{
    changefeed::v1::{AuditEntry, AuditPlace, AuditRequest, AuditResponse, ReadLogResponse, Record},
    model::{self, Kind, Owner, field},
};
use tonic::Status;
use uuid::Uuid;

use super::{
    Engine,
    bind::{AuditAsked, Bound, LogPage, encode_places},
    error::{Code, GraphqlError},
    global_id,
    query::QueryRun,
    reads::{self, Reads},
    scalar, schema,
};
use crate::access::View;

/// The most calls that one answer needs.
pub(super) const MAX_NEEDS: usize = 100;
/// How long they may take together.
const PATIENCE: Duration = Duration::from_secs(10);

/// Something that an owner has to be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Need {
    /// The slot of the arguments.
    pub(super) slot: usize,
    /// The person it is about; none if it is about none.
    pub(super) person: Option<Uuid>,
}

/// What owners answered.
#[derive(Default)]
pub(super) struct Fetched {
    pub(super) values: HashMap<Need, Value>,
    /// What it tells of people.
    pub(super) reads: Reads,
}

impl Engine {
    /// Asks the owners for what an answer needs.
    ///
    /// # Errors
    /// If one can not be asked, or does not answer in time.
    pub(super) async fn fetch(&self, run: &QueryRun, needs: &[Need]) -> Result<Fetched, GraphqlError> {
        let Some(view) = &run.view else { return Ok(Fetched::default()) };
        let each = needs.iter().map(async |need| {
            let (value, reads) = match run.bound.get(need.slot) {
                Some(Bound::AccessLog(page)) => (self.access_log(need.person, page).await?, Reads::new()),
                Some(Bound::Audit(asked)) => self.audit(view, asked).await?,
                Some(Bound::SubjectExport(Some(person))) => self.subject_export(view, *person).await?,
                _ => (Value::Null, Reads::new()),
            };
            Ok::<_, GraphqlError>((*need, value, reads))
        });
        let late = |_| GraphqlError::new(Code::Unavailable, "an owner of data did not answer in time; try again");
        let done = tokio::time::timeout(PATIENCE, try_join_all(each)).await.map_err(late)??;
        let mut fetched = Fetched::default();
        for (need, value, reads) in done {
            fetched.values.insert(need, value);
            for (person, bits) in reads {
                *fetched.reads.entry(person).or_default() |= bits;
            }
        }
        Ok(fetched)
    }

    async fn access_log(&self, person: Option<Uuid>, page: &LogPage) -> Result<Value, GraphqlError> {
        let (Some(person), Some(log)) = (person, &self.read_log) else { return Ok(Value::Null) };
        let ReadLogResponse { reads, more } =
            log.of(person, page.first, page.after).await.map_err(|status| fault(&status))?;
        let text = |text: String| if text.is_empty() { Value::Null } else { text.into() };
        let cursor = |id: &[u8]| Uuid::from_slice(id).ok().map(|id| id.to_string());
        let (start, end) = (reads.first().map(|read| cursor(&read.id)), reads.last().map(|read| cursor(&read.id)));
        let nodes: Vec<Value> = reads
            .into_iter()
            .filter_map(|logged| {
                let read = logged.read?;
                Some(json!({
                    "at": scalar::date_time_text(logged.at),
                    "reader": read.reader,
                    "issuer": read.issuer,
                    "purpose": text(read.purpose),
                    "fields": read.fields,
                    "operation": text(read.operation),
                    "entry": read.entry,
                }))
            })
            .collect();
        Ok(json!({ "nodes": nodes, "pageInfo": page_info(more, page.after.is_some(), start.flatten(), end.flatten()) }))
    }

    /// What was changed, of all owners together, the newest first.
    async fn audit(&self, view: &View, asked: &AuditAsked) -> Result<(Value, Reads), GraphqlError> {
        let is_asked = |kind: &Kind| {
            let of_record = match asked.record {
                None => true,
                Some(record) => record.is_some_and(|(of, _)| of == *kind),
            };
            let rights = view.viewer().rights(Action::Audit, *kind);
            of_record
                && (asked.kinds.is_empty() || asked.kinds.contains(kind))
                && rights.iter().any(|right| right.scope == Scope::All)
        };
        let kinds: Vec<Kind> = Kind::ALL.iter().copied().filter(is_asked).collect();
        // With a token of its own: the owners hide from everybody else who people are.
        let no_token =
            || GraphqlError::new(Code::Unavailable, "the owners of the data can not be asked now; try again");
        let token = self.feed_token.as_ref().and_then(|token| token.feed_token().ok()).ok_or_else(no_token)?;
        let token = token.as_str();
        let calls = Owner::ALL.into_iter().enumerate().map(async |(at, owner)| {
            let before = asked.before.map(|places| places[at]);
            let kinds: Vec<u32> =
                kinds.iter().filter(|kind| kind.info().owner == owner).map(|kind| *kind as u32).collect();
            // An owner without a place has told everything.
            let client = self.clients.iter().find(|client| client.owner() == owner);
            let (Some(client), false) = (client, kinds.is_empty() || before == Some(None)) else {
                return Ok(AuditResponse::default());
            };
            let request = AuditRequest {
                kinds,
                record_id: asked.record.flatten().map(|(_, id)| id.as_bytes().to_vec()).unwrap_or_default(),
                actor: asked.actor.clone(),
                source: asked.source.clone(),
                since: asked.since,
                until: asked.until,
                first: asked.first,
                before: before.flatten(),
            };
            client.clone().audit(token, request).await
        });
        let mut answers = Vec::with_capacity(3);
        for answer in join_all(calls).await {
            answers.push(answer.map_err(|status: Status| fault(&status))?);
        }
        let page = merge(answers, asked);
        let mut reads = Reads::new();
        let own = view.worker();
        let nodes: Vec<Value> =
            page.entries.iter().filter_map(|(entry, cursor)| told(view, own, entry, cursor, &mut reads)).collect();
        let ends = [page.entries.first(), page.entries.last()].map(|entry| entry.map(|(_, cursor)| cursor.clone()));
        let [start, end] = ends;
        let value = json!({ "nodes": nodes, "pageInfo": page_info(page.more, asked.before.is_some(), start, end) });
        Ok((value, reads))
    }
}

fn page_info(next: bool, previous: bool, start: Option<String>, end: Option<String>) -> Value {
    json!({ "hasNextPage": next, "hasPreviousPage": previous, "startCursor": start, "endCursor": end })
}

/// A page of several logs.
struct Merged {
    entries: Vec<(AuditEntry, String)>,
    more: bool,
}

/// Puts the newest of several logs in one order: by time, then by owner, then as they stand in the log.
fn merge(answers: Vec<AuditResponse>, asked: &AuditAsked) -> Merged {
    let mut places = asked.before.map_or([Some(AuditPlace { revision: u64::MAX, ordinal: 0 }); 3], |places| places);
    let mut waiting: Vec<_> =
        answers.into_iter().map(|answer| (answer.entries.into_iter().peekable(), answer.more)).collect();
    let mut entries = Vec::new();
    let most = usize::try_from(asked.first).unwrap_or(usize::MAX);
    while entries.len() < most {
        // Of one that has more than it told, nothing is known beyond that: whatever is older waits for the next page.
        let is_blocked = waiting.iter_mut().any(|(rest, more)| *more && rest.peek().is_none());
        let newest = waiting.iter_mut().enumerate().filter_map(|(at, (rest, _))| Some((rest.peek()?.at, at)));
        let Some((_, at)) = newest.max_by_key(|(time, at)| (*time, std::cmp::Reverse(*at))).filter(|_| !is_blocked)
        else {
            break;
        };
        let Some(entry) = waiting.get_mut(at).and_then(|(rest, _)| rest.next()) else { break };
        if let Some(place) = places.get_mut(at) {
            *place = entry.place;
        }
        let cursor = encode_places(&places);
        entries.push((entry, cursor));
    }
    let more = waiting.iter_mut().any(|(rest, more)| *more || rest.peek().is_some());
    Merged { entries, more }
}

/// One entry as it is told to a viewer. What tells who somebody is is told to whom that is allowed, and noted.
fn told(view: &View, own: Option<Uuid>, entry: &AuditEntry, cursor: &str, reads: &mut Reads) -> Option<Value> {
    let after = entry.after.as_ref()?;
    let (kind, id) = (after.kind()?, after.id()?);
    let info = kind.info();
    let person = if info.person {
        Some(id)
    } else {
        info.subject.and_then(|subject| match after.entity()?.get(subject) {
            model::Value::Id(id) => Some(id),
            _ => None,
        })
    };
    let is_own = own.is_some() && own == person;
    let shows = |index: usize| {
        !info.identifies(index)
            || is_own
            || view
                .viewer()
                .rights(Action::Identify, kind)
                .iter()
                .any(|right| right.scope == Scope::All && right.fields.contains(index))
    };
    let mut fields = Vec::new();
    for found in entry.fields.iter().filter_map(|tag| info.field_by_tag(*tag)) {
        let is_shown = shows(found.index);
        let value = |record: Option<&Record>| match record.filter(|_| is_shown).and_then(Record::entity) {
            Some(entity) => json_of(found, &entity.get(found.index)),
            None => Value::Null,
        };
        let (before, now) = (value(entry.before.as_ref()), value(Some(after)));
        if is_shown
            && !is_own
            && let Some(person) = person
        {
            let bits = reads::single(kind, found.index);
            if bits != 0 {
                *reads.entry(person).or_default() |= bits;
            }
        }
        fields.push(json!({
            "name": schema::output_name(found),
            "before": before,
            "after": now,
            "isHidden": !is_shown,
        }));
    }
    let retired = |record: &Record| {
        record.entity().is_some_and(|entity| !matches!(entity.get(field::RETIRED_AT), model::Value::Null))
    };
    let action = match &entry.before {
        _ if retired(after) => "RETIRED",
        None => "CREATED",
        Some(_) => "UPDATED",
    };
    let text = |text: &str| if text.is_empty() { Value::Null } else { text.into() };
    Some(json!({
        "cursor": cursor,
        "at": scalar::date_time_text(entry.at),
        "actor": entry.actor,
        "source": entry.source,
        "run": text(&entry.run),
        "reason": text(&entry.reason),
        "origin": text(&entry.origin),
        "action": action,
        "kind": schema::kind_value(kind),
        "recordId": global_id::encode(kind, id),
        "fields": fields,
    }))
}

/// A value as JSON, as the schema has it; a reference as an id.
pub(crate) fn json_of(info: &'static model::FieldInfo, value: &model::Value<'_>) -> Value {
    let id = |id: &Uuid| match info.ty {
        model::FieldType::Ref(kind) | model::FieldType::RefList(kind) => global_id::encode(kind, *id),
        _ => id.to_string(),
    };
    match (value, info.ty) {
        (model::Value::Text(text), _) => json!(text),
        (model::Value::Texts(texts), _) => json!(texts),
        (model::Value::Bool(value), _) => json!(value),
        (model::Value::Int(number), _) => json!(number),
        (model::Value::Float(number), _) => json!(number),
        (model::Value::Decimal(number), _) => json!(number.to_string()),
        (model::Value::Date(days), _) => {
            let mut text = Vec::new();
            scalar::write_date(*days, &mut text);
            serde_json::from_slice(&text).unwrap_or_default()
        }
        (model::Value::DateTime(at), _) => json!(scalar::date_time_text(*at)),
        (model::Value::Enum(number), model::FieldType::Enum(list)) => json!(list.name_of(*number)),
        (model::Value::Enums(numbers), model::FieldType::EnumList(list)) => {
            json!(numbers.iter().filter_map(|number| list.name_of(*number)).collect::<Vec<_>>())
        }
        (model::Value::Id(found), _) => json!(id(found)),
        (model::Value::Ids(ids), _) => json!(ids.iter().map(id).collect::<Vec<_>>()),
        (model::Value::ExternalIds(ids), _) => {
            ids.iter().map(|external| json!({"system": external.system, "id": external.id})).collect()
        }
        (model::Value::Translations(items), _) => {
            items.iter().map(|item| json!({"language": item.language, "name": item.name})).collect()
        }
        _ => Value::Null,
    }
}

/// The fault that a status is to the client.
pub(super) fn fault(status: &Status) -> GraphqlError {
    match status.code() {
        tonic::Code::PermissionDenied => GraphqlError::new(Code::Forbidden, status.message()),
        tonic::Code::Unauthenticated => {
            GraphqlError::new(Code::Unauthenticated, "the owner of the data does not take the token")
        }
        code => {
            tracing::warn!(%code, message = status.message(), "an owner could not be asked");
            GraphqlError::new(Code::Unavailable, "an owner of data can not be asked now; try again")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(times: &[i64], more: bool) -> AuditResponse {
        let entry = |(at, place): (&i64, u64)| AuditEntry {
            at: *at,
            place: Some(AuditPlace { revision: 100 - place, ordinal: 0 }),
            ..AuditEntry::default()
        };
        AuditResponse { entries: times.iter().zip(0..).map(entry).collect(), more }
    }

    fn times(merged: &Merged) -> Vec<i64> {
        merged.entries.iter().map(|(entry, _)| entry.at).collect()
    }

    #[test]
    fn logs_are_told_as_one_the_newest_first() {
        let asked = AuditAsked { first: 4, ..AuditAsked::default() };
        let merged = merge(vec![log(&[9, 5, 1], false), log(&[8, 5], false), log(&[], false)], &asked);
        assert_eq!((times(&merged), merged.more), (vec![9, 8, 5, 5], true));
        let merged = merge(vec![log(&[9], false), log(&[8], false), log(&[], false)], &asked);
        assert_eq!((times(&merged), merged.more), (vec![9, 8], false));
    }

    #[test]
    fn nothing_is_told_before_what_may_be_newer() {
        let asked = AuditAsked { first: 4, ..AuditAsked::default() };
        let merged = merge(vec![log(&[9, 7], true), log(&[1], false), log(&[], false)], &asked);
        assert_eq!((times(&merged), merged.more), (vec![9, 7], true), "the first has more, perhaps of later than 1");
    }
}
