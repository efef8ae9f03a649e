//! Proofs that stand alone: what is read is written the same, and verified without a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proof::{
    checkpoint::Checkpoint,
    note::{PublicKey, VerifierKey},
    tlog_proof::{Policy, TlogProof},
};

fuzz_target!(|text: &str| {
    let Ok(proof) = text.parse::<TlogProof>() else { return };
    assert_eq!(proof.to_string(), text);
    let origin = proof.checkpoint.text.parse::<Checkpoint>().map(|checkpoint| checkpoint.origin).unwrap_or_default();
    let log = VerifierKey::log(origin, PublicKey::from_bytes([1; 32]));
    let policy = Policy { logs: log.into_iter().collect(), ..Policy::default() };
    assert!(proof.verify(b"entry", &policy).is_err());
});
