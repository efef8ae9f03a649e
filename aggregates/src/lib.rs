//! What is true: the rules of Defendable, pure and synchronous.
//!
//! Every record is an aggregate with a decider: a command and what has happened so far give
//! either new events or one refusal. Nothing here knows a clock, a random number, a database or a
//! network; whatever comes from the world comes in with the command.

pub mod agents;
pub mod decider;
pub mod identity;
pub mod ids;
pub mod ledger;
pub mod personal;
pub mod rulebooks;
pub mod runs;
pub mod slug;
pub mod sourced;
#[cfg(test)]
pub(crate) mod testing;
pub mod text;
pub mod time;

pub use decider::{Decider, Demands, Fact, Fault, Permission, Refusal};
