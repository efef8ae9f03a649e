//! One run, told as far as a test needs it.

use crate::{
    Decider,
    identity::actor::Actor,
    ids::{CheckId, EvidenceId, Id, Kind, ProjectId, RunId, SheetId, SubmissionId, UserId},
    rulebooks::vocabulary::{
        ApprovalDecision, CheckCategory, CheckKind, CheckSource, CheckStatus, EvidenceKind, Lane, RuleSeverity,
    },
    runs::{
        Agent, Applied, Approval, Audit, Evidence, Findings, Opened, PinnedSheet, Run, RunCommand, RunEvent,
        SealedReceipt, Submission, Work, audit::Outcome, check_id, verdict,
    },
    text::Text,
    time::Time,
};
use proof::digest::{Sha256Hex, sha256};
use uuid::Uuid;

pub(crate) fn id<K: Kind>(number: u128) -> Id<K> {
    Id::from_uuid(Uuid::from_u128(0x0190_a5b4_c3d2_7000_8000_0000_0000_0000 + number))
}

pub(crate) fn run_id() -> RunId {
    id(1)
}

/// Whoever hands work in, unless a test says otherwise.
pub(crate) fn worker() -> UserId {
    id(21)
}

/// Whoever decides.
pub(crate) fn judge() -> UserId {
    id(22)
}

/// Midnight on the day the runs of these tests take place, and some seconds.
pub(crate) fn at(seconds: i64) -> Time {
    Time::of_microseconds((1_772_323_200 + seconds) * 1_000_000)
}

pub(crate) fn text(content: &str) -> Text {
    Text::of(content.to_owned()).0
}

pub(crate) fn sheet() -> PinnedSheet {
    PinnedSheet {
        id: id::<crate::ids::kinds::Sheet>(31) as SheetId,
        slug: "cre_memo_dscr_ltv_v1".into(),
        name: "CRE memo".into(),
        version: "1.0".into(),
        content_sha256: sha256(b"the sheet"),
        pass_threshold: 80,
        fail_threshold: 60,
    }
}

pub(crate) fn opened(sheet: Option<PinnedSheet>) -> Opened {
    Opened {
        id: run_id(),
        project: id::<crate::ids::kinds::Project>(41) as ProjectId,
        assignment_sha256: sheet.as_ref().map(|_| sha256(b"the assignment")),
        sheet,
        agent_profile: None,
        lane: Lane::Agent,
        title: "Memo on 5 Elm St".into(),
        inputs: text("{}"),
        agent: Agent { agent_name: Some("analyst-1".into()), model_name: None, provider: None },
    }
}

pub(crate) fn evidence(number: u128) -> Evidence {
    Evidence {
        id: id::<crate::ids::kinds::Evidence>(100 + number) as EvidenceId,
        kind: EvidenceKind::Note,
        label: format!("note {number}"),
        content: Some(text("rent roll, page 3")),
        file: None,
        customer_provided: true,
        attached_at: at(number as i64),
    }
}

pub(crate) fn submission_id(round: u32) -> SubmissionId {
    id(200 + u128::from(round))
}

/// Work that says nothing of its agent, so that what was declared before stays.
pub(crate) fn work(round: u32) -> Work {
    Work {
        id: submission_id(round),
        output: text(&format!(" work of round {round}\n")),
        sha256: sha256(format!("work of round {round}").as_bytes()),
        agent: Agent::default(),
        tool_logs: None,
        notes: None,
        customer_provided: true,
        by: Actor::User(worker()),
        at: at(60 * i64::from(round)),
    }
}

pub(crate) fn submission(round: u32) -> Submission {
    let work = work(round);
    Submission {
        id: work.id,
        round,
        output: work.output,
        sha256: work.sha256,
        agent: opened(None).agent,
        tool_logs: None,
        notes: None,
        customer_provided: true,
        submitted_by: work.by,
        submitted_at: work.at,
    }
}

pub(crate) fn outcome(key: &str, kind: CheckKind, status: CheckStatus, severity: RuleSeverity) -> Outcome {
    Outcome {
        key: key.into(),
        label: format!("The rule {key}"),
        category: CheckCategory::Policy,
        kind,
        source: if kind == CheckKind::Auto { CheckSource::Auto } else { CheckSource::Operator },
        status,
        severity,
        detail: None,
        expected: None,
        found: None,
        remedy: None,
    }
}

/// What a sheet without checklist rules comes to: the verdict is honey.
pub(crate) fn settled() -> Vec<Outcome> {
    vec![outcome("dscr_gate", CheckKind::Auto, CheckStatus::Pass, RuleSeverity::Critical)]
}

/// The same with two rules for a person, which are open.
pub(crate) fn open() -> Vec<Outcome> {
    let for_a_person = |key, severity| outcome(key, CheckKind::Checklist, CheckStatus::Open, severity);
    vec![settled().remove(0), for_a_person("tone", RuleSeverity::Minor), for_a_person("sources", RuleSeverity::Mid)]
}

/// A high flag: the verdict is propolis.
pub(crate) fn flagged() -> Vec<Outcome> {
    vec![outcome("dscr_gate", CheckKind::Auto, CheckStatus::Flag, RuleSeverity::Critical)]
}

