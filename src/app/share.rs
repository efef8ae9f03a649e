//! A receipt by its link, and what checking it comes to.

use super::{App, Refused};
use aggregates::ledger::Minted;
use proof::{
    digest::sha256,
    receipt::{self, Row},
};

/// A receipt that a share token shows.
#[derive(Clone, Debug)]
pub struct Shared {
    /// The receipt.
    pub minted: Minted,
    /// Its payload, as it is stored.
    pub payload: Vec<u8>,
    /// Whether the stored payload hashes to the receipt's digest.
    pub verified: bool,
    /// Whether the payload names the same coordinates, and its parent is the receipt before it.
    pub chain_consistent: bool,
}

impl App {
    /// The receipt that a share token shows; the token is the credential.
    pub async fn shared(&self, token: &str) -> Result<Option<Shared>, Refused> {
        let Some((org, minted)) = projections::ledger::shared(self.db(), token).await? else { return Ok(None) };
        let Some(payload) = self.store.receipt_payload(&org, minted.org_seq).await? else { return Ok(None) };
        let before = match minted.org_seq.checked_sub(1) {
            Some(before) => self.store.receipt_payload(&org, before).await?,
            None => None,
        };
        let parent = before.map_or(receipt::genesis(), |payload| sha256(&payload));
        let row = Row {
            org_seq: minted.org_seq,
            receipt_sha256: minted.receipt_sha256,
            parent_hash: minted.parent_hash,
            receipt_id: &minted.receipt_id,
            payload: &payload,
        };
        let verified = receipt::verified(&row);
        let chain_consistent = receipt::agrees(&row) && minted.parent_hash == parent;
        Ok(Some(Shared { minted, payload, verified, chain_consistent }))
    }
}
