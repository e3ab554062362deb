//! Differences between the types of two schemas.

use apollo_compiler::{
    Node, Schema,
    ast::FieldDefinition,
    collections::{IndexMap, IndexSet},
    schema::{Component, ComponentName, DirectiveList, EnumType, ExtendedType, InputObjectType, Name, Type, UnionType},
};

use super::{
    argument,
    difference::{
        Found,
        Severity::{Breaking, Dangerous, Safe},
        tell,
    },
};

type Fields = IndexMap<Name, Component<FieldDefinition>>;

/// Compares all types and the roots of the operations.
pub(super) fn compare(old: &Schema, new: &Schema, found: &mut Found) {
    roots(old, new, found);
    for (name, before) in &old.types {
        match new.types.get(name) {
            None => tell(found, Breaking, name.as_str(), "the type is gone"),
            Some(after) => named(new, before, after, found),
        }
    }
    for name in new.types.keys().filter(|name| !old.types.contains_key(*name)) {
        tell(found, Safe, name.as_str(), "the type is new");
    }
}

fn roots(old: &Schema, new: &Schema, found: &mut Found) {
    let of = |schema: &Schema| {
        let roots = &schema.schema_definition;
        [
            ("query", roots.query.clone()),
            ("mutation", roots.mutation.clone()),
            ("subscription", roots.subscription.clone()),
        ]
    };
    for ((kind, before), (_, after)) in of(old).into_iter().zip(of(new)) {
        let path = format!("schema.{kind}");
        match (before.map(|name| name.name), after.map(|name| name.name)) {
            (Some(before), Some(after)) if before != after => {
                tell(found, Breaking, path, format!("the root type was {before} and is {after}"));
            }
            (Some(_), None) => tell(found, Breaking, path, "the root type is gone"),
            (None, Some(_)) => tell(found, Safe, path, "the root type is new"),
            _ => {}
        }
    }
}

fn named(new: &Schema, before: &ExtendedType, after: &ExtendedType, found: &mut Found) {
    let name = before.name().as_str();
    if before.description() != after.description() {
        tell(found, Safe, name, "the description has changed");
    }
    match (before, after) {
        (ExtendedType::Scalar(before), ExtendedType::Scalar(after)) => {
            if specified_by(&before.directives) != specified_by(&after.directives) {
                tell(found, Dangerous, name, "the specification of the scalar has changed");
            }
        }
        (ExtendedType::Object(before), ExtendedType::Object(after)) => {
            interfaces(name, &before.implements_interfaces, &after.implements_interfaces, found);
            fields(new, name, &before.fields, &after.fields, found);
        }
        (ExtendedType::Interface(before), ExtendedType::Interface(after)) => {
            interfaces(name, &before.implements_interfaces, &after.implements_interfaces, found);
            fields(new, name, &before.fields, &after.fields, found);
        }
        (ExtendedType::Union(before), ExtendedType::Union(after)) => union(name, before, after, found),
        (ExtendedType::Enum(before), ExtendedType::Enum(after)) => enumeration(name, before, after, found),
        (ExtendedType::InputObject(before), ExtendedType::InputObject(after)) => input(name, before, after, found),
        _ => {
            let message = format!("it was {} and is {}", kind_of(before), kind_of(after));
            tell(found, Breaking, name, message);
        }
    }
}

fn kind_of(ty: &ExtendedType) -> &'static str {
    match ty {
        ExtendedType::Scalar(_) => "a scalar",
        ExtendedType::Object(_) => "an object type",
        ExtendedType::Interface(_) => "an interface",
        ExtendedType::Union(_) => "a union",
        ExtendedType::Enum(_) => "an enumeration",
        ExtendedType::InputObject(_) => "an input type",
    }
}

fn specified_by(directives: &DirectiveList) -> Option<String> {
    let url = directives.get("specifiedBy")?.specified_argument_by_name("url")?;
    url.as_str().map(str::to_owned)
}

fn interfaces(name: &str, before: &IndexSet<ComponentName>, after: &IndexSet<ComponentName>, found: &mut Found) {
    for interface in before.iter().filter(|interface| !after.contains(*interface)) {
        tell(found, Breaking, name, format!("it no longer implements {}", interface.name));
    }
    for interface in after.iter().filter(|interface| !before.contains(*interface)) {
        tell(found, Dangerous, name, format!("it now implements {}", interface.name));
    }
}

