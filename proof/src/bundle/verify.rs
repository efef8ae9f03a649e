//! The verification of a bundle, step by step.

use super::{Bundle, Registered};
use crate::{
    canonical,
    checkpoint::{Checkpoint, Origin, REGISTRY},
    digest::{Sha256Hex, sha256},
    leaf::Leaf,
    merkle,
    note::{Algorithm, Note, NoteError, PublicKey, VerifierKey},
    rotation,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, fmt::Display};

/// What is known from elsewhere than the bundle.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trust {
    /// Keys of the installation's log.
    pub keys: Vec<PublicKey>,
    /// A checkpoint of it that somebody has kept: whose key made it is known then.
    pub checkpoint: Option<Note>,
    /// Keys of witnesses.
    pub witnesses: Vec<VerifierKey>,
}

/// What is verified, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Name {
    /// The payload is canonical and has the receipt's digest.
    Payload,
    /// The payload names the receipt's numbers.
    Coordinates,
    /// The leaf names them too, and its own index.
    Leaf,
    /// The leaf is in the tree of the checkpoint.
    Inclusion,
    /// The checkpoint is one of this log, signed by one of the keys.
    Checkpoint,
    /// Each key is introduced by the one before.
    Keys,
    /// The log's tree went on into one that the registry holds.
    Registry,
    /// Known witnesses have signed the registry's checkpoint.
    Witnesses,
    /// Whose key it was is known from elsewhere.
    Signer,
}

/// What became of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It holds.
    Holds,
    /// It does not.
    Fails,
    /// There was nothing to check, or nothing to check it against.
    NotChecked,
}

/// A step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Which.
    pub name: Name,
    /// What became of it.
    pub outcome: Outcome,
    /// What should have been found.
    pub expected: String,
    /// What was found.
    pub found: String,
}

/// Whether it is known who signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Signer {
    /// A trusted key, or one that such a key introduced.
    Known,
    /// Nothing was given to tell by.
    Unknown,
    /// Somebody other than was trusted.
    Other,
}

/// What verification found: every step of [`Name`], each once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// Who signed.
    pub signer: Signer,
    /// The key that signed the checkpoint, where one of the bundle's has.
    pub key: Option<PublicKey>,
}

impl Report {
    /// Whether the bundle holds together. Whoever has no key of the log may have made it all the same.
    pub fn consistent(&self) -> bool {
        self.steps.iter().all(|step| step.outcome != Outcome::Fails || step.name == Name::Signer)
    }

    /// Whether the receipt is proved: the bundle holds together and its signer is known.
    pub fn proved(&self) -> bool {
        self.steps.iter().all(|step| step.outcome != Outcome::Fails) && self.signer == Signer::Known
    }

    /// The first step that fails.
    pub fn failure(&self) -> Option<&Step> {
        self.steps.iter().find(|step| step.outcome == Outcome::Fails)
    }
}

/// What a step found, when it holds or there was nothing to check; what it expected and found, when it fails.
type Found<T = String> = Result<T, Finding>;

enum Finding {
    Fails { expected: String, found: String },
    NotChecked { expected: String, found: String },
}

fn fails(expected: impl Display, found: impl Display) -> Finding {
    Finding::Fails { expected: expected.to_string(), found: found.to_string() }
}

fn not_checked(expected: impl Display, found: impl Display) -> Finding {
    Finding::NotChecked { expected: expected.to_string(), found: found.to_string() }
}

fn same<T: PartialEq + Display>(expected: T, found: T) -> Found<()> {
    if expected == found { Ok(()) } else { Err(fails(expected, found)) }
}

/// As [`same`], of what has this name.
fn alike<T: Display>(name: &str, expected: T, found: T) -> Found<()> {
    same(format!("{name} {expected}"), format!("{name} {found}"))
}

