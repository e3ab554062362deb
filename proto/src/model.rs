//! The table of kinds, fields and relations, and access to any record by it.

mod relation;
mod value;
mod wire;

pub use relation::{Relation, Step};
pub use value::{Value, WrongType};

pub use v1::{ExternalId, Header, LegalBasis, Purpose, Translation};

use crate::changefeed::v1::{Record, record};

/// What every record carries, and the options in which entities are described.
#[allow(
    missing_docs,
    clippy::doc_lazy_continuation,
    reason = "generated; the comments of the proto files are the documentation"
)]
pub mod v1 {
    include!(concat!(env!("OUT_DIR"), "/spil.model.v1.rs"));
}

include!(concat!(env!("OUT_DIR"), "/model.rs"));

/// Numbers of the fields that every kind has; the own fields of a kind follow from [`field::OWN`] on.
pub mod field {
    /// `id`
    pub const ID: usize = 0;
    /// `key`
    pub const KEY: usize = 1;
    /// `external_ids`
    pub const EXTERNAL_IDS: usize = 2;
    /// `name`
    pub const NAME: usize = 3;
    /// `description`
    pub const DESCRIPTION: usize = 4;
    /// `tags`
    pub const TAGS: usize = 5;
    /// `translations`
    pub const TRANSLATIONS: usize = 6;
    /// `version`
    pub const VERSION: usize = 7;
    /// `created_at`
    pub const CREATED_AT: usize = 8;
    /// `updated_at`
    pub const UPDATED_AT: usize = 9;
    /// `retired_at`
    pub const RETIRED_AT: usize = 10;
    /// The first field of the kind itself.
    pub const OWN: usize = 11;
}

/// A service that owns data. Each kind has one owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Owner {
    /// Objectives, capabilities, processes, applications.
    Capability,
    /// Org units, roles, positions, workers, skills.
    Workforce,
    /// Initiatives, stakeholders, impacts, benefits.
    Initiative,
}

impl Owner {
    /// Every owner.
    pub const ALL: [Owner; 3] = [Owner::Capability, Owner::Workforce, Owner::Initiative];

    /// The name of the owner: of its role, its database schema or file, and its configuration section.
    pub fn name(self) -> &'static str {
        match self {
            Owner::Capability => "capability",
            Owner::Workforce => "workforce",
            Owner::Initiative => "initiative",
        }
    }

    /// The kinds it owns, in the order of their numbers.
    pub fn kinds(self) -> impl Iterator<Item = Kind> {
        Kind::ALL.iter().copied().filter(move |kind| kind.info().owner == self)
    }
}

/// The description of a kind of record.
#[derive(Debug)]
pub struct KindInfo {
    /// The kind.
    pub kind: Kind,
    /// Its name, which is also that of its GraphQL type: `OrgUnit`.
    pub name: &'static str,
    /// The name of one record in queries: `orgUnit`.
    pub singular: &'static str,
    /// The name of the list in queries: `orgUnits`.
    pub plural: &'static str,
    /// The name of its table: `org_unit`.
    pub table: &'static str,
    /// Who owns it.
    pub owner: Owner,
    /// What it is.
    pub doc: &'static str,
    /// Its own fields; numbers start at [`field::OWN`].
    pub own: &'static [FieldInfo],
    /// Its fields that are only written: no record holds a value for them, so they are not among [`KindInfo::fields`].
    pub one_way: &'static [FieldInfo],
    /// Its relations that follow several references in a row.
    pub paths: &'static [PathInfo],
    /// Whether the records are people.
    pub person: bool,
    /// The number of the reference to the person whose data a record is; `None` if it is nobody's.
    pub subject: Option<usize>,
    /// The names of the relations to what a record is a part of; see [`Kind::belongs_to`].
    pub belongs_to: &'static [&'static str],
    /// What is laid down about the header, where it tells who somebody is.
    pub header: Option<Personal>,
}

/// What is laid down about personal data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Personal {
    /// What they may be used for; at least one thing.
    pub purposes: &'static [Purpose],
    /// Why they may be kept.
    pub legal_basis: LegalBasis,
    /// How many days after the person has left they are kept.
    pub retention_days: u32,
    /// Whether a value tells who the person is.
    pub identifying: bool,
    /// What kind of name a value is; `None` if it is none. Of a header field see [`KindInfo::naming`].
    pub naming: Option<Naming>,
}

