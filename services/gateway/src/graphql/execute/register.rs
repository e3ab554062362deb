//! The register of personal data, from the model table.

use serde_json::{Value, json};
use spil_access::Policy;
use spil_proto::model::{FieldInfo, Kind, KindInfo, Personal};

use super::{Halt, Writer};
use crate::graphql::{
    plan::{Item, What},
    purpose, schema,
};

impl Writer<'_> {
    pub(super) fn register(&mut self, items: &[Item<What>]) -> Result<(), Halt> {
        let Some(policy) = self.policy.clone() else { return Err(Halt::Mismatch) };
        self.plain_list(items, &entries(&policy))
    }
}

/// An entry for each field that holds personal data, by kind.
fn entries(policy: &Policy) -> Vec<Value> {
    Kind::ALL
        .iter()
        .map(|kind| kind.info())
        .flat_map(|info| {
            let kept = info.fields().filter_map(|field| Some((field, info.personal(field.index)?)));
            // What is only written is no field of a record, but is taken from people all the same.
            let taken = info.one_way.iter().filter_map(|field| Some((field, field.personal.as_ref()?)));
            kept.chain(taken).map(|(field, personal)| entry(policy, info, field, personal)).collect::<Vec<_>>()
        })
        .collect()
}

fn entry(policy: &Policy, info: &'static KindInfo, field: &'static FieldInfo, personal: &Personal) -> Value {
    // What is only written is read by nobody.
    let readers = if field.one_way.is_some() { Vec::new() } else { policy.readers(info.kind, field.index) };
    json!({
        "readers": readers,
        "kind": schema::kind_value(info.kind),
        "field": schema::output_name(field),
        "purposes": personal.purposes.iter().map(|purpose| purpose::name(*purpose)).collect::<Vec<_>>(),
        "legalBasis": purpose::legal_basis(personal.legal_basis),
        "retentionDays": personal.retention_days,
        "isIdentifying": personal.identifying,
        "description": field.doc,
    })
}

#[cfg(test)]
mod tests {
    use spil_access::PolicyHandle;

    use super::*;

    #[test]
    fn the_register_has_every_personal_field_and_no_other() {
        let policy = PolicyHandle::built_in().load();
        let entries = entries(&policy);
        let is_in = |kind: Kind, name: &str| {
            let kind = schema::kind_value(kind);
            entries.iter().filter(|entry| entry["kind"] == kind.as_str() && entry["field"] == name).count()
        };
        let mut expected = 0;
        for kind in Kind::ALL {
            let info = kind.info();
            for field in info.fields() {
                let personal = info.personal(field.index).is_some();
                expected += usize::from(personal);
                assert_eq!(is_in(*kind, schema::output_name(field)), usize::from(personal), "{kind:?}.{}", field.name);
            }
            for field in info.one_way {
                expected += 1;
                assert_eq!(is_in(*kind, field.name), 1, "{kind:?}.{}", field.name);
            }
        }
        assert_eq!(entries.len(), expected);
        for name in ["key", "name", "email"] {
            assert_eq!(is_in(Kind::Worker, name), 1);
        }
        let readers = |kind: Kind, name: &str| {
            let kind = schema::kind_value(kind);
            let found = entries.iter().find(|entry| entry["kind"] == kind.as_str() && entry["field"] == name);
            found.expect("an entry")["readers"].clone()
        };
        assert_eq!(readers(Kind::Worker, "email"), json!(["employee", "personnel"]));
        assert_eq!(readers(Kind::PulseResponse, "respondent"), json!([]));
        assert_eq!(is_in(Kind::Role, "name"), 0);
    }
}
