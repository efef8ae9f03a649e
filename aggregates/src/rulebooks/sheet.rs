//! Flight sheets: the rulebook as a file, and everything that makes it refuse to load.

mod drafts;
mod output_schema;
mod read;
pub mod rules;

pub(crate) use self::output_schema::{OutputSchema, values};
use self::rules::EvalSpec;
use super::vocabulary::{CapabilityTier, CheckCategory, CheckKind, Lane, RuleSeverity};
use proof::digest::Sha256Hex;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// How many rules a sheet may have.
pub const MAX_RULES: usize = 1_000;

/// A rulebook that has been read and that the referee can execute whole.
#[derive(Clone, Debug)]
pub struct Sheet {
    /// Its name in addresses and files: lower-case words joined by underscores or hyphens.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// Its version, such as `1.0`.
    pub version: String,
    /// The lane of the runs that it judges.
    pub lane: Lane,
    /// What it is for, in a sentence.
    pub summary: String,
    /// What it is for, at length.
    pub purpose: String,
    /// What the agent is told to do.
    pub assignment_instructions: String,
    /// The names of the inputs that a run should declare.
    pub required_inputs: Vec<String>,
    /// What the agent is to hand in.
    pub expected_outputs: Vec<String>,
    /// The rules as they are shown.
    pub audit_checks: Vec<Rule>,
    /// From this score on, out of 100, the threshold band is `above`.
    pub pass_threshold: u8,
    /// Below this score, out of 100, the threshold band is `below`.
    pub fail_threshold: u8,
    /// The least capability that an agent's profile should declare for this work.
    pub min_capability_tier: Option<CapabilityTier>,
    /// The JSON Schema (2020-12) that a submission must satisfy.
    pub required_output_schema: Option<Value>,
    /// The rules as they are executed. A sheet without them judges any text; with them, a JSON object.
    pub eval_spec: Option<EvalSpec>,
    output_schema: Option<OutputSchema>,
    /// How many parts its rules have.
    weight: usize,
    content_sha256: Sha256Hex,
}

/// A rule of a sheet as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = FlightSheetRule)]
pub struct Rule {
    /// Its key, unique within the sheet.
    pub key: String,
    /// The rule in words.
    pub label: String,
    /// What it looks at.
    pub category: CheckCategory,
    /// Whether the referee or a person applies it.
    pub kind: CheckKind,
    /// What a flag of it weighs.
    pub severity: RuleSeverity,
}

/// Why a sheet does not load: every problem found, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct SheetError {
    /// The problems; at least one.
    pub problems: Vec<Problem>,
}

/// One thing that is wrong with a sheet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema, thiserror::Error)]
#[schema(as = FlightSheetProblem)]
#[error("{}{message}", if .path.is_empty() { String::new() } else { format!("{path}: ") })]
pub struct Problem {
    /// Where in the file, such as `eval_spec.rules[2]`; empty for the whole file.
    pub path: String,
    /// What is wrong and what is allowed; it names the rule where it is about one.
    pub message: String,
}

impl Sheet {
    /// Reads a sheet. A rule that the referee could not execute refuses to load, by name.
    pub fn load(bytes: &[u8]) -> Result<Self, SheetError> {
        read::sheet(bytes)
    }

    /// SHA-256 of the exact bytes that were loaded: what a run pins.
    pub fn content_sha256(&self) -> Sha256Hex {
        self.content_sha256
    }

    /// The compiled [`Self::required_output_schema`].
    pub(crate) fn output_schema(&self) -> Option<&OutputSchema> {
        self.output_schema.as_ref()
    }

    /// How many parts its rules and its schema have: no part of a submission is looked at more often, but by conditions,
    /// which count their own steps.
    pub(crate) fn weight(&self) -> usize {
        self.weight + self.output_schema.as_ref().map_or(0, OutputSchema::weight)
    }

    /// How many states the patterns of its schema have, about.
    pub(crate) fn pattern_states(&self) -> usize {
        self.output_schema.as_ref().map_or(0, OutputSchema::states)
    }

    /// What the agent is given: instructions, what to hand in, and the house rule on evidence.
    pub fn assignment_text(&self) -> String {
        let mut text = format!("# {}\n\n{}\n\n## Hand in\n\n", self.name, self.assignment_instructions.trim());
        for (place, output) in self.expected_outputs.iter().enumerate() {
            text.push_str(&format!("{}. {output}\n", place + 1));
        }
        text.push_str(
            "\nWork only from the inputs and evidence of this run. Say which statements are assumptions, name every input that is missing, and make nothing up.\n",
        );
        text
    }
}
