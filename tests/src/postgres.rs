//! A database of its own for each test that wants PostgreSQL.

use sea_orm::{ConnectionTrait, Database as Orm, DatabaseConnection};
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

    /// Drops it.
    pub async fn drop(self) {
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        self.admin.execute_unprepared(&statement).await.expect("the database is dropped");
    }
}
