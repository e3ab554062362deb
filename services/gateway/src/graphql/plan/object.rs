//! Resolves the fields of each object type.

use apollo_compiler::{
    ExecutableDocument, Node, ast::Argument, collections::IndexMap, executable::SelectionSet, response::JsonMap,
};
use spil_proto::model::{FieldInfo, FieldType, HEADER_FIELDS, Kind, Relation, Step, field};

use super::{
    ConnectionField, EdgeField, ErrorField, FacetField, Item, ListField, MutationField, Named, NodeItems, OriginField,
    PageInfoField, PairField, PayloadField, Purpose, QueryField, RecordField, Slot, Verb, ViewerField,
    collect::{Collector, Group},
    erase::erased_kind,
};
use crate::graphql::{
    demand::{self, Demand},
    error::{Code, GraphqlError},
};

/// The interfaces that every record implements, and the union that every record is of.
const RECORD_INTERFACES: [&str; 3] = ["Node", "Record", "_Entity"];

/// A field of an object that has no hand-written executor: its name in the schema and what is asked of it.
pub(crate) struct What {
    pub(crate) name: Box<str>,
    pub(crate) items: Vec<Item<What>>,
}

/// Turns selections into items and hands out slots for arguments.
pub(super) struct Compiler<'d> {
    collector: Collector<'d>,
    slots: Vec<Slot>,
    demands: Vec<Demand>,
    path: Vec<Box<str>>,
    /// Whether the next record may turn out to be of another kind than it is looked at for.
    is_any_kind: bool,
}

pub(super) type Compiled<T> = Result<Vec<Item<T>>, GraphqlError>;

impl<'d> Compiler<'d> {
    pub(super) fn new(document: &'d ExecutableDocument, variables: &'d JsonMap) -> Self {
        Self {
            collector: Collector { document, variables },
            slots: Vec::new(),
            demands: Vec::new(),
            path: Vec::new(),
            is_any_kind: false,
        }
    }

    /// The arguments, by slot, and what has to be allowed.
    pub(super) fn into_parts(self) -> (Vec<Slot>, Vec<Demand>) {
        (self.slots, self.demands)
    }

    /// Takes down what a field at the top needs.
    pub(super) fn demand(&mut self, type_name: &str, field: &str) -> Result<(), GraphqlError> {
        let demand = demand::of_field(type_name, field).ok_or_else(|| unknown(field))?;
        if !self.demands.contains(&demand) {
            self.demands.push(demand);
        }
        Ok(())
    }

    pub(super) fn fields(&self, set: &'d SelectionSet, type_name: &str) -> IndexMap<&'d str, Group<'d>> {
        self.collector.fields([set], type_name, &[])
    }

    pub(super) fn query(&mut self, sets: impl IntoIterator<Item = &'d SelectionSet>) -> Compiled<QueryField> {
        let groups = self.collector.fields(sets, "Query", &[]);
        self.items(groups, |this, name, group| {
            this.demand("Query", name)?;
            Ok(match name {
                "__typename" => QueryField::TypeName,
                "__schema" | "__type" => QueryField::Introspection,
                "node" => QueryField::Node { slot: this.slot(group, Purpose::Node), by_kind: this.node(group)? },
                "nodes" => QueryField::Nodes { slot: this.slot(group, Purpose::Nodes), by_kind: this.node(group)? },
                "reach" => QueryField::Reach(this.reach(group)?),
                "_entities" => {
                    QueryField::Entities { slot: this.slot(group, Purpose::Entities), by_kind: this.node(group)? }
                }
                "_service" => QueryField::Service(this.plain(group, "_Service")?),
                "search" => QueryField::Search(this.search(group)?),
                "peopleCounts" => QueryField::People(this.people(group)?),
                "dataRegister" => QueryField::Register(this.plain(group, "PersonalField")?),
                "viewer" => QueryField::Viewer(this.viewer(group)?),
                "audit" => {
                    QueryField::Audit { slot: this.slot(group, Purpose::Audit), items: this.plain(group, "AuditPage")? }
                }
                "subjectExport" => QueryField::SubjectExport {
                    slot: this.slot(group, Purpose::SubjectExport),
                    items: this.plain(group, "SubjectExport")?,
                },
                "snapshot" => QueryField::Snapshot(this.plain(group, "Snapshot")?),
                _ => match Kind::ALL.iter().copied().find(|kind| kind.info().plural == name) {
                    Some(kind) => QueryField::List(this.list(group, kind, Vec::new())?),
                    None => {
                        let kind = Kind::ALL
                            .iter()
                            .copied()
                            .find(|kind| kind.info().singular == name)
                            .ok_or_else(|| unknown(name))?;
                        QueryField::Get {
                            slot: this.slot(group, Purpose::Get(kind)),
                            kind,
                            items: this.record(group, kind)?,
                        }
                    }
                },
            })
        })
    }

