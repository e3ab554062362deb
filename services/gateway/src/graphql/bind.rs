//! Puts the variables of a request into the slots of a plan, and reads what comes of it.

mod audit;
mod batch;
mod changes;
mod entity;
mod filter;
mod input;
mod people;
mod reach;
mod search;

use apollo_compiler::{
    Name,
    ast::Value as Ast,
    response::{JsonMap, JsonValue, serde_json_bytes::ByteString},
};
use spil_graph::{Filter, Order, Position};
use spil_proto::model::{FieldInfo, Kind};
use uuid::Uuid;

use super::{
    Origin, cursor,
    error::{Code, GraphqlError},
    global_id,
    limits::{DEFAULT_FACETS, DEFAULT_PAGE, MAX_PAGE},
    plan::{Named, Plan, Purpose, Slot, Verb},
    schema,
};
use crate::{aggregate, search::Question};
pub(super) use audit::{AuditAsked, LogPage, encode_places};
pub(super) use batch::{Changes, Deed};
pub(super) use changes::Wanted;
pub(super) use input::{InputFault, Link, Write};
pub(super) use reach::{Reach, ReachPosition};
pub(super) use search::encode_hit;

/// The arguments of a field, read.
pub(super) enum Bound {
    Node(Option<(Kind, Uuid)>),
    /// Of `nodes` and of `_entities`.
    Nodes(Vec<Option<(Kind, Uuid)>>),
    Get(Get),
    List(Box<List>),
    Facets(Facets),
    /// A language tag.
    LocalName(Option<String>),
    /// The number of a field; none where another kind than the one it is for has it.
    Provenance(Option<usize>),
    Reach(Box<Reach>),
    Search(Box<Question>),
    People(aggregate::Question),
    AccessLog(LogPage),
    Audit(Box<AuditAsked>),
    /// A person; none where the id is that of none.
    SubjectExport(Option<(Kind, Uuid)>),
    Mutation(Box<Write>),
    Changes(Box<Wanted>),
    Batch(Box<Changes>),
}

impl Bound {
    /// Writes down which way a mutation came in.
    pub(super) fn came_by(&mut self, origin: Origin) {
        match self {
            Bound::Mutation(write) => write.origin = origin.to_string(),
            Bound::Batch(changes) => changes.origin = origin.to_string(),
            _ => {}
        }
    }
}

/// How a record is looked up.
pub(super) enum Get {
    Id(Option<Uuid>),
    Key(String),
    ExternalId { system: String, id: String },
}

/// Which records of a list are wanted.
pub(super) struct List {
    pub(super) filter: Option<Filter>,
    pub(super) order: Vec<Order>,
    pub(super) first: Option<usize>,
    pub(super) last: Option<usize>,
    pub(super) after: Option<Position>,
    pub(super) before: Option<Position>,
    /// How many levels down, where the list is of what is below a record.
    pub(super) depth: Option<usize>,
}

/// Of which field, and how many, facets are wanted.
pub(super) struct Facets {
    pub(super) field: &'static FieldInfo,
    pub(super) first: usize,
}

/// Reads the arguments of every slot.
///
/// # Errors
/// If a value can not be used; the path of the error leads to the field, then to the argument.
pub(super) fn bind(plan: &Plan, variables: &JsonMap) -> Result<Vec<Bound>, GraphqlError> {
    let mut allowance = Allowance { left: MAX_INPUT };
    plan.slots.iter().map(|slot| Arguments { values: values(slot, variables, &mut allowance)?, slot }.read()).collect()
}

/// How much input one request may put into its arguments: values, and every 64 bytes of text. A variable that is used many times
/// counts each time, since each use makes a filter or an input of its own.
const MAX_INPUT: usize = 100_000;

/// What is left of [`MAX_INPUT`].
struct Allowance {
    left: usize,
}

