//! The shapes of the runs surface on the wire.

use super::{CheckRow, EvidenceRow, ProjectRow, RunRow, WholeRun};
use aggregates::{
    ids::{AgentProfileId, CheckId, EvidenceId, OrgId, ProjectId, RunId, SheetId, SubmissionId},
    rulebooks::{
        sheet::Sheet,
        vocabulary::{
            ApprovalDecision, Bucket, CheckCategory, CheckKind, CheckSource, CheckStatus, ClientReady, EvidenceKind,
            Lane, NextAction, RuleSeverity, Severity, ThresholdBand, TierLevel, VerdictOutcome,
        },
    },
    runs::{
        self, Head, RunStatus,
        audit::{ENGINE, Outcome},
        check_id, verdict,
    },
    time::Time,
};
use proof::digest::Sha256Hex;
use serde::Serialize;
use utoipa::ToSchema;

/// A project.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Project {
    /// Its id.
    pub id: ProjectId,
    /// The organisation.
    pub org_id: OrgId,
    /// Its name.
    pub name: String,
    /// Its readable name, unique in the organisation.
    pub slug: String,
    /// How many runs it has.
    pub run_count: u64,
    /// When it was made.
    pub created_at: Time,
    /// When it was last changed.
    pub updated_at: Time,
    /// How often it was changed, from 1.
    pub revision: i64,
}

impl Project {
    /// The project as the wire shows it.
    pub fn of(org_id: OrgId, row: &ProjectRow) -> Self {
        Self {
            id: row.id,
            org_id,
            name: row.name.clone(),
            slug: row.slug.clone(),
            run_count: row.run_count,
            created_at: row.stamp.created_at,
            updated_at: row.stamp.updated_at,
            revision: row.stamp.revision,
        }
    }
}

/// A page of projects, by name.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ProjectList {
    /// The projects.
    pub projects: Vec<Project>,
    /// Where the next page begins; null on the last.
    pub next_cursor: Option<String>,
}

/// A run in a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RunSummary {
    /// Its id.
    pub id: RunId,
    /// Its project.
    pub project_id: ProjectId,
    /// Its lane.
    pub lane: Lane,
    /// Its title.
    pub title: String,
    /// Where it stands.
    pub status: RunStatus,
    /// What its verdict comes to, when it has one.
    pub verdict: Option<VerdictOutcome>,
    /// When it was opened.
    pub created_at: Time,
}

/// A page of runs, the newest first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RunList {
    /// The runs.
    pub runs: Vec<RunSummary>,
    /// Where the next page begins; null on the last.
    pub next_cursor: Option<String>,
}

impl RunSummary {
    /// The run as a list shows it.
    pub fn of(row: &RunRow) -> Option<Self> {
        let opened = row.head.opened.as_ref()?;
        Some(Self {
            id: opened.id,
            project_id: opened.project,
            lane: opened.lane,
            title: opened.title.clone(),
            status: row.head.status,
            verdict: row.head.verdict.as_ref().map(|verdict| verdict.outcome),
            created_at: row.stamp.created_at,
        })
    }
}

/// A run as it is opened.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OpenedRun {
    /// Its id.
    pub id: RunId,
    /// The organisation.
    pub org_id: OrgId,
    /// Its project.
    pub project_id: ProjectId,
    /// Its rulebook.
    pub flight_sheet_id: Option<SheetId>,
    /// The profile of its agent.
    pub agent_profile_id: Option<AgentProfileId>,
    /// Its lane.
    pub lane: Lane,
    /// Its title.
    pub title: String,
    /// Where it stands.
    pub status: RunStatus,
    /// The declared inputs, as they came.
    #[schema(value_type = Object)]
    pub inputs: serde_json::Value,
    /// What the agent is asked to do.
    pub assignment_text: Option<String>,
    /// When it was opened.
    pub created_at: Time,
    /// When it was last changed.
    pub updated_at: Time,
    /// How often it was changed, from 1.
    pub revision: i64,
}

/// The rulebook of a run, as it was when the run was opened.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RunFlightSheet {
    /// The sheet.
    pub id: SheetId,
    /// Its readable name.
    pub slug: String,
    /// Its title.
    pub name: String,
    /// Its declared version.
    pub version: String,
    /// SHA-256 of its exact bytes.
    #[schema(value_type = String)]
    pub content_sha256: Sha256Hex,
    /// Its lane.
    pub lane: Lane,
    /// What it is for, in a sentence or two.
    pub summary: String,
    /// What the work must hold.
    pub expected_outputs: Vec<String>,
    /// At or above this score the verdict's threshold band is `above`.
    pub pass_threshold: u8,
    /// Below this score it is `below`.
    pub fail_threshold: u8,
}

