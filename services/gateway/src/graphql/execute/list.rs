//! Lists of records, a page at a time.

use spil_graph::{Filter, Order, Page, Row, Select, Source};
use spil_proto::model::{Kind, Step};

use super::{Halt, Writer};
use crate::graphql::{
    bind::{Bound, List},
    cursor,
    plan::{ConnectionField, EdgeField, Item, ListField, PageInfoField, Place},
};

impl Writer<'_> {
    /// Writes a page of a list: of all records of a kind, or of those that a record leads to.
    pub(super) fn list(&mut self, list: &ListField, from: Option<Place>) -> Result<(), Halt> {
        let Bound::List(bound) = self.bound(list.slot)? else { return Err(Halt::Mismatch) };
        let (page, all) = if list.want_facets {
            self.page_of_all(list, bound, from)?
        } else {
            (self.page(list, bound, source(list, bound, from), bound.filter.as_ref())?, Vec::new())
        };
        if self.recorder.is_some() {
            self.note_list(list, bound, from, source(list, bound, from), &page.rows)?;
        }
        self.object(&list.items, |this, item| {
            match &item.what {
                ConnectionField::TypeName => {
                    this.out.push(b'"');
                    this.raw(list.to.info().name);
                    this.raw("Connection\"");
                }
                ConnectionField::TotalCount => {
                    let total = page.total.unwrap_or(page.rows.len());
                    this.raw(&total.to_string());
                }
                ConnectionField::Nodes(items) => {
                    this.array(&page.rows, |this, row| this.record(Place { kind: list.to, row: *row }, items))?;
                }
                ConnectionField::Edges(items) => {
                    this.array(&page.rows, |this, row| this.edge(items, list.to, *row, &bound.order))?
                }
                ConnectionField::PageInfo(items) => this.page_info(items, list.to, &page, &bound.order)?,
                ConnectionField::Facets { slot, items } => this.facets(*slot, items, list.to, &all)?,
            }
            Ok(())
        })
    }

    /// A page and the whole list, whose records are tried once for both.
    fn page_of_all(&mut self, list: &ListField, bound: &List, from: Option<Place>) -> Result<(Page, Vec<Row>), Halt> {
        let all = self.graph.gather(list.to, source(list, bound, from), bound.filter.as_ref(), &mut self.budget)?;
        let page = self.page(list, bound, Source::Rows(&all), None)?;
        Ok((page, all))
    }

    fn page(
        &mut self,
        list: &ListField,
        bound: &List,
        source: Source<'_>,
        filter: Option<&Filter>,
    ) -> Result<Page, Halt> {
        let select = Select {
            kind: list.to,
            source,
            filter,
            order: &bound.order,
            first: bound.first,
            last: bound.last,
            after: bound.after.as_ref(),
            before: bound.before.as_ref(),
            want_total: list.want_total,
        };
        Ok(self.graph.select(&select, &mut self.budget)?)
    }

    fn edge(&mut self, items: &[Item<EdgeField>], kind: Kind, row: Row, order: &[Order]) -> Result<(), Halt> {
        self.object(items, |this, item| {
            match &item.what {
                EdgeField::TypeName => {
                    this.out.push(b'"');
                    this.raw(kind.info().name);
                    this.raw("Edge\"");
                }
                EdgeField::Node(items) => this.record(Place { kind, row }, items)?,
                EdgeField::Cursor => this.cursor(kind, row, order)?,
            }
            Ok(())
        })
    }

    fn page_info(
        &mut self,
        items: &[Item<PageInfoField>],
        kind: Kind,
        page: &Page,
        order: &[Order],
    ) -> Result<(), Halt> {
        self.object(items, |this, item| {
            let flag = |flag: bool| if flag { "true" } else { "false" };
            match item.what {
                PageInfoField::TypeName => this.raw("\"PageInfo\""),
                PageInfoField::HasNext => this.raw(flag(page.has_next)),
                PageInfoField::HasPrevious => this.raw(flag(page.has_previous)),
                PageInfoField::Start => this.end(kind, page.rows.first().copied(), order)?,
                PageInfoField::End => this.end(kind, page.rows.last().copied(), order)?,
            }
            Ok(())
        })
    }

    fn end(&mut self, kind: Kind, row: Option<Row>, order: &[Order]) -> Result<(), Halt> {
        match row {
            Some(row) => self.cursor(kind, row, order),
            None => {
                self.raw("null");
                Ok(())
            }
        }
    }

    fn cursor(&mut self, kind: Kind, row: Row, order: &[Order]) -> Result<(), Halt> {
        let position = self.graph.position(kind, row, order, &mut self.budget)?;
        self.out.push(b'"');
        self.raw(&cursor::encode(&position, order));
        self.out.push(b'"');
        Ok(())
    }
}

/// Where the records of a list are to be found.
fn source<'a>(list: &'a ListField, bound: &List, from: Option<Place>) -> Source<'a> {
    match (from, list.steps.as_slice()) {
        (None, _) => Source::All,
        (Some(place), [Step::Inverse { field, .. }]) => {
            Source::Referrers { to: place.kind, row: place.row, field: *field }
        }
        (Some(place), [Step::Forward { field, .. }]) => {
            Source::References { from: place.kind, row: place.row, field: *field }
        }
        (Some(place), [Step::Below { field, .. }]) => {
            Source::Below { row: place.row, field: *field, depth: bound.depth }
        }
        (Some(place), steps) => Source::Walk { from: place.kind, row: place.row, steps },
    }
}
