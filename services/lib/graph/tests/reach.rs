//! What is reached over random graphs is what a search over all pairs finds.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[allow(dead_code, missing_docs, unreachable_pub, reason = "the model serves several tests")]
mod naive;
#[allow(dead_code, missing_docs, unreachable_pub, reason = "the choices serve several tests")]
#[path = "naive/random.rs"]
mod random;

use std::collections::BTreeMap;

use naive::Naive;
use proptest::prelude::*;
use random::{Choices, IDS, KINDS, id_of, record};
use spil_graph::{Budget, Exhausted, Graph, Reached, Row, Way};
use spil_proto::model::Kind;
use uuid::Uuid;

type Node = (Kind, Uuid);

/// A graph of random records of every kind in play.
fn world(bytes: &[u8]) -> (Graph, Naive) {
    let (mut graph, mut naive) = (Graph::new(), Naive::default());
    let mut choices = Choices::new(bytes);
    for kind in KINDS {
        for number in 0..IDS {
            if choices.chance(3) {
                continue;
            }
            let image = record(&mut choices, kind, id_of(number));
            graph.apply(&image).unwrap();
            naive.apply(&image);
        }
    }
    (graph, naive)
}

/// A few relations, some of them the other way round.
fn some_ways(choices: &mut Choices<'_>) -> Vec<Way> {
    (0..1 + choices.below(8))
        .map(|_| {
            let kind = choices.of(&KINDS);
            let relation = choices.of(&kind.relations());
            let way = Way { from: kind, to: relation.to, steps: relation.steps };
            if choices.chance(2) { way.reversed() } else { way }
        })
        .collect()
}

/// The length of the shortest path between all pairs: Floyd and Warshall over the pairs that one way connects.
fn distances(naive: &Naive, ways: &[Way]) -> BTreeMap<(Node, Node), u32> {
    let nodes: Vec<Node> =
        Kind::ALL.iter().flat_map(|kind| naive.ids(*kind).into_iter().map(|id| (*kind, id))).collect();
    let mut known = BTreeMap::new();
    for way in ways {
        for id in naive.ids(way.from) {
            for target in naive.walk(id, &way.steps) {
                known.insert(((way.from, id), (way.to, target)), 1);
            }
        }
    }
    for between in &nodes {
        let into: Vec<(Node, u32)> = nodes.iter().filter_map(|a| Some((*a, *known.get(&(*a, *between))?))).collect();
        let out: Vec<(Node, u32)> = nodes.iter().filter_map(|b| Some((*b, *known.get(&(*between, *b))?))).collect();
        for (a, first) in &into {
            for (b, second) in &out {
                let shortest = known.entry((*a, *b)).or_insert(u32::MAX);
                *shortest = (*shortest).min(first + second);
            }
        }
    }
    known
}

fn check(graph: &Graph, naive: &Naive, choices: &mut Choices<'_>) {
    let ways = some_ways(choices);
    let node = |reached: &Reached| (reached.kind, graph.table(reached.kind).id(reached.row));
    let from: Vec<(Kind, Row)> = (0..1 + choices.below(3))
        .filter_map(|_| {
            let kind = if choices.chance(3) { choices.of(&KINDS) } else { ways[0].from };
            let ids = naive.ids(kind);
            let id = *ids.get(choices.below(ids.len().max(1)))?;
            Some((kind, graph.table(kind).row_of(id).unwrap()))
        })
        .collect();
    let start: Vec<Node> = from.iter().map(|(kind, row)| (*kind, graph.table(*kind).id(*row))).collect();
    let depth = choices.of(&[1, 2, 3, 20]);
    let all = graph.reach(&from, &ways, depth, &mut Budget::new(1_000_000)).unwrap();

    // Distances are the shortest, nothing is missing, everything is there once, in order.
    let known = distances(naive, &ways);
    let mut expected: BTreeMap<Node, u32> = BTreeMap::new();
    for ((a, b), distance) in &known {
        if start.contains(a) && *distance <= depth {
            let shortest = expected.entry(*b).or_insert(u32::MAX);
            *shortest = (*shortest).min(*distance);
        }
    }
    expected.extend(start.iter().map(|node| (*node, 0)));
    let mut ordered: Vec<(u32, Node)> = expected.into_iter().map(|(node, distance)| (distance, node)).collect();
    ordered.sort();
    let found: Vec<(u32, Node)> = all.iter().map(|reached| (reached.distance, node(reached))).collect();
    assert_eq!(found, ordered);

    // Every record but the first ones is explained by a way from one that is a step nearer, the first that there is.
    for reached in &all {
        let Some((from, number)) = reached.came else {
            assert_eq!(reached.distance, 0);
            continue;
        };
        let explains = |place: usize, number: usize| {
            let (before, way) = (&all[place], &ways[number]);
            let (kind, id) = node(before);
            before.distance + 1 == reached.distance
                && (way.from, way.to) == (kind, reached.kind)
                && naive.walk(id, &way.steps).contains(&node(reached).1)
        };
        let first = (0..all.len()).flat_map(|place| (0..ways.len()).map(move |number| (place, number)));
        assert_eq!(
            first.into_iter().find(|(place, number)| explains(*place, *number)),
            Some((from as usize, number as usize))
        );
    }

    // It costs what it looks at, and never more than it may.
    let mut budget = Budget::new(1_000_000);
    graph.reach(&from, &ways, depth, &mut budget).unwrap();
    let cost = 1_000_000 - budget.left();
    assert!(cost >= all.len() as u64);
    assert!(graph.reach(&from, &ways, depth, &mut Budget::new(cost)).is_ok());
    if cost > 0 {
        assert_eq!(graph.reach(&from, &ways, depth, &mut Budget::new(cost - 1)), Err(Exhausted));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_shortest_path_to_every_record_is_found(
        bytes in prop::collection::vec(any::<u8>(), 200..4000),
        queries in prop::collection::vec(prop::collection::vec(any::<u8>(), 4..40), 1..8),
    ) {
        let (graph, naive) = world(&bytes);
        for bytes in &queries {
            check(&graph, &naive, &mut Choices::new(bytes));
        }
    }
}
