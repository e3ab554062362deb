//! The register of personal data: a directive on each field that holds any, and the types by which it is asked as data.

use std::fmt::Write;

use spil_proto::model::{KindInfo, Personal};

use super::super::purpose;

/// The field of `Query`.
pub(super) const QUERY: &str = "  \"The register of personal data: every field that holds any, what it may be used for, why it may be kept and for how long, and who may read it. It names nobody. Entries of access logs are kept, after the reading, for the longest of these times.\"\n  dataRegister: [PersonalField!]!\n";

/// The name of the directive.
pub(super) const DIRECTIVE: &str = "personalData";

/// The directive and the types.
pub(super) const TYPES: &str = r#""The field holds personal data."
directive @personalData(
  "What the data may be used for. For another purpose a value that tells who the person is is not shown."
  purposes: [Purpose!]!
  "Why they may be kept."
  legalBasis: LegalBasis!
  "How many days after the person has left they are kept; 0 where nothing is kept at all."
  retentionDays: Int!
  "Whether a value tells who the person is."
  identifying: Boolean!
) on FIELD_DEFINITION | INPUT_FIELD_DEFINITION

"A field that holds personal data, with what is laid down about it."
type PersonalField {
  "The kind of the records."
  kind: RecordKind!
  "The name of the field in this schema."
  field: String!
  "What the data may be used for. For another purpose a value that tells who the person is is not shown."
  purposes: [Purpose!]!
  "Why they may be kept."
  legalBasis: LegalBasis!
  "How many days after the person has left they are kept; 0 where nothing is kept at all."
  retentionDays: Int!
  "Whether a value tells who the person is. It is shown only to whoever names a purpose that they may read it for, and each reading is written down."
  isIdentifying: Boolean!
  "The roles of the policy in force whose members may read the field, of some records at least."
  readers: [String!]!
  "What the field means."
  description: String!
}

"#;

/// The names of the purposes.
fn names(personal: &Personal) -> String {
    personal.purposes.iter().map(|purpose| purpose::name(*purpose)).collect::<Vec<_>>().join(", ")
}

/// What stands after the type of a field; nothing where it holds no personal data.
pub(super) fn directive(personal: Option<&Personal>) -> String {
    personal.map_or_else(String::new, |personal| {
        format!(
            " @{DIRECTIVE}(purposes: [{}], legalBasis: {}, retentionDays: {}, identifying: {})",
            names(personal),
            purpose::legal_basis(personal.legal_basis),
            personal.retention_days,
            personal.identifying
        )
    })
}

/// A description with what is laid down about the field, for those who read the schema by introspection, which shows no directives.
pub(super) fn described(doc: &str, personal: Option<&Personal>) -> String {
    let mut text = doc.to_owned();
    if let Some(personal) = personal {
        let (purposes, basis) = (names(personal), purpose::legal_basis(personal.legal_basis));
        let word = if personal.purposes.len() == 1 { "purpose" } else { "purposes" };
        let _ = write!(text, " Personal data: {word} {purposes}, legal basis {basis}");
        let _ = match personal.retention_days {
            0 => write!(text, ", not kept"),
            days => write!(text, ", kept for {days} days after the person has left"),
        };
        text.push_str(if personal.identifying {
            "; it tells who the person is: null without such a purpose."
        } else {
            "."
        });
    }
    text
}

/// What is laid down about the field behind a relation of a kind that is a single reference or a list of them.
pub(super) fn of_relation(info: &'static KindInfo, name: &str) -> Option<&'static Personal> {
    let field = info.own.iter().find(|field| field.relation == name)?;
    info.personal(field.index)
}

#[cfg(test)]
mod tests {
    use spil_proto::model::Kind;

    use crate::graphql::schema::{SpilSchema, output_name};

    #[test]
    fn every_personal_field_says_so_in_the_schema() {
        let served = SpilSchema::get().expect("a valid schema");
        let mut fields = 0;
        for info in Kind::ALL.iter().map(|kind| kind.info()) {
            let object = served.schema.get_object(info.name).expect("a type for the kind");
            for field in info.fields() {
                let name = output_name(field);
                let shown = &object.fields[name];
                let directive = shown.directives.get(super::DIRECTIVE);
                let Some(personal) = info.personal(field.index) else {
                    assert!(directive.is_none(), "{}.{name} is no personal data", info.name);
                    continue;
                };
                fields += 1;
                let directive = directive.unwrap_or_else(|| panic!("{}.{name} does not say so", info.name));
                let argument =
                    |name: &str| directive.specified_argument_by_name(name).expect("an argument").to_string();
                assert_eq!(argument("retentionDays"), personal.retention_days.to_string());
                assert_eq!(argument("identifying"), personal.identifying.to_string());
                let doc = shown.description.as_ref().expect("a description");
                assert!(doc.contains("Personal data: purpose"), "{doc}");
                for purpose in personal.purposes {
                    let name = super::purpose::name(*purpose);
                    assert!(doc.contains(name) && argument("purposes").contains(name), "{doc}");
                }
                assert_eq!(doc.contains("null without such a purpose"), personal.identifying);
            }
            let input = served.schema.get_input_object(&format!("Create{}Input", info.name)).expect("an input");
            for field in info.one_way.iter().filter(|field| field.personal.is_some()) {
                fields += 1;
                assert!(input.fields[field.name].directives.has(super::DIRECTIVE), "{}.{}", info.name, field.name);
            }
        }
        assert!(fields > 20, "{fields} fields are personal");
        assert!(served.subgraph_sdl.contains("directive @personalData("), "a composer knows it too");
    }
}
