//! Signed notes and lines of signatures: what is read is written the same, and verified without a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proof::note::{Algorithm, Note, PublicKey, VerifierKey, signatures};

fuzz_target!(|text: &str| {
    if let Ok(lines) = signatures(text) {
        let written: Vec<_> = lines.iter().map(ToString::to_string).collect();
        assert_eq!(written.join("\n"), text.strip_suffix('\n').unwrap_or(text));
    }
    let Ok(note) = text.parse::<Note>() else { return };
    assert_eq!(note.to_string(), text);
    for signature in &note.signatures {
        // A key of this name that was not asked to sign.
        let key = PublicKey::from_bytes([1; 32]);
        for known in [VerifierKey::log(&signature.name, key), VerifierKey::cosigner(&signature.name, key)] {
            let Ok(known) = known else { panic!("a name that was read is one") };
            assert!(matches!(known.algorithm(), Algorithm::Ed25519 | Algorithm::Cosignature));
            assert!(note.verify(&[known]).is_err());
        }
    }
});
