//! The page of a receipt, as it is handed to a client.

use crate::{
    Unwritable, qr,
    text::fit_all,
    typeset::{self, Identity, Template},
};
use jiff::Timestamp;
use serde_json::{Value, json};

/// How much of a record that has no page of its own is shown, in characters.
const SHOWN: usize = 20_000;

/// A minted receipt and what checking it came to.
#[derive(Clone, Copy, Debug)]
pub struct Receipt<'a> {
    /// Its name.
    pub receipt_id: &'a str,
    /// Its place in the organisation's chain, from 0.
    pub org_seq: u64,
    /// The receipt before it, 64 hexadecimal digits.
    pub parent_hash: &'a str,
    /// SHA-256 of its payload, 64 hexadecimal digits.
    pub receipt_sha256: &'a str,
    /// When it was minted.
    pub created_at: Timestamp,
    /// Where anyone can see and verify it.
    pub share_url: &'a str,
    /// Whether the payload hashes to `receipt_sha256`.
    pub verified: bool,
    /// Whether the payload names these coordinates and its parent is the receipt before it.
    pub chain_consistent: bool,
    /// What it says: the canonical JSON that was hashed.
    pub payload: &'a [u8],
}

impl Receipt<'_> {
    /// The receipt as a tagged PDF, A4. The same receipt gives the same bytes.
    ///
    /// A payload of a shape that no page knows, which is one that was altered, is shown as the text that it is, under a
    /// notice that says so where it does not verify.
    ///
    /// # Errors
    /// None that a payload can cause: a fault in a template of ours.
    pub fn pdf(&self) -> Result<Vec<u8>, Unwritable> {
        let identity = Identity { name: self.receipt_id, made: self.created_at };
        if let Ok(payload) = serde_json::from_slice::<Value>(self.payload) {
            let template = match payload["schema"].as_str() {
                Some("defendable.eval-receipt/v1") => Some(Template::Evaluation),
                Some("defendable.incident-receipt/v1") => Some(Template::Incident),
                _ => None,
            };
            if let Some(template) = template
                && let Ok(pdf) = typeset::pdf(template, &self.value(payload), identity)
            {
                return Ok(pdf);
            }
        }
        let text = String::from_utf8_lossy(self.payload);
        let shown: String = text.chars().take(SHOWN).collect();
        let record = json!({"text": shown, "whole": shown.len() == text.len()});
        typeset::pdf(Template::Record, &self.value(record), identity)
    }

    fn value(&self, record: Value) -> Value {
        let mut value = json!({
            "receipt_id": self.receipt_id,
            "org_seq": self.org_seq,
            "parent_hash": self.parent_hash,
            "receipt_sha256": self.receipt_sha256,
            "created_at": self.created_at.to_string(),
            "share_url": self.share_url,
            "verified": self.verified,
            "chain_consistent": self.chain_consistent,
            "qr": qr::drawing(self.share_url),
        });
        value["record"] = fit_all(record);
        value
    }
}