/// How a value names a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// It stands for one person by itself: a number, an address, a key.
    Handle,
    /// It is what people are called, which others may be called too.
    Name,
}

impl KindInfo {
    /// All fields in the order of their numbers: those of the header, then the own ones.
    pub fn fields(&'static self) -> impl DoubleEndedIterator<Item = &'static FieldInfo> + Clone {
        HEADER_FIELDS.iter().chain(self.own)
    }

    /// What a command can carry: the fields that may be written, then those that are only written.
    pub fn inputs(&'static self) -> impl Iterator<Item = &'static FieldInfo> + Clone {
        self.fields().filter(|field| field.writable).chain(self.one_way)
    }

    /// The field with a column name that a command can carry.
    pub fn input_by_column(&'static self, column: &str) -> Option<&'static FieldInfo> {
        self.inputs().find(|field| field.column == column)
    }

    /// The field with a GraphQL name that a command can carry.
    pub fn input_by_name(&'static self, name: &str) -> Option<&'static FieldInfo> {
        self.inputs().find(|field| field.name == name)
    }

    /// What is laid down about a field, if it is personal data: its own, or that of the header for what people write there.
    pub fn personal(&'static self, index: usize) -> Option<&'static Personal> {
        match self.field(index)? {
            info if info.index >= field::OWN => info.personal.as_ref(),
            info if info.writable => self.header.as_ref(),
            _ => None,
        }
    }

    /// Whether a value of a field tells who a person is.
    pub fn identifies(&'static self, index: usize) -> bool {
        self.personal(index).is_some_and(|personal| personal.identifying)
    }

    /// How a value of a field names a person; `None` if it tells nobody who somebody is, or may hold anything.
    pub fn naming(&'static self, index: usize) -> Option<Naming> {
        let personal = self.personal(index).filter(|personal| personal.identifying)?;
        match index {
            field::KEY | field::EXTERNAL_IDS => Some(Naming::Handle),
            field::NAME | field::TRANSLATIONS => Some(Naming::Name),
            _ => personal.naming,
        }
    }

    /// How many fields there are, those of the header included.
    pub fn field_count(&self) -> usize {
        HEADER_FIELDS.len() + self.own.len()
    }

    /// The field with a number.
    pub fn field(&'static self, index: usize) -> Option<&'static FieldInfo> {
        HEADER_FIELDS.get(index).or_else(|| self.own.get(index.checked_sub(HEADER_FIELDS.len())?))
    }

    /// The field with a number that stays for ever.
    pub fn field_by_tag(&'static self, tag: u32) -> Option<&'static FieldInfo> {
        self.fields().find(|field| field.tag == tag)
    }

    /// The field with a column name: `maturity_target`.
    pub fn field_by_column(&'static self, column: &str) -> Option<&'static FieldInfo> {
        self.fields().find(|field| field.column == column)
    }

    /// The field with a GraphQL name: `maturityTarget`; of a reference: `parentId`.
    pub fn field_by_name(&'static self, name: &str) -> Option<&'static FieldInfo> {
        self.fields().find(|field| field.name == name)
    }
}

/// The description of a field.
#[derive(Debug)]
pub struct FieldInfo {
    /// Its number within the kind.
    pub index: usize,
    /// Its number for ever, for what is stored or sent: it stays when fields come and go. A field of the header has the number
    /// that it has in `Header`, an own field 64 more than the number that it has in the message of its kind.
    pub tag: u32,
    /// Its name in lower camel case: `maturityTarget`; of a reference `parentId`, of a list of references `objectiveIds`.
    pub name: &'static str,
    /// Its name in the proto file and in the database: `maturity_target`.
    pub column: &'static str,
    /// What it holds.
    pub ty: FieldType,
    /// What form a text must have.
    pub format: TextFormat,
    /// What it means.
    pub doc: &'static str,
    /// For a reference: the name of the relation it makes: `parent`, `objectives`. Empty otherwise.
    pub relation: &'static str,
    /// For a reference: the name of the list on the other side. Empty otherwise.
    pub inverse: &'static str,
    /// For a reference to the own kind: whether cycles are forbidden.
    pub acyclic: bool,
    /// For an acyclic reference to the own kind: whether records have `ancestors` and `descendants` by it.
    pub tree: bool,
    /// Whether a record must have a value here.
    pub required: bool,
    /// The least number allowed.
    pub min: Option<f64>,
    /// The greatest number allowed.
    pub max: Option<f64>,
    /// The unit of a number; empty if it has none.
    pub unit: &'static str,
    /// The most bytes of a text, or of each text in a list.
    pub max_length: usize,
    /// What is laid down about it if it is personal data. Of a header field see [`KindInfo::personal`].
    pub personal: Option<Personal>,
    /// Whether a value, once given, can not be changed.
    pub immutable: bool,
    /// Whether no two live records of the kind may have the same value.
    pub unique: bool,
    /// For a field that is only written: the number of the reference within whose target each value occurs once. `None` for every other.
    pub one_way: Option<usize>,
    /// Whether commands may write it; the owner itself sets the others.
    pub writable: bool,
}

/// What a field holds.
#[derive(Clone, Copy, Debug)]
pub enum FieldType {
    /// The id of the record itself.
    Id,
    /// A text.
    Text,
    /// Several texts, in order.
    TextList,
    /// True or false.
    Bool,
    /// A whole number.
    Int,
    /// A number (IEEE 754 double).
    Float,
    /// A decimal number.
    Decimal,
    /// A day.
    Date,
    /// A moment.
    DateTime,
    /// One of a closed list.
    Enum(&'static EnumInfo),
    /// Several of a closed list, without order.
    EnumList(&'static EnumInfo),
    /// A record of a kind.
    Ref(Kind),
    /// Several records of a kind, without order.
    RefList(Kind),
    /// The external ids of the record itself.
    ExternalIds,
    /// The names of the record in other languages.
    Translations,
}

/// What form a text must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextFormat {
    /// Any text.
    Plain,
    /// An absolute URI.
    Uri,
    /// An e-mail address.
    Email,
    /// An ISO 4217 code.
    Currency,
    /// A UUID.
    Uuid,
}

/// The description of an enumeration.
#[derive(Debug)]
pub struct EnumInfo {
    /// Its name, which is also that of its GraphQL type.
    pub name: &'static str,
    /// What it says.
    pub doc: &'static str,
    /// Its values, in the order of the proto file; "unspecified" is not among them.
    pub values: &'static [EnumValueInfo],
}

impl EnumInfo {
    /// The name of the value with a number.
    pub fn name_of(&self, number: i32) -> Option<&'static str> {
        self.values.iter().find(|value| value.number == number).map(|value| value.name)
    }

    /// The number of the value with a name.
    pub fn number_of(&self, name: &str) -> Option<i32> {
        self.values.iter().find(|value| value.name == name).map(|value| value.number)
    }
}

/// The description of a value of an enumeration.
#[derive(Debug)]
pub struct EnumValueInfo {
    /// Its number on the wire and in the snapshot.
    pub number: i32,
    /// Its name in GraphQL, in the database and in files.
    pub name: &'static str,
    /// What it says.
    pub doc: &'static str,
}

/// The description of a relation that follows others.
#[derive(Debug)]
pub struct PathInfo {
    /// Its name on the kind it starts from.
    pub name: &'static str,
    /// The names of the relations it follows.
    pub steps: &'static [&'static str],
    /// What it means.
    pub doc: &'static str,
}

/// A message that is an entity: its fields can be read and written by number.
pub trait Entity: Send + Sync {
    /// Its kind.
    fn kind(&self) -> Kind;
    /// What it has in common with every record; `None` on a message that was never filled.
    fn header(&self) -> Option<&Header>;
    /// The same to be changed; made if there is none.
    fn header_mut(&mut self) -> &mut Header;
    /// The value of a field. [`Value::Null`] if it has none, or if there is no such field.
    fn get(&self, field: usize) -> Value<'_>;
    /// Writes a field; [`Value::Null`] clears it.
    ///
    /// # Errors
    /// If the value is of another type than the field, or there is no such field.
    fn set(&mut self, field: usize, value: Value<'_>) -> Result<(), WrongType>;
}

impl Record {
    /// The kind of the record; `None` if this version does not know it.
    pub fn kind(&self) -> Option<Kind> {
        self.entity().map(Entity::kind)
    }

    /// The id of the record, if it has a well-formed one.
    pub fn id(&self) -> Option<uuid::Uuid> {
        uuid::Uuid::from_slice(&self.entity()?.header()?.id).ok()
    }
}

#[cfg(test)]
mod tests;
