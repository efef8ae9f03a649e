//! Document tables: what a read model is, and how one is folded.

use crate::{db::Dialect, event::Recorded};
use serde::{Serialize, de::DeserializeOwned};
use std::fmt::Write;

/// A read model: one document per record, folded from events, in a table with a few real columns to filter and sort by.
pub trait ReadModel: 'static {
    /// The table.
    const TABLE: Table;
    /// The document.
    type Doc: Serialize + DeserializeOwned;

    /// The rows that an event touches, by their id within the event's organisation.
    fn touches(event: &Recorded<'_>) -> Vec<Row>;

    /// The row's document after the event; none deletes the row.
    fn fold(id: &str, doc: Option<Self::Doc>, event: &Recorded<'_>) -> Option<Self::Doc>;

    /// The values of the table's columns, in their order.
    fn cells(doc: &Self::Doc) -> Vec<Cell>;
}

/// A row that an event touches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The row's id within the organisation.
    pub id: String,
    /// Whether the event itself makes the row, so that there is nothing to read first.
    pub is_new: bool,
}

impl Row {
    /// A row that the event makes.
    pub fn new(id: impl ToString) -> Self {
        Self { id: id.to_string(), is_new: true }
    }

    /// A row that may be there already.
    pub fn known(id: impl ToString) -> Self {
        Self { id: id.to_string(), is_new: false }
    }
}

/// The shape of a read model's table, beside `org_id`, `id`, `position` and `doc`.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// Raised with every change of the fold or the columns; a store that holds an older one builds this one beside it.
    pub version: u32,
    /// Whether a fold that fails must fail the command: true for identity, which may never be out of date.
    pub essential: bool,
    /// Its columns.
    pub columns: &'static [Column],
    /// Its indexes.
    pub indexes: &'static [Index],
}

/// A column to filter or sort by.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: CellKind,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CellKind {
    /// Text, ordered by its bytes.
    Text,
    /// A whole number.
    Integer,
}

/// An index over some columns.
#[derive(Clone, Copy, Debug)]
pub struct Index {
    /// Its columns.
    pub columns: &'static [&'static str],
    /// Whether two rows may not have the same values.
    pub unique: bool,
}

/// The value of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// Text or nothing.
    Text(Option<String>),
    /// A whole number or nothing.
    Integer(Option<i64>),
}

impl Cell {
    /// A text.
    pub fn text(value: impl ToString) -> Self {
        Self::Text(Some(value.to_string()))
    }

    /// A text or nothing.
    pub fn maybe<T: ToString>(value: Option<T>) -> Self {
        Self::Text(value.map(|value| value.to_string()))
    }

    /// A whole number.
    pub fn integer(value: impl Into<i64>) -> Self {
        Self::Integer(Some(value.into()))
    }
}

/// Why an event could not be folded.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{table}: the document {id} cannot be read back: {reason}")]
pub struct FoldError {
    /// The table.
    pub table: &'static str,
    /// The row.
    pub id: String,
    /// What is wrong with it.
    pub reason: String,
}

/// A row after a fold: its document and cells, or nothing when it is gone.
pub type Folded = Option<(String, Vec<Cell>)>;

