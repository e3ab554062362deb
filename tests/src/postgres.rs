//! A database of its own for each test that wants PostgreSQL.

use std::path::PathBuf;

use sea_orm::{ConnectionTrait, Database as Orm, DatabaseConnection, Statement};
use uuid::Uuid;

/// The URL of a PostgreSQL server on which databases may be made; none where the tests run without one.
pub fn postgres_url() -> Option<String> {
    let url = std::env::var("SPIL_TEST_POSTGRES").ok();
    if url.is_none() {
        eprintln!("skipped on PostgreSQL: SPIL_TEST_POSTGRES is not set");
    }
    url
}

/// A database that is dropped when the test is done with it.
pub struct Database {
    admin: DatabaseConnection,
    name: String,
    /// The URL of the database.
    pub url: String,
}

impl Database {
    /// Makes a database on a server.
    pub async fn create(server: &str) -> Self {
        let admin = Orm::connect(server).await.expect("a server");
        let name = format!("spil_test_{}", Uuid::now_v7().simple());
        admin.execute_unprepared(&format!("CREATE DATABASE {name}")).await.expect("a database");
        let (front, _) = server.rsplit_once('/').expect("a URL with a database");
        let url = format!("{front}/{name}");
        Self { admin, name, url }
    }

    /// Ends all connections to it, as a restart of the server would.
    pub async fn cut_connections(&self) {
        let statement =
            format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'", self.name);
        self.admin.execute_unprepared(&statement).await.expect("connections are cut");
    }

    /// Writes what is in the server's memory to its files, and says where these are; none where this machine has no such folder that can be
    /// read.
    pub async fn files(&self) -> Option<PathBuf> {
        self.admin.execute_unprepared("CHECKPOINT").await.expect("a superuser");
        let asked = Statement::from_string(self.admin.get_database_backend(), "SHOW data_directory".to_owned());
        let row = self.admin.query_one_raw(asked).await.expect("an answer").expect("a row");
        let folder = PathBuf::from(row.try_get_by_index::<String>(0).expect("a folder"));
        let is_readable = std::fs::read_dir(folder.join("pg_wal")).is_ok();
        if !is_readable {
            eprintln!("skipped: the files of PostgreSQL can not be read from here");
        }
        is_readable.then_some(folder)
    }

    /// Drops it.
    pub async fn drop(self) {
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        self.admin.execute_unprepared(&statement).await.expect("the database is dropped");
    }
}
