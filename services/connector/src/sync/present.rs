//! The records that are there already, found by their names.

use std::collections::HashMap;

use spil_proto::{
    changefeed::v1::Record,
    model::{Header, Kind},
};
use uuid::Uuid;

use crate::mapping::{By, Mapping};

/// The live records of the kinds that a mapping writes or refers to.
#[derive(Debug, Default)]
pub struct Present {
    kinds: HashMap<Kind, PresentKind>,
    systems: Vec<String>,
}

#[derive(Debug, Default)]
struct PresentKind {
    written: bool,
    records: HashMap<Uuid, Record>,
    by_key: HashMap<String, Uuid>,
    by_external: Vec<HashMap<String, Uuid>>,
}

impl Present {
    /// Nothing is there yet; ready for the records that the mapping needs.
    pub fn new(mapping: &Mapping) -> Self {
        let systems = mapping.systems().to_vec();
        let written: Vec<Kind> = mapping.written().collect();
        let kinds = mapping
            .kinds()
            .map(|kind| {
                let by_external = vec![HashMap::new(); systems.len()];
                (kind, PresentKind { written: written.contains(&kind), by_external, ..PresentKind::default() })
            })
            .collect();
        Self { kinds, systems }
    }

    /// Takes a record in. The record itself is kept only if the mapping writes its kind.
    pub fn insert(&mut self, record: Record) {
        let (Some(kind), Some(id)) = (record.kind(), record.id()) else { return };
        let Some(of_kind) = self.kinds.get_mut(&kind) else { return };
        let Some(header) = record.entity().and_then(|entity| entity.header()) else { return };
        if header.retired_at.is_some() {
            return;
        }
        if let Some(key) = &header.key {
            of_kind.by_key.insert(key.clone(), id);
        }
        for external in &header.external_ids {
            let place = self.systems.iter().position(|system| *system == external.system);
            if let Some(names) = place.and_then(|place| of_kind.by_external.get_mut(place)) {
                names.insert(external.id.clone(), id);
            }
        }
        if of_kind.written {
            of_kind.records.insert(id, record);
        }
    }

    /// The record that goes by a name.
    pub fn find(&self, kind: Kind, by: By, text: &str) -> Option<Uuid> {
        let of_kind = self.kinds.get(&kind)?;
        match by {
            By::Key => of_kind.by_key.get(text).copied(),
            By::External(system) => of_kind.by_external.get(system)?.get(text).copied(),
        }
    }

    /// A record of a kind that the mapping writes.
    pub fn record(&self, kind: Kind, id: Uuid) -> Option<&Record> {
        self.kinds.get(&kind)?.records.get(&id)
    }

    /// What such a record has in common with all.
    pub fn header(&self, kind: Kind, id: Uuid) -> Option<&Header> {
        self.record(kind, id)?.entity()?.header()
    }

    /// The ids in the mapping's own system, with the records that carry them.
    pub fn own(&self, kind: Kind) -> impl Iterator<Item = (&str, Uuid)> {
        self.kinds
            .get(&kind)
            .and_then(|of_kind| of_kind.by_external.first())
            .into_iter()
            .flatten()
            .map(|(text, id)| (text.as_str(), *id))
    }
}
