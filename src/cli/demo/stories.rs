//! What the demo's organisation has been up to.

use aggregates::{
    agents::{Cents, Governance, Profile},
    identity::roles::Role,
    rulebooks::vocabulary::{
        ApprovalDecision::{self, Approved, Escalated, Rejected},
        CapabilityTier, IncidentKind, TierLevel,
    },
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
const OPERATIONS: usize = 2;
const MACHINES: usize = 3;

/// An agent, as its owner declares it.
#[derive(Debug)]
pub(super) struct Declared {
    /// Its name.
    pub(super) name: &'static str,
    /// What drives the model, and its version.
    pub(super) harness: (&'static str, &'static str),
    /// The model, who made it, and who serves it.
    pub(super) model: (&'static str, &'static str, &'static str),
    /// What it runs on.
    pub(super) hardware: &'static str,
    /// The tools that it may use.
    pub(super) tools: &'static [&'static str],
    /// How much the model takes in at once, in tokens.
    pub(super) context_window: u32,
    /// How capable it is declared to be.
    pub(super) tier: CapabilityTier,
    /// What its owner demands of it.
    pub(super) governance: Option<Demanded>,
}

/// What an owner demands of an agent.
#[derive(Debug)]
pub(super) struct Demanded {
    /// Whether nothing goes to a client without an approval.
    pub(super) approval: bool,
    /// The most that it may spend, in US dollars.
    pub(super) dollars: Option<f64>,
    /// The flight sheets that it must not work under, by their slugs.
    pub(super) blocked: &'static [&'static str],
    /// The rest, in its owner's words.
    pub(super) notes: &'static str,
}

impl Declared {
    /// The same as a profile.
    pub(super) fn profile(&self) -> Profile {
        let owned = |text: &str| Some(text.to_owned());
        let list = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let (harness, harness_version) = self.harness;
        let (model, model_provider, served_by) = self.model;
        Profile {
            name: self.name.to_owned(),
            harness: owned(harness),
            harness_version: owned(harness_version),
            model: owned(model),
            model_provider: owned(model_provider),
            served_by: owned(served_by),
            runtime_hardware: owned(self.hardware),
            tools: list(self.tools),
            context_window: Some(self.context_window),
            capability_tier: Some(self.tier),
            governance: self.governance.as_ref().map(|demanded| Governance {
                requires_approval_client_output: demanded.approval,
                spend_cap: demanded.dollars.and_then(Cents::of_dollars),
                blocked_lanes: list(demanded.blocked),
                notes: owned(demanded.notes),
            }),
            ..Profile::default()
        }
    }
}

/// The agents.
pub(super) const AGENTS: &[Declared] = &[
    Declared {
        name: "memo-writer",
        harness: ("memo pipeline", "3.2"),
        model: ("mistral-large-2", "Mistral AI", "in-house gateway"),
        hardware: "8 data-centre GPUs",
        tools: &["document search", "spreadsheet", "mail drafts"],
        context_window: 128_000,
        tier: CapabilityTier::Frontier,
        governance: Some(Demanded {
            approval: true,
            dollars: Some(400.0),
            blocked: &[],
            notes: "No memo leaves the house before somebody has approved it.",
        }),
    },
    Declared {
        name: "notice-reviewer",
        harness: ("review loop", "1.8"),
        model: ("llama-3.3-70b", "Meta", "vLLM"),
        hardware: "2 data-centre GPUs",
        tools: &["document search"],
        context_window: 128_000,
        tier: CapabilityTier::Mid,
        governance: Some(Demanded {
            approval: true,
            dollars: None,
            blocked: &["fin_wacc_calculation_v1", "cre_memo_dscr_ltv_v1"],
            notes: "Reads texts; is not to be asked for sums.",
        }),
    },
    Declared {
        name: "log-reviewer",
        harness: ("review loop", "1.8"),
        model: ("qwen-2.5-14b", "Alibaba Cloud", "vLLM"),
        hardware: "1 data-centre GPU",
        tools: &["log search"],
        context_window: 32_768,
        tier: CapabilityTier::Small,
        governance: Some(Demanded {
            approval: false,
            dollars: Some(25.5),
            blocked: &[],
            notes: "Reads logs, and writes to nobody outside.",
        }),
    },
    Declared {
        name: "figure-checker",
        harness: ("night job", "0.9"),
        model: ("phi-4-mini", "Microsoft", "llama.cpp"),
        hardware: "a laptop without a GPU",
        tools: &[],
        context_window: 16_384,
        tier: CapabilityTier::Edge,
        governance: None,
    },
];