    pub(super) fn mutation(&mut self, set: &'d SelectionSet) -> Compiled<MutationField> {
        let groups = self.collector.fields([set], "Mutation", &[]);
        self.items(groups, |this, name, group| {
            this.demand("Mutation", name)?;
            if name == "__typename" {
                return Ok(MutationField::TypeName);
            }
            if name == "applyChanges" {
                let slot = this.slot(group, Purpose::Batch);
                return Ok(MutationField::Changes { slot, payload: this.changes(group)? });
            }
            if let Some(kind) = erased_kind(name) {
                let slot = this.slot(group, Purpose::Erase(kind));
                return Ok(MutationField::Erase { slot, kind, payload: this.erasure(group, kind)? });
            }
            let (verb, kind) = Verb::of_field(name).ok_or_else(|| unknown(name))?;
            let slot = this.slot(group, Purpose::Mutation(kind, verb));
            Ok(MutationField::Write { slot, kind, verb, payload: this.payload(group, kind, verb)? })
        })
    }

    fn payload(&mut self, group: &Group<'d>, kind: Kind, verb: Verb) -> Compiled<PayloadField> {
        let info = kind.info();
        let groups = self.below(group, &format!("{}{}Payload", verb.type_prefix(), info.name), &[]);
        self.items(groups, |this, name, group| {
            Ok(match name {
                "__typename" => PayloadField::TypeName(info.name, verb),
                "clientMutationId" => PayloadField::ClientMutationId,
                "userErrors" => PayloadField::UserErrors {
                    input: this.error(group, "InputError")?,
                    conflict: this.error(group, "VersionConflict")?,
                },
                "warnings" => PayloadField::Warnings(this.error(group, "Warning")?),
                "dryRun" => PayloadField::DryRun,
                "stale" => PayloadField::Stale,
                _ if name == info.singular => PayloadField::Record(this.record(group, kind)?),
                _ => return Err(unknown(name)),
            })
        })
    }

    pub(super) fn error(&mut self, group: &Group<'d>, type_name: &'static str) -> Compiled<ErrorField> {
        let groups = self.below(group, type_name, &["UserError"]);
        self.items(groups, |_, name, _| {
            Ok(match name {
                "__typename" => ErrorField::TypeName(type_name),
                "code" => ErrorField::Code,
                "message" => ErrorField::Message,
                "path" => ErrorField::Path,
                "currentVersion" => ErrorField::CurrentVersion,
                "fields" => ErrorField::Fields,
                _ => return Err(unknown(name)),
            })
        })
    }

    /// Who asks.
    fn viewer(&mut self, group: &Group<'d>) -> Compiled<ViewerField> {
        let groups = self.below(group, "Viewer", &[]);
        self.items(groups, |this, name, group| {
            Ok(match name {
                "__typename" => ViewerField::TypeName,
                "subject" => ViewerField::Subject,
                "issuer" => ViewerField::Issuer,
                "roles" => ViewerField::Roles,
                "purpose" => ViewerField::Purpose,
                "worker" => ViewerField::Worker(this.record(group, Kind::Worker)?),
                _ => return Err(unknown(name)),
            })
        })
    }

    pub(super) fn node(&mut self, group: &Group<'d>) -> Result<NodeItems, GraphqlError> {
        let mut by_kind = NodeItems::with_capacity(Kind::ALL.len());
        for &kind in Kind::ALL {
            self.is_any_kind = true;
            by_kind.insert(kind, self.record(group, kind)?);
        }
        Ok(by_kind)
    }

