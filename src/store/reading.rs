//! What is read from the ledger itself, beside whole streams.

use super::{Store, appender::aggregate_id};
use aggregates::{
    Decider,
    ids::OrgId,
    ledger::{Receipt, receipt_stream},
};
use projections::{Db, db::Dialect, on};
use proof::{
    digest::{Blake3Hex, Sha256Hex, sha256},
    receipt::{self, Inspected, ReceiptChain, Row, Verification},
};
use sqlx::Error::Decode;
use std::collections::VecDeque;
use tokio::task::JoinHandle;

/// How many bytes of receipts are read at a time, and how many receipts at most.
const SLAB: usize = 1 << 20;
const SLAB_RECEIPTS: usize = 512;
/// How many of these a walk keeps in memory.
const SLABS: usize = 3;

/// A command that was carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownCommand {
    /// Digest of the request that came with it.
    pub fingerprint: Option<String>,
    /// The position of its first event.
    pub first: i64,
    /// The position of its last event.
    pub last: i64,
}

/// The part of a minted event that the receipt's own bytes are held against.
#[derive(serde::Deserialize)]
struct MintedEvent {
    receipt_minted: MintedCoordinates,
}

#[derive(serde::Deserialize)]
struct MintedCoordinates {
    receipt_id: String,
    parent_hash: Sha256Hex,
    receipt_sha256: Sha256Hex,
}

impl Store {
    /// The position of the last event.
    pub async fn position(&self) -> sqlx::Result<i64> {
        const SQL: &str = "SELECT coalesce(max(position), 0) FROM events";
        on!(self.read(), pool => sqlx::query_scalar(SQL).fetch_one(pool).await)
    }

    /// The read models that could not be folded further, each with its reason, whichever process found out.
    pub async fn stalled(&self) -> sqlx::Result<Vec<(String, String)>> {
        const SQL: &str = "SELECT name, coalesce(reason, '') FROM projections WHERE state = 'stalled' ORDER BY name";
        on!(self.read(), pool => sqlx::query_as(SQL).fetch_all(pool).await)
    }

    /// Whether a command was carried out within the window in which repeats are answered.
    pub async fn known(&self, command_id: &str) -> sqlx::Result<Option<KnownCommand>> {
        const SQL: &str = "SELECT fingerprint, first_position, last_position FROM commands \
                           WHERE command_id = $1 AND recorded_at > $2";
        let since = crate::outside::clock::microseconds() - super::batch::REPEAT_WINDOW;
        let row: Option<(Option<String>, i64, i64)> =
            on!(self.read(), pool => sqlx::query_as(SQL).bind(command_id).bind(since).fetch_optional(pool).await)?;
        Ok(row.map(|(fingerprint, first, last)| KnownCommand { fingerprint, first, last }))
    }

    /// The number and the parent of the organisation's next receipt, from the bytes of its last one.
    pub async fn next_receipt(&self, org: OrgId) -> sqlx::Result<(u64, Sha256Hex)> {
        const SQL: &str = "SELECT org_seq, payload FROM receipts WHERE org_id = $1 ORDER BY org_seq DESC LIMIT 1";
        let last: Option<(i64, Vec<u8>)> =
            on!(self.read(), pool => sqlx::query_as(SQL).bind(org.on_ledger()).fetch_optional(pool).await)?;
        Ok(last.map_or((0, receipt::genesis()), |(seq, payload)| (seq.unsigned_abs() + 1, sha256(&payload))))
    }

    /// A receipt's canonical bytes.
    pub async fn receipt_payload(&self, org: &str, org_seq: u64) -> sqlx::Result<Option<Vec<u8>>> {
        const SQL: &str = "SELECT payload FROM receipts WHERE org_id = $1 AND org_seq = $2";
        on!(self.read(), pool => sqlx::query_scalar(SQL).bind(org).bind(org_seq as i64).fetch_optional(pool).await)
    }

    /// An event's place among its organisation's events, and its hash.
    pub async fn event_seal<D: Decider>(&self, org: OrgId, id: &str, sequence: i64) -> sqlx::Result<(u64, Blake3Hex)> {
        const SQL: &str =
            "SELECT org_position, hash FROM events WHERE aggregate_type = $1 AND aggregate_id = $2 AND sequence = $3";
        let (place, hash): (i64, Vec<u8>) = on!(self.read(), pool => {
            sqlx::query_as(SQL).bind(D::TYPE).bind(aggregate_id(org, id)).bind(sequence).fetch_one(pool).await
        })?;
        let hash = hash.try_into().map_err(|_| Decode("a hash has 32 bytes".into()))?;
        Ok((place.unsigned_abs(), Blake3Hex::from_bytes(hash)))
    }

    /// Walks the organisation's whole receipt chain.
    pub async fn verify_receipts(&self, org: OrgId) -> sqlx::Result<Verification> {
        verify_receipts(self.read(), &org.on_ledger()).await
    }
}

/// How many receipts an organisation's events have minted: the number of the last, which they count from 0, and 1.
async fn minted(db: &Db, org: &str) -> sqlx::Result<u64> {
    const SQL: &str = "SELECT max(aggregate_id) FROM events \
                       WHERE aggregate_type = $1 AND aggregate_id >= $2 AND aggregate_id < $3";
    let (first, end) = (format!("{org}/{}", receipt_stream(0)), format!("{org}/:"));
    let last: Option<String> = on!(db, pool => {
        sqlx::query_scalar(SQL).bind(Receipt::TYPE).bind(first).bind(end).fetch_one(pool).await
    })?;
    let number = last.as_deref().and_then(|last| last.rsplit('/').next()?.parse::<u64>().ok());
    Ok(number.map_or(0, |last| last + 1))
}

