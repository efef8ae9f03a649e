//! Receipts: minting one, showing it to anyone, and the chain.

use crate::{
    app::{App, Refused, share::Shared},
    http::{
        caller::{
            May,
            permission::{Read, Work},
        },
        error::{Problem, Reply},
        page::PageOf,
        path::Path,
        query::Query,
        reply::{Okay, Written},
    },
};
use actix_web::{
    HttpRequest, HttpResponse, Responder,
    body::BoxBody,
    get,
    http::header,
    post,
    web::{Bytes, Data},
};
use aggregates::{ids::RunId, ledger::Minted, time::Time};
use projections::ledger::{LedgerEntry, LedgerList, Receipt};
use proof::digest::Sha256Hex;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use utoipa::{
    IntoParams, IntoResponses, ToSchema,
    openapi::{
        ContentBuilder, HeaderBuilder, ObjectBuilder, RefOr, Response, ResponseBuilder, ResponsesBuilder, schema::Type,
    },
};
use utoipa_actix_web::service_config::ServiceConfig;

/// The handlers of the runs surface.
pub fn runs(config: &mut ServiceConfig<'_>) {
    config.service(mint).service(share).service(share_pdf).service(list).service(verify);
    config.service(recent);
}

/// Mints the receipt of an approved run; a run that has one answers with it.
#[utoipa::path(tag = "ledger", operation_id = "mint_receipt", params(("run_id" = RunId, Path, description = "The run")))]
#[post("/runs/{run_id}/receipt")]
pub(crate) async fn mint(caller: May<Work>, app: Data<App>, path: Path<(RunId,)>) -> Reply<Written<Okay<Receipt>>> {
    let (minted, position) = app.mint(&caller, path.0.0).await?;
    Ok(Written { position, replayed: false, reply: Okay(Receipt::from(&minted)) })
}

/// A receipt as anyone with its link sees it.
#[derive(Serialize, ToSchema)]
pub struct PublicReceipt {
    /// The receipt's name.
    receipt_id: String,
    /// Its place in the organisation's chain, from 0.
    org_seq: u64,
    /// The receipt before it, 64 hexadecimal digits; zeros for the first.
    #[schema(value_type = String)]
    parent_hash: Sha256Hex,
    /// SHA-256 of its canonical payload (RFC 8785), 64 hexadecimal digits.
    #[schema(value_type = String)]
    receipt_sha256: Sha256Hex,
    /// Whether the stored payload hashes to `receipt_sha256`.
    verified: bool,
    /// Whether the payload names the same coordinates, and its parent is the receipt before it.
    chain_consistent: bool,
    /// When it was minted.
    created_at: Time,
    /// What it says, an object: the very bytes that were hashed, in canonical form. Bytes that are no JSON any more, of a
    /// receipt that does not verify, are shown as a text.
    #[schema(value_type = serde_json::Value)]
    payload: Box<RawValue>,
}

/// Shows a receipt to anyone who has its link.
#[utoipa::path(tag = "ledger", operation_id = "show_shared_receipt", params(("token" = String, Path, description = "The share token")))]
#[get("/share/{token}")]
pub(crate) async fn share(app: Data<App>, path: Path<(String,)>) -> Reply<Okay<PublicReceipt>> {
    let Shared { minted, payload, verified, chain_consistent } =
        app.shared(&path.0.0).await?.ok_or_else(|| Problem::not_found("receipt"))?;
    // Bytes that are no JSON are shown as the text they are, so that a visitor sees what is stored.
    let text = String::from_utf8_lossy(&payload).into_owned();
    let shown = RawValue::from_string(text.clone())
        .or_else(|_| serde_json::value::to_raw_value(&text))
        .map_err(Problem::internal)?;
    Ok(Okay(PublicReceipt {
        receipt_id: minted.receipt_id,
        org_seq: minted.org_seq,
        parent_hash: minted.parent_hash,
        receipt_sha256: minted.receipt_sha256,
        verified,
        chain_consistent,
        created_at: minted.created_at,
        payload: shown,
    }))
}

/// A receipt as a document to hand on.
#[derive(Debug)]
pub struct Pdf {
    receipt_id: String,
    document: Bytes,
}

impl Responder for Pdf {
    type Body = BoxBody;
    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        // A receipt's name is letters, digits and hyphens: it needs no quoting of its own.
        let disposition = format!("inline; filename=\"{}.pdf\"", self.receipt_id);
        HttpResponse::Ok()
            .content_type("application/pdf")
            .insert_header((header::CONTENT_DISPOSITION, disposition))
            .body(self.document)
    }
}

