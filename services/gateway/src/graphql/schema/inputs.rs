//! The input types of a kind: filters, orders and what mutations take and give.

use std::fmt::Write;

use spil_proto::model::{EnumInfo, FieldInfo, FieldType, Kind, KindInfo};

use super::{COMPARED, has_facets, is_orderable, objects, order_count_name, order_field_name, register, text::block};

/// The filters of an enumeration, alone and in a list.
pub(super) fn enum_filters(out: &mut String, list: &EnumInfo) {
    let name = list.name;
    let _ = writeln!(
        out,
        "\"Compares a {name}. A record without a value matches `isNull: true`, `ne` and `notIn`.\"\ninput {name}Filter {{\n  \"Equal.\"\n  eq: {name}\n  \"Not equal.\"\n  ne: {name}\n  \"One of these.\"\n  in: [{name}!]\n  \"None of these.\"\n  notIn: [{name}!]\n  \"Has no value, or has one.\"\n  isNull: Boolean\n}}\n"
    );
    let is_listed = |info: &FieldInfo| matches!(info.ty, FieldType::EnumList(held) if held.name == name);
    if !Kind::ALL.iter().any(|kind| kind.info().fields().any(is_listed)) {
        return;
    }
    let _ = writeln!(
        out,
        "\"Looks into a list of {name}.\"\ninput {name}ListFilter {{\n  \"Holds this.\"\n  has: {name}\n  \"Holds at least one of these.\"\n  hasAny: [{name}!]\n  \"Is empty, or is not.\"\n  isEmpty: Boolean\n}}\n"
    );
}

/// The filters of numbers and times.
pub(super) fn compared_filters(out: &mut String) {
    for name in COMPARED {
        let _ = writeln!(
            out,
            "\"Compares a {name}. A record without a value matches `isNull: true`, `ne` and `notIn`.\"\ninput {name}Filter {{\n  \"Equal.\"\n  eq: {name}\n  \"Not equal.\"\n  ne: {name}\n  \"One of these.\"\n  in: [{name}!]\n  \"None of these.\"\n  notIn: [{name}!]\n  \"Less than this.\"\n  lt: {name}\n  \"Less than this or equal.\"\n  lte: {name}\n  \"More than this.\"\n  gt: {name}\n  \"More than this or equal.\"\n  gte: {name}\n  \"Has no value, or has one.\"\n  isNull: Boolean\n}}\n"
        );
    }
}

/// The filters of a kind: of a record, and of a list of them.
pub(super) fn filters(out: &mut String, info: &'static KindInfo) {
    let name = info.name;
    let _ = writeln!(
        out,
        "\"Which records of the kind {name}. What is given must hold together.\"\ninput {name}Filter {{\n  \"All of these hold.\"\n  and: [{name}Filter!]\n  \"One of these holds.\"\n  or: [{name}Filter!]\n  \"This does not hold.\"\n  not: {name}Filter\n  \"There is no such record, or there is one. For a relation to one record, and directly in it: `parent: {{isNull: true}}`. Elsewhere every record is there.\"\n  isNull: Boolean"
    );
    for field in info.fields() {
        block(out, "  ", field.doc);
        let _ = writeln!(out, "  {}: {}", field.name, filter_type(field));
    }
    for relation in info.kind.relations() {
        let to = relation.to.info().name;
        block(out, "  ", &relation.doc);
        let _ = writeln!(out, "  {}: {to}{}Filter", relation.name, if relation.many { "List" } else { "" });
    }
    out.push_str("}\n\n");
    let is_listed =
        Kind::ALL.iter().any(|kind| kind.relations().iter().any(|relation| relation.many && relation.to == info.kind));
    if !is_listed {
        return;
    }
    let _ = writeln!(
        out,
        "\"Which lists of the kind {name}. What is given must hold together.\"\ninput {name}ListFilter {{\n  \"At least one record of the list is so.\"\n  some: {name}Filter\n  \"No record of the list is so.\"\n  none: {name}Filter\n  \"Every record of the list is so; an empty list passes.\"\n  every: {name}Filter\n  \"The list has so many records, each counted once.\"\n  count: {name}CountFilter\n}}\n\n\"How many records of the kind {name}. What is given must hold together.\"\ninput {name}CountFilter {{\n  \"Count only the records that are so; all of them where nothing is said.\"\n  where: {name}Filter\n  \"Just as many.\"\n  eq: Int\n  \"Any other number.\"\n  ne: Int\n  \"Fewer.\"\n  lt: Int\n  \"As many or fewer.\"\n  lte: Int\n  \"More.\"\n  gt: Int\n  \"As many or more.\"\n  gte: Int\n}}\n"
    );
}

fn filter_type(field: &FieldInfo) -> String {
    match field.ty {
        FieldType::Id | FieldType::Ref(_) => "IdFilter".to_owned(),
        FieldType::RefList(_) => "IdListFilter".to_owned(),
        FieldType::TextList => "StringListFilter".to_owned(),
        FieldType::EnumList(list) => format!("{}ListFilter", list.name),
        FieldType::ExternalIds => "ExternalIdListFilter".to_owned(),
        FieldType::Translations => "TranslationListFilter".to_owned(),
        _ => format!("{}Filter", objects::scalar(field)),
    }
}

