//! Who asks before and after somebody moves, comes, leaves or changes.

use std::sync::Arc;

use proptest::prelude::*;

use crate::{Census, Group, Groups, Measure, Member, Threshold};

#[derive(Clone, Debug, PartialEq, Eq)]
struct Facts {
    skilled: bool,
    fte: i64,
}

const FTE: Measure<'static, Facts> = Measure { columns: 1, column: &|_| 0, amount: &|facts| facts.fte, range: None };
const SKILLED: Measure<'static, Facts> =
    Measure { columns: 2, column: &|facts| facts.skilled as usize, amount: &|_| 0, range: None };

fn teams(keys: &[u128]) -> Arc<Groups> {
    let groups: Vec<_> = keys.iter().map(|key| Group { key: *key, parent: None, is_open: true, weight: 0 }).collect();
    Arc::new(Groups::new(&groups))
}

/// So many people in each team, every second of them skilled.
fn staffed(groups: &Groups, sizes: &[(u128, usize)]) -> Vec<Member<Facts>> {
    let mut members = Vec::new();
    for (key, size) in sizes {
        for at in 0..*size {
            let id = key * 1000 + at as u128;
            let facts = Facts { skilled: at % 2 == 0, fte: 1000 };
            members.push(Member { id, groups: vec![groups.place(*key).expect("a team")], facts });
        }
    }
    members
}

/// The figures of two censuses, one minus the other, where both have them: counts, sums and skilled people of each group.
fn differences(before: &Census<Facts>, after: &Census<Facts>, keys: &[u128]) -> Vec<i64> {
    let mut found = Vec::new();
    for key in keys {
        let place = |census: &Census<Facts>| census.groups(0).and_then(|groups| groups.place(*key));
        let (Some(old), Some(new)) = (place(before), place(after)) else { continue };
        for (measure, column) in [(&FTE, 0), (&SKILLED, 0), (&SKILLED, 1)] {
            let (old_table, new_table) = (before.table(0, measure), after.table(0, measure));
            let cell = |table: Option<crate::Table>, place| table.and_then(|table| table.cell(place, column));
            if let (Some(old), Some(new)) = (cell(old_table, old), cell(new_table, new)) {
                found.push(new.count as i64 - old.count as i64);
                found.push(new.amount - old.amount);
            }
        }
    }
    found
}

const TEAMS: [u128; 3] = [1, 2, 3];

fn start() -> (Arc<Groups>, Vec<Member<Facts>>, Census<Facts>) {
    let groups = teams(&TEAMS);
    let members = staffed(&groups, &[(1, 12), (2, 14), (3, 20)]);
    let census = Census::new(Threshold::default(), vec![Arc::clone(&groups)], members.clone());
    assert!(census.headcount(0).expect("a tree").total(groups.place(1).expect("a team")).is_some());
    (groups, members, census)
}

#[test]
fn one_person_moves_comes_leaves_or_changes() {
    let (groups, members, census) = start();
    let place = |key| groups.place(key).expect("a team");
    let mut moved = members.clone();
    moved[0].groups = vec![place(2)];
    let mut come = members.clone();
    come.push(Member { id: 9999, groups: vec![place(1)], facts: Facts { skilled: true, fte: 600 } });
    let left = members[1..].to_vec();
    let mut changed = members.clone();
    changed[0].facts = Facts { skilled: false, fte: 500 };
    for now in [moved, come, left, changed] {
        // Counted anew, the difference is that one person, to the hour and the skill.
        let anew = Census::new(Threshold::default(), vec![Arc::clone(&groups)], now.clone());
        assert!(differences(&census, &anew, &TEAMS).iter().any(|difference| *difference != 0));
        // Renewed, there is none.
        let renewed = census.renewed(&[Arc::clone(&groups)], now);
        assert!(differences(&census, &renewed, &TEAMS).iter().all(|difference| *difference == 0));
    }
}

#[test]
fn what_changed_for_enough_is_told() {
    let (groups, members, census) = start();
    let mut now = members;
    for member in now.iter_mut().take(5) {
        member.groups = vec![groups.place(3).expect("a team")];
    }
    let renewed = census.renewed(&[Arc::clone(&groups)], now);
    let count = |key| renewed.headcount(0)?.total(groups.place(key)?).map(|cell| cell.count);
    assert_eq!([count(1), count(2), count(3)], [Some(7), Some(14), Some(25)]);
}

