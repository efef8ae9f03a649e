//! The closed vocabularies of the runs surface, exactly as its contract writes them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

// A `literal` would reach the derive of the schema in a group that it does not look into: hence `tt`.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$arm:meta])* $variant:ident = $word:tt,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
        pub enum $name { $($(#[$arm])* #[serde(rename = $word)] $variant,)* }

        impl $name {
            /// Every word, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The word on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str(self.as_str())
            }
        }
    )*};
}

words! {
    /// How a verdict reads: clean, to be repaired, or not to be released.
    Severity {
        /// No flag above low.
        Honey = "honey",
        /// At least one mid flag and none high.
        Jelly = "jelly",
        /// At least one high flag.
        Propolis = "propolis",
    }
    /// What the verdict comes to.
    VerdictOutcome {
        /// Honey.
        Pass = "pass",
        /// Jelly.
        Risk = "risk",
        /// Propolis.
        Fail = "fail",
    }
    /// How much a flag weighs.
    TierLevel {
        /// Weight 1.
        Low = "low",
        /// Weight 2.
        Mid = "mid",
        /// Weight 5.
        High = "high",
    }
    /// Where a check stands.
    CheckStatus {
        /// The rule is met.
        Pass = "pass",
        /// The rule is broken.
        Flag = "flag",
        /// A person must grade it.
        Open = "open",
        /// An operand is missing and nothing can be said.
        Skip = "skip",
    }
    /// What a check looks at.
    CheckCategory {
        /// Whether the parts asked for are there.
        Structure = "structure",
        /// Whether they have the shape asked for.
        Schema = "schema",
        /// Whether the arithmetic holds.
        Math = "math",
        /// Whether claims rest on evidence.
        Evidence = "evidence",
        /// Whether the declared policy is kept.
        Policy = "policy",
    }
    /// Who applies a rule.
    CheckKind {
        /// The referee.
        Auto = "auto",
        /// A person.
        Checklist = "checklist",
    }
    /// Who applied a check.
    CheckSource {
        /// The referee.
        Auto = "auto",
        /// A person.
        Operator = "operator",
    }
    /// The severities that a rule may declare; old sheets and new ones use different words.
    RuleSeverity {
        /// High tier.
        High = "high",
        /// Mid tier.
        Mid = "mid",
        /// Mid tier.
        Medium = "medium",
        /// Low tier.
        Low = "low",
        /// High tier.
        Critical = "critical",
        /// Mid tier.
        Noncritical = "noncritical",
        /// Low tier.
        Honey = "honey",
        /// Mid tier.
        Jelly = "jelly",
        /// High tier.
        Propolis = "propolis",
        /// Low tier.
        Minor = "minor",
    }
    /// What a person decides about a run.
    ApprovalDecision {
        /// A receipt may be minted.
        Approved = "approved",
        /// The work goes back.
        Rejected = "rejected",
        /// Somebody else decides.
        Escalated = "escalated",
    }
    /// The lanes that runs are driven in.
    Lane {
        /// An agent's work.
        Agent = "agent",
        /// A data set.
        Dataset = "dataset",
        /// A machine.
        Compute = "compute",
        /// Anything else.
        Other = "other",
    }
    /// What a piece of evidence is.
    EvidenceKind {
        /// An uploaded file.
        File = "file",
        /// A note.
        Note = "note",
        /// A text.
        Text = "text",
        /// An address.
        Url = "url",
        /// What somebody saw.
        Observation = "observation",
        /// What a tool gave back.
        ToolOutput = "tool_output",
        /// What a model gave back.
        ModelOutput = "model_output",
        /// A log.
        Log = "log",
    }
    /// How capable a model is declared to be.
    CapabilityTier {
        /// Runs at the edge.
        Edge = "edge",
        /// Small.
        Small = "small",
        /// Mid-sized.
        Mid = "mid",
        /// Among the most capable.
        Frontier = "frontier",
    }
    /// Whether the work may go to a client.
    ClientReady {
        /// No: a high flag stands.
        No = "no",
        /// Not before the mid flags are cleared, or with them stated as limitations.
        AfterRepair = "after_repair",
        /// Yes; minor notes only.
        YesWithNotes = "yes_with_notes",
        /// Yes.
        Yes = "yes",
    }
    /// What to do next about a run.
    NextAction {
        /// Correct the work and submit it again.
        Resubmit = "resubmit",
        /// Look at the findings and decide.
        Review = "review",
        /// Approve it and mint the receipt.
        Approve = "approve",
        /// The work is right and its answer is no.
        Reject = "reject",
    }
    /// Where the score stands against the sheet's two thresholds; it never softens a flag.
    ThresholdBand {
        /// At or above the pass threshold.
        Above = "above",
        /// Between the two.
        Between = "between",
        /// Below the fail threshold.
        Below = "below",
    }
    /// What a flag is about.
    Bucket {
        /// The work is wrong: correct and resubmit.
        WorkDefect = "work-defect",
        /// The work is right and the rule says no.
        DealFinding = "deal-finding",
        /// The agent is not fit for the lane.
        StackFit = "stack-fit",
    }
    /// What a profile's runs have earned on a lane.
    LaneStatus {
        /// Too little is known.
        Testing = "testing",
        /// Three runs at honey or more, and none at propolis.
        Approved = "approved",
        /// One run at propolis.
        Restricted = "restricted",
        /// Two runs at propolis or more: no run may be opened.
        Blocked = "blocked",
    }
    /// What sort of incident. A single flag is none.
    IncidentKind {
        /// The agent acted outside of what it was granted.
        Rogue = "rogue",
        /// The agent could not be reached for longer than agreed.
        Dark = "dark",
        /// A declared gate was broken.
        PolicyViolation = "policy_violation",
        /// The same rules are broken again and again: a lane is blocked.
        RecurringFlag = "recurring_flag",
    }
    /// Whether an incident is dealt with.
    IncidentStatus {
        /// It is not.
        Open = "open",
        /// It is.
        Resolved = "resolved",
    }
}

impl RuleSeverity {
    /// The tier of a declared severity. Where none is declared, the tier is mid.
    pub const fn tier(self) -> TierLevel {
        match self {
            Self::High | Self::Critical | Self::Propolis => TierLevel::High,
            Self::Mid | Self::Medium | Self::Noncritical | Self::Jelly => TierLevel::Mid,
            Self::Low | Self::Honey | Self::Minor => TierLevel::Low,
        }
    }
}

impl TierLevel {
    /// What a check of this tier weighs in the score.
    pub const fn weight(self) -> u64 {
        match self {
            Self::High => 5,
            Self::Mid => 2,
            Self::Low => 1,
        }
    }
}

impl CheckCategory {
    /// The bucket of a flag in this category: broken policy is a finding about the deal, all else a defect of the work.
    pub const fn bucket(self) -> Bucket {
        match self {
            Self::Policy => Bucket::DealFinding,
            Self::Structure | Self::Schema | Self::Math | Self::Evidence => Bucket::WorkDefect,
        }
    }
}
