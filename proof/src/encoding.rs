//! Base64 as the formats have it: the standard alphabet, padded, in its one form.

use crate::digest::Sha256Hex;
use base64::{Engine, engine::general_purpose::STANDARD};

/// The base64 of some bytes.
pub(crate) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// The bytes of a base64.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// The bytes of a base64, when they are exactly this many.
pub(crate) fn exactly<const N: usize>(text: &str) -> Option<[u8; N]> {
    decode(text)?.try_into().ok()
}

/// The hash of a base64.
pub(crate) fn hash(text: &str) -> Option<Sha256Hex> {
    exactly(text).map(Sha256Hex::from_bytes)
}

/// Bytes in a document, as base64.
pub(crate) mod bytes {
    use super::{base64, decode};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use std::borrow::Cow;

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&base64(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        decode(&text).ok_or_else(|| D::Error::custom("expected base64"))
    }
}

/// An Ed25519 signature in a document, as base64.
pub(crate) mod signature {
    use super::{base64, exactly};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use std::borrow::Cow;

    pub(crate) fn serialize<S: Serializer>(signature: &[u8; 64], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&base64(signature))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 64], D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        exactly(&text).ok_or_else(|| D::Error::custom("expected the base64 of 64 bytes"))
    }
}

/// Hashes in a document, each as base64.
pub(crate) mod hashes {
    use super::{base64, hash};
    use crate::digest::Sha256Hex;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(hashes: &[Sha256Hex], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(hashes.iter().map(|hash| base64(hash.as_bytes())))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Sha256Hex>, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        let hash = |text: &String| hash(text).ok_or_else(|| D::Error::custom("expected the base64 of 32 bytes"));
        texts.iter().map(hash).collect()
    }
}
