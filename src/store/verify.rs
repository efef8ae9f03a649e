//! Verifying what is stored, against itself and against heads that were noted elsewhere. Reads only, page by page: beside
//! a running service it sees the ledger as it stood when it began.

use super::{ConnectError, Target, connect::open_to_read, reading::verify_receipts};
use projections::{Db, on};
use proof::{
    digest::{Blake3Hex, sha256},
    event::{self, Envelope, EventChain, payload_digest},
};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// How many faults a report lists.
const LISTED: usize = 100;
/// How many events are read at a time.
const PAGE: i64 = 2_000;
/// How many long texts are read at a time.
const TEXTS: i64 = 64;

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Whether everything holds.
    pub ok: bool,
    /// How many events were verified, in all organisations.
    pub events: u64,
    /// How many receipts.
    pub receipts: u64,
    /// Where each organisation's events end. Kept elsewhere, they show later that history was not rewritten.
    pub heads: Vec<OrgEnd>,
    /// How many faults there are.
    pub faults_found: u64,
    /// The first hundred of them.
    pub faults: Vec<Fault>,
}

/// Where an organisation's events end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrgEnd {
    /// The organisation, as the ledger writes it.
    pub org_id: String,
    /// How many events it has.
    pub events: u64,
    /// The hash of the last.
    pub hash: Blake3Hex,
}

/// Something that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Where.
    pub place: String,
    /// What sort of fault.
    pub kind: Kind,
    /// What should be there.
    pub expected: String,
    /// What is there.
    pub found: String,
}

/// Sorts of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Events are not where the count says: missing, added or moved.
    Gap,
    /// An event is not the one that was sealed, or does not follow the one before it.
    Hash,
    /// Events are not in the order of their times or positions.
    Order,
    /// A stream's sequence is broken.
    Stream,
    /// The ledger ends before a point that it had reached.
    Truncated,
    /// History is another than the one that was noted.
    Head,
    /// A receipt does not hold.
    Receipt,
    /// A long text is not the one that was stored.
    Text,
}

impl Report {
    fn fault(&mut self, kind: Kind, place: impl ToString, expected: impl ToString, found: impl ToString) {
        self.ok = false;
        self.faults_found += 1;
        if self.faults.len() < LISTED {
            let (place, expected, found) = (place.to_string(), expected.to_string(), found.to_string());
            self.faults.push(Fault { place, kind, expected, found });
        }
    }
}

/// An event as stored.
#[derive(sqlx::FromRow)]
struct Stored {
    position: i64,
    org_position: i64,
    aggregate_type: String,
    aggregate_id: String,
    sequence: i64,
    event_type: String,
    event_version: String,
    payload: String,
    actor: String,
    command_id: String,
    recorded_at: i64,
    hash: Vec<u8>,
}

/// The part of a receipt that says where its organisation's events stood.
#[derive(Deserialize)]
struct SealedHead {
    events: SealedEvents,
}

#[derive(Deserialize)]
struct SealedEvents {
    org_position: u64,
    hash: Blake3Hex,
}

/// Verifies a whole store: the event chain of each organisation, positions, streams, receipts, long texts, and the
/// `known` heads. `progress` is told how many events are done, and how many there are.
pub async fn verify(target: &Target, known: &[OrgEnd], progress: impl FnMut(u64, u64)) -> Result<Report, ConnectError> {
    let db = open_to_read(target).await?;
    let report = Verifying::begin(&db, known).await?.all(progress).await?;
    on!(&db, pool => pool.close().await);
    Ok(report)
}

struct Verifying<'a> {
    db: &'a Db,
    known: &'a [OrgEnd],
    /// The position at which the ledger ended when the verification began.
    head: i64,
    report: Report,
}