    pub(super) fn record(&mut self, group: &Group<'d>, kind: Kind) -> Compiled<RecordField> {
        let named = if std::mem::take(&mut self.is_any_kind) { Named::OfAny(kind) } else { Named::Of(kind) };
        let groups = self.below(group, kind.info().name, &RECORD_INTERFACES);
        let relations = if groups.values().any(|group| group.iter().any(|field| !field.selection_set.is_empty())) {
            kind.relations()
        } else {
            Vec::new()
        };
        self.items(groups, |this, name, group| {
            match name {
                "__typename" => return Ok(RecordField::TypeName),
                "provenance" => {
                    let slot = this.slot(group, Purpose::Provenance(named));
                    return Ok(RecordField::Provenance { slot, items: this.origin(group, "Provenance")? });
                }
                "accessLog" => {
                    let slot = this.slot(group, Purpose::AccessLog);
                    return Ok(RecordField::AccessLog { slot, items: this.plain(group, "AccessLogPage")? });
                }
                "provenances" => return Ok(RecordField::Provenances(this.origin(group, "FieldProvenance")?)),
                _ => {}
            }
            if let Some(relation) = relations.iter().find(|relation| relation.name == name) {
                return this.relation(group, relation);
            }
            let info = kind.info().field_by_name(name).ok_or_else(|| unknown(name))?;
            this.leaf(group, info)
        })
    }

    fn relation(&mut self, group: &Group<'d>, relation: &Relation) -> Result<RecordField, GraphqlError> {
        match relation.steps.as_slice() {
            [Step::Forward { field, .. }] if !relation.many => {
                Ok(RecordField::One { field: *field, to: relation.to, items: self.record(group, relation.to)? })
            }
            [Step::Above { field, .. }] => {
                Ok(RecordField::Ancestors { field: *field, items: self.record(group, relation.to)? })
            }
            steps => Ok(RecordField::List(self.list(group, relation.to, steps.to_vec())?)),
        }
    }

    fn leaf(&mut self, group: &Group<'d>, info: &'static FieldInfo) -> Result<RecordField, GraphqlError> {
        let index = info.index;
        Ok(match info.ty {
            FieldType::Id => RecordField::Id,
            FieldType::Text if index == field::NAME => {
                let asked = group.first().is_some_and(|field| !field.arguments.is_empty());
                RecordField::Name { slot: asked.then(|| self.slot(group, Purpose::LocalName)) }
            }
            FieldType::Text => RecordField::Text(index),
            FieldType::TextList => RecordField::Texts(index),
            FieldType::Bool => RecordField::Bool(index),
            FieldType::Int => RecordField::Int(index),
            FieldType::Float => RecordField::Float(index),
            FieldType::Decimal => RecordField::Decimal(index),
            FieldType::Date => RecordField::Date(index),
            FieldType::DateTime => RecordField::DateTime(index),
            FieldType::Enum(list) => RecordField::Enum(index, list),
            FieldType::EnumList(list) => RecordField::Enums(index, list),
            FieldType::ExternalIds => RecordField::ExternalIds(self.pair(group, "ExternalId", ["system", "id"])?),
            FieldType::Translations => {
                RecordField::Translations(self.pair(group, "Translation", ["language", "name"])?)
            }
            FieldType::Ref(_) | FieldType::RefList(_) => return Err(unknown(info.name)),
        })
    }

    fn pair(&mut self, group: &Group<'d>, type_name: &'static str, names: [&str; 2]) -> Compiled<PairField> {
        let groups = self.below(group, type_name, &[]);
        self.items(groups, |_, name, _| {
            Ok(match name {
                "__typename" => PairField::TypeName(type_name),
                _ if name == names[0] => PairField::First,
                _ if name == names[1] => PairField::Second,
                _ => return Err(unknown(name)),
            })
        })
    }

    fn origin(&mut self, group: &Group<'d>, type_name: &'static str) -> Compiled<OriginField> {
        let groups = self.below(group, type_name, &[]);
        self.items(groups, |_, name, _| {
            Ok(match name {
                "__typename" => OriginField::TypeName(type_name),
                "field" => OriginField::Field,
                "source" => OriginField::Source,
                "run" => OriginField::Run,
                "actor" => OriginField::Actor,
                "at" => OriginField::At,
                _ => return Err(unknown(name)),
            })
        })
    }

