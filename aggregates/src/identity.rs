//! Who acts, for which organisation, and what they may do.

pub mod actor;
pub mod address;
pub mod api_key;
pub mod organisation;
pub mod roles;
pub mod user;