/// Verifies a bundle. A key that comes inside the bundle proves nothing by itself: see [`Report::proved`].
pub fn verify(bundle: &Bundle, trust: &Trust) -> Report {
    let mut steps = Vec::with_capacity(9);
    let mut take = |name, found: Found| {
        steps.push(match found {
            Ok(found) => Step { name, outcome: Outcome::Holds, expected: found.clone(), found },
            Err(Finding::Fails { expected, found }) => Step { name, outcome: Outcome::Fails, expected, found },
            Err(Finding::NotChecked { expected, found }) => {
                Step { name, outcome: Outcome::NotChecked, expected, found }
            }
        });
    };
    take(Name::Payload, payload(bundle));
    take(Name::Coordinates, coordinates(bundle));
    take(Name::Leaf, leaf(bundle));
    let read = Signed::read(&bundle.log.checkpoint);
    let checkpoint = read.as_ref().ok();
    take(Name::Inclusion, inclusion(bundle, checkpoint));
    let signed = read
        .as_ref()
        .map_err(|problem| fails("a signed checkpoint", problem))
        .and_then(|checkpoint| checkpoint.by_key_of(bundle, 0));
    let position = signed.as_ref().ok().copied();
    let key = position.and_then(|position| bundle.keys.get(position)).map(|key| key.public_key);
    take(Name::Checkpoint, signed.and_then(|_| of_its_log(bundle, checkpoint, key)));
    let keys = keys(bundle, checkpoint);
    let introduced = keys.is_ok();
    take(Name::Keys, keys);
    let registry = registry(bundle, checkpoint, position);
    let registered_by = registry.as_ref().ok().map(|(_, position)| *position);
    take(Name::Registry, registry.map(|(found, _)| found));
    take(Name::Witnesses, witnesses(bundle.registry.as_ref(), trust));
    let (signer, found) = signer(bundle, trust, checkpoint, introduced, position, registered_by);
    take(Name::Signer, found);
    Report { steps, signer, key }
}

fn payload(bundle: &Bundle) -> Found {
    let payload = bundle.payload.as_bytes();
    same(bundle.receipt.receipt_sha256, sha256(payload))?;
    canonical::check(payload).map_err(|problem| fails("canonical JSON (RFC 8785)", problem))?;
    Ok(bundle.receipt.receipt_sha256.to_string())
}

/// What a payload says of its own place.
#[derive(Deserialize)]
struct Named {
    receipt_id: String,
    org_seq: u64,
    parent_hash: Sha256Hex,
    created_at: String,
    share_url: String,
}

fn coordinates(bundle: &Bundle) -> Found {
    let receipt = &bundle.receipt;
    let named: Named = serde_json::from_str(&bundle.payload)
        .map_err(|problem| fails("receipt_id, org_seq, parent_hash, created_at and share_url", problem))?;
    alike("receipt_id", &receipt.receipt_id, &named.receipt_id)?;
    alike("org_seq", &receipt.org_seq, &named.org_seq)?;
    alike("parent_hash", &receipt.parent_hash, &named.parent_hash)?;
    alike("created_at", &receipt.created_at, &named.created_at)?;
    alike("share_url", &receipt.share_url, &named.share_url)?;
    Ok(format!("{}, number {} of its organisation", receipt.receipt_id, receipt.org_seq))
}

fn leaf(bundle: &Bundle) -> Found {
    let (receipt, log) = (&bundle.receipt, &bundle.log);
    let leaf = Leaf::parse_strict(log.leaf.as_bytes()).map_err(|problem| fails("the leaf of a receipt", problem))?;
    let named = leaf.receipt.ok_or_else(|| fails("the leaf of a receipt", "the leaf of another event"))?;
    alike("index", &log.index, &leaf.org_position)?;
    alike("receipt_id", &receipt.receipt_id, &named.receipt_id)?;
    alike("org_seq", &receipt.org_seq, &named.org_seq)?;
    alike("parent_hash", &receipt.parent_hash, &named.parent_hash)?;
    alike("receipt_sha256", &receipt.receipt_sha256, &named.receipt_sha256)?;
    Ok(format!("leaf {}", log.index))
}

/// A signed checkpoint, read.
struct Signed {
    note: Note,
    checkpoint: Checkpoint,
    origin: Origin,
}

impl Signed {
    fn read(note: &str) -> Result<Self, String> {
        let note: Note = note.parse().map_err(|problem: NoteError| problem.to_string())?;
        let checkpoint: Checkpoint = note.text.parse().map_err(|problem| format!("{problem}"))?;
        let origin = checkpoint.origin.parse().map_err(|problem| format!("{problem}"))?;
        Ok(Self { note, checkpoint, origin })
    }

