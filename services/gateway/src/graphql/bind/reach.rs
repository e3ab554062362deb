//! Reads the arguments of traversals.

use apollo_compiler::response::JsonValue;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use spil_graph::Way;
use spil_proto::model::Kind;
use uuid::Uuid;

use super::{Arguments, Fault};
use crate::graphql::{
    global_id,
    limits::{DEFAULT_PAGE, DEFAULT_REACH_DEPTH, MAX_REACH_DEPTH, MAX_REACH_FROM},
    relation_step, schema,
};

/// What is to be reached.
pub(in crate::graphql) struct Reach {
    pub(in crate::graphql) from: Vec<(Kind, Uuid)>,
    /// The ways to go, and for each the place of its relation among all and whether it is followed as it is named.
    pub(in crate::graphql) ways: Vec<Way>,
    pub(in crate::graphql) names: Vec<(usize, bool)>,
    pub(in crate::graphql) depth: u32,
    /// The kinds to show; all where there is none.
    pub(in crate::graphql) to: Option<Vec<Kind>>,
    pub(in crate::graphql) first: Option<usize>,
    pub(in crate::graphql) last: Option<usize>,
    pub(in crate::graphql) after: Option<ReachPosition>,
    pub(in crate::graphql) before: Option<ReachPosition>,
}

/// The place of a record in an answer: distance, kind and id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::graphql) struct ReachPosition(
    pub(in crate::graphql) u32,
    pub(in crate::graphql) Kind,
    pub(in crate::graphql) Uuid,
);

impl ReachPosition {
    /// The place as a cursor. The text holds no character that JSON escapes.
    pub(in crate::graphql) fn encode(self) -> String {
        let mut bytes = Vec::with_capacity(22);
        bytes.extend_from_slice(&self.0.to_be_bytes());
        bytes.extend_from_slice(&(self.1 as u16).to_be_bytes());
        bytes.extend_from_slice(self.2.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn decode(text: &str) -> Option<ReachPosition> {
        let mut bytes = [0; 22];
        if text.len() > 32 || URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) != Ok(bytes.len()) {
            return None;
        }
        let (distance, rest) = bytes.split_first_chunk::<4>()?;
        let (kind, id) = rest.split_first_chunk::<2>()?;
        let kind = Kind::from_number(u32::from(u16::from_be_bytes(*kind)))?;
        Some(ReachPosition(u32::from_be_bytes(*distance), kind, Uuid::from_slice(id).ok()?))
    }
}

impl Arguments<'_> {
    pub(super) fn reach(&self) -> Result<Reach, Fault> {
        let ids = self.items("from");
        if ids.len() > MAX_REACH_FROM {
            return Err(Fault::new(format!("at most {MAX_REACH_FROM} records to start from")).within("from"));
        }
        let from = ids.iter().filter_map(|id| global_id::decode(id.as_str()?)).collect();
        let depth = match self.values.get("depth") {
            None | Some(JsonValue::Null) => DEFAULT_REACH_DEPTH,
            Some(value) => value
                .as_i64()
                .and_then(|depth| u32::try_from(depth).ok())
                .filter(|depth| (1..=MAX_REACH_DEPTH).contains(depth))
                .ok_or_else(|| Fault::new(format!("`depth` is not from 1 to {MAX_REACH_DEPTH}")).within("depth"))?,
        };
        let names = self.ways();
        let ways = names
            .iter()
            .map(|(place, forward)| {
                let way = relation_step::all()[*place].way();
                if *forward { way } else { way.reversed() }
            })
            .collect();
        let place = |name: &'static str| match self.text(name) {
            None => Ok(None),
            Some(text) => ReachPosition::decode(text)
                .map(Some)
                .ok_or_else(|| Fault::new("this is no cursor of this list").within(name)),
        };
        let (mut first, last) = (self.count("first")?, self.count("last")?);
        if last.is_none() {
            first = first.or(Some(DEFAULT_PAGE));
        }
        let (after, before) = (place("after")?, place("before")?);
        Ok(Reach { from, ways, names, depth, to: self.kinds("to"), first, last, after, before })
    }

    /// The relations to follow, by their place among all, and whether as they are named: each once, in the order of the places, so that the
    /// answer does not depend on the order in which they were given.
    fn ways(&self) -> Vec<(usize, bool)> {
        let along = match self.values.get("along") {
            None | Some(JsonValue::Null) => None,
            Some(_) => Some(self.items("along")),
        };
        let Some(along) = along else {
            let stored = relation_step::all().iter().enumerate().filter(|(_, step)| step.is_reference());
            return stored.flat_map(|(place, _)| [(place, true), (place, false)]).collect();
        };
        let mut places: Vec<usize> =
            along.iter().filter_map(|name| name.as_str()).filter_map(relation_step::find).collect();
        places.sort_unstable();
        places.dedup();
        let directions: &[bool] = match self.text("direction") {
            Some("IN") => &[false],
            Some("BOTH") => &[true, false],
            _ => &[true],
        };
        places.into_iter().flat_map(|place| directions.iter().map(move |forward| (place, *forward))).collect()
    }

    /// Kinds by their name in `RecordKind`; none where nothing is said.
    pub(super) fn kinds(&self, name: &str) -> Option<Vec<Kind>> {
        match self.values.get(name) {
            None | Some(JsonValue::Null) => None,
            Some(_) => {
                let mut kinds: Vec<Kind> =
                    self.items(name).iter().filter_map(|kind| schema::kind_of_value(kind.as_str()?)).collect();
                kinds.sort_unstable();
                kinds.dedup();
                Some(kinds)
            }
        }
    }

    /// The items of an argument that is a list; a single value stands for a list of one.
    fn items(&self, name: &str) -> &[JsonValue] {
        match self.values.get(name) {
            None | Some(JsonValue::Null) => &[],
            Some(JsonValue::Array(items)) => items.as_slice(),
            Some(item) => std::slice::from_ref(item),
        }
    }
}
