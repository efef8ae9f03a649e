//! The appender: one task per process that commits what waits, many commands to a transaction.

use super::{
    Health, Request, Trouble,
    batch::{Batch, Rejected},
    fresh::Fresh,
    sql::Tx,
};
use aggregates::{ids::OrgId, text::Blob};
use projections::{Db, Model};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::sync::{mpsc, watch};

/// The most commands that are committed together.
const BATCH_COMMANDS: usize = 256;
/// The most bytes of events that are committed together.
const BATCH_BYTES: usize = 4 << 20;
/// How long the outcome of a commit that was cut off is looked for.
const OUTCOME_PATIENCE: Duration = Duration::from_secs(30);

/// What one command appends: all of it or nothing.
#[derive(Clone, Debug)]
pub struct Append {
    /// The command's id. A command that was carried out before is answered with its first result.
    pub command_id: String,
    /// Digest of the request, when the id comes from an idempotency key.
    pub fingerprint: Option<String>,
    /// Who gave the command.
    pub actor: String,
    /// The events, stream by stream.
    pub streams: Vec<StreamAppend>,
    /// What the command claims for itself alone.
    pub claims: Vec<Claim>,
    /// What it gives up.
    pub releases: Vec<Claim>,
    /// Long texts to store beside the events.
    pub blobs: Vec<Blob>,
    /// A receipt's canonical bytes, minted by the event of the receipt's own stream.
    pub receipt: Option<NewReceipt>,
}

impl Append {
    /// The empty append, which asks the appender to end.
    pub(super) fn last() -> Self {
        Self {
            command_id: String::new(),
            fingerprint: None,
            actor: String::new(),
            streams: vec![],
            claims: vec![],
            releases: vec![],
            blobs: vec![],
            receipt: None,
        }
    }

    fn is_last(&self) -> bool {
        self.streams.is_empty()
    }

    fn bytes(&self) -> usize {
        let events = self.streams.iter().flat_map(|stream| &stream.events).map(|event| event.payload.len());
        events.sum::<usize>() + self.blobs.iter().map(|blob| blob.bytes.len()).sum::<usize>()
    }
}

/// Events for one stream.
#[derive(Clone, Debug)]
pub struct StreamAppend {
    /// The organisation that the stream belongs to.
    pub org: OrgId,
    /// The aggregate's type.
    pub aggregate_type: &'static str,
    /// The aggregate's id within the organisation.
    pub id: String,
    /// The sequence of the last event that the decision was based on; 0 for a new stream.
    pub expected: i64,
    /// What happened.
    pub events: Vec<NewEvent>,
}

impl StreamAppend {
    /// The aggregate's id on the ledger.
    pub fn aggregate_id(&self) -> String {
        aggregate_id(self.org, &self.id)
    }

    /// The stream's name among all streams.
    pub(super) fn key(&self) -> String {
        format!("{}/{}", self.aggregate_type, self.aggregate_id())
    }
}

/// An aggregate's id on the ledger: always built from the organisation, so that no loader can cross to another.
pub fn aggregate_id(org: OrgId, id: &str) -> String {
    format!("{}/{id}", org.on_ledger())
}

/// An event, serialised once: these bytes are hashed and stored.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// Its name.
    pub event_type: &'static str,
    /// The version of its shape.
    pub event_version: &'static str,
    /// Its payload as JSON.
    pub payload: String,
}

/// Something that only one may hold, such as an address or a slug.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Claim {
    /// The organisation within which it is unique.
    pub org: OrgId,
    /// What sort of thing it is.
    pub scope: &'static str,
    /// The thing; never personal data.
    pub key: String,
    /// Who holds it.
    pub holder: String,
}

/// A receipt's canonical bytes.
#[derive(Clone, Debug)]
pub struct NewReceipt {
    /// The organisation.
    pub org: OrgId,
    /// Its place in the chain.
    pub org_seq: u64,
    /// The bytes that were hashed.
    pub payload: Vec<u8>,
}

