//! Writes the table of kinds and, for each entity message, the access to its fields by number.

use std::{collections::HashMap, fmt::Write};

use prost_reflect::{
    Cardinality, DescriptorPool, DynamicMessage, EnumDescriptor, FieldDescriptor, FileDescriptor, Kind,
    MessageDescriptor, ReflectMessage, Value,
};

/// An entity with what its options say.
struct Entity {
    number: u32,
    message: MessageDescriptor,
    options: DynamicMessage,
}

/// One field of an entity as the table knows it.
struct Field {
    name: String,
    column: String,
    descriptor: FieldDescriptor,
    options: Option<DynamicMessage>,
}

impl Field {
    /// The column of the reference that a one-way field goes with; empty for every other field.
    fn one_way(&self) -> String {
        self.options.as_ref().map(|options| text(options, "one_way")).unwrap_or_default()
    }

    fn is_one_way(&self) -> bool {
        !self.one_way().is_empty()
    }

    fn flag(&self, name: &str) -> bool {
        self.options.as_ref().and_then(|options| options.get_field_by_name(name)?.as_bool()).unwrap_or(false)
    }
}

/// The Rust source of the table and of the access functions.
pub(crate) fn generate(pool: &DescriptorPool) -> String {
    let record = pool.get_message_by_name("spil.changefeed.v1.Record").expect("the message Record");
    let extension = pool.get_extension_by_name("spil.model.v1.entity").expect("the option entity");
    let mut entities: Vec<Entity> = record
        .fields()
        .map(|field| {
            let Kind::Message(message) = field.kind() else { panic!("{} is not an entity", field.name()) };
            let options = message.options();
            assert!(options.has_extension(&extension), "{} lacks the option entity", message.full_name());
            let Value::Message(options) = options.get_extension(&extension).into_owned() else {
                panic!("entity is a message")
            };
            Entity { number: field.number(), message, options }
        })
        .collect();
    entities.sort_by_key(|entity| entity.number);

    let plurals: HashMap<String, String> =
        entities.iter().map(|entity| (entity.message.name().to_owned(), text(&entity.options, "plural"))).collect();
    let header = pool.get_message_by_name("spil.model.v1.Header").expect("the message Header");
    let header_fields = fields_of(pool, &header, 1);
    let mut out = String::new();
    kinds(&mut out, &entities);
    enums(&mut out, pool);
    writeln!(
        out,
        "/// The fields every kind has, in the order of their numbers.\npub static HEADER_FIELDS: [FieldInfo; {}] = [",
        header_fields.len()
    )
    .unwrap();
    for (index, field) in header_fields.iter().enumerate() {
        field_info(&mut out, index, field, true, None, &plurals);
    }
    out.push_str("];\n");
    for entity in &entities {
        let mut fields = fields_of(pool, &entity.message, 2);
        // What is only written comes last, so that it has no number among the fields that are stored.
        fields.sort_by_key(Field::is_one_way);
        table(&mut out, entity, &fields, header_fields.len(), &plurals);
        access(&mut out, entity, &fields, header_fields.len());
    }
    dispatch(&mut out, &entities);
    out
}

fn fields_of(pool: &DescriptorPool, message: &MessageDescriptor, from: u32) -> Vec<Field> {
    let extension = pool.get_extension_by_name("spil.model.v1.field").expect("the option field");
    let mut fields: Vec<FieldDescriptor> = message.fields().filter(|field| field.number() >= from).collect();
    fields.sort_by_key(FieldDescriptor::number);
    fields
        .into_iter()
        .map(|descriptor| {
            let options = descriptor.options();
            let options =
                options.has_extension(&extension).then(|| match options.get_extension(&extension).into_owned() {
                    Value::Message(options) => options,
                    other => panic!("field is a message, not {other:?}"),
                });
            Field { name: camel(descriptor.name()), column: descriptor.name().to_owned(), descriptor, options }
        })
        .collect()
}

