//! Proof: canonical form, digests and hash chains, without I/O, clock or threads, so that an
//! offline verifier needs nothing else.

pub mod canonical;
pub mod digest;
pub mod event;
pub mod receipt;
