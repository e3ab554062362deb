//! Erases a person, and says where else the name stands.

use std::sync::Arc;

use serde_json::{Value as Json, json};
use spil_graph::Graph;
use spil_proto::{
    changefeed::v1::EraseRequest,
    model::{FieldType, Kind, Value, field},
    owner::OwnerClient,
};
use tonic::Code as GrpcCode;
use uuid::Uuid;

use super::{
    READ_YOUR_WRITES, UserError, command,
    send::{self, fault},
};
use crate::{
    graphql::{
        bind::Write,
        error::{Code, GraphqlError},
        execute::{Halt, Writer},
        global_id,
        plan::{EraseField, Item},
        scalar,
    },
    live::{Live, Published},
};

/// The most mentions that are told.
const MAX_MENTIONS: usize = 100;
/// How many characters a name must have to be looked for: shorter ones stand everywhere.
const MIN_NAME: usize = 4;

/// What came of an erasure.
pub(in crate::graphql) struct Erased {
    pub(in crate::graphql) published: Arc<Published>,
    at: Option<i64>,
    mentions: Vec<Json>,
    has_more: bool,
    errors: Vec<UserError>,
}

/// Asks the owner to erase a person, and waits for the graph to show it.
///
/// # Errors
/// If the owner can not be reached, or the caller may not.
pub(in crate::graphql) async fn run(
    live: &Live,
    client: &mut OwnerClient,
    token: &str,
    kind: Kind,
    write: &Write,
) -> Result<Erased, GraphqlError> {
    let root = ["input".to_owned()];
    let mut done =
        Erased { published: live.load(), at: None, mentions: Vec::new(), has_more: false, errors: Vec::new() };
    done.errors = command::faults(&write.faults, &root);
    let at = |name: &str| command::within(&root, name);
    if write.reason.is_empty() && done.errors.is_empty() {
        let message = "a `reason` is needed".to_owned();
        done.errors.push(UserError::Input { code: "REQUIRED", message, path: at("reason") });
    }
    let Some(id) = write.id.filter(|_| done.errors.is_empty()) else { return Ok(done) };
    // Before the names are gone. Over all texts that there are: not on a thread that others wait for.
    let shown = Arc::clone(&done.published);
    let searched = tokio::task::spawn_blocking(move || mentions(&shown.graph, kind, id)).await;
    let (mentions, has_more) =
        searched.map_err(|_| GraphqlError::new(Code::Internal, "the mentions could not be looked for"))?;
    let request = EraseRequest { kind: kind as u32, id: id.as_bytes().to_vec(), reason: write.reason.clone() };
    match send::erase(client, token, request).await {
        Ok(answer) => {
            (done.at, done.mentions, done.has_more) = (Some(answer.erased_at), mentions, has_more);
            let cursor = answer.cursor.unwrap_or_default();
            let covers = |published: &Published| published.covers(client.owner(), &cursor);
            done.published = live.wait_for(READ_YOUR_WRITES, covers).await.unwrap_or_else(|| live.load());
        }
        Err(status) if status.code() == GrpcCode::NotFound => {
            let message = "there is no such person".to_owned();
            done.errors.push(UserError::Input { code: "NOT_FOUND", message, path: at("id") });
        }
        Err(status) => return Err(fault(&status)),
    }
    Ok(done)
}

/// The fields of other records that hold a name of a person, and whether there are more than are told.
fn mentions(graph: &Graph, kind: Kind, id: Uuid) -> (Vec<Json>, bool) {
    let Some(row) = graph.table(kind).row_of(id) else { return (Vec::new(), false) };
    let telling = kind.info().fields().filter(|info| kind.info().identifies(info.index));
    // A description or a label names nobody by itself.
    let naming = telling.filter(|info| !matches!(info.index, field::DESCRIPTION | field::TAGS));
    let mut names: Vec<String> = Vec::new();
    for info in naming {
        each_text(&graph.value(kind, row, info.index), |text| {
            let name = text.trim().to_lowercase();
            if name.chars().count() >= MIN_NAME && !names.contains(&name) {
                names.push(name);
            }
        });
    }
    let mut found = Vec::new();
    if names.is_empty() {
        return (found, false);
    }
    for other in Kind::ALL {
        let info = other.info();
        let texts: Vec<_> = info.fields().filter(|info| holds_text(info.ty)).collect();
        for row in graph.table(*other).rows().iter() {
            let Value::Id(record) = graph.value(*other, row, field::ID) else { continue };
            let is_own = (*other, record) == (kind, id)
                || info.subject.is_some_and(|subject| graph.value(*other, row, subject) == Value::Id(id));
            for text in &texts {
                // That goes with the person.
                if is_own && info.identifies(text.index) {
                    continue;
                }
                let mut holds = false;
                each_text(&graph.value(*other, row, text.index), |text| {
                    let text = text.to_lowercase();
                    holds |= names.iter().any(|name| text.contains(name.as_str()));
                });
                if !holds {
                    continue;
                }
                if found.len() == MAX_MENTIONS {
                    return (found, true);
                }
                found.push(json!({"id": global_id::encode(*other, record), "kind": info.name, "field": text.name}));
            }
        }
    }
    (found, false)
}

fn holds_text(ty: FieldType) -> bool {
    matches!(ty, FieldType::Text | FieldType::TextList | FieldType::ExternalIds | FieldType::Translations)
}

fn each_text(value: &Value<'_>, mut take: impl FnMut(&str)) {
    match value {
        Value::Text(text) => take(text),
        Value::Texts(texts) => texts.iter().for_each(|text| take(text)),
        Value::ExternalIds(ids) => ids.iter().for_each(|external| take(&external.id)),
        Value::Translations(names) => names.iter().for_each(|name| take(&name.name)),
        _ => {}
    }
}

impl Writer<'_> {
    /// Writes the payload of an erasure.
    pub(in crate::graphql) fn erasure(
        &mut self,
        items: &[Item<EraseField>],
        write: &Write,
        done: &Erased,
    ) -> Result<(), Halt> {
        self.object(items, |this, item| {
            match &item.what {
                EraseField::TypeName(kind) => this.raw(&format!("\"Erase{}Payload\"", kind.info().name)),
                EraseField::ClientMutationId => this.text_or_null(write.client_mutation_id.as_deref())?,
                EraseField::ErasedAt => this.text_or_null(done.at.map(scalar::date_time_text).as_deref())?,
                EraseField::Mentions(items) => this.plain_list(items, &done.mentions)?,
                EraseField::HasMoreMentions => this.truth(done.has_more),
                EraseField::UserErrors { input, conflict } => {
                    this.array(&done.errors, |this, error| this.user_error(input, conflict, error))?
                }
            }
            Ok(())
        })
    }
}