/// A piece of evidence.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Evidence {
    /// Its id.
    pub id: EvidenceId,
    /// What it is.
    pub kind: EvidenceKind,
    /// What it is called.
    pub label: String,
    /// Its text, exactly as it came; null for a file.
    pub content: Option<String>,
    /// SHA-256 of the text or the file, 64 hexadecimal digits; null when it has neither.
    #[schema(value_type = Option<String>)]
    pub sha256: Option<Sha256Hex>,
    /// Length of the text or the file in bytes.
    pub byte_size: u64,
    /// Media type of the text or the file.
    pub content_type: Option<String>,
    /// Whether it is a customer's data, never to be trained on.
    pub customer_provided: bool,
    /// When it was attached.
    pub created_at: Time,
}

impl Evidence {
    /// The evidence as the wire shows it; `long` is its text when the event does not carry it.
    pub fn of(evidence: &runs::Evidence, long: Option<String>) -> Self {
        Self {
            id: evidence.id,
            kind: evidence.kind,
            label: evidence.label.clone(),
            content: evidence.content.as_ref().and_then(|text| text.inline.clone()).or(long),
            sha256: evidence.sha256(),
            byte_size: evidence.byte_size(),
            content_type: evidence.content_type().map(str::to_owned),
            customer_provided: evidence.customer_provided,
            created_at: evidence.attached_at,
        }
    }

    /// The digest of the text that the event does not carry itself.
    pub fn long_text(row: &EvidenceRow) -> Option<Sha256Hex> {
        row.evidence.content.as_ref().filter(|text| text.inline.is_none()).map(|text| text.sha256)
    }
}

/// Work that was handed in.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Submission {
    /// Its id.
    pub id: SubmissionId,
    /// The run.
    pub run_id: RunId,
    /// 1 for the run's first submission.
    pub round: u32,
    /// The agent.
    pub agent_name: Option<String>,
    /// Its model.
    pub model_name: Option<String>,
    /// Who serves the model.
    pub provider: Option<String>,
    /// The text, exactly as it came.
    pub output_text: String,
    /// What the agent's tools logged.
    pub tool_logs: Option<String>,
    /// Remarks of whoever handed it in.
    pub notes: Option<String>,
    /// SHA-256 of the text without the white space around it, 64 hexadecimal digits.
    #[schema(value_type = String)]
    pub sha256: Sha256Hex,
    /// Whether it is a customer's data, never to be trained on.
    pub customer_provided: bool,
    /// When it was handed in.
    pub submitted_at: Time,
}

/// What handing in work answers.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SubmissionReceived {
    /// Its id.
    pub id: SubmissionId,
    /// 1 for the run's first submission.
    pub round: u32,
    /// SHA-256 of the text without the white space around it, 64 hexadecimal digits.
    #[schema(value_type = String)]
    pub sha256: Sha256Hex,
    /// When it was handed in.
    pub submitted_at: Time,
}

impl SubmissionReceived {
    /// The answer for a submission.
    pub fn of(submission: &runs::Submission) -> Self {
        Self {
            id: submission.id,
            round: submission.round,
            sha256: submission.sha256,
            submitted_at: submission.submitted_at,
        }
    }
}

/// A check.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Check {
    /// Its id: the same when the same work is audited again.
    pub id: CheckId,
    /// Which rule.
    pub key: String,
    /// The same as `key`.
    pub check_key: String,
    /// The rule in words.
    pub label: String,
    /// What it looks at.
    pub category: CheckCategory,
    /// Who applies it.
    pub kind: CheckKind,
    /// Who applied it.
    pub source: CheckSource,
    /// Where it stands.
    pub status: CheckStatus,
    /// The severity that the rule declares.
    pub severity: RuleSeverity,
    /// The tier of that severity.
    pub tier: TierLevel,
    /// What was found, in words.
    pub detail: Option<String>,
}

impl Check {
    /// The check as the wire shows it.
    pub fn of(id: CheckId, outcome: &Outcome) -> Self {
        Self {
            id,
            key: outcome.key.clone(),
            check_key: outcome.key.clone(),
            label: outcome.label.clone(),
            category: outcome.category,
            kind: outcome.kind,
            source: outcome.source,
            status: outcome.status,
            severity: outcome.severity,
            tier: outcome.severity.tier(),
            detail: outcome.detail.clone(),
        }
    }
}

