//! Receipts for the tools of supply chains: an in-toto Statement v1 in a DSSE v1 envelope.

use crate::{
    bundle::Receipt,
    canonical::{self, CanonicalError, NotCanonical},
    digest::{Sha256Hex, sha256},
    encoding,
    note::{LogKey, PublicKey},
};
use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde::{Deserialize, Serialize, de::IgnoredAny};
use serde_json::Value;

/// What an envelope says it holds.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// What a statement says it is (`_type`).
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";

/// What a statement of ours says about its subject (`predicateType`).
pub const PREDICATE_TYPE: &str = "urn:defendable:receipt:v1";

/// How many bytes an envelope may have.
pub const MAX_ENVELOPE: usize = 32 << 20;

/// How many signatures an envelope may have.
pub const MAX_SIGNATURES: usize = 16;

/// What is signed: the type and the payload, each behind its length in bytes (DSSE's Pre-Authentication Encoding).
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

/// A payload, signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// What the payload is.
    pub payload_type: String,
    /// The payload.
    pub payload: Vec<u8>,
    /// By whom: at least one, in an envelope that was read or signed.
    pub signatures: Vec<Signature>,
}

/// A signature under an envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// Which key it claims to be by: a hint for whoever has many. Ours is the SHA-256 of the key's 32 bytes.
    pub keyid: String,
    /// The signature.
    pub sig: Vec<u8>,
}

/// Why bytes are no envelope, or one is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DsseError {
    /// More than [`MAX_ENVELOPE`] bytes.
    #[error("an envelope has at most {MAX_ENVELOPE} bytes")]
    TooLong,
    /// Not its fields.
    #[error("an envelope is JSON of payload, payloadType and signatures, each of these with a sig: {0}")]
    Shape(String),
    /// No base64 where it belongs.
    #[error("{0} is base64")]
    Base64(&'static str),
    /// None, or more than [`MAX_SIGNATURES`].
    #[error("an envelope has 1 to {MAX_SIGNATURES} signatures; this one has {0}")]
    Signatures(usize),
    /// None of the signatures is by a known key.
    #[error("none of the envelope's signatures is by a known key")]
    Unknown,
}

/// An envelope as it is written.
#[derive(Serialize, Deserialize)]
struct Written {
    payload: String,
    #[serde(rename = "payloadType")]
    payload_type: String,
    signatures: Vec<WrittenSignature>,
}

#[derive(Serialize, Deserialize)]
struct WrittenSignature {
    #[serde(default)]
    keyid: String,
    sig: String,
}

impl Envelope {
    /// A statement, signed.
    pub fn sign(statement: Vec<u8>, key: &LogKey) -> Self {
        let keyid = sha256(key.public().as_bytes()).to_string();
        let sig = key.sign(&pae(PAYLOAD_TYPE, &statement)).to_vec();
        Self { payload_type: PAYLOAD_TYPE.to_owned(), payload: statement, signatures: vec![Signature { keyid, sig }] }
    }

    /// The envelope's JSON, canonical.
    ///
    /// # Errors
    /// There is none to expect: an envelope has a canonical form.
    pub fn to_vec(&self) -> Result<Vec<u8>, CanonicalError> {
        let signature = |signature: &Signature| WrittenSignature {
            keyid: signature.keyid.clone(),
            sig: encoding::base64(&signature.sig),
        };
        canonical::to_vec(&Written {
            payload: encoding::base64(&self.payload),
            payload_type: self.payload_type.clone(),
            signatures: self.signatures.iter().map(signature).collect(),
        })
    }

    /// Reads an envelope. As DSSE asks, base64 may be of either alphabet, padded or not, and fields that are not known
    /// are passed over.
    ///
    /// # Errors
    /// The bytes are none.
    pub fn parse(bytes: &[u8]) -> Result<Self, DsseError> {
        if bytes.len() > MAX_ENVELOPE {
            return Err(DsseError::TooLong);
        }
        let written: Written =
            canonical::from_slice_strict(bytes).map_err(|problem| DsseError::Shape(problem.to_string()))?;
        if !(1..=MAX_SIGNATURES).contains(&written.signatures.len()) {
            return Err(DsseError::Signatures(written.signatures.len()));
        }
        let signature = |signature: WrittenSignature| {
            let sig = decode(&signature.sig).ok_or(DsseError::Base64("sig"))?;
            Ok(Signature { keyid: signature.keyid, sig })
        };
        Ok(Self {
            payload: decode(&written.payload).ok_or(DsseError::Base64("payload"))?,
            payload_type: written.payload_type,
            signatures: written.signatures.into_iter().map(signature).collect::<Result<_, _>>()?,
        })
    }

