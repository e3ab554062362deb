//! Plans: an operation with its fragments written out, its fields resolved against the model table, ready to be run many times.
//!
//! A plan depends on the document and on the variables that decide which fields are asked for; not on other variables,
//! which [`bind`](super::bind) puts into the numbered slots of a plan for each request.

mod batch;
mod collect;
mod erase;
mod object;
mod people;
mod reach;
mod search;
mod subscription;

use std::{
    collections::HashMap,
    sync::atomic::{AtomicBool, Ordering},
};

use apollo_compiler::{
    ExecutableDocument, Node,
    ast::{Argument, OperationType},
    executable::Operation,
    response::JsonMap,
    validation::Valid,
};
use spil_graph::Row;
use spil_proto::model::{Kind, Step};

use super::{
    demand::Demand,
    error::{Code, GraphqlError},
    limits::Limits,
};
pub(super) use batch::{ChangesField, ResultField, StepField};
pub(super) use erase::EraseField;
pub(super) use object::What;
pub(super) use people::{PeopleField, PeopleGroupField, PeopleItem};
pub(super) use reach::{ReachEdgeField, ReachField, ReachItem, ReachStepField};
pub(super) use search::{HighlightField, PartField, SearchEdgeField, SearchField, SearchItem};
pub(super) use subscription::{ChangeField, Subscribed, SubscriptionField};

/// How to run an operation.
pub(super) struct Plan {
    pub(super) root: Root,
    /// The arguments of the fields that have any, by slot.
    pub(super) slots: Vec<Slot>,
    /// What has to be allowed before it is run.
    pub(super) demands: Vec<Demand>,
    /// Whether it was found to be too much work for a thread that answers others too.
    pub(super) is_heavy: AtomicBool,
}

/// The most questions about the schema in one request; the answer to one may be half a megabyte.
const MAX_INTROSPECTIONS: usize = 4;

impl Plan {
    /// How often the schema itself is asked.
    pub(super) fn introspections(&self) -> usize {
        let Root::Query(items) = &self.root else { return 0 };
        items.iter().filter(|item| matches!(item.what, QueryField::Introspection)).count()
    }

    /// Whether it asks for the schema, or for its text as subgraphs give it to routers.
    pub(super) fn tells_schema(&self) -> bool {
        let Root::Query(items) = &self.root else { return false };
        items.iter().any(|item| matches!(item.what, QueryField::Introspection | QueryField::Service(_)))
    }

    /// Whether it searches by words.
    pub(super) fn searches(&self) -> bool {
        let items = match &self.root {
            Root::Query(items) => items,
            Root::Subscription(item) => match &item.what {
                SubscriptionField::Answer(Subscribed::Query(items)) => items,
                _ => return false,
            },
            Root::Mutation(_) => return false,
        };
        items.iter().any(|item| matches!(item.what, QueryField::Search(_)))
    }

    /// Whether it asks for what the owners of data are to be asked for.
    pub(super) fn fetches(&self) -> bool {
        self.slots
            .iter()
            .any(|slot| matches!(slot.purpose, Purpose::AccessLog | Purpose::Audit | Purpose::SubjectExport))
    }

    /// Whether it asks who asks.
    pub(super) fn tells_viewer(&self) -> bool {
        let Root::Query(items) = &self.root else { return false };
        items.iter().any(|item| matches!(item.what, QueryField::Viewer(_)))
    }

    /// Whether it is known without trying to be much work: the schema is large, checksums go over every
    /// record, and what a search costs shows in its index only.
    pub(super) fn is_always_heavy(&self) -> bool {
        let Root::Query(items) = &self.root else { return self.searches() };
        let is_heavy = |field: &QueryField| matches!(field, QueryField::Introspection | QueryField::Snapshot(_));
        self.searches() || items.iter().any(|item| is_heavy(&item.what))
    }
}

/// The top of an operation.
pub(super) enum Root {
    Query(Vec<Item<QueryField>>),
    Mutation(Vec<Item<MutationField>>),
    Subscription(Box<Item<SubscriptionField>>),
}

/// A field of an answer.
pub(super) struct Item<T> {
    /// The key in the answer, as JSON with the colon: `"name":`.
    pub(super) key: Box<str>,
    /// The field.
    pub(super) what: T,
}

impl<T> Item<T> {
    /// The key in the answer without quotes.
    pub(super) fn name(&self) -> &str {
        self.key.trim_end_matches(':').trim_matches('"')
    }
}