/// The checks of the audit that stands, in the author's order; always whole.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ChecksList {
    /// The checks.
    pub checks: Vec<Check>,
}

/// A check that was flagged, and what would mend it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Finding {
    /// The check's id.
    pub id: CheckId,
    /// Which rule.
    pub key: String,
    /// The same as `key`.
    pub check_key: String,
    /// The rule in words.
    pub label: String,
    /// What it looks at.
    pub category: CheckCategory,
    /// Who applies it.
    pub kind: CheckKind,
    /// Who applied it.
    pub source: CheckSource,
    /// Always `flag`.
    pub status: CheckStatus,
    /// The severity that the rule declares.
    pub severity: RuleSeverity,
    /// The tier of that severity.
    pub tier: TierLevel,
    /// Whether the work is wrong, the rule says no, or the agent does not fit the lane.
    pub bucket: Bucket,
    /// What was found, in words.
    pub detail: Option<String>,
    /// What the rule expects.
    pub expected: Option<String>,
    /// What the work says instead.
    pub found: Option<String>,
    /// What would satisfy the rule.
    pub remedy: Option<String>,
}

/// The flags of the audit that stands, the weightiest first: the run's repair plan. Always whole.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FlagsList {
    /// The flags.
    pub flags: Vec<Finding>,
}

impl FlagsList {
    /// The flags among some checks, ranked.
    pub fn of(checks: &[(CheckId, &Outcome)]) -> Self {
        let outcomes: Vec<Outcome> = checks.iter().map(|(_, outcome)| (*outcome).clone()).collect();
        let flags = verdict::ranked(&outcomes)
            .into_iter()
            .filter_map(|place| checks.get(place))
            .map(|(id, outcome)| Finding {
                id: *id,
                key: outcome.key.clone(),
                check_key: outcome.key.clone(),
                label: outcome.label.clone(),
                category: outcome.category,
                kind: outcome.kind,
                source: outcome.source,
                status: outcome.status,
                severity: outcome.severity,
                tier: outcome.severity.tier(),
                bucket: outcome.bucket(),
                detail: outcome.detail.clone(),
                expected: outcome.expected.clone(),
                found: outcome.found.clone(),
                remedy: outcome.remedy.clone(),
            })
            .collect();
        Self { flags }
    }
}

/// What an audit comes to.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Verdict {
    /// Pass, risk or fail.
    pub outcome: VerdictOutcome,
    /// Passed and applied checks, flags per tier and the score, in a sentence.
    pub summary: String,
    /// The weighted share of passed checks, 0 to 1.
    pub score: f64,
    /// The same, 0 to 100.
    pub score_100: u8,
    /// Honey, jelly or propolis.
    pub severity: Severity,
    /// Whether a client may see the work.
    pub client_ready: ClientReady,
    /// What to do next, in words.
    pub recommended_action: String,
    /// The same for a program.
    pub next_action: NextAction,
    /// How many checks passed.
    pub checks_passed: u32,
    /// How many were flagged.
    pub checks_failed: u32,
    /// How many could not be applied.
    pub checks_skipped: u32,
    /// The labels of the flags, by tier.
    pub risk_breakdown: verdict::RiskBreakdown,
    /// Where the score lies against the sheet's thresholds; it never softens a flag.
    pub threshold_band: ThresholdBand,
}

impl From<&verdict::Verdict> for Verdict {
    fn from(verdict: &verdict::Verdict) -> Self {
        Self {
            outcome: verdict.outcome,
            summary: verdict.summary.clone(),
            score: f64::from(verdict.score_100) / 100.0,
            score_100: verdict.score_100,
            severity: verdict.severity,
            client_ready: verdict.client_ready,
            recommended_action: verdict.recommended_action.clone(),
            next_action: verdict.next_action,
            checks_passed: verdict.checks_passed,
            checks_failed: verdict.checks_failed,
            checks_skipped: verdict.checks_skipped,
            risk_breakdown: verdict.risk_breakdown.clone(),
            threshold_band: verdict.threshold_band,
        }
    }
}

/// What an audit answers.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AuditResult {
    /// The checks, in the author's order.
    pub checks: Vec<Check>,
    /// Whether a person has checks to grade.
    pub needs_grading: bool,
    /// Whether no rule of the sheet needs a person.
    pub deterministic: bool,
    /// The verdict, when nobody has to grade anything.
    pub verdict: Option<Verdict>,
}

