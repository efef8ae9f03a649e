//! Connections: the embedded file or PostgreSQL, and its tables.

use super::Folder;
use projections::{Db, on};
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
    /// Its read models are not those of this version.
    #[error("the read model {0} is not the one that this version shows; run `defendable migrate`")]
    OtherVersion(&'static str),
    /// An event cannot be folded.
    #[error("the read models cannot be built: {0}")]
    Fold(String),
    /// There is nothing in the folder.
    #[error("there is no ledger in {0}; name its folder (--data) or its database (--database-url)")]
    Missing(PathBuf),
    /// The service's role may not bring the tables up to date, and nobody who may is named.
    #[error(
        "the tables are older than this version; run `defendable migrate` with DEFENDABLE_MIGRATE_URL, the owner's"
    )]
    Behind,
    /// The service's role could alter what was recorded.
    #[error(
        "--production refuses to serve as a role that owns the ledger's tables or is a superuser, since it could alter \
         what was recorded: let --database-url name a role of its own, and DEFENDABLE_MIGRATE_URL the owner"
    )]
    Owner,
}

pub(super) struct Connected {
    pub(super) read: Db,
    pub(super) write: Db,
    pub(super) lock: Option<File>,
}

impl Connected {
    /// Closes the connections in good order.
    pub(super) async fn close(self) {
        on!(self.read, pool => pool.close().await);
        on!(self.write, pool => pool.close().await);
    }
}

impl Target {
    /// Refuses a folder without a ledger: whoever works on one does not mean to begin another.
    pub(super) fn must_exist(&self) -> Result<(), ConnectError> {
        match self {
            Self::Embedded(folder) if !Folder(folder.clone()).database().exists() => {
                Err(ConnectError::Missing(folder.clone()))
            }
            _ => Ok(()),
        }
    }

    /// Refuses a role that owns the ledger's tables, or would once they are made. The embedded store has no roles.
    pub async fn refuse_owner(&self) -> Result<(), ConnectError> {
        const SQL: &str = "SELECT rolsuper OR coalesce((SELECT pg_has_role(r.oid, relowner, 'MEMBER') FROM pg_class \
                           WHERE oid = to_regclass('ledger.events')), $1) FROM pg_roles r WHERE rolname = current_user";
        let Self::Postgres { url, migrate_url, .. } = self else { return Ok(()) };
        let mut service = PgConnection::connect_with(&postgres_options(url, "views,ledger")?).await?;
        let owns: bool = sqlx::query_scalar(SQL).bind(migrate_url.is_none()).fetch_one(&mut service).await?;
        service.close().await?;
        if owns { Err(ConnectError::Owner) } else { Ok(()) }
    }
}

/// Opens the database and brings its tables up to date.
pub(super) async fn open(target: &Target) -> Result<Connected, ConnectError> {
    match target {
        Target::Embedded(folder) => embedded(Folder(folder.clone())).await,
        Target::Postgres { url, migrate_url, connections } => {
            match migrate_url {
                Some(owner) => migrate_postgres(owner, url).await?,
                None if is_for_the_owner(url).await? => migrate_postgres(url, url).await?,
                None => {}
            }
            // Apart, so that many readers never keep the appender waiting for a connection.
            let options = postgres_options(url, "views,ledger")?;
            let pool = |connections| PgPoolOptions::new().max_connections(connections).acquire_timeout(ACQUIRE);
            let read = pool(connections.saturating_sub(WRITERS).max(1)).connect_with(options.clone()).await?;
            // The appender looks everything up by key. Left to guess how many keys a batch has, the planner reads whole
            // tables instead, and a write costs more the longer the ledger is.
            let by_key = [("enable_seqscan", "off"), ("enable_hashjoin", "off"), ("enable_mergejoin", "off")];
            let write = pool(WRITERS).connect_with(options.options(by_key)).await?;
            Ok(Connected { read: Db::Postgres(read), write: Db::Postgres(write), lock: None })
        }
    }
}

/// Connections that can read and nothing else. On the embedded store they need no lock: another process may write.
pub(super) async fn open_to_read(target: &Target) -> Result<Db, ConnectError> {
    match target {
        Target::Embedded(folder) => {
            target.must_exist()?;
            let options = SqliteConnectOptions::new().filename(Folder(folder.clone()).database()).read_only(true);
            let options = options.busy_timeout(Duration::from_secs(5));
            let pool = SqlitePoolOptions::new().max_connections(1);
            Ok(Db::Sqlite(pool.connect_with(options.pragma("wal_autocheckpoint", "0")).await?))
        }
        Target::Postgres { url, .. } => {
            let options = postgres_options(url, "views,ledger")?;
            let options = options.options([("default_transaction_read_only", "on")]);
            Ok(Db::Postgres(PgPoolOptions::new().max_connections(1).connect_with(options).await?))
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
        // A receipt or an audit then lies on one or two pages.
        .page_size(8192)
        .synchronous(SqliteSynchronous::Full)
        .pragma("cache_size", "-65536")
        .pragma("temp_store", "memory");
    // On a full disk SQLite itself gives a transaction up; the connection then takes itself to be within it for ever, and
    // has to be replaced.
    let write = SqlitePoolOptions::new().max_connections(1).min_connections(1).idle_timeout(None).max_lifetime(None);
    let write = write.after_release(|connection, _| {
        Box::pin(async {
            // What was asked for before it was released, a rollback perhaps, comes first.
            connection.ping().await?;
            Ok(!connection.is_in_transaction())
        })
    });
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
        // Every statement is short: compiling one takes longer than running it.
        .options([("search_path", search_path), ("jit", "off")])
        .application_name("defendable")
        .statement_cache_capacity(256))
}

/// Whether the service's role is to bring the tables up to date: it owns them, or nobody has made them. Any other role
/// must find them as this version needs them.
async fn is_for_the_owner(url: &str) -> Result<bool, ConnectError> {
    const OWNS: &str = "SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = to_regclass('ledger.events')";
    const APPLIED: &str = "SELECT coalesce(max(version), 0) FROM ledger._sqlx_migrations WHERE success";
    let mut service = PgConnection::connect_with(&postgres_options(url, "views,ledger")?).await?;
    let owns: Option<bool> = sqlx::query_scalar(OWNS).fetch_optional(&mut service).await?;
    if owns == Some(false) {
        let applied: i64 = sqlx::query_scalar(APPLIED).fetch_one(&mut service).await?;
        if sqlx::migrate!("migrations/postgres").iter().any(|migration| migration.version > applied) {
            return Err(ConnectError::Behind);
        }
    }
    service.close().await?;
    Ok(owns != Some(false))
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
                     GRANT SELECT ON _sqlx_migrations TO \"{role}\";
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
