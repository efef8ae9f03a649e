//! Runs: one piece of an agent's work, from its assignment to its receipt.

pub mod audit;
pub mod verdict;
