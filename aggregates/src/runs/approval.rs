//! The human gate: a person other than whoever did the work decides on the verdict.

use super::{Run, RunEvent, RunRefusal, RunStatus};
use crate::{
    identity::actor::Actor,
    ids::UserId,
    rulebooks::vocabulary::{ApprovalDecision, Severity},
    time::Time,
};
use serde::{Deserialize, Serialize};

/// A person's decision on the verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// What was decided.
    pub decision: ApprovalDecision,
    /// By whom.
    pub approver: UserId,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// When.
    pub decided_at: Time,
}

impl Run {
    pub(super) fn decide_on_verdict(
        &self,
        decision: ApprovalDecision,
        actor: Actor,
        note: Option<String>,
        at: Time,
        allow_self_approval: bool,
    ) -> Result<Vec<RunEvent>, RunRefusal> {
        use RunStatus::*;
        let approver = actor.user().ok_or(RunRefusal::NotAPerson)?;
        if self.head.status == Receipted {
            return Err(RunRefusal::Closed);
        }
        let verdict = self.head.verdict.as_ref().ok_or(RunRefusal::NoVerdict)?;
        match decision {
            ApprovalDecision::Approved => self.head.is_at(
                "approving",
                &[FindingsReady, Escalated, Rejected],
                "findings_ready, escalated or rejected",
            )?,
            ApprovalDecision::Rejected => {
                self.head.is_at("rejecting", &[FindingsReady, Escalated], "findings_ready or escalated")?
            }
            ApprovalDecision::Escalated => self.head.is_at("escalating", &[FindingsReady], "findings_ready")?,
        }
        let own = self.head.submission.as_ref().is_some_and(|submission| submission.submitted_by == actor);
        if own && !allow_self_approval {
            return Err(RunRefusal::OwnWork);
        }
        let note = note.map(|note| note.trim().to_owned()).filter(|note| !note.is_empty());
        if decision == ApprovalDecision::Approved && verdict.severity == Severity::Propolis && note.is_none() {
            return Err(RunRefusal::NoteMissing);
        }
        Ok(vec![RunEvent::DecisionRecorded(Approval { decision, approver, note, decided_at: at })])
    }
}
