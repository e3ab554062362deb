//! The index and the graph that answers need not be of one moment.

use spil_graph::Graph;
use spil_proto::{
    changefeed::v1::{Cursor, Record},
    model::{Value, field},
};

use super::*;
use crate::live::PublishedOwner;

fn capability(number: u128, name: &str) -> Record {
    let mut record = Record::empty(Kind::Capability);
    let entity = record.entity_mut().expect("an entity");
    entity.set(field::ID, Value::Id(Uuid::from_u128(number))).expect("an id");
    entity.set(field::NAME, Value::Text(name.to_owned().into())).expect("a name");
    record
}

fn state(revision: u64, records: &[Record]) -> Arc<Published> {
    let mut graph = Graph::new();
    records.iter().for_each(|record| graph.apply(record).expect("a record"));
    let cursor = Cursor { store_id: vec![7; 16], epoch: 1, revision, mark: revision };
    let owners = Owner::ALL.map(|owner| PublishedOwner { owner, cursor: Some(cursor.clone()), status: Arc::default() });
    Arc::new(Published::new(graph, owners))
}

fn found(indexed: &Indexed, published: &Published, text: &str) -> Vec<u128> {
    let question = Question {
        text: text.to_owned(),
        kinds: None,
        language: None,
        first: Some(10),
        last: None,
        after: None,
        before: None,
    };
    let found = indexed.find(&published.graph, &question, &mut Budget::new(1_000_000)).expect("an answer");
    found.hits.iter().map(|(hit, _)| hit.id.as_u128()).collect()
}

#[test]
fn hits_are_of_the_graph_that_answers() {
    let before = state(1, &[capability(1, "Billing"), capability(2, "Paper mail"), capability(3, "Archive")]);
    // One is renamed, one is gone, one is new, and one was not touched.
    let after = state(2, &[capability(1, "Invoicing"), capability(3, "Archive"), capability(4, "Billing of others")]);
    let mut indexer = Indexer::new().expect("an index");
    let old = indexer.advance(Arc::clone(&before)).expect("written");
    let new = indexer.advance(Arc::clone(&after)).expect("written");
    assert!(old.covers(&before) && !old.covers(&after) && new.covers(&before) && new.covers(&after));
    for (indexed, published, text, expected) in [
        (&old, &before, "billing", &[1][..]),
        (&new, &after, "billing", &[4]),
        (&new, &before, "billing", &[]),
        (&old, &after, "billing", &[]),
        (&new, &before, "invoicing", &[]),
        (&old, &after, "paper", &[]),
        (&new, &after, "paper", &[]),
        (&new, &before, "archive", &[3]),
        (&old, &after, "archive", &[3]),
    ] {
        assert_eq!(found(indexed, published, text), expected, "{text}");
    }
}

#[test]
fn only_what_has_other_texts_is_written_anew() {
    let mut indexer = Indexer::new().expect("an index");
    let first = indexer.advance(state(1, &[capability(1, "Billing"), capability(2, "Archive")])).expect("written");
    let mut touched = capability(1, "Billing");
    touched.entity_mut().expect("an entity").set(field::VERSION, Value::Int(2)).expect("a version");
    let second = indexer.advance(state(2, &[touched, capability(2, "Archive")])).expect("written");
    assert_eq!(first.searcher.generation().generation_id(), second.searcher.generation().generation_id());
    let third = indexer.advance(state(3, &[capability(2, "Archive")])).expect("written");
    assert_eq!(third.searcher.num_docs(), 1);
    let fourth = indexer.advance(state(4, &[])).expect("written");
    assert_eq!(fourth.searcher.num_docs(), 0);
}

#[test]
fn a_page_goes_on_after_a_hit_that_is_gone() {
    let hit = |number: u128, score: f32| Hit { kind: Kind::Capability, id: Uuid::from_u128(number), score };
    let hits = [hit(1, 9.0), hit(2, 8.0), hit(3, 8.0), hit(4, 2.0)];
    assert_eq!(after_place(&hits, &hit(2, 8.5)), 2, "where it stands now");
    assert_eq!(after_place(&hits, &hit(9, 8.0)), 3);
    assert_eq!(after_place(&hits, &hit(9, 1.0)), 4);
    assert_eq!(after_place(&hits, &hit(9, 99.0)), 0);
    assert_eq!(after_place(&hits, &hit(9, f32::NAN)), 0);
}

#[test]
fn no_field_that_is_personal_is_searched() {
    for kind in Kind::ALL {
        for number in index::texts_of(*kind) {
            assert!(kind.info().personal(number).is_none());
        }
    }
    assert_eq!(index::texts_of(Kind::Capability).count(), 5);
    assert_eq!(index::texts_of(Kind::Worker).count(), 0, "all of these say who somebody is");
}
