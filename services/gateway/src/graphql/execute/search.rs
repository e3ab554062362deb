//! What is found by words.

use super::{Halt, Writer, connection::Stand, string};
use crate::{
    graphql::{
        bind::{Bound, encode_hit},
        plan::{HighlightField, Item, PartField, Place, SearchEdgeField, SearchField, SearchItem},
    },
    search::{Found, Highlight, Hit, SearchError},
};

impl Writer<'_> {
    /// Writes a page of what is found.
    pub(super) fn search(&mut self, field: &SearchField) -> Result<(), Halt> {
        let Bound::Search(question) = self.bound(field.slot)? else { return Err(Halt::Mismatch) };
        let indexed = self.indexed.clone().ok_or(Halt::Mismatch)?;
        let found = indexed.find(self.graph, question, &mut self.budget).map_err(|error| match error {
            SearchError::Exhausted(_) => Halt::TooCostly,
            SearchError::Index(error) => {
                tracing::error!(%error, "a search failed");
                Halt::Mismatch
            }
        })?;
        let cursor = |hit: Option<&(Hit, Vec<Highlight>)>| hit.map(|(hit, _)| encode_hit(hit));
        let stand = Stand {
            has_next: found.has_next,
            has_previous: found.has_previous,
            start: cursor(found.hits.first()),
            end: cursor(found.hits.last()),
        };
        let is_stale = !indexed.covers(self.published);
        self.object(&field.items, |this, item| this.search_item(item, &found, &stand, is_stale))
    }

    fn search_item(
        &mut self,
        item: &Item<SearchItem>,
        found: &Found,
        stand: &Stand,
        is_stale: bool,
    ) -> Result<(), Halt> {
        match &item.what {
            SearchItem::TypeName => self.raw("\"SearchConnection\""),
            SearchItem::TotalCount => self.raw(&found.total.to_string()),
            SearchItem::IsStale => self.raw(if is_stale { "true" } else { "false" }),
            SearchItem::PageInfo(items) => self.stand(items, stand)?,
            SearchItem::Nodes(items) => self.array(&found.hits, |this, (hit, _)| {
                let place = this.hit_place(hit)?;
                this.any_record(place, items)
            })?,
            SearchItem::Edges(items) => {
                self.array(&found.hits, |this, (hit, highlights)| this.search_edge(items, hit, highlights))?;
            }
        }
        Ok(())
    }

    /// Hits are of the graph that answers.
    fn hit_place(&self, hit: &Hit) -> Result<Place, Halt> {
        let row = self.graph.table(hit.kind).row_of(hit.id).ok_or(Halt::Mismatch)?;
        Ok(Place { kind: hit.kind, row })
    }

    fn search_edge(
        &mut self,
        items: &[Item<SearchEdgeField>],
        hit: &Hit,
        highlights: &[Highlight],
    ) -> Result<(), Halt> {
        self.object(items, |this, item| {
            match &item.what {
                SearchEdgeField::TypeName => this.raw("\"SearchEdge\""),
                SearchEdgeField::Cursor => string(&encode_hit(hit), &mut this.out),
                SearchEdgeField::Score => this.raw(&serde_json::json!(hit.score).to_string()),
                SearchEdgeField::Node(items) => {
                    let place = this.hit_place(hit)?;
                    this.any_record(place, items)?;
                }
                SearchEdgeField::Highlights(items) => {
                    this.array(highlights, |this, highlight| this.highlight(items, highlight))?;
                }
            }
            Ok(())
        })
    }

    fn highlight(&mut self, items: &[Item<HighlightField>], highlight: &Highlight) -> Result<(), Halt> {
        self.object(items, |this, item| match &item.what {
            HighlightField::TypeName => {
                this.raw("\"SearchHighlight\"");
                Ok(())
            }
            HighlightField::Field => {
                string(highlight.field, &mut this.out);
                Ok(())
            }
            HighlightField::Parts(items) => this.array(&highlight.parts, |this, part| {
                this.object(items, |this, item| {
                    match item.what {
                        PartField::TypeName => this.raw("\"SearchPart\""),
                        PartField::Text => this.text(&part.text)?,
                        PartField::IsMatch => this.raw(if part.is_match { "true" } else { "false" }),
                    }
                    Ok(())
                })
            }),
        })
    }
}
