//! The statements of the store, on an open transaction of either database.

use super::appender::{Appended, Claim, NewReceipt, StreamAppend};
use aggregates::text::Blob;
use projections::{
    Db, Happened, Model, Recorded,
    db::Dialect,
    model::{Cell, CellKind},
    on,
};
use proof::digest::Blake3Hex;
use serde_json::{Value, json};
use sqlx::{Postgres, Row, Sqlite, Transaction};
use std::collections::HashMap;

/// How many rows of a read model one statement writes on SQLite, which allows 32,766 values.
const ROWS: usize = 128;
/// The key of PostgreSQL's append lock.
const APPEND_LOCK: i64 = 4_151_337_000;

/// A transaction that writes.
pub(super) enum Tx {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

/// Runs the same code on whichever transaction there is.
macro_rules! on_tx {
    ($tx:expr, $connection:ident => $body:expr) => {
        match $tx {
            Tx::Sqlite(transaction) => {
                let $connection = &mut **transaction;
                $body
            }
            Tx::Postgres(transaction) => {
                let $connection = &mut **transaction;
                $body
            }
        }
    };
}

const EVENTS_AFTER: &str = "SELECT position, org_id, aggregate_type, aggregate_id, sequence, actor, recorded_at, \
                            CAST(payload AS text) AS payload FROM events WHERE position > $1 ORDER BY position LIMIT $2";

/// The events after a position, in their order, as whoever reads without a transaction sees them.
pub(super) async fn events_after(db: &Db, position: i64, limit: i64) -> sqlx::Result<Vec<StoredEvent>> {
    on!(db, pool => sqlx::query_as(EVENTS_AFTER).bind(position).bind(limit).fetch_all(pool).await)
}

/// An event as the table holds it.
#[derive(Clone, Debug)]
pub(super) struct EventRow {
    pub(super) position: i64,
    pub(super) org_id: String,
    pub(super) org_position: i64,
    pub(super) aggregate_type: &'static str,
    pub(super) aggregate_id: String,
    pub(super) sequence: i64,
    pub(super) event_type: &'static str,
    pub(super) event_version: &'static str,
    pub(super) payload: String,
    pub(super) actor: String,
    pub(super) command_id: String,
    pub(super) recorded_at: i64,
    pub(super) hash: Blake3Hex,
}

/// An event as a read model needs it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct StoredEvent {
    pub(super) position: i64,
    pub(super) org_id: String,
    pub(super) aggregate_type: String,
    pub(super) aggregate_id: String,
    pub(super) sequence: i64,
    pub(super) actor: String,
    pub(super) recorded_at: i64,
    pub(super) payload: String,
}

impl StoredEvent {
    /// The event as read models and reactors see it.
    pub(super) fn recorded(&self, happened: Happened) -> Recorded<'_> {
        Recorded {
            position: self.position,
            org_id: &self.org_id,
            aggregate_id: &self.aggregate_id,
            sequence: self.sequence,
            actor: &self.actor,
            recorded_at: self.recorded_at,
            happened,
        }
    }
}

/// The last event of an organisation.
#[derive(Clone, Debug)]
pub(super) struct OrgHead {
    pub(super) org_position: i64,
    pub(super) hash: Blake3Hex,
    pub(super) recorded_at: i64,
}

impl OrgHead {
    /// Before an organisation's first event, which gets `org_position` 0.
    pub(super) const FIRST: Self = Self { org_position: -1, hash: Blake3Hex::ZERO, recorded_at: 0 };
}

/// A command that was carried out.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) fingerprint: Option<String>,
    pub(super) first_position: i64,
    pub(super) last_position: i64,
    pub(super) recorded_at: i64,
}

impl Known {
    /// The answer to a repeat.
    pub(super) fn answer(&self) -> Appended {
        Appended { first: self.first_position, last: self.last_position, replayed: true, streams: vec![] }
    }
}

/// The build of a read model that readers see.
#[derive(Clone, Debug)]
pub(super) struct Build {
    pub(super) version: i64,
    pub(super) number: i64,
    pub(super) stalled: Option<String>,
}

/// A row to write: organisation, id, position, document and cells.
pub(super) type Kept<'a> = (&'a str, &'a str, i64, String, Vec<Cell>);

impl Tx {
    /// Begins without the append lock: for read models that nobody sees yet.
    pub(super) async fn aside(db: &Db) -> sqlx::Result<Self> {
        match db {
            Db::Sqlite(pool) => Ok(Self::Sqlite(pool.begin_with("BEGIN IMMEDIATE").await?)),
            Db::Postgres(pool) => {
                let mut tx = pool.begin().await?;
                // What is derived can be derived again.
                sqlx::query("SET LOCAL synchronous_commit = off").execute(&mut *tx).await?;
                Ok(Self::Postgres(tx))
            }
        }
    }

