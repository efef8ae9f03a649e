//! Texts that somebody else wrote: kept exactly, short ones in the event, long ones beside it.

use proof::digest::{Sha256Hex, sha256};
use serde::{Deserialize, Serialize};

/// The longest text that an event carries itself, in bytes of UTF-8.
pub const INLINE_LIMIT: usize = 16 * 1024;

/// A text with its digest. Longer than [`INLINE_LIMIT`], it lies in the store's blobs under that digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    /// SHA-256 of the text's bytes.
    pub sha256: Sha256Hex,
    /// Length in bytes of UTF-8.
    pub byte_size: u64,
    /// The text itself when it is short.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inline: Option<String>,
}

/// Bytes that are stored beside an event, under their digest, in the event's own transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// SHA-256 of the bytes.
    pub sha256: Sha256Hex,
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl Text {
    /// The text as an event carries it, and the blob to store with it when it is too long for that.
    pub fn of(text: String) -> (Self, Option<Blob>) {
        let sha256 = sha256(text.as_bytes());
        let byte_size = text.len() as u64;
        if text.len() <= INLINE_LIMIT {
            (Self { sha256, byte_size, inline: Some(text) }, None)
        } else {
            let blob = Blob { sha256, bytes: text.into_bytes() };
            (Self { sha256, byte_size, inline: None }, Some(blob))
        }
    }

    /// Whether this is the text that was recorded.
    pub fn is(&self, text: &str) -> bool {
        text.len() as u64 == self.byte_size && sha256(text.as_bytes()) == self.sha256
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_text_stays_in_the_event_and_a_long_one_beside_it() {
        let (short, none) = Text::of("note".into());
        assert_eq!((short.inline.as_deref(), none), (Some("note"), None));
        let (long, blob) = Text::of("x".repeat(INLINE_LIMIT + 1));
        assert_eq!(long.inline, None);
        assert_eq!(blob.map(|blob| blob.sha256), Some(long.sha256));
        assert!(long.is(&"x".repeat(INLINE_LIMIT + 1)) && !long.is("x"));
    }
}