    fn list(&mut self, group: &Group<'d>, to: Kind, steps: Vec<Step>) -> Result<ListField, GraphqlError> {
        let slot = self.slot(group, Purpose::List(to));
        let info = to.info();
        let groups = self.below(group, &format!("{}Connection", info.name), &[]);
        let items = self.items(groups, |this, name, group| {
            Ok(match name {
                "__typename" => ConnectionField::TypeName,
                "totalCount" => ConnectionField::TotalCount,
                "nodes" => ConnectionField::Nodes(this.record(group, to)?),
                "facets" => {
                    let slot = this.slot(group, Purpose::Facets(to));
                    ConnectionField::Facets { slot, items: this.facet(group, to)? }
                }
                "pageInfo" => ConnectionField::PageInfo(this.page_info(group)?),
                "edges" => {
                    let groups = this.below(group, &format!("{}Edge", info.name), &[]);
                    ConnectionField::Edges(this.items(groups, |this, name, group| {
                        Ok(match name {
                            "__typename" => EdgeField::TypeName,
                            "node" => EdgeField::Node(this.record(group, to)?),
                            "cursor" => EdgeField::Cursor,
                            _ => return Err(unknown(name)),
                        })
                    })?)
                }
                _ => return Err(unknown(name)),
            })
        })?;
        let want_facets = items.iter().any(|item| matches!(item.what, ConnectionField::Facets { .. }));
        let want_total = items.iter().any(|item| matches!(item.what, ConnectionField::TotalCount));
        Ok(ListField { slot, to, steps, items, want_total, want_facets })
    }

    /// Which field a facet is of may be said by a variable, so that its record may be of any kind that the list's refers to.
    fn facet(&mut self, group: &Group<'d>, of: Kind) -> Compiled<FacetField> {
        let groups = self.below(group, "Facet", &[]);
        self.items(groups, |this, name, group| {
            Ok(match name {
                "__typename" => FacetField::TypeName,
                "value" => FacetField::Value,
                "count" => FacetField::Count,
                "record" => {
                    let mut by_kind = NodeItems::new();
                    for field in of.info().own {
                        if let FieldType::Ref(to) | FieldType::RefList(to) = field.ty
                            && !by_kind.contains_key(&to)
                        {
                            by_kind.insert(to, this.record(group, to)?);
                        }
                    }
                    FacetField::Record(by_kind)
                }
                _ => return Err(unknown(name)),
            })
        })
    }

    pub(super) fn page_info(&mut self, group: &Group<'d>) -> Compiled<PageInfoField> {
        let groups = self.below(group, "PageInfo", &[]);
        self.items(groups, |_, name, _| {
            Ok(match name {
                "__typename" => PageInfoField::TypeName,
                "hasNextPage" => PageInfoField::HasNext,
                "hasPreviousPage" => PageInfoField::HasPrevious,
                "startCursor" => PageInfoField::Start,
                "endCursor" => PageInfoField::End,
                _ => return Err(unknown(name)),
            })
        })
    }

    /// An object whose fields have no arguments: only their names are kept.
    pub(super) fn plain(&mut self, group: &Group<'d>, type_name: &str) -> Compiled<What> {
        let groups = self.below(group, type_name, &[]);
        self.items(groups, |this, name, group| {
            let inner = group.first().map(|field| field.definition.ty.inner_named_type().clone());
            let items = match inner {
                Some(inner) if group.iter().any(|field| !field.selection_set.is_empty()) => {
                    this.plain(group, inner.as_str())?
                }
                _ => Vec::new(),
            };
            let name = if name == "__typename" { format!("__typename {type_name}") } else { name.to_owned() };
            Ok(What { name: name.into(), items })
        })
    }

    pub(super) fn below(
        &self,
        group: &Group<'d>,
        type_name: &str,
        interfaces: &[&str],
    ) -> IndexMap<&'d str, Group<'d>> {
        self.collector.fields(group.iter().map(|field| &field.selection_set), type_name, interfaces)
    }

    pub(super) fn items<T>(
        &mut self,
        groups: IndexMap<&'d str, Group<'d>>,
        mut resolve: impl FnMut(&mut Self, &'d str, &Group<'d>) -> Result<T, GraphqlError>,
    ) -> Compiled<T> {
        let mut items = Vec::with_capacity(groups.len());
        for (key, group) in groups {
            let Some(first) = group.first() else { continue };
            self.path.push(key.into());
            let what = resolve(self, first.name.as_str(), &group)?;
            self.path.pop();
            items.push(Item { key: format!("\"{key}\":").into(), what });
        }
        Ok(items)
    }

    pub(super) fn slot(&mut self, group: &Group<'d>, purpose: Purpose) -> usize {
        let arguments: Vec<Node<Argument>> = group.first().map(|field| field.arguments.clone()).unwrap_or_default();
        self.slots.push(Slot { arguments, purpose, path: self.path.clone() });
        self.slots.len() - 1
    }
}

/// The schema has a field that nothing here answers: a fault of ours.
pub(super) fn unknown(name: &str) -> GraphqlError {
    GraphqlError::new(Code::Internal, format!("the field `{name}` has no answer"))
}

const _: () = assert!(HEADER_FIELDS.len() == field::OWN);
