//! Envelopes and statements: what is written is read the same, and nothing is verified that was not signed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proof::{
    dsse::{Envelope, read_statement, statement},
    note::PublicKey,
};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(envelope) = Envelope::parse(bytes) {
        let written = envelope.to_vec();
        assert_eq!(written.ok().map(|bytes| Envelope::parse(&bytes)), Some(Ok(envelope.clone())));
        assert!(envelope.verify(&[PublicKey::from_bytes([1; 32])]).is_err());
        let _ = read_statement(&envelope.payload);
    }
    if let Ok((receipt, payload)) = read_statement(bytes) {
        let payload = std::str::from_utf8(payload).unwrap_or_default();
        assert_eq!(statement(&receipt, payload).as_deref(), Ok(bytes));
    }
});