/// What became of a command.
#[derive(Clone, Debug)]
pub struct Appended {
    /// The position of the command's first event.
    pub first: i64,
    /// The position of its last event.
    pub last: i64,
    /// Whether this is the answer to a repeat. Then `streams` is empty: the events are read back by their position.
    pub replayed: bool,
    /// Per stream, in the order in which they were given.
    pub streams: Vec<StreamAppended>,
}

/// What became of one stream of a command.
#[derive(Clone, Debug)]
pub struct StreamAppended {
    /// The sequence of the stream's last event now.
    pub sequence: i64,
    /// When it was recorded: microseconds since 1970.
    pub recorded_at: i64,
}

/// Why nothing was appended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// Somebody else's events came first.
    #[error("the record was changed by somebody else at the same moment; read it again and repeat")]
    Conflict,
    /// Somebody else holds what the command claims.
    #[error("{0} is taken")]
    Claimed(&'static str),
    /// The idempotency key came with another request.
    #[error("this Idempotency-Key was used for another request; use a new key")]
    KeyReused,
    /// The disk is full.
    #[error("the disk of the ledger is full; nothing was recorded")]
    Full,
    /// The database cannot be reached, or this process must not write.
    #[error("the ledger cannot be written: {0}")]
    Unavailable(String),
    /// Something that should not happen; the text is for the log.
    #[error("the ledger refused the events: {0}")]
    Broken(String),
}

pub(super) struct Appender {
    db: Db,
    models: Vec<Model>,
    health: watch::Sender<Health>,
    /// The position of the last event that was committed here.
    reached: watch::Sender<i64>,
    fresh: Arc<Fresh>,
}

/// Why a batch failed as a whole.
enum Failure {
    /// Nothing was committed.
    Before(AppendError, Scope),
    /// The connection died while it committed.
    Unknown(String),
}

/// Whether trying the commands one by one can help.
#[derive(PartialEq, Eq)]
enum Scope {
    /// Every command would fail alike.
    All,
    /// One of them is at fault.
    One,
}

impl Appender {
    pub(super) fn new(
        db: Db,
        models: Vec<Model>,
        health: watch::Sender<Health>,
        reached: watch::Sender<i64>,
        fresh: Arc<Fresh>,
    ) -> Self {
        Self { db, models, health, reached, fresh }
    }

    /// Commits what waits until it is asked to end.
    pub(super) async fn run(self, mut requests: mpsc::Receiver<Request>) {
        let mut waiting = Vec::new();
        loop {
            if waiting.is_empty() && requests.recv_many(&mut waiting, BATCH_COMMANDS).await == 0 {
                return;
            }
            let mut bytes = 0;
            let fits = waiting.iter().take_while(|request| {
                bytes += request.append.bytes();
                bytes <= BATCH_BYTES
            });
            let count = fits.count().max(1);
            let batch: Vec<Request> = waiting.drain(..count).collect();
            let last = batch.iter().any(|request| request.append.is_last());
            self.commit(batch.into_iter().filter(|request| !request.append.is_last()).collect()).await;
            if last {
                return;
            }
        }
    }

    async fn commit(&self, batch: Vec<Request>) {
        if batch.is_empty() {
            return;
        }
        match self.try_commit(&batch).await {
            Ok(answers) => {
                for (request, answer) in batch.into_iter().zip(answers) {
                    // Whoever asked may have gone.
                    let _ = request.answer.send(answer);
                }
            }
            Err(Failure::Before(_, Scope::One)) if batch.len() > 1 => {
                for request in batch {
                    Box::pin(self.commit(vec![request])).await;
                }
            }
            Err(Failure::Before(error, _)) => {
                tracing::error!(%error, commands = batch.len(), "nothing was appended");
                for request in batch {
                    let _ = request.answer.send(Err(error.clone()));
                }
            }
            Err(Failure::Unknown(reason)) => self.settle(batch, &reason).await,
        }
    }