fn kinds(out: &mut String, entities: &[Entity]) {
    out.push_str("/// A kind of record. Its number is that of its field in `Record`.\n#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]\n#[repr(u16)]\npub enum Kind {\n");
    for entity in entities {
        doc(out, "    ", &comment(&entity.message.parent_file(), entity.message.path()));
        writeln!(out, "    {} = {},", entity.message.name(), entity.number).unwrap();
    }
    out.push_str(
        "}\n\nimpl Kind {\n    /// Every kind, in the order of the numbers.\n    pub const ALL: &'static [Kind] = &[",
    );
    for entity in entities {
        write!(out, "Kind::{}, ", entity.message.name()).unwrap();
    }
    out.push_str("];\n\n    /// The description of the kind.\n    pub fn info(self) -> &'static KindInfo {\n        match self {\n");
    for entity in entities {
        writeln!(out, "            Kind::{} => &{},", entity.message.name(), constant(entity.message.name())).unwrap();
    }
    out.push_str("        }\n    }\n\n    /// The kind with a number.\n    pub fn from_number(number: u32) -> Option<Kind> {\n        match number {\n");
    for entity in entities {
        writeln!(out, "            {} => Some(Kind::{}),", entity.number, entity.message.name()).unwrap();
    }
    out.push_str("            _ => None,\n        }\n    }\n}\n\n");
}

fn enums(out: &mut String, pool: &DescriptorPool) {
    let mut all: Vec<EnumDescriptor> = pool
        .all_enums()
        .filter(|item| {
            item.package_name().starts_with("spil.")
                && item.package_name() != "spil.changefeed.v1"
                && !["Format", "Naming"].contains(&item.name())
        })
        .collect();
    all.sort_by(|a, b| a.name().cmp(b.name()));
    for item in &all {
        let prefix = format!("{}_", constant(item.name()));
        writeln!(
            out,
            "static ENUM_{}: EnumInfo = EnumInfo {{ name: {:?}, doc: {:?}, values: &[",
            constant(item.name()),
            item.name(),
            comment(&item.parent_file(), item.path())
        )
        .unwrap();
        for value in item.values().filter(|value| value.number() != 0) {
            let name = value
                .name()
                .strip_prefix(&prefix)
                .unwrap_or_else(|| panic!("{} must start with {prefix}", value.name()));
            writeln!(
                out,
                "    EnumValueInfo {{ number: {}, name: {name:?}, doc: {:?} }},",
                value.number(),
                comment(&item.parent_file(), value.path())
            )
            .unwrap();
        }
        out.push_str("] };\n");
    }
    let of_options = |item: &&EnumDescriptor| item.parent_file().name().ends_with("/options.proto");
    let list = |out: &mut String, doc: &str, name: &str, items: Vec<&EnumDescriptor>| {
        writeln!(out, "/// {doc}\npub static {name}: &[&EnumInfo] = &[").unwrap();
        for item in items {
            writeln!(out, "    &ENUM_{},", constant(item.name())).unwrap();
        }
        out.push_str("];\n\n");
    };
    let fields = all.iter().filter(|item| !of_options(item)).collect();
    list(out, "Every enumeration that a field is of, by name.", "ENUMS", fields);
    let options = all.iter().filter(of_options).collect();
    list(out, "The enumerations in which personal data are described, by name.", "PERSONAL_ENUMS", options);
}

