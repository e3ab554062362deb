//! How often each value of a field occurs in a list.

use spil_graph::{Facet, Row};
use spil_proto::model::{FieldInfo, FieldType, Kind, Value};

use super::{Halt, Writer, string};
use crate::graphql::{
    bind::Bound,
    global_id,
    plan::{FacetField, Item, Place},
};

impl Writer<'_> {
    /// Writes the facets of a list.
    pub(super) fn facets(
        &mut self,
        slot: usize,
        items: &[Item<FacetField>],
        kind: Kind,
        all: &[Row],
    ) -> Result<(), Halt> {
        let Bound::Facets(bound) = self.bound(slot)? else { return Err(Halt::Mismatch) };
        let facets = self.graph.facets(kind, all, bound.field.index, bound.first, &mut self.budget)?;
        self.array(&facets, |this, facet| this.facet(items, bound.field, facet))
    }

    fn facet(&mut self, items: &[Item<FacetField>], field: &FieldInfo, facet: &Facet<'_>) -> Result<(), Halt> {
        self.object(items, |this, item| {
            match &item.what {
                FacetField::TypeName => this.raw("\"Facet\""),
                FacetField::Count => this.raw(&facet.count.to_string()),
                FacetField::Value => this.facet_value(field, &facet.value)?,
                FacetField::Record(by_kind) => {
                    let place = match field.ty {
                        FieldType::Ref(kind) | FieldType::RefList(kind) => facet.target.map(|row| Place { kind, row }),
                        _ => None,
                    };
                    match place.and_then(|place| Some((place, by_kind.get(&place.kind)?))) {
                        Some((place, items)) => this.record(place, items)?,
                        None => this.raw("null"),
                    }
                }
            }
            Ok(())
        })
    }

    /// Writes a value as text, whatever the type of the field.
    fn facet_value(&mut self, field: &FieldInfo, value: &Value<'_>) -> Result<(), Halt> {
        match (value, field.ty) {
            (Value::Text(text), _) => return self.text(text),
            (Value::Bool(value), _) => string(if *value { "true" } else { "false" }, &mut self.out),
            (Value::Int(value), _) => string(&value.to_string(), &mut self.out),
            (Value::Enum(number), FieldType::Enum(list) | FieldType::EnumList(list)) => {
                // A number without a name is of a later version of the model.
                match list.name_of(*number) {
                    Some(name) => string(name, &mut self.out),
                    None => string(&number.to_string(), &mut self.out),
                }
            }
            (Value::Id(id), FieldType::Ref(kind) | FieldType::RefList(kind)) => {
                string(&global_id::encode(kind, *id), &mut self.out);
            }
            _ => self.raw("null"),
        }
        Ok(())
    }
}
