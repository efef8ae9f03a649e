//! What an audit found, what a person graded, and the verdict that follows.

use super::{
    Head, PinnedSheet, Run, RunEvent, RunRefusal, RunStatus, Submission,
    audit::Outcome,
    verdict::{self, NothingApplied, Verdict},
};
use crate::{
    agents::lanes::Stack,
    ids::{CheckId, RunId, SubmissionId},
    rulebooks::vocabulary::{CheckKind, CheckSource, CheckStatus},
};
use proof::digest::Sha256Hex;
use serde::{Deserialize, Serialize};

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
    /// The stack that did the work, as the referee saw it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack: Option<Box<Stack>>,
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
    /// The stack that did the work, where the run names one.
    pub stack: Option<Box<Stack>>,
    /// The outcomes.
    pub checks: Vec<Outcome>,
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

    pub(super) fn apply_rulebook(&self, findings: Findings) -> Result<Vec<RunEvent>, RunRefusal> {
        let (sheet, submission) = self.head.auditable()?;
        let seen = findings.submission == submission.id
            && findings.evidence_seen == self.evidence.len()
            && findings.sheet_sha256 == sheet.content_sha256;
        if !seen {
            return Err(RunRefusal::AuditOvertaken);
        }
        let open = findings.checks.iter().any(|check| check.status == CheckStatus::Open);
        let verdict = if open { None } else { Some(self.judge(&findings.checks)?) };
        let evaluation = verdict.as_ref().and_then(|verdict| self.evaluation(&findings.checks, verdict));
        let applied = RunEvent::RulebookApplied(Box::new(Audit {
            applied: Applied {
                number: self.head.audits + 1,
                round: submission.round,
                engine: findings.engine,
                sheet_sha256: findings.sheet_sha256,
                inputs_sha256: findings.inputs_sha256,
                deterministic: findings.checks.iter().all(|check| check.kind == CheckKind::Auto),
                stack: findings.stack,
            },
            checks: findings.checks,
            verdict,
        }));
        Ok([applied].into_iter().chain(evaluation).collect())
    }

    fn judge(&self, checks: &[Outcome]) -> Result<Verdict, RunRefusal> {
        let sheet = self.head.opened()?.sheet.as_ref().ok_or(RunRefusal::NoSheet)?;
        verdict::verdict(checks, sheet.pass_threshold, sheet.fail_threshold)
            .map_err(|NothingApplied| RunRefusal::NothingApplied)
    }

    pub(super) fn grade(&self, check: CheckId, met: bool, detail: Option<String>) -> Result<Vec<RunEvent>, RunRefusal> {
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

    pub(super) fn finalize(&self) -> Result<Vec<RunEvent>, RunRefusal> {
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
        let verdict = self.judge(&self.checks)?;
        let evaluation = self.evaluation(&self.checks, &verdict);
        Ok([RunEvent::VerdictFinalized(Box::new(verdict))].into_iter().chain(evaluation).collect())
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
