//! What the demo's organisation has been up to.

use aggregates::{
    identity::roles::Role,
    rulebooks::vocabulary::ApprovalDecision::{self, Approved, Escalated, Rejected},
};

/// Address, name and role of those who work with the admin.
pub(super) const COLLEAGUES: &[(&str, &str, Role)] = &[
    ("ines@example.com", "Ines Okafor", Role::Analyst),
    ("tomas@example.com", "Tomás Lindqvist", Role::Analyst),
    ("ruth@example.com", "Ruth Adeyemi", Role::Auditor),
    ("mei@example.com", "Mei Tanaka", Role::Viewer),
];

const INES: usize = 0;
const TOMAS: usize = 1;
const RUTH: usize = 2;

/// The projects.
pub(super) const PROJECTS: &[&str] = &["Loan memos", "Privacy reviews", "Agents in operation", "Data and machines"];

const LOANS: usize = 0;
const PRIVACY: usize = 1;
const AGENTS: usize = 2;
const MACHINES: usize = 3;

/// How far a round goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// The work was handed in.
    Submitted,
    /// The referee has looked at it.
    Audited,
    /// There is a verdict, and perhaps a decision on it.
    Judged,
    /// There is a receipt.
    Sealed,
}

/// A decision on a verdict.
#[derive(Debug)]
pub(super) struct Judgement {
    /// What was decided.
    pub(super) decision: ApprovalDecision,
    /// Why.
    pub(super) note: Option<&'static str>,
}

/// A submission, and what came of it.
#[derive(Debug)]
pub(super) struct Round {
    /// Which example of the sheet was handed in: `pass` or `fail`.
    pub(super) case: &'static str,
    /// How far it went.
    pub(super) until: Stage,
    /// The rules that a person found broken, and why.
    pub(super) flagged: &'static [(&'static str, &'static str)],
    /// What a person decided.
    pub(super) decided: Option<Judgement>,
}

