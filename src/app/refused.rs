//! Why a command or a query is refused.

use crate::{
    http::error::Problem,
    outside::{keys::KeyError, objects::ObjectError, personal::PersonalError, tokens::TokenError},
    store::{AppendError, LoadError, Trouble},
};
use aggregates::{Fault, Permission, Refusal};
use projections::model::is_hidden;
use std::error::Error;

/// Why a command or a query is refused.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The caller's role is too small.
    #[error("your role may not do this; it takes a role that may {}", may(*.0))]
    Forbidden(Permission),
    /// A rule says no.
    #[error("{0}")]
    Rule(String, Fault),
    /// There is no such thing in the caller's organisation.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// The record has moved on; its revision now.
    #[error("the record is at revision {0}")]
    Stale(i64),
    /// The input breaks a rule: the field and what is allowed.
    #[error("{1}")]
    Invalid(&'static str, String),
    /// The credential does not hold.
    #[error("sign in")]
    Unauthorized,
    /// The token of a sign-in or invitation link does not hold.
    #[error("the link does not hold")]
    VoidLink,
    /// The ledger did not take it.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The ledger could not be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// The object store failed.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// Something that a person has to configure.
    #[error("{0}")]
    NotConfigured(String),
    /// A fault of the service.
    #[error("{0}")]
    Fault(Box<dyn Error + Send + Sync>),
}

impl Refused {
    /// A rule's refusal.
    pub fn rule(refusal: impl Refusal) -> Self {
        Self::Rule(refusal.to_string(), refusal.fault())
    }
}

impl From<PersonalError> for Refused {
    fn from(error: PersonalError) -> Self {
        Self::Fault(error.into())
    }
}

impl From<KeyError> for Refused {
    fn from(error: KeyError) -> Self {
        Self::Fault(error.into())
    }
}

impl From<TokenError> for Refused {
    fn from(_: TokenError) -> Self {
        Self::Unauthorized
    }
}

const fn may(permission: Permission) -> &'static str {
    match permission {
        Permission::Read => "read (viewer, analyst, auditor or admin)",
        Permission::Work => "create and change records (analyst or admin)",
        Permission::Judge => "judge (auditor or admin)",
        Permission::Administer => "administer (admin)",
        Permission::Service => "act for the service (nobody)",
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let detail = refused.to_string();
        match refused {
            Refused::Forbidden(_) | Refused::Rule(_, Fault::Forbidden) => Self::forbidden(detail),
            Refused::Rule(_, Fault::NotFound) | Refused::NotFound(_) => Self::missing(detail),
            Refused::Rule(_, Fault::Conflict) => Self::conflict(detail),
            Refused::Rule(_, Fault::Invalid(Some(field))) | Refused::Invalid(field, _) => {
                Self::invalid(detail).at(field)
            }
            Refused::Rule(_, Fault::Invalid(None)) => Self::invalid(detail),
            Refused::Stale(revision) => Self::precondition_failed(revision.unsigned_abs()),
            Refused::Unauthorized => Self::unauthorized(),
            Refused::VoidLink => Self::void_link(),
            Refused::Append(AppendError::Conflict | AppendError::Claimed(_)) => Self::conflict(detail),
            Refused::Append(AppendError::KeyReused) => Self::key_reused(detail),
            Refused::Append(AppendError::Full | AppendError::Unavailable(_)) => Self::unavailable(detail),
            Refused::Append(error @ AppendError::Broken(_)) => Self::internal(error),
            Refused::Database(error) => database(error),
            Refused::Load(LoadError::Database(error)) => database(error),
            Refused::Load(error) => Self::internal(error),
            Refused::Object(ObjectError::TooLarge { limit }) => Self::too_large(limit as usize),
            Refused::Object(error @ ObjectError::Interrupted(_)) => Self::bad_request(error.to_string()),
            Refused::Object(error @ ObjectError::Full) => Self::unavailable(format!("{error}; nothing was recorded")),
            Refused::Object(error @ ObjectError::Unavailable(_)) => {
                Self::unavailable("the evidence store cannot be reached; nothing was recorded").because(error)
            }
            Refused::Object(error) => Self::internal(error),
            Refused::NotConfigured(_) => Self::unavailable(detail),
            Refused::Fault(error) => Self::internal(error),
        }
    }
}

/// What cannot be reached is away for now; anything else is a fault of ours.
fn database(error: sqlx::Error) -> Problem {
    match Trouble::of(&error) {
        Trouble::Away => Problem::unavailable("the database cannot be reached; try again in a moment").because(error),
        Trouble::Full => Problem::unavailable("the disk of the database is full").because(error),
        _ if is_hidden(&error) => {
            Problem::unavailable("what this shows is stalled and has to be rebuilt; nothing recorded is lost")
                .because(error)
        }
        Trouble::Taken | Trouble::Other => Problem::internal(error),
    }
}
