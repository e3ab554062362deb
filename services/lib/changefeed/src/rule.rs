//! How a domain adds its rules to what the model table says.

use spil_proto::{
    changefeed::v1::{Problem, ProblemCode, Record},
    model::{FieldType, Kind, Value},
};

const MICROS_OF_DAY: i64 = 86_400_000_000;

/// The rules of a domain. They are pure: they read no clock and do no I/O; the records that they look at beside the changed
/// one are named by [`Rules::related`] and loaded for the whole batch at once.
pub trait Rules: Send + Sync + 'static {
    /// The records that [`Rules::check`] looks at when a record of a kind is created or updated.
    fn related(&self, kind: Kind) -> &'static [Related];

    /// Looks at a record that is created or updated. It is not called for one that is retired or stays as it is.
    fn check(&self, proposal: &Proposal<'_>, findings: &mut Findings);

    /// Looks at a live record that is to be retired, as it is before.
    fn check_retire(&self, _record: &Record, _findings: &mut Findings) {}

    /// Of a record that is a person: the field, by its name in the proto file, whose value says that the person has left. Retention counts
    /// from when it was written.
    fn left_by(&self, _record: &Record) -> Option<&'static str> {
        None
    }

    /// The kinds whose names are words of the organisation: a person who is called like one of them is not taken out of what others wrote
    /// without being asked.
    fn vocabulary(&self) -> &'static [Kind] {
        &[]
    }

    /// What follows from a sound record that is created or updated for the records that it [affects](Related::Affected). They are changed
    /// in the same transaction, each with a version and a change of its own, if the rules of their kind allow it; if not,
    /// the command is invalid. What is changed so has no effects itself.
    fn effects(&self, _proposal: &Proposal<'_>) -> Vec<Effect> {
        Vec::new()
    }
}

/// A change of another record that follows from a command.
#[derive(Clone, Debug, PartialEq)]
pub struct Effect {
    /// The reference that leads to the record, by its name in the proto file; one of the kind's [`Related::Affected`].
    pub on: &'static str,
    /// The field that changes, by its name in the proto file: neither a reference nor anything that names the record.
    pub field: &'static str,
    /// Its new value.
    pub value: Value<'static>,
}

/// Other records that a rule looks at.
#[derive(Clone, Copy, Debug)]
pub enum Related {
    /// The other live records of the kind that refer to the same record by a field.
    Siblings {
        /// A single reference of the kind, by its name in the proto file.
        field: &'static str,
        /// Whether two batches may not change such records at the same time. Needed where a rule forbids something, and only
        /// possible where the record referred to has the same owner.
        exclusive: bool,
    },
    /// The record that a field refers to.
    Referenced {
        /// A single reference of the kind to a kind of the same owner, by its name in the proto file.
        field: &'static str,
    },
    /// The record that a field refers to, which changes with the one that refers to it. It is held like a record that the batch
    /// changes itself. The rules of its kind may ask for no related records.
    Affected {
        /// A single reference of the kind to a kind of the same owner, by its name in the proto file. It is required and immutable, so that what
        /// has to be held is known before anything is.
        field: &'static str,
    },
}

impl Related {
    /// The field it goes by.
    pub fn field(&self) -> &'static str {
        match self {
            Related::Siblings { field, .. } | Related::Referenced { field } | Related::Affected { field } => field,
        }
    }

    /// Whether a kind has such a field; for the tests of a domain.
    pub fn fits(&self, kind: Kind) -> bool {
        let field = kind.info().field_by_column(self.field());
        match (field.map(|field| field.ty), self) {
            (Some(FieldType::Ref(_)), Related::Siblings { exclusive: false, .. }) => true,
            (Some(FieldType::Ref(to)), Related::Affected { .. }) => {
                to.info().owner == kind.info().owner && field.is_some_and(|field| field.required && field.immutable)
            }
            (Some(FieldType::Ref(to)), _) => to.info().owner == kind.info().owner,
            _ => false,
        }
    }
}

/// A record as it would be, with what the rules of its kind asked for.
#[derive(Debug)]
pub struct Proposal<'a> {
    /// The record before; `None` if it is new.
    pub before: Option<&'a Record>,
    /// The record after.
    pub after: &'a Record,
    siblings: Vec<(&'static str, Vec<&'a Record>)>,
    referenced: Vec<(&'static str, &'a Record)>,
    cause: Option<&'a Record>,
    today: Option<i32>,
}

impl<'a> Proposal<'a> {
    /// A proposal without related records.
    pub fn new(before: Option<&'a Record>, after: &'a Record) -> Self {
        Self { before, after, siblings: Vec::new(), referenced: Vec::new(), cause: None, today: None }
    }

    /// Adds what [`Related::Siblings`] stands for.
    #[must_use]
    pub fn with_siblings(mut self, field: &'static str, records: Vec<&'a Record>) -> Self {
        self.siblings.push((field, records));
        self
    }

    /// Says when it is written: microseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn at(mut self, micros: i64) -> Self {
        self.today = i32::try_from(micros.div_euclid(MICROS_OF_DAY)).ok();
        self
    }

    /// Says that the change follows from what a command did to another record.
    #[must_use]
    pub fn caused_by(mut self, cause: &'a Record) -> Self {
        self.cause = Some(cause);
        self
    }

    /// Adds what [`Related::Referenced`] or [`Related::Affected`] stands for.
    #[must_use]
    pub fn with_referenced(mut self, field: &'static str, record: &'a Record) -> Self {
        self.referenced.push((field, record));
        self
    }

    /// The other live records that refer by the field to the same record as this one.
    pub fn siblings(&self, field: &str) -> impl Iterator<Item = &'a Record> {
        self.siblings.iter().filter(move |(name, _)| *name == field).flat_map(|(_, records)| records.iter().copied())
    }

    /// The day, in UTC, on which it is written: days since 1970-01-01; `None` if that is not known.
    pub fn today(&self) -> Option<i32> {
        self.today
    }

    /// The record, as a command leaves it, from which the change follows; `None` if a command asks for the change itself.
    pub fn cause(&self) -> Option<&'a Record> {
        self.cause
    }

    /// The record that the field refers to, retired or not.
    pub fn referenced(&self, field: &str) -> Option<&'a Record> {
        self.referenced.iter().find(|(name, _)| *name == field).map(|(_, record)| *record)
    }
}

/// What the rules have to say about a proposal.
#[derive(Debug, Default)]
pub struct Findings {
    /// What makes it invalid.
    pub problems: Vec<Problem>,
    /// What the writer should know.
    pub warnings: Vec<Problem>,
}

impl Findings {
    /// A rule is broken. `field` is a name in the proto file, or empty for the whole record; the message holds no personal
    /// data.
    pub fn broken(&mut self, field: &str, message: impl Into<String>) {
        self.problems.push(problem(field, ProblemCode::Rule, message));
    }

    /// A value is missing that other values call for.
    pub fn missing(&mut self, field: &str, message: impl Into<String>) {
        self.problems.push(problem(field, ProblemCode::Required, message));
    }

    /// A value is changed that stays once it is given.
    pub fn immutable(&mut self, field: &str, message: impl Into<String>) {
        self.problems.push(problem(field, ProblemCode::Immutable, message));
    }

    /// Something looks odd and is allowed.
    pub fn warn(&mut self, field: &str, message: impl Into<String>) {
        self.warnings.push(problem(field, ProblemCode::Rule, message));
    }
}

/// A problem in the words of the contract.
pub(crate) fn problem(field: &str, code: ProblemCode, message: impl Into<String>) -> Problem {
    Problem { field: field.to_owned(), code: code.into(), message: message.into() }
}
