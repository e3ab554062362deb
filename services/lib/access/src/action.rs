//! What somebody may do, and with which records.

/// Something that is allowed or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// See records, but for what identifies people.
    Read,
    /// See what identifies people, for a purpose.
    Identify,
    /// Ask for figures about groups of people whose records are not seen.
    Aggregate,
    /// Make records.
    Create,
    /// Change records.
    Update,
    /// Retire records.
    Retire,
    /// Get everything that is kept about a person in one file.
    Export,
    /// Erase a person.
    Erase,
    /// See who changed and who read what.
    Audit,
    /// Read the raw snapshots and change feeds of the owners, with everything in them.
    Follow,
    /// See how the service itself is doing. Has no kind and no scope.
    Operate,
}

impl Action {
    /// Every action.
    pub const ALL: [Action; 11] = [
        Action::Read,
        Action::Identify,
        Action::Aggregate,
        Action::Create,
        Action::Update,
        Action::Retire,
        Action::Export,
        Action::Erase,
        Action::Audit,
        Action::Follow,
        Action::Operate,
    ];

    /// Its name in a policy: `read`.
    pub fn name(self) -> &'static str {
        match self {
            Action::Read => "read",
            Action::Identify => "identify",
            Action::Aggregate => "aggregate",
            Action::Create => "create",
            Action::Update => "update",
            Action::Retire => "retire",
            Action::Export => "export",
            Action::Erase => "erase",
            Action::Audit => "audit",
            Action::Follow => "follow",
            Action::Operate => "operate",
        }
    }

    /// The action with a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Action::ALL.into_iter().find(|action| action.name() == name)
    }

    /// Whether it changes records by commands.
    pub fn is_write(self) -> bool {
        matches!(self, Action::Create | Action::Update | Action::Retire)
    }

    /// Whether it can be allowed for some records only. The others are about a kind, or the service, as a whole.
    pub fn has_scope(self) -> bool {
        !matches!(self, Action::Aggregate | Action::Follow | Action::Operate)
    }

    pub(crate) fn has_fields(self) -> bool {
        matches!(self, Action::Read | Action::Identify | Action::Create | Action::Update)
    }

    pub(crate) fn place(self) -> usize {
        self as usize
    }
}

/// Which records something is allowed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// Every record.
    All,
    /// The units of the viewer's current positions, those that these positions head, everything below them, and what belongs to them.
    OwnOrgSubtree,
    /// The viewer's own worker, and the records that are about that worker.
    OwnRecord,
    /// The initiatives that the viewer sponsors or has a stake in, and what belongs to them.
    OwnInitiatives,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Scope; 4] = [Scope::All, Scope::OwnOrgSubtree, Scope::OwnRecord, Scope::OwnInitiatives];

    /// Its name in a policy: `own_record`.
    pub fn name(self) -> &'static str {
        match self {
            Scope::All => "all",
            Scope::OwnOrgSubtree => "own_org_subtree",
            Scope::OwnRecord => "own_record",
            Scope::OwnInitiatives => "own_initiatives",
        }
    }

    /// The scope with a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Scope::ALL.into_iter().find(|scope| scope.name() == name)
    }
}

/// The scopes that a record is in. [`Scope::All`] always is one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ScopeSet(u8);

impl ScopeSet {
    /// The scopes of a record that is nobody's own.
    pub const ALL_ONLY: ScopeSet = ScopeSet(1);

    /// The same with one more.
    #[must_use]
    pub fn with(self, scope: Scope) -> Self {
        Self(self.0 | 1 << scope as u8)
    }

    /// Whether a scope is among them.
    pub fn contains(self, scope: Scope) -> bool {
        self.0 & (1 << scope as u8) != 0
    }

    /// What two sets have in common.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl Default for ScopeSet {
    fn default() -> Self {
        ScopeSet::ALL_ONLY
    }
}

impl FromIterator<Scope> for ScopeSet {
    fn from_iter<T: IntoIterator<Item = Scope>>(scopes: T) -> Self {
        scopes.into_iter().fold(ScopeSet::ALL_ONLY, ScopeSet::with)
    }
}
