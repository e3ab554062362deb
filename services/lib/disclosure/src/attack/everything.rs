//! Who thinks of every way the people could be, knows the groups and how it is published, and keeps those ways that would look the same.

use std::{collections::HashMap, sync::Arc};

use super::linear::{binary, members};
use crate::{Census, Group, Groups, Threshold};

/// Every way to put at most so many people into some places.
fn ways(places: usize, most: usize) -> Vec<Vec<usize>> {
    if places == 0 {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for first in 0..=most {
        for mut rest in ways(places - 1, most - first) {
            rest.insert(0, first);
            all.push(rest);
        }
    }
    all
}

/// Publishes every world, and looks at all that look the same: whatever is not shown is never the same in all of them. Gives how many
/// looks there are, and in how many something but the whole is shown.
fn nothing_hidden_is_determined(
    groups: &[(u128, Option<u128>, bool)],
    columns: usize,
    most: usize,
    with_top: bool,
) -> (usize, usize) {
    let tree: Vec<_> = groups
        .iter()
        .map(|(key, parent, is_open)| Group { key: *key, parent: *parent, is_open: *is_open, weight: 0 })
        .collect();
    let tree = Arc::new(Groups::new(&tree));
    // The last is no group: people of the whole.
    let open = groups.iter().filter(|(_, _, is_open)| *is_open).map(|(key, _, _)| *key);
    let open: Vec<u128> = open.chain(with_top.then_some(u128::MAX)).collect();
    let threshold = Threshold::new(3).expect("a threshold");
    // For each look: the figures that each hidden place has in some world.
    let mut looks: HashMap<String, Vec<Vec<Option<u64>>>> = HashMap::new();
    let mut told = HashMap::new();
    for way in ways(open.len() * columns, most) {
        let world: Vec<_> =
            way.iter().enumerate().map(|(at, people)| (open[at / columns], at % columns, *people)).collect();
        let census = Census::new(threshold, vec![Arc::clone(&tree)], members(&tree, &world));
        let headcount = census.headcount(0).expect("a tree");
        let table = census.table(0, &binary(columns)).expect("a tree");
        let whole = |place: usize, column: Option<usize>| -> u64 {
            let in_place = |key: u128| {
                let mut at = tree.place(key).unwrap_or(Groups::EVERYBODY);
                while at != place && at != Groups::EVERYBODY {
                    at = tree.parent(at);
                }
                at == place
            };
            let counted =
                world.iter().filter(|(key, at, _)| in_place(*key) && column.is_none_or(|column| column == *at));
            counted.map(|(_, _, people)| *people as u64).sum()
        };
        let mut hidden = Vec::new();
        let mut shown = 0;
        for place in (0..tree.len()).filter(|place| *place == 0 || has_open(&tree, *place)) {
            let cells = (0..columns).map(|column| (Some(column), table.cell(place, column)));
            for (column, cell) in std::iter::once((None, headcount.total(place))).chain(cells) {
                let value = whole(place, column);
                match cell {
                    Some(cell) => {
                        assert_eq!(cell.count, value, "what is shown is true");
                        assert!(value >= threshold.people());
                        shown += usize::from(place != 0);
                        hidden.push(None);
                    }
                    None => hidden.push(Some(value)),
                }
            }
        }
        let look = format!("{headcount:?} {table:?}");
        told.insert(look.clone(), shown);
        looks.entry(look).or_default().push(hidden);
    }
    for (look, worlds) in &looks {
        for at in 0..worlds[0].len() {
            if worlds[0][at].is_some() {
                let first = worlds[0][at];
                assert!(worlds.iter().any(|world| world[at] != first), "place {at} is always {first:?}: {look}");
            }
        }
    }
    (looks.len(), told.values().filter(|shown| **shown > 0).count())
}

fn has_open(tree: &Groups, place: usize) -> bool {
    tree.is_open(place) || tree.parts(place).iter().any(|part| has_open(tree, *part))
}

#[test]
fn of_sisters() {
    let (looks, told) =
        nothing_hidden_is_determined(&[(1, None, true), (2, None, true), (3, None, true)], 1, 12, false);
    assert!(looks > 30 && told > 20, "{looks} {told}");
}

#[test]
fn of_sisters_and_people_in_none() {
    let (looks, told) = nothing_hidden_is_determined(&[(1, None, true), (2, None, true), (3, None, true)], 1, 11, true);
    assert!(looks > 30 && told > 20, "{looks} {told}");
}

#[test]
fn of_a_department_with_a_head() {
    let groups = [(1, None, true), (2, Some(1), true), (3, Some(1), true), (4, None, true)];
    let (looks, told) = nothing_hidden_is_determined(&groups, 1, 13, false);
    assert!(looks > 30 && told > 20, "{looks} {told}");
}

#[test]
fn of_a_tree_whose_upper_groups_are_empty() {
    let groups = [(1, None, false), (2, Some(1), true), (3, Some(1), true), (4, None, false), (5, Some(4), true)];
    let (looks, told) = nothing_hidden_is_determined(&groups, 1, 14, false);
    assert!(looks > 30 && told > 20, "{looks} {told}");
}

#[test]
fn of_a_skill_by_group() {
    let (looks, told) = nothing_hidden_is_determined(&[(1, None, true), (2, None, true)], 2, 14, false);
    assert!(looks > 20 && told > 5, "{looks} {told}");
}

#[test]
fn of_three_columns() {
    let (looks, told) = nothing_hidden_is_determined(&[(1, None, true), (2, None, true)], 3, 11, false);
    assert!(looks > 20 && told > 5, "{looks} {told}");
}
