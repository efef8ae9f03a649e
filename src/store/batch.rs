//! A batch of commands: what the ledger says before it, what is numbered and sealed, and what is written.

use super::{
    appender::{Append, AppendError, Appended, Claim, StreamAppend, StreamAppended},
    sql::{Build, EventRow, Known, OrgHead, Tx},
};
use projections::{Happened, Model, Recorded, model::FoldError};
use proof::event::{Envelope, payload_digest};
use std::collections::{BTreeMap, HashMap};

/// For how long a repeat of a command is answered with its first result: 24 hours, in microseconds.
pub(super) const REPEAT_WINDOW: i64 = 24 * 3600 * 1_000_000;

/// A batch under the append lock.
pub(super) struct Batch {
    position: i64,
    heads: HashMap<String, i64>,
    orgs: HashMap<String, OrgHead>,
    known: HashMap<String, Known>,
    claimed: HashMap<(String, String, String), String>,
    events: Vec<EventRow>,
    commands: Vec<(String, Known)>,
}

/// Why a batch was given up.
pub(super) enum Rejected {
    /// The database failed.
    Sql(sqlx::Error),
    /// A read model that may never be out of date could not be folded.
    Fold(String),
}

impl From<sqlx::Error> for Rejected {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

impl Batch {
    /// Reads what the ledger says of everything that the commands touch.
    pub(super) async fn read(tx: &mut Tx, appends: &[&Append]) -> sqlx::Result<Self> {
        let ids: Vec<&str> = appends.iter().map(|append| append.command_id.as_str()).collect();
        let streams: Vec<&StreamAppend> = appends.iter().flat_map(|append| &append.streams).collect();
        let mut orgs: Vec<String> = streams.iter().map(|stream| stream.org.on_ledger()).collect();
        orgs.sort_unstable();
        orgs.dedup();
        let claims: Vec<&Claim> = appends.iter().flat_map(|append| &append.claims).collect();
        Ok(Self {
            position: tx.position().await?,
            heads: tx.heads(&streams).await?,
            orgs: tx.org_heads(&orgs).await?,
            known: tx.known(&ids).await?,
            claimed: if claims.is_empty() { HashMap::new() } else { tx.claimed(&claims).await? },
            events: Vec::new(),
            commands: Vec::new(),
        })
    }

    /// The events of the commands that are carried out.
    pub(super) fn events(&self) -> &[EventRow] {
        &self.events
    }

    /// Decides command by command, in their order, which are carried out; numbers and seals their events. A command
    /// that is refused leaves the others alone.
    pub(super) fn number_and_seal(&mut self, appends: &[&Append], now: i64) -> Vec<Result<Appended, AppendError>> {
        appends.iter().map(|append| self.take(append, now)).collect()
    }

    fn take(&mut self, append: &Append, now: i64) -> Result<Appended, AppendError> {
        if let Some(known) = self.known.get(&append.command_id).filter(|known| now - known.recorded_at < REPEAT_WINDOW)
        {
            return if known.fingerprint == append.fingerprint {
                Ok(known.answer())
            } else {
                Err(AppendError::KeyReused)
            };
        }
        for stream in &append.streams {
            if self.head(stream) != stream.expected {
                return Err(AppendError::Conflict);
            }
        }
        for claim in &append.claims {
            if self.claimed.get(&claim_key(claim)).is_some_and(|holder| *holder != claim.holder) {
                return Err(AppendError::Claimed(claim.scope));
            }
        }
        for claim in &append.claims {
            self.claimed.insert(claim_key(claim), claim.holder.clone());
        }
        let first = self.position + 1;
        let streams = append.streams.iter().map(|stream| self.seal(append, stream, now)).collect();
        let known = Known {
            fingerprint: append.fingerprint.clone(),
            first_position: first,
            last_position: self.position,
            recorded_at: now,
        };
        self.known.insert(append.command_id.clone(), known.clone());
        self.commands.push((append.command_id.clone(), known));
        Ok(Appended { first, last: self.position, replayed: false, streams })
    }

    fn head(&self, stream: &StreamAppend) -> i64 {
        self.heads.get(&stream.key()).copied().unwrap_or(0)
    }

    fn seal(&mut self, append: &Append, stream: &StreamAppend, now: i64) -> StreamAppended {
        let org_id = stream.org.on_ledger();
        let aggregate_id = stream.aggregate_id();
        let mut sequence = stream.expected;
        let org = self.orgs.entry(org_id.clone()).or_insert(OrgHead::FIRST);
        // The clock may step back; the ledger's time does not.
        org.recorded_at = org.recorded_at.max(now);
        for event in &stream.events {
            sequence += 1;
            self.position += 1;
            org.org_position += 1;
            let envelope = Envelope {
                actor: &append.actor,
                aggregate_id: &aggregate_id,
                aggregate_type: stream.aggregate_type,
                command_id: &append.command_id,
                event_type: event.event_type,
                event_version: event.event_version,
                org_id: &org_id,
                org_position: org.org_position.unsigned_abs(),
                payload_blake3: payload_digest(event.payload.as_bytes()),
                prev: org.hash,
                recorded_at: org.recorded_at,
                sequence: sequence.unsigned_abs(),
            };
            org.hash = envelope.seal();
            self.events.push(EventRow {
                position: self.position,
                org_id: org_id.clone(),
                org_position: org.org_position,
                aggregate_type: stream.aggregate_type,
                aggregate_id: aggregate_id.clone(),
                sequence,
                event_type: event.event_type,
                event_version: event.event_version,
                payload: event.payload.clone(),
                actor: append.actor.clone(),
                command_id: append.command_id.clone(),
                recorded_at: org.recorded_at,
                hash: org.hash,
            });
        }
        let recorded_at = org.recorded_at;
        self.heads.insert(stream.key(), sequence);
        StreamAppended { sequence, recorded_at }
    }

