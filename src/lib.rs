//! How Defendable is reached, and everything that touches the world.

pub mod app;
pub mod cli;
pub mod config;
pub mod http;
pub mod outside;
pub mod store;
pub mod web;
