//! Proof: canonical form, digests, hash chains, the Merkle tree of the transparency log and what is signed of it, without
//! I/O, clock or threads, so that an offline verifier needs nothing else.

pub mod bundle;
pub mod canonical;
pub mod checkpoint;
pub mod digest;
pub mod dsse;
mod encoding;
pub mod event;
pub mod leaf;
pub mod merkle;
pub mod note;
pub mod receipt;
pub mod rotation;
pub mod tile;
pub mod tlog_proof;

/// The examples in the README are compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
