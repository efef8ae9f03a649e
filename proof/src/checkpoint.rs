//! Checkpoints (C2SP tlog-checkpoint): what a log signs, which is who it is, how many leaves it has, and its root.

use crate::{
    digest::Sha256Hex,
    encoding,
    note::{LogKey, Note, NoteError},
    tile::decimal,
};
use std::{fmt, str::FromStr};

/// The text of a checkpoint: three lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log: its key's name, an address without scheme. See [`Origin`] for how ours are named.
    pub origin: String,
    /// How many leaves its tree has.
    pub size: u64,
    /// The tree's root.
    pub root: Sha256Hex,
}

impl Checkpoint {
    /// The signed note, under the origin as the key's name.
    ///
    /// # Errors
    /// The origin is no name of a key.
    pub fn sign(&self, key: &LogKey) -> Result<Note, NoteError> {
        Note::sign(self.to_string(), &self.origin, key)
    }
}

/// Why a text is no checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotACheckpoint {
    /// Too few lines, or the last without its end.
    #[error("a checkpoint has three lines: origin, size, root")]
    Lines,
    /// The origin is empty or has a control character.
    #[error("the origin is a line of text")]
    Origin,
    /// The size is no number, or has leading zeros.
    #[error("the size is a number up to 2^64 − 1 without leading zeros")]
    Size,
    /// The root is no hash.
    #[error("the root is the base64 of 32 bytes")]
    Root,
    /// There are more lines. A cosignature of the newer kind would not cover them.
    #[error("extension lines are not supported")]
    Extension,
}

impl FromStr for Checkpoint {
    type Err = NotACheckpoint;

    fn from_str(text: &str) -> Result<Self, NotACheckpoint> {
        let mut lines = text.strip_suffix('\n').ok_or(NotACheckpoint::Lines)?.split('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
            return Err(NotACheckpoint::Lines);
        };
        if lines.next().is_some() {
            return Err(NotACheckpoint::Extension);
        }
        if origin.is_empty() || origin.bytes().any(|byte| byte < 0x20) {
            return Err(NotACheckpoint::Origin);
        }
        let size = decimal(size).ok_or(NotACheckpoint::Size)?;
        let root = encoding::hash(root).ok_or(NotACheckpoint::Root)?;
        Ok(Self { origin: origin.to_owned(), size, root })
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{}\n{}\n{}", self.origin, self.size, encoding::base64(self.root.as_bytes()))
    }
}

/// How our logs are named: `<log name>/log/<log id>/<epoch>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The installation's name, such as `ledger.example.org`.
    pub log_name: String,
    /// Which of its logs: random, or [`REGISTRY`].
    pub log_id: String,
    /// How often the ledger was restored to an earlier state before.
    pub epoch: u64,
}

/// The id of the log that has the others' checkpoints as its leaves.
pub const REGISTRY: &str = "registry";

/// A text that is no origin of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an origin is <log name>/log/<log id>/<epoch>")]
pub struct NotAnOrigin;

impl FromStr for Origin {
    type Err = NotAnOrigin;

    fn from_str(text: &str) -> Result<Self, NotAnOrigin> {
        let mut parts = text.rsplitn(4, '/');
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(epoch), Some(log_id), Some("log"), Some(log_name)) if !log_id.is_empty() && !log_name.is_empty() => {
                let epoch = decimal(epoch).ok_or(NotAnOrigin)?;
                Ok(Self { log_name: log_name.to_owned(), log_id: log_id.to_owned(), epoch })
            }
            _ => Err(NotAnOrigin),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/log/{}/{}", self.log_name, self.log_id, self.epoch)
    }
}
