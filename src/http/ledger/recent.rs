//! The newest receipts, each with what it is about in a few words.

use crate::{
    app::{App, Refused},
    http::{
        caller::{May, permission::Read},
        error::{Problem, Reply},
        query::Query,
        reply::Okay,
    },
};
use actix_web::{get, web::Data};
use aggregates::time::Time;
use proof::digest::Sha256Hex;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// The most receipts of one answer.
const MOST: u8 = 50;
/// How many receipts are looked through for those of one schema.
const LOOKED_THROUGH: usize = 500;

/// Which receipts.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// Only those of this schema, such as `defendable.eval-receipt/v1`; looked for among the newest 500.
    #[param(required = false)]
    schema: Option<String>,
    /// How many, 1 to 50.
    #[serde(default = "ten")]
    #[param(required = false, minimum = 1, maximum = 50, default = 10)]
    limit: u8,
}

const fn ten() -> u8 {
    10
}

/// The newest receipts.
#[derive(Serialize, ToSchema)]
pub struct RecentReceipts {
    /// The receipts, the newest first.
    rollups: Vec<ReceiptRollup>,
    /// How many they are.
    count: usize,
}

/// A receipt in a few words.
#[derive(Serialize, ToSchema)]
pub struct ReceiptRollup {
    /// The receipt's name.
    receipt_id: String,
    /// Its place in the organisation's chain, from 0.
    org_seq: u64,
    /// The name and version of its payload's shape; `unknown` where the payload cannot be read any more.
    payload_schema: String,
    /// SHA-256 of its canonical payload, 64 hexadecimal digits.
    #[schema(value_type = String)]
    receipt_sha256: Sha256Hex,
    /// Where anyone can see and verify it.
    share_url: String,
    /// When it was minted.
    created_at: Time,
    /// What it is about.
    summary: ReceiptSummary,
}

/// What a receipt is about.
#[derive(Serialize, ToSchema)]
pub struct ReceiptSummary {
    /// `eval` for a run, `incident` for an incident, else `unknown`.
    lane: &'static str,
    /// The title of the run or the incident.
    title: Option<String>,
    /// What the run's verdict comes to.
    outcome: Option<String>,
    /// How severe that is.
    severity: Option<String>,
}

/// What is read of a payload; the rest is passed over.
#[derive(Default, Deserialize)]
struct Said {
    schema: Option<String>,
    run: Option<Titled>,
    incident: Option<Titled>,
    verdict: Option<Verdict>,
}

#[derive(Deserialize)]
struct Titled {
    title: String,
}

#[derive(Deserialize)]
struct Verdict {
    outcome: String,
    severity: String,
}

impl Said {
    fn schema(&self) -> &str {
        self.schema.as_deref().unwrap_or("unknown")
    }

    fn summary(self) -> ReceiptSummary {
        let lane = match self.schema() {
            schema if schema.starts_with("defendable.eval-receipt/") => "eval",
            schema if schema.starts_with("defendable.incident-receipt/") => "incident",
            _ => "unknown",
        };
        let (outcome, severity) =
            self.verdict.map_or((None, None), |verdict| (Some(verdict.outcome), Some(verdict.severity)));
        ReceiptSummary { lane, title: self.run.or(self.incident).map(|about| about.title), outcome, severity }
    }
}

/// Lists the organisation's newest receipts, each with what it is about.
#[utoipa::path(tag = "ledger", operation_id = "list_recent_receipts", params(Which))]
#[get("/receipts/recent")]
pub(crate) async fn recent(caller: May<Read>, app: Data<App>, which: Query<Which>) -> Reply<Okay<RecentReceipts>> {
    let Which { schema, limit } = which.0;
    if !(1..=MOST).contains(&limit) {
        return Err(Problem::invalid(format!("limit: a whole number of 1 to {MOST} is allowed")).at("limit"));
    }
    let mut rollups = Vec::with_capacity(limit.into());
    let (mut before, mut seen) = (None, 0);
    while seen < LOOKED_THROUGH {
        let page = projections::ledger::newest(app.db(), caller.org, before, MOST.into()).await;
        let page = page.map_err(Refused::from)?;
        let Some(last) = page.last() else { break };
        (before, seen) = (Some(last.org_seq), seen + page.len());
        for minted in page {
            let payload = app.store.receipt_payload(&caller.org.on_ledger(), minted.org_seq).await;
            let payload = payload.map_err(Refused::from)?.unwrap_or_default();
            let said: Said = serde_json::from_slice(&payload).unwrap_or_default();
            if schema.as_deref().is_some_and(|schema| schema != said.schema()) {
                continue;
            }
            rollups.push(ReceiptRollup {
                receipt_id: minted.receipt_id,
                org_seq: minted.org_seq,
                payload_schema: said.schema().to_owned(),
                receipt_sha256: minted.receipt_sha256,
                share_url: minted.share_url,
                created_at: minted.created_at,
                summary: said.summary(),
            });
            if rollups.len() == usize::from(limit) {
                return Ok(Okay(RecentReceipts { count: rollups.len(), rollups }));
            }
        }
    }
    Ok(Okay(RecentReceipts { count: rollups.len(), rollups }))
}