fn table(out: &mut String, entity: &Entity, fields: &[Field], offset: usize, plurals: &HashMap<String, String>) {
    let name = entity.message.name();
    let plural = text(&entity.options, "plural");
    assert!(!plural.is_empty(), "{name} lacks a plural");
    let owner = match entity.message.package_name() {
        "spil.capability.v1" => "Capability",
        "spil.workforce.v1" => "Workforce",
        "spil.initiative.v1" => "Initiative",
        other => panic!("no owner has the package {other}"),
    };
    writeln!(
        out,
        "static {}: KindInfo = KindInfo {{ kind: Kind::{name}, name: {name:?}, singular: {:?}, plural: {plural:?}, table: {:?}, owner: Owner::{owner}, doc: {:?}, own: &[",
        constant(name),
        lower_first(name),
        snake(name),
        comment(&entity.message.parent_file(), entity.message.path()),
    )
    .unwrap();
    let trees: Vec<&Field> = fields.iter().filter(|field| field.flag("tree")).collect();
    assert!(trees.len() <= 1, "{name} has two fields that make a tree");
    for tree in trees {
        let to_itself = matches!(kind_of(tree), FieldKind::Reference(kind) if kind == name);
        assert!(to_itself && tree.flag("acyclic"), "{name}.{} makes no tree", tree.name);
    }
    for (index, field) in fields.iter().enumerate().filter(|(_, field)| !field.is_one_way()) {
        field_info(out, offset + index, field, false, None, plurals);
    }
    out.push_str("], one_way: &[\n");
    for (index, field) in fields.iter().enumerate().filter(|(_, field)| field.is_one_way()) {
        let scope = scope_of(name, field, fields);
        field_info(out, offset + index, field, false, Some(offset + scope), plurals);
    }
    out.push_str("], paths: &[\n");
    if let Some(Value::List(paths)) = entity.options.get_field_by_name("paths").map(std::borrow::Cow::into_owned) {
        for path in paths {
            let Value::Message(path) = path else { panic!("a path is a message") };
            let steps: Vec<String> = text(&path, "steps").split('.').map(str::to_owned).collect();
            writeln!(
                out,
                "    PathInfo {{ name: {:?}, steps: &{steps:?}, doc: {:?} }},",
                text(&path, "name"),
                text(&path, "meaning")
            )
            .unwrap();
        }
    }
    let list = match entity.options.get_field_by_name("belongs_to").map(std::borrow::Cow::into_owned) {
        Some(Value::List(names)) => names.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect(),
        _ => Vec::new(),
    };
    let person = entity.options.get_field_by_name("person").and_then(|value| value.as_bool()).unwrap_or(false);
    let subject = text(&entity.options, "subject");
    let subject = (!subject.is_empty()).then(|| offset + subject_of(name, &subject, fields));
    let header = personal(message(&entity.options, "header"));
    writeln!(out, "], person: {person}, subject: {subject:?}, belongs_to: &{list:?}, header: {header} }};\n").unwrap();
}

/// The place of the reference to the person whose data a record is.
fn subject_of(name: &str, relation: &str, fields: &[Field]) -> usize {
    let place = fields.iter().position(|field| field.name == format!("{relation}Id"));
    let place = place.unwrap_or_else(|| panic!("{name} has no single reference `{relation}`"));
    assert!(matches!(kind_of(&fields[place]), FieldKind::Reference(_)), "{name}.{relation} leads to no record");
    place
}

/// What is laid down about personal data, as Rust.
fn personal(options: Option<DynamicMessage>) -> String {
    let Some(options) = options else { return "None".to_owned() };
    let number = |name: &str| options.get_field_by_name(name).and_then(|value| value.as_u32()).unwrap_or_default();
    let named = |name: &str, value: i32| {
        let descriptor = options.descriptor().get_field_by_name(name)?.kind().as_enum()?.clone();
        let prefix = format!("{}_", constant(descriptor.name()));
        let name = descriptor.get_value(value)?.name().strip_prefix(&prefix)?.to_owned();
        (value != 0).then(|| format!("{}::{}", descriptor.name(), pascal(&name)))
    };
    let named = |name: &str, value| named(name, value).unwrap_or_else(|| panic!("personal data without {name}"));
    let purposes: Vec<String> = match options.get_field_by_name("purpose").as_deref() {
        Some(Value::List(list)) => {
            list.iter().filter_map(Value::as_enum_number).map(|value| named("purpose", value)).collect()
        }
        _ => Vec::new(),
    };
    assert!(!purposes.is_empty(), "personal data without purpose");
    let basis = options.get_field_by_name("legal_basis").and_then(|value| value.as_enum_number()).unwrap_or_default();
    let identifying = options.get_field_by_name("identifying").and_then(|value| value.as_bool()).unwrap_or(false);
    let naming = match options.get_field_by_name("naming").and_then(|value| value.as_enum_number()) {
        Some(1) => "Some(Naming::Handle)",
        Some(2) => "Some(Naming::Name)",
        _ => "None",
    };
    assert!(identifying || naming == "None", "a name that tells nobody who somebody is");
    format!(
        "Some(Personal {{ purposes: &[{}], legal_basis: {}, retention_days: {}, identifying: {identifying}, naming: {naming} }})",
        purposes.join(", "),
        named("legal_basis", basis),
        number("retention_days"),
    )
}

fn message(options: &DynamicMessage, name: &str) -> Option<DynamicMessage> {
    options.has_field_by_name(name).then(|| options.get_field_by_name(name)?.as_message().cloned())?
}

/// `SKILL_DEVELOPMENT` as `SkillDevelopment`.
fn pascal(name: &str) -> String {
    let words = name.split('_').filter(|word| !word.is_empty());
    words.map(|word| format!("{}{}", &word[..1], word[1..].to_lowercase())).collect()
}