/// A run.
#[derive(Debug)]
pub(super) struct Story {
    /// Its project, by its place.
    pub(super) project: usize,
    /// Its flight sheet.
    pub(super) sheet: Option<&'static str>,
    /// Its title.
    pub(super) title: &'static str,
    /// The agent, its model, and who serves that.
    pub(super) agent: (&'static str, &'static str, &'static str),
    /// Who works on it, by their place among the colleagues.
    pub(super) author: usize,
    /// Who judges it.
    pub(super) judge: usize,
    /// A file among its evidence: its label and its text.
    pub(super) file: Option<(&'static str, &'static str)>,
    /// Its submissions.
    pub(super) rounds: &'static [Round],
}

/// The run that was rejected, mended and sealed.
pub(super) const MENDED: &str = "Cost of capital, autumn plan";
/// A run whose work failed.
pub(super) const FAILED: &str = "Mill Lane 4, acquisition";
/// A run that waits for a person's grade.
pub(super) const WAITING: &str = "Notice for job applicants";

const MEMO_AGENT: (&str, &str, &str) = ("memo-writer", "mistral-large-2", "in-house gateway");
const PRIVACY_AGENT: (&str, &str, &str) = ("notice-reviewer", "llama-3.3-70b", "own GPUs");
const OPERATIONS_AGENT: (&str, &str, &str) = ("log-reviewer", "qwen-2.5-32b", "own GPUs");
const NO_AGENT: (&str, &str, &str) = ("", "", "");

const fn round(case: &'static str, until: Stage) -> Round {
    Round { case, until, flagged: &[], decided: None }
}

const fn decided(case: &'static str, until: Stage, decision: ApprovalDecision, note: Option<&'static str>) -> Round {
    Round { case, until, flagged: &[], decided: Some(Judgement { decision, note }) }
}

/// The runs, in the order in which they were opened.
pub(super) const RUNS: &[Story] = &[
    Story {
        project: LOANS,
        sheet: Some("cre_memo_dscr_ltv_v1"),
        title: "Harbour Street 12, refinancing",
        agent: MEMO_AGENT,
        author: INES,
        judge: RUTH,
        file: Some(("term sheet", "Loan;8,625,000\nRate;7.25 %\nTerm;30 years\nValue;11,500,000\n")),
        rounds: &[decided("pass", Stage::Sealed, Approved, Some("figures agree with the term sheet"))],
    },
    Story {
        project: LOANS,
        sheet: Some("cre_memo_dscr_ltv_v1"),
        title: FAILED,
        agent: MEMO_AGENT,
        author: INES,
        judge: RUTH,
        file: None,
        rounds: &[decided("fail", Stage::Judged, Rejected, Some("coverage is below the gate; no loan on these terms"))],
    },
    Story {
        project: LOANS,
        sheet: Some("fin_wacc_calculation_v1"),
        title: MENDED,
        agent: MEMO_AGENT,
        author: TOMAS,
        judge: RUTH,
        file: None,
        rounds: &[
            decided("fail", Stage::Judged, Rejected, Some("the last sum is wrong; compute it again")),
            decided("pass", Stage::Sealed, Approved, Some("mended")),
        ],
    },
    Story {
        project: LOANS,
        sheet: Some("cre_memo_dscr_ltv_v1"),
        title: "Quay 7, extension",
        agent: MEMO_AGENT,
        author: INES,
        judge: RUTH,
        file: None,
        rounds: &[round("pass", Stage::Judged)],
    },
    Story {
        project: PRIVACY,
        sheet: Some("comp_data_privacy_gdpr_v1"),
        title: "Privacy notice, autumn",
        agent: PRIVACY_AGENT,
        author: TOMAS,
        judge: RUTH,
        file: Some(("terms of the processor", "The processor acts on documented instructions alone.\n")),
        rounds: &[decided("pass", Stage::Sealed, Approved, Some("read against the notice"))],
    },
    Story {
        project: PRIVACY,
        sheet: Some("comp_data_privacy_gdpr_v1"),
        title: WAITING,
        agent: PRIVACY_AGENT,
        author: TOMAS,
        judge: RUTH,
        file: None,
        rounds: &[round("pass", Stage::Audited)],
    },
    Story {
        project: PRIVACY,
        sheet: Some("comp_data_privacy_gdpr_v1"),
        title: "Privacy notice, spring",
        agent: PRIVACY_AGENT,
        author: TOMAS,
        judge: RUTH,
        file: None,
        rounds: &[Round {
            case: "fail",
            until: Stage::Judged,
            flagged: &[("quotations_support_status", "the notice says 24 months, not twelve")],
            decided: Some(Judgement { decision: Escalated, note: Some("for the data protection officer") }),
        }],
    },
    Story {
        project: AGENTS,
        sheet: Some("agent_action_log_review_v1"),
        title: "Support agent, night batch",
        agent: OPERATIONS_AGENT,
        author: INES,
        judge: RUTH,
        file: None,
        rounds: &[Round {
            case: "pass",
            until: Stage::Sealed,
            flagged: &[("actions_proportionate", "the mail was not needed for the task")],
            decided: Some(Judgement {
                decision: Approved,
                note: Some("within its grant; mails are to be asked for first"),
            }),
        }],
    },
    Story {
        project: AGENTS,
        sheet: Some("agent_action_log_review_v1"),
        title: "Pricing agent, week 41",
        agent: OPERATIONS_AGENT,
        author: INES,
        judge: RUTH,
        file: None,
        rounds: &[decided(
            "fail",
            Stage::Sealed,
            Approved,
            Some("accepted as found: the agent is stopped, and the report goes to the board"),
        )],
    },
    Story {
        project: AGENTS,
        sheet: None,
        title: "Idea: review of the purchasing agent",
        agent: NO_AGENT,
        author: INES,
        judge: RUTH,
        file: None,
        rounds: &[],
    },
    Story {
        project: MACHINES,
        sheet: Some("dataset_class_balance_v1"),
        title: "Animal pictures, third cut",
        agent: ("data-steward", "phi-4", "laptop"),
        author: TOMAS,
        judge: RUTH,
        file: None,
        rounds: &[decided("pass", Stage::Judged, Approved, None)],
    },
    Story {
        project: MACHINES,
        sheet: Some("dataset_class_balance_v1"),
        title: "Animal pictures, fourth cut",
        agent: ("data-steward", "phi-4", "laptop"),
        author: TOMAS,
        judge: RUTH,
        file: None,
        rounds: &[round("fail", Stage::Submitted)],
    },
    Story {
        project: MACHINES,
        sheet: Some("compute_benchmark_score_validation_v1"),
        title: "Node 17 after the new driver",
        agent: ("bench-runner", "rule-based", "own machines"),
        author: INES,
        judge: RUTH,
        file: None,
        rounds: &[decided("pass", Stage::Sealed, Approved, None)],
    },
    Story {
        project: MACHINES,
        sheet: Some("compute_benchmark_score_validation_v1"),
        title: "Node 18 after the new driver",
        agent: NO_AGENT,
        author: INES,
        judge: RUTH,
        file: None,
        rounds: &[],
    },
];
