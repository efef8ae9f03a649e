//! Flight sheets: rulebooks that an agent's work is graded against.

pub mod vocabulary;
