//! Writes out fragments and puts together the fields with the same key (GraphQL specification, CollectFields).

use apollo_compiler::{
    ExecutableDocument,
    ast::Value,
    collections::IndexMap,
    executable::{DirectiveList, Field, Selection, SelectionSet},
    response::{JsonMap, JsonValue},
};

/// The fields of one key of the answer; the first says what is asked, all of them say what of it.
pub(super) type Group<'d> = Vec<&'d Field>;

/// Collects the fields asked of an object type, in the order in which they are first asked.
pub(super) struct Collector<'d> {
    pub(super) document: &'d ExecutableDocument,
    pub(super) variables: &'d JsonMap,
}

impl<'d> Collector<'d> {
    /// The fields of several selections of one object type, by their key in the answer.
    pub(super) fn fields(
        &self,
        sets: impl IntoIterator<Item = &'d SelectionSet>,
        type_name: &str,
        interfaces: &[&str],
    ) -> IndexMap<&'d str, Group<'d>> {
        let mut groups = IndexMap::default();
        let mut visited = Vec::new();
        for set in sets {
            self.collect(set, type_name, interfaces, &mut visited, &mut groups);
        }
        groups
    }

    fn collect(
        &self,
        set: &'d SelectionSet,
        type_name: &str,
        interfaces: &[&str],
        visited: &mut Vec<&'d str>,
        groups: &mut IndexMap<&'d str, Group<'d>>,
    ) {
        let applies = |condition: &str| condition == type_name || interfaces.contains(&condition);
        for selection in &set.selections {
            if !self.is_asked(selection.directives()) {
                continue;
            }
            match selection {
                Selection::Field(field) => groups.entry(field.response_key().as_str()).or_default().push(field),
                Selection::InlineFragment(fragment) => {
                    if fragment.type_condition.as_ref().is_none_or(|condition| applies(condition.as_str())) {
                        self.collect(&fragment.selection_set, type_name, interfaces, visited, groups);
                    }
                }
                Selection::FragmentSpread(spread) => {
                    let name = spread.fragment_name.as_str();
                    if visited.contains(&name) {
                        continue;
                    }
                    visited.push(name);
                    if let Some(fragment) = self.document.fragments.get(name)
                        && applies(fragment.type_condition().as_str())
                    {
                        self.collect(&fragment.selection_set, type_name, interfaces, visited, groups);
                    }
                }
            }
        }
    }

    fn is_asked(&self, directives: &DirectiveList) -> bool {
        let holds = |name: &str| {
            directives.get(name).map(|directive| match directive.specified_argument_by_name("if").map(AsRef::as_ref) {
                Some(Value::Boolean(value)) => *value,
                Some(Value::Variable(variable)) => {
                    self.variables.get(variable.as_str()) == Some(&JsonValue::Bool(true))
                }
                _ => false,
            })
        };
        !holds("skip").unwrap_or(false) && holds("include").unwrap_or(true)
    }
}
