//! How the graph that answers is doing.

use serde_json::{Map, Value, json};
use spil_proto::model::Kind;

use super::{Halt, Writer};
use crate::{
    graphql::{
        plan::{Item, What},
        scalar,
    },
    live::Published,
};

impl Writer<'_> {
    pub(super) fn snapshot(&mut self, items: &[Item<What>]) -> Result<(), Halt> {
        // The checksums go over every record.
        let whole_graph = self.whole.ok_or(Halt::Mismatch)?;
        let graph = &whole_graph.graph;
        let records: usize = Kind::ALL.iter().map(|kind| graph.table(*kind).len()).sum();
        let mut whole = Map::new();
        for item in items {
            let value = match &*item.what.name {
                "owners" => Value::Array(owners(whole_graph)),
                "danglingReferences" => Value::Array(
                    graph
                        .dangling()
                        .iter()
                        .map(|dangling| {
                            let info = dangling.kind.info();
                            let field = info.field(dangling.field).map_or("", |field| field.name);
                            json!({"kind": info.name, "field": field, "count": dangling.count})
                        })
                        .collect(),
                ),
                "digests" => {
                    tracing::debug!(records, "checksums asked for");
                    Value::Array(
                        Kind::ALL
                            .iter()
                            .map(|kind| {
                                let (count, checksum) = graph.digest(*kind);
                                json!({"kind": kind.info().name, "count": count, "checksum": format!("{checksum:032x}")})
                            })
                            .collect(),
                    )
                }
                _ => continue,
            };
            whole.insert(item.what.name.to_string(), value);
        }
        self.object(items, |this, item| this.plain(&item.what, &Value::Object(whole.clone())))
    }

    /// Writes a list of objects that are there as JSON.
    pub(in crate::graphql) fn plain_list(&mut self, items: &[Item<What>], entries: &[Value]) -> Result<(), Halt> {
        self.array(entries, |this, entry| this.object(items, |this, item| this.plain(&item.what, entry)))
    }

    /// Writes one field of an object that is there as JSON, and below it what is asked.
    pub(super) fn plain(&mut self, what: &What, object: &Value) -> Result<(), Halt> {
        if let Some(type_name) = what.name.strip_prefix("__typename ") {
            self.raw(&format!("\"{type_name}\""));
            return Ok(());
        }
        match object.get(&*what.name) {
            Some(Value::Array(entries)) if !what.items.is_empty() => self.plain_list(&what.items, entries),
            Some(inner @ Value::Object(_)) if !what.items.is_empty() => {
                self.object(&what.items, |this, item| this.plain(&item.what, inner))
            }
            Some(value) => {
                self.raw(&value.to_string());
                Ok(())
            }
            None => {
                self.raw("null");
                Ok(())
            }
        }
    }
}

fn owners(published: &Published) -> Vec<Value> {
    published
        .owners
        .iter()
        .map(|owner| {
            let status = owner.status.read();
            json!({
                "name": owner.owner.name(),
                "appliedRevision": owner.cursor.as_ref().map_or(0, |cursor| cursor.revision).to_string(),
                "headRevision": status.head_revision.to_string(),
                "heardAt": status.heard_at.map(scalar::date_time_text),
                "resyncs": status.resyncs,
            })
        })
        .collect()
}