impl<'a> Verifying<'a> {
    async fn begin(db: &'a Db, known: &'a [OrgEnd]) -> sqlx::Result<Self> {
        const REACHED: &str = "SELECT coalesce(max(position), 0) FROM (SELECT position FROM projections \
                               UNION ALL SELECT last_position FROM commands UNION ALL SELECT position FROM receipts) AS all_of";
        const HEAD: &str = "SELECT coalesce(max(position), 0) FROM events";
        let reached: i64 = on!(db, pool => sqlx::query_scalar(REACHED).fetch_one(pool).await)?;
        // Read second: what is appended in between must not look like a loss.
        let head: i64 = on!(db, pool => sqlx::query_scalar(HEAD).fetch_one(pool).await)?;
        let mut report = Report { ok: true, events: 0, receipts: 0, heads: vec![], faults_found: 0, faults: vec![] };
        if head < reached {
            let (expected, found) = (format!("at least {reached} events"), format!("{head} events"));
            report.fault(Kind::Truncated, "the end of the ledger", expected, found);
        }
        Ok(Self { db, known, head, report })
    }

    async fn all(mut self, mut progress: impl FnMut(u64, u64)) -> sqlx::Result<Report> {
        const NEXT: &str = "SELECT min(org_id) FROM (SELECT min(org_id) AS org_id FROM events WHERE org_id > $1 \
                            UNION ALL SELECT min(org_id) FROM receipts WHERE org_id > $1) AS both_of";
        self.positions().await?;
        let mut org = String::new();
        loop {
            let next: Option<String> = on!(self.db, pool => sqlx::query_scalar(NEXT).bind(&org).fetch_one(pool).await)?;
            let Some(next) = next else { break };
            org = next;
            let minted = self.events(&org, &mut progress).await?;
            self.receipts(&org, minted).await?;
        }
        for known in self.known {
            if !self.report.heads.iter().any(|end| end.org_id == known.org_id) {
                let place = format!("organisation {}", known.org_id);
                self.report.fault(Kind::Truncated, place, format!("at least {} events", known.events), "none");
            }
        }
        self.streams().await?;
        self.texts().await?;
        Ok(self.report)
    }

    /// Positions count all events, without gaps from 1.
    async fn positions(&mut self) -> sqlx::Result<()> {
        const COUNT: &str = "SELECT count(*), coalesce(min(position), 1) FROM events WHERE position <= $1";
        const GAPS: &str = "SELECT e.position, coalesce((SELECT max(p.position) FROM events p \
                            WHERE p.position < e.position), 0) FROM events e WHERE e.position <= $1 AND e.position <> 1 \
                            AND NOT EXISTS (SELECT 1 FROM events p WHERE p.position = e.position - 1) \
                            ORDER BY e.position LIMIT 100";
        let (count, first): (i64, i64) =
            on!(self.db, pool => sqlx::query_as(COUNT).bind(self.head).fetch_one(pool).await)?;
        if count == self.head && first == 1 {
            return Ok(());
        }
        let gaps: Vec<(i64, i64)> = on!(self.db, pool => sqlx::query_as(GAPS).bind(self.head).fetch_all(pool).await)?;
        for (position, before) in gaps {
            let expected = format!("position {}", before + 1);
            self.report.fault(Kind::Gap, format!("position {position}"), expected, format!("position {position}"));
        }
        Ok(())
    }

