//! Every kind and every field, by the model table.

use std::collections::BTreeMap;

use prost::Message;
use spil_proto::{
    changefeed::v1::{Outcome, ProblemCode, Record},
    model::{Kind, Owner, Value, field},
};

use crate::{
    database::Database,
    follower::Follower,
    owner::{TestOwner, by_id, create, id, problems, retire, update, upsert},
    sample::{full, get, minimal, set, value},
};

pub(crate) async fn every_kind_lives_its_life(database: Database) {
    for owner in Owner::ALL {
        let service = TestOwner::new(&database, owner).await;
        let mut follower = Follower::start(&service).await;
        for kind in owner.kinds() {
            let wanted = full(&service, kind, 2).await;
            let created = service.one(create(wanted.clone())).await;
            assert_eq!(created.outcome(), Outcome::Created);
            assert_eq!(created.version, 1);
            let record = created.record.clone().expect("a record");
            for info in kind.info().fields().filter(|info| info.writable) {
                assert_eq!(get(&record, info.index), get(&wanted, info.index), "{kind:?}.{}", info.name);
            }

            let fields: Vec<&str> = kind.info().fields().filter(|info| info.writable).map(|info| info.column).collect();
            let same = service.one(upsert(by_id(id(&created)), &fields, wanted.clone())).await;
            assert_eq!(same.outcome(), Outcome::Unchanged);
            assert_eq!(same.record, created.record);

            let mut renamed = Record::empty(kind);
            set(&mut renamed, field::NAME, Value::Text("renamed".into()));
            let updated = service.one(update(by_id(id(&created)), &["name"], renamed.clone())).await;
            assert_eq!(updated.outcome(), Outcome::Updated);
            assert_eq!(updated.version, 2);
            let now = updated.record.expect("a record");
            for info in kind.info().fields().filter(|info| info.writable && info.index != field::NAME) {
                assert_eq!(get(&now, info.index), get(&record, info.index), "{kind:?}.{}", info.name);
            }

            let mut made = minimal(&service, kind).await;
            set(&mut made, field::NAME, Value::Text("made".into()));
            let made = service.one(upsert(by_id(uuid::Uuid::now_v7()), &[], made)).await;
            assert_eq!(made.outcome(), Outcome::Created);

            let head = service.head().await.revision;
            follower.follow_to(head).await;
            // The rows say what the log says, byte for byte.
            assert_eq!(follower.digest(owner), service.digest().await.kinds, "{kind:?}");
            let (_, snapshot) = service.snapshot().await;
            let stored = snapshot.iter().find(|record| record.id() == Some(id(&created)));
            assert_eq!(stored.expect("in the snapshot").encode_to_vec(), now.encode_to_vec());

            let verified = service.store.verify_log(None, &[]).await.expect("read");
            let tables = verified.tables.expect("a whole log");
            assert_eq!((tables.differing, tables.unproven), (0, 0), "{kind:?}");

            let retired = service.one(retire(kind, by_id(id(&created)))).await;
            assert_eq!(retired.outcome(), Outcome::Retired);
            assert_eq!(retired.version, 3);
            let again = service.one(retire(kind, by_id(id(&created)))).await;
            assert_eq!(again.outcome(), Outcome::Unchanged);
            let refused = service.refused(update(by_id(id(&created)), &["name"], renamed)).await;
            assert_eq!(problems(&refused), [("", ProblemCode::Retired)]);
            let (_, snapshot) = service.snapshot().await;
            assert!(snapshot.iter().all(|record| record.id() != Some(id(&created))));
        }
        let head = service.head().await.revision;
        follower.follow_to(head).await;
        assert_eq!(follower.digest(owner), service.digest().await.kinds);
        // Ordered by kind, then id.
        let (_, snapshot) = service.snapshot().await;
        let order: Vec<_> = snapshot.iter().map(|record| (record.kind(), record.id())).collect();
        assert!(order.is_sorted());
    }
}

