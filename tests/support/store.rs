//! Where a service under test keeps its data: nothing is shared between two tests, and nothing is left behind.

use sqlx::{Connection, Executor, PgConnection};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU32, Ordering},
    thread,
};

/// Which kind of store a scenario runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    /// SQLite in the data folder.
    Embedded,
    /// A database of its own on the server that `DEFENDABLE_TEST_POSTGRES_URL` names.
    Postgres,
}

/// The owner's URL of a PostgreSQL on which databases may be created.
const POSTGRES: &str = "DEFENDABLE_TEST_POSTGRES_URL";

/// Whether a PostgreSQL is at hand.
///
/// # Panics
/// In CI when there is none: there, a scenario that ran on one store only would pass for one that ran on both.
pub fn postgres_is_at_hand() -> bool {
    let given = env::var_os(POSTGRES).is_some();
    let ci = env::var_os("CI").is_some_and(|ci| ci == "true");
    assert!(given || !ci, "{POSTGRES} is not set, and CI runs every scenario on both stores (scripts/test sets it)");
    if !given {
        eprintln!("not run: {POSTGRES} is not set (`scripts/with-postgres cargo test` sets it)");
    }
    given
}

/// A fresh store, removed when dropped.
#[derive(Debug)]
pub struct Fresh {
    folder: PathBuf,
    database: Option<Database>,
}

impl Fresh {
    /// A new, empty store.
    pub async fn new(kind: Store) -> Self {
        let name = unique();
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(&name);
        fs::create_dir_all(&folder).unwrap();
        let database = match kind {
            Store::Embedded => None,
            Store::Postgres => Some(Database::create(name).await),
        };
        Self { folder, database }
    }

    /// Where the test keeps what is not the service's: its output and its home.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The service's data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// The URL of the database, with the owner's rights; none on the embedded store.
    pub fn database_url(&self) -> Option<String> {
        self.database.as_ref().map(|database| url_of(&database.0))
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[derive(Debug)]
struct Database(String);

impl Database {
    async fn create(name: String) -> Self {
        as_owner(&format!("CREATE DATABASE {name}")).await.unwrap();
        Self(name)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // A test's own runtime cannot be blocked on from within, so the goodbye is said from another thread.
        let goodbye = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.0);
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let _ = runtime.block_on(as_owner(&goodbye));
        });
        let _ = thread.join();
    }
}

async fn as_owner(statement: &str) -> sqlx::Result<()> {
    let mut owner = PgConnection::connect(&env::var(POSTGRES).unwrap()).await?;
    owner.execute(statement).await?;
    owner.close().await
}

fn url_of(database: &str) -> String {
    let mut url = reqwest::Url::parse(&env::var(POSTGRES).unwrap()).unwrap();
    url.set_path(database);
    url.into()
}

/// Unique among the tests that run at the same time, whichever process they run in.
fn unique() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("defendable_{}_{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}
