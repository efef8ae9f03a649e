//! How Defendable is reached, and everything that touches the world.

pub mod http;
pub mod outside;
