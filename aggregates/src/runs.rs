//! Runs: an agent's work, from its assignment to its receipt.
//!
//! One stream per run. A round begins with a submission; evidence added or work resubmitted voids
//! the audit that went before, so that nobody approves a verdict on something they did not see.

pub mod audit;
pub mod evidence;
pub mod project;
pub mod verdict;

pub use evidence::Evidence;

use crate::{
    Decider, Demands, Fact, Fault, Permission, Refusal,
    identity::actor::Actor,
    ids::{AgentProfileId, CheckId, ProjectId, RunId, SheetId, SubmissionId, UserId},
    rulebooks::vocabulary::{ApprovalDecision, CheckKind, CheckSource, CheckStatus, Lane, Severity},
    text::Text,
    time::Time,
};
use audit::Outcome;
use proof::digest::Sha256Hex;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use verdict::{NothingApplied, Verdict};

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

/// Who did the work, as declared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// The agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_name: Option<String>,
    /// Its model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_name: Option<String>,
    /// Who serves the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
}

impl Agent {
    /// What this declares, and where it is silent what was declared before.
    fn or(self, before: &Self) -> Self {
        Self {
            agent_name: self.agent_name.or_else(|| before.agent_name.clone()),
            model_name: self.model_name.or_else(|| before.model_name.clone()),
            provider: self.provider.or_else(|| before.provider.clone()),
        }
    }
}

/// Work handed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submission {
    /// Its id.
    pub id: SubmissionId,
    /// 1 for the first submission of the run, 2 for the next.
    pub round: u32,
    /// The text, exactly as it came.
    pub output: Text,
    /// SHA-256 of the text without the white space around it.
    pub sha256: Sha256Hex,
    /// Who did the work.
    pub agent: Agent,
    /// What the agent's tools logged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_logs: Option<Text>,
    /// Remarks of whoever handed it in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<Text>,
    /// Whether it is a customer's data, never to be trained on.
    pub customer_provided: bool,
    /// Who handed it in.
    pub submitted_by: Actor,
    /// When.
    pub submitted_at: Time,
}

/// Which audit of which round, by whom, of what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// 1 for the run's first audit; it tells the checks of one audit from those of another.
    pub number: u32,
    /// The round that was audited.
    pub round: u32,
    /// The referee: its name and version.
    pub engine: (String, String),
    /// The sheet that was applied.
    pub sheet_sha256: Sha256Hex,
    /// Digest of everything that the referee saw: sheet, inputs, submission and evidence.
    pub inputs_sha256: Sha256Hex,
    /// Whether no rule of the sheet needs a person.
    pub deterministic: bool,
}

/// An audit of one round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Audit {
    /// Which audit it was.
    pub applied: Applied,
    /// One outcome per check, in the author's order.
    pub checks: Vec<Outcome>,
    /// The verdict, when nobody has to grade anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
}

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

/// Work to hand in.
#[derive(Clone, Debug)]
pub struct Work {
    /// Its id.
    pub id: SubmissionId,
    /// The text, exactly as it came.
    pub output: Text,
    /// SHA-256 of the text without the white space around it.
    pub sha256: Sha256Hex,
    /// Who did the work; where silent, what the run declared before stays.
    pub agent: Agent,
    /// What the agent's tools logged.
    pub tool_logs: Option<Text>,
    /// Remarks.
    pub notes: Option<Text>,
    /// Whether it is a customer's data.
    pub customer_provided: bool,
    /// Who hands it in.
    pub by: Actor,
    /// When.
    pub at: Time,
}

