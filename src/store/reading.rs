//! What is read from the ledger itself, beside whole streams.

use super::{Store, appender::aggregate_id};
use aggregates::{
    Decider,
    ids::OrgId,
    ledger::{Receipt, receipt_stream},
};
use projections::{Db, on};
use proof::{
    digest::{Blake3Hex, Sha256Hex, sha256},
    receipt::{self, ReceiptChain, Row, Verification},
};
use sqlx::Error::Decode;

/// How many receipts are read at a time.
pub(super) const PAGE: i64 = 2_000;

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

/// Walks an organisation's receipt chain, page by page in constant memory: the stored bytes of each receipt against the
/// digest and the parent that its event recorded. What was minted and is not there is missed.
pub(super) async fn verify_receipts(db: &Db, org: &str) -> sqlx::Result<Verification> {
    // Asked first: a receipt that is minted during the walk may or may not be seen by it.
    let minted = minted(db, org).await?;
    let mut chain = ReceiptChain::new();
    let mut after = -1;
    let mut rows = receipts_after(db, org, after).await?;
    while let Some((last, ..)) = rows.last() {
        after = *last;
        // One page is hashed while the next one is read.
        let walked = tokio::task::spawn_blocking(move || walk(chain, &rows));
        let (walked, next) = tokio::join!(walked, receipts_after(db, org, after));
        chain = walked.map_err(|error| Decode(error.into()))?;
        rows = next?;
    }
    chain.miss((after + 1).unsigned_abs()..minted);
    Ok(chain.finish())
}

/// A receipt's number and bytes, and what its event recorded of it.
type Sealed = (i64, Vec<u8>, Option<String>);

async fn receipts_after(db: &Db, org: &str, after: i64) -> sqlx::Result<Vec<Sealed>> {
    const SQL: &str = "SELECT r.org_seq, r.payload, CAST(e.payload AS text) FROM receipts r \
         LEFT JOIN events e ON e.position = r.position AND e.org_id = r.org_id AND e.aggregate_type = 'receipt' \
         WHERE r.org_id = $1 AND r.org_seq > $2 ORDER BY r.org_seq LIMIT $3";
    on!(db, pool => sqlx::query_as(SQL).bind(org).bind(after).bind(PAGE).fetch_all(pool).await)
}

fn walk(mut chain: ReceiptChain, rows: &[Sealed]) -> ReceiptChain {
    for (org_seq, payload, event) in rows {
        let event: Option<MintedEvent> = event.as_deref().and_then(|event| serde_json::from_str(event).ok());
        // Without its event a receipt has no digest to be held against: nothing equals zeros.
        let (receipt_sha256, parent_hash, receipt_id) = match &event {
            Some(MintedEvent { receipt_minted: minted }) => {
                (minted.receipt_sha256, minted.parent_hash, minted.receipt_id.as_str())
            }
            None => (Sha256Hex::ZERO, Sha256Hex::ZERO, ""),
        };
        chain.feed(&Row { org_seq: org_seq.unsigned_abs(), receipt_sha256, parent_hash, receipt_id, payload });
    }
    chain
}
