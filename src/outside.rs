//! The world outside: what the service needs of it, each thing in one place.

pub mod chance;
pub mod clock;
