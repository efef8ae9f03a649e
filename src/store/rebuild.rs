//! Building read models anew, beside the ones that readers see.
//!
//! A build is filled in pages while the service runs, finishes its tail under the append lock, and is shown by that same
//! transaction: no reader sees a half-built one, and no event falls between the old and the new.

use super::{
    ConnectError, Target,
    batch::fold,
    connect::{self, Connected},
    sql::{StoredEvent, Tx, events_after},
};
use projections::{Db, Happened, Model};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeSet;
use tokio::sync::mpsc;

/// How many events are folded in one transaction.
const PAGE: i64 = 5_000;
/// The key of PostgreSQL's lock that lets one process at a time build.
const BUILD_LOCK: i64 = 4_151_337_002;

/// How many rows that differ are looked at together.
const ROWS: usize = 500;

/// A row of which readers see something else than what the events say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The read model.
    pub model: &'static str,
    /// The organisation, as the ledger writes it.
    pub org_id: String,
    /// The row within it.
    pub id: String,
    /// The field: a column, a place in the document such as `doc.opened.title`, or `row` when the whole row is missing or
    /// too many.
    pub field: String,
    /// What the events say; none: nothing.
    pub expected: Option<String>,
    /// What readers see; none: nothing.
    pub found: Option<String>,
}

/// Brings the tables up to date, and the read models that are due; answers the names of those.
pub async fn migrate(
    target: &Target,
    models: &[Model],
    progress: impl FnMut(i64, i64),
) -> Result<Vec<&'static str>, ConnectError> {
    let connected = connect::open(target).await?;
    let due = bring_up_to_date(&connected, models, progress).await?;
    connected.close().await;
    Ok(due)
}

/// Builds every read model anew and shows the new builds. `progress` is told the position reached and the one to reach.
pub async fn rebuild(target: &Target, models: &[Model], progress: impl FnMut(i64, i64)) -> Result<(), ConnectError> {
    target.must_exist()?;
    let connected = connect::open(target).await?;
    let turn = Turn::take(&connected.write).await?;
    build(&connected, models, progress).await?;
    drop(turn);
    connected.close().await;
    Ok(())
}

/// Builds every read model anew, compares each row with the one that readers see, and throws the new builds away.
/// Answers the differences.
pub async fn compare(
    target: &Target,
    models: &[Model],
    progress: impl FnMut(i64, i64),
) -> Result<Vec<Difference>, ConnectError> {
    target.must_exist()?;
    let connected = connect::open(target).await?;
    let turn = Turn::take(&connected.write).await?;
    let found = compare_builds(&connected, models, progress).await?;
    drop(turn);
    connected.close().await;
    Ok(found)
}

/// Builds what is not there yet, what an older version built, and what had stalled; answers the names.
pub(super) async fn bring_up_to_date(
    connected: &Connected,
    models: &[Model],
    progress: impl FnMut(i64, i64),
) -> Result<Vec<&'static str>, ConnectError> {
    let _turn = Turn::take(&connected.write).await?;
    let mut tx = Tx::aside(&connected.write).await?;
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
    if !due.is_empty() {
        build(connected, &due, progress).await?;
    }
    Ok(due.iter().map(|model| model.table.name).collect())
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

