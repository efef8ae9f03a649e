//! Building read models anew, beside the ones that readers see.
//!
//! A build is filled in pages while the service runs, finishes its tail under the append lock, and is shown by that same
//! transaction: no reader sees a half-built one, and no event falls between the old and the new.

use super::{ConnectError, Store, batch::fold, sql::Tx};
use projections::{Db, Happened, Model, Recorded};

/// How many events are folded in one transaction.
const PAGE: i64 = 5_000;
/// The key of PostgreSQL's lock that lets one process at a time build.
const BUILD_LOCK: i64 = 4_151_337_002;

/// Builds what is not there yet, what an older version built, and what had stalled.
pub(super) async fn bring_up_to_date(db: &Db, models: &[Model]) -> Result<(), ConnectError> {
    let _turn = Turn::take(db).await?;
    let mut tx = Tx::aside(db).await?;
    let builds = tx.builds().await?;
    tx.rollback().await?;
    let mut due = Vec::new();
    for model in models {
        match builds.get(model.table.name) {
            Some(build) if build.version > i64::from(model.table.version) => {
                return Err(ConnectError::Newer(model.table.name.to_owned()));
            }
            Some(build) if build.version == i64::from(model.table.version) && build.stalled.is_none() => {}
            _ => due.push(*model),
        }
    }
    if due.is_empty() { Ok(()) } else { build(db, &due, |_, _| {}).await }
}

impl Store {
    /// Builds every read model anew and shows the new builds. `progress` is told the position reached and the one to
    /// reach.
    pub async fn rebuild(&self, progress: impl FnMut(i64, i64)) -> Result<(), ConnectError> {
        let _turn = Turn::take(self.write()).await?;
        build(self.write(), self.models(), progress).await
    }
}

/// The right to build, among all processes.
struct Turn {
    _held: Option<sqlx::Transaction<'static, sqlx::Postgres>>,
}

impl Turn {
    async fn take(db: &Db) -> sqlx::Result<Self> {
        let Db::Postgres(pool) = db else { return Ok(Self { _held: None }) };
        let mut tx = pool.begin().await?;
        sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(BUILD_LOCK).execute(&mut *tx).await?;
        Ok(Self { _held: Some(tx) })
    }
}

async fn build(db: &Db, models: &[Model], mut progress: impl FnMut(i64, i64)) -> Result<(), ConnectError> {
    let mut tx = Tx::aside(db).await?;
    let shown = tx.builds().await?;
    let head = tx.position().await?;
    let mut builds = Vec::new();
    for model in models {
        let old = shown.get(model.table.name).map(|build| build.number);
        let new = old.unwrap_or(0) + 1;
        // What an interrupted build left behind.
        tx.run(&format!("DROP TABLE IF EXISTS {}", model.table.build(new))).await?;
        for statement in model.table.create(tx.dialect(), new) {
            tx.run(&statement).await?;
        }
        builds.push(Building { model: *model, old, new });
    }
    tx.commit().await?;
    let mut reached = 0;
    loop {
        let mut tx = Tx::aside(db).await?;
        let next = page(&mut tx, &builds, reached).await?;
        tx.commit().await?;
        match next {
            Some(position) => reached = position,
            None => break,
        }
        progress(reached, head.max(reached));
    }
    // The tail, and the change of what readers see, under the append lock.
    let mut tx = Tx::begin(db).await?;
    while let Some(position) = page(&mut tx, &builds, reached).await? {
        reached = position;
    }
    let head = tx.position().await?;
    if reached != head {
        return Err(ConnectError::Fold(format!("the events end at {reached}, but the ledger's head is {head}")));
    }
    for Building { model, old, new } in &builds {
        for statement in model.table.show(*new) {
            tx.run(&statement).await?;
        }
        tx.register(model.table.name, model.table.version, *new, reached).await?;
        if let Some(old) = old {
            tx.run(&format!("DROP TABLE IF EXISTS {}", model.table.build(*old))).await?;
        }
    }
    tx.commit().await?;
    progress(reached, reached);
    Ok(())
}

/// A read model, the build that readers see, and the one that is being made.
struct Building {
    model: Model,
    old: Option<i64>,
    new: i64,
}

/// Folds the next page of events; answers the position of its last one, or none when there are no more.
async fn page(tx: &mut Tx, builds: &[Building], after: i64) -> Result<Option<i64>, ConnectError> {
    let rows = tx.events_after(after, PAGE).await?;
    let mut events = Vec::with_capacity(rows.len());
    for (row, expected) in rows.iter().zip(after + 1..) {
        if row.position != expected {
            return Err(ConnectError::Fold(format!("the event at position {expected} is missing")));
        }
        let happened = Happened::read(&row.aggregate_type, &row.payload)
            .map_err(|error| ConnectError::Fold(format!("position {}: {error}", row.position)))?;
        events.push(Recorded {
            position: row.position,
            org_id: &row.org_id,
            aggregate_id: &row.aggregate_id,
            sequence: row.sequence,
            actor: &row.actor,
            recorded_at: row.recorded_at,
            happened,
        });
    }
    for Building { model, new, .. } in builds {
        fold(tx, model, *new, &events).await?.map_err(ConnectError::Fold)?;
    }
    Ok(events.last().map(|event| event.position))
}
