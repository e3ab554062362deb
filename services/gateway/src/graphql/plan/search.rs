//! Plans of searches.

use super::{
    Item, NodeItems, PageInfoField, Purpose,
    collect::Group,
    object::{Compiler, unknown},
};
use crate::graphql::error::GraphqlError;

/// What is asked of a search.
pub(crate) struct SearchField {
    pub(crate) slot: usize,
    pub(crate) items: Vec<Item<SearchItem>>,
}

/// A field of the connection.
pub(crate) enum SearchItem {
    TypeName,
    TotalCount,
    IsStale,
    PageInfo(Vec<Item<PageInfoField>>),
    Nodes(NodeItems),
    Edges(Vec<Item<SearchEdgeField>>),
}

/// A field of an edge.
pub(crate) enum SearchEdgeField {
    TypeName,
    Cursor,
    Score,
    Node(NodeItems),
    Highlights(Vec<Item<HighlightField>>),
}

/// A field of a highlight.
pub(crate) enum HighlightField {
    TypeName,
    Field,
    Parts(Vec<Item<PartField>>),
}

/// A field of a part of a highlight.
#[derive(Clone, Copy, Debug)]
pub(crate) enum PartField {
    TypeName,
    Text,
    IsMatch,
}

impl<'d> Compiler<'d> {
    pub(super) fn search(&mut self, group: &Group<'d>) -> Result<SearchField, GraphqlError> {
        let slot = self.slot(group, Purpose::Search);
        let groups = self.below(group, "SearchConnection", &[]);
        let items = self.items(groups, |this, name, group| {
            Ok(match name {
                "__typename" => SearchItem::TypeName,
                "totalCount" => SearchItem::TotalCount,
                "isStale" => SearchItem::IsStale,
                "pageInfo" => SearchItem::PageInfo(this.page_info(group)?),
                "nodes" => SearchItem::Nodes(this.node(group)?),
                "edges" => SearchItem::Edges(this.search_edge(group)?),
                _ => return Err(unknown(name)),
            })
        })?;
        Ok(SearchField { slot, items })
    }

    fn search_edge(&mut self, group: &Group<'d>) -> Result<Vec<Item<SearchEdgeField>>, GraphqlError> {
        let groups = self.below(group, "SearchEdge", &[]);
        self.items(groups, |this, name, group| {
            Ok(match name {
                "__typename" => SearchEdgeField::TypeName,
                "cursor" => SearchEdgeField::Cursor,
                "score" => SearchEdgeField::Score,
                "node" => SearchEdgeField::Node(this.node(group)?),
                "highlights" => SearchEdgeField::Highlights(this.highlight(group)?),
                _ => return Err(unknown(name)),
            })
        })
    }

    fn highlight(&mut self, group: &Group<'d>) -> Result<Vec<Item<HighlightField>>, GraphqlError> {
        let groups = self.below(group, "SearchHighlight", &[]);
        self.items(groups, |this, name, group| {
            Ok(match name {
                "__typename" => HighlightField::TypeName,
                "field" => HighlightField::Field,
                "parts" => {
                    let groups = this.below(group, "SearchPart", &[]);
                    HighlightField::Parts(this.items(groups, |_, name, _| {
                        Ok(match name {
                            "__typename" => PartField::TypeName,
                            "text" => PartField::Text,
                            "isMatch" => PartField::IsMatch,
                            _ => return Err(unknown(name)),
                        })
                    })?)
                }
                _ => return Err(unknown(name)),
            })
        })
    }
}
