//! Why a run refuses.

use super::{EVIDENCE_LIMIT, RunStatus};
use crate::{Fault, Refusal};

/// Why a run refuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RunRefusal {
    /// There is no such run.
    #[error("there is no such run")]
    Unknown,
    /// It exists already.
    #[error("the run is already open")]
    AlreadyOpen,
    /// The receipt closed it.
    #[error("the run has its receipt and is closed; open a new run for further work")]
    Closed,
    /// The status does not allow it.
    #[error("{action} is not possible while the run is {}; it is possible when it is {allowed}", status.as_str())]
    NotNow {
        /// What was asked.
        action: &'static str,
        /// Where the run stands.
        status: RunStatus,
        /// Where it would have to stand.
        allowed: &'static str,
    },
    /// Too much evidence.
    #[error("a run holds at most {EVIDENCE_LIMIT} pieces of evidence")]
    EvidenceFull,
    /// Nothing to audit against.
    #[error("the run has no flight sheet, so there is nothing to audit against; open a run with one")]
    NoSheet,
    /// Nothing to audit.
    #[error("nothing has been submitted yet; submit the work, then audit it")]
    NoSubmission,
    /// Something arrived while the referee was at work.
    #[error("evidence or work arrived while the audit ran; audit again")]
    AuditOvertaken,
    /// Nothing to finalize.
    #[error("the run has no checks to finalize; audit it first")]
    NoChecks,
    /// A person has yet to grade.
    #[error("{0} checks are still open; grade them, then finalize")]
    ChecksOpen(usize),
    /// No rule applied.
    #[error("no check applied to this submission, so there is nothing to base a verdict on")]
    NothingApplied,
    /// No such check.
    #[error("there is no such check in the run's current audit")]
    NoSuchCheck,
    /// The referee's own check.
    #[error("the referee applied this check itself; only checklist rules are graded by a person")]
    NotGradable,
    /// No verdict.
    #[error("the run has no verdict yet; audit it, grade what is open and finalize")]
    NoVerdict,
    /// A program may not approve.
    #[error("an API key cannot decide on a run; a person must")]
    NotAPerson,
    /// Separation of duties.
    #[error(
        "whoever submitted the work cannot decide on it; ask somebody else, or let an admin turn on allow_self_approval"
    )]
    OwnWork,
    /// A propolis verdict needs a reason.
    #[error("a propolis verdict is approved only with a note that says why")]
    NoteMissing,
    /// Not approved.
    #[error("a receipt needs an approval; the run is not approved")]
    NotApproved,
}

impl Refusal for RunRefusal {
    fn fault(&self) -> Fault {
        match self {
            Self::Unknown | Self::NoSuchCheck => Fault::NotFound,
            Self::NotAPerson | Self::OwnWork => Fault::Forbidden,
            Self::NoteMissing => Fault::Invalid(Some("note")),
            _ => Fault::Conflict,
        }
    }
}
