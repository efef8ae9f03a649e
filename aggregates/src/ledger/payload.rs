//! What a receipt says: the document whose canonical bytes are hashed and chained.
//!
//! It holds whole numbers and texts only, so that sorted compact JSON is its RFC 8785 form. What a caller sent as JSON is
//! in it by digest. A receipt keeps what it sealed: the address of who approved is in it for good.

mod incident;
mod profile;

pub use self::{
    incident::{IncidentPayload, SCHEMA as INCIDENT_SCHEMA},
    profile::SealedProfile,
};

use crate::{
    ids::{CheckId, EvidenceId, OrgId, ProjectId, RunId, SheetId, UserId},
    rulebooks::vocabulary::{
        ApprovalDecision, CheckCategory, CheckKind, CheckSource, CheckStatus, EvidenceKind, Lane, RuleSeverity,
        TierLevel,
    },
    runs::{Agent, Run, RunRefusal, audit::ENGINE, verdict::Verdict},
    time::Time,
};
use proof::digest::{Blake3Hex, Sha256Hex};
use serde::Serialize;

/// The name and version of the shape.
pub const SCHEMA: &str = "defendable.eval-receipt/v1";

/// A receipt for a run.
#[derive(Clone, Debug, Serialize)]
pub struct Payload {
    schema: &'static str,
    receipt_id: String,
    org_seq: u64,
    parent_hash: Sha256Hex,
    created_at: Time,
    share_url: String,
    organization: Organization,
    run: SealedRun,
    flight_sheet: SealedSheet,
    assignment: Assignment,
    submission: SealedSubmission,
    evidence: Vec<SealedEvidence>,
    findings: Vec<SealedCheck>,
    verdict: Verdict,
    approval: SealedApproval,
    ownership: Ownership,
    engine: Engine,
    events: Events,
    agent_profile: Option<SealedProfile>,
}

/// The receipt's own coordinates.
#[derive(Clone, Debug)]
pub struct Coordinates {
    /// Its name.
    pub receipt_id: String,
    /// Its place in the chain.
    pub org_seq: u64,
    /// The receipt before it.
    pub parent_hash: Sha256Hex,
    /// When it is minted.
    pub created_at: Time,
    /// Where it will be shown.
    pub share_url: String,
}

/// What the run itself does not know.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The organisation.
    pub organization: Organization,
    /// The project.
    pub project: Project,
    /// The address of who approved.
    pub approver: String,
    /// The last event of the run.
    pub events: Events,
}

/// The organisation that answers for the run.
#[derive(Clone, Debug, Serialize)]
pub struct Organization {
    /// Its id.
    pub id: OrgId,
    /// Its name.
    pub name: String,
}

/// The project of the run.
#[derive(Clone, Debug, Serialize)]
pub struct Project {
    /// Its id.
    pub id: ProjectId,
    /// Its name.
    pub name: String,
}

/// Where the run's events end on the organisation's ledger.
#[derive(Clone, Debug, Serialize)]
pub struct Events {
    /// The place of the run's last event among the organisation's events.
    pub org_position: u64,
    /// That event's hash in the organisation's event chain.
    pub hash: Blake3Hex,
}

#[derive(Clone, Debug, Serialize)]
struct SealedRun {
    id: RunId,
    title: String,
    lane: Lane,
    project: Project,
    inputs_sha256: Sha256Hex,
}

#[derive(Clone, Debug, Serialize)]
struct SealedSheet {
    id: SheetId,
    slug: String,
    name: String,
    version: String,
    content_sha256: Sha256Hex,
}

#[derive(Clone, Debug, Serialize)]
struct Assignment {
    title: String,
    sha256: Option<Sha256Hex>,
}

#[derive(Clone, Debug, Serialize)]
struct SealedSubmission {
    #[serde(flatten)]
    agent: SealedAgent,
    sha256: Sha256Hex,
    round: u32,
    earlier: Vec<Sha256Hex>,
    submitted_at: Time,
}

