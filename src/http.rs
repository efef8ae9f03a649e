//! How a program reaches the service: the wire kit, and one file of handlers for each context.

pub mod body;
pub mod error;
pub mod reply;