    /// Which of these keys has signed it: the first that has. `keyid` is not looked at, since nothing proves it.
    ///
    /// # Errors
    /// None has.
    pub fn verify(&self, known: &[PublicKey]) -> Result<PublicKey, DsseError> {
        let message = pae(&self.payload_type, &self.payload);
        let signatures = self.signatures.iter().filter_map(|signature| signature.sig.as_slice().try_into().ok());
        let signatures: Vec<&[u8; 64]> = signatures.collect();
        let by = |key: &&PublicKey| signatures.iter().any(|signature| key.verify(&message, signature));
        known.iter().find(by).copied().ok_or(DsseError::Unknown)
    }
}

/// The bytes of a base64 in either alphabet, padded or not.
fn decode(text: &str) -> Option<Vec<u8>> {
    const EITHER: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let alphabet = if text.contains(['-', '_']) { &alphabet::URL_SAFE } else { &alphabet::STANDARD };
    GeneralPurpose::new(alphabet, EITHER).decode(text).ok()
}

/// Why bytes are no statement on a receipt, or none can be made of one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// The payload or the statement has no canonical form.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
    /// Not a statement's fields.
    #[error("a statement on a receipt: {0}")]
    Shape(#[from] NotCanonical),
    /// It is a statement of another kind.
    #[error("{field} is {found}, expected {expected}")]
    Kind {
        /// Which field.
        field: &'static str,
        /// What it is in a statement on a receipt.
        expected: String,
        /// What it is here.
        found: String,
    },
    /// The payload is not the one that was sealed.
    #[error("the payload's SHA-256 is {found}, expected {expected}")]
    Digest {
        /// The receipt's.
        expected: Sha256Hex,
        /// The payload's.
        found: Sha256Hex,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Statement<P> {
    #[serde(rename = "_type")]
    kind: String,
    predicate: Predicate<P>,
    #[serde(rename = "predicateType")]
    predicate_type: String,
    subject: Vec<Subject>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Predicate<P> {
    payload: P,
    receipt: Receipt,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Subject {
    digest: Digests,
    name: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Digests {
    sha256: Sha256Hex,
}

/// The statement that a receipt was minted, as canonical JSON: its subject is the receipt's id with the payload's SHA-256,
/// its predicate the payload, in the very bytes that were hashed, and the receipt's place in the chain.
///
/// # Errors
/// The payload is not canonical, or not the receipt's.
pub fn statement(receipt: &Receipt, payload: &str) -> Result<Vec<u8>, StatementError> {
    canonical::check(payload.as_bytes())?;
    sealed(receipt, payload.as_bytes())?;
    let payload: Value = canonical::from_slice(payload.as_bytes())?;
    Ok(canonical::to_vec(&Statement {
        kind: STATEMENT_TYPE.to_owned(),
        predicate: Predicate { payload, receipt: receipt.clone() },
        predicate_type: PREDICATE_TYPE.to_owned(),
        subject: vec![subject(receipt)],
    })?)
}

fn subject(receipt: &Receipt) -> Subject {
    Subject { digest: Digests { sha256: receipt.receipt_sha256 }, name: receipt.receipt_id.clone() }
}

fn sealed(receipt: &Receipt, payload: &[u8]) -> Result<(), StatementError> {
    let (expected, found) = (receipt.receipt_sha256, sha256(payload));
    if expected == found { Ok(()) } else { Err(StatementError::Digest { expected, found }) }
}

/// Reads a statement on a receipt: the receipt, and the payload's bytes, whose digest is found to be the receipt's.
///
/// # Errors
/// It is none, or says different things of one receipt.
pub fn read_statement(statement: &[u8]) -> Result<(Receipt, &[u8]), StatementError> {
    let read: Statement<IgnoredAny> = canonical::from_slice(statement)?;
    let receipt = read.predicate.receipt;
    let subjects = |subjects: &[Subject]| {
        subjects
            .iter()
            .map(|Subject { digest, name }| format!("{name} {}", digest.sha256))
            .collect::<Vec<_>>()
            .join(", ")
    };
    for (field, expected, found) in [
        ("_type", STATEMENT_TYPE.to_owned(), read.kind),
        ("predicateType", PREDICATE_TYPE.to_owned(), read.predicate_type),
        ("subject", subjects(&[subject(&receipt)]), subjects(&read.subject)),
    ] {
        if expected != found {
            return Err(StatementError::Kind { field, expected, found });
        }
    }
    let [predicate] = canonical::members(statement, ["predicate"])?;
    let [payload] = canonical::members(predicate.unwrap_or_default(), ["payload"])?;
    let payload = payload.unwrap_or_default();
    sealed(&receipt, payload)?;
    Ok((receipt, payload))
}
