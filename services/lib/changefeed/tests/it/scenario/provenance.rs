//! Who set which field.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng, rngs::StdRng};
use sea_orm::ConnectionTrait;
use spil_auth::{Caller, Permission};
use spil_proto::{
    changefeed::v1::{ApplyRequest, ItemResult, Origin},
    model::{Kind, Owner, Value, field},
};

use crate::{
    database::Database,
    follower::Follower,
    owner::{TestOwner, batch, by_id, create, id, retire, update},
    sample::{capability, child_of, set},
    scenario::chain::unlocked,
};

fn tag(column: &str) -> u32 {
    Kind::Capability.info().field_by_column(column).expect("a field").tag
}

/// Sends a batch in the name of somebody; answers with the items and the write it was.
async fn send_as(owner: &TestOwner, actor: &str, request: ApplyRequest) -> (Vec<ItemResult>, Origin) {
    let caller = Caller::new(actor, Permission::ALL);
    let (source, run) = (request.source.clone(), request.run.clone());
    let answer = owner.service.apply(&caller, request).await.expect("an answer");
    assert!(answer.applied, "{:?}", answer.items);
    // What was as asked for already keeps its older time.
    let times = answer.items.iter().filter_map(|item| match item.record.as_ref()?.entity()?.get(field::UPDATED_AT) {
        Value::DateTime(at) => Some(at),
        _ => None,
    });
    let at = times.max().expect("a time");
    (answer.items, Origin { source, run, actor: actor.to_owned(), at })
}

pub(crate) async fn each_field_tells_who_set_it_last(database: Database) {
    let owner = TestOwner::new(&database, Owner::Capability).await;
    let mut follower = Follower::start(&owner).await;
    let import = ApplyRequest {
        source: "import:hr".to_owned(),
        run: "run 1".to_owned(),
        ..batch(vec![create(capability(Some("a"), "A")), create(capability(Some("b"), "B"))])
    };
    let (items, imported) = send_as(&owner, "integrator", import).await;
    let (first, second) = (id(&items[0]), id(&items[1]));
    // The key is the same as before and stays with the import.
    let renamed = update(by_id(first), &["key", "name"], capability(Some("a"), "A2"));
    let (_, edited) = send_as(&owner, "editor", batch(vec![renamed])).await;
    // A cleared field was cleared by somebody; a reference is a field like others.
    let mut cleared = child_of(second);
    set(&mut cleared, field::KEY, Value::Text("a".into()));
    let cleared = update(by_id(first), &["name", "parent_id"], cleared);
    let (_, moved) = send_as(&owner, "mover", batch(vec![cleared])).await;
    // What comes to nothing within one batch is no change of the field.
    let to_and_fro = vec![
        update(by_id(second), &["name"], capability(None, "C")),
        update(by_id(second), &["name"], capability(None, "B")),
    ];
    send_as(&owner, "waverer", batch(to_and_fro)).await;

    let expected = BTreeMap::from([
        (
            (Kind::Capability, first),
            BTreeMap::from([
                (tag("key"), imported.clone()),
                (tag("name"), moved.clone()),
                (tag("parent_id"), moved.clone()),
            ]),
        ),
        ((Kind::Capability, second), BTreeMap::from([(tag("key"), imported.clone()), (tag("name"), imported.clone())])),
    ]);
    assert_eq!(owner.provenance().await, expected);
    follower.follow_to(4).await;
    assert_eq!(follower.told, expected);
    assert_ne!(edited, moved);

    owner.one(retire(Kind::Capability, by_id(second))).await;
    follower.follow_to(5).await;
    assert_eq!(follower.told, owner.provenance().await);
    owner.store.close().await;
    let owner = TestOwner::new(&database, Owner::Capability).await;
    assert_eq!(follower.told, owner.provenance().await);
}

/// Rows, revisions and changes that were written by a version without provenance.
pub(crate) async fn records_from_before_tell_nothing(database: Database) {
    let owner = TestOwner::new(&database, Owner::Capability).await;
    let follower = Follower::start(&owner).await;
    let old = id(&owner.one(create(capability(Some("old"), "Old"))).await);
    let db = unlocked(&database, Owner::Capability).await;
    for (table, column) in [("capability", "provenance"), ("change", "fields"), ("revision", "run")] {
        db.execute_unprepared(&format!("UPDATE {table} SET {column} = NULL")).await.expect("updated");
    }
    assert_eq!(owner.provenance().await, BTreeMap::from([((Kind::Capability, old), BTreeMap::new())]));
    // From the log as it stands now, not from what was sent before.
    let mut follower = Follower::resume(&owner, follower).await;
    follower.follow_to(1).await;
    assert_eq!(follower.told, owner.provenance().await);
    owner.one(update(by_id(old), &["name"], capability(None, "New"))).await;
    follower.follow_to(2).await;
    let told = owner.provenance().await;
    assert_eq!(told[&(Kind::Capability, old)].keys().copied().collect::<Vec<_>>(), [tag("name")]);
    assert_eq!(follower.told, told);
}

pub(crate) async fn random_writes_equal_the_last_writer_of_each_field(database: Database) {
    const COLUMNS: [&str; 5] = ["name", "description", "importance", "maturity_target", "tags"];
    let owner = TestOwner::new(&database, Owner::Capability).await;
    let mut follower = Follower::start(&owner).await;
    let mut dice = StdRng::seed_from_u64(11);
    let mut values = vec![[0_u8; COLUMNS.len()]; 8];
    let mut expected = BTreeMap::new();
    let made = batch((0..values.len()).map(|number| create(capability(Some(&number.to_string()), ""))).collect());
    let (items, by) = send_as(&owner, "maker", made).await;
    let ids: Vec<_> = items.iter().map(id).collect();
    for id in &ids {
        expected.insert((Kind::Capability, *id), BTreeMap::from([(tag("key"), by.clone())]));
    }
    for round in 0..60 {
        let before = values.clone();
        let mut commands = Vec::new();
        for _ in 0..dice.random_range(1..6) {
            let record = dice.random_range(0..ids.len());
            let mut image = capability(None, "");
            let mut named = Vec::new();
            for (place, column) in COLUMNS.iter().enumerate() {
                if dice.random_bool(0.4) {
                    let value = dice.random_range(0..3_u8);
                    values[record][place] = value;
                    named.push(*column);
                    set(
                        &mut image,
                        Kind::Capability.info().field_by_column(column).expect("a field").index,
                        match column {
                            _ if value == 0 => Value::Null,
                            &"name" | &"description" => Value::Text(value.to_string().into()),
                            &"tags" => Value::Texts(vec![value.to_string()].into()),
                            _ => Value::Int(value.into()),
                        },
                    );
                }
            }
            commands.push(update(by_id(ids[record]), &named, image));
        }
        let actor = format!("actor {}", dice.random_range(0..3));
        let run = if dice.random_bool(0.5) { String::new() } else { format!("run {round}") };
        let (_, by) = send_as(&owner, &actor, ApplyRequest { run, ..batch(commands) }).await;
        for (record, id) in ids.iter().enumerate() {
            for (place, column) in COLUMNS.iter().enumerate() {
                if before[record][place] != values[record][place] {
                    let told: &mut BTreeMap<u32, Origin> = expected.get_mut(&(Kind::Capability, *id)).expect("made");
                    told.insert(tag(column), by.clone());
                }
            }
        }
    }
    assert_eq!(owner.provenance().await, expected);
    let head = owner.head().await;
    follower.follow_to(head.revision).await;
    assert_eq!(follower.told, expected);
}
