//! Checkpoints, their origins and keys: what is read is written the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proof::{
    checkpoint::{Checkpoint, Origin},
    note::{Note, PublicKey, VerifierKey},
};

fuzz_target!(|text: &str| {
    let note = text.parse::<Note>();
    let inner = note.as_ref().map_or(text, |note| &note.text);
    if let Ok(checkpoint) = inner.parse::<Checkpoint>() {
        assert_eq!(checkpoint.to_string(), inner);
        if let Ok(origin) = checkpoint.origin.parse::<Origin>() {
            assert_eq!(origin.to_string(), checkpoint.origin);
        }
    }
    if let Ok(key) = text.parse::<VerifierKey>() {
        assert_eq!(key.to_string(), text);
    }
    if let Ok(key) = text.parse::<PublicKey>() {
        assert_eq!(key.to_string(), text);
    }
});