#[derive(Clone, Debug, Serialize)]
struct SealedAgent {
    agent_name: Option<String>,
    model_name: Option<String>,
    provider: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
struct SealedEvidence {
    id: EvidenceId,
    kind: EvidenceKind,
    label: String,
    sha256: Option<Sha256Hex>,
    byte_size: u64,
    content_type: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
struct SealedCheck {
    id: CheckId,
    key: String,
    /// The key again, under the name that existing clients read.
    check_key: String,
    label: String,
    category: CheckCategory,
    kind: CheckKind,
    source: CheckSource,
    status: CheckStatus,
    severity: RuleSeverity,
    tier: TierLevel,
    detail: Option<String>,
    expected: Option<String>,
    found: Option<String>,
    remedy: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
struct SealedApproval {
    decision: ApprovalDecision,
    approver: String,
    approver_user_id: UserId,
    note: Option<String>,
    approved_at: Time,
}

#[derive(Clone, Debug, Serialize)]
struct Ownership {
    agent_created: Option<String>,
    audited_by: &'static str,
    referee_logic: String,
    final_authority: String,
    approval: ApprovalDecision,
}

#[derive(Clone, Debug, Serialize)]
struct Engine {
    name: String,
    version: String,
}

impl Payload {
    /// What the receipt of an approved run says.
    pub fn of(run: &Run, at: Coordinates, around: Surroundings) -> Result<Self, RunRefusal> {
        let (verdict, approval) = run.head.sealable()?;
        let opened = run.head.opened()?;
        let sheet = opened.sheet.as_ref().ok_or(RunRefusal::NoSheet)?;
        let submission = run.head.submission.as_ref().ok_or(RunRefusal::NoSubmission)?;
        let audit = run.head.audit.as_ref().ok_or(RunRefusal::NoChecks)?;
        let Agent { agent_name, model_name, provider } = submission.agent.clone();
        let earlier = &run.rounds[..run.rounds.len().saturating_sub(1)];
        Ok(Self {
            schema: SCHEMA,
            receipt_id: at.receipt_id,
            org_seq: at.org_seq,
            parent_hash: at.parent_hash,
            created_at: at.created_at,
            share_url: at.share_url,
            organization: around.organization,
            run: SealedRun {
                id: opened.id,
                title: opened.title.clone(),
                lane: opened.lane,
                project: around.project,
                inputs_sha256: opened.inputs.sha256,
            },
            flight_sheet: SealedSheet {
                id: sheet.id,
                slug: sheet.slug.clone(),
                name: sheet.name.clone(),
                version: sheet.version.clone(),
                content_sha256: sheet.content_sha256,
            },
            assignment: Assignment { title: opened.title.clone(), sha256: opened.assignment_sha256 },
            submission: SealedSubmission {
                agent: SealedAgent { agent_name: agent_name.clone(), model_name, provider },
                sha256: submission.sha256,
                round: submission.round,
                earlier: earlier.to_vec(),
                submitted_at: submission.submitted_at,
            },
            evidence: run
                .evidence
                .iter()
                .map(|evidence| SealedEvidence {
                    id: evidence.id,
                    kind: evidence.kind,
                    label: evidence.label.clone(),
                    sha256: evidence.sha256(),
                    byte_size: evidence.byte_size(),
                    content_type: evidence.content_type().map(str::to_owned),
                })
                .collect(),
            findings: run
                .checks()
                .map(|(id, check)| SealedCheck {
                    id,
                    key: check.key.clone(),
                    check_key: check.key.clone(),
                    label: check.label.clone(),
                    category: check.category,
                    kind: check.kind,
                    source: check.source,
                    status: check.status,
                    severity: check.severity,
                    tier: check.severity.tier(),
                    detail: check.detail.clone(),
                    expected: check.expected.clone(),
                    found: check.found.clone(),
                    remedy: check.remedy.clone(),
                })
                .collect(),
            verdict: verdict.clone(),
            approval: SealedApproval {
                decision: approval.decision,
                approver: around.approver.clone(),
                approver_user_id: approval.approver,
                note: approval.note.clone(),
                approved_at: approval.decided_at,
            },
            ownership: Ownership {
                agent_created: agent_name,
                audited_by: ENGINE.0,
                referee_logic: format!("{} v{}", sheet.name, sheet.version),
                final_authority: around.approver,
                approval: approval.decision,
            },
            engine: Engine { name: audit.engine.0.clone(), version: audit.engine.1.clone() },
            events: around.events,
            agent_profile: audit.stack.as_deref().map(SealedProfile::of),
        })
    }
}

#[cfg(test)]
mod tests;
