//! Which write last set which field of a record.

use std::collections::HashMap;

use spil_proto::{
    changefeed::v1::{FieldGroup, Origin, Provenance, Record, RecordProvenance},
    model::{Value, field},
};

/// The fields, by their numbers for ever, that have another value in one state of a record than in an earlier one; `before` is
/// `None` for a record that is new. The values that the owner itself keeps up to date are left out.
pub(crate) fn changed_fields(before: Option<&Record>, after: &Record) -> Vec<u32> {
    let Some(after) = after.entity() else { return Vec::new() };
    let before = before.and_then(Record::entity);
    let kept = |index: usize| before.map_or(Value::Null, |entity| entity.get(index));
    let told = after.kind().info().fields().filter(|info| info.writable || info.index == field::RETIRED_AT);
    let mut tags: Vec<u32> =
        told.filter(|info| kept(info.index) != after.get(info.index)).map(|info| info.tag).collect();
    tags.sort_unstable();
    tags
}

/// What is known of a record after a write set some of its fields: those are the write's, the others stay with whoever set
/// them before. It has one record, and only the writes that still account for a field.
pub(crate) fn after_write(before: Option<&Provenance>, fields: &[u32], origin: &Origin) -> Provenance {
    let mut after = Provenance::default();
    let mut groups = Vec::new();
    for (origin, group) in before.into_iter().flat_map(groups_of) {
        let left: Vec<u32> = group.fields.iter().copied().filter(|tag| fields.binary_search(tag).is_err()).collect();
        if !left.is_empty() {
            groups.push(FieldGroup { origin: place(&mut after.origins, origin), fields: left });
        }
    }
    if !fields.is_empty() {
        groups.push(FieldGroup { origin: place(&mut after.origins, origin), fields: fields.to_vec() });
    }
    after.records.push(RecordProvenance { groups });
    after
}

/// The provenance of many records in one, each write named once.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    gathered: Provenance,
    places: HashMap<Origin, u32>,
}

impl Gathered {
    /// Adds what is known of the next record.
    pub(crate) fn push(&mut self, record: Option<&Provenance>) {
        let mut groups = Vec::new();
        for (origin, group) in record.into_iter().flat_map(groups_of) {
            let origin = match self.places.get(origin) {
                Some(place) => *place,
                None => {
                    let place = add(&mut self.gathered.origins, origin);
                    self.places.insert(origin.clone(), place);
                    place
                }
            };
            groups.push(FieldGroup { origin, fields: group.fields.clone() });
        }
        self.gathered.records.push(RecordProvenance { groups });
    }

    /// The provenance of all that were added.
    pub(crate) fn finish(self) -> Provenance {
        self.gathered
    }
}

/// The groups of the one record with the write of each.
fn groups_of(provenance: &Provenance) -> impl Iterator<Item = (&Origin, &FieldGroup)> {
    let groups = provenance.records.first().map_or(&[][..], |record| &record.groups);
    groups.iter().filter_map(|group| Some((provenance.origins.get(usize::try_from(group.origin).ok()?)?, group)))
}

/// The place of a write among others; it is added if it is not there.
fn place(origins: &mut Vec<Origin>, origin: &Origin) -> u32 {
    match origins.iter().position(|other| other == origin) {
        Some(place) => u32::try_from(place).unwrap_or(u32::MAX),
        None => add(origins, origin),
    }
}

fn add(origins: &mut Vec<Origin>, origin: &Origin) -> u32 {
    origins.push(origin.clone());
    u32::try_from(origins.len() - 1).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
