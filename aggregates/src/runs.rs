//! Runs: an agent's work, from its assignment to its receipt.
//!
//! One stream per run. A round begins with a submission; evidence added or work resubmitted voids
//! the audit that went before, so that nobody approves a verdict on something they did not see.

mod approval;
pub mod audit;
pub mod evaluation;
pub mod evidence;
mod findings;
pub mod project;
mod refusal;
mod submission;
pub mod verdict;

pub use self::{
    approval::Approval,
    evidence::Evidence,
    findings::{Applied, Audit, Findings, check_id},
    refusal::RunRefusal,
    submission::{Agent, Submission, Work},
};

use crate::{
    Decider, Demands, Fact, Permission,
    identity::actor::Actor,
    ids::{AgentProfileId, CheckId, ProjectId, RunId, SheetId},
    rulebooks::vocabulary::{ApprovalDecision, CheckStatus, Lane},
    text::Text,
    time::Time,
};
use audit::Outcome;
use evaluation::{Evaluated, Evaluation};
use proof::digest::Sha256Hex;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use verdict::Verdict;

/// The most pieces of evidence that a run holds.
pub const EVIDENCE_LIMIT: usize = 1_000;

/// Where a run stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Opened without a flight sheet.
    #[default]
    Draft,
    /// Opened with a flight sheet: the assignment is written.
    AssignmentIssued,
    /// Work was submitted and awaits an audit.
    Submitted,
    /// Audited; a person has checks to grade, or the verdict awaits finalizing.
    Audited,
    /// The verdict stands and awaits a decision.
    FindingsReady,
    /// Approved: a receipt may be minted.
    Approved,
    /// Sent back.
    Rejected,
    /// Handed to somebody else for the decision.
    Escalated,
    /// The receipt is minted and the run is closed.
    Receipted,
}

impl RunStatus {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::AssignmentIssued => "assignment_issued",
            Self::Submitted => "submitted",
            Self::Audited => "audited",
            Self::FindingsReady => "findings_ready",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Escalated => "escalated",
            Self::Receipted => "receipted",
        }
    }
}

/// The flight sheet of a run, pinned to its exact content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinnedSheet {
    /// The sheet.
    pub id: SheetId,
    /// Its readable name.
    pub slug: String,
    /// Its title.
    pub name: String,
    /// Its declared version.
    pub version: String,
    /// SHA-256 of its exact bytes, which stay readable under this digest.
    pub content_sha256: Sha256Hex,
    /// At or above this score the verdict's threshold band is `above`.
    pub pass_threshold: u8,
    /// Below this score it is `below`.
    pub fail_threshold: u8,
}

/// The receipt that closed a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedReceipt {
    /// `DCR-` with the sequence and eight random digits.
    pub receipt_id: String,
    /// The receipt's place in the organisation's chain.
    pub org_seq: u64,
    /// SHA-256 of its payload.
    pub receipt_sha256: Sha256Hex,
}

/// A run: where it stands, and the lists that grow with it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Run {
    /// Where it stands.
    pub head: Head,
    /// What was attached, in order, without its content.
    pub evidence: Vec<Evidence>,
    /// The digests of the submissions, in order; the last one counts.
    pub rounds: Vec<Sha256Hex>,
    /// The checks of the audit that stands.
    pub checks: Vec<Outcome>,
    /// What the last verdict said of the run's agent, also when that verdict no longer stands.
    pub evaluated: Option<Evaluated>,
}

/// Where a run stands, without the lists that grow: what the read model keeps of it, folded by the same code.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Head {
    /// What it was opened with; none, and there is no such run.
    pub opened: Option<Opened>,
    /// Its status.
    pub status: RunStatus,
    /// Who does the work, as declared last.
    pub agent: Agent,
    /// The submission that counts.
    pub submission: Option<Submission>,
    /// How many audits there were.
    pub audits: u32,
    /// The audit that stands, unless something has voided it.
    pub audit: Option<Applied>,
    /// The verdict that stands.
    pub verdict: Option<Verdict>,
    /// The decision on it.
    pub approval: Option<Approval>,
    /// The receipt.
    pub receipt: Option<SealedReceipt>,
}

/// What a run is opened with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// The run's own id, which the ids of its checks are made from.
    pub id: RunId,
    /// The project.
    pub project: ProjectId,
    /// The rulebook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sheet: Option<PinnedSheet>,
    /// The profile of the agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_profile: Option<AgentProfileId>,
    /// The lane.
    pub lane: Lane,
    /// The title, 1 to 300 characters.
    pub title: String,
    /// The declared inputs: the exact text of a JSON object.
    pub inputs: Text,
    /// What the agent is asked to do, written from the sheet; the text lies in the store's blobs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignment_sha256: Option<Sha256Hex>,
    /// Who does the work.
    pub agent: Agent,
}