impl IntoResponses for Pdf {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let text = || ObjectBuilder::new().schema_type(Type::String);
        let disposition = "`inline`, and the receipt's name with `.pdf` as the name of the file";
        let disposition = HeaderBuilder::new().schema(Some(text())).description(Some(disposition)).build();
        let content = ContentBuilder::new()
            .schema(Some(text().content_media_type("application/pdf").description(Some("Tagged PDF (PDF/UA-1), A4"))))
            .build();
        let response = ResponseBuilder::new()
            .description("OK")
            .header("Content-Disposition", disposition)
            .content("application/pdf", content);
        ResponsesBuilder::new().response("200", response).build().into()
    }
}

/// Shows a receipt to anyone who has its link, as a PDF: the same receipt has the same bytes each time.
#[utoipa::path(tag = "ledger", operation_id = "show_shared_receipt_pdf", params(("token" = String, Path, description = "The share token")))]
#[get("/share/{token}/pdf")]
pub(crate) async fn share_pdf(app: Data<App>, path: Path<(String,)>) -> Reply<Pdf> {
    let shared = app.shared(&path.0.0).await?.ok_or_else(|| Problem::not_found("receipt"))?;
    let receipt_id = shared.minted.receipt_id.clone();
    Ok(Pdf { receipt_id, document: app.receipt_pdf(shared).await? })
}

/// Lists the organisation's receipts in the order of their chain.
#[utoipa::path(tag = "ledger", operation_id = "list_ledger", params(PageOf))]
#[get("/ledger")]
pub(crate) async fn list(caller: May<Read>, app: Data<App>, page: Query<PageOf>) -> Reply<Okay<LedgerList>> {
    let from = page.0.cursor.map(|cursor| cursor.key::<u64>()).transpose()?.map_or(0, |after| after + 1);
    let rows = projections::ledger::entries(app.db(), caller.org, from, page.0.limit.to_fetch()).await;
    let (entries, next) = page.0.limit.cut(rows.map_err(Refused::from)?, |entry: &LedgerEntry| entry.org_seq);
    Ok(Okay(LedgerList { entries, next_cursor: next.map(|cursor| cursor.to_string()) }))
}

/// What walking the chain came to.
#[derive(Serialize, ToSchema)]
pub struct LedgerVerifyResult {
    /// Whether nothing is wrong.
    ok: bool,
    /// How many receipts were walked.
    receipts_checked: u64,
    /// The first 20 faults.
    errors: Vec<LedgerError>,
}

/// A fault in the chain.
#[derive(Serialize, ToSchema)]
pub struct LedgerError {
    /// The receipt's place.
    org_seq: u64,
    /// `hash mismatch`, `sequence gap (expected N)` or `broken parent link`.
    error: String,
}

/// Walks the organisation's whole chain and checks every hash, number and parent.
#[utoipa::path(tag = "ledger", operation_id = "verify_ledger")]
#[get("/ledger/verify")]
pub(crate) async fn verify(caller: May<Read>, app: Data<App>) -> Reply<Okay<LedgerVerifyResult>> {
    let walked = app.store.verify_receipts(caller.org).await.map_err(Refused::from)?;
    let errors =
        walked.errors.iter().map(|fault| LedgerError { org_seq: fault.org_seq, error: fault.error.to_string() });
    Ok(Okay(LedgerVerifyResult { ok: walked.ok, receipts_checked: walked.receipts_checked, errors: errors.collect() }))
}

/// The shapes that receipts have.
#[derive(Clone, Copy, Deserialize, ToSchema)]
pub enum ReceiptSchema {
    /// Of a run.
    #[serde(rename = "defendable.eval-receipt/v1")]
    Eval,
    /// Of an incident.
    #[serde(rename = "defendable.incident-receipt/v1")]
    Incident,
}

/// Which receipts.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RecentOf {
    /// How many: 1 to 50.
    #[serde(default = "ten", deserialize_with = "up_to_fifty")]
    #[param(required = false, minimum = 1, maximum = 50, default = 10)]
    limit: u16,
    /// Only those of this shape.
    #[param(inline, required = false)]
    schema: Option<ReceiptSchema>,
}

const fn ten() -> u16 {
    10
}

