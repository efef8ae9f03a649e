//! Connections: the embedded file or PostgreSQL, and its tables.

use super::Folder;
use projections::Db;
use sqlx::{
    Connection, Executor,
    postgres::{PgConnectOptions, PgConnection, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use std::{fs::File, path::PathBuf, str::FromStr, time::Duration};

/// How many of a process's connections write: the appender, ordinary tables, a build of read models.
const WRITERS: u32 = 4;
/// How long a request waits for a connection.
const ACQUIRE: Duration = Duration::from_secs(3);

/// Which store to open.
#[derive(Clone, Debug)]
pub enum Target {
    /// The embedded store in a folder, which is made when it is not there.
    Embedded(PathBuf),
    /// A PostgreSQL database.
    Postgres {
        /// Whom the service connects as.
        url: String,
        /// Who owns the tables, when that is somebody else; used for migrations only.
        migrate_url: Option<String>,
        /// How many connections.
        connections: u32,
    },
}

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Another process writes to it.
    #[error("another process is writing to {0}; stop it first, or serve from another folder (--data)")]
    Locked(PathBuf),
    /// Its folder cannot be used.
    #[error("the folder {0} cannot be used: {1}")]
    Folder(PathBuf, std::io::Error),
    /// Its database cannot be used.
    #[error("the database cannot be used: {0}")]
    Database(#[from] sqlx::Error),
    /// Its tables cannot be brought up to date.
    #[error("the tables cannot be brought up to date: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// Its read models belong to a newer version.
    #[error("the read model {0} was built by a newer version of the service; start that one")]
    Newer(String),
    /// An event cannot be folded.
    #[error("the read models cannot be built: {0}")]
    Fold(String),
}

pub(super) struct Connected {
    pub(super) read: Db,
    pub(super) write: Db,
    pub(super) lock: Option<File>,
}

/// Opens the database and brings its tables up to date.
pub(super) async fn open(target: &Target) -> Result<Connected, ConnectError> {
    match target {
        Target::Embedded(folder) => embedded(Folder(folder.clone())).await,
        Target::Postgres { url, migrate_url, connections } => {
            migrate_postgres(migrate_url.as_deref().unwrap_or(url), url).await?;
            // Apart, so that many readers never keep the appender waiting for a connection.
            let options = postgres_options(url, "views,ledger")?;
            let pool = |connections| PgPoolOptions::new().max_connections(connections).acquire_timeout(ACQUIRE);
            let read = pool(connections.saturating_sub(WRITERS).max(1)).connect_with(options.clone()).await?;
            let write = pool(WRITERS).connect_with(options).await?;
            Ok(Connected { read: Db::Postgres(read), write: Db::Postgres(write), lock: None })
        }
    }
}

async fn embedded(folder: Folder) -> Result<Connected, ConnectError> {
    let failed = |error| ConnectError::Folder(folder.0.clone(), error);
    std::fs::create_dir_all(&folder.0).map_err(failed)?;
    let lock = File::create(folder.lock()).map_err(failed)?;
    lock.try_lock().map_err(|_| ConnectError::Locked(folder.0.clone()))?;
    let options = SqliteConnectOptions::new()
        .filename(folder.database())
        .journal_mode(SqliteJournalMode::Wal)
        .busy_timeout(Duration::from_secs(5))
        .statement_cache_capacity(256);
    // What is acknowledged survives power loss. One writing connection, which is also the only one that checkpoints:
    // this version of SQLite can lose the log's reset when several do.
    let writer = options
        .clone()
        .create_if_missing(true)
        .synchronous(SqliteSynchronous::Full)
        .pragma("cache_size", "-65536")
        .pragma("temp_store", "memory");
    let write = SqlitePoolOptions::new().max_connections(1).min_connections(1).idle_timeout(None).max_lifetime(None);
    let write = write.connect_with(writer).await?;
    sqlx::migrate!("migrations/sqlite").run(&write).await?;
    let reader = options.read_only(true).pragma("wal_autocheckpoint", "0").pragma("cache_size", "-32768");
    let read = SqlitePoolOptions::new().max_connections(4).min_connections(1).idle_timeout(None).max_lifetime(None);
    let read = read.connect_with(reader).await?;
    Ok(Connected { read: Db::Sqlite(read), write: Db::Sqlite(write), lock: Some(lock) })
}

/// What is made without a schema's name goes to the first of the path.
fn postgres_options(url: &str, search_path: &str) -> sqlx::Result<PgConnectOptions> {
    Ok(PgConnectOptions::from_str(url)?
        .options([("search_path", search_path)])
        .application_name("defendable")
        .statement_cache_capacity(256))
}

/// Brings the tables up to date as their owner. When the service connects as somebody else, that role may read the
/// ledger and append to it, write the ordinary tables, and do as it likes with the read models.
async fn migrate_postgres(owner_url: &str, service_url: &str) -> Result<(), ConnectError> {
    let service = PgConnectOptions::from_str(service_url)?;
    let mut owner = PgConnection::connect_with(&postgres_options(owner_url, "ledger,views")?).await?;
    // Two processes that start at once must not both make the schemas.
    owner.execute("SELECT pg_advisory_lock(4151337001)").await?;
    owner.execute("CREATE SCHEMA IF NOT EXISTS ledger; CREATE SCHEMA IF NOT EXISTS views").await?;
    sqlx::migrate!("migrations/postgres").run_direct(&mut owner).await?;
    let same: bool =
        sqlx::query_scalar("SELECT current_user = $1").bind(service.get_username()).fetch_one(&mut owner).await?;
    if !same {
        let role = service.get_username().replace('"', "\"\"");
        owner
            .execute(
                format!(
                    "GRANT USAGE ON SCHEMA ledger TO \"{role}\";
                     GRANT SELECT, INSERT ON events, receipts, blobs TO \"{role}\";
                     GRANT SELECT, INSERT, UPDATE, DELETE ON commands, claims, projections, sign_in_tokens, sessions, \
                         person_keys, api_key_uses, limit_uses TO \"{role}\";
                     GRANT USAGE, CREATE ON SCHEMA views TO \"{role}\""
                )
                .as_str(),
            )
            .await?;
    }
    owner.close().await?;
    Ok(())
}