pub(crate) async fn every_field_is_absent_or_not(database: Database) {
    for owner in Owner::ALL {
        let service = TestOwner::new(&database, owner).await;
        for kind in owner.kinds() {
            let created = service.one(create(full(&service, kind, 4).await)).await;
            let mut record = created.record.clone().expect("a record");
            for info in kind.info().fields().filter(|info| info.writable) {
                let name = format!("{kind:?}.{}", info.name);
                let other = value(&service, kind, info, 5).await;
                let mut values = Record::empty(kind);
                set(&mut values, info.index, other.clone());
                let target = by_id(id(&created));

                // Not named: left alone, whatever the values hold.
                let item = service.one(update(target.clone(), &[], values.clone())).await;
                assert_eq!(item.outcome(), Outcome::Unchanged, "{name}");

                let change = update(target.clone(), &[info.column], values);
                let clear = update(target.clone(), &[info.column], Record::empty(kind));
                if info.immutable {
                    let item = service.refused(change).await;
                    assert!(problems(&item).contains(&(info.column, ProblemCode::Immutable)), "{name}");
                    continue;
                }
                let item = service.one(change).await;
                assert_eq!(item.outcome(), Outcome::Updated, "{name}");
                set(&mut record, info.index, other);
                assert_writable_equal(item.record.as_ref().expect("a record"), &record);

                if info.required {
                    let item = service.refused(clear).await;
                    assert_eq!(problems(&item), [(info.column, ProblemCode::Required)], "{name}");
                    continue;
                }
                let item = service.one(clear).await;
                assert_eq!(item.outcome(), Outcome::Updated, "{name}");
                set(&mut record, info.index, Value::Null);
                assert_writable_equal(item.record.as_ref().expect("a record"), &record);
            }
            let (_, snapshot) = service.snapshot().await;
            let stored: BTreeMap<_, _> = snapshot.iter().map(|record| (record.id(), record)).collect();
            assert_writable_equal(stored[&Some(id(&created))], &record);

            if let Some(info) = kind.info().own.iter().find(|info| info.required) {
                let item = service.refused(create(Record::empty(kind))).await;
                assert!(problems(&item).contains(&(info.column, ProblemCode::Required)));
            }
        }
    }
}

pub(crate) async fn extreme_values_come_back(database: Database) {
    let owner = TestOwner::new(&database, Owner::Initiative).await;
    let mut follower = Follower::start(&owner).await;
    let floats = [f64::MAX, f64::MIN, f64::MIN_POSITIVE, 5e-324, 0.1 + 0.2, 1e22, -1.0];
    let decimals = ["999999999999999.9999", "-999999999999999.9999", "0.0001", "0.00", "-0", "100.0", "12.3400"];
    let dates = [-719_162, 2_932_896, 0, -1, 1, 59, -25_509];
    let texts = ["'", "\"", "\\", "%_$1?", "\u{10FFFF}", "\u{FEFF}x", "null"];
    let column = |column: &str| Kind::Benefit.info().field_by_column(column).expect("a field").index;
    let commands = (0..floats.len()).map(|place| {
        let mut record = Record::empty(Kind::Benefit);
        set(&mut record, column("baseline_value"), Value::Float(floats[place]));
        set(&mut record, column("value"), Value::Decimal(decimals[place].parse().expect("a decimal")));
        set(&mut record, column("baseline_at"), Value::Date(dates[place]));
        set(&mut record, column("unit"), Value::Text(texts[place].into()));
        set(&mut record, field::TAGS, Value::Texts(vec![texts[place].to_owned()].into()));
        create(record)
    });
    let wanted: Vec<_> = commands.collect();
    let answer = owner.apply(wanted.clone()).await;
    assert!(answer.applied, "{:?}", answer.items);
    for (item, wanted) in answer.items.iter().zip(&wanted) {
        let (record, wanted) = (item.record.as_ref().expect("a record"), wanted.values.as_ref().expect("values"));
        assert_writable_equal(record, wanted);
    }
    follower.follow_to(1).await;
    assert_eq!(follower.digest(Owner::Initiative), owner.digest().await.kinds);
    let (_, snapshot) = owner.snapshot().await;
    let followed: Vec<&Record> = follower.records.values().collect();
    assert_eq!(snapshot.iter().collect::<Vec<_>>(), followed);
}

fn assert_writable_equal(left: &Record, right: &Record) {
    let kind = left.kind().expect("a kind");
    for info in kind.info().fields().filter(|info| info.writable) {
        assert_eq!(get(left, info.index), get(right, info.index), "{kind:?}.{}", info.name);
    }
}
