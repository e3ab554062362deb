//! Builds the table of a kind: the columns that every record has, then the own ones as the migration names them.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

/// A table of records. Own columns are nullable: what a record must have is for the owner to say, and it changes.
pub(crate) struct RecordTable {
    name: &'static str,
    columns: Vec<(&'static str, Column)>,
    indexes: Vec<&'static str>,
    uniques: Vec<&'static str>,
}

#[derive(Clone, Copy)]
enum Column {
    Text,
    Boolean,
    Integer,
    Double,
    Decimal,
    Date,
    DateTime,
    Reference,
}

impl RecordTable {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, columns: Vec::new(), indexes: Vec::new(), uniques: Vec::new() }
    }

    pub(crate) fn text(self, name: &'static str) -> Self {
        self.column(name, Column::Text)
    }

    /// The name of a value of an enumeration.
    pub(crate) fn enumeration(self, name: &'static str) -> Self {
        self.column(name, Column::Text)
    }

    /// Several values, as JSON text.
    pub(crate) fn list(self, name: &'static str) -> Self {
        self.column(name, Column::Text)
    }

    pub(crate) fn boolean(self, name: &'static str) -> Self {
        self.column(name, Column::Boolean)
    }

    pub(crate) fn integer(self, name: &'static str) -> Self {
        self.column(name, Column::Integer)
    }

    pub(crate) fn double(self, name: &'static str) -> Self {
        self.column(name, Column::Double)
    }

    /// A decimal number with 15 digits before and 4 after the point. SQLite has no exact type for it: text there.
    pub(crate) fn decimal(self, name: &'static str) -> Self {
        self.column(name, Column::Decimal)
    }

    pub(crate) fn date(self, name: &'static str) -> Self {
        self.column(name, Column::Date)
    }

    /// A moment, in microseconds.
    pub(crate) fn date_time(self, name: &'static str) -> Self {
        self.column(name, Column::DateTime)
    }

    /// The id of a record. No foreign key: the record may belong to another owner, and edges may dangle.
    pub(crate) fn reference(self, name: &'static str) -> Self {
        self.column(name, Column::Reference)
    }

    /// Makes it quick to find the live records by a column.
    pub(crate) fn index(mut self, column: &'static str) -> Self {
        self.indexes.push(column);
        self
    }

    /// Lets a value occur once among the live records.
    pub(crate) fn unique(mut self, column: &'static str) -> Self {
        self.uniques.push(column);
        self
    }

    fn column(mut self, name: &'static str, column: Column) -> Self {
        self.columns.push((name, column));
        self
    }

    pub(crate) async fn create(self, manager: &SchemaManager<'_>) -> Result<(), DbErr> {
        let sqlite = manager.get_database_backend() == DbBackend::Sqlite;
        let mut table = Table::create();
        table
            .table(self.name)
            .col(ColumnDef::new("id").uuid().not_null().primary_key())
            .col(ColumnDef::new("key").text())
            .col(ColumnDef::new("external_ids").text())
            .col(ColumnDef::new("name").text())
            .col(ColumnDef::new("description").text())
            .col(ColumnDef::new("tags").text())
            .col(ColumnDef::new("translations").text())
            .col(ColumnDef::new("version").big_integer().not_null())
            .col(ColumnDef::new("created_at").timestamp_with_time_zone().not_null())
            .col(ColumnDef::new("updated_at").timestamp_with_time_zone().not_null())
            .col(ColumnDef::new("retired_at").timestamp_with_time_zone())
            .col(ColumnDef::new("provenance").blob())
            .col(ColumnDef::new("sealed").blob());
        for (name, column) in self.columns {
            let mut definition = ColumnDef::new(name);
            match column {
                Column::Text => definition.text(),
                Column::Boolean => definition.boolean(),
                Column::Integer => definition.integer(),
                Column::Double => definition.double(),
                Column::Decimal if sqlite => definition.text(),
                Column::Decimal => definition.decimal_len(19, 4),
                Column::Date => definition.date(),
                Column::DateTime => definition.timestamp_with_time_zone(),
                Column::Reference => definition.uuid(),
            };
            table.col(definition);
        }
        manager.create_table(table).await?;
        let live = || Expr::col("retired_at").is_null();
        for column in ["key"].into_iter().chain(self.uniques) {
            let name = format!("{}_live_{column}", self.name);
            let index = Index::create().name(name).table(self.name).col(column).unique().and_where(live()).to_owned();
            manager.create_index(index).await?;
        }
        for column in self.indexes {
            let name = format!("{}_live_{column}", self.name);
            manager
                .create_index(Index::create().name(name).table(self.name).col(column).and_where(live()).to_owned())
                .await?;
        }
        Ok(())
    }

    pub(crate) async fn drop(self, manager: &SchemaManager<'_>) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(self.name).to_owned()).await
    }
}
