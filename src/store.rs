//! The event store: appending, loading, and the database under both.
//!
//! Streams are loaded through cqrs-es' repositories; appending is our own (`appender`), because a ledger needs a global
//! order, seals, idempotency and projections in the append's own transaction.

mod appender;
mod batch;
mod connect;
mod fresh;
mod loading;
mod ordinary;
mod reading;
mod rebuild;
mod sql;
mod trouble;
pub mod verify;

pub use appender::{
    Append, AppendError, Appended, Claim, NewEvent, NewReceipt, StreamAppend, StreamAppended, aggregate_id,
};
pub use connect::{ConnectError, Target};
pub use loading::{LoadError, Loaded, Replayed};
pub use ordinary::ADDRESS;
pub use reading::KnownCommand;
pub use rebuild::{Difference, compare, migrate, rebuild};
pub use trouble::Trouble;

use fresh::Fresh;
use projections::{Db, Model, on};
use proof::digest::Sha256Hex;
use std::{any::Any, collections::BTreeMap, path::PathBuf, sync::Arc};
use tokio::{
    sync::{Mutex, mpsc, oneshot, watch},
    task::JoinHandle,
};

/// How the store is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// Everything is current.
    Sound,
    /// Read models that could not be folded further, each with its reason; reads of them answer 503.
    Stalled(BTreeMap<String, String>),
    /// The database could not be reached when it was last tried.
    Away(String),
    /// A newer version of the service has taken over the read models: this process must stop.
    Outdated,
}

/// The event store of one installation.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    read: Db,
    write: Db,
    models: Vec<Model>,
    queue: mpsc::Sender<Request>,
    health: watch::Receiver<Health>,
    fresh: Arc<Fresh>,
    appender: Mutex<Option<JoinHandle<()>>>,
    /// Holds the embedded store against a second writer for as long as the store lives.
    _lock: Option<std::fs::File>,
}

/// An append on its way to the appender, and where its answer goes.
struct Request {
    append: Append,
    answer: oneshot::Sender<Result<Appended, AppendError>>,
}

impl Store {
    /// Opens the store, brings its tables up to date, builds the read models that this version shows differently, and
    /// starts appending.
    pub async fn open(target: &Target, models: Vec<Model>) -> Result<Self, ConnectError> {
        let connected = connect::open(target).await?;
        rebuild::bring_up_to_date(&connected, &models, |_, _| {}).await?;
        let (queue, requests) = mpsc::channel(4096);
        let (report, health) = watch::channel(Health::Sound);
        let fresh = Arc::new(Fresh::new(matches!(connected.write, Db::Sqlite(_))));
        let appender = appender::Appender::new(connected.write.clone(), models.clone(), report, Arc::clone(&fresh));
        let appender = tokio::spawn(appender.run(requests));
        Ok(Self {
            inner: Arc::new(Inner {
                read: connected.read,
                write: connected.write,
                models,
                queue,
                health,
                fresh,
                appender: Mutex::new(Some(appender)),
                _lock: connected.lock,
            }),
        })
    }

    /// The database to read from.
    pub fn read(&self) -> &Db {
        &self.inner.read
    }

    /// The database to write ordinary tables to; on the embedded store, its one writing connection.
    pub fn write(&self) -> &Db {
        &self.inner.write
    }

    /// The read models that are kept.
    pub fn models(&self) -> &[Model] {
        &self.inner.models
    }

    /// How the store is doing, and every change of it.
    pub fn health(&self) -> watch::Receiver<Health> {
        self.inner.health.clone()
    }

    /// Appends all of it or nothing. What was handed over is carried out even when nobody waits for the answer.
    pub async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        let (answer, answered) = oneshot::channel();
        let gone = || AppendError::Unavailable("the service is shutting down".to_owned());
        self.inner.queue.send(Request { append, answer }).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }

    /// What `read` reads, or what it read before when none of the records it depends on has changed since. `weigh` says
    /// about how many bytes it takes to keep.
    pub async fn fresh<T: Any + Send + Sync, E>(
        &self,
        key: String,
        records: &[&str],
        weigh: fn(&T) -> usize,
        read: impl Future<Output = Result<T, E>>,
    ) -> Result<Arc<T>, E> {
        if let Some(known) = self.inner.fresh.get(&key) {
            return Ok(known);
        }
        let stamps = self.inner.fresh.stamps(records);
        let value = Arc::new(read.await?);
        self.inner.fresh.put(key, stamps, weigh(&value), Arc::clone(&value));
        Ok(value)
    }

    /// The bytes of a blob.
    pub async fn blob(&self, sha256: Sha256Hex) -> sqlx::Result<Option<Vec<u8>>> {
        const SQL: &str = "SELECT bytes FROM blobs WHERE sha256 = $1";
        on!(self.read(), pool => sqlx::query_scalar(SQL).bind(sha256.to_string()).fetch_optional(pool).await)
    }

    /// The text of a blob, which was UTF-8 when it was stored.
    pub async fn text(&self, sha256: Sha256Hex) -> sqlx::Result<Option<String>> {
        let bytes = self.blob(sha256).await?;
        bytes.map(|bytes| String::from_utf8(bytes).map_err(|error| sqlx::Error::Decode(error.into()))).transpose()
    }

    /// Finishes what was handed over and closes the database.
    pub async fn close(&self) {
        // The appender ends when it is asked to, after what it has taken.
        let stop = Request { append: Append::last(), answer: oneshot::channel().0 };
        let _ = self.inner.queue.send(stop).await;
        if let Some(appender) = self.inner.appender.lock().await.take() {
            let _ = appender.await;
        }
        on!(self.read(), pool => pool.close().await);
        on!(self.write(), pool => pool.close().await);
    }
}

/// Where the embedded store keeps its files.
#[derive(Clone, Debug)]
pub struct Folder(pub PathBuf);

impl Folder {
    /// Events and read models.
    pub fn database(&self) -> PathBuf {
        self.0.join("ledger.db")
    }

    /// Held by the one process that writes.
    pub fn lock(&self) -> PathBuf {
        self.0.join("lock")
    }
}
