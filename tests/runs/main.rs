//! Runs over HTTP: their states, what they take in, and what holds when many ask at once or ask twice.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

#[path = "../support/mod.rs"]
mod support;

mod concurrency;
mod input;
mod lists;
mod repeats;
mod states;
mod tenants;
mod uploads;
mod verdicts;
