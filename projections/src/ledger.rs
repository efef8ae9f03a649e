//! What is shown of receipts.

use crate::{
    Db, Happened, Recorded,
    model::{self, Cell, CellKind, Column, Index, Model, ReadModel, Row, Table},
    on,
};
use aggregates::{
    ids::{OrgId, RunId, UserId},
    ledger::{Minted, ReceiptEvent},
    time::Time,
};
use proof::digest::Sha256Hex;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The models of this context.
pub fn models() -> Vec<Model> {
    vec![Model::of::<MintedReceipts>()]
}

/// One row per minted receipt.
pub struct MintedReceipts;

impl ReadModel for MintedReceipts {
    const TABLE: Table = Table {
        name: "minted_receipts",
        version: 1,
        essential: false,
        columns: &[
            Column { name: "org_seq", kind: CellKind::Integer },
            Column { name: "share_token", kind: CellKind::Text },
            Column { name: "run_id", kind: CellKind::Text },
        ],
        indexes: &[
            Index { columns: &["share_token"], unique: true },
            Index { columns: &["org_id", "run_id"], unique: false },
        ],
    };
    type Doc = Minted;

    fn touches(event: &Recorded<'_>) -> Vec<Row> {
        match event.happened {
            Happened::Receipt(_) => vec![Row::new(event.local_id())],
            _ => vec![],
        }
    }

    fn fold(_: &str, doc: Option<Minted>, event: &Recorded<'_>) -> Option<Minted> {
        match &event.happened {
            Happened::Receipt(ReceiptEvent::ReceiptMinted(minted)) => Some((**minted).clone()),
            _ => doc,
        }
    }

    fn cells(doc: &Minted) -> Vec<Cell> {
        vec![Cell::integer(doc.org_seq as i64), Cell::text(&doc.share_token), Cell::text(doc.run.uuid())]
    }
}

/// A receipt's place in its organisation's chain.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LedgerEntry {
    /// The receipt's name.
    pub receipt_id: String,
    /// Its place, from 0.
    pub org_seq: u64,
    /// The receipt before it, 64 hexadecimal digits; zeros for the first.
    #[schema(value_type = String)]
    pub parent_hash: Sha256Hex,
    /// SHA-256 of its canonical payload, 64 hexadecimal digits.
    #[schema(value_type = String)]
    pub receipt_sha256: Sha256Hex,
    /// When it was minted.
    pub created_at: Time,
}

/// A page of the organisation's chain, in its order.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LedgerList {
    /// The receipts.
    pub entries: Vec<LedgerEntry>,
    /// Where the next page begins; null on the last.
    pub next_cursor: Option<String>,
}

/// A receipt as whoever minted it sees it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Receipt {
    /// The receipt's name.
    pub receipt_id: String,
    /// Its place in the organisation's chain, from 0.
    pub org_seq: u64,
    /// The receipt before it, 64 hexadecimal digits; zeros for the first.
    #[schema(value_type = String)]
    pub parent_hash: Sha256Hex,
    /// SHA-256 of its canonical payload, 64 hexadecimal digits.
    #[schema(value_type = String)]
    pub receipt_sha256: Sha256Hex,
    /// Whoever has it may see the receipt.
    pub share_token: String,
    /// Where anyone can see and verify it.
    pub share_url: String,
    /// The same as a PDF.
    pub pdf_url: String,
}

impl From<&Minted> for Receipt {
    fn from(minted: &Minted) -> Self {
        Self {
            receipt_id: minted.receipt_id.clone(),
            org_seq: minted.org_seq,
            parent_hash: minted.parent_hash,
            receipt_sha256: minted.receipt_sha256,
            share_token: minted.share_token.clone(),
            share_url: minted.share_url.clone(),
            pdf_url: format!("{}/pdf", minted.share_url),
        }
    }
}

impl From<&Minted> for LedgerEntry {
    fn from(minted: &Minted) -> Self {
        Self {
            receipt_id: minted.receipt_id.clone(),
            org_seq: minted.org_seq,
            parent_hash: minted.parent_hash,
            receipt_sha256: minted.receipt_sha256,
            created_at: minted.created_at,
        }
    }
}

/// The receipts of an organisation from a place on, in the chain's order.
pub async fn entries(db: &Db, org: OrgId, from: u64, limit: i64) -> sqlx::Result<Vec<LedgerEntry>> {
    const SQL: &str = "SELECT doc FROM minted_receipts WHERE org_id = $1 AND id >= $2 ORDER BY id LIMIT $3";
    let from = aggregates::ledger::receipt_stream(from);
    let docs: Vec<String> = on!(db, pool => {
        sqlx::query_scalar(SQL).bind(org.on_ledger()).bind(from).bind(limit).fetch_all(pool).await
    })?;
    docs.iter().map(|doc| model::read::<Minted>(doc).map(|minted| LedgerEntry::from(&minted))).collect()
}

/// A receipt of an organisation by its place in the chain.
pub async fn at(db: &Db, org: OrgId, org_seq: u64) -> sqlx::Result<Option<Minted>> {
    const SQL: &str = "SELECT doc FROM minted_receipts WHERE org_id = $1 AND id = $2";
    let id = aggregates::ledger::receipt_stream(org_seq);
    let doc: Option<String> =
        on!(db, pool => sqlx::query_scalar(SQL).bind(org.on_ledger()).bind(id).fetch_optional(pool).await)?;
    doc.as_deref().map(model::read).transpose()
}

/// The receipt of a run.
pub async fn of_run(db: &Db, org: OrgId, run: RunId) -> sqlx::Result<Option<Minted>> {
    const SQL: &str = "SELECT doc FROM minted_receipts WHERE org_id = $1 AND run_id = $2";
    let doc: Option<String> = on!(db, pool => {
        sqlx::query_scalar(SQL).bind(org.on_ledger()).bind(run.uuid().to_string()).fetch_optional(pool).await
    })?;
    doc.as_deref().map(model::read).transpose()
}

/// The names of the receipts that say who approved their run, for one approver, in the chain's order.
pub async fn approved_by(db: &Db, org: OrgId, approver: UserId) -> sqlx::Result<Vec<String>> {
    const SQL: &str = "SELECT m.doc FROM minted_receipts m JOIN runs r ON r.org_id = m.org_id AND r.id = m.run_id \
                       WHERE m.org_id = $1 AND r.doc LIKE $2 ORDER BY m.org_seq";
    // A quote within a text of the document would be escaped, so that only the field itself looks like this.
    let field = format!("%\"approver\":\"{approver}\"%");
    let docs: Vec<String> =
        on!(db, pool => sqlx::query_scalar(SQL).bind(org.on_ledger()).bind(field).fetch_all(pool).await)?;
    docs.iter().map(|doc| model::read::<Minted>(doc).map(|minted| minted.receipt_id)).collect()
}

/// The receipt that a share token shows, with its organisation: the token is the credential, so this is the one query
/// that finds the organisation instead of being told it.
pub async fn shared(db: &Db, token: &str) -> sqlx::Result<Option<(String, Minted)>> {
    const SQL: &str = "SELECT org_id, doc FROM minted_receipts WHERE share_token = $1";
    let row: Option<(String, String)> = on!(db, pool => sqlx::query_as(SQL).bind(token).fetch_optional(pool).await)?;
    row.map(|(org, doc)| Ok((org, model::read(&doc)?))).transpose()
}