/// What may be asked of a run.
#[derive(Clone, Debug)]
pub enum RunCommand {
    /// Open it.
    Open(Box<Opened>),
    /// Attach evidence.
    Attach(Evidence),
    /// Hand in work; the round is counted by the run.
    Submit(Box<Work>),
    /// Record what the referee found.
    Audit(Box<Findings>),
    /// Grade a check that a person must grade.
    Grade {
        /// The check.
        check: CheckId,
        /// Met, or broken.
        met: bool,
        /// Why.
        detail: Option<String>,
    },
    /// Let the verdict follow from the graded checks.
    Finalize,
    /// Decide on the verdict.
    Decide {
        /// The decision.
        decision: ApprovalDecision,
        /// By whom.
        actor: Actor,
        /// Why.
        note: Option<String>,
        /// When.
        at: Time,
        /// Whether the organisation lets people approve what they submitted.
        allow_self_approval: bool,
    },
    /// Close the run with its receipt.
    Seal(SealedReceipt),
}

/// What happened to a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunEvent {
    /// It was opened.
    RunOpened(Box<Opened>),
    /// Evidence was attached.
    EvidenceAttached(Evidence),
    /// Work was handed in; what was audited before is void.
    WorkSubmitted(Box<Submission>),
    /// The rulebook was applied.
    RulebookApplied(Box<Audit>),
    /// A person graded a check.
    CheckGraded {
        /// The check's place among the audit's checks, from 0.
        ordinal: u32,
        /// Its new status.
        status: CheckStatus,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        detail: Option<String>,
    },
    /// The verdict stands.
    VerdictFinalized(Box<Verdict>),
    /// The verdict counts for the profile that the run was opened with.
    ProfileEvaluated(Box<Evaluation>),
    /// A person decided.
    DecisionRecorded(Approval),
    /// The receipt closed the run.
    ReceiptSealed(SealedReceipt),
}

impl Fact for RunEvent {
    fn name(&self) -> &'static str {
        match self {
            Self::RunOpened(_) => "run_opened",
            Self::EvidenceAttached(_) => "evidence_attached",
            Self::WorkSubmitted(_) => "work_submitted",
            Self::RulebookApplied(_) => "rulebook_applied",
            Self::CheckGraded { .. } => "check_graded",
            Self::VerdictFinalized(_) => "verdict_finalized",
            Self::ProfileEvaluated(_) => "profile_evaluated",
            Self::DecisionRecorded(_) => "decision_recorded",
            Self::ReceiptSealed(_) => "receipt_sealed",
        }
    }
}

impl Demands for RunCommand {
    fn permission(&self) -> Permission {
        match self {
            Self::Grade { .. } | Self::Decide { .. } => Permission::Judge,
            Self::Open(_) | Self::Attach(_) | Self::Submit(_) | Self::Audit(_) | Self::Finalize | Self::Seal(_) => {
                Permission::Work
            }
        }
    }
}

impl Head {
    /// What an event changes.
    pub fn evolve(&mut self, event: &RunEvent) {
        match event {
            RunEvent::RunOpened(opened) => {
                self.status = if opened.sheet.is_some() { RunStatus::AssignmentIssued } else { RunStatus::Draft };
                self.agent = opened.agent.clone();
                self.opened = Some((**opened).clone());
            }
            RunEvent::EvidenceAttached(_) => {
                if !matches!(self.status, RunStatus::Draft | RunStatus::AssignmentIssued) {
                    self.status = RunStatus::Submitted;
                    self.void();
                }
            }
            RunEvent::WorkSubmitted(submission) => {
                self.agent = submission.agent.clone();
                self.submission = Some((**submission).clone());
                self.status = RunStatus::Submitted;
                self.void();
            }
            RunEvent::RulebookApplied(audit) => {
                self.void();
                self.audits = audit.applied.number;
                self.audit = Some(audit.applied.clone());
                self.verdict = audit.verdict.clone();
                self.status = if self.verdict.is_some() { RunStatus::FindingsReady } else { RunStatus::Audited };
            }
            RunEvent::CheckGraded { .. } => {
                self.verdict = None;
                self.status = RunStatus::Audited;
            }
            RunEvent::VerdictFinalized(verdict) => {
                self.verdict = Some((**verdict).clone());
                self.status = RunStatus::FindingsReady;
            }
            // It is the profile that it happens to.
            RunEvent::ProfileEvaluated(_) => {}
            RunEvent::DecisionRecorded(approval) => {
                self.status = match approval.decision {
                    ApprovalDecision::Approved => RunStatus::Approved,
                    ApprovalDecision::Rejected => RunStatus::Rejected,
                    ApprovalDecision::Escalated => RunStatus::Escalated,
                };
                self.approval = Some(approval.clone());
            }
            RunEvent::ReceiptSealed(receipt) => {
                self.receipt = Some(receipt.clone());
                self.status = RunStatus::Receipted;
            }
        }
    }

