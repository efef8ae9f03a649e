//! Documents for people: laid out away from the threads that answer, a few at once, and kept for a while.

use super::{App, Refused, share::Shared};
use bytes::Bytes;
use documents::receipt::Receipt;
use jiff::Timestamp;
use lru::LruCache;
use proof::digest::{Sha256Hex, sha256};
use std::{
    num::NonZeroUsize,
    sync::{Mutex, PoisonError},
};
use tokio::sync::Semaphore;

/// How many documents are laid out at once; whoever comes then waits. Each takes a thread and some ten MiB.
const DESKS: usize = 2;
/// How many documents are kept: a link that is sent around is opened more than once.
const KEPT: NonZeroUsize = NonZeroUsize::new(64).unwrap();

/// What a receipt's document follows from: its share token, the digest of what is stored, and what checking that came to.
type Key = (String, Sha256Hex, bool, bool);

pub(super) struct Documents {
    desks: Semaphore,
    kept: Mutex<LruCache<Key, Bytes>>,
}

impl Documents {
    pub(super) fn new() -> Self {
        Self { desks: Semaphore::new(DESKS), kept: Mutex::new(LruCache::new(KEPT)) }
    }

    fn kept(&self, key: &Key) -> Option<Bytes> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    fn keep(&self, key: Key, document: Bytes) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).put(key, document);
    }
}

impl App {
    /// A receipt as a PDF to hand to a client.
    pub async fn receipt_pdf(&self, shared: Shared) -> Result<Bytes, Refused> {
        let key =
            (shared.minted.share_token.clone(), sha256(&shared.payload), shared.verified, shared.chain_consistent);
        if let Some(document) = self.documents.kept(&key) {
            return Ok(document);
        }
        let _desk = self.documents.desks.acquire().await.map_err(|error| Refused::Fault(error.into()))?;
        // Whoever was at the desk before may have asked for the same.
        if let Some(document) = self.documents.kept(&key) {
            return Ok(document);
        }
        let document = tokio::task::spawn_blocking(move || set(&shared)).await;
        let document = document.map_err(|error| Refused::Fault(error.into()))??;
        self.documents.keep(key, document.clone());
        Ok(document)
    }
}

fn set(shared: &Shared) -> Result<Bytes, Refused> {
    let Shared { minted, payload, verified, chain_consistent } = shared;
    let receipt = Receipt {
        receipt_id: &minted.receipt_id,
        org_seq: minted.org_seq,
        parent_hash: &minted.parent_hash.to_string(),
        receipt_sha256: &minted.receipt_sha256.to_string(),
        created_at: Timestamp::from_second(minted.created_at.seconds())
            .map_err(|error| Refused::Fault(error.into()))?,
        share_url: &minted.share_url,
        verified: *verified,
        chain_consistent: *chain_consistent,
        payload,
    };
    receipt.pdf().map(Bytes::from).map_err(|error| Refused::Fault(error.into()))
}
