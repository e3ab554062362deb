//! Chains revisions by hashes, keeps why and by which way they came, and lets nobody change what was logged.

use sea_orm_migration::{
    prelude::*,
    sea_orm::{ConnectionTrait, DbBackend},
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// What is refused. A log is trimmed from its old end only, up to where the head says; a change of a revision that was written before there
/// was a chain may be written in another form.
const SQLITE: [&str; 4] = [
    "CREATE TRIGGER revision_is_not_deleted BEFORE DELETE ON revision
     WHEN OLD.revision > (SELECT trimmed_through FROM change_head)
     BEGIN SELECT RAISE(ABORT, 'the change log is only added to'); END",
    "CREATE TRIGGER revision_is_not_updated BEFORE UPDATE ON revision
     BEGIN SELECT RAISE(ABORT, 'the change log is only added to'); END",
    "CREATE TRIGGER change_is_not_deleted BEFORE DELETE ON change
     WHEN OLD.revision > (SELECT trimmed_through FROM change_head)
     BEGIN SELECT RAISE(ABORT, 'the change log is only added to'); END",
    "CREATE TRIGGER change_is_not_updated BEFORE UPDATE ON change
     WHEN (SELECT chain FROM revision WHERE revision = OLD.revision) IS NOT NULL
     BEGIN SELECT RAISE(ABORT, 'the change log is only added to'); END",
];

const POSTGRES: [&str; 6] = [
    "CREATE FUNCTION change_log_is_kept() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
     BEGIN
       IF TG_OP = 'DELETE' THEN
         IF OLD.revision <= (SELECT trimmed_through FROM change_head) THEN RETURN OLD; END IF;
       ELSIF TG_OP = 'UPDATE' AND TG_TABLE_NAME = 'change' THEN
         IF (SELECT chain FROM revision WHERE revision = OLD.revision) IS NULL THEN RETURN NEW; END IF;
       END IF;
       RAISE EXCEPTION 'the change log is only added to';
     END $$",
    "CREATE TRIGGER revision_is_not_deleted BEFORE DELETE ON revision FOR EACH ROW EXECUTE FUNCTION change_log_is_kept()",
    "CREATE TRIGGER revision_is_not_updated BEFORE UPDATE ON revision FOR EACH STATEMENT EXECUTE FUNCTION change_log_is_kept()",
    "CREATE TRIGGER change_is_kept BEFORE DELETE OR UPDATE ON change FOR EACH ROW EXECUTE FUNCTION change_log_is_kept()",
    "CREATE TRIGGER revision_is_not_emptied BEFORE TRUNCATE ON revision FOR EACH STATEMENT EXECUTE FUNCTION change_log_is_kept()",
    "CREATE TRIGGER change_is_not_emptied BEFORE TRUNCATE ON change FOR EACH STATEMENT EXECUTE FUNCTION change_log_is_kept()",
];

const REVISION_COLUMNS: [&str; 3] = ["reason", "origin", "chain"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let [reason, origin, chain] = REVISION_COLUMNS;
        let columns = [ColumnDef::new(reason).text().to_owned(), ColumnDef::new(origin).text().to_owned()];
        for column in columns.into_iter().chain([ColumnDef::new(chain).blob().to_owned()]) {
            manager.alter_table(Table::alter().table("revision").add_column(column).to_owned()).await?;
        }
        // The history of one record, and what was written in a span of time.
        let by_record = Index::create()
            .name("change_record")
            .table("change")
            .col("kind")
            .col("record_id")
            .col("revision")
            .to_owned();
        manager.create_index(by_record).await?;
        manager.create_index(Index::create().name("revision_at").table("revision").col("at").to_owned()).await?;
        let statements: &[&str] = match manager.get_database_backend() {
            DbBackend::Sqlite => &SQLITE,
            _ => &POSTGRES,
        };
        for statement in statements {
            manager.get_connection().execute_unprepared(statement).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        if manager.get_database_backend() == DbBackend::Sqlite {
            for trigger in
                ["revision_is_not_deleted", "revision_is_not_updated", "change_is_not_deleted", "change_is_not_updated"]
            {
                db.execute_unprepared(&format!("DROP TRIGGER {trigger}")).await?;
            }
        } else {
            db.execute_unprepared("DROP FUNCTION change_log_is_kept() CASCADE").await?;
        }
        manager.drop_index(Index::drop().name("revision_at").table("revision").to_owned()).await?;
        manager.drop_index(Index::drop().name("change_record").table("change").to_owned()).await?;
        for column in REVISION_COLUMNS {
            manager.alter_table(Table::alter().table("revision").drop_column(column).to_owned()).await?;
        }
        Ok(())
    }
}
