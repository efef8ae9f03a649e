//! The canonical form of what is hashed, and the refusal of JSON that has no one meaning.
//!
//! The form is RFC 8785 (JSON Canonicalization Scheme) of a strict profile, in which it needs no
//! floating-point text and no UTF-16 sorting: numbers are integers within ±(2^53 − 1), object keys
//! are ASCII and sorted, nesting is at most [`MAX_DEPTH`] deep.

mod strict;
pub(crate) mod text;

pub use strict::{Place, Refusal, StrictError, from_slice_strict, parse_strict};

/// How many arrays and objects may be open at once.
pub const MAX_DEPTH: usize = 64;