fn fields(new: &Schema, name: &str, before: &Fields, after: &Fields, found: &mut Found) {
    for (field, old) in before {
        let path = format!("{name}.{field}");
        let Some(current) = after.get(field) else {
            tell(found, Breaking, path, "the field is gone");
            continue;
        };
        if old.ty != current.ty {
            let severity = if is_narrower(new, &current.ty, &old.ty) { Safe } else { Breaking };
            tell(found, severity, &path, format!("its type was {} and is {}", old.ty, current.ty));
        }
        if old.description != current.description {
            tell(found, Safe, &path, "the description has changed");
        }
        deprecation(&path, old.directives.get("deprecated"), current.directives.get("deprecated"), found);
        argument::arguments(&path, &old.arguments, &current.arguments, found);
    }
    for field in after.keys().filter(|field| !before.contains_key(*field)) {
        tell(found, Safe, format!("{name}.{field}"), "the field is new");
    }
}

pub(super) fn deprecation<T: PartialEq>(path: &str, before: Option<&T>, after: Option<&T>, found: &mut Found) {
    match (before, after) {
        (None, Some(_)) => tell(found, Safe, path, "it is deprecated now"),
        (Some(_), None) => tell(found, Safe, path, "it is no longer deprecated"),
        (Some(before), Some(after)) if before != after => {
            tell(found, Safe, path, "the reason of its deprecation has changed");
        }
        _ => {}
    }
}

/// Whether all that `after` gives can be taken for `before`.
fn is_narrower(schema: &Schema, after: &Type, before: &Type) -> bool {
    match (after, before) {
        (Type::NonNullNamed(after), Type::NonNullNamed(before) | Type::Named(before))
        | (Type::Named(after), Type::Named(before)) => after == before || schema.is_subtype(before, after),
        (Type::NonNullList(after), Type::NonNullList(before) | Type::List(before))
        | (Type::List(after), Type::List(before)) => is_narrower(schema, after, before),
        _ => false,
    }
}

fn union(name: &str, before: &Node<UnionType>, after: &Node<UnionType>, found: &mut Found) {
    for member in before.members.iter().filter(|member| !after.members.contains(*member)) {
        tell(found, Breaking, name, format!("{} is no longer a member", member.name));
    }
    for member in after.members.iter().filter(|member| !before.members.contains(*member)) {
        tell(found, Dangerous, name, format!("{} is a new member", member.name));
    }
}

fn enumeration(name: &str, before: &Node<EnumType>, after: &Node<EnumType>, found: &mut Found) {
    for (value, old) in &before.values {
        let path = format!("{name}.{value}");
        match after.values.get(value) {
            None => tell(found, Breaking, path, "the value is gone"),
            Some(current) => {
                if old.description != current.description {
                    tell(found, Safe, &path, "the description has changed");
                }
                deprecation(&path, old.directives.get("deprecated"), current.directives.get("deprecated"), found);
            }
        }
    }
    for value in after.values.keys().filter(|value| !before.values.contains_key(*value)) {
        tell(found, Dangerous, format!("{name}.{value}"), "the value is new");
    }
}

fn input(name: &str, before: &Node<InputObjectType>, after: &Node<InputObjectType>, found: &mut Found) {
    let is_one_of = |ty: &Node<InputObjectType>| ty.directives.has("oneOf");
    match (is_one_of(before), is_one_of(after)) {
        (false, true) => tell(found, Breaking, name, "exactly one of its fields has to be given now"),
        (true, false) => tell(found, Safe, name, "several of its fields can be given now"),
        _ => {}
    }
    for (field, old) in &before.fields {
        let path = format!("{name}.{field}");
        match after.fields.get(field) {
            None => tell(found, Breaking, path, "the input field is gone"),
            Some(current) => argument::changed(&path, old, current, found),
        }
    }
    for (field, current) in after.fields.iter().filter(|(field, _)| !before.fields.contains_key(*field)) {
        argument::added(&format!("{name}.{field}"), "input field", current, found);
    }
}
