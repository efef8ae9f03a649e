//! Who acts, for which organisation, and what they may do.

pub mod actor;
pub mod roles;