    async fn try_commit(&self, requests: &[Request]) -> Result<Vec<Result<Appended, AppendError>>, Failure> {
        let mut tx = Tx::begin(&self.db).await.map_err(|error| self.failed(error))?;
        let appends: Vec<&Append> = requests.iter().map(|request| &request.append).collect();
        let builds = tx.builds().await.map_err(|error| self.failed(error))?;
        for model in &self.models {
            if builds.get(model.table.name).is_none_or(|build| build.version > i64::from(model.table.version)) {
                self.health.send_replace(Health::Outdated);
                let reason = "a newer version of the service has taken over; this process is stopping";
                return Err(Failure::Before(AppendError::Unavailable(reason.into()), Scope::All));
            }
        }
        let mut batch = Batch::read(&mut tx, &appends).await.map_err(|error| self.failed(error))?;
        let answers = batch.number_and_seal(&appends, crate::outside::clock::microseconds());
        if !batch.events().is_empty() {
            batch.write(&mut tx, &appends, &answers).await.map_err(|error| self.failed(error))?;
            let stalled = batch.project(&mut tx, &self.models, &builds).await.map_err(|rejected| match rejected {
                Rejected::Sql(error) => self.failed(error),
                Rejected::Fold(error) => Failure::Before(AppendError::Broken(error), Scope::One),
            })?;
            tx.commit().await.map_err(|error| match self.failed(error) {
                Failure::Before(error @ AppendError::Unavailable(_), _) if matches!(self.db, Db::Postgres(_)) => {
                    Failure::Unknown(error.to_string())
                }
                failure => failure,
            })?;
            for event in batch.events() {
                self.fresh.changed(&event.aggregate_id);
            }
            if let Some(last) = batch.events().last() {
                self.reached.send_replace(last.position);
            }
            self.report(stalled);
        } else {
            // Nothing to write: the lock is given back.
            tx.rollback().await.map_err(|error| self.failed(error))?;
        }
        Ok(answers)
    }

    fn report(&self, stalled: BTreeMap<String, String>) {
        let health = if stalled.is_empty() { Health::Sound } else { Health::Stalled(stalled) };
        self.health.send_if_modified(|now| {
            let changed = *now != health && *now != Health::Outdated;
            if changed {
                *now = health;
            }
            changed
        });
    }

    /// Looks up which commands of a batch were committed before anybody is answered: what was committed is never
    /// reported as failed.
    async fn settle(&self, batch: Vec<Request>, reason: &str) {
        tracing::warn!(reason, commands = batch.len(), "the connection died during a commit; looking for its outcome");
        let ids: Vec<&str> = batch.iter().map(|request| request.append.command_id.as_str()).collect();
        let until = tokio::time::Instant::now() + OUTCOME_PATIENCE;
        let known = loop {
            let looked_up: sqlx::Result<_> = async {
                let mut tx = Tx::begin(&self.db).await?;
                let known = tx.known(&ids).await?;
                tx.rollback().await?;
                Ok(known)
            }
            .await;
            match looked_up {
                Ok(known) => break Some(known),
                Err(_) if tokio::time::Instant::now() < until => tokio::time::sleep(Duration::from_millis(200)).await,
                Err(_) => break None,
            }
        };
        for request in batch {
            let answer = match &known {
                Some(known) => match known.get(&request.append.command_id) {
                    Some(command) => Ok(command.answer()),
                    None => {
                        Err(AppendError::Unavailable("the database went away before the command was recorded".into()))
                    }
                },
                None => Err(AppendError::Unavailable(
                    "the database went away while the command was recorded; whether it was will show when it is back \
                     (repeat with the same Idempotency-Key)"
                        .into(),
                )),
            };
            let _ = request.answer.send(answer);
        }
    }

    fn failed(&self, error: sqlx::Error) -> Failure {
        match Trouble::of(&error) {
            Trouble::Full => Failure::Before(AppendError::Full, Scope::All),
            Trouble::Away => {
                self.health.send_replace(Health::Away(error.to_string()));
                let reason =
                    error.as_database_error().map_or("the database cannot be reached", |error| error.message());
                Failure::Before(AppendError::Unavailable(reason.to_owned()), Scope::All)
            }
            // Another process was first, in spite of the lock: the database's own keys have the last word.
            Trouble::Taken => Failure::Before(AppendError::Conflict, Scope::One),
            Trouble::Other => Failure::Before(AppendError::Broken(error.to_string()), Scope::One),
        }
    }
}