    /// Which of the keys, from this one on, has signed it as its log.
    fn by_key_of(&self, bundle: &Bundle, first: usize) -> Found<usize> {
        self.by(bundle.keys.iter().skip(first).map(|key| key.public_key))
            .map(|position| first + position)
            .map_err(|problem| fails("a signature by one of the log's keys", problem))
    }

    fn by(&self, keys: impl Iterator<Item = PublicKey> + Clone) -> Result<usize, NoteError> {
        // A key that is listed again adds nothing, but work.
        let different: BTreeSet<_> = keys.clone().collect();
        let known: Result<Vec<_>, _> =
            different.into_iter().map(|key| VerifierKey::log(&self.checkpoint.origin, key)).collect();
        let known = known?;
        let verified = self.note.verify(&known)?;
        let positions = verified.iter().filter_map(|by| keys.clone().zip(0..).find(|(key, _)| *key == by.key.key()));
        // While a key is replaced both may sign: the last one counts.
        positions.map(|(_, position)| position).max().ok_or(NoteError::Unknown)
    }
}

/// Whether the checkpoint is one of the log that the bundle names; whose key signed it.
fn of_its_log(bundle: &Bundle, signed: Option<&Signed>, key: Option<PublicKey>) -> Found {
    alike("log", bundle.log.log_id.as_str(), signed.map_or("", |signed| &signed.origin.log_id))?;
    Ok(key.map(|key| key.to_string()).unwrap_or_default())
}

const NO_CHECKPOINT: &str = "nothing, since the checkpoint cannot be read";

fn inclusion(bundle: &Bundle, signed: Option<&Signed>) -> Found {
    let log = &bundle.log;
    let Some(Signed { checkpoint, .. }) = signed else {
        return Err(not_checked("the leaf in the checkpoint's tree", NO_CHECKPOINT));
    };
    let leaf = merkle::leaf(log.leaf.as_bytes());
    merkle::verify_inclusion(leaf, log.index, checkpoint.size, &log.inclusion_proof, checkpoint.root).map_err(
        |problem| fails(format!("leaf {} in the tree with the root {}", log.index, checkpoint.root), problem),
    )?;
    Ok(format!("leaf {} of {}", log.index, checkpoint.size))
}

fn keys(bundle: &Bundle, signed: Option<&Signed>) -> Found {
    let Some(Signed { origin, .. }) = signed else {
        return Err(not_checked("keys that introduce one another", NO_CHECKPOINT));
    };
    rotation::walk(&origin.log_name, &bundle.keys)
        .map_err(|problem| fails("keys of which each is introduced by the one before", problem))?;
    Ok(format!("{} of {}", if bundle.keys.len() == 1 { "the one key" } else { "the keys" }, origin.log_name))
}

/// What holds of the registry, and which of the keys signed for it.
fn registry(bundle: &Bundle, signed: Option<&Signed>, position: Option<usize>) -> Found<(String, usize)> {
    const EXPECTED: &str = "the log's place in the registry";
    let Some(registry) = &bundle.registry else {
        return Err(not_checked(EXPECTED, "none yet"));
    };
    let (Some(first), Some(position)) = (signed, position) else {
        return Err(not_checked(EXPECTED, "nothing, since the log's checkpoint does not hold"));
    };
    let read = |note| Signed::read(note).map_err(|problem| fails("a signed checkpoint", problem));
    let (registered, holds) = (read(&registry.registered)?, read(&registry.checkpoint)?);
    // The log's own later checkpoint.
    alike("log name", &first.origin.log_name, &registered.origin.log_name)?;
    alike("log", &first.origin.log_id, &registered.origin.log_id)?;
    if registered.origin.epoch < first.origin.epoch {
        return Err(fails(
            format!("epoch {} or later", first.origin.epoch),
            format!("epoch {}", registered.origin.epoch),
        ));
    }
    registered.by_key_of(bundle, position)?;
    let (from, to) = (&first.checkpoint, &registered.checkpoint);
    merkle::verify_consistency(from.size, from.root, to.size, to.root, &registry.consistency_proof)
        .map_err(|problem| fails("a registered tree that continues the log's", problem))?;
    // The registry's.
    alike("log name", &first.origin.log_name, &holds.origin.log_name)?;
    alike("log", REGISTRY, &holds.origin.log_id)?;
    let by = holds.by_key_of(bundle, position)?;
    let entry = merkle::leaf(sha256(registry.registered.as_bytes()).as_bytes());
    let Checkpoint { size, root, .. } = holds.checkpoint;
    merkle::verify_inclusion(entry, registry.index, size, &registry.inclusion_proof, root)
        .map_err(|problem| fails("the registered checkpoint in the registry's tree", problem))?;
    Ok((format!("leaf {} of {size}", registry.index), by))
}