/// The orders of a kind.
pub(super) fn order(out: &mut String, info: &'static KindInfo) {
    let name = info.name;
    let _ = writeln!(
        out,
        "\"What to order the kind {name} by.\"\ninput {name}Order {{\n  \"The field.\"\n  field: {name}OrderField!\n  \"Which way.\"\n  direction: OrderDirection! = ASC\n}}\n\n\"What the kind {name} can be ordered by: a field with one value that is no prose, or how many records a relation leads to.\"\nenum {name}OrderField {{"
    );
    for field in info.fields().filter(|field| is_orderable(field)) {
        block(out, "  ", field.doc);
        let _ = writeln!(out, "  {}", order_field_name(field));
    }
    for relation in info.kind.relations().iter().filter(|relation| relation.many) {
        block(out, "  ", &format!("How many records there are in `{}`, each counted once.", relation.name));
        let _ = writeln!(out, "  {}", order_count_name(relation));
    }
    out.push_str("}\n\n");
}

/// The fields of a kind that have facets.
pub(super) fn facet(out: &mut String, info: &'static KindInfo) {
    let _ = writeln!(out, "\"The fields of the kind {0} that take few values.\"\nenum {0}FacetField {{", info.name);
    for field in info.fields().filter(|field| has_facets(field)) {
        block(out, "  ", field.doc);
        let _ = writeln!(out, "  {}", order_field_name(field));
    }
    out.push_str("}\n\n");
}

/// What the mutations of a kind take and give.
pub(super) fn mutations(out: &mut String, info: &'static KindInfo) {
    let name = info.name;
    let mutation_id = "  \"Any text that names this mutation. Sent again with the same text and input, the mutation is not done again but answered again.\"\n  clientMutationId: String\n  \"Whether to write nothing and only say what would happen: what is wrong, what is odd, and the record as it would be.\"\n  dryRun: Boolean = false\n  \"Why this is done, for people: kept with the change, for those who may see the audit. At most 1 KiB, without control characters; no place for personal data.\"\n  reason: String\n";
    let _ = writeln!(
        out,
        "\"What to make of the kind {name}.\"\ninput Create{name}Input {{\n{mutation_id}{}}}\n",
        fields(info, true)
    );
    let _ = writeln!(
        out,
        "\"What to write of the kind {name}. A field that is not given is left alone; null clears it.\"\ninput Update{name}Input {{\n{mutation_id}  \"The record.\"\n  id: ID!\n  \"The version that the writer has seen; without it the last writer wins.\"\n  expectedVersion: Int\n{}}}\n",
        fields(info, false)
    );
    let _ = writeln!(
        out,
        "\"Which record of the kind {name} to retire.\"\ninput Retire{name}Input {{\n{mutation_id}  \"The record.\"\n  id: ID!\n  \"The version that the writer has seen; without it any version is retired.\"\n  expectedVersion: Int\n}}\n"
    );
    for verb in ["Create", "Update", "Retire"] {
        let _ = writeln!(
            out,
            "\"What came of it.\"\ntype {verb}{name}Payload {{\n  \"The text given with the input.\"\n  clientMutationId: String\n  \"Whether it was a dry run: nothing was written.\"\n  dryRun: Boolean!\n  \"The record as it is now, in a dry run as it would be; null if the mutation could not be done. A record that a dry run would make has an id of its own in each.\"\n  {}: {name}\n  \"What kept the mutation from being done; empty if it was done.\"\n  userErrors: [UserError!]!\n  \"What is odd though the mutation was done.\"\n  warnings: [Warning!]!\n  \"Whether the graph does not show the change yet. It is written; the record given here is what was written, its relations may lag.\"\n  stale: Boolean!\n}}\n",
            info.singular
        );
    }
}

/// The writable fields of a kind as input fields. What is only written belongs to a new record.
fn fields(info: &'static KindInfo, create: bool) -> String {
    let mut out = String::new();
    for field in info.inputs().filter(|field| create || field.one_way.is_none()) {
        // A field that is only written can be marked nowhere else.
        let personal = field.personal.as_ref().filter(|_| field.one_way.is_some());
        let mark = register::directive(personal);
        block(&mut out, "  ", &objects::documented(field));
        let list = matches!(
            field.ty,
            FieldType::TextList
                | FieldType::EnumList(_)
                | FieldType::RefList(_)
                | FieldType::ExternalIds
                | FieldType::Translations
        );
        let scalar = objects::scalar(field);
        // Tools that make up requests from the schema know no scalar of ours and would never come past one that has to be given. The
        // owner says REQUIRED all the same.
        let is_known = !matches!(field.ty, FieldType::Decimal);
        let required = if create && field.required && is_known { "!" } else { "" };
        let _ = if list {
            writeln!(out, "  {}: [{scalar}!]{required}{mark}", field.name)
        } else {
            writeln!(out, "  {}: {scalar}{required}{mark}", field.name)
        };
    }
    out
}
