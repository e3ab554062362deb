//! Every relation of every kind under one name each, as the enumeration `RelationStep` has them: `CAPABILITY_CHILDREN`.

use std::sync::LazyLock;

use spil_graph::Way;
use spil_proto::model::{Kind, Relation, Step};

use super::schema::kind_value;

/// A relation of a kind.
pub(super) struct RelationStep {
    /// Its name in the enumeration.
    pub(super) name: String,
    /// The kind it starts from.
    pub(super) from: Kind,
    /// The relation.
    pub(super) relation: Relation,
}

impl RelationStep {
    /// The relation as a way to go.
    pub(super) fn way(&self) -> Way {
        Way { from: self.from, to: self.relation.to, steps: self.relation.steps.clone() }
    }

    /// Whether the relation is a stored reference.
    pub(super) fn is_reference(&self) -> bool {
        matches!(self.relation.steps.as_slice(), [Step::Forward { .. }])
    }
}

static ALL: LazyLock<Vec<RelationStep>> = LazyLock::new(|| {
    let steps = |kind: &'static Kind| {
        kind.relations().into_iter().map(|relation| RelationStep {
            name: format!("{}_{}", kind_value(*kind), upper_snake(relation.name)),
            from: *kind,
            relation,
        })
    };
    Kind::ALL.iter().flat_map(steps).collect()
});

/// All of them, by kind and in the order in which the kind has them.
pub(super) fn all() -> &'static [RelationStep] {
    &ALL
}

/// The place in [`all`] of the one with a name.
pub(super) fn find(name: &str) -> Option<usize> {
    ALL.iter().position(|step| step.name == name)
}

/// `directReports` as `DIRECT_REPORTS`.
fn upper_snake(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_uppercase() {
            out.push('_');
        }
        out.extend(letter.to_uppercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_name_means_one_relation() {
        let names: HashSet<&str> = all().iter().map(|step| step.name.as_str()).collect();
        assert_eq!(names.len(), all().len());
        let step = find("POSITION_DIRECT_REPORTS").map(|place| &all()[place]).expect("the relation");
        assert_eq!((step.from, step.relation.name), (Kind::Position, "directReports"));
        assert!(find("POSITION_directReports").is_none());
    }
}