/// What the referee found, and what it looked at.
#[derive(Clone, Debug)]
pub struct Findings {
    /// The referee: its name and version.
    pub engine: (String, String),
    /// The sheet that was applied.
    pub sheet_sha256: Sha256Hex,
    /// The submission that was audited.
    pub submission: SubmissionId,
    /// How many pieces of evidence were seen.
    pub evidence_seen: usize,
    /// Digest of everything that the referee saw.
    pub inputs_sha256: Sha256Hex,
    /// The outcomes.
    pub checks: Vec<Outcome>,
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

/// The id of a check: made from the run, the round and the check's place, so that auditing the same work again names
/// its checks alike.
pub fn check_id(run: RunId, round: u32, ordinal: u32) -> CheckId {
    let mut hasher = blake3::Hasher::new_derive_key("defendable check id v1");
    hasher.update(run.uuid().as_bytes()).update(&round.to_le_bytes()).update(&ordinal.to_le_bytes());
    let mut bits = [0; 16];
    hasher.finalize_xof().fill(&mut bits);
    CheckId::from_uuid(uuid::Uuid::new_v8(bits))
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

    /// Whether the run can be audited now; asked before the referee goes to work, and again when it is done.
    pub fn auditable(&self) -> Result<(&PinnedSheet, &Submission), RunRefusal> {
        use RunStatus::*;
        let opened = self.opened()?;
        if self.status == Receipted {
            return Err(RunRefusal::Closed);
        }
        let sheet = opened.sheet.as_ref().ok_or(RunRefusal::NoSheet)?;
        let submission = self.submission.as_ref().ok_or(RunRefusal::NoSubmission)?;
        self.is_at("an audit", &[Submitted, Audited, FindingsReady], "submitted, audited or findings_ready")?;
        Ok((sheet, submission))
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

impl Run {
    /// The checks of the audit that stands, each with its id.
    pub fn checks(&self) -> impl Iterator<Item = (CheckId, &Outcome)> {
        let made_of =
            self.head.opened.as_ref().zip(self.head.audit.as_ref()).map(|(opened, audit)| (opened.id, audit.round));
        made_of.into_iter().flat_map(|(run, round)| {
            self.checks.iter().zip(0..).map(move |(check, ordinal)| (check_id(run, round, ordinal), check))
        })
    }

    fn submit(&self, work: Work) -> Result<Vec<RunEvent>, RunRefusal> {
        use RunStatus::*;
        self.head.is_at(
            "submitting work",
            &[Draft, AssignmentIssued, Submitted, Audited, FindingsReady, Rejected, Escalated],
            "not yet approved",
        )?;
        Ok(vec![RunEvent::WorkSubmitted(Box::new(Submission {
            id: work.id,
            round: self.rounds.len() as u32 + 1,
            output: work.output,
            sha256: work.sha256,
            agent: work.agent.or(&self.head.agent),
            tool_logs: work.tool_logs,
            notes: work.notes,
            customer_provided: work.customer_provided,
            submitted_by: work.by,
            submitted_at: work.at,
        }))])
    }

    fn apply_rulebook(&self, findings: Findings) -> Result<Vec<RunEvent>, RunRefusal> {
        let (sheet, submission) = self.head.auditable()?;
        let seen = findings.submission == submission.id
            && findings.evidence_seen == self.evidence.len()
            && findings.sheet_sha256 == sheet.content_sha256;
        if !seen {
            return Err(RunRefusal::AuditOvertaken);
        }
        let open = findings.checks.iter().any(|check| check.status == CheckStatus::Open);
        let verdict = if open { None } else { Some(self.judge(&findings.checks)?) };
        Ok(vec![RunEvent::RulebookApplied(Box::new(Audit {
            applied: Applied {
                number: self.head.audits + 1,
                round: submission.round,
                engine: findings.engine,
                sheet_sha256: findings.sheet_sha256,
                inputs_sha256: findings.inputs_sha256,
                deterministic: findings.checks.iter().all(|check| check.kind == CheckKind::Auto),
            },
            checks: findings.checks,
            verdict,
        }))])
    }

    fn judge(&self, checks: &[Outcome]) -> Result<Verdict, RunRefusal> {
        let sheet = self.head.opened()?.sheet.as_ref().ok_or(RunRefusal::NoSheet)?;
        verdict::verdict(checks, sheet.pass_threshold, sheet.fail_threshold)
            .map_err(|NothingApplied| RunRefusal::NothingApplied)
    }

    fn grade(&self, check: CheckId, met: bool, detail: Option<String>) -> Result<Vec<RunEvent>, RunRefusal> {
        use RunStatus::*;
        let found = self.checks().zip(0..).find(|((id, _), _)| *id == check);
        let ((_, check), ordinal) = found.ok_or(RunRefusal::NoSuchCheck)?;
        self.head.is_at("grading a check", &[Audited, FindingsReady], "audited or findings_ready")?;
        if check.kind != CheckKind::Checklist {
            return Err(RunRefusal::NotGradable);
        }
        let status = if met { CheckStatus::Pass } else { CheckStatus::Flag };
        Ok(vec![RunEvent::CheckGraded { ordinal, status, detail }])
    }

    fn finalize(&self) -> Result<Vec<RunEvent>, RunRefusal> {
        use RunStatus::*;
        if self.head.status == Receipted {
            return Err(RunRefusal::Closed);
        }
        if self.head.audit.is_none() {
            return Err(RunRefusal::NoChecks);
        }
        match self.checks.iter().filter(|check| check.status == CheckStatus::Open).count() {
            0 => self.head.is_at("finalizing", &[Audited, FindingsReady], "audited or findings_ready")?,
            open => return Err(RunRefusal::ChecksOpen(open)),
        }
        // An audit that needs no grading has settled the verdict already.
        if self.head.verdict.is_some() {
            return Ok(vec![]);
        }
        Ok(vec![RunEvent::VerdictFinalized(Box::new(self.judge(&self.checks)?))])
    }

    fn decide_on_verdict(
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
            _ => {}
        }
        if self.head.audit.is_none() {
            self.checks.clear();
        }
    }
}

impl Outcome {
    /// A person graded the check: its rule keeps its severity.
    pub fn graded(&mut self, status: CheckStatus, detail: Option<String>) {
        self.status = status;
        self.source = CheckSource::Operator;
        self.detail = detail;
    }
}