fn witnesses(registry: Option<&Registered>, trust: &Trust) -> Found {
    const EXPECTED: &str = "cosignatures by known witnesses";
    let Some(registry) = registry else {
        return Err(not_checked(EXPECTED, "none, since the log is not in the registry yet"));
    };
    let note: Note = registry.checkpoint.parse().map_err(|problem| fails(EXPECTED, problem))?;
    let is_witness = |key: &&VerifierKey| key.algorithm() == Algorithm::Cosignature;
    let known: Vec<_> = trust.witnesses.iter().filter(is_witness).cloned().collect();
    match note.verify(&known) {
        Ok(verified) => {
            let says = |by: &crate::note::Verified<'_>| format!("{} at {}", by.key.name(), by.time.unwrap_or_default());
            Ok(verified.iter().map(says).collect::<Vec<_>>().join(", "))
        }
        Err(NoteError::Unknown) => {
            let others = note.signatures.len().saturating_sub(1);
            Err(not_checked(EXPECTED, format!("{others} by others, none by a known witness")))
        }
        Err(problem) => Err(fails(EXPECTED, problem)),
    }
}

fn signer(
    bundle: &Bundle,
    trust: &Trust,
    signed: Option<&Signed>,
    introduced: bool,
    position: Option<usize>,
    registered_by: Option<usize>,
) -> (Signer, Found) {
    const EXPECTED: &str = "a key that is known from elsewhere";
    let pinned = trust.checkpoint.as_ref().map(|note| Signed::read(&note.to_string()));
    if trust.keys.is_empty() && pinned.is_none() {
        return (Signer::Unknown, Err(not_checked(EXPECTED, "none was given")));
    }
    let other = |problem: Finding| (Signer::Other, Err(problem));
    let mut trusted: Vec<usize> = Vec::new();
    for key in &trust.keys {
        trusted.extend(bundle.keys.iter().position(|of| of.public_key == *key));
    }
    match &pinned {
        None => {}
        Some(Err(problem)) => return other(fails("a pinned checkpoint", problem)),
        Some(Ok(pinned)) => {
            if let Err(two) = one_history(bundle, signed, pinned) {
                return other(two);
            }
            trusted.extend(pinned.by(bundle.keys.iter().map(|key| key.public_key)));
        }
    }
    // The first of the keys that is trusted vouches for all that come after it; where the registry holds the log's tree,
    // by the signature there too.
    let (Some(first), Some(position)) = (trusted.into_iter().min(), position) else {
        return other(fails(EXPECTED, "another key"));
    };
    let last = registered_by.unwrap_or(position).max(position);
    let key = |at: usize| bundle.keys.get(at).map(|key| key.public_key.to_string()).unwrap_or_default();
    match introduced && first <= last {
        true => (Signer::Known, Ok(key(first))),
        false => other(fails(EXPECTED, key(position))),
    }
}

/// Whether the pinned checkpoint and those of the bundle that are of the same log and size have one root.
fn one_history(bundle: &Bundle, signed: Option<&Signed>, pinned: &Signed) -> Found<()> {
    let registry = bundle.registry.iter().flat_map(|registry| [&registry.registered, &registry.checkpoint]);
    let others: Vec<_> = registry.filter_map(|note| Signed::read(note).ok()).collect();
    for Signed { checkpoint, .. } in signed.into_iter().chain(&others) {
        if checkpoint.origin == pinned.checkpoint.origin && checkpoint.size == pinned.checkpoint.size {
            same(pinned.checkpoint.root, checkpoint.root)?;
        }
    }
    Ok(())
}