/// Walks an organisation's receipt chain in constant memory: the stored bytes of each receipt against the digest and the
/// parent that its event recorded. What was minted and is not there is missed.
pub(super) async fn verify_receipts(db: &Db, org: &str) -> sqlx::Result<Verification> {
    // Asked first: a receipt that is minted during the walk may or may not be seen by it.
    let minted = minted(db, org).await?;
    let mut chain = ReceiptChain::new();
    let (mut after, mut count) = (-1, 1);
    // What has arrived is hashed, on a thread for each slab, while more is read.
    let mut hashing = VecDeque::new();
    while let Some(slab) = Slab::read(db, org, after, count).await? {
        after = slab.receipts.last().map_or(after, |last| last.org_seq);
        count = slab.as_many_as_fit();
        hashing.push_back(tokio::task::spawn_blocking(move || slab.inspect()));
        if hashing.len() == SLABS {
            link(&mut chain, hashing.pop_front()).await?;
        }
    }
    while !hashing.is_empty() {
        link(&mut chain, hashing.pop_front()).await?;
    }
    chain.miss((after + 1).unsigned_abs()..minted);
    Ok(chain.finish())
}

async fn link(chain: &mut ReceiptChain, slab: Option<JoinHandle<Vec<Inspected>>>) -> sqlx::Result<()> {
    let Some(slab) = slab else { return Ok(()) };
    slab.await.map_err(|error| Decode(error.into()))?.iter().for_each(|receipt| chain.link(receipt));
    Ok(())
}

/// Some receipts in one piece, as the database puts them together: a row for each of them costs more than its receipt.
struct Slab {
    receipts: Vec<Extent>,
    payloads: Vec<u8>,
    events: Vec<u8>,
}

/// A receipt's number, and the lengths of its bytes and of its event.
struct Extent {
    org_seq: i64,
    payload: usize,
    event: usize,
}

impl Slab {
    /// Reads the next receipts; none when there are no more.
    async fn read(db: &Db, org: &str, after: i64, count: usize) -> sqlx::Result<Option<Self>> {
        // As bytes: what was tampered with need not be text. The event is asked for by its key: of a join PostgreSQL reads
        // both tables whole for every slab, until it has counted them.
        let (event, payload, nothing) = match db.dialect() {
            Dialect::Sqlite => ("CAST(e.payload AS text)", "CAST(payload AS text)", "''"),
            Dialect::Postgres => ("convert_to(CAST(e.payload AS text), 'UTF8')", "payload", "''::bytea"),
        };
        let sql = format!(
            "SELECT string_agg(org_seq || ' ' || octet_length(payload) || ' ' || octet_length(event), ' '), \
                 string_agg({payload}, {nothing}), string_agg(event, {nothing}) \
             FROM (SELECT r.org_seq, r.payload, coalesce((SELECT {event} FROM events e WHERE e.position = r.position \
                     AND e.org_id = r.org_id AND e.aggregate_type = 'receipt'), {nothing}) AS event \
                 FROM receipts r WHERE r.org_id = $1 AND r.org_seq > $2 ORDER BY r.org_seq LIMIT $3) AS slab"
        );
        let (extents, payloads, events): (Option<String>, Option<Vec<u8>>, Option<Vec<u8>>) = on!(db, pool => {
            sqlx::query_as(&sql).bind(org).bind(after).bind(count as i64).fetch_one(pool).await
        })?;
        let numbers = extents.as_deref().unwrap_or_default().split_ascii_whitespace().map(str::parse::<i64>);
        let numbers: Vec<i64> = numbers.collect::<Result<_, _>>().map_err(|error| Decode(error.into()))?;
        let receipts: Vec<Extent> = numbers
            .chunks_exact(3)
            .map(|of| Extent { org_seq: of[0], payload: of[1] as usize, event: of[2] as usize })
            .collect();
        let slab = Self { receipts, payloads: payloads.unwrap_or_default(), events: events.unwrap_or_default() };
        Ok((!slab.receipts.is_empty()).then_some(slab))
    }

    /// How many receipts like these make a slab.
    fn as_many_as_fit(&self) -> usize {
        let each = (self.payloads.len() + self.events.len()) / self.receipts.len().max(1);
        (SLAB / each.max(1)).clamp(1, SLAB_RECEIPTS)
    }

    fn inspect(&self) -> Vec<Inspected> {
        let (mut payloads, mut events) = (&self.payloads[..], &self.events[..]);
        let inspect = |&Extent { org_seq, payload, event }: &Extent| {
            let payload = payloads.split_off(..payload).unwrap_or_default();
            let event = events.split_off(..event).unwrap_or_default();
            let event: Option<MintedEvent> = serde_json::from_slice(event).ok();
            // Without its event a receipt has no digest to be held against: nothing equals zeros.
            let (receipt_sha256, parent_hash, receipt_id) = match &event {
                Some(MintedEvent { receipt_minted: minted }) => {
                    (minted.receipt_sha256, minted.parent_hash, minted.receipt_id.as_str())
                }
                None => (Sha256Hex::ZERO, Sha256Hex::ZERO, ""),
            };
            Inspected::new(&Row { org_seq: org_seq.unsigned_abs(), receipt_sha256, parent_hash, receipt_id, payload })
        };
        self.receipts.iter().map(inspect).collect()
    }
}