fn up_to_fifty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    let text = String::deserialize(deserializer)?;
    let limit = text.parse().ok().filter(|limit| (1..=50).contains(limit));
    limit.ok_or_else(|| serde::de::Error::custom(format!("`{text}` is not a whole number of 1 to 50")))
}

/// The organisation's last receipts.
#[derive(Serialize, ToSchema)]
pub struct RecentReceipts {
    /// The receipts, the newest first.
    rollups: Vec<Rollup>,
    /// How many these are.
    count: usize,
}

/// A receipt in short.
#[derive(Serialize, ToSchema)]
pub struct Rollup {
    /// The receipt's name.
    receipt_id: String,
    /// Its place in the organisation's chain, from 0.
    org_seq: u64,
    /// The name and version of its payload's shape.
    payload_schema: String,
    /// SHA-256 of its canonical payload, 64 hexadecimal digits.
    #[schema(value_type = String)]
    receipt_sha256: Sha256Hex,
    /// Where anyone can see and verify it.
    share_url: String,
    /// When it was minted.
    created_at: Time,
    /// What it is about, as it was sealed.
    summary: RollupSummary,
}

/// What a receipt is about; what does not belong to its sort is null.
#[derive(Default, Serialize, ToSchema)]
pub struct RollupSummary {
    /// `eval` for a run, `incident` for an incident, `unknown` for bytes that can no longer be read.
    lane: &'static str,
    /// The run.
    run_id: Option<String>,
    /// Its title.
    run_title: Option<String>,
    /// The name of its flight sheet.
    flight_sheet: Option<String>,
    /// What its verdict came to.
    outcome: Option<String>,
    /// Honey, jelly or propolis.
    severity: Option<String>,
    /// Its score, 0 to 100.
    score_100: Option<u8>,
    /// The incident.
    incident_id: Option<String>,
    /// What sort of incident.
    incident_kind: Option<String>,
    /// What happened.
    incident_title: Option<String>,
    /// How much it weighs.
    tier: Option<String>,
}

impl RollupSummary {
    /// What the sealed bytes say, with the name of their shape.
    fn of(payload: &[u8]) -> (String, Self) {
        let sealed: serde_json::Value = serde_json::from_slice(payload).unwrap_or_default();
        let text = |place: &str| sealed.pointer(place).and_then(|value| value.as_str()).map(str::to_owned);
        let schema = text("/schema").unwrap_or_else(|| "unknown".to_owned());
        let summary = match schema.as_str() {
            aggregates::ledger::payload::SCHEMA => Self {
                lane: "eval",
                run_id: text("/run/id"),
                run_title: text("/run/title"),
                flight_sheet: text("/flight_sheet/name"),
                outcome: text("/verdict/outcome"),
                severity: text("/verdict/severity"),
                score_100: sealed.pointer("/verdict/score_100").and_then(|score| score.as_u64()?.try_into().ok()),
                ..Self::default()
            },
            aggregates::ledger::payload::INCIDENT_SCHEMA => Self {
                lane: "incident",
                incident_id: text("/incident/id"),
                incident_kind: text("/incident/kind"),
                incident_title: text("/incident/title"),
                tier: text("/incident/tier"),
                ..Self::default()
            },
            _ => Self { lane: "unknown", ..Self::default() },
        };
        (schema, summary)
    }
}

/// Lists the organisation's last receipts, the newest first, each with what it is about.
#[utoipa::path(tag = "ledger", operation_id = "list_recent_receipts", params(RecentOf))]
#[get("/receipts/recent")]
pub(crate) async fn recent(caller: May<Read>, app: Data<App>, which: Query<RecentOf>) -> Reply<Okay<RecentReceipts>> {
    let of_runs = which.0.schema.map(|schema| matches!(schema, ReceiptSchema::Eval));
    let rows = projections::ledger::recent(app.db(), caller.org, of_runs, which.0.limit.into()).await;
    let rollup = |(minted, payload): (Minted, Vec<u8>)| {
        let (payload_schema, summary) = RollupSummary::of(&payload);
        Rollup {
            receipt_id: minted.receipt_id,
            org_seq: minted.org_seq,
            payload_schema,
            receipt_sha256: minted.receipt_sha256,
            share_url: minted.share_url,
            created_at: minted.created_at,
            summary,
        }
    };
    let rollups: Vec<_> = rows.map_err(Refused::from)?.into_iter().map(rollup).collect();
    Ok(Okay(RecentReceipts { count: rollups.len(), rollups }))
}