async fn build(
    connected: &Connected,
    models: &[Model],
    mut progress: impl FnMut(i64, i64),
) -> Result<(), ConnectError> {
    let db = &connected.write;
    let (builds, reached) = fill(connected, models, &mut progress).await?;
    let mut tx = Tx::aside(db).await?;
    for Building { model, new, .. } in &builds {
        for statement in model.table.index(*new) {
            tx.run(&statement).await?;
        }
    }
    tx.commit().await?;
    // The tail, and the change of what readers see, under the append lock.
    let mut tx = Tx::begin(db).await?;
    let reached = finish(&mut tx, &builds, reached).await?;
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

async fn compare_builds(
    connected: &Connected,
    models: &[Model],
    mut progress: impl FnMut(i64, i64),
) -> Result<Vec<Difference>, ConnectError> {
    let db = &connected.write;
    let mut tx = Tx::aside(db).await?;
    let shown = tx.builds().await?;
    tx.rollback().await?;
    for model in models {
        let version = i64::from(model.table.version);
        if shown.get(model.table.name).is_none_or(|build| build.version != version) {
            return Err(ConnectError::OtherVersion(model.table.name));
        }
    }
    let (builds, reached) = fill(connected, models, &mut progress).await?;
    // Without the lock, rows that are being written differ as well; under it, they are caught up and looked at again.
    let mut suspects = Vec::new();
    let mut tx = Tx::aside(db).await?;
    for building in &builds {
        suspects.push(tx.differing(&building.model, building.new, building.seen(), None).await?);
    }
    tx.rollback().await?;
    let mut found = Vec::new();
    if suspects.iter().any(|rows| !rows.is_empty()) {
        let mut tx = Tx::begin(db).await?;
        finish(&mut tx, &builds, reached).await?;
        for (building, suspects) in builds.iter().zip(suspects) {
            for suspects in suspects.chunks(ROWS) {
                let rows = tx.differing(&building.model, building.new, building.seen(), Some(suspects)).await?;
                let expected = tx.whole(&building.model, building.new, &rows).await?;
                let shown = tx.whole(&building.model, building.seen(), &rows).await?;
                for row in rows {
                    found.extend(differences(&building.model, &row, expected.get(&row), shown.get(&row)));
                }
            }
        }
        tx.rollback().await?;
    }
    let mut tx = Tx::aside(db).await?;
    for Building { model, new, .. } in &builds {
        tx.run(&format!("DROP TABLE {}", model.table.build(*new))).await?;
    }
    tx.commit().await?;
    progress(reached, reached);
    Ok(found)
}

/// A row's columns as text, in the order of [`projections::model::Table::compared`].
type Columns = Vec<Option<String>>;

fn differences(
    model: &Model,
    (org_id, id): &(String, String),
    expected: Option<&Columns>,
    found: Option<&Columns>,
) -> Vec<Difference> {
    let difference = |field: String, expected: Option<String>, found: Option<String>| Difference {
        model: model.table.name,
        org_id: org_id.clone(),
        id: id.clone(),
        field,
        expected,
        found,
    };
    let (Some(expected), Some(found)) = (expected, found) else {
        let whole = |row: Option<&Columns>| row.and_then(|row| row.get(1).cloned().flatten());
        return vec![difference("row".to_owned(), whole(expected), whole(found))];
    };
    let mut differences = Vec::new();
    for ((name, expected), found) in model.table.compared().zip(expected).zip(found) {
        match (name, parsed(expected), parsed(found)) {
            ("doc", Some(expected), Some(found)) if expected != found => {
                compare_values("doc", Some(&expected), Some(&found), &mut |field, expected, found| {
                    let text = |value: Option<&Value>| value.map(Value::to_string);
                    differences.push(difference(field.to_owned(), text(expected), text(found)));
                });
            }
            _ if expected != found => {
                differences.push(difference(name.to_owned(), expected.clone(), found.clone()));
            }
            _ => {}
        }
    }
    differences
}

fn parsed(doc: &Option<String>) -> Option<Value> {
    serde_json::from_str(doc.as_deref()?).ok()
}

/// Names each place, such as `doc.opened.title`, at which two documents differ; lists are compared whole.
fn compare_values(
    place: &str,
    expected: Option<&Value>,
    found: Option<&Value>,
    say: &mut impl FnMut(&str, Option<&Value>, Option<&Value>),
) {
    if let (Some(Value::Object(expected)), Some(Value::Object(found))) = (expected, found) {
        let names: BTreeSet<&String> = expected.keys().chain(found.keys()).collect();
        for name in names {
            compare_values(&format!("{place}.{name}"), expected.get(name), found.get(name), say);
        }
    } else if expected != found {
        say(place, expected, found);
    }
}

/// Fills new builds beside those that readers see, up to an end that may have moved on by then; answers the builds and
/// the position that they reached.
async fn fill(
    Connected { read, write, .. }: &Connected,
    models: &[Model],
    progress: &mut impl FnMut(i64, i64),
) -> Result<(Vec<Building>, i64), ConnectError> {
    let mut tx = Tx::aside(write).await?;
    let shown = tx.builds().await?;
    let head = tx.position().await?;
    let mut builds = Vec::new();
    for model in models {
        let old = shown.get(model.table.name).map(|build| build.number);
        let new = old.unwrap_or(0) + 1;
        // What an interrupted build left behind.
        tx.run(&format!("DROP TABLE IF EXISTS {}", model.table.build(new))).await?;
        tx.run(&model.table.create(tx.dialect(), new)).await?;
        builds.push(Building { model: *model, old, new });
    }
    tx.commit().await?;
    // The next page is read and parsed while one is written.
    let (reader, mut pages) = mpsc::channel(1);
    let reading = read.clone();
    let reader = tokio::spawn(async move {
        let mut after = 0;
        loop {
            let page = Page::read(&reading, after).await;
            after = page.as_ref().map_or(after, Page::end);
            if page.as_ref().is_ok_and(Page::is_empty) || reader.send(page).await.is_err() {
                return;
            }
        }
    });
    let mut reached = 0;
    while let Some(page) = pages.recv().await {
        let page = page?;
        reached = page.end();
        let mut tx = Tx::aside(write).await?;
        page.fold(&mut tx, &builds).await?;
        tx.commit().await?;
        progress(reached, head.max(reached));
    }
    reader.await.map_err(|error| ConnectError::Fold(error.to_string()))?;
    Ok((builds, reached))
}

/// Folds what came since, under the append lock, and checks that it ends at the ledger's head.
async fn finish(tx: &mut Tx, builds: &[Building], mut reached: i64) -> Result<i64, ConnectError> {
    loop {
        let page = Page::of(tx.events_after(reached, PAGE).await?, reached)?;
        if page.is_empty() {
            break;
        }
        reached = page.end();
        page.fold(tx, builds).await?;
    }
    let head = tx.position().await?;
    if reached != head {
        return Err(ConnectError::Fold(format!("the events end at {reached}, but the ledger's head is {head}")));
    }
    Ok(reached)
}

/// A read model, the build that readers see, and the one that is being made.
struct Building {
    model: Model,
    old: Option<i64>,
    new: i64,
}

impl Building {
    /// The build that readers see.
    fn seen(&self) -> i64 {
        self.old.unwrap_or_default()
    }
}

/// Some events that follow one another, and what happened.
struct Page(Vec<(StoredEvent, Happened)>);

impl Page {
    async fn read(db: &Db, after: i64) -> Result<Self, ConnectError> {
        let rows = events_after(db, after, PAGE).await?;
        let page = tokio::task::spawn_blocking(move || Self::of(rows, after)).await;
        page.map_err(|error| ConnectError::Fold(error.to_string()))?
    }

    /// Reads what happened, and checks that no event is missing.
    fn of(rows: Vec<StoredEvent>, after: i64) -> Result<Self, ConnectError> {
        let read = |(row, expected): (StoredEvent, i64)| {
            if row.position != expected {
                return Err(ConnectError::Fold(format!("the event at position {expected} is missing")));
            }
            let happened = Happened::read(&row.aggregate_type, &row.payload)
                .map_err(|error| ConnectError::Fold(format!("position {expected}: {error}")))?;
            Ok((row, happened))
        };
        rows.into_iter().zip(after + 1..).map(read).collect::<Result<_, _>>().map(Self)
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The position of its last event.
    fn end(&self) -> i64 {
        self.0.last().map_or(0, |(row, _)| row.position)
    }

    async fn fold(self, tx: &mut Tx, builds: &[Building]) -> Result<(), ConnectError> {
        let (rows, happened): (Vec<_>, Vec<_>) = self.0.into_iter().unzip();
        let events: Vec<_> = rows.iter().zip(happened).map(|(row, happened)| row.recorded(happened)).collect();
        for Building { model, new, .. } in builds {
            fold(tx, model, *new, &events).await?.map_err(ConnectError::Fold)?;
        }
        Ok(())
    }
}