/// The arguments of a field, and what they are for.
pub(super) struct Slot {
    pub(super) arguments: Vec<Node<Argument>>,
    pub(super) purpose: Purpose,
    /// The keys of the answer that lead to the field.
    pub(super) path: Vec<Box<str>>,
}

/// What the arguments of a field mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Node,
    Nodes,
    Entities,
    Get(Kind),
    List(Kind),
    Facets(Kind),
    LocalName,
    Provenance(Named),
    Reach,
    Search,
    People,
    AccessLog,
    Audit,
    SubjectExport,
    Mutation(Kind, Verb),
    /// Of an erasure of a record of a kind.
    Erase(Kind),
    Batch,
    Changes,
}

/// Among which fields the one that an argument names is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// Those of a kind.
    Of(Kind),
    /// Those of a kind; another kind may have the name too, since it is asked of a record whose kind is not known yet.
    OfAny(Kind),
}

/// What a mutation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Create,
    Update,
    Retire,
}

impl Verb {
    /// Every verb.
    const ALL: [Verb; 3] = [Verb::Create, Verb::Update, Verb::Retire];

    /// What the name of a mutation begins with: `create`.
    fn prefix(self) -> &'static str {
        match self {
            Verb::Create => "create",
            Verb::Update => "update",
            Verb::Retire => "retire",
        }
    }

    /// What the name of its payload begins with: `Create`.
    pub(super) fn type_prefix(self) -> &'static str {
        match self {
            Verb::Create => "Create",
            Verb::Update => "Update",
            Verb::Retire => "Retire",
        }
    }

    /// What a mutation of one record does: `updateCapability`.
    pub(super) fn of_field(name: &str) -> Option<(Verb, Kind)> {
        Verb::ALL.into_iter().find_map(|verb| {
            let rest = name.strip_prefix(verb.prefix())?;
            Kind::ALL.iter().copied().find(|kind| kind.info().name == rest).map(|kind| (verb, kind))
        })
    }
}

/// A field of `Query`.
pub(super) enum QueryField {
    TypeName,
    /// `__schema` or `__type`, which the compiler library answers.
    Introspection,
    Node {
        slot: usize,
        by_kind: NodeItems,
    },
    Nodes {
        slot: usize,
        by_kind: NodeItems,
    },
    /// `_entities` of federation.
    Entities {
        slot: usize,
        by_kind: NodeItems,
    },
    /// Who asks.
    Viewer(Vec<Item<ViewerField>>),
    /// Who changed what.
    Audit {
        slot: usize,
        items: Vec<Item<What>>,
    },
    /// Everything that is kept of a person.
    SubjectExport {
        slot: usize,
        items: Vec<Item<What>>,
    },
    /// `_service` of federation.
    Service(Vec<Item<What>>),
    Get {
        slot: usize,
        kind: Kind,
        items: Vec<Item<RecordField>>,
    },
    List(ListField),
    Reach(ReachField),
    Search(SearchField),
    People(PeopleField),
    Snapshot(Vec<Item<What>>),
    /// `dataRegister`.
    Register(Vec<Item<What>>),
}

/// What is asked of a node, by its kind.
pub(super) type NodeItems = HashMap<Kind, Vec<Item<RecordField>>>;

/// A field of `Mutation`.
pub(super) enum MutationField {
    TypeName,
    Write { slot: usize, kind: Kind, verb: Verb, payload: Vec<Item<PayloadField>> },
    Changes { slot: usize, payload: Vec<Item<ChangesField>> },
    Erase { slot: usize, kind: Kind, payload: Vec<Item<EraseField>> },
}

