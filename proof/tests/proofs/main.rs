//! What is handed to others to verify offline: bundles, envelopes and the documents in `tests/documents`, which are also
//! what the fuzzers start from.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod bundle;
mod documents;
mod dsse;
mod others;
mod rotation;
mod sample;