pub(crate) fn engine() -> (String, String) {
    ("referee".into(), "1".into())
}

pub(crate) fn inputs_digest() -> Sha256Hex {
    sha256(b"everything the referee saw")
}

pub(crate) fn verdict_on(checks: &[Outcome]) -> verdict::Verdict {
    verdict::verdict(checks, sheet().pass_threshold, sheet().fail_threshold).expect("a check applies")
}

pub(crate) fn audited(number: u32, round: u32, checks: Vec<Outcome>) -> RunEvent {
    let is_open = checks.iter().any(|check| check.status == CheckStatus::Open);
    RunEvent::RulebookApplied(Box::new(Audit {
        applied: Applied {
            number,
            round,
            engine: engine(),
            sheet_sha256: sheet().content_sha256,
            inputs_sha256: inputs_digest(),
            stack: None,
            deterministic: checks.iter().all(|check| check.kind == CheckKind::Auto),
        },
        verdict: (!is_open).then(|| verdict_on(&checks)),
        checks,
    }))
}

pub(crate) fn graded(ordinal: u32, status: CheckStatus) -> RunEvent {
    RunEvent::CheckGraded { ordinal, status, detail: None }
}

/// The open checks, both met.
pub(crate) fn all_graded() -> Vec<Outcome> {
    let mut checks = open();
    checks.iter_mut().skip(1).for_each(|check| check.graded(CheckStatus::Pass, None));
    checks
}

pub(crate) fn decided(decision: ApprovalDecision) -> RunEvent {
    RunEvent::DecisionRecorded(Approval { decision, approver: judge(), note: None, decided_at: at(600) })
}

pub(crate) fn receipt() -> SealedReceipt {
    SealedReceipt {
        receipt_id: "DCR-000004-3a7c9f2b".into(),
        org_seq: 4,
        receipt_sha256: sha256(b"the receipt's payload"),
    }
}

/// Where a run can stand, as finely as the rules tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Unopened,
    Draft,
    Issued,
    Submitted,
    /// Two checks are open.
    Audited,
    /// They are graded, and the verdict awaits finalizing.
    Graded,
    FindingsReady,
    Rejected,
    Escalated,
    Approved,
    Receipted,
}

impl Standing {
    pub(crate) const ALL: [Self; 11] = {
        use Standing::*;
        [Unopened, Draft, Issued, Submitted, Audited, Graded, FindingsReady, Rejected, Escalated, Approved, Receipted]
    };

    /// What has happened to a run that stands there.
    pub(crate) fn history(self) -> Vec<RunEvent> {
        use Standing::*;
        let after = |before: Standing, event| {
            let mut history = before.history();
            history.push(event);
            history
        };
        match self {
            Unopened => vec![],
            Draft => vec![RunEvent::RunOpened(Box::new(opened(None)))],
            Issued => vec![RunEvent::RunOpened(Box::new(opened(Some(sheet()))))],
            Submitted => after(Issued, RunEvent::WorkSubmitted(Box::new(submission(1)))),
            Audited => after(Submitted, audited(1, 1, open())),
            Graded => {
                let mut history = Audited.history();
                history.extend([graded(1, CheckStatus::Pass), graded(2, CheckStatus::Pass)]);
                history
            }
            FindingsReady => after(Graded, RunEvent::VerdictFinalized(Box::new(verdict_on(&all_graded())))),
            Rejected => after(FindingsReady, decided(ApprovalDecision::Rejected)),
            Escalated => after(FindingsReady, decided(ApprovalDecision::Escalated)),
            Approved => after(FindingsReady, decided(ApprovalDecision::Approved)),
            Receipted => after(Approved, RunEvent::ReceiptSealed(receipt())),
        }
    }

    pub(crate) fn run(self) -> Run {
        told(self.history())
    }
}

/// The run to which this has happened.
pub(crate) fn told(history: impl IntoIterator<Item = RunEvent>) -> Run {
    let mut run = Run::default();
    history.into_iter().for_each(|event| run.evolve(&event));
    run
}

/// The id of a check of the run's first round.
pub(crate) fn check(ordinal: u32) -> CheckId {
    check_id(run_id(), 1, ordinal)
}

/// What the referee hands in that has looked at the run as it stands.
pub(crate) fn findings(run: &Run, checks: Vec<Outcome>) -> Findings {
    Findings {
        stack: None,
        engine: engine(),
        sheet_sha256: sheet().content_sha256,
        submission: run.head.submission.as_ref().map_or(submission_id(1), |submission| submission.id),
        evidence_seen: run.evidence.len(),
        inputs_sha256: inputs_digest(),
        checks,
    }
}

pub(crate) fn decide(decision: ApprovalDecision) -> RunCommand {
    decide_as(decision, Actor::User(judge()), None, false)
}

pub(crate) fn decide_as(decision: ApprovalDecision, actor: Actor, note: Option<&str>, own: bool) -> RunCommand {
    RunCommand::Decide { decision, actor, note: note.map(Into::into), at: at(600), allow_self_approval: own }
}

pub(crate) fn grade(ordinal: u32, met: bool) -> RunCommand {
    RunCommand::Grade { check: check(ordinal), met, detail: None }
}
