//! Sets of fields of a kind.

use spil_proto::model::{FieldInfo, Kind, Purpose};

/// Some fields of a kind, by their numbers. Holds numbers below 128; a test keeps every kind below that.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FieldSet(u128);

impl FieldSet {
    /// No field.
    pub const NONE: FieldSet = FieldSet(0);
    /// Every field.
    pub const ALL: FieldSet = FieldSet(u128::MAX);

    /// Whether a field is in it.
    pub fn contains(self, field: usize) -> bool {
        u32::try_from(field).ok().and_then(|field| 1_u128.checked_shl(field)).is_some_and(|bit| self.0 & bit != 0)
    }

    /// Adds a field.
    pub fn insert(&mut self, field: usize) {
        if let Some(bit) = u32::try_from(field).ok().and_then(|field| 1_u128.checked_shl(field)) {
            self.0 |= bit;
        }
    }

    /// Whether no field is in it.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The fields of either.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The fields of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The fields of this that are not in the other.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether the other's fields are all in this.
    pub fn covers(self, other: Self) -> bool {
        other.0 & !self.0 == 0
    }

    /// The numbers of the fields, in ascending order.
    pub fn iter(self) -> impl Iterator<Item = usize> {
        (0..128).filter(move |field| self.contains(*field))
    }

    /// The fields of a kind that identify somebody.
    pub fn identifying(kind: Kind) -> Self {
        let info = kind.info();
        info.fields().map(|field| field.index).filter(|field| info.identifies(*field)).collect()
    }

    /// Those of them that the register of personal data has for a purpose.
    pub(crate) fn identifying_for(kind: Kind, purpose: Purpose) -> Self {
        let info = kind.info();
        let is_for = |field: &usize| info.personal(*field).is_some_and(|personal| personal.purposes.contains(&purpose));
        Self::identifying(kind).iter().filter(is_for).collect()
    }

    pub(crate) fn bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }
}

impl FromIterator<usize> for FieldSet {
    fn from_iter<T: IntoIterator<Item = usize>>(fields: T) -> Self {
        fields.into_iter().fold(FieldSet::NONE, |mut set, field| {
            set.insert(field);
            set
        })
    }
}

impl std::fmt::Debug for FieldSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if *self == FieldSet::ALL { f.write_str("all") } else { f.debug_set().entries(self.iter()).finish() }
    }
}

/// The field of a kind with its name in GraphQL, also one that is only written.
pub(crate) fn by_name(kind: Kind, name: &str) -> Option<&'static FieldInfo> {
    kind.info().field_by_name(name).or_else(|| kind.info().input_by_name(name))
}
