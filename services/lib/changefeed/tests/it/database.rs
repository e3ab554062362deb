//! A database for one test.

use std::{
    path::Path,
    sync::{
        Arc, Once,
        atomic::{AtomicU64, Ordering},
    },
};

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use spil_changefeed::{PersonalKey, Store, StoreConfig, open};
use spil_proto::model::Owner;
use tempfile::TempDir;

#[derive(Clone)]
pub(crate) struct Database {
    place: Arc<Place>,
    /// With it what tells who somebody is is sealed.
    pub(crate) key: PersonalKey,
}

enum Place {
    Sqlite(TempDir),
    Postgres { admin: String, name: String },
}

static NUMBER: AtomicU64 = AtomicU64::new(0);
static SKIPPED: Once = Once::new();

impl Database {
    pub(crate) fn sqlite() -> Self {
        Self { place: Arc::new(Place::Sqlite(TempDir::new().expect("a folder"))), key: PersonalKey::generate() }
    }

    /// `None` if there is no server to test with.
    pub(crate) async fn postgres() -> Option<Self> {
        let Ok(admin) = std::env::var("SPIL_TEST_POSTGRES") else {
            SKIPPED.call_once(|| println!("PostgreSQL is skipped: SPIL_TEST_POSTGRES is not set"));
            return None;
        };
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("spil_test_{}_{number}", std::process::id());
        let db = connect(&admin).await;
        db.execute_unprepared(&format!("CREATE DATABASE {name}")).await.expect("a database");
        db.close().await.expect("closed");
        Some(Self { place: Arc::new(Place::Postgres { admin, name }), key: PersonalKey::generate() })
    }

    /// Runs a scenario and removes the database, also when the scenario fails.
    pub(crate) async fn run<F>(self, scenario: impl FnOnce(Database) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let outcome = tokio::spawn(scenario(self.clone())).await;
        if let Place::Postgres { admin, name } = self.place.as_ref() {
            let db = connect(admin).await;
            db.execute_unprepared(&format!("DROP DATABASE {name} WITH (FORCE)")).await.expect("dropped");
            db.execute_unprepared(&format!("DROP DATABASE IF EXISTS {name}_backup")).await.expect("dropped");
            db.close().await.expect("closed");
        }
        if let Err(error) = outcome {
            std::panic::resume_unwind(error.into_panic());
        }
    }

    /// Makes a backup of everything. No store may be open.
    pub(crate) async fn back_up(&self) {
        match self.place.as_ref() {
            Place::Sqlite(folder) => copy(&folder.path().join("data"), &folder.path().join("backup")),
            Place::Postgres { admin, name } => {
                let db = connect(admin).await;
                // The server needs a moment to notice that connections are closed.
                let cut = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");
                db.execute_unprepared(&cut).await.expect("cut");
                let copy = format!("CREATE DATABASE {name}_backup TEMPLATE {name}");
                db.execute_unprepared(&copy).await.expect("a backup");
                db.close().await.expect("closed");
            }
        }
    }

    /// Puts the backup in the place of everything. No store may be open.
    pub(crate) async fn restore(&self) {
        match self.place.as_ref() {
            Place::Sqlite(folder) => {
                std::fs::remove_dir_all(folder.path().join("data")).expect("removed");
                copy(&folder.path().join("backup"), &folder.path().join("data"));
            }
            Place::Postgres { admin, name } => {
                let db = connect(admin).await;
                db.execute_unprepared(&format!("DROP DATABASE {name} WITH (FORCE)")).await.expect("dropped");
                let rename = format!("ALTER DATABASE {name}_backup RENAME TO {name}");
                db.execute_unprepared(&rename).await.expect("restored");
                db.close().await.expect("closed");
            }
        }
    }

    /// Every byte that is kept of an owner: of SQLite all files, of PostgreSQL every row of every table, as it is written out.
    pub(crate) async fn bytes(&self, owner: Owner) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self.place.as_ref() {
            Place::Sqlite(folder) => {
                for file in std::fs::read_dir(folder.path().join("data")).expect("files") {
                    bytes.extend(std::fs::read(file.expect("a file").path()).expect("read"));
                }
            }
            Place::Postgres { .. } => {
                let db = self.connect(owner).await;
                let read = async |sql: String| -> Vec<String> {
                    let rows = db.query_all_raw(Statement::from_string(DbBackend::Postgres, sql)).await.expect("rows");
                    rows.iter().map(|row| row.try_get_by_index(0).expect("a text")).collect()
                };
                let tables =
                    "SELECT table_name::text FROM information_schema.tables WHERE table_schema = current_schema()";
                for table in read(tables.to_owned()).await {
                    for row in read(format!("SELECT \"{table}\"::text FROM \"{table}\"")).await {
                        bytes.extend(row.into_bytes());
                    }
                }
                db.close().await.expect("closed");
            }
        }
        bytes
    }

    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self.place.as_ref(), Place::Postgres { .. })
    }

    pub(crate) fn url(&self, owner: Owner) -> String {
        match self.place.as_ref() {
            Place::Sqlite(folder) => format!("sqlite://{}/data/{}.db", folder.path().display(), owner.name()),
            Place::Postgres { admin, name } => {
                let (server, _) = admin.rsplit_once('/').expect("a URL with a database");
                format!("{server}/{name}")
            }
        }
    }

    /// A store that is migrated.
    pub(crate) async fn store(&self, owner: Owner) -> Store {
        let config = StoreConfig { owner, url: self.url(owner), max_connections: 12 };
        let store = open(&config).await.expect("a store");
        store.migrate().await.expect("migrated");
        store.unlock(&self.key).await.expect("unlocked");
        store
    }

    /// A connection beside the store, in the schema of an owner.
    pub(crate) async fn connect(&self, owner: Owner) -> DatabaseConnection {
        let db = connect(&self.url(owner)).await;
        if self.is_postgres() {
            db.execute_unprepared(&format!("SET search_path = {}", owner.name())).await.expect("a search path");
        }
        db
    }
}

/// Copies the files of a folder into a new one.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).expect("a folder");
    for file in std::fs::read_dir(from).expect("files") {
        let file = file.expect("a file");
        std::fs::copy(file.path(), to.join(file.file_name())).expect("copied");
    }
}

async fn connect(url: &str) -> DatabaseConnection {
    let mut options = sea_orm::ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    sea_orm::Database::connect(options).await.expect("a connection")
}