impl Allowance {
    fn take(&mut self, amount: usize) -> Result<(), GraphqlError> {
        self.left = self.left.checked_sub(amount).ok_or_else(|| {
            GraphqlError::new(Code::TooLarge, format!("the arguments of the request hold more than {MAX_INPUT} values"))
        })?;
        Ok(())
    }

    fn take_json(&mut self, value: &JsonValue) -> Result<(), GraphqlError> {
        match value {
            JsonValue::String(text) => self.take(1 + text.as_str().len() / 64),
            JsonValue::Array(items) => {
                self.take(1)?;
                items.iter().try_for_each(|item| self.take_json(item))
            }
            JsonValue::Object(fields) => {
                self.take(1)?;
                fields.iter().try_for_each(|(_, value)| self.take_json(value))
            }
            _ => self.take(1),
        }
    }
}

/// What was wrong with a value, and where in the argument.
pub(super) struct Fault {
    code: Code,
    message: String,
    /// From the inside out.
    path: Vec<String>,
}

impl Fault {
    fn new(message: impl Into<String>) -> Self {
        Self { code: Code::BadInput, message: message.into(), path: Vec::new() }
    }

    fn within(mut self, name: impl Into<String>) -> Self {
        self.path.push(name.into());
        self
    }
}

/// The arguments of one slot with the variables put in.
struct Arguments<'a> {
    slot: &'a Slot,
    values: JsonMap,
}