    /// Begins, and waits for the append lock.
    pub(super) async fn begin(db: &Db) -> sqlx::Result<Self> {
        match db {
            Db::Sqlite(pool) => Ok(Self::Sqlite(pool.begin_with("BEGIN IMMEDIATE").await?)),
            Db::Postgres(pool) => {
                let mut tx = pool.begin().await?;
                // A statement of its own: what follows must see what was committed while this waited.
                sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(APPEND_LOCK).execute(&mut *tx).await?;
                Ok(Self::Postgres(tx))
            }
        }
    }

    pub(super) async fn commit(self) -> sqlx::Result<()> {
        match self {
            Self::Sqlite(tx) => tx.commit().await,
            Self::Postgres(tx) => tx.commit().await,
        }
    }

    pub(super) async fn rollback(self) -> sqlx::Result<()> {
        match self {
            Self::Sqlite(tx) => tx.rollback().await,
            Self::Postgres(tx) => tx.rollback().await,
        }
    }

    pub(super) fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Runs a statement without parameters.
    pub(super) async fn run(&mut self, sql: &str) -> sqlx::Result<()> {
        on_tx!(self, connection => sqlx::query(sql).execute(connection).await.map(drop))
    }

    /// The position of the last event.
    pub(super) async fn position(&mut self) -> sqlx::Result<i64> {
        const SQL: &str = "SELECT coalesce(max(position), 0) FROM events";
        on_tx!(self, connection => sqlx::query_scalar(SQL).fetch_one(connection).await)
    }

    /// The sequence of the last event of each stream, by `<type>/<aggregate id>`.
    pub(super) async fn heads(&mut self, streams: &[&StreamAppend]) -> sqlx::Result<HashMap<String, i64>> {
        let keys: Vec<Value> =
            streams.iter().map(|stream| json!([stream.aggregate_type, stream.aggregate_id()])).collect();
        let sql = format!(
            "SELECT (value->>0) || '/' || (value->>1), coalesce((SELECT max(sequence) FROM events e \
             WHERE e.aggregate_type = value->>0 AND e.aggregate_id = value->>1), 0) FROM {}",
            self.dialect().rows("$1")
        );
        let keys = Value::Array(keys).to_string();
        let rows: Vec<(String, i64)> =
            on_tx!(self, connection => sqlx::query_as(&sql).bind(keys).fetch_all(connection).await)?;
        Ok(rows.into_iter().collect())
    }

    /// The last event of each organisation that has one.
    pub(super) async fn org_heads(&mut self, orgs: &[String]) -> sqlx::Result<HashMap<String, OrgHead>> {
        let sql = format!(
            "SELECT e.org_id, e.org_position, e.hash, e.recorded_at FROM {} JOIN events e ON e.org_id = value \
             AND e.org_position = (SELECT max(org_position) FROM events WHERE org_id = value)",
            self.dialect().texts("$1")
        );
        let orgs = json!(orgs).to_string();
        let rows: Vec<(String, i64, Vec<u8>, i64)> =
            on_tx!(self, connection => sqlx::query_as(&sql).bind(orgs).fetch_all(connection).await)?;
        rows.into_iter()
            .map(|(org, org_position, hash, recorded_at)| {
                let hash = <[u8; 32]>::try_from(hash).map_err(|_| sqlx::Error::Decode("a hash has 32 bytes".into()))?;
                Ok((org, OrgHead { org_position, hash: Blake3Hex::from_bytes(hash), recorded_at }))
            })
            .collect()
    }

    /// The events after a position, in their order.
    pub(super) async fn events_after(&mut self, position: i64, limit: i64) -> sqlx::Result<Vec<StoredEvent>> {
        on_tx!(self, connection => sqlx::query_as(EVENTS_AFTER).bind(position).bind(limit).fetch_all(connection).await)
    }

    /// Which of the commands were carried out.
    pub(super) async fn known(&mut self, ids: &[&str]) -> sqlx::Result<HashMap<String, Known>> {
        let sql = format!(
            "SELECT command_id, fingerprint, first_position, last_position, recorded_at FROM commands \
             WHERE command_id IN (SELECT value FROM {})",
            self.dialect().texts("$1")
        );
        let ids = json!(ids).to_string();
        let rows: Vec<(String, Option<String>, i64, i64, i64)> =
            on_tx!(self, connection => sqlx::query_as(&sql).bind(ids).fetch_all(connection).await)?;
        Ok(rows
            .into_iter()
            .map(|(id, fingerprint, first_position, last_position, recorded_at)| {
                (id, Known { fingerprint, first_position, last_position, recorded_at })
            })
            .collect())
    }

