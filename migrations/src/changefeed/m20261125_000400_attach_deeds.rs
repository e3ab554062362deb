//! Lets a revision tell what was done to the log itself, and lets that alone be done to it.

use sea_orm_migration::{
    prelude::*,
    sea_orm::{ConnectionTrait, DbBackend},
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// The triggers that were there before.
const FORMER: [&str; 4] =
    ["revision_is_not_deleted", "revision_is_not_updated", "change_is_not_deleted", "change_is_not_updated"];

/// What is refused. A log is trimmed as far as a chained revision says, and the content of a revision is written anew where the revision that is
/// being written says so: the row of the revision comes last and closes it.
const SQLITE: [&str; 13] = [
    "CREATE TRIGGER revision_is_not_added_twice BEFORE INSERT ON revision
     WHEN EXISTS (SELECT 1 FROM revision WHERE revision = NEW.revision)
     BEGIN SELECT RAISE(ABORT, 'the change log is only added to'); END",
    "CREATE TRIGGER change_is_not_added_twice BEFORE INSERT ON change
     WHEN EXISTS (SELECT 1 FROM change WHERE revision = NEW.revision AND ordinal = NEW.ordinal)
     BEGIN SELECT RAISE(ABORT, 'the change log is only added to'); END",
    "CREATE TRIGGER revision_is_not_deleted BEFORE DELETE ON revision
     WHEN OLD.revision >= (SELECT trimmed_through FROM change_head)
       OR NOT EXISTS (SELECT 1 FROM attachment a JOIN revision r ON r.revision = a.revision
                      WHERE a.deed = 1 AND a.subject > OLD.revision AND r.chain IS NOT NULL)
     BEGIN SELECT RAISE(ABORT, 'the change log is only added to'); END",
    "CREATE TRIGGER change_is_not_deleted BEFORE DELETE ON change
     WHEN OLD.revision > (SELECT trimmed_through FROM change_head)
       OR NOT EXISTS (SELECT 1 FROM attachment a JOIN revision r ON r.revision = a.revision
                      WHERE a.deed = 1 AND a.subject >= OLD.revision AND r.chain IS NOT NULL)
     BEGIN SELECT RAISE(ABORT, 'the change log is only added to'); END",
    "CREATE TRIGGER revision_is_not_updated BEFORE UPDATE ON revision
     WHEN NEW.revision IS NOT OLD.revision OR NEW.mark IS NOT OLD.mark OR NEW.at IS NOT OLD.at OR NEW.changes IS NOT OLD.changes
       OR NEW.bytes IS NOT OLD.bytes OR NEW.chain IS NOT OLD.chain
       OR NOT EXISTS (SELECT 1 FROM attachment a JOIN change_head h ON h.revision = a.revision
                      WHERE a.deed = 2 AND a.subject = OLD.revision AND a.digest IS NULL
                        AND NOT EXISTS (SELECT 1 FROM revision r WHERE r.revision = h.revision))
     BEGIN SELECT RAISE(ABORT, 'the change log is only added to'); END",
    "CREATE TRIGGER change_is_not_updated BEFORE UPDATE ON change
     WHEN (SELECT chain FROM revision WHERE revision = OLD.revision) IS NOT NULL
       AND (NEW.revision IS NOT OLD.revision OR NEW.ordinal IS NOT OLD.ordinal OR NEW.kind IS NOT OLD.kind
         OR NEW.record_id IS NOT OLD.record_id OR NEW.fields IS NOT OLD.fields
         OR NOT EXISTS (SELECT 1 FROM attachment a JOIN change_head h ON h.revision = a.revision
                        WHERE a.deed = 2 AND a.subject = OLD.revision AND a.digest IS NULL
                          AND NOT EXISTS (SELECT 1 FROM revision r WHERE r.revision = h.revision)))
     BEGIN SELECT RAISE(ABORT, 'the change log is only added to'); END",
    "CREATE TRIGGER attachment_is_not_added_later BEFORE INSERT ON attachment
     WHEN NEW.revision IS NOT (SELECT revision FROM change_head)
       OR EXISTS (SELECT 1 FROM revision WHERE revision >= NEW.revision)
       OR EXISTS (SELECT 1 FROM attachment WHERE revision = NEW.revision AND deed = NEW.deed AND subject = NEW.subject)
     BEGIN SELECT RAISE(ABORT, 'the change log is only added to'); END",
    "CREATE TRIGGER attachment_is_not_updated BEFORE UPDATE ON attachment
     WHEN OLD.deed <> 2 OR OLD.digest IS NOT NULL OR NEW.revision IS NOT OLD.revision OR NEW.deed IS NOT OLD.deed
       OR NEW.subject IS NOT OLD.subject OR NEW.link IS NOT OLD.link
       OR EXISTS (SELECT 1 FROM revision WHERE revision >= OLD.revision)
     BEGIN SELECT RAISE(ABORT, 'the change log is only added to'); END",
    "CREATE TRIGGER attachment_is_not_deleted BEFORE DELETE ON attachment
     BEGIN SELECT RAISE(ABORT, 'the change log is only added to'); END",
    "CREATE TRIGGER change_head_says_what_was_done BEFORE UPDATE OF chained_from, trimmed_through ON change_head
     WHEN NEW.chained_from IS NOT OLD.chained_from OR NEW.trimmed_through < OLD.trimmed_through
       OR (NEW.trimmed_through > OLD.trimmed_through
           AND NEW.trimmed_through IS NOT (SELECT max(subject) FROM attachment WHERE deed = 1 AND revision = NEW.revision))
     BEGIN SELECT RAISE(ABORT, 'the change log is only added to'); END",
    "CREATE TRIGGER change_head_goes_on BEFORE UPDATE OF revision ON change_head
     WHEN NEW.revision < OLD.revision
     BEGIN SELECT RAISE(ABORT, 'the change log is only added to'); END",
    "CREATE TRIGGER change_head_is_one BEFORE INSERT ON change_head
     WHEN EXISTS (SELECT 1 FROM change_head)
     BEGIN SELECT RAISE(ABORT, 'the change log is only added to'); END",
    "CREATE TRIGGER change_head_stays BEFORE DELETE ON change_head
     BEGIN SELECT RAISE(ABORT, 'the change log is only added to'); END",
];

const POSTGRES: [&str; 8] = [
    "CREATE OR REPLACE FUNCTION change_log_is_kept() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
     BEGIN
       IF TG_OP = 'DELETE' AND TG_TABLE_NAME = 'change' THEN
         IF OLD.revision <= (SELECT trimmed_through FROM change_head) AND EXISTS (
              SELECT 1 FROM attachment a JOIN revision r ON r.revision = a.revision
              WHERE a.deed = 1 AND a.subject >= OLD.revision AND r.chain IS NOT NULL) THEN RETURN OLD; END IF;
       ELSIF TG_OP = 'DELETE' AND TG_TABLE_NAME = 'revision' THEN
         IF OLD.revision < (SELECT trimmed_through FROM change_head) AND EXISTS (
              SELECT 1 FROM attachment a JOIN revision r ON r.revision = a.revision
              WHERE a.deed = 1 AND a.subject > OLD.revision AND r.chain IS NOT NULL) THEN RETURN OLD; END IF;
       ELSIF TG_OP = 'UPDATE' AND TG_TABLE_NAME = 'change' THEN
         IF (SELECT chain FROM revision WHERE revision = OLD.revision) IS NULL THEN RETURN NEW; END IF;
         IF (NEW.revision, NEW.ordinal, NEW.kind, NEW.record_id) = (OLD.revision, OLD.ordinal, OLD.kind, OLD.record_id)
            AND NEW.fields IS NOT DISTINCT FROM OLD.fields AND change_log_is_redacted(OLD.revision) THEN RETURN NEW; END IF;
       ELSIF TG_OP = 'UPDATE' AND TG_TABLE_NAME = 'revision' THEN
         IF (NEW.revision, NEW.mark, NEW.at, NEW.changes, NEW.bytes) = (OLD.revision, OLD.mark, OLD.at, OLD.changes, OLD.bytes)
            AND NEW.chain IS NOT DISTINCT FROM OLD.chain AND change_log_is_redacted(OLD.revision) THEN RETURN NEW; END IF;
       ELSIF TG_OP = 'INSERT' AND TG_TABLE_NAME = 'attachment' THEN
         IF NEW.revision = (SELECT revision FROM change_head)
            AND NOT EXISTS (SELECT 1 FROM revision WHERE revision >= NEW.revision) THEN RETURN NEW; END IF;
       ELSIF TG_OP = 'UPDATE' AND TG_TABLE_NAME = 'attachment' THEN
         IF OLD.deed = 2 AND OLD.digest IS NULL AND (NEW.revision, NEW.deed, NEW.subject) = (OLD.revision, OLD.deed, OLD.subject)
            AND NEW.link IS NOT DISTINCT FROM OLD.link
            AND NOT EXISTS (SELECT 1 FROM revision WHERE revision >= OLD.revision) THEN RETURN NEW; END IF;
       ELSIF TG_OP = 'UPDATE' AND TG_TABLE_NAME = 'change_head' THEN
         IF NEW.chained_from = OLD.chained_from AND NEW.revision >= OLD.revision AND (
              NEW.trimmed_through = OLD.trimmed_through
              OR NEW.trimmed_through > OLD.trimmed_through
                 AND NEW.trimmed_through = (SELECT max(subject) FROM attachment WHERE deed = 1 AND revision = NEW.revision)
            ) THEN RETURN NEW; END IF;
       END IF;
       RAISE EXCEPTION 'the change log is only added to';
     END $$",
    // Whether the revision that is being written says that another one is written anew.
    "CREATE FUNCTION change_log_is_redacted(number bigint) RETURNS boolean LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
       SELECT EXISTS (SELECT 1 FROM attachment a JOIN change_head h ON h.revision = a.revision
                      WHERE a.deed = 2 AND a.subject = number AND a.digest IS NULL
                        AND NOT EXISTS (SELECT 1 FROM revision r WHERE r.revision = h.revision))
     $$",
    "DROP TRIGGER revision_is_not_updated ON revision",
    "CREATE TRIGGER revision_is_not_updated BEFORE UPDATE ON revision FOR EACH ROW EXECUTE FUNCTION change_log_is_kept()",
    "CREATE TRIGGER attachment_is_kept BEFORE INSERT OR DELETE OR UPDATE ON attachment FOR EACH ROW EXECUTE FUNCTION change_log_is_kept()",
    "CREATE TRIGGER attachment_is_not_emptied BEFORE TRUNCATE ON attachment FOR EACH STATEMENT EXECUTE FUNCTION change_log_is_kept()",
    "CREATE TRIGGER change_head_stays BEFORE DELETE OR TRUNCATE ON change_head FOR EACH STATEMENT EXECUTE FUNCTION change_log_is_kept()",
    "CREATE TRIGGER change_head_says_what_was_done BEFORE UPDATE OF chained_from, trimmed_through, revision ON change_head
     FOR EACH ROW WHEN (NEW.chained_from IS DISTINCT FROM OLD.chained_from OR NEW.trimmed_through <> OLD.trimmed_through
       OR NEW.revision < OLD.revision) EXECUTE FUNCTION change_log_is_kept()",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // `deed` 1: the log was trimmed through the revision `subject`, whose link was `link`. `deed` 2: the content of the revision `subject`,
        // whose link is `link`, was written anew; `digest` is the hash of it as it is since.
        manager
            .create_table(
                Table::create()
                    .table("attachment")
                    .col(ColumnDef::new("revision").big_integer().not_null())
                    .col(ColumnDef::new("deed").integer().not_null())
                    .col(ColumnDef::new("subject").big_integer().not_null())
                    .col(ColumnDef::new("link").blob())
                    .col(ColumnDef::new("digest").blob())
                    .primary_key(Index::create().col("revision").col("deed").col("subject"))
                    .to_owned(),
            )
            .await?;
        let by_subject = Index::create()
            .name("attachment_subject")
            .table("attachment")
            .col("deed")
            .col("subject")
            .col("revision")
            .to_owned();
        manager.create_index(by_subject).await?;
        // From this revision on every one has a link, so that one which was taken away is missed.
        let chained_from = ColumnDef::new("chained_from").big_integer().to_owned();
        manager.alter_table(Table::alter().table("change_head").add_column(chained_from).to_owned()).await?;
        let db = manager.get_connection();
        db.execute_unprepared(
            "UPDATE change_head SET chained_from =
             coalesce((SELECT min(revision) FROM revision WHERE chain IS NOT NULL), change_head.revision + 1)",
        )
        .await?;
        if manager.get_database_backend() == DbBackend::Sqlite {
            for trigger in FORMER {
                db.execute_unprepared(&format!("DROP TRIGGER {trigger}")).await?;
            }
        }
        let statements: &[&str] = match manager.get_database_backend() {
            DbBackend::Sqlite => &SQLITE,
            _ => &POSTGRES,
        };
        for statement in statements {
            db.execute_unprepared(statement).await?;
        }
        Ok(())
    }

    /// What was done to the log stands nowhere else, so that there is no way back to a version that does not know of it.
    async fn down(&self, _manager: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration("what was done to the change log is not forgotten".to_owned()))
    }
}