/// The place of the reference that a one-way field goes with. Its value must be there from the start and for ever, or what was
/// counted once could be counted again elsewhere.
fn scope_of(name: &str, field: &Field, fields: &[Field]) -> usize {
    let column = field.one_way();
    let place = fields.iter().position(|other| other.column == column);
    let place = place.unwrap_or_else(|| panic!("{name}.{}: there is no field {column}", field.column));
    let scope = &fields[place];
    let single = scope.descriptor.cardinality() != Cardinality::Repeated;
    assert!(
        matches!(kind_of(scope), FieldKind::Reference(_))
            && single
            && scope.flag("required")
            && scope.flag("immutable"),
        "{name}.{column} must be a single reference, required and immutable",
    );
    assert!(
        matches!(kind_of(field), FieldKind::Text) && field.descriptor.cardinality() != Cardinality::Repeated,
        "{name}.{} must be a text",
        field.column
    );
    place
}

fn field_info(
    out: &mut String,
    index: usize,
    field: &Field,
    in_header: bool,
    one_way: Option<usize>,
    plurals: &HashMap<String, String>,
) {
    let options = field.options.as_ref();
    let ty = match (kind_of(field), field.descriptor.cardinality()) {
        (FieldKind::Text, Cardinality::Repeated) => "FieldType::TextList".to_owned(),
        (FieldKind::Text, _) => "FieldType::Text".to_owned(),
        (FieldKind::Bool, _) => "FieldType::Bool".to_owned(),
        (FieldKind::Int, _) => "FieldType::Int".to_owned(),
        (FieldKind::Float, _) => "FieldType::Float".to_owned(),
        (FieldKind::Date, _) => "FieldType::Date".to_owned(),
        (FieldKind::DateTime, _) => "FieldType::DateTime".to_owned(),
        (FieldKind::Decimal, _) => "FieldType::Decimal".to_owned(),
        (FieldKind::Enum(name), Cardinality::Repeated) => format!("FieldType::EnumList(&ENUM_{})", constant(&name)),
        (FieldKind::Enum(name), _) => format!("FieldType::Enum(&ENUM_{})", constant(&name)),
        (FieldKind::Reference(kind), Cardinality::Repeated) => format!("FieldType::RefList(Kind::{kind})"),
        (FieldKind::Reference(kind), _) => format!("FieldType::Ref(Kind::{kind})"),
        (FieldKind::Id, _) => "FieldType::Id".to_owned(),
        (FieldKind::ExternalIds, _) => "FieldType::ExternalIds".to_owned(),
        (FieldKind::Translations, _) => "FieldType::Translations".to_owned(),
    };
    let number = |name: &str| {
        options
            .filter(|options| options.has_field_by_name(name))
            .and_then(|options| options.get_field_by_name(name)?.as_f64())
    };
    let flag = |name: &str| field.flag(name);
    let texts = matches!(kind_of(field), FieldKind::Text) && field.descriptor.cardinality() != Cardinality::Repeated;
    assert!(!flag("unique") || texts, "{}: only a text can be unique", field.descriptor.full_name());
    let string = |name: &str| options.map(|options| text(options, name)).unwrap_or_default();
    let max_length = options
        .and_then(|options| options.get_field_by_name("max_length")?.as_u32())
        .filter(|length| *length > 0)
        .unwrap_or(4096);
    let written_by_owner =
        in_header && matches!(field.column.as_str(), "id" | "version" | "created_at" | "updated_at" | "retired_at");
    // Those of the header come first, so that there is room for more of them.
    let tag = field.descriptor.number() + if in_header { 0 } else { 64 };
    assert!(!in_header || tag < 64, "the header has too many fields");
    writeln!(
        out,
        "    FieldInfo {{ index: {index}, tag: {tag}, name: {:?}, column: {:?}, ty: {ty}, format: TextFormat::{}, doc: {:?}, relation: {:?}, inverse: {:?}, acyclic: {}, tree: {}, required: {}, min: {:?}, max: {:?}, unit: {:?}, max_length: {max_length}, personal: {}, immutable: {}, unique: {}, one_way: {one_way:?}, writable: {} }},",
        field.name,
        field.column,
        format_of(field),
        comment(&field.descriptor.parent_message().parent_file(), field.descriptor.path()),
        relation_name(field, plurals),
        string("inverse"),
        flag("acyclic"),
        flag("tree"),
        flag("required"),
        number("min"),
        number("max"),
        string("unit"),
        personal(options.and_then(|options| message(options, "personal"))),
        flag("immutable"),
        flag("unique"),
        !written_by_owner,
    )
    .unwrap();
}

