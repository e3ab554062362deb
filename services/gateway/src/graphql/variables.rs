//! Reads the variables of a request, and says what is wrong with each of them.

use apollo_compiler::{
    Schema,
    ast::Type,
    executable::Operation,
    request::coerce_variable_values,
    response::{JsonMap, JsonValue},
    schema::ExtendedType,
    validation::Valid,
};

use super::error::{Code, GraphqlError};

/// The most faults that are told of one request.
const MAX_FAULTS: usize = 20;

/// The values of the variables of an operation, as their types say.
///
/// # Errors
/// If values are missing or can not be of their type. Every one is told, up to a number, with a path that leads to it from `variables` on.
pub(super) fn read(
    schema: &Valid<Schema>,
    operation: &Operation,
    values: &JsonMap,
) -> Result<Valid<JsonMap>, Vec<GraphqlError>> {
    coerce_variable_values(schema, operation, values).map_err(|error| {
        let mut faults = Faults { schema, path: vec!["variables".to_owned()], found: Vec::new() };
        for variable in &operation.variables {
            let is_needed = variable.ty.is_non_null() && variable.default_value.is_none();
            faults.field(variable.name.as_str(), &variable.ty, is_needed, values);
        }
        if faults.found.is_empty() {
            // The library is stricter than this page, which says the most usual things only. Its words may quote the value.
            let message: String = error.message().to_string().chars().take(MAX_MESSAGE).collect();
            faults.found.push(GraphqlError::new(Code::BadInput, message));
        }
        faults.found
    })
}

/// The most letters of a message that is not ours.
const MAX_MESSAGE: usize = 300;

struct Faults<'a> {
    schema: &'a Valid<Schema>,
    /// Where in the request the present value is.
    path: Vec<String>,
    found: Vec<GraphqlError>,
}

impl Faults<'_> {
    fn tell(&mut self, message: impl Into<String>) {
        if self.found.len() < MAX_FAULTS {
            self.found.push(GraphqlError::new(Code::BadInput, message).at(self.path.iter().cloned()));
        }
    }

    /// Looks at one value of an object: a variable, or a field of an input.
    fn field(&mut self, name: &str, ty: &Type, is_needed: bool, values: &JsonMap) {
        self.path.push(name.to_owned());
        match values.get(name) {
            Some(value) => self.value(ty, value),
            None if is_needed => self.tell(format!("a value of the type {ty} is needed")),
            None => {}
        }
        self.path.pop();
    }

    fn value(&mut self, ty: &Type, value: &JsonValue) {
        if self.found.len() >= MAX_FAULTS {
            return;
        }
        let name = match ty {
            _ if value.is_null() => {
                if ty.is_non_null() {
                    self.tell(format!("a value of the type {ty} is needed, not null"));
                }
                return;
            }
            Type::List(inner) | Type::NonNullList(inner) => {
                match value {
                    JsonValue::Array(items) => {
                        for (at, item) in items.iter().enumerate() {
                            self.path.push(at.to_string());
                            self.value(inner, item);
                            self.path.pop();
                        }
                    }
                    // A single value stands for a list of one.
                    item => self.value(inner, item),
                }
                return;
            }
            Type::Named(name) | Type::NonNullNamed(name) => name,
        };
        match self.schema.types.get(name) {
            Some(ExtendedType::InputObject(input)) => {
                let Some(object) = value.as_object() else {
                    return self.tell(format!("an object of the type {name} is due"));
                };
                for key in object.keys().map(|key| key.as_str()).filter(|key| !input.fields.contains_key(*key)) {
                    // The key is the caller's text and may be of any length.
                    let key: String = key.chars().filter(|letter| !letter.is_control()).take(64).collect();
                    self.path.push(key);
                    self.tell(format!("{name} has no such field"));
                    self.path.pop();
                }
                for (field, definition) in &input.fields {
                    let is_needed = definition.ty.is_non_null() && definition.default_value.is_none();
                    self.field(field.as_str(), &definition.ty, is_needed, object);
                }
            }
            Some(ExtendedType::Enum(list))
                if !value.as_str().is_some_and(|text| list.values.keys().any(|known| known.as_str() == text)) =>
            {
                self.tell(format!("this is no value of {name}"));
            }
            Some(ExtendedType::Scalar(_)) => {
                let fits = match name.as_str() {
                    "Int" => value.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
                    "Float" => value.is_number(),
                    "String" => value.is_string(),
                    "Boolean" => value.is_boolean(),
                    "ID" => value.is_string() || value.is_i64(),
                    _ => true,
                };
                if !fits {
                    self.tell(format!("a value of the type {name} is due"));
                }
            }
            _ => {}
        }
    }
}