impl Arguments<'_> {
    fn read(&self) -> Result<Bound, GraphqlError> {
        let bound = match self.slot.purpose {
            Purpose::Node => self.id("id").map(Bound::Node),
            Purpose::Nodes => self.ids().map(Bound::Nodes),
            Purpose::Entities => entity::read(self.values.get(entity::ARGUMENT)).map(Bound::Nodes),
            Purpose::Get(kind) => self.get(kind).map(Bound::Get),
            Purpose::List(kind) => self.list(kind).map(|list| Bound::List(Box::new(list))),
            Purpose::Facets(kind) => self.facets(kind).map(Bound::Facets),
            Purpose::LocalName => Ok(Bound::LocalName(self.text("language").map(str::to_owned))),
            Purpose::Provenance(named) => self.field(named).map(Bound::Provenance),
            Purpose::Reach => self.reach().map(|reach| Bound::Reach(Box::new(reach))),
            Purpose::Search => self.search().map(|question| Bound::Search(Box::new(question))),
            Purpose::People => self.people().map(Bound::People),
            Purpose::AccessLog => self.access_log().map(Bound::AccessLog),
            Purpose::Audit => self.audit().map(|asked| Bound::Audit(Box::new(asked))),
            Purpose::SubjectExport => {
                let person = self.id("workerId");
                person.map(|id| Bound::SubjectExport(id.filter(|(kind, _)| kind.info().person)))
            }
            Purpose::Changes => changes::read(&self.values).map(|wanted| Bound::Changes(Box::new(wanted))),
            Purpose::Mutation(kind, verb) => {
                self.input().map(|input| Bound::Mutation(Box::new(input::read(kind, verb, input, None))))
            }
            // What is given is what retiring a record takes.
            Purpose::Erase(kind) => {
                self.input().map(|input| Bound::Mutation(Box::new(input::read(kind, Verb::Retire, input, None))))
            }
            Purpose::Batch => self.input().map(|input| Bound::Batch(Box::new(batch::read(input)))),
        };
        bound.map_err(|fault| {
            let path = self.slot.path.iter().map(ToString::to_string).chain(fault.path.into_iter().rev());
            GraphqlError::new(fault.code, fault.message).at(path)
        })
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name).and_then(JsonValue::as_str)
    }

    fn id(&self, name: &str) -> Result<Option<(Kind, Uuid)>, Fault> {
        Ok(self.text(name).and_then(global_id::decode))
    }

    fn field(&self, named: Named) -> Result<Option<usize>, Fault> {
        let name = self.text("field").unwrap_or_default();
        let of = |kind: Kind| schema::output_field(kind.info(), name).map(|info| info.index);
        let (kind, found) = match named {
            Named::Of(kind) => (kind, of(kind)),
            Named::OfAny(kind) if of(kind).is_none() && Kind::ALL.iter().any(|kind| of(*kind).is_some()) => {
                return Ok(None);
            }
            Named::OfAny(kind) => (kind, of(kind)),
        };
        match found {
            Some(field) => Ok(Some(field)),
            None => {
                let message = match named {
                    Named::Of(_) => format!("{} has no such field of its own", kind.info().name),
                    Named::OfAny(_) => "no kind has such a field of its own".to_owned(),
                };
                Err(Fault::new(message).within("field"))
            }
        }
    }

    fn ids(&self) -> Result<Vec<Option<(Kind, Uuid)>>, Fault> {
        let ids = self.values.get("ids").and_then(JsonValue::as_array).map(Vec::as_slice).unwrap_or_default();
        if ids.len() > MAX_PAGE {
            return Err(Fault {
                code: Code::BadInput,
                message: format!("at most {MAX_PAGE} ids in one call"),
                path: Vec::new(),
            }
            .within("ids"));
        }
        Ok(ids.iter().map(|id| id.as_str().and_then(global_id::decode)).collect())
    }

    fn get(&self, kind: Kind) -> Result<Get, Fault> {
        let external = self.values.get("externalId").and_then(JsonValue::as_object);
        match (self.text("id"), self.text("key"), external) {
            (Some(id), None, None) => {
                Ok(Get::Id(global_id::decode(id).and_then(|(found, id)| (found == kind).then_some(id))))
            }
            (None, Some(key), None) => Ok(Get::Key(key.to_owned())),
            (None, None, Some(external)) => {
                let part = |name: &str| external.get(name).and_then(JsonValue::as_str).unwrap_or_default().to_owned();
                Ok(Get::ExternalId { system: part("system"), id: part("id") })
            }
            _ => Err(Fault::new("give exactly one of `id`, `key` and `externalId`")),
        }
    }

    fn list(&self, kind: Kind) -> Result<List, Fault> {
        let filter = match self.values.get("filter") {
            None | Some(JsonValue::Null) => None,
            Some(value) => Some(filter::read(kind, value).map_err(|fault| fault.within("filter"))?),
        };
        let order = self.order(kind).map_err(|fault| fault.within("orderBy"))?;
        let (mut first, last) = (self.count("first")?, self.count("last")?);
        if first.is_none() && last.is_none() {
            first = Some(DEFAULT_PAGE);
        }
        let position = |name: &str| match self.text(name) {
            None => Ok(None),
            Some(text) => match cursor::decode(text, kind, &order) {
                Some(position) => Ok(Some(position)),
                None => Err(Fault::new("this is no cursor of this list in this order").within(name)),
            },
        };
        let (after, before) = (position("after")?, position("before")?);
        Ok(List { filter, order, first, last, after, before, depth: self.depth()? })
    }

    fn depth(&self) -> Result<Option<usize>, Fault> {
        let Some(value) = self.values.get("depth").and_then(JsonValue::as_i64) else { return Ok(None) };
        match usize::try_from(value) {
            Ok(depth @ 1..) => Ok(Some(depth)),
            _ => Err(Fault::new("`depth` is less than 1").within("depth")),
        }
    }

    fn facets(&self, kind: Kind) -> Result<Facets, Fault> {
        let field = self.text("by").and_then(|name| schema::facet_field(kind.info(), name));
        let field = field.ok_or_else(|| Fault::new("no field with facets").within("by"))?;
        Ok(Facets { field, first: self.count("first")?.unwrap_or(DEFAULT_FACETS) })
    }

    fn count(&self, name: &str) -> Result<Option<usize>, Fault> {
        let Some(value) = self.values.get(name).and_then(JsonValue::as_i64) else { return Ok(None) };
        match usize::try_from(value) {
            Err(_) => Err(Fault::new(format!("`{name}` is less than 0")).within(name)),
            Ok(count) if count > MAX_PAGE => Err(Fault {
                code: Code::BadInput,
                message: format!("`{name}` is more than {MAX_PAGE}; ask for more pages instead"),
                path: Vec::new(),
            }
            .within(name)),
            Ok(count) => Ok(Some(count)),
        }
    }

    fn order(&self, kind: Kind) -> Result<Vec<Order>, Fault> {
        let items = match self.values.get("orderBy") {
            None | Some(JsonValue::Null) => return Ok(Vec::new()),
            Some(JsonValue::Array(items)) => items.as_slice(),
            // A single value stands for a list of one.
            Some(item) => std::slice::from_ref(item),
        };
        if items.len() > MAX_ORDERS {
            return Err(Fault::new(format!("at most {MAX_ORDERS} fields to order by")));
        }
        let orders: Vec<Order> = items
            .iter()
            .map(|item| {
                let part = |name: &str| item.get(name).and_then(JsonValue::as_str);
                let by = part("field")
                    .and_then(|name| schema::order_by(kind.info(), name))
                    .ok_or_else(|| Fault::new("no field to order by"))?;
                Ok(Order { by, descending: part("direction") == Some("DESC") })
            })
            .collect::<Result<_, Fault>>()?;
        let twice =
            orders.iter().enumerate().any(|(at, order)| orders[..at].iter().any(|earlier| earlier.by == order.by));
        if twice { Err(Fault::new("a field to order by is given twice")) } else { Ok(orders) }
    }

    fn input(&self) -> Result<&JsonMap, Fault> {
        self.values.get("input").and_then(JsonValue::as_object).ok_or_else(|| Fault::new("`input` is needed"))
    }
}

