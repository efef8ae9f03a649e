//! How an installation's log key is replaced: the old key introduces the new one, so that whoever trusts a key can walk
//! from it to the key in use.

use crate::{
    canonical, encoding,
    note::{LogKey, PublicKey},
};
use serde::{Deserialize, Serialize};

/// The name and version of the statement.
pub const FORMAT: &str = "defendable.log-key/v1";

/// How many keys a walk may have.
pub const MAX_KEYS: usize = 256;

/// What the old key says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// [`FORMAT`].
    format: Format,
    /// Whose key it is: see [`crate::checkpoint::Origin::log_name`].
    pub log_name: String,
    /// The new key.
    pub public_key: PublicKey,
    /// The old one, which signs this.
    pub replaces: PublicKey,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Format {
    #[serde(rename = "defendable.log-key/v1")]
    V1,
}

/// A statement with its signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Introduction {
    /// The [`Statement`]'s canonical JSON: what is signed.
    pub statement: String,
    /// The old key's Ed25519 signature; base64.
    #[serde(with = "encoding::signature")]
    pub signature: [u8; 64],
}

/// A key, and who introduced it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Introduced {
    /// The key.
    pub public_key: PublicKey,
    /// By the key before it; nothing for the first.
    pub introduced_by: Option<Introduction>,
}

/// Why a walk from key to key breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RotationError {
    /// No key, or more than [`MAX_KEYS`].
    #[error("there are {0} keys; a log has 1 to {MAX_KEYS}")]
    Count(usize),
    /// The first key is introduced, or a later one is not.
    #[error("key {index} is to be introduced by the one before it, and only the first by none")]
    Order {
        /// Which one, from 0.
        index: usize,
    },
    /// The statement is none, or not in its one form.
    #[error(
        "the statement that introduces key {index} is canonical JSON of format {FORMAT}, log_name, public_key and replaces: {problem}"
    )]
    Statement {
        /// Which one, from 0.
        index: usize,
        /// What is wrong.
        problem: String,
    },
    /// The statement speaks of another log or other keys.
    #[error("the statement that introduces key {index} names {found} as {field}, expected {expected}")]
    Other {
        /// Which one, from 0.
        index: usize,
        /// Where it differs.
        field: &'static str,
        /// What it should say.
        expected: String,
        /// What it says.
        found: String,
    },
    /// The statement is not signed by the key before.
    #[error("the statement that introduces key {index} is not signed by the key before it")]
    Signature {
        /// Which one, from 0.
        index: usize,
    },
}

impl Introduction {
    /// The old key introduces the new one.
    ///
    /// # Errors
    /// There is none to expect: a statement has a canonical form.
    pub fn make(log_name: &str, old: &LogKey, new: PublicKey) -> Result<Self, canonical::CanonicalError> {
        let statement =
            Statement { format: Format::V1, log_name: log_name.to_owned(), public_key: new, replaces: old.public() };
        let statement = canonical::to_string(&statement)?;
        let signature = old.sign(statement.as_bytes());
        Ok(Self { statement, signature })
    }

    /// Whether this introduces `new` as the key of `log_name` after `old`.
    fn verify(&self, index: usize, log_name: &str, old: PublicKey, new: PublicKey) -> Result<(), RotationError> {
        let statement: Statement = canonical::from_slice(self.statement.as_bytes())
            .map_err(|problem| RotationError::Statement { index, problem: problem.to_string() })?;
        for (field, expected, found) in [
            ("log_name", log_name.to_owned(), statement.log_name),
            ("replaces", old.to_string(), statement.replaces.to_string()),
            ("public_key", new.to_string(), statement.public_key.to_string()),
        ] {
            if expected != found {
                return Err(RotationError::Other { index, field, expected, found });
            }
        }
        let signed = old.verify(self.statement.as_bytes(), &self.signature);
        if signed { Ok(()) } else { Err(RotationError::Signature { index }) }
    }
}

/// Whether each of a log's keys, from the first to the one in use, is introduced by the one before. Whoever trusts one of
/// them can then trust all that come after it, and none before.
///
/// # Errors
/// There is none, or one is not.
pub fn walk(log_name: &str, keys: &[Introduced]) -> Result<(), RotationError> {
    if !(1..=MAX_KEYS).contains(&keys.len()) {
        return Err(RotationError::Count(keys.len()));
    }
    let mut before = None;
    for (index, key) in keys.iter().enumerate() {
        match (before, &key.introduced_by) {
            (None, None) => {}
            (Some(old), Some(introduction)) => introduction.verify(index, log_name, old, key.public_key)?,
            _ => return Err(RotationError::Order { index }),
        }
        before = Some(key.public_key);
    }
    Ok(())
}