    /// Who holds what the commands claim.
    pub(super) async fn claimed(
        &mut self,
        claims: &[&Claim],
    ) -> sqlx::Result<HashMap<(String, String, String), String>> {
        let keys: Vec<Value> =
            claims.iter().map(|claim| json!([claim.org.on_ledger(), claim.scope, claim.key])).collect();
        let sql = format!(
            "SELECT c.org_id, c.scope, c.key, c.holder FROM {} \
             JOIN claims c ON c.org_id = value->>0 AND c.scope = value->>1 AND c.key = value->>2",
            self.dialect().rows("$1")
        );
        let keys = Value::Array(keys).to_string();
        let rows: Vec<(String, String, String, String)> =
            on_tx!(self, connection => sqlx::query_as(&sql).bind(keys).fetch_all(connection).await)?;
        Ok(rows.into_iter().map(|(org, scope, key, holder)| ((org, scope, key), holder)).collect())
    }

    /// The builds of the read models that readers see.
    pub(super) async fn builds(&mut self) -> sqlx::Result<HashMap<String, Build>> {
        const SQL: &str =
            "SELECT name, version, build, CASE state WHEN 'stalled' THEN coalesce(reason, '') END FROM projections";
        let rows: Vec<(String, i64, i64, Option<String>)> =
            on_tx!(self, connection => sqlx::query_as(SQL).fetch_all(connection).await)?;
        Ok(rows
            .into_iter()
            .map(|(name, version, number, stalled)| (name, Build { version, number, stalled }))
            .collect())
    }

    /// Registers a build as the one that readers see.
    pub(super) async fn register(&mut self, name: &str, version: u32, build: i64, position: i64) -> sqlx::Result<()> {
        const SQL: &str = "INSERT INTO projections (name, version, build, position, state) VALUES ($1, $2, $3, $4, 'live') \
             ON CONFLICT (name) DO UPDATE SET version = excluded.version, build = excluded.build, \
             position = excluded.position, state = 'live', reason = NULL";
        on_tx!(self, connection => {
            let query = sqlx::query(SQL).bind(name).bind(i64::from(version)).bind(build).bind(position);
            query.execute(connection).await.map(drop)
        })
    }

    /// Every live read model has folded up to the position.
    pub(super) async fn advance(&mut self, position: i64) -> sqlx::Result<()> {
        const SQL: &str = "UPDATE projections SET position = $1 WHERE state = 'live'";
        on_tx!(self, connection => sqlx::query(SQL).bind(position).execute(connection).await.map(drop))
    }

    /// A read model cannot be folded further. Readers lose sight of it, on every process: an answer from it would be
    /// out of date.
    pub(super) async fn stall(&mut self, model: &Model, reason: &str) -> sqlx::Result<()> {
        const SQL: &str = "UPDATE projections SET state = 'stalled', reason = $2 WHERE name = $1";
        self.run(&model.table.hide()).await?;
        let name = model.table.name;
        on_tx!(self, connection => sqlx::query(SQL).bind(name).bind(reason).execute(connection).await.map(drop))
    }

