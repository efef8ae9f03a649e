//! The database itself, behind the service's back: as somebody would who has its password.

use super::Service;
use sqlx::{
    Connection, Executor, PgConnection, SqliteConnection, postgres::PgConnectOptions, sqlite::SqliteConnectOptions,
};
use std::{str::FromStr, time::Duration};

/// A connection with the owner's rights.
pub enum Raw {
    /// To the embedded store's file.
    Sqlite(SqliteConnection),
    /// To the PostgreSQL database.
    Postgres(PgConnection),
}

impl Raw {
    /// A connection to a service's database.
    pub async fn of(service: &Service) -> Self {
        match service.database_url() {
            Some(url) => {
                let options = PgConnectOptions::from_str(&url).unwrap().options([("search_path", "ledger,views")]);
                Self::Postgres(PgConnection::connect_with(&options).await.unwrap())
            }
            None => {
                let file = SqliteConnectOptions::new().filename(service.data().join("ledger.db"));
                let options = file.busy_timeout(Duration::from_secs(10));
                Self::Sqlite(SqliteConnection::connect_with(&options).await.unwrap())
            }
        }
    }

    /// Carries out statements, and answers how many rows they changed.
    pub async fn execute(&mut self, sql: &str) -> sqlx::Result<u64> {
        match self {
            Self::Sqlite(connection) => Ok(connection.execute(sql).await?.rows_affected()),
            Self::Postgres(connection) => Ok(connection.execute(sql).await?.rows_affected()),
        }
    }

    /// The one number that a query answers.
    pub async fn number(&mut self, sql: &str) -> i64 {
        match self {
            Self::Sqlite(connection) => sqlx::query_scalar(sql).fetch_one(connection).await.unwrap(),
            Self::Postgres(connection) => sqlx::query_scalar(sql).fetch_one(connection).await.unwrap(),
        }
    }

    /// The one text that a query answers.
    pub async fn text(&mut self, sql: &str) -> String {
        match self {
            Self::Sqlite(connection) => sqlx::query_scalar(sql).fetch_one(connection).await.unwrap(),
            Self::Postgres(connection) => sqlx::query_scalar(sql).fetch_one(connection).await.unwrap(),
        }
    }

    /// The table that holds what readers see of a read model.
    pub async fn table(&mut self, model: &str) -> String {
        let build = self.number(&format!("SELECT build FROM projections WHERE name = '{model}'")).await;
        format!("{model}_v{build}")
    }

    /// The assignment that replaces a text in the payloads of events.
    pub fn edited_payload(&self, from: &str, to: &str) -> String {
        let kind = if matches!(self, Self::Sqlite(_)) { "text" } else { "json" };
        format!("payload = CAST(replace(CAST(payload AS text), '{from}', '{to}') AS {kind})")
    }

    /// Takes away what keeps the ledger append-only.
    pub async fn disarm(&mut self) {
        match self {
            Self::Sqlite(connection) => {
                let triggers: Vec<String> = sqlx::query_scalar("SELECT name FROM sqlite_master WHERE type = 'trigger'")
                    .fetch_all(&mut *connection)
                    .await
                    .unwrap();
                assert!(!triggers.is_empty());
                for trigger in triggers {
                    connection.execute(format!("DROP TRIGGER {trigger}").as_str()).await.unwrap();
                }
            }
            Self::Postgres(connection) => {
                for table in ["events", "receipts", "blobs"] {
                    connection.execute(format!("ALTER TABLE {table} DISABLE TRIGGER ALL").as_str()).await.unwrap();
                }
            }
        }
    }

    /// Replaces a text in a receipt's stored bytes, and answers how many rows that changed.
    pub async fn edit_receipt(&mut self, org_seq: i64, from: &str, to: &str) -> u64 {
        let sql = match self {
            Self::Sqlite(_) => format!(
                "UPDATE receipts SET payload = CAST(replace(CAST(payload AS text), '{from}', '{to}') AS blob) \
                 WHERE org_seq = {org_seq}"
            ),
            Self::Postgres(_) => format!(
                "UPDATE receipts SET payload = convert_to(replace(convert_from(payload, 'UTF8'), '{from}', '{to}'), \
                 'UTF8') WHERE org_seq = {org_seq}"
            ),
        };
        self.execute(&sql).await.unwrap()
    }

    /// A receipt's stored bytes.
    pub async fn receipt(&mut self, org_seq: i64) -> Vec<u8> {
        let sql = format!("SELECT payload FROM receipts WHERE org_seq = {org_seq}");
        match self {
            Self::Sqlite(connection) => sqlx::query_scalar(&sql).fetch_one(connection).await.unwrap(),
            Self::Postgres(connection) => sqlx::query_scalar(&sql).fetch_one(connection).await.unwrap(),
        }
    }
}