/// A read model without its type.
#[derive(Clone, Copy)]
pub struct Model {
    /// Its table.
    pub table: Table,
    touches: fn(&Recorded<'_>) -> Vec<Row>,
    fold: Fold,
}

/// Folds events into the row with an id and perhaps a document.
type Fold = fn(&str, Option<&str>, &[&Recorded<'_>]) -> Result<Folded, FoldError>;

impl Model {
    /// The model without its type.
    pub fn of<M: ReadModel>() -> Self {
        Self { table: M::TABLE, touches: M::touches, fold: fold::<M> }
    }

    /// The rows that an event touches.
    pub fn touches(&self, event: &Recorded<'_>) -> Vec<Row> {
        (self.touches)(event)
    }

    /// The row after some events that touch it, in their order.
    pub fn fold(&self, id: &str, doc: Option<&str>, events: &[&Recorded<'_>]) -> Result<Folded, FoldError> {
        (self.fold)(id, doc, events)
    }
}

fn fold<M: ReadModel>(id: &str, doc: Option<&str>, events: &[&Recorded<'_>]) -> Result<Folded, FoldError> {
    let failed =
        |error: serde_json::Error| FoldError { table: M::TABLE.name, id: id.to_owned(), reason: error.to_string() };
    let mut doc: Option<M::Doc> = doc.map(serde_json::from_str).transpose().map_err(failed)?;
    for event in events {
        doc = M::fold(id, doc, event);
    }
    doc.map(|doc| Ok((serde_json::to_string(&doc).map_err(failed)?, M::cells(&doc)))).transpose()
}

impl Table {
    /// The table that holds one build of the model; readers see it under the model's plain name.
    pub fn build(&self, number: i64) -> String {
        format!("{}_v{number}", self.name)
    }

    /// The statement that makes one build's table. The only place where the two databases differ is the type of a whole
    /// number and the collation that orders text by its bytes.
    pub fn create(&self, dialect: Dialect, build: i64) -> String {
        let (text, integer, tail) = match dialect {
            Dialect::Sqlite => ("text", "integer", " STRICT"),
            Dialect::Postgres => ("text COLLATE \"C\"", "bigint", ""),
        };
        let name = self.build(build);
        let mut columns = String::new();
        for column in self.columns {
            let kind = if column.kind == CellKind::Text { text } else { integer };
            // Writing to a String cannot fail.
            let _ = write!(columns, ", {} {kind}", column.name);
        }
        format!(
            "CREATE TABLE {name} (org_id {text} NOT NULL, id {text} NOT NULL, position {integer} NOT NULL, \
             doc text NOT NULL{columns}, PRIMARY KEY (org_id, id)){tail}"
        )
    }

    /// The statements that make one build's indexes: for readers, so that they are made once it is filled.
    pub fn index(&self, build: i64) -> impl Iterator<Item = String> {
        let name = self.build(build);
        self.indexes.iter().map(move |index| {
            let (unique, columns) = (if index.unique { "UNIQUE " } else { "" }, index.columns);
            format!("CREATE {unique}INDEX {name}_by_{} ON {name} ({})", columns.join("_"), columns.join(", "))
        })
    }

    /// The statements that let readers see one build under the model's plain name.
    pub fn show(&self, build: i64) -> [String; 2] {
        [self.hide(), format!("CREATE VIEW {} AS SELECT * FROM {}", self.name, self.build(build))]
    }

    /// The statement that lets readers see none: their queries then fail, as [`is_hidden`] tells.
    pub fn hide(&self) -> String {
        format!("DROP VIEW IF EXISTS {}", self.name)
    }

    /// The statement that names the rows, as `(org_id, id)`, in which two builds differ; with `some`, of those in a
    /// JSON array of `[org_id, id]`.
    pub fn differing(&self, dialect: Dialect, one: i64, other: i64, some: bool) -> String {
        let (one, other) = (self.build(one), self.build(other));
        let columns = self.compared().map(|name| format!("a.{name} IS DISTINCT FROM b.{name}"));
        let columns = columns.collect::<Vec<_>>().join(" OR ");
        let of = match some {
            true => format!(
                "(SELECT t.* FROM {{}} t JOIN {} ON t.org_id = value->>0 AND t.id = value->>1)",
                dialect.rows("$1")
            ),
            false => "{}".to_owned(),
        };
        format!(
            "SELECT coalesce(a.org_id, b.org_id), coalesce(a.id, b.id) FROM {} a FULL JOIN {} b \
             ON b.org_id = a.org_id AND b.id = a.id WHERE a.id IS NULL OR b.id IS NULL OR {columns}",
            of.replace("{}", &one),
            of.replace("{}", &other)
        )
    }

    /// The statement that reads some rows of one build whole, given as a JSON array of `[org_id, id]`: organisation, id,
    /// and each of [`Table::compared`] as text.
    pub fn whole(&self, dialect: Dialect, build: i64) -> String {
        let columns: String = self.compared().map(|name| format!(", CAST(t.{name} AS text)")).collect();
        let (name, rows) = (self.build(build), dialect.rows("$1"));
        format!("SELECT t.org_id, t.id{columns} FROM {rows} JOIN {name} t ON t.org_id = value->>0 AND t.id = value->>1")
    }

    /// The columns in which two builds of one version must agree.
    pub fn compared(&self) -> impl Iterator<Item = &'static str> {
        ["position", "doc"].into_iter().chain(self.columns.iter().map(|column| column.name))
    }

    /// The statement that inserts or replaces some rows of one build. SQLite takes them value by value, PostgreSQL as one
    /// array per column.
    pub fn upsert(&self, dialect: Dialect, build: i64, rows: usize) -> String {
        let names: Vec<&str> = ["org_id", "id", "position", "doc"]
            .into_iter()
            .chain(self.columns.iter().map(|column| column.name))
            .collect();
        let updates: Vec<String> = names[2..].iter().map(|name| format!("{name} = excluded.{name}")).collect();
        let source = match dialect {
            Dialect::Sqlite => {
                let row = format!("({})", vec!["?"; names.len()].join(", "));
                format!("VALUES {}", vec![row.as_str(); rows].join(", "))
            }
            Dialect::Postgres => {
                let kinds = ["text", "text", "bigint", "text"].into_iter().chain(
                    self.columns.iter().map(|column| if column.kind == CellKind::Text { "text" } else { "bigint" }),
                );
                let arrays: Vec<String> =
                    kinds.enumerate().map(|(at, kind)| format!("${}::{kind}[]", at + 1)).collect();
                format!("SELECT * FROM unnest({})", arrays.join(", "))
            }
        };
        format!(
            "INSERT INTO {} ({}) {source} ON CONFLICT (org_id, id) DO UPDATE SET {}",
            self.build(build),
            names.join(", "),
            updates.join(", ")
        )
    }

    /// The statement that reads the documents of some rows, given as a JSON array of `[org_id, id]`.
    pub fn read(&self, dialect: Dialect, build: i64) -> String {
        let name = self.build(build);
        let rows = dialect.rows("$1");
        format!("SELECT t.org_id, t.id, t.doc FROM {rows} JOIN {name} t ON t.org_id = value->>0 AND t.id = value->>1")
    }

    /// The statement that deletes some rows, given as a JSON array of `[org_id, id]`.
    pub fn delete(&self, dialect: Dialect, build: i64) -> String {
        let name = self.build(build);
        let rows = dialect.rows("$1");
        format!("DELETE FROM {name} WHERE (org_id, id) IN (SELECT value->>0, value->>1 FROM {rows})")
    }
}

/// Whether a query failed because its read model is hidden.
pub fn is_hidden(error: &sqlx::Error) -> bool {
    let Some(error) = error.as_database_error() else { return false };
    // PostgreSQL has a code for it; SQLite says it in words only.
    error.code().is_some_and(|code| code == "42P01") || error.message().starts_with("no such table: ")
}

/// Reads a document back.
pub fn read<T: DeserializeOwned>(doc: &str) -> sqlx::Result<T> {
    serde_json::from_str(doc).map_err(|error| sqlx::Error::Decode(error.into()))
}