const MEMO_WRITER: usize = 0;
const NOTICE_REVIEWER: usize = 1;
/// The agent whose lane its verdicts blocked.
pub(super) const LOG_REVIEWER: usize = 2;
const FIGURE_CHECKER: usize = 3;

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
    /// The agent that does the work, by its place.
    pub(super) agent: Option<usize>,
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
/// A run whose memo left too early.
const EXTENSION: &str = "Quay 7, extension";
/// A run that waits for a person's grade.
pub(super) const WAITING: &str = "Notice for job applicants";

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
        agent: Some(MEMO_WRITER),
        author: INES,
        judge: RUTH,
        file: Some(("term sheet", "Loan;8,625,000\nRate;7.25 %\nTerm;30 years\nValue;11,500,000\n")),
        rounds: &[decided("pass", Stage::Sealed, Approved, Some("figures agree with the term sheet"))],
    },
    Story {
        project: LOANS,
        sheet: Some("cre_memo_dscr_ltv_v1"),
        title: FAILED,
        agent: Some(MEMO_WRITER),
        author: INES,
        judge: RUTH,
        file: None,
        rounds: &[decided("fail", Stage::Judged, Rejected, Some("coverage is below the gate; no loan on these terms"))],
    },
    Story {
        project: LOANS,
        sheet: Some("fin_wacc_calculation_v1"),
        title: MENDED,
        agent: Some(MEMO_WRITER),
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
        title: EXTENSION,
        agent: Some(MEMO_WRITER),
        author: INES,
        judge: RUTH,
        file: None,
        rounds: &[round("pass", Stage::Judged)],
    },
    Story {
        project: PRIVACY,
        sheet: Some("comp_data_privacy_gdpr_v1"),
        title: "Privacy notice, autumn",
        agent: Some(NOTICE_REVIEWER),
        author: TOMAS,
        judge: RUTH,
        file: Some(("terms of the processor", "The processor acts on documented instructions alone.\n")),
        rounds: &[decided("pass", Stage::Sealed, Approved, Some("read against the notice"))],
    },
    Story {
        project: PRIVACY,
        sheet: Some("comp_data_privacy_gdpr_v1"),
        title: WAITING,
        agent: Some(NOTICE_REVIEWER),
        author: TOMAS,
        judge: RUTH,
        file: None,
        rounds: &[round("pass", Stage::Audited)],
    },
    Story {
        project: PRIVACY,
        sheet: Some("comp_data_privacy_gdpr_v1"),
        title: "Privacy notice, spring",
        agent: Some(NOTICE_REVIEWER),
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
        project: OPERATIONS,
        sheet: Some("agent_action_log_review_v1"),
        title: "Support agent, night batch",
        agent: Some(LOG_REVIEWER),
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
        project: OPERATIONS,
        sheet: Some("agent_action_log_review_v1"),
        title: "Pricing agent, week 41",
        agent: Some(LOG_REVIEWER),
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
        project: OPERATIONS,
        sheet: Some("agent_action_log_review_v1"),
        title: "Pricing agent, week 42",
        agent: Some(LOG_REVIEWER),
        author: INES,
        judge: RUTH,
        file: None,
        rounds: &[round("fail", Stage::Judged)],
    },
    Story {
        project: OPERATIONS,
        sheet: None,
        title: "Idea: review of the purchasing agent",
        agent: None,
        author: INES,
        judge: RUTH,
        file: None,
        rounds: &[],
    },
    Story {
        project: MACHINES,
        sheet: Some("dataset_class_balance_v1"),
        title: "Animal pictures, third cut",
        agent: Some(FIGURE_CHECKER),
        author: TOMAS,
        judge: RUTH,
        file: None,
        rounds: &[decided("pass", Stage::Judged, Approved, None)],
    },
    Story {
        project: MACHINES,
        sheet: Some("dataset_class_balance_v1"),
        title: "Animal pictures, fourth cut",
        agent: Some(FIGURE_CHECKER),
        author: TOMAS,
        judge: RUTH,
        file: None,
        rounds: &[round("fail", Stage::Submitted)],
    },
    Story {
        project: MACHINES,
        sheet: Some("compute_benchmark_score_validation_v1"),
        title: "Node 12 after the new driver",
        agent: Some(FIGURE_CHECKER),
        author: INES,
        judge: RUTH,
        file: None,
        rounds: &[decided("pass", Stage::Judged, Approved, None)],
    },
    Story {
        project: MACHINES,
        sheet: Some("compute_benchmark_score_validation_v1"),
        title: "Node 15 after the new driver",
        agent: Some(FIGURE_CHECKER),
        author: INES,
        judge: RUTH,
        file: None,
        rounds: &[decided("pass", Stage::Judged, Approved, None)],
    },
    Story {
        project: MACHINES,
        sheet: Some("compute_benchmark_score_validation_v1"),
        title: "Node 17 after the new driver",
        agent: Some(FIGURE_CHECKER),
        author: INES,
        judge: RUTH,
        file: None,
        rounds: &[decided("pass", Stage::Sealed, Approved, None)],
    },
    Story {
        project: MACHINES,
        sheet: Some("compute_benchmark_score_validation_v1"),
        title: "Node 18 after the new driver",
        agent: Some(FIGURE_CHECKER),
        author: INES,
        judge: RUTH,
        file: None,
        rounds: &[],
    },
];

/// An incident that somebody opened, dealt with and sealed.
#[derive(Debug)]
pub(super) struct Mishap {
    /// What sort of incident.
    pub(super) kind: IncidentKind,
    /// How much it weighs.
    pub(super) tier: TierLevel,
    /// What happened.
    pub(super) title: &'static str,
    /// The same at length.
    pub(super) detail: &'static str,
    /// The agent that it is about, by its place.
    pub(super) agent: usize,
    /// The run that it is about, by its title.
    pub(super) run: &'static str,
    /// Who dealt with it, by their place among the colleagues.
    pub(super) author: usize,
    /// What was done about it.
    pub(super) response: &'static [&'static str],
}

/// The incidents that the watchdog does not open.
pub(super) const MISHAPS: &[Mishap] = &[Mishap {
    kind: IncidentKind::PolicyViolation,
    tier: TierLevel::Mid,
    title: "A memo reached the borrower before its approval",
    detail: "The agent put the memo on Quay 7 into a mail draft, and the draft was sent unread.",
    agent: MEMO_WRITER,
    run: EXTENSION,
    author: INES,
    response: &[
        "the borrower was told that the memo binds nobody",
        "mail drafts of the agent now wait for a second person",
    ],
}];
