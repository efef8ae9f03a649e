//! Keys: those that sign, and how others name and write those that verify.

use super::{NoteError, check_name};
use crate::{digest::sha256, encoding};
use base64::{Engine, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use std::{borrow::Cow, fmt, str::FromStr};

/// An Ed25519 key that signs. It is shown nowhere, and its memory is cleared when it is dropped.
#[derive(Clone)]
pub struct LogKey(SigningKey);

impl LogKey {
    /// The key of a seed (RFC 8032: the 32 random bytes that a private key is).
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(SigningKey::from_bytes(&seed))
    }

    /// What verifies its signatures.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    /// Signs bytes as they are (Ed25519). What is signed must say itself what it is, so that no signature passes for one
    /// on something else.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

impl fmt::Debug for LogKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "LogKey({})", self.public())
    }
}

/// An Ed25519 key that verifies, written as the base64 of its 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// The key with these bytes. Where they are none, no signature is its own.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether the signature is this key's on these bytes. A key under which several messages can share a signature (one
    /// of low order) has none.
    pub fn verify(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        let key = VerifyingKey::from_bytes(&self.0);
        key.is_ok_and(|key| key.verify_strict(message, &Signature::from_bytes(signature)).is_ok())
    }
}

impl FromStr for PublicKey {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<Self, NotAKey> {
        encoding::exactly(text).map(Self).ok_or(NotAKey::Public)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// What a key signs of a note.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// 0x01: Ed25519 of the text: how a log signs.
    Ed25519,
    /// 0x04: Ed25519 of the text and a time: how a witness signs.
    Cosignature,
}

impl Algorithm {
    const fn byte(self) -> u8 {
        match self {
            Self::Ed25519 => 0x01,
            Self::Cosignature => 0x04,
        }
    }
}

/// A key with the name under which it signs notes, written as a vkey: `<name>+<id in hexadecimal>+<base64>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct VerifierKey {
    name: String,
    id: [u8; 4],
    algorithm: Algorithm,
    key: PublicKey,
}

impl VerifierKey {
    /// The key of a log.
    ///
    /// # Errors
    /// It cannot have this name: see [`NoteError::Name`].
    pub fn log(name: impl Into<String>, key: PublicKey) -> Result<Self, NoteError> {
        Self::new(name.into(), Algorithm::Ed25519, key)
    }

    /// The key of a witness.
    ///
    /// # Errors
    /// It cannot have this name: see [`NoteError::Name`].
    pub fn cosigner(name: impl Into<String>, key: PublicKey) -> Result<Self, NoteError> {
        Self::new(name.into(), Algorithm::Cosignature, key)
    }

    fn new(name: String, algorithm: Algorithm, key: PublicKey) -> Result<Self, NoteError> {
        check_name(&name)?;
        let hashed = sha256(&[name.as_bytes(), b"\n", &[algorithm.byte()], &key.0].concat());
        let [a, b, c, d, ..] = *hashed.as_bytes();
        Ok(Self { name, id: [a, b, c, d], algorithm, key })
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The id: four bytes of a hash of all the rest.
    pub fn id(&self) -> [u8; 4] {
        self.id
    }

    /// What it signs.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key.
    pub fn key(&self) -> PublicKey {
        self.key
    }
}

/// Why a text is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAKey {
    /// No public key.
    #[error("a public key is the base64 of 32 bytes")]
    Public,
    /// No vkey.
    #[error(
        "a verifier key is <name>+<eight lowercase hexadecimal digits>+<base64 of the algorithm's byte and the key>"
    )]
    Verifier,
    /// A vkey of another algorithm.
    #[error("the algorithm {0:#04x} is not known; 0x01 is Ed25519 and 0x04 an Ed25519 cosignature")]
    Algorithm(u8),
    /// A vkey whose id is not that of its name and key.
    #[error("the verifier key's id does not belong to its name and key")]
    Id,
}

impl FromStr for VerifierKey {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<Self, NotAKey> {
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(encoded)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NotAKey::Verifier);
        };
        let bytes = STANDARD.decode(encoded).map_err(|_| NotAKey::Verifier)?;
        let (algorithm, bytes) = bytes.split_first().ok_or(NotAKey::Verifier)?;
        let algorithm = match algorithm {
            0x01 => Algorithm::Ed25519,
            0x04 => Algorithm::Cosignature,
            other => return Err(NotAKey::Algorithm(*other)),
        };
        let key = PublicKey(bytes.try_into().map_err(|_| NotAKey::Verifier)?);
        let verifier = Self::new(name.to_owned(), algorithm, key).map_err(|_| NotAKey::Verifier)?;
        if hex::encode(verifier.id) == id { Ok(verifier) } else { Err(NotAKey::Id) }
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&[self.algorithm.byte()], self.key.0.as_slice()].concat();
        write!(out, "{}+{}+{}", self.name, hex::encode(self.id), STANDARD.encode(bytes))
    }
}