    /// Writes the events and what belongs to them.
    pub(super) async fn write(
        &self,
        tx: &mut Tx,
        appends: &[&Append],
        answers: &[Result<Appended, AppendError>],
    ) -> sqlx::Result<()> {
        tx.insert_events(&self.events).await?;
        tx.insert_commands(&self.commands).await?;
        for (append, answer) in appends.iter().zip(answers) {
            let Ok(Appended { last, replayed: false, .. }) = answer else { continue };
            for claim in &append.releases {
                tx.release(claim).await?;
            }
            for claim in &append.claims {
                tx.claim(claim).await?;
            }
            for blob in &append.blobs {
                tx.insert_blob(blob).await?;
            }
            if let Some(receipt) = &append.receipt {
                tx.insert_receipt(receipt, *last).await?;
            }
        }
        Ok(())
    }

    /// Folds the events into the read models and says which of them are stalled, each with the reason.
    pub(super) async fn project(
        &self,
        tx: &mut Tx,
        models: &[Model],
        builds: &HashMap<String, Build>,
    ) -> Result<BTreeMap<String, String>, Rejected> {
        let mut stalled = BTreeMap::new();
        let recorded = recorded(&self.events);
        for model in models {
            let Some(build) = builds.get(model.table.name) else { continue };
            if let Some(reason) = &build.stalled {
                stalled.insert(model.table.name.to_owned(), reason.clone());
                continue;
            }
            let folded = match &recorded {
                Ok(recorded) => fold(tx, model, build.number, recorded).await?,
                Err(reason) => Err(reason.clone()),
            };
            if let Err(reason) = folded {
                if model.table.essential {
                    return Err(Rejected::Fold(reason));
                }
                tracing::error!(model = model.table.name, reason, "a read model is stalled");
                tx.stall(model, &reason).await?;
                stalled.insert(model.table.name.to_owned(), reason);
            }
        }
        tx.advance(self.position).await?;
        Ok(stalled)
    }
}

fn claim_key(claim: &Claim) -> (String, String, String) {
    (claim.org.on_ledger(), claim.scope.to_owned(), claim.key.clone())
}

/// The events as read models see them.
fn recorded(events: &[EventRow]) -> Result<Vec<Recorded<'_>>, String> {
    events
        .iter()
        .map(|row| {
            let happened = Happened::read(row.aggregate_type, &row.payload)
                .map_err(|error| format!("position {}: {error}", row.position))?;
            Ok(Recorded {
                position: row.position,
                org_id: &row.org_id,
                aggregate_id: &row.aggregate_id,
                sequence: row.sequence,
                actor: &row.actor,
                recorded_at: row.recorded_at,
                happened,
            })
        })
        .collect()
}

/// Folds events into one build of a read model. The inner error is a fold that failed; then nothing of it is written.
pub(super) async fn fold(
    tx: &mut Tx,
    model: &Model,
    build: i64,
    events: &[Recorded<'_>],
) -> sqlx::Result<Result<(), String>> {
    let mut touched: BTreeMap<(&str, String), (bool, Vec<&Recorded<'_>>)> = BTreeMap::new();
    for event in events {
        for row in model.touches(event) {
            let entry = touched.entry((event.org_id, row.id)).or_insert((row.is_new, Vec::new()));
            entry.1.push(event);
        }
    }
    if touched.is_empty() {
        return Ok(Ok(()));
    }
    let known: Vec<(&str, &str)> =
        touched.iter().filter(|(_, (is_new, _))| !is_new).map(|((org, id), _)| (*org, id.as_str())).collect();
    let mut docs = if known.is_empty() { HashMap::new() } else { tx.documents(model, build, &known).await? };
    let (mut kept, mut gone) = (Vec::new(), Vec::new());
    for ((org, id), (_, events)) in &touched {
        let doc = if docs.is_empty() { None } else { docs.remove(&((*org).to_owned(), id.clone())) };
        match model.fold(id, doc.as_deref(), events) {
            Ok(Some((doc, cells))) => {
                let position = events.last().map_or(0, |event| event.position);
                kept.push((*org, id.as_str(), position, doc, cells));
            }
            Ok(None) => gone.push((*org, id.as_str())),
            Err(FoldError { table, id, reason }) => return Ok(Err(format!("{table} {id}: {reason}"))),
        }
    }
    if !kept.is_empty() {
        tx.upsert(model, build, &kept).await?;
    }
    if !gone.is_empty() {
        tx.delete(model, build, &gone).await?;
    }
    Ok(Ok(()))
}
