//! The shape that every aggregate has.

use serde::{Serialize, de::DeserializeOwned};
use std::{error::Error, fmt::Debug};

/// An aggregate: what may happen to one record, given what has happened to it.
pub trait Decider: Default + Clone + Send + Sync + Serialize + DeserializeOwned + 'static {
    /// The aggregate's type on the ledger, such as `run`.
    const TYPE: &'static str;
    /// What somebody asks for.
    type Command: Demands + Send;
    /// What happened.
    type Event: Fact;
    /// Why it may not happen.
    type Refusal: Refusal;

    /// What follows from the command, given what has happened. No events: nothing is left to do.
    fn decide(&self, command: Self::Command) -> Result<Vec<Self::Event>, Self::Refusal>;

    /// What an event changes.
    fn evolve(&mut self, event: &Self::Event);
}

/// Something that happened, as it is written on the ledger.
pub trait Fact: Clone + Debug + PartialEq + Send + Sync + Serialize + DeserializeOwned + 'static {
    /// The version of the event's shape; a change of shape raises it and brings an upcaster.
    const VERSION: &'static str = "1";

    /// The event's name on the ledger: past tense, snake case.
    fn name(&self) -> &'static str;
}

/// A command says what it takes to be allowed to give it.
pub trait Demands {
    /// The permission that the caller's role must have.
    fn permission(&self) -> Permission;
}

/// What a role may be allowed to do. `identity::roles` holds the one table of who has which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Permission {
    /// Read everything in the organisation.
    Read,
    /// Create and change records, collect evidence, submit, audit, finalize, mint.
    Work,
    /// Grade, approve or reject, accept a risk, start verification, export the ledger.
    Judge,
    /// Users, API keys, settings, deletion, erasure.
    Administer,
    /// Given by the service to itself (sign-up, the built-in library, jobs); no role has it.
    Service,
}

/// Why a command is refused: one sentence for a person, and its kind for a program.
pub trait Refusal: Error + Send + Sync + 'static {
    /// What sort of refusal it is.
    fn fault(&self) -> Fault;
}

/// The sorts of refusal; the wire gives each its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The record, or a part of it that the command names, does not exist.
    NotFound,
    /// The record's state does not allow it, or it would be a duplicate.
    Conflict,
    /// The caller may not do it, whatever its role (separation of duties, the human gate).
    Forbidden,
    /// The input breaks a rule; the field at fault, where there is one.
    Invalid(Option<&'static str>),
}
