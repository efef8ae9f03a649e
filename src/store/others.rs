//! What other processes have written to the same PostgreSQL, asked once for all who wait.
//!
//! Whoever is about to answer with what was read before asks first whether anybody else has changed it since. A question
//! that arrives while one is under way waits for the next, so that the answer is about everything that was committed
//! before it was asked.

use super::fresh::Fresh;
use sqlx::{PgConnection, PgPool};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// How many events by others are looked at one by one; after more of them, nothing that was read counts as fresh.
const EVENTS: usize = 256;

pub(super) struct Others {
    ask: mpsc::UnboundedSender<oneshot::Sender<bool>>,
}

/// Up to where this process knows what was changed.
struct Seen {
    position: i64,
    session_ends: i64,
}

impl Others {
    pub(super) fn watch(pool: PgPool, fresh: Arc<Fresh>) -> Self {
        let (ask, asked) = mpsc::unbounded_channel();
        tokio::spawn(answer(pool, fresh, asked));
        Self { ask }
    }

    /// Moves the stamps of what others have changed; whether that is known.
    pub(super) async fn are_caught_up(&self) -> bool {
        let (answer, answered) = oneshot::channel();
        self.ask.send(answer).is_ok() && answered.await.unwrap_or(false)
    }
}

async fn answer(pool: PgPool, fresh: Arc<Fresh>, mut asked: mpsc::UnboundedReceiver<oneshot::Sender<bool>>) {
    let (mut connection, mut seen, mut waiting) = (None, None, Vec::new());
    loop {
        let closing = pool.close_event();
        tokio::select! {
            some = asked.recv_many(&mut waiting, usize::MAX) => if some == 0 { return },
            () = closing => return,
        }
        let looked: sqlx::Result<()> = async {
            // Kept, since the pool asks a connection whether it lives whenever it changes hands.
            let connection = match &mut connection {
                Some(connection) => connection,
                none => none.insert(pool.acquire().await?),
            };
            seen = Some(look(connection, &fresh, seen.take()).await?);
            Ok(())
        }
        .await;
        if looked.is_err() {
            // Those who wait read the database themselves, and say what is wrong with it.
            connection = None;
        }
        for waiting in waiting.drain(..) {
            let _ = waiting.send(looked.is_ok());
        }
    }
}

async fn look(connection: &mut PgConnection, fresh: &Fresh, seen: Option<Seen>) -> sqlx::Result<Seen> {
    const NOW: &str = "SELECT (SELECT coalesce(max(position), 0) FROM events), (SELECT ended FROM session_ends)";
    const SINCE: &str = "SELECT s.ended, e.position, e.aggregate_id FROM session_ends s LEFT JOIN \
         (SELECT position, aggregate_id FROM events WHERE position > $1 ORDER BY position LIMIT $2) e ON true";
    if let Some(Seen { position, session_ends }) = seen {
        let rows: Vec<(i64, Option<i64>, Option<String>)> =
            sqlx::query_as(SINCE).bind(position).bind(EVENTS as i64).fetch_all(&mut *connection).await?;
        if rows.len() < EVENTS && rows.first().is_some_and(|row| row.0 == session_ends) {
            rows.iter().filter_map(|row| row.2.as_deref()).for_each(|record| fresh.changed(record));
            let position = rows.iter().filter_map(|row| row.1).fold(position, i64::max);
            return Ok(Seen { position, session_ends });
        }
    }
    let (position, session_ends) = sqlx::query_as(NOW).fetch_one(connection).await?;
    fresh.all_changed();
    Ok(Seen { position, session_ends })
}
