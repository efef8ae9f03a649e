//! One SQL text for both databases.

use sqlx::{PgPool, SqlitePool};

/// The database that a service reads: an embedded SQLite file or PostgreSQL.
#[derive(Clone, Debug)]
pub enum Db {
    /// Read-only connections to the embedded store.
    Sqlite(SqlitePool),
    /// Connections to PostgreSQL.
    Postgres(PgPool),
}

/// Runs the same code on whichever pool there is: `on!(db, pool => query.fetch_all(pool).await)`.
#[macro_export]
macro_rules! on {
    ($db:expr, $pool:ident => $body:expr) => {
        match $db {
            $crate::db::Db::Sqlite($pool) => $body,
            $crate::db::Db::Postgres($pool) => $body,
        }
    };
}

/// Which of the two spellings to use, in the few places where they differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite.
    Sqlite,
    /// PostgreSQL.
    Postgres,
}

impl Dialect {
    /// A relation `(value)` of the elements of the JSON array in a text parameter; an element that is itself an array
    /// is taken apart with `value->>0`, `value->>1`.
    pub fn rows(self, parameter: &str) -> String {
        match self {
            Self::Sqlite => format!("json_each({parameter})"),
            Self::Postgres => format!("json_array_elements({parameter}::json) AS rows(value)"),
        }
    }

    /// A relation `(value)` of the strings of the JSON array in a text parameter.
    pub fn texts(self, parameter: &str) -> String {
        match self {
            Self::Sqlite => format!("json_each({parameter})"),
            Self::Postgres => format!("json_array_elements_text({parameter}::json) AS texts(value)"),
        }
    }
}

impl Db {
    /// How this database spells things.
    pub fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
        }
    }
}