    /// Inserts events: for SQLite from one JSON text, for PostgreSQL from an array per column.
    pub(super) async fn insert_events(&mut self, rows: &[EventRow]) -> sqlx::Result<()> {
        match self {
            Self::Sqlite(tx) => {
                const SQL: &str = "INSERT INTO events (position, org_id, org_position, aggregate_type, aggregate_id, \
                    sequence, event_type, event_version, payload, actor, command_id, recorded_at, hash) \
                    SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7, \
                    value->>8, value->>9, value->>10, value->>11, unhex(value->>12) FROM json_each($1)";
                let rows: Vec<_> = rows
                    .iter()
                    .map(|row| {
                        (
                            row.position,
                            &row.org_id,
                            row.org_position,
                            row.aggregate_type,
                            &row.aggregate_id,
                            row.sequence,
                            row.event_type,
                            row.event_version,
                            &row.payload,
                            &row.actor,
                            &row.command_id,
                            row.recorded_at,
                            row.hash,
                        )
                    })
                    .collect();
                let rows = serde_json::to_string(&rows).map_err(|error| sqlx::Error::Encode(error.into()))?;
                sqlx::query(SQL).bind(rows).execute(&mut **tx).await?;
            }
            Self::Postgres(tx) => {
                const SQL: &str = "INSERT INTO events (position, org_id, org_position, aggregate_type, aggregate_id, \
                    sequence, event_type, event_version, payload, actor, command_id, recorded_at, hash) \
                    SELECT a, b, c, d, e, f, g, h, i::json, j, k, l, m FROM unnest($1::bigint[], $2::text[], \
                    $3::bigint[], $4::text[], $5::text[], $6::bigint[], $7::text[], $8::text[], $9::text[], $10::text[], \
                    $11::text[], $12::bigint[], $13::bytea[]) AS rows(a, b, c, d, e, f, g, h, i, j, k, l, m)";
                fn column<'r, T>(rows: &'r [EventRow], value: impl Fn(&'r EventRow) -> T) -> Vec<T> {
                    rows.iter().map(value).collect()
                }
                sqlx::query(SQL)
                    .bind(column(rows, |row| row.position))
                    .bind(column(rows, |row| row.org_id.as_str()))
                    .bind(column(rows, |row| row.org_position))
                    .bind(column(rows, |row| row.aggregate_type))
                    .bind(column(rows, |row| row.aggregate_id.as_str()))
                    .bind(column(rows, |row| row.sequence))
                    .bind(column(rows, |row| row.event_type))
                    .bind(column(rows, |row| row.event_version))
                    .bind(column(rows, |row| row.payload.as_str()))
                    .bind(column(rows, |row| row.actor.as_str()))
                    .bind(column(rows, |row| row.command_id.as_str()))
                    .bind(column(rows, |row| row.recorded_at))
                    .bind(column(rows, |row| row.hash.as_bytes().as_slice()))
                    .execute(&mut **tx)
                    .await?;
            }
        }
        Ok(())
    }

    /// Records which commands were carried out.
    pub(super) async fn insert_commands(&mut self, commands: &[(String, Known)]) -> sqlx::Result<()> {
        let sql = format!(
            "INSERT INTO commands (command_id, fingerprint, first_position, last_position, recorded_at) \
             SELECT value->>0, value->>1, CAST(value->>2 AS bigint), CAST(value->>3 AS bigint), CAST(value->>4 AS bigint) \
             FROM {} WHERE true ON CONFLICT (command_id) DO UPDATE SET fingerprint = excluded.fingerprint, \
             first_position = excluded.first_position, last_position = excluded.last_position, \
             recorded_at = excluded.recorded_at",
            self.dialect().rows("$1")
        );
        let rows: Vec<Value> = commands
            .iter()
            .map(|(id, known)| {
                json!([id, known.fingerprint, known.first_position, known.last_position, known.recorded_at])
            })
            .collect();
        let rows = Value::Array(rows).to_string();
        on_tx!(self, connection => sqlx::query(&sql).bind(rows).execute(connection).await.map(drop))
    }

    pub(super) async fn claim(&mut self, claim: &Claim) -> sqlx::Result<()> {
        const SQL: &str =
            "INSERT INTO claims (org_id, scope, key, holder) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
        on_tx!(self, connection => {
            let query = sqlx::query(SQL).bind(claim.org.on_ledger()).bind(claim.scope).bind(&claim.key).bind(&claim.holder);
            query.execute(connection).await.map(drop)
        })
    }

    pub(super) async fn release(&mut self, claim: &Claim) -> sqlx::Result<()> {
        const SQL: &str = "DELETE FROM claims WHERE org_id = $1 AND scope = $2 AND key = $3 AND holder = $4";
        on_tx!(self, connection => {
            let query = sqlx::query(SQL).bind(claim.org.on_ledger()).bind(claim.scope).bind(&claim.key).bind(&claim.holder);
            query.execute(connection).await.map(drop)
        })
    }

