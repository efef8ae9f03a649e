//! What work rests on.

use crate::{ids::EvidenceId, rulebooks::vocabulary::EvidenceKind, text::Text, time::Time};
use proof::digest::{Blake3Hex, Sha256Hex};
use serde::{Deserialize, Serialize};

/// A piece of evidence: a text, or a file in the object store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Its id.
    pub id: EvidenceId,
    /// What it is.
    pub kind: EvidenceKind,
    /// What it is called, 1 to 300 characters.
    pub label: String,
    /// Its text, exactly as it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Text>,
    /// Its file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<StoredFile>,
    /// Whether it is a customer's data, never to be trained on.
    pub customer_provided: bool,
    /// When it was attached.
    pub attached_at: Time,
}

/// A file in the object store, under a key made of ids alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredFile {
    /// SHA-256 of its bytes.
    pub sha256: Sha256Hex,
    /// BLAKE3 of its bytes, for fast re-verification.
    pub blake3: Blake3Hex,
    /// Its length in bytes.
    pub byte_size: u64,
    /// Its media type, as declared by whoever sent it.
    pub content_type: String,
}

impl Evidence {
    /// SHA-256 of the text or the file; none when it has neither.
    pub fn sha256(&self) -> Option<Sha256Hex> {
        self.content.as_ref().map(|text| text.sha256).or_else(|| self.file.as_ref().map(|file| file.sha256))
    }

    /// Length in bytes of the text or the file.
    pub fn byte_size(&self) -> u64 {
        self.content
            .as_ref()
            .map(|text| text.byte_size)
            .or_else(|| self.file.as_ref().map(|file| file.byte_size))
            .unwrap_or(0)
    }

    /// The media type of the text or the file.
    pub fn content_type(&self) -> Option<&str> {
        if self.content.is_some() {
            Some("text/plain")
        } else {
            self.file.as_ref().map(|file| file.content_type.as_str())
        }
    }

    /// The same without its text, which the run itself need not remember.
    pub fn without_content(&self) -> Self {
        let content = self.content.as_ref().map(|text| Text { inline: None, ..text.clone() });
        Self { content, ..self.clone() }
    }
}
