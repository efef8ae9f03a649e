//! Digests as they are written: lowercase hexadecimal.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use sha2::{Digest, Sha256};
use std::{borrow::Cow, fmt, str::FromStr};

/// The SHA-256 of some bytes.
pub fn sha256(bytes: &[u8]) -> Sha256Hex {
    Sha256Hex(Sha256::digest(bytes).into())
}

/// The BLAKE3 of some bytes, unkeyed.
pub fn blake3(bytes: &[u8]) -> Blake3Hex {
    Blake3Hex(blake3::hash(bytes).into())
}

/// A text that is not 64 lowercase hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a digest is 64 lowercase hexadecimal digits")]
pub struct NotADigest;

fn to_hex(bytes: &[u8; 32]) -> Result<[u8; 64], hex::FromHexError> {
    let mut text = [0; 64];
    hex::encode_to_slice(bytes, &mut text)?;
    Ok(text)
}

fn from_hex(text: &str) -> Result<[u8; 32], NotADigest> {
    let digits: &[u8; 64] = text.as_bytes().try_into().map_err(|_| NotADigest)?;
    let mut bytes = [0; 32];
    let mut seen = 0;
    for (byte, [high, low]) in bytes.iter_mut().zip(digits.as_chunks().0) {
        let (high, low) = (VALUES[usize::from(*high)], VALUES[usize::from(*low)]);
        seen |= high | low;
        *byte = high << 4 | low;
    }
    if seen > 0x0f { Err(NotADigest) } else { Ok(bytes) }
}

/// What each byte is worth as a lowercase hexadecimal digit; 255 when it is none.
const VALUES: [u8; 256] = {
    let mut values = [u8::MAX; 256];
    let digits = b"0123456789abcdef";
    let mut value = 0;
    while value < digits.len() {
        values[digits[value] as usize] = value as u8;
        value += 1;
    }
    values
};

/// One type for each hash function, so that the digests of two chains cannot be mistaken for one
/// another.
macro_rules! digests {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 32]);

        impl $name {
            /// 32 zero bytes: the parent of a chain's first link.
            pub const ZERO: Self = Self([0; 32]);

            /// The digest with these bytes.
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// Its bytes.
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NotADigest;

            fn from_str(text: &str) -> Result<Self, NotADigest> {
                from_hex(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                let text = to_hex(&self.0).map_err(|_| fmt::Error)?;
                out.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, out)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
            }
        }
    )*};
}

digests! {
    /// A SHA-256 digest, written as 64 lowercase hexadecimal digits.
    Sha256Hex;
    /// A BLAKE3 digest of 32 bytes, written as 64 lowercase hexadecimal digits.
    Blake3Hex;
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_empty_text_has_the_digest_of_fips_180_4() {
        let text = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(sha256(b"").to_string(), text);
        assert_eq!(text.parse(), Ok(sha256(b"")));
        assert_eq!(text.to_uppercase().parse::<Sha256Hex>(), Err(NotADigest));
    }

    #[test]
    fn the_empty_text_has_the_digest_of_the_blake3_test_vectors() {
        let text = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";
        assert_eq!(blake3(b"").to_string(), text);
        assert_eq!(serde_json::from_str::<Blake3Hex>(&format!("\"{text}\"")).unwrap(), blake3(b""));
        assert_eq!(text[1..].parse::<Blake3Hex>(), Err(NotADigest));
    }

    proptest! {
        #[test]
        fn only_64_lowercase_hexadecimal_digits_are_a_digest(
            digits in "[0-9a-f]{64}", at in 0_usize..64, other: char, length in 0_usize..130,
        ) {
            let digest: Sha256Hex = digits.parse().unwrap();
            prop_assert_eq!(hex::decode(&digits).unwrap(), digest.as_bytes());
            prop_assert_eq!(digest.to_string(), digits.as_str());
            let mut changed: String = digits.chars().take(at).collect();
            changed.push(other);
            changed.extend(digits.chars().skip(at + 1));
            let is_digit = matches!(other, '0'..='9' | 'a'..='f');
            prop_assert_eq!(changed.parse::<Sha256Hex>().is_ok(), is_digit);
            let repeated: String = digits.chars().cycle().take(length).collect();
            prop_assert_eq!(repeated.parse::<Sha256Hex>().is_ok(), length == 64);
        }
    }

    #[test]
    fn the_digest_of_a_published_receipt_is_found_again() {
        let zeros = Sha256Hex::ZERO;
        let payload = format!(
            r#"{{"list":[1,2.5,null,true],"note":"Prüfung ok","org_seq":0,"parent_hash":"{zeros}","receipt_id":"DCR-000000-0a1b2c3d","schema":"example/v1","score":0.86}}"#
        );
        let expected = "3f1a299aeac3d31bc79a7d60d2277f97fbd82bca9dc960df8a07356621a4ab57";
        assert_eq!(sha256(payload.as_bytes()).to_string(), expected);

        let value: serde_json::Value = serde_json::from_str(&payload).unwrap();
        let canonical = serde_json_canonicalizer::to_vec(&value).unwrap();
        assert_eq!(sha256(&canonical).to_string(), expected);
    }
}
