//! Receipts: minting one, showing it to anyone, and the chain.

use crate::{
    app::{App, Refused},
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
use actix_web::{get, post, web::Data};
use aggregates::{ids::RunId, time::Time};
use projections::ledger::{LedgerEntry, LedgerList, Receipt};
use proof::{
    digest::Sha256Hex,
    receipt::{self, Row},
};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

/// The handlers of the runs surface.
pub fn runs(config: &mut ServiceConfig<'_>) {
    config.service(mint).service(share).service(list).service(verify);
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
    let unknown = || Problem::not_found("receipt");
    let (org, minted) =
        projections::ledger::shared(app.db(), &path.0.0).await.map_err(Refused::from)?.ok_or_else(unknown)?;
    let payload = app.store.receipt_payload(&org, minted.org_seq).await.map_err(Refused::from)?.ok_or_else(unknown)?;
    let before = match minted.org_seq.checked_sub(1) {
        Some(before) => app.store.receipt_payload(&org, before).await.map_err(Refused::from)?,
        None => None,
    };
    let parent = before.map_or(receipt::genesis(), |payload| proof::digest::sha256(&payload));
    let row = Row {
        org_seq: minted.org_seq,
        receipt_sha256: minted.receipt_sha256,
        parent_hash: minted.parent_hash,
        receipt_id: &minted.receipt_id,
        payload: &payload,
    };
    let (verified, agrees) = (receipt::verified(&row), receipt::agrees(&row));
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
        chain_consistent: agrees && minted.parent_hash == parent,
        created_at: minted.created_at,
        payload: shown,
    }))
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