/// The most fields that a list can be ordered by.
const MAX_ORDERS: usize = 8;

/// The arguments of a slot as JSON, with the variables put in. An argument whose variable has no value is left out.
fn values(slot: &Slot, variables: &JsonMap, allowance: &mut Allowance) -> Result<JsonMap, GraphqlError> {
    let mut values = JsonMap::new();
    for argument in &slot.arguments {
        if let Some(value) = json(&argument.value, variables, allowance)? {
            values.insert(byte_string(&argument.name), value);
        }
    }
    Ok(values)
}

fn byte_string(name: &Name) -> ByteString {
    ByteString::from(name.as_str().to_owned())
}

/// A value of the document as JSON; `None` if it is a variable without a value.
fn json(value: &Ast, variables: &JsonMap, allowance: &mut Allowance) -> Result<Option<JsonValue>, GraphqlError> {
    if let Ast::Variable(name) = value {
        let Some(value) = variables.get(name.as_str()) else { return Ok(None) };
        allowance.take_json(value)?;
        return Ok(Some(value.clone()));
    }
    allowance.take(1)?;
    Ok(Some(match value {
        Ast::Null | Ast::Variable(_) => JsonValue::Null,
        Ast::Enum(name) => JsonValue::String(byte_string(name)),
        Ast::String(text) => {
            allowance.take(text.len() / 64)?;
            JsonValue::String(text.clone().into())
        }
        Ast::Int(number) => {
            number.try_to_i32().map_or_else(|_| float(number.as_str()), |number| JsonValue::from(i64::from(number)))
        }
        Ast::Float(number) => float(number.as_str()),
        Ast::Boolean(value) => JsonValue::Bool(*value),
        Ast::List(items) => {
            let item = |item| Ok(json(item, variables, allowance)?.unwrap_or(JsonValue::Null));
            JsonValue::Array(items.iter().map(|node| node.as_ref()).map(item).collect::<Result<_, GraphqlError>>()?)
        }
        Ast::Object(fields) => {
            let mut object = JsonMap::new();
            for (name, value) in fields {
                if let Some(value) = json(value, variables, allowance)? {
                    object.insert(byte_string(name), value);
                }
            }
            JsonValue::Object(object)
        }
    }))
}

fn float(text: &str) -> JsonValue {
    text.parse::<f64>().map_or(JsonValue::Null, JsonValue::from)
}
