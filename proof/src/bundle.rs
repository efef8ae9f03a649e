//! A receipt with all that proves it, in one file: `defendable.receipt-bundle/v1`. It is verified without a network,
//! without an account and without trust in whoever handed it over; only a key must be known from elsewhere.

mod verify;

pub use verify::{Name, Outcome, Report, Signer, Step, Trust, verify};

use crate::{
    canonical::{self, CanonicalError, NotCanonical},
    digest::Sha256Hex,
    encoding,
    merkle::MAX_PROOF,
    rotation::{Introduced, MAX_KEYS},
};
use serde::{Deserialize, Serialize};

/// How many bytes a bundle may have.
pub const MAX_BUNDLE: usize = 32 << 20;

/// How many time stamps a bundle may have.
pub const MAX_TIMESTAMPS: usize = 16;

/// A receipt and its proofs. Texts that were signed or hashed are in it as texts, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// The name and version of the shape.
    pub format: Format,
    /// The receipt's numbers.
    pub receipt: Receipt,
    /// The exact canonical text that was hashed.
    pub payload: String,
    /// Its place in the organisation's log.
    pub log: Logged,
    /// The log's keys from the first to the last that signed anything in the bundle.
    pub keys: Vec<Introduced>,
    /// The log's place in the registry, once there is one.
    pub registry: Option<Registered>,
}

/// The name and version of the shape.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Format {
    /// The first.
    #[default]
    #[serde(rename = "defendable.receipt-bundle/v1")]
    V1,
}

/// A receipt's numbers, as its payload names them, and the payload's digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// Its name, such as `DCR-000004-3a7c9f2b`.
    pub receipt_id: String,
    /// Its place in the organisation's chain, from 0.
    pub org_seq: u64,
    /// The digest of the receipt before it; zeros for the first.
    pub parent_hash: Sha256Hex,
    /// The SHA-256 of the payload.
    pub receipt_sha256: Sha256Hex,
    /// When it was minted, RFC 3339.
    pub created_at: String,
    /// Where it is shown.
    pub share_url: String,
}

/// A receipt's place in its organisation's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Logged {
    /// The log's id.
    pub log_id: String,
    /// The leaf of the event that minted it: see [`crate::leaf::Leaf`].
    pub leaf: String,
    /// The leaf's index.
    pub index: u64,
    /// That the leaf is in the tree of the checkpoint.
    #[serde(with = "encoding::hashes")]
    pub inclusion_proof: Vec<Sha256Hex>,
    /// The first signed checkpoint that covers the leaf.
    pub checkpoint: String,
}

/// A log's place in the registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registered {
    /// The log's checkpoint that the registry holds, as the log signed it. The SHA-256 of this note is the entry there.
    pub registered: String,
    /// That its tree continues the one of [`Logged::checkpoint`].
    #[serde(with = "encoding::hashes")]
    pub consistency_proof: Vec<Sha256Hex>,
    /// The registry's leaf.
    pub index: u64,
    /// That the leaf is in the registry's tree.
    #[serde(with = "encoding::hashes")]
    pub inclusion_proof: Vec<Sha256Hex>,
    /// The registry's signed checkpoint, with cosignatures of witnesses under it.
    pub checkpoint: String,
    /// Time stamps of the registry's checkpoint.
    pub timestamps: Vec<Timestamp>,
}

/// A time stamp (RFC 3161). This crate does not look into it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timestamp {
    /// The address of who made it.
    pub authority: String,
    /// The authority's answer, DER; base64.
    #[serde(with = "encoding::bytes")]
    pub token: Vec<u8>,
}

/// Why bytes are no bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotABundle {
    /// More than [`MAX_BUNDLE`] bytes.
    #[error("a bundle has at most {MAX_BUNDLE} bytes")]
    TooLong,
    /// Not canonical JSON, or not a bundle's fields.
    #[error("the file is no receipt bundle: {0}")]
    Shape(#[from] NotCanonical),
    /// A list has too many items.
    #[error("{list} has {found} items; at most {allowed} are allowed")]
    Count {
        /// Which.
        list: &'static str,
        /// How many it may have.
        allowed: usize,
        /// How many it has.
        found: usize,
    },
}

impl Bundle {
    /// Reads a bundle: exactly the bytes that [`Bundle::to_vec`] writes. Nothing is verified by that.
    ///
    /// # Errors
    /// The bytes are none.
    pub fn parse(bytes: &[u8]) -> Result<Self, NotABundle> {
        if bytes.len() > MAX_BUNDLE {
            return Err(NotABundle::TooLong);
        }
        let bundle: Self = canonical::from_slice(bytes)?;
        let (keys, proof) = (bundle.keys.len(), bundle.log.inclusion_proof.len());
        let mut counts = vec![("keys", MAX_KEYS, keys), ("log.inclusion_proof", MAX_PROOF, proof)];
        if let Some(registry) = &bundle.registry {
            counts.extend([
                ("registry.consistency_proof", MAX_PROOF, registry.consistency_proof.len()),
                ("registry.inclusion_proof", MAX_PROOF, registry.inclusion_proof.len()),
                ("registry.timestamps", MAX_TIMESTAMPS, registry.timestamps.len()),
            ]);
        }
        match counts.into_iter().find(|(_, allowed, found)| found > allowed) {
            Some((list, allowed, found)) => Err(NotABundle::Count { list, allowed, found }),
            None => Ok(bundle),
        }
    }

    /// The bundle's canonical JSON.
    ///
    /// # Errors
    /// A number is beyond 2^53 − 1.
    pub fn to_vec(&self) -> Result<Vec<u8>, CanonicalError> {
        canonical::to_vec(self)
    }
}
