//! Finds texts in records that may name a person, for people to look at.

use sea_orm::{
    ConnectionTrait,
    sea_query::{Expr, ExprTrait, Order},
};
use spil_proto::{
    changefeed::v1::Record,
    model::{Kind, Value},
};
use uuid::Uuid;

use super::{Store, StoreError, row};
use crate::redact::Texts;

/// How many rows are read at once.
const PAGE: u64 = 500;

impl Store {
    /// The fields of live records, but for those that are a person or about it, which hold one of some texts as words; at most so many, and whether
    /// there are more.
    pub(crate) async fn mentions(
        &self,
        (person_kind, person): (Kind, Uuid),
        texts: &[String],
        most: usize,
    ) -> Result<(Vec<(Kind, Uuid, &'static str)>, bool), StoreError> {
        let mut found = Vec::new();
        let texts = Texts::new(texts.iter().map(String::as_str));
        if texts.is_empty() {
            return Ok((found, false));
        }
        let db = &self.inner.reader;
        for kind in self.inner.owner.kinds() {
            let mut after = None;
            loop {
                let mut select = row::select(kind);
                select.and_where(Expr::col("retired_at").is_null()).order_by("id", Order::Asc).limit(PAGE);
                if let Some(after) = after {
                    select.and_where(Expr::col("id").gt(after));
                }
                let rows = db.query_all(&select).await?;
                for (record, _) in self.read_rows(db, kind, &rows).await? {
                    let Some(id) = record.id() else { continue };
                    after = Some(id);
                    if (kind, id) == (person_kind, person) || is_about(&record, person) {
                        continue;
                    }
                    for field in fields_with(&record, &texts) {
                        if found.len() == most {
                            return Ok((found, true));
                        }
                        found.push((kind, id, field));
                    }
                }
                if (rows.len() as u64) < PAGE {
                    break;
                }
            }
        }
        Ok((found, false))
    }
}

/// Whether a record is about a person.
fn is_about(record: &Record, person: Uuid) -> bool {
    let Some(entity) = record.entity() else { return false };
    entity.kind().info().subject.is_some_and(|subject| entity.get(subject) == Value::Id(person))
}

/// The fields of a record, by their names in the proto file, that hold one of the texts.
fn fields_with(record: &Record, texts: &Texts) -> Vec<&'static str> {
    let Some(entity) = record.entity() else { return Vec::new() };
    let holds = |value: &Value<'_>| match value {
        Value::Text(text) => texts.occur(text),
        Value::Texts(list) => list.iter().any(|text| texts.occur(text)),
        Value::ExternalIds(ids) => ids.iter().any(|external| texts.occur(&external.id)),
        Value::Translations(names) => names.iter().any(|name| texts.occur(&name.name)),
        _ => false,
    };
    let fields = entity.kind().info().fields();
    fields.filter(|info| holds(&entity.get(info.index))).map(|info| info.column).collect()
}
