//! The relations of a kind under one name each: references, their inverses, and paths along both.

use super::{FieldInfo, FieldType, Kind, PathInfo};

/// A relation of a kind, as queries and filters see it.
#[derive(Clone, Debug)]
pub struct Relation {
    /// Its name on the kind it starts from: `parent`, `children`, `workers`.
    pub name: &'static str,
    /// The kind it leads to.
    pub to: Kind,
    /// Whether it leads to many records.
    pub many: bool,
    /// How to follow it; one step, or several for a path.
    pub steps: Vec<Step>,
    /// What it means.
    pub doc: String,
}

/// One hop from a record to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Along a reference field of the kind one is at.
    Forward {
        /// The kind that has the field.
        kind: Kind,
        /// The number of the field.
        field: usize,
    },
    /// Against a reference field, to the records that refer to the one one is at.
    Inverse {
        /// The kind that has the field; this is where the step leads.
        kind: Kind,
        /// The number of the field.
        field: usize,
    },
    /// Along a reference field to the own kind again and again: to all records above.
    Above {
        /// The kind that has the field.
        kind: Kind,
        /// The number of the field.
        field: usize,
    },
    /// Against a reference field to the own kind again and again: to all records below.
    Below {
        /// The kind that has the field.
        kind: Kind,
        /// The number of the field.
        field: usize,
    },
}

impl Step {
    /// The same step the other way round.
    #[must_use]
    pub fn reversed(self) -> Step {
        match self {
            Step::Forward { kind, field } => Step::Inverse { kind, field },
            Step::Inverse { kind, field } => Step::Forward { kind, field },
            Step::Above { kind, field } => Step::Below { kind, field },
            Step::Below { kind, field } => Step::Above { kind, field },
        }
    }
}

impl Kind {
    /// Every relation of the kind: references in the order of its fields, then inverses, then those of its tree, then paths.
    pub fn relations(self) -> Vec<Relation> {
        let mut relations = self.direct_relations();
        relations.extend(self.tree_relations());
        for path in self.info().paths {
            relations.extend(self.follow(path));
        }
        relations
    }

    /// The relation with a name.
    pub fn relation(self, name: &str) -> Option<Relation> {
        self.relations().into_iter().find(|relation| relation.name == name)
    }

    /// The relations to what a record is a part of.
    pub fn belongs_to(self) -> Vec<Relation> {
        self.info().belongs_to.iter().filter_map(|name| self.relation(name)).collect()
    }

    pub(super) fn direct_relations(self) -> Vec<Relation> {
        let forward = self.info().own.iter().filter_map(|field| {
            let (to, many) = target(field)?;
            let step = Step::Forward { kind: self, field: field.index };
            Some(Relation { name: field.relation, to, many, steps: vec![step], doc: field.doc.to_owned() })
        });
        let inverse = Kind::ALL.iter().flat_map(|&from| {
            let info = from.info();
            info.own.iter().filter_map(move |field| {
                let (to, _) = target(field)?;
                (to == self).then(|| Relation {
                    name: field.inverse,
                    to: from,
                    many: true,
                    steps: vec![Step::Inverse { kind: from, field: field.index }],
                    doc: format!("The records of kind {} whose `{}` is or holds this record.", info.name, field.name),
                })
            })
        });
        forward.chain(inverse).collect()
    }

    /// The number of the field that makes a tree of the records of the kind.
    pub fn tree_field(self) -> Option<usize> {
        self.info().own.iter().find(|field| field.tree).map(|field| field.index)
    }

    pub(super) fn tree_relations(self) -> Vec<Relation> {
        let Some(info) = self.info().own.iter().find(|field| field.tree) else { return Vec::new() };
        let (kind, field) = (self, info.index);
        let relation = |name, step, doc| Relation { name, to: self, many: true, steps: vec![step], doc };
        vec![
            relation(
                "ancestors",
                Step::Above { kind, field },
                format!("All records above this one by `{}`, the nearest first, each once.", info.relation),
            ),
            relation(
                "descendants",
                Step::Below { kind, field },
                format!("All records below this one by `{}`, each once.", info.inverse),
            ),
        ]
    }

    fn follow(self, path: &'static PathInfo) -> Option<Relation> {
        let mut at = self;
        let mut steps = Vec::new();
        for name in path.steps {
            let next = at.direct_relations().into_iter().find(|relation| relation.name == *name)?;
            at = next.to;
            steps.extend(next.steps);
        }
        Some(Relation { name: path.name, to: at, many: true, steps, doc: path.doc.to_owned() })
    }
}

fn target(field: &FieldInfo) -> Option<(Kind, bool)> {
    match field.ty {
        FieldType::Ref(kind) => Some((kind, false)),
        FieldType::RefList(kind) => Some((kind, true)),
        _ => None,
    }
}