/// `parentId` makes the relation `parent`, `objectiveIds` `objectives` and `requiredSkillIds` `requiredSkills`; a list with a
/// name of its own keeps it: `dependsOnIds` makes `dependsOn`.
fn relation_name(field: &Field, plurals: &HashMap<String, String>) -> String {
    let FieldKind::Reference(kind) = kind_of(field) else { return String::new() };
    if field.descriptor.cardinality() != Cardinality::Repeated {
        return field.name.strip_suffix("Id").expect("a reference ends in _id").to_owned();
    }
    let stem = field.name.strip_suffix("Ids").expect("a list of references ends in _ids");
    let plural = plurals.get(&kind).unwrap_or_else(|| panic!("{} refers to {kind}, which is no entity", field.name));
    if stem == lower_first(&kind) {
        plural.clone()
    } else if let Some(prefix) = stem.strip_suffix(kind.as_str()) {
        let mut rest = plural.chars();
        rest.next().map(|first| format!("{prefix}{}{}", first.to_uppercase(), rest.as_str())).unwrap_or_default()
    } else {
        stem.to_owned()
    }
}

/// What a field holds, list or not.
enum FieldKind {
    Text,
    Bool,
    Int,
    Float,
    Date,
    DateTime,
    Decimal,
    Enum(String),
    Reference(String),
    Id,
    ExternalIds,
    Translations,
}

fn kind_of(field: &Field) -> FieldKind {
    let format = format_number(field);
    let refers_to = field.options.as_ref().map(|options| text(options, "refers_to")).unwrap_or_default();
    match field.descriptor.kind() {
        Kind::String if format == 3 => FieldKind::Decimal,
        Kind::String => FieldKind::Text,
        Kind::Bool => FieldKind::Bool,
        Kind::Int32 if format == 1 => FieldKind::Date,
        Kind::Int64 if format == 2 => FieldKind::DateTime,
        Kind::Int32 | Kind::Int64 | Kind::Uint64 => FieldKind::Int,
        Kind::Double => FieldKind::Float,
        Kind::Enum(item) => FieldKind::Enum(item.name().to_owned()),
        Kind::Bytes if field.column == "id" => FieldKind::Id,
        Kind::Bytes if !refers_to.is_empty() => FieldKind::Reference(refers_to),
        Kind::Message(message) if message.name() == "ExternalId" => FieldKind::ExternalIds,
        Kind::Message(message) if message.name() == "Translation" => FieldKind::Translations,
        other => panic!("{} has a type that the model does not know: {other:?}", field.descriptor.full_name()),
    }
}

fn format_number(field: &Field) -> i32 {
    field.options.as_ref().and_then(|options| options.get_field_by_name("format")?.as_enum_number()).unwrap_or(0)
}

fn format_of(field: &Field) -> &'static str {
    match format_number(field) {
        4 => "Currency",
        5 => "Uri",
        6 => "Email",
        7 => "Uuid",
        _ => "Plain",
    }
}

