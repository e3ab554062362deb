//! Differences between what is given: arguments, input fields, directives.

use apollo_compiler::{
    Node, Schema,
    ast::InputValueDefinition,
    schema::{DirectiveDefinition, Type},
};

use super::{
    definitions::deprecation,
    difference::{
        Found,
        Severity::{Breaking, Dangerous, Safe},
        tell,
    },
};

/// Compares the arguments of a field or a directive.
pub(super) fn arguments(
    path: &str,
    before: &[Node<InputValueDefinition>],
    after: &[Node<InputValueDefinition>],
    found: &mut Found,
) {
    for old in before {
        let path = format!("{path}({}:)", old.name);
        match after.iter().find(|current| current.name == old.name) {
            None => tell(found, Breaking, path, "the argument is gone"),
            Some(current) => changed(&path, old, current, found),
        }
    }
    for current in after.iter().filter(|current| before.iter().all(|old| old.name != current.name)) {
        added(&format!("{path}({}:)", current.name), "argument", current, found);
    }
}

/// Compares an argument or input field that both have.
pub(super) fn changed(path: &str, old: &InputValueDefinition, current: &InputValueDefinition, found: &mut Found) {
    if old.ty != current.ty {
        let severity = if is_wider(&current.ty, &old.ty) { Safe } else { Breaking };
        tell(found, severity, path, format!("its type was {} and is {}", old.ty, current.ty));
    }
    if old.default_value != current.default_value {
        let text = |value: &InputValueDefinition| {
            value.default_value.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string)
        };
        let severity = match (old.is_required(), current.is_required()) {
            (false, true) => Breaking,
            (true, false) => Safe,
            _ => Dangerous,
        };
        tell(found, severity, path, format!("its default was {} and is {}", text(old), text(current)));
    }
    if old.description != current.description {
        tell(found, Safe, path, "the description has changed");
    }
    deprecation(path, old.directives.get("deprecated"), current.directives.get("deprecated"), found);
}

/// Tells of an argument or input field that only the new schema has.
pub(super) fn added(path: &str, what: &str, current: &InputValueDefinition, found: &mut Found) {
    if current.is_required() {
        tell(found, Breaking, path, format!("the {what} is new and has to be given"));
    } else {
        tell(found, Dangerous, path, format!("the {what} is new"));
    }
}

/// Whether everything that could be given as `before` can be given as `after`.
fn is_wider(after: &Type, before: &Type) -> bool {
    match (after, before) {
        (Type::Named(after), Type::Named(before) | Type::NonNullNamed(before))
        | (Type::NonNullNamed(after), Type::NonNullNamed(before)) => after == before,
        (Type::List(after), Type::List(before) | Type::NonNullList(before))
        | (Type::NonNullList(after), Type::NonNullList(before)) => is_wider(after, before),
        _ => false,
    }
}

/// Compares the definitions of directives.
pub(super) fn directives(old: &Schema, new: &Schema, found: &mut Found) {
    for (name, before) in &old.directive_definitions {
        match new.directive_definitions.get(name) {
            None => tell(found, Breaking, format!("@{name}"), "the directive is gone"),
            Some(after) => directive(before, after, found),
        }
    }
    for name in new.directive_definitions.keys().filter(|name| !old.directive_definitions.contains_key(*name)) {
        tell(found, Safe, format!("@{name}"), "the directive is new");
    }
}

fn directive(before: &DirectiveDefinition, after: &DirectiveDefinition, found: &mut Found) {
    let path = format!("@{}", before.name);
    for location in before.locations.iter().filter(|location| !after.locations.contains(location)) {
        tell(found, Breaking, &path, format!("it can no longer stand on {location}"));
    }
    for location in after.locations.iter().filter(|location| !before.locations.contains(location)) {
        tell(found, Safe, &path, format!("it can stand on {location} now"));
    }
    match (before.repeatable, after.repeatable) {
        (true, false) => tell(found, Breaking, &path, "it can no longer be repeated"),
        (false, true) => tell(found, Safe, &path, "it can be repeated now"),
        _ => {}
    }
    arguments(&path, &before.arguments, &after.arguments, found);
}