    /// The chain of an organisation's events; answers how many receipts they minted.
    async fn events(&mut self, org: &str, progress: &mut impl FnMut(u64, u64)) -> sqlx::Result<u64> {
        const SQL: &str = "SELECT position, org_position, aggregate_type, aggregate_id, sequence, event_type, \
                           event_version, CAST(payload AS text) AS payload, actor, command_id, recorded_at, hash \
                           FROM events WHERE org_id = $1 AND org_position > $2 AND position <= $3 \
                           ORDER BY org_position LIMIT $4";
        let known = self.known.iter().find(|known| known.org_id == org);
        let mut chain = EventChain::new(org);
        let (mut after, mut before, mut minted, mut counted) = (i64::MIN, 0, 0, 0);
        loop {
            let page: Vec<Stored> = on!(self.db, pool => {
                sqlx::query_as(SQL).bind(org).bind(after).bind(self.head).bind(PAGE).fetch_all(pool).await
            })?;
            let Some(last) = page.last() else { break };
            after = last.org_position;
            for event in &page {
                self.event(org, &mut chain, event);
                if event.position <= before {
                    let place = place(org, event);
                    self.report.fault(Kind::Order, place, format!("a position after {before}"), event.position);
                }
                before = event.position;
                counted += 1;
                minted += u64::from(event.aggregate_type == "receipt");
                if let Some(known) = known.filter(|known| known.events == counted)
                    && known.hash.as_bytes().as_slice() != event.hash
                {
                    let found = hex::encode(&event.hash);
                    self.report.fault(Kind::Head, place(org, event), format!("the noted hash {}", known.hash), found);
                }
            }
            self.report.events += page.len() as u64;
            progress(self.report.events, self.head.unsigned_abs());
        }
        if let Some(known) = known.filter(|known| known.events > counted) {
            let expected = format!("at least {} events", known.events);
            self.report.fault(Kind::Truncated, format!("organisation {org}"), expected, format!("{counted} events"));
        }
        self.report.heads.push(OrgEnd { org_id: org.to_owned(), events: counted, hash: chain.head().prev });
        Ok(minted)
    }

    fn event(&mut self, org: &str, chain: &mut EventChain, event: &Stored) {
        let hash = <[u8; 32]>::try_from(event.hash.as_slice()).map_or(Blake3Hex::ZERO, Blake3Hex::from_bytes);
        let envelope = Envelope {
            actor: &event.actor,
            aggregate_id: &event.aggregate_id,
            aggregate_type: &event.aggregate_type,
            command_id: &event.command_id,
            event_type: &event.event_type,
            event_version: &event.event_version,
            org_id: org,
            org_position: event.org_position.unsigned_abs(),
            payload_blake3: payload_digest(event.payload.as_bytes()),
            prev: chain.head().prev,
            recorded_at: event.recorded_at,
            sequence: event.sequence.unsigned_abs(),
        };
        for fault in chain.feed(&envelope, event.payload.as_bytes(), hash) {
            let place = place(org, event);
            match fault {
                event::Fault::Position { expected, found } => {
                    self.report.fault(Kind::Gap, place, format!("event {expected}"), format!("event {found}"));
                }
                event::Fault::Hash { expected, found } => self.report.fault(Kind::Hash, place, expected, found),
                event::Fault::Time { earliest, found } => {
                    self.report.fault(Kind::Order, place, format!("recorded at {earliest} µs or later"), found);
                }
                // The others compare what the store does not repeat beside each event.
                other => self.report.fault(Kind::Hash, place, "an event of this chain", other),
            }
        }
    }

