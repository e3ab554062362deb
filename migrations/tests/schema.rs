//! The migrated schema is the one that the model table asks for, on SQLite and on PostgreSQL, whoever migrates first.
//!
//! PostgreSQL is used where `SPIL_TEST_POSTGRES` holds the URL of a superuser.
#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "a test reports a fault by panicking")]

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
};

use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement};
use spil_migrations::{migrate, pending};
use spil_proto::model::{FieldType, Kind, Owner};
use tempfile::TempDir;

static NUMBER: AtomicU64 = AtomicU64::new(0);

/// A database that goes away.
enum Place {
    Sqlite(TempDir),
    Postgres { admin: String, name: String },
}

impl Place {
    fn sqlite() -> Self {
        Place::Sqlite(TempDir::new().expect("a folder"))
    }

    async fn postgres() -> Option<Self> {
        let Ok(admin) = std::env::var("SPIL_TEST_POSTGRES") else {
            println!("PostgreSQL is skipped: SPIL_TEST_POSTGRES is not set");
            return None;
        };
        let name = format!("spil_schema_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        run(&admin, &format!("CREATE DATABASE {name}")).await;
        Some(Place::Postgres { admin, name })
    }

    async fn connect(&self, owner: Owner) -> DatabaseConnection {
        let url = match self {
            Place::Sqlite(folder) => format!("sqlite://{}/{}.db?mode=rwc", folder.path().display(), owner.name()),
            Place::Postgres { admin, name } => {
                let (server, _) = admin.rsplit_once('/').expect("a URL with a database");
                format!("{server}/{name}")
            }
        };
        let mut options = ConnectOptions::new(url);
        options.max_connections(2).sqlx_logging(false).set_schema_search_path(owner.name());
        Database::connect(options).await.expect("a connection")
    }

    async fn remove(self) {
        if let Place::Postgres { admin, name } = self {
            run(&admin, &format!("DROP DATABASE {name} WITH (FORCE)")).await;
        }
    }
}

async fn run(url: &str, sql: &str) {
    let db = Database::connect(url).await.expect("a connection");
    db.execute_unprepared(sql).await.expect("done");
    db.close().await.expect("closed");
}

#[tokio::test]
async fn columns_follow_the_model_on_sqlite() {
    columns_follow_the_model(Place::sqlite()).await;
}

#[tokio::test]
async fn columns_follow_the_model_on_postgres() {
    if let Some(place) = Place::postgres().await {
        columns_follow_the_model(place).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_migrate_at_once_on_sqlite() {
    several_migrate_at_once(Place::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_migrate_at_once_on_postgres() {
    if let Some(place) = Place::postgres().await {
        several_migrate_at_once(place).await;
    }
}

async fn columns_follow_the_model(place: Place) {
    for owner in Owner::ALL {
        let db = place.connect(owner).await;
        let all = pending(&db, owner).await.expect("the list");
        assert!(all.len() > owner.kinds().count(), "a migration makes the log, and one each kind");
        assert!(all.is_sorted(), "{all:?}");
        migrate(&db, owner).await.expect("migrated");
        assert!(pending(&db, owner).await.expect("the list").is_empty());
        migrate(&db, owner).await.expect("nothing to do");
        for kind in owner.kinds() {
            assert_eq!(columns(&db, kind).await, wanted(kind, db.get_database_backend()), "{kind:?}");
        }
        db.close().await.expect("closed");
    }
    place.remove().await;
}

async fn several_migrate_at_once(place: Place) {
    for owner in Owner::ALL {
        let mut tasks = Vec::new();
        for _ in 0..6 {
            let db = place.connect(owner).await;
            tasks.push(tokio::spawn(async move {
                migrate(&db, owner).await.expect("migrated");
                db
            }));
        }
        let mut stores = Vec::new();
        for task in tasks {
            let db = task.await.expect("migrated");
            assert!(pending(&db, owner).await.expect("the list").is_empty());
            let statement = Statement::from_string(db.get_database_backend(), "SELECT store_id FROM change_head");
            let rows = db.query_all_raw(statement).await.expect("rows");
            assert_eq!(rows.len(), 1);
            stores.push(rows[0].try_get_by_index::<sea_orm::prelude::Uuid>(0).expect("an id"));
            db.close().await.expect("closed");
        }
        stores.dedup();
        assert_eq!(stores.len(), 1);
    }
    place.remove().await;
}

/// Columns and their types; `!` stands for one that must have a value.
fn wanted(kind: Kind, backend: DbBackend) -> BTreeMap<String, String> {
    let sqlite = backend == DbBackend::Sqlite;
    let bytes = |column: &str| (column.to_owned(), if sqlite { "blob" } else { "bytea" }.to_owned());
    kind.info()
        .fields()
        .map(|info| {
            let (on_postgres, on_sqlite) = match info.ty {
                FieldType::Id | FieldType::Ref(_) => ("uuid", "uuid_text"),
                FieldType::Bool => ("boolean", "boolean"),
                FieldType::Int if !info.writable => ("bigint", "integer"),
                FieldType::Int => ("integer", "integer"),
                FieldType::Float => ("double precision", "double"),
                FieldType::Decimal => ("numeric", "text"),
                FieldType::Date => ("date", "date_text"),
                FieldType::DateTime => ("timestamp with time zone", "timestamp_with_timezone_text"),
                FieldType::Text
                | FieldType::Enum(_)
                | FieldType::TextList
                | FieldType::EnumList(_)
                | FieldType::RefList(_)
                | FieldType::ExternalIds
                | FieldType::Translations => ("text", "text"),
            };
            let required = ["id", "version", "created_at", "updated_at"].contains(&info.column);
            let ty = if sqlite { on_sqlite } else { on_postgres };
            (info.column.to_owned(), format!("{ty}{}", if required { "!" } else { "" }))
        })
        .chain(["provenance", "sealed"].map(bytes))
        .collect()
}

async fn columns(db: &DatabaseConnection, kind: Kind) -> BTreeMap<String, String> {
    let backend = db.get_database_backend();
    let sql = match backend {
        DbBackend::Sqlite => {
            "SELECT name, lower(type) || CASE WHEN \"notnull\" THEN '!' ELSE '' END FROM pragma_table_info($1)"
        }
        _ => {
            "SELECT column_name::text, data_type || CASE is_nullable WHEN 'NO' THEN '!' ELSE '' END
             FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = $1"
        }
    };
    let statement = Statement::from_sql_and_values(backend, sql, [kind.info().table.into()]);
    let rows = db.query_all_raw(statement).await.expect("rows");
    rows.iter()
        .map(|row| (row.try_get_by_index(0).expect("a name"), row.try_get_by_index(1).expect("a type")))
        .collect()
}
