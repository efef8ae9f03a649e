//! What is shown: read models that are pure folds of the ledger's events.
//!
//! Everything here can be deleted and rebuilt from the events. Every query takes the organisation
//! first; there is no query without one.

pub mod agents;
pub mod db;
pub mod event;
pub mod identity;
pub mod ledger;
pub mod model;
pub mod rulebooks;
pub mod runs;

pub use db::Db;
pub use event::{Happened, Recorded};
pub use model::{Model, ReadModel};

/// Every read model, in the order in which they are folded.
pub fn models() -> Vec<Model> {
    [identity::models(), rulebooks::models(), runs::models(), agents::models(), ledger::models()].concat()
}

#[cfg(test)]
mod tests;