/// A field of a payload.
pub(super) enum PayloadField {
    TypeName(&'static str, Verb),
    ClientMutationId,
    Record(Vec<Item<RecordField>>),
    UserErrors { input: Vec<Item<ErrorField>>, conflict: Vec<Item<ErrorField>> },
    Warnings(Vec<Item<ErrorField>>),
    DryRun,
    Stale,
}

/// A field of an error or warning of a mutation.
#[derive(Clone, Copy, Debug)]
pub(super) enum ErrorField {
    TypeName(&'static str),
    Code,
    Message,
    Path,
    CurrentVersion,
    Fields,
}

/// A field of a record.
pub(super) enum RecordField {
    TypeName,
    Id,
    /// The plain name, or one in a language.
    Name {
        slot: Option<usize>,
    },
    Text(usize),
    Texts(usize),
    Bool(usize),
    Int(usize),
    Float(usize),
    Decimal(usize),
    Date(usize),
    DateTime(usize),
    Enum(usize, &'static spil_proto::model::EnumInfo),
    Enums(usize, &'static spil_proto::model::EnumInfo),
    /// Which write last set the field that the slot names.
    Provenance {
        slot: usize,
        items: Vec<Item<OriginField>>,
    },
    /// Which write last set each field.
    Provenances(Vec<Item<OriginField>>),
    ExternalIds(Vec<Item<PairField>>),
    Translations(Vec<Item<PairField>>),
    One {
        field: usize,
        to: Kind,
        items: Vec<Item<RecordField>>,
    },
    List(ListField),
    /// Who read what tells who the person is.
    AccessLog {
        slot: usize,
        items: Vec<Item<What>>,
    },
    /// All records above in the tree that a field makes.
    Ancestors {
        field: usize,
        items: Vec<Item<RecordField>>,
    },
}

/// A field of who asks.
pub(super) enum ViewerField {
    TypeName,
    Subject,
    Issuer,
    Roles,
    Purpose,
    Worker(Vec<Item<RecordField>>),
}

/// A field of an external id or a translation, which both are pairs of texts.
#[derive(Clone, Copy, Debug)]
pub(super) enum PairField {
    TypeName(&'static str),
    First,
    Second,
}

/// A field of what is known of who set a field.
#[derive(Clone, Copy, Debug)]
pub(super) enum OriginField {
    TypeName(&'static str),
    Field,
    Source,
    Run,
    Actor,
    At,
}

/// A list of records.
pub(super) struct ListField {
    pub(super) slot: usize,
    pub(super) to: Kind,
    /// How to come from a record to the list; nothing for a list of all.
    pub(super) steps: Vec<Step>,
    pub(super) items: Vec<Item<ConnectionField>>,
    pub(super) want_total: bool,
    /// Whether the whole list is to be gone over.
    pub(super) want_facets: bool,
}

/// A field of a connection.
pub(super) enum ConnectionField {
    TypeName,
    TotalCount,
    PageInfo(Vec<Item<PageInfoField>>),
    Nodes(Vec<Item<RecordField>>),
    Edges(Vec<Item<EdgeField>>),
    Facets { slot: usize, items: Vec<Item<FacetField>> },
}

/// A field of a facet.
pub(super) enum FacetField {
    TypeName,
    Value,
    Count,
    /// The record that the value refers to, by its kind.
    Record(NodeItems),
}

/// A field of an edge.
pub(super) enum EdgeField {
    TypeName,
    Node(Vec<Item<RecordField>>),
    Cursor,
}

/// A field of a page info.
#[derive(Clone, Copy, Debug)]
pub(super) enum PageInfoField {
    TypeName,
    HasNext,
    HasPrevious,
    Start,
    End,
}

/// A record in a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) kind: Kind,
    pub(super) row: Row,
}

/// Makes the plan of an operation of a valid document.
///
/// # Errors
/// If it asks for more mutations than allowed, for what can not be subscribed to, or for a field that this version can not answer.
pub(super) fn compile(
    document: &Valid<ExecutableDocument>,
    operation: &Operation,
    variables: &JsonMap,
    limits: &Limits,
) -> Result<Plan, GraphqlError> {
    let mut compiler = object::Compiler::new(document, variables);
    let root = match operation.operation_type {
        OperationType::Query => Root::Query(compiler.query([&operation.selection_set])?),
        OperationType::Mutation => {
            let items = compiler.mutation(&operation.selection_set)?;
            if items.len() > limits.mutations {
                return Err(GraphqlError::new(
                    Code::TooLarge,
                    format!("{} mutations in one request; at most {} are allowed", items.len(), limits.mutations),
                ));
            }
            Root::Mutation(items)
        }
        OperationType::Subscription => Root::Subscription(Box::new(compiler.subscription(&operation.selection_set)?)),
    };
    let (slots, demands) = compiler.into_parts();
    let plan = Plan { root, slots, demands, is_heavy: AtomicBool::new(false) };
    if plan.introspections() > MAX_INTROSPECTIONS {
        return Err(GraphqlError::new(
            Code::TooLarge,
            format!("`__schema` and `__type` may be asked {MAX_INTROSPECTIONS} times in one request"),
        ));
    }
    plan.is_heavy.store(plan.is_always_heavy(), Ordering::Relaxed);
    Ok(plan)
}