/// What grading a check answers.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct GradedCheck {
    /// Always true.
    pub ok: bool,
    /// The check's id.
    pub id: CheckId,
    /// Which rule.
    pub check_key: String,
    /// Where it stands now.
    pub status: CheckStatus,
    /// The severity that the rule declares.
    pub severity: RuleSeverity,
}

/// A person's decision on a verdict.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Approval {
    /// What was decided.
    pub decision: ApprovalDecision,
    /// By whom.
    pub approver_user_id: aggregates::ids::UserId,
    /// Their address; `[erased]` once their data is erased.
    pub approver_email: String,
    /// Why.
    pub note: Option<String>,
    /// When.
    pub created_at: Time,
}

impl Approval {
    /// The decision as the wire shows it.
    pub fn of(approval: &runs::Approval, approver_email: String) -> Self {
        Self {
            decision: approval.decision,
            approver_user_id: approval.approver,
            approver_email,
            note: approval.note.clone(),
            created_at: approval.decided_at,
        }
    }
}

/// Who answers for what.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Ownership {
    /// Who did the work, as declared.
    pub agent_created: Option<String>,
    /// What audited it.
    pub audited_by: String,
    /// The rulebook that decided.
    pub referee_logic: String,
    /// Who approved it; null until somebody has.
    pub final_authority: Option<String>,
    /// The decision, or `pending`.
    pub approval_status: String,
    /// `issued` or `draft`.
    pub receipt_status: String,
}

impl Ownership {
    /// Who answers for a run.
    pub fn of(head: &Head, approver_email: Option<&str>) -> Self {
        let sheet = head.opened.as_ref().and_then(|opened| opened.sheet.as_ref());
        let approved = head.approval.as_ref().filter(|approval| approval.decision == ApprovalDecision::Approved);
        Self {
            agent_created: head.agent.agent_name.clone(),
            audited_by: ENGINE.0.to_owned(),
            referee_logic: sheet.map_or("none".to_owned(), |sheet| format!("{} v{}", sheet.name, sheet.version)),
            final_authority: approved.and(approver_email).map(str::to_owned),
            approval_status: head.approval.as_ref().map_or("pending", |approval| approval.decision.as_str()).to_owned(),
            receipt_status: if head.receipt.is_some() { "issued" } else { "draft" }.to_owned(),
        }
    }
}

/// A run with everything that belongs to it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Run {
    /// What it was opened with and where it stands.
    #[serde(flatten)]
    pub opened: OpenedRun,
    /// The agent, as declared last.
    pub agent_name: Option<String>,
    /// Its model.
    pub model_name: Option<String>,
    /// Who serves the model.
    pub provider: Option<String>,
    /// The rulebook.
    pub flight_sheet: Option<RunFlightSheet>,
    /// The profile of the agent, as it stands now.
    pub agent_profile: Option<crate::agents::views::AgentProfile>,
    /// The submission that counts.
    pub submission: Option<Submission>,
    /// The evidence, in the order in which it was attached.
    pub evidence: Vec<Evidence>,
    /// The checks of the audit that stands.
    pub checks: Vec<Check>,
    /// The verdict that stands.
    pub verdict: Option<Verdict>,
    /// The decision on it.
    pub approval: Option<Approval>,
    /// The receipt.
    pub receipt: Option<crate::ledger::Receipt>,
    /// Who answers for what.
    pub ownership: Ownership,
}

impl RunFlightSheet {
    /// The rulebook of a run; `sheet` is the content that it pins.
    pub fn of(pinned: &runs::PinnedSheet, sheet: &Sheet) -> Self {
        Self {
            id: pinned.id,
            slug: pinned.slug.clone(),
            name: pinned.name.clone(),
            version: pinned.version.clone(),
            content_sha256: pinned.content_sha256,
            lane: sheet.lane,
            summary: sheet.summary.clone(),
            expected_outputs: sheet.expected_outputs.clone(),
            pass_threshold: pinned.pass_threshold,
            fail_threshold: pinned.fail_threshold,
        }
    }
}

impl WholeRun {
    /// The checks that stand, each with its id.
    pub fn checks(&self) -> Vec<(CheckId, &Outcome)> {
        let Some(audit) = &self.row.head.audit else { return vec![] };
        self.checks
            .iter()
            .map(|check: &CheckRow| (check_id(check.run, audit.round, check.ordinal), &check.outcome))
            .collect()
    }
}