    /// What was audited and decided no longer stands.
    fn void(&mut self) {
        self.audit = None;
        self.verdict = None;
        self.approval = None;
    }

    fn is_at(&self, action: &'static str, allowed: &[RunStatus], words: &'static str) -> Result<(), RunRefusal> {
        match self.status {
            status if allowed.contains(&status) => Ok(()),
            RunStatus::Receipted => Err(RunRefusal::Closed),
            status => Err(RunRefusal::NotNow { action, status, allowed: words }),
        }
    }

    /// What the run was opened with.
    pub fn opened(&self) -> Result<&Opened, RunRefusal> {
        self.opened.as_ref().ok_or(RunRefusal::Unknown)
    }

    /// Whether a receipt can be minted now; asked before the receipt is drawn up, and again when it is sealed.
    pub fn sealable(&self) -> Result<(&Verdict, &Approval), RunRefusal> {
        self.opened()?;
        if self.status == RunStatus::Receipted {
            return Err(RunRefusal::Closed);
        }
        let verdict = self.verdict.as_ref().ok_or(RunRefusal::NoVerdict)?;
        match &self.approval {
            Some(approval) if self.status == RunStatus::Approved => Ok((verdict, approval)),
            _ => Err(RunRefusal::NotApproved),
        }
    }

    /// Whether evidence can be attached now; asked before an upload is stored, and again when it is recorded.
    pub fn attachable(&self) -> Result<(), RunRefusal> {
        use RunStatus::*;
        self.opened()?;
        self.is_at(
            "adding evidence",
            &[Draft, AssignmentIssued, Submitted, Audited, FindingsReady, Rejected, Escalated],
            "not yet approved",
        )
    }
}

impl Decider for Run {
    const TYPE: &'static str = "run";
    type Command = RunCommand;
    type Event = RunEvent;
    type Refusal = RunRefusal;

    fn decide(&self, command: RunCommand) -> Result<Vec<RunEvent>, RunRefusal> {
        if !matches!(command, RunCommand::Open(_)) {
            self.head.opened()?;
        }
        match command {
            RunCommand::Open(_) if self.head.opened.is_some() => Err(RunRefusal::AlreadyOpen),
            RunCommand::Open(opened) => Ok(vec![RunEvent::RunOpened(opened)]),
            RunCommand::Attach(evidence) => {
                self.head.attachable()?;
                if self.evidence.len() >= EVIDENCE_LIMIT {
                    return Err(RunRefusal::EvidenceFull);
                }
                Ok(vec![RunEvent::EvidenceAttached(evidence)])
            }
            RunCommand::Submit(work) => self.submit(*work),
            RunCommand::Audit(findings) => self.apply_rulebook(*findings),
            RunCommand::Grade { check, met, detail } => self.grade(check, met, detail),
            RunCommand::Finalize => self.finalize(),
            RunCommand::Decide { decision, actor, note, at, allow_self_approval } => {
                self.decide_on_verdict(decision, actor, note, at, allow_self_approval)
            }
            RunCommand::Seal(receipt) => {
                self.head.sealable()?;
                Ok(vec![RunEvent::ReceiptSealed(receipt)])
            }
        }
    }

    fn evolve(&mut self, event: &RunEvent) {
        self.head.evolve(event);
        match event {
            RunEvent::EvidenceAttached(evidence) => self.evidence.push(evidence.without_content()),
            RunEvent::WorkSubmitted(submission) => self.rounds.push(submission.sha256),
            RunEvent::RulebookApplied(audit) => self.checks.clone_from(&audit.checks),
            RunEvent::CheckGraded { ordinal, status, detail } => {
                if let Some(check) = self.checks.get_mut(*ordinal as usize) {
                    check.graded(*status, detail.clone());
                }
            }
            RunEvent::ProfileEvaluated(evaluation) => self.evaluated = Some(evaluation.result.clone()),
            _ => {}
        }
        if self.head.audit.is_none() {
            self.checks.clear();
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
