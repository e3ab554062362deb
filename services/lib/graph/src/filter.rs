//! Conditions on records.

mod check;
mod plan;

use spil_proto::model::{Kind, Step, Value};

pub(crate) use plan::Plan;

use crate::{Budget, Exhausted, Graph, Row};

/// The deepest nesting of a filter, each step of a relation counted as one level. A deeper one fails as [`Exhausted`].
pub const MAX_FILTER_DEPTH: usize = 64;

/// A condition on a record.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// All of these hold; true if there are none.
    And(Vec<Filter>),
    /// At least one of these holds; false if there are none.
    Or(Vec<Filter>),
    /// This does not hold.
    Not(Box<Filter>),
    /// A field passes a test.
    Field {
        /// The number of the field.
        field: usize,
        /// The test.
        test: Test,
    },
    /// So many of the related records pass a filter. References that dangle lead to no record.
    Related {
        /// How to get to them.
        steps: Vec<Step>,
        /// The kind of the related records.
        to: Kind,
        /// How many have to pass.
        quantifier: Quantifier,
        /// What they have to pass; without one, all pass.
        filter: Option<Box<Filter>>,
    },
}

/// How many related records have to pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantifier {
    /// At least one.
    Some,
    /// Not one.
    None,
    /// All; true if there are none.
    Every,
    /// A number of them, each record counted once.
    Count {
        /// The fewest.
        least: usize,
        /// The most; no number is in the range if this is less.
        most: usize,
    },
}

/// A test of one field.
///
/// A missing value passes `IsNull(true)`, `NotEquals` and `NotIn`, and no other test. `NotEquals` and `NotIn` are the exact opposites of
/// `Equals` and `In`. A value to compare with that is null, or of another type than the field, equals nothing and has no order; a
/// whole number will do for any field of numbers. Fields that hold lists pass only `IsNull`, `NotEquals`, `NotIn` and the tests of lists.
/// Fields that refer are tested by the ids they hold, also where these lead nowhere.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// There is no value (or, if false: there is one).
    IsNull(bool),
    /// The value is this one. Texts are compared byte by byte.
    Equals(Value<'static>),
    /// The value is not this one.
    NotEquals(Value<'static>),
    /// The value is one of these.
    In(Vec<Value<'static>>),
    /// The value is none of these.
    NotIn(Vec<Value<'static>>),
    /// The value comes before this one in the order of [`crate::Order`].
    Less(Value<'static>),
    /// The value is this one or comes before it.
    LessOrEqual(Value<'static>),
    /// The value comes after this one.
    Greater(Value<'static>),
    /// The value is this one or comes after it.
    GreaterOrEqual(Value<'static>),
    /// The text holds this one, without regard to case and accents.
    Contains(String),
    /// The text starts with this one, without regard to case and accents.
    StartsWith(String),
    /// The list holds this item: a text, an enumeration value, the id of a record; or all of these external ids or translations.
    Has(Value<'static>),
    /// The list of texts holds one that passes all of these tests.
    HasText(Vec<Test>),
    /// The list of external ids holds one whose system and id pass all of these tests, or the list of translations one whose language and
    /// name do.
    HasPair {
        /// Tests of the system or the language.
        first: Vec<Test>,
        /// Tests of the id or the name.
        second: Vec<Test>,
    },
}

impl Graph {
    /// Whether a record passes a filter. The record itself costs 1, and each related one that is looked at 1 more.
    ///
    /// # Errors
    /// If more records have to be looked at than the budget allows, or the filter is too deep.
    pub fn matches(&self, kind: Kind, row: Row, filter: &Filter, budget: &mut Budget) -> Result<bool, Exhausted> {
        let plan = Plan::new(self, kind, filter)?;
        budget.spend(1)?;
        plan.matches(self, kind, row, budget)
    }
}