#[test]
fn small_changes_add_up() {
    let (groups, mut now, mut census) = start();
    let third = groups.place(3).expect("a team");
    for at in 0..5 {
        now[at].groups = vec![third];
        census = census.renewed(&[Arc::clone(&groups)], now.clone());
        let count = census.headcount(0).expect("a tree").total(third).map(|cell| cell.count);
        assert_eq!(count, Some(if at < 4 { 20 } else { 25 }), "after {} have moved", at + 1);
    }
}

#[test]
fn those_who_stay_behind_are_not_left_alone() {
    let (groups, members, census) = start();
    let mut now = members;
    for member in now.iter_mut().take(10) {
        member.groups = vec![groups.place(3).expect("a team")];
    }
    let renewed = census.renewed(&[Arc::clone(&groups)], now);
    assert!(differences(&census, &renewed, &TEAMS).iter().all(|difference| *difference == 0));
}

#[test]
fn a_reorganisation_parts_nobody_from_few() {
    let groups = teams(&[1, 3, 2]);
    let members = staffed(&groups, &[(1, 3), (2, 19), (3, 20)]);
    let census = Census::new(Threshold::default(), vec![Arc::clone(&groups)], members.clone());
    // The small team is put under another, with which it would be counted from now on.
    let moved = Arc::new(Groups::new(&[
        Group { key: 1, parent: Some(3), is_open: true, weight: 0 },
        Group { key: 2, parent: None, is_open: true, weight: 0 },
        Group { key: 3, parent: None, is_open: true, weight: 0 },
    ]));
    let mut now = members;
    for member in &mut now {
        member.groups = vec![groups.place_in(member.groups[0], &moved)];
    }
    let third = |census: &Census<Facts>| census.headcount(0)?.total(census.groups(0)?.place(3)?).map(|cell| cell.count);
    let anew = Census::new(Threshold::default(), vec![Arc::clone(&moved)], now.clone());
    assert_eq!((third(&census), third(&anew)), (Some(20), Some(23)), "counted anew, the three are told apart");
    let renewed = census.renewed(&[moved], now);
    assert_eq!(third(&renewed), Some(20));
}

/// The people of each block that are in each block of another census, from nowhere and to nowhere.
fn shared(before: &Census<Facts>, after: &Census<Facts>) -> Vec<usize> {
    before.shared_with(after)
}

proptest! {
    /// Whatever changes: between two censuses, each block of the one and each of the other share nobody or enough.
    #[test]
    fn two_censuses_share_nobody_or_enough(
        sizes in prop::collection::vec(0_usize..15, 4),
        steps in prop::collection::vec(prop::collection::vec((0_usize..60, 0_u8..5, any::<bool>()), 0..25), 1..5),
    ) {
        let keys = [1, 2, 3, 4];
        let groups = teams(&keys);
        let sized: Vec<_> = keys.into_iter().zip(sizes).collect();
        let mut now = staffed(&groups, &sized);
        let threshold = Threshold::new(3).expect("a threshold");
        let mut census = Census::new(threshold, vec![Arc::clone(&groups)], now.clone());
        for step in steps {
            for (who, to, skilled) in step {
                match now.get_mut(who) {
                    Some(_) if to == 4 => drop(now.remove(who)),
                    Some(member) => {
                        member.groups = vec![usize::from(to) + 1];
                        member.facts.skilled = skilled;
                    }
                    None => now.push(Member {
                        id: 10_000 + who as u128,
                        groups: vec![usize::from(to.min(3)) + 1],
                        facts: Facts { skilled, fte: 500 },
                    }),
                }
            }
            now.sort_by_key(|member| member.id);
            now.dedup_by_key(|member| member.id);
            let next = census.renewed(&[Arc::clone(&groups)], now.clone());
            for people in shared(&census, &next) {
                prop_assert!(people >= 3, "{people} people are told apart");
            }
            census = next;
        }
    }
}
