//! Proofs that stand alone (C2SP tlog-proof): that an entry is in a log, as a text which other tools read too.

use crate::{
    checkpoint::{Checkpoint, NotACheckpoint},
    digest::Sha256Hex,
    encoding,
    merkle::{self, MAX_PROOF, ProofError},
    note::{Algorithm, MAX_NOTE, Note, NoteError, VerifierKey},
    tile::decimal,
};
use std::{fmt, str::FromStr};

/// What a proof begins with.
const HEADER: &str = "c2sp.org/tlog-proof@v1\n";

/// How many bytes `extra` may have.
pub const MAX_EXTRA: usize = 1 << 16;

/// That the entry at an index is in the log of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlogProof {
    /// Whatever the log wants to add. Nothing proves it.
    pub extra: Option<Vec<u8>>,
    /// The entry's index.
    pub index: u64,
    /// The inclusion proof, from the leaf's sibling to the root's child.
    pub hashes: Vec<Sha256Hex>,
    /// The signed checkpoint.
    pub checkpoint: Note,
}

/// Whom a verifier believes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policy {
    /// Logs, by their keys: the checkpoint must name one of them as its origin and be signed by its key.
    pub logs: Vec<VerifierKey>,
    /// Witnesses, by their keys.
    pub witnesses: Vec<VerifierKey>,
    /// How many different ones of these must have cosigned.
    pub quorum: usize,
}

/// Why a text is no proof.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAProof {
    /// Another format, or another version of it.
    #[error("a proof begins with the line c2sp.org/tlog-proof@v1")]
    Header,
    /// No index where it belongs.
    #[error("a proof has a line `index <number>` after its first or its extra one")]
    Index,
    /// `extra` is no base64, or too long.
    #[error("extra is the base64 of at most {MAX_EXTRA} bytes")]
    Extra,
    /// Something other than a hash before the blank line, or too many.
    #[error("after the index come at most {MAX_PROOF} lines of base64 of 32 bytes, a blank line and the checkpoint")]
    Hashes,
    /// The checkpoint is no signed note.
    #[error("the checkpoint: {0}")]
    Note(#[from] NoteError),
}

/// Why a proof is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The note is no checkpoint.
    #[error("the checkpoint: {0}")]
    Checkpoint(#[from] NotACheckpoint),
    /// The checkpoint is of another log.
    #[error("the checkpoint is of the log {0}, which is not among those known")]
    Origin(String),
    /// It is not signed as it must be.
    #[error("the checkpoint: {0}")]
    Note(#[from] NoteError),
    /// The log has not signed it.
    #[error("the checkpoint is not signed by its log")]
    Unsigned,
    /// Too few witnesses.
    #[error("{found} known witnesses have signed the checkpoint, expected {expected}")]
    Quorum {
        /// How many are asked for.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// The entry is not in the log there.
    #[error(transparent)]
    Inclusion(#[from] ProofError),
}

impl TlogProof {
    /// Whether this entry is in a log that is known, at [`TlogProof::index`]. Returns the checkpoint.
    ///
    /// # Errors
    /// It is not, or the proof does not show it.
    pub fn verify(&self, entry: &[u8], policy: &Policy) -> Result<Checkpoint, Refused> {
        let checkpoint: Checkpoint = self.checkpoint.text.parse()?;
        let is_log = |key: &&VerifierKey| key.name() == checkpoint.origin && key.algorithm() == Algorithm::Ed25519;
        let mut known: Vec<_> = policy.logs.iter().filter(is_log).cloned().collect();
        if known.is_empty() {
            return Err(Refused::Origin(checkpoint.origin));
        }
        known.extend(policy.witnesses.iter().filter(|key| key.algorithm() == Algorithm::Cosignature).cloned());
        let verified = self.checkpoint.verify(&known)?;
        if verified.iter().all(|verified| verified.time.is_some()) {
            return Err(Refused::Unsigned);
        }
        let mut witnesses: Vec<_> = verified.iter().filter(|by| by.time.is_some()).map(|by| by.key.key()).collect();
        witnesses.sort();
        witnesses.dedup();
        if witnesses.len() < policy.quorum {
            return Err(Refused::Quorum { expected: policy.quorum, found: witnesses.len() });
        }
        let Checkpoint { size, root, .. } = checkpoint;
        merkle::verify_inclusion(merkle::leaf(entry), self.index, size, &self.hashes, root)?;
        Ok(checkpoint)
    }
}

impl FromStr for TlogProof {
    type Err = NotAProof;

    fn from_str(text: &str) -> Result<Self, NotAProof> {
        let rest = text.strip_prefix(HEADER).ok_or(NotAProof::Header)?;
        if rest.len() > MAX_NOTE + 2 * MAX_EXTRA {
            return Err(NoteError::TooLong.into());
        }
        let (extra, rest) = match rest.strip_prefix("extra ") {
            None => (None, rest),
            Some(rest) => {
                let (extra, rest) = rest.split_once('\n').ok_or(NotAProof::Extra)?;
                let extra = encoding::decode(extra).filter(|extra| extra.len() <= MAX_EXTRA);
                (Some(extra.ok_or(NotAProof::Extra)?), rest)
            }
        };
        let (index, mut rest) =
            rest.strip_prefix("index ").and_then(|rest| rest.split_once('\n')).ok_or(NotAProof::Index)?;
        let index = decimal(index).ok_or(NotAProof::Index)?;
        let mut hashes = Vec::new();
        let checkpoint = loop {
            let (line, after) = rest.split_once('\n').ok_or(NotAProof::Hashes)?;
            if line.is_empty() {
                break after.parse()?;
            }
            if hashes.len() == MAX_PROOF {
                return Err(NotAProof::Hashes);
            }
            hashes.push(encoding::hash(line).ok_or(NotAProof::Hashes)?);
            rest = after;
        };
        Ok(Self { extra, index, hashes, checkpoint })
    }
}

impl fmt::Display for TlogProof {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(HEADER)?;
        if let Some(extra) = &self.extra {
            writeln!(out, "extra {}", encoding::base64(extra))?;
        }
        writeln!(out, "index {}", self.index)?;
        for hash in &self.hashes {
            writeln!(out, "{}", encoding::base64(hash.as_bytes()))?;
        }
        write!(out, "\n{}", self.checkpoint)
    }
}
