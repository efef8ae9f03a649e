//! The leaves of an organisation's log: of each event its place, hash and time, and of a minted receipt also the numbers
//! that anybody who has the receipt knows. Nothing that a payload says is in a leaf, so leaves can be published.

use crate::{
    canonical::{self, text},
    digest::{Blake3Hex, Sha256Hex},
    event::{moment, parse_moment},
    merkle,
    tile::MAX_ENTRY,
};
use serde::Deserialize;

/// A leaf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// The event's place in the organisation's chain, which is the leaf's index.
    pub org_position: u64,
    /// The event's hash in the organisation's chain.
    pub hash: Blake3Hex,
    /// When the event was recorded, in microseconds since 1970.
    pub recorded_at: i64,
    /// The receipt, where the event is the minting of one.
    pub receipt: Option<Coordinates>,
}

/// Where a receipt stands in its organisation's chain.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coordinates {
    /// Its place in the chain, from 0.
    pub org_seq: u64,
    /// The digest of the receipt before it; zeros for the first.
    pub parent_hash: Sha256Hex,
    /// Its name, such as `DCR-000004-3a7c9f2b`.
    pub receipt_id: String,
    /// The SHA-256 of its payload's canonical bytes.
    pub receipt_sha256: Sha256Hex,
}

/// Why bytes are no leaf.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotALeaf {
    /// More than an entry of a log may have.
    #[error("a leaf has at most {MAX_ENTRY} bytes")]
    TooLong,
    /// Not a leaf's fields, or not in their one form.
    #[error("a leaf is canonical JSON of hash, org_position, recorded_at and, of a receipt, receipt: {0}")]
    Shape(String),
}

impl Leaf {
    /// Its canonical bytes (RFC 8785): the entry in the log.
    pub fn canonical(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        self.write(&mut out);
        out
    }

    /// Writes its canonical bytes behind what is there.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"hash\":\"");
        text::digits(out, self.hash.as_bytes());
        out.extend_from_slice(b"\",\"org_position\":");
        text::integer(out, self.org_position);
        if let Some(receipt) = &self.receipt {
            out.extend_from_slice(b",\"receipt\":{\"org_seq\":");
            text::integer(out, receipt.org_seq);
            out.extend_from_slice(b",\"parent_hash\":\"");
            text::digits(out, receipt.parent_hash.as_bytes());
            out.extend_from_slice(b"\",\"receipt_id\":");
            text::string(out, &receipt.receipt_id);
            out.extend_from_slice(b",\"receipt_sha256\":\"");
            text::digits(out, receipt.receipt_sha256.as_bytes());
            out.extend_from_slice(b"\"}");
        }
        out.extend_from_slice(b",\"recorded_at\":\"");
        moment(out, self.recorded_at);
        out.extend_from_slice(b"\"}");
    }

    /// Its hash in the tree.
    pub fn hash(&self) -> Sha256Hex {
        merkle::leaf(&self.canonical())
    }

    /// Reads a leaf: exactly the bytes that [`Leaf::canonical`] writes.
    ///
    /// # Errors
    /// They are not.
    pub fn parse_strict(bytes: &[u8]) -> Result<Self, NotALeaf> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Written {
            hash: Blake3Hex,
            org_position: u64,
            #[serde(default)]
            receipt: Option<Coordinates>,
            recorded_at: String,
        }
        if bytes.len() > MAX_ENTRY {
            return Err(NotALeaf::TooLong);
        }
        let shape = |problem: &str| NotALeaf::Shape(problem.to_owned());
        let written: Written = canonical::from_slice(bytes).map_err(|problem| NotALeaf::Shape(problem.to_string()))?;
        let Written { hash, org_position, receipt, recorded_at } = written;
        let recorded_at = parse_moment(&recorded_at).ok_or_else(|| {
            shape("recorded_at is a moment in UTC with six decimals, such as 2026-03-01T12:00:00.000000Z")
        })?;
        let leaf = Self { org_position, hash, recorded_at, receipt };
        if leaf.canonical() == bytes { Ok(leaf) } else { Err(shape("what is not there is left out")) }
    }
}
