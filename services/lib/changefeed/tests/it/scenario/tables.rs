//! What is served is what was logged, and what was changed beside the log is found.

use spil_changefeed::{Difference, Tables, Wrong};
use spil_proto::{
    changefeed::v1::{Record, record::Entity},
    model::{Kind, Owner},
    workforce::v1::SkillAssertion,
};
use uuid::Uuid;

use super::{
    chain::{run, trimmer, verified},
    erase::erase,
    seal::{claim, skill, worker},
};
use crate::{
    database::Database,
    owner::{TestOwner, by_id, create, id, retire, update},
};

async fn tables(owner: &TestOwner) -> Tables {
    let verified = verified(owner, &[]).await;
    assert_eq!(verified.fault, None);
    verified.tables.expect("compared")
}

fn as_logged(proven: u64, unproven: u64) -> Tables {
    Tables { proven, unproven, ..Tables::default() }
}

pub(crate) async fn what_is_changed_beside_the_log_is_found(database: Database) {
    let owner = TestOwner::new(&database, Owner::Workforce).await;
    let skill = skill(&owner).await;
    let person = id(&owner.one(create(worker())).await);
    let first = id(&owner.one(create(claim(person, skill))).await);
    let retired = id(&owner.one(create(claim(person, skill))).await);
    owner.one(retire(Kind::SkillAssertion, by_id(retired))).await;
    let level = SkillAssertion { level: Some(1), ..SkillAssertion::default() };
    let level = Record { entity: Some(Entity::SkillAssertion(level)) };
    owner.one(update(by_id(first), &["level"], level)).await;
    assert_eq!(tables(&owner).await, as_logged(4, 0));

    let db = database.connect(Owner::Workforce).await;
    let another = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001);
    let quoted = |id: Uuid| match database.is_postgres() {
        true => format!("'{id}'"),
        false => format!("x'{}'", id.simple()),
    };
    let columns = "version, created_at, updated_at, level, worker_id, skill_id, sealed, evidence_links, contestation";
    for (sql, kind, id, how) in [
        ("UPDATE skill_assertion SET level = 5 WHERE id = {first}", Kind::SkillAssertion, first, Wrong::Altered),
        ("UPDATE skill_assertion SET level = 5 WHERE id = {retired}", Kind::SkillAssertion, retired, Wrong::Altered),
        (
            "UPDATE skill_assertion SET sealed = (SELECT sealed FROM worker) WHERE id = {first}",
            Kind::SkillAssertion,
            first,
            Wrong::Altered,
        ),
        ("UPDATE worker SET sealed = NULL", Kind::Worker, person, Wrong::Altered),
        ("UPDATE worker SET status = 'no such status'", Kind::Worker, person, Wrong::Altered),
        ("UPDATE skill SET name = 'another'", Kind::Skill, skill, Wrong::Altered),
        ("DELETE FROM skill_assertion WHERE id = {first}", Kind::SkillAssertion, first, Wrong::Gone),
        (
            "INSERT INTO skill_assertion (id, {columns}) SELECT {another}, {columns} FROM skill_assertion WHERE id = {first}",
            Kind::SkillAssertion,
            another,
            Wrong::Unlogged,
        ),
    ] {
        for table in ["skill", "worker", "skill_assertion"] {
            run(&db, &format!("DROP TABLE IF EXISTS {table}_kept; CREATE TABLE {table}_kept AS SELECT * FROM {table}"))
                .await;
        }
        let sql = [("{first}", first), ("{retired}", retired), ("{another}", another)]
            .iter()
            .fold(sql.replace("{columns}", columns), |sql, (name, id)| sql.replace(name, &quoted(*id)));
        run(&db, &sql).await;
        let found = tables(&owner).await;
        assert_eq!((found.differing, found.named), (1, vec![Difference { kind, id, how }]), "{sql}");
        for table in ["skill", "worker", "skill_assertion"] {
            run(&db, &format!("DELETE FROM {table}; INSERT INTO {table} SELECT * FROM {table}_kept")).await;
        }
        assert_eq!(tables(&owner).await, as_logged(4, 0), "put back after {sql}");
    }

    // What an erasure leaves, and what a trimmed log does not tell any more.
    erase(&owner, person).await.expect("erased");
    assert_eq!(tables(&owner).await, as_logged(4, 0));
    owner.store.trim(3, &trimmer(), "too old").await.expect("trimmed");
    assert_eq!(tables(&owner).await, as_logged(3, 1));
}
