//! Which kinds an answer depends on, so that it is not computed again when others change.

use std::collections::BTreeSet;

use spil_access::Viewer;
use spil_graph::{By, Filter};
use spil_proto::model::{FieldType, Kind, Step};

use crate::{
    access,
    graphql::{
        bind::Bound,
        plan::{
            ConnectionField, EdgeField, FacetField, Item, ListField, NodeItems, QueryField, RecordField, Subscribed,
        },
    },
    live::Published,
};

/// The kinds that an answer depends on.
pub(super) struct Touched(BTreeSet<Kind>);

impl Touched {
    /// The kinds that a plan and its arguments lead to.
    pub(super) fn by(what: &Subscribed, bound: &[Bound]) -> Self {
        let mut finder = Finder { bound, found: BTreeSet::new() };
        match what {
            Subscribed::Query(items) => items.iter().for_each(|item| finder.query(&item.what)),
            Subscribed::Record { kind, items, .. } => finder.record(*kind, items),
        }
        Self(finder.found)
    }

    /// The same with the kinds that decide what somebody sees.
    pub(super) fn and_by(mut self, viewer: &Viewer) -> Self {
        self.0.extend(access::touched(viewer));
        self
    }

    /// The state of the graph in which any of them changed last.
    pub(super) fn last(&self, published: &Published) -> u64 {
        self.0.iter().map(|kind| published.changes.last(*kind)).max().unwrap_or_default()
    }
}

struct Finder<'a> {
    bound: &'a [Bound],
    found: BTreeSet<Kind>,
}

impl Finder<'_> {
    fn query(&mut self, field: &QueryField) {
        match field {
            QueryField::TypeName
            | QueryField::Introspection
            | QueryField::Service(_)
            | QueryField::Register(_)
            | QueryField::People(_)
            | QueryField::Snapshot(_)
            | QueryField::Viewer(_)
            | QueryField::Audit { .. }
            | QueryField::SubjectExport { .. } => {}
            QueryField::Node { slot, by_kind } => {
                if let Some(Bound::Node(Some((kind, _)))) = self.bound.get(*slot) {
                    self.node(*kind, by_kind);
                }
            }
            QueryField::Nodes { slot, by_kind } | QueryField::Entities { slot, by_kind } => {
                if let Some(Bound::Nodes(ids)) = self.bound.get(*slot) {
                    let kinds: BTreeSet<Kind> = ids.iter().flatten().map(|(kind, _)| *kind).collect();
                    kinds.into_iter().for_each(|kind| self.node(kind, by_kind));
                }
            }
            QueryField::Get { kind, items, .. } => self.record(*kind, items),
            QueryField::List(list) => self.list(list),
            // A traversal leads along whatever relations it likes, and a search finds whatever kind.
            QueryField::Reach(_) | QueryField::Search(_) => self.found.extend(Kind::ALL.iter().copied()),
        }
    }

    fn node(&mut self, kind: Kind, by_kind: &NodeItems) {
        self.record(kind, by_kind.get(&kind).map_or(&[], Vec::as_slice));
    }

    fn record(&mut self, kind: Kind, items: &[Item<RecordField>]) {
        self.found.insert(kind);
        for item in items {
            match &item.what {
                RecordField::One { to, items, .. } => self.record(*to, items),
                RecordField::Ancestors { items, .. } => self.record(kind, items),
                RecordField::List(list) => self.list(list),
                RecordField::TypeName
                | RecordField::Id
                | RecordField::Name { .. }
                | RecordField::Text(_)
                | RecordField::Texts(_)
                | RecordField::Bool(_)
                | RecordField::Int(_)
                | RecordField::Float(_)
                | RecordField::Decimal(_)
                | RecordField::Date(_)
                | RecordField::DateTime(_)
                | RecordField::Enum(..)
                | RecordField::Enums(..)
                | RecordField::Provenance { .. }
                | RecordField::Provenances(_)
                | RecordField::AccessLog { .. }
                | RecordField::ExternalIds(_)
                | RecordField::Translations(_) => {}
            }
        }
    }

    fn list(&mut self, list: &ListField) {
        self.found.insert(list.to);
        self.steps(&list.steps);
        if let Some(Bound::List(bound)) = self.bound.get(list.slot) {
            bound.filter.iter().for_each(|filter| self.filter(filter));
            let relations = list.to.relations();
            for order in &bound.order {
                if let By::Count(relation) = order.by
                    && let Some(relation) = relations.get(relation)
                {
                    self.found.insert(relation.to);
                    self.steps(&relation.steps);
                }
            }
        }
        for item in &list.items {
            match &item.what {
                ConnectionField::TypeName | ConnectionField::TotalCount | ConnectionField::PageInfo(_) => {}
                ConnectionField::Facets { items, .. } => {
                    for item in items {
                        match &item.what {
                            FacetField::Record(by_kind) => {
                                by_kind.iter().for_each(|(kind, items)| self.record(*kind, items));
                            }
                            FacetField::TypeName | FacetField::Value | FacetField::Count => {}
                        }
                    }
                }
                ConnectionField::Nodes(items) => self.record(list.to, items),
                ConnectionField::Edges(items) => {
                    for item in items {
                        match &item.what {
                            EdgeField::Node(items) => self.record(list.to, items),
                            EdgeField::TypeName | EdgeField::Cursor => {}
                        }
                    }
                }
            }
        }
    }

    fn filter(&mut self, filter: &Filter) {
        match filter {
            Filter::And(filters) | Filter::Or(filters) => filters.iter().for_each(|filter| self.filter(filter)),
            Filter::Not(filter) => self.filter(filter),
            Filter::Field { .. } => {}
            Filter::Related { steps, to, filter, .. } => {
                self.found.insert(*to);
                self.steps(steps);
                if let Some(filter) = filter {
                    self.filter(filter);
                }
            }
        }
    }

    /// The kinds on the way; a record there that is retired breaks it.
    fn steps(&mut self, steps: &[Step]) {
        for step in steps {
            match *step {
                Step::Inverse { kind, .. } | Step::Above { kind, .. } | Step::Below { kind, .. } => {
                    self.found.insert(kind);
                }
                Step::Forward { kind, field } => {
                    self.found.insert(kind);
                    if let Some(FieldType::Ref(to) | FieldType::RefList(to)) =
                        kind.info().field(field).map(|field| field.ty)
                    {
                        self.found.insert(to);
                    }
                }
            }
        }
    }
}
