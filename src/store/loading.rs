//! Loading: a stream folded into its aggregate, through cqrs-es' repositories.

use super::{Store, appender::aggregate_id};
use aggregates::{
    Decider,
    ids::OrgId,
    sourced::{Sourced, Stored},
};
use cqrs_es::{
    EventEnvelope,
    persist::{PersistedEventRepository, SerializedEvent},
};
use postgres_es::PostgresEventRepository;
use projections::{Db, on};
use sqlite_es::SqliteEventRepository;

/// An aggregate and how far it was folded.
#[derive(Clone, Debug, Default)]
pub struct Loaded<D> {
    /// The aggregate.
    pub state: D,
    /// The sequence of the last event in it; 0 when there is none.
    pub sequence: i64,
}

/// A command that was carried out before: what it did, and the aggregate as it was then.
#[derive(Clone, Debug)]
pub struct Replayed<D: Decider> {
    /// The aggregate's id within the organisation.
    pub id: String,
    /// The aggregate after the command.
    pub loaded: Loaded<D>,
    /// What the command did.
    pub events: Vec<D::Event>,
}

/// Why an aggregate could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The database failed.
    #[error("the ledger cannot be read: {0}")]
    Database(#[from] sqlx::Error),
    /// A stored event does not have the shape of its type.
    #[error("an event of {0} cannot be read: {1}")]
    Unreadable(String, String),
}

impl Store {
    /// The aggregate, folded from all of its events.
    pub async fn load<D: Decider>(&self, org: OrgId, id: &str) -> Result<Loaded<D>, LoadError> {
        let mut loaded = Loaded { state: D::default(), sequence: 0 };
        for (sequence, event) in self.events::<D>(&aggregate_id(org, id)).await? {
            loaded.state.evolve(&event);
            loaded.sequence = sequence;
        }
        Ok(loaded)
    }

    /// What the command with these positions did to its aggregate of this type, and the aggregate as it was then. None
    /// when it did nothing to one in this organisation.
    pub async fn replay<D: Decider>(
        &self,
        org: OrgId,
        first: i64,
        last: i64,
    ) -> Result<Option<Replayed<D>>, LoadError> {
        const SQL: &str = "SELECT aggregate_id, min(sequence), max(sequence) FROM events \
                           WHERE position BETWEEN $1 AND $2 AND aggregate_type = $3 AND org_id = $4 GROUP BY aggregate_id";
        let found: Option<(String, i64, i64)> = on!(self.read(), pool => {
            let query = sqlx::query_as(SQL).bind(first).bind(last).bind(D::TYPE).bind(org.on_ledger());
            query.fetch_optional(pool).await
        })?;
        let Some((stream, from, to)) = found else { return Ok(None) };
        let mut loaded = Loaded { state: D::default(), sequence: 0 };
        let mut events = Vec::new();
        for (sequence, event) in self.events::<D>(&stream).await? {
            if sequence > to {
                break;
            }
            loaded.state.evolve(&event);
            loaded.sequence = sequence;
            if sequence >= from {
                events.push(event);
            }
        }
        let id = stream.split_once('/').map_or(stream.as_str(), |(_, id)| id).to_owned();
        Ok(Some(Replayed { id, loaded, events }))
    }

    async fn events<D: Decider>(&self, stream: &str) -> Result<Vec<(i64, D::Event)>, LoadError> {
        let unreadable = |error: String| LoadError::Unreadable(stream.to_owned(), error);
        let stored: Vec<SerializedEvent> = match self.read() {
            Db::Sqlite(pool) => SqliteEventRepository::new(pool.clone()).get_events::<Sourced<D>>(stream).await,
            Db::Postgres(pool) => PostgresEventRepository::new(pool.clone()).get_events::<Sourced<D>>(stream).await,
        }
        .map_err(|error| LoadError::Database(sqlx::Error::Protocol(error.to_string())))?;
        stored
            .into_iter()
            .map(|event| {
                let envelope: EventEnvelope<Sourced<D>> = event
                    .try_into()
                    .map_err(|error: cqrs_es::persist::PersistenceError| unreadable(error.to_string()))?;
                let Stored(event) = envelope.payload;
                Ok((envelope.sequence as i64, event))
            })
            .collect()
    }
}