    pub(super) async fn insert_blob(&mut self, blob: &Blob) -> sqlx::Result<()> {
        const SQL: &str = "INSERT INTO blobs (sha256, bytes) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        on_tx!(self, connection => {
            let query = sqlx::query(SQL).bind(blob.sha256.to_string()).bind(&blob.bytes);
            query.execute(connection).await.map(drop)
        })
    }

    pub(super) async fn insert_receipt(&mut self, receipt: &NewReceipt, position: i64) -> sqlx::Result<()> {
        const SQL: &str = "INSERT INTO receipts (org_id, org_seq, position, payload) VALUES ($1, $2, $3, $4)";
        on_tx!(self, connection => {
            let query = sqlx::query(SQL)
                .bind(receipt.org.on_ledger())
                .bind(receipt.org_seq as i64)
                .bind(position)
                .bind(&receipt.payload);
            query.execute(connection).await.map(drop)
        })
    }

    /// The documents of some rows of one build.
    pub(super) async fn documents(
        &mut self,
        model: &Model,
        build: i64,
        keys: &[(&str, &str)],
    ) -> sqlx::Result<HashMap<(String, String), String>> {
        let sql = model.table.read(self.dialect(), build);
        let keys = json!(keys).to_string();
        let rows: Vec<(String, String, String)> =
            on_tx!(self, connection => sqlx::query_as(&sql).bind(keys).fetch_all(connection).await)?;
        Ok(rows.into_iter().map(|(org, id, doc)| ((org, id), doc)).collect())
    }

    /// The rows in which two builds differ, or those of some rows.
    pub(super) async fn differing(
        &mut self,
        model: &Model,
        one: i64,
        other: i64,
        some: Option<&[(String, String)]>,
    ) -> sqlx::Result<Vec<(String, String)>> {
        let sql = model.table.differing(self.dialect(), one, other, some.is_some());
        on_tx!(self, connection => {
            let mut query = sqlx::query_as(&sql);
            if let Some(keys) = some {
                query = query.bind(json!(keys).to_string());
            }
            query.fetch_all(connection).await
        })
    }

    /// Some rows of one build, whole: every column as text.
    pub(super) async fn whole(
        &mut self,
        model: &Model,
        build: i64,
        keys: &[(String, String)],
    ) -> sqlx::Result<HashMap<(String, String), Vec<Option<String>>>> {
        let sql = model.table.whole(self.dialect(), build);
        let count = model.table.compared().count();
        let keys = json!(keys).to_string();
        on_tx!(self, connection => {
            let rows = sqlx::query(&sql).bind(keys).fetch_all(connection).await?;
            let read = rows.iter().map(|row| {
                let columns = (2..2 + count).map(|at| row.try_get(at)).collect::<sqlx::Result<_>>()?;
                Ok(((row.try_get(0)?, row.try_get(1)?), columns))
            });
            read.collect()
        })
    }

    /// Writes some rows of one build.
    pub(super) async fn upsert(&mut self, model: &Model, build: i64, rows: &[Kept<'_>]) -> sqlx::Result<()> {
        match self {
            Self::Sqlite(tx) => {
                for rows in rows.chunks(ROWS) {
                    let sql = model.table.upsert(Dialect::Sqlite, build, rows.len());
                    let mut query = sqlx::query(&sql);
                    for (org, id, position, doc, cells) in rows {
                        query = query.bind(*org).bind(*id).bind(*position).bind(doc.as_str());
                        for cell in cells {
                            query = match cell {
                                Cell::Text(text) => query.bind(text.as_deref()),
                                Cell::Integer(value) => query.bind(*value),
                            };
                        }
                    }
                    query.execute(&mut **tx).await?;
                }
            }
            Self::Postgres(tx) => {
                let sql = model.table.upsert(Dialect::Postgres, build, rows.len());
                let mut query = sqlx::query(&sql)
                    .bind(rows.iter().map(|row| row.0).collect::<Vec<_>>())
                    .bind(rows.iter().map(|row| row.1).collect::<Vec<_>>())
                    .bind(rows.iter().map(|row| row.2).collect::<Vec<_>>())
                    .bind(rows.iter().map(|row| row.3.as_str()).collect::<Vec<_>>());
                for (at, column) in model.table.columns.iter().enumerate() {
                    let cells = rows.iter().map(|row| row.4.get(at));
                    query = match column.kind {
                        CellKind::Text => query.bind(
                            cells
                                .map(|cell| if let Some(Cell::Text(text)) = cell { text.clone() } else { None })
                                .collect::<Vec<_>>(),
                        ),
                        CellKind::Integer => query.bind(
                            cells
                                .map(|cell| if let Some(Cell::Integer(value)) = cell { *value } else { None })
                                .collect::<Vec<_>>(),
                        ),
                    };
                }
                query.execute(&mut **tx).await?;
            }
        }
        Ok(())
    }

    /// Deletes some rows of one build.
    pub(super) async fn delete(&mut self, model: &Model, build: i64, keys: &[(&str, &str)]) -> sqlx::Result<()> {
        let sql = model.table.delete(self.dialect(), build);
        let keys = json!(keys).to_string();
        on_tx!(self, connection => sqlx::query(&sql).bind(keys).execute(connection).await.map(drop))
    }
}