fn access(out: &mut String, entity: &Entity, fields: &[Field], offset: usize) {
    let name = entity.message.name();
    let path = format!(
        "crate::{}::v1::{name}",
        entity.message.package_name().split('.').nth(1).expect("a package of three parts")
    );
    let mut get = String::new();
    let mut set = String::new();
    for (at, field) in fields.iter().enumerate() {
        let index = offset + at;
        let member = rust_name(&field.column);
        let list = field.descriptor.cardinality() == Cardinality::Repeated;
        let (reader, writer) = match (kind_of(field), list) {
            (FieldKind::Text, true) => ("texts", "set_texts"),
            (FieldKind::Text, false) => ("text", "set_text"),
            (FieldKind::Bool, _) => ("boolean", "set_boolean"),
            (FieldKind::Int, _) => ("int", "set_int"),
            (FieldKind::Float, _) => ("float", "set_float"),
            (FieldKind::Date, _) => ("date", "set_date"),
            (FieldKind::DateTime, _) => ("date_time", "set_date_time"),
            (FieldKind::Decimal, _) => ("decimal", "set_decimal"),
            (FieldKind::Enum(_), true) => ("enumerations", "set_enumerations"),
            (FieldKind::Enum(_), false) => ("enumeration", "set_enumeration"),
            (FieldKind::Reference(_), true) => ("references", "set_references"),
            (FieldKind::Reference(_), false) => ("reference", "set_reference"),
            (FieldKind::Id | FieldKind::ExternalIds | FieldKind::Translations, _) => {
                panic!("{name}.{} belongs in the header", field.column)
            }
        };
        writeln!(get, "            {index} => wire::{reader}(&self.{member}),").unwrap();
        writeln!(set, "            {index} => wire::{writer}(&mut self.{member}, value),").unwrap();
    }
    writeln!(
        out,
        "impl Entity for {path} {{
    fn kind(&self) -> Kind {{
        Kind::{name}
    }}
    fn header(&self) -> Option<&Header> {{
        self.header.as_ref()
    }}
    fn header_mut(&mut self) -> &mut Header {{
        self.header.get_or_insert_default()
    }}
    fn get(&self, field: usize) -> Value<'_> {{
        match field {{
{get}            _ => wire::header_value(self.header.as_ref(), field),
        }}
    }}
    fn set(&mut self, field: usize, value: Value<'_>) -> Result<(), WrongType> {{
        match field {{
{set}            _ => wire::set_header_value(self.header.get_or_insert_default(), field, value),
        }}
    }}
}}
"
    )
    .unwrap();
}

fn dispatch(out: &mut String, entities: &[Entity]) {
    let arms = |body: &dyn Fn(&str) -> String| -> String {
        entities.iter().map(|entity| format!("            {}\n", body(entity.message.name()))).collect()
    };
    writeln!(
        out,
        "impl Record {{
    /// An empty record of a kind.
    pub fn empty(kind: Kind) -> Record {{
        let entity = match kind {{
{}        }};
        Record {{ entity: Some(entity) }}
    }}

    /// The entity inside, whatever its kind; `None` if the record is of a kind that this version does not know.
    pub fn entity(&self) -> Option<&dyn Entity> {{
        match self.entity.as_ref()? {{
{}        }}
    }}

    /// The entity inside, to be changed.
    pub fn entity_mut(&mut self) -> Option<&mut dyn Entity> {{
        match self.entity.as_mut()? {{
{}        }}
    }}
}}",
        arms(&|name| format!("Kind::{name} => record::Entity::{name}(Default::default()),")),
        arms(&|name| format!("record::Entity::{name}(entity) => Some(entity),")),
        arms(&|name| format!("record::Entity::{name}(entity) => Some(entity),")),
    )
    .unwrap();
}

fn text(options: &DynamicMessage, name: &str) -> String {
    options.get_field_by_name(name).and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// The comment before a declaration, as one text; every declaration of the model must have one.
fn comment(file: &FileDescriptor, path: &[i32]) -> String {
    let info = file.file_descriptor_proto().source_code_info.as_ref().expect("the compiler keeps comments");
    let text = info
        .location
        .iter()
        .find(|location| location.path == path)
        .map(|location| location.leading_comments())
        .unwrap_or_default();
    let text = text.lines().map(str::trim).collect::<Vec<_>>().join(" ").trim().to_owned();
    assert!(!text.is_empty(), "a declaration of {} at {path:?} has no comment", file.name());
    text
}

fn doc(out: &mut String, indent: &str, text: &str) {
    writeln!(out, "{indent}/// {text}").unwrap();
}

fn camel(name: &str) -> String {
    let mut out = String::new();
    let mut upper = false;
    for c in name.chars() {
        if c == '_' {
            upper = true;
        } else if upper {
            out.extend(c.to_uppercase());
            upper = false;
        } else {
            out.push(c);
        }
    }
    out
}

fn snake(name: &str) -> String {
    let mut out = String::new();
    for (at, c) in name.chars().enumerate() {
        if c.is_uppercase() && at > 0 {
            out.push('_');
        }
        out.extend(c.to_lowercase());
    }
    out
}

fn lower_first(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map(|c| c.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

fn constant(name: &str) -> String {
    snake(name).to_uppercase()
}

fn rust_name(column: &str) -> String {
    if column == "type" { "r#type".to_owned() } else { column.to_owned() }
}