    async fn receipts(&mut self, org: &str, minted: u64) -> sqlx::Result<()> {
        const COUNT: &str = "SELECT count(*) FROM receipts WHERE org_id = $1 AND position <= $2";
        const SQL: &str = "SELECT org_seq, payload FROM receipts WHERE org_id = $1 AND org_seq > $2 AND position <= $3 \
                           ORDER BY org_seq LIMIT $4";
        let walked = verify_receipts(self.db, org).await?;
        for error in &walked.errors {
            let place = format!("organisation {org}, receipt {}", error.org_seq);
            self.report.fault(Kind::Receipt, place, "the receipt that its event recorded", error.error);
        }
        let kept: i64 =
            on!(self.db, pool => sqlx::query_scalar(COUNT).bind(org).bind(self.head).fetch_one(pool).await)?;
        if kept.unsigned_abs() != minted {
            let expected = format!("{minted} receipts, as events minted");
            self.report.fault(Kind::Receipt, format!("organisation {org}"), expected, format!("{kept} receipts"));
        }
        self.report.receipts += walked.receipts_checked;
        // Each receipt has sealed where the events stood: whoever seals them anew cannot bring that along.
        let mut after = -1;
        loop {
            let page: Vec<(i64, Vec<u8>)> = on!(self.db, pool => {
                sqlx::query_as(SQL).bind(org).bind(after).bind(self.head).bind(PAGE).fetch_all(pool).await
            })?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            after = *last;
            let sealed: Vec<(i64, SealedEvents)> = page
                .iter()
                .filter_map(|(seq, payload)| Some((*seq, serde_json::from_slice::<SealedHead>(payload).ok()?.events)))
                .collect();
            let hashes = self.hashes(org, &sealed).await?;
            for (org_seq, SealedEvents { org_position, hash }) in sealed {
                let found = hashes.get(&org_position);
                if found.map(Vec::as_slice) != Some(hash.as_bytes()) {
                    let place = format!("organisation {org}, event {org_position}");
                    let found = found.map_or_else(|| "no such event".to_owned(), hex::encode);
                    self.report.fault(Kind::Head, place, format!("{hash}, as receipt {org_seq} sealed"), found);
                }
            }
        }
    }

    async fn hashes(&self, org: &str, sealed: &[(i64, SealedEvents)]) -> sqlx::Result<HashMap<u64, Vec<u8>>> {
        let places: Vec<String> = sealed.iter().map(|(_, events)| events.org_position.to_string()).collect();
        let places = serde_json::json!(places).to_string();
        let sql = format!(
            "SELECT e.org_position, e.hash FROM {} JOIN events e ON e.org_id = $2 AND e.org_position = CAST(value AS bigint)",
            self.db.dialect().texts("$1")
        );
        let rows: Vec<(i64, Vec<u8>)> =
            on!(self.db, pool => sqlx::query_as(&sql).bind(places).bind(org).fetch_all(pool).await)?;
        Ok(rows.into_iter().map(|(place, hash)| (place.unsigned_abs(), hash)).collect())
    }

    /// A stream's sequence counts its events, without gaps from 1.
    async fn streams(&mut self) -> sqlx::Result<()> {
        const SQL: &str = "SELECT aggregate_type, aggregate_id, min(sequence), max(sequence), count(*) FROM events \
                           GROUP BY aggregate_type, aggregate_id HAVING min(sequence) <> 1 OR max(sequence) <> count(*) \
                           LIMIT 100";
        let broken: Vec<(String, String, i64, i64, i64)> =
            on!(self.db, pool => sqlx::query_as(SQL).fetch_all(pool).await)?;
        for (kind, id, first, last, count) in broken {
            let expected = format!("sequence 1 to {count}");
            self.report.fault(Kind::Stream, format!("{kind} {id}"), expected, format!("{first} to {last}"));
        }
        Ok(())
    }

    /// Each long text is kept under its own digest.
    async fn texts(&mut self) -> sqlx::Result<()> {
        const SQL: &str = "SELECT sha256, bytes FROM blobs WHERE sha256 > $1 ORDER BY sha256 LIMIT $2";
        let mut after = String::new();
        loop {
            let page: Vec<(String, Vec<u8>)> =
                on!(self.db, pool => sqlx::query_as(SQL).bind(&after).bind(TEXTS).fetch_all(pool).await)?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            after.clone_from(last);
            for (digest, bytes) in &page {
                let found = sha256(bytes).to_string();
                if found != *digest {
                    self.report.fault(Kind::Text, format!("the text {digest}"), digest, found);
                }
            }
        }
    }
}

fn place(org: &str, event: &Stored) -> String {
    let Stored { org_position, position, aggregate_type, aggregate_id, sequence, .. } = event;
    let id = aggregate_id.split_once('/').map_or(aggregate_id.as_str(), |(_, id)| id);
    format!(
        "organisation {org}, event {org_position} (position {position}, {aggregate_type} {id}, sequence {sequence})"
    )
}
