//! What reactors need of the store: events by their position, and a note of how far each reactor is.

use super::{Store, sql::StoredEvent};
use projections::{Happened, Recorded, event::Unreadable, on};
use tokio::sync::watch;

/// An event as it was read from the ledger.
#[derive(Clone, Debug)]
pub struct Passed(StoredEvent);

impl Passed {
    /// Its position.
    pub const fn position(&self) -> i64 {
        self.0.position
    }

    /// The event, with what happened.
    ///
    /// # Errors
    /// It does not have the shape of its type.
    pub fn recorded(&self) -> Result<Recorded<'_>, Unreadable> {
        let Self(event) = self;
        Ok(event.recorded(Happened::read(&event.aggregate_type, &event.payload)?))
    }
}

impl Store {
    /// The position that this process's appends have reached, and every change of it; 0 before the first.
    pub fn reached(&self) -> watch::Receiver<i64> {
        self.inner.reached.clone()
    }

    /// The events after a position and up to another, in their order: those with one of these names.
    pub async fn passed(&self, after: i64, to: i64, names: &[&str]) -> sqlx::Result<Vec<Passed>> {
        let sql = format!(
            "SELECT position, org_id, aggregate_type, aggregate_id, sequence, actor, recorded_at, \
             CAST(payload AS text) AS payload FROM events WHERE position > $1 AND position <= $2 \
             AND event_type IN (SELECT value FROM {}) ORDER BY position",
            self.read().dialect().texts("$3")
        );
        let names = serde_json::json!(names).to_string();
        let events: Vec<StoredEvent> = on!(self.read(), pool => {
            sqlx::query_as(&sql).bind(after).bind(to).bind(names).fetch_all(pool).await
        })?;
        Ok(events.into_iter().map(Passed).collect())
    }

    /// The position that a reactor is done with, whichever process noted it; 0 before the first note.
    pub async fn reactor_at(&self, name: &str) -> sqlx::Result<i64> {
        const SQL: &str = "SELECT position FROM reactors WHERE name = $1";
        let at: Option<i64> = on!(self.read(), pool => sqlx::query_scalar(SQL).bind(name).fetch_optional(pool).await)?;
        Ok(at.unwrap_or(0))
    }

    /// Notes that a reactor is done with a position, and whether it is stuck at one. It never goes back: of two
    /// processes, the one that is further has the last word.
    pub async fn note_reactor(&self, name: &str, position: i64, stuck_at: Option<i64>) -> sqlx::Result<()> {
        const SQL: &str = "INSERT INTO reactors (name, position, stuck_at) VALUES ($1, $2, $3) \
             ON CONFLICT (name) DO UPDATE SET position = excluded.position, stuck_at = excluded.stuck_at \
             WHERE reactors.position <= excluded.position";
        on!(self.write(), pool => {
            sqlx::query(SQL).bind(name).bind(position).bind(stuck_at).execute(pool).await.map(drop)
        })
    }

    /// The reactors that cannot get past an event, each with its position, whichever process found out.
    pub async fn stuck_reactors(&self) -> sqlx::Result<Vec<(String, i64)>> {
        const SQL: &str = "SELECT name, stuck_at FROM reactors WHERE stuck_at IS NOT NULL ORDER BY name";
        on!(self.read(), pool => sqlx::query_as(SQL).fetch_all(pool).await)
    }
}
