//! A sheet as it is written: the shapes of the file, before anything in it is checked against the rest.

use super::{
    rules::{Example, JsonType},
    values,
};
use crate::rulebooks::{
    bands::Bands,
    formula::Formula,
    path::Path,
    vocabulary::{CapabilityTier, CheckCategory, CheckKind, Lane, RuleSeverity},
};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// The sheet itself. Where a field cannot be read, something stands in for it, so that what is wrong with the others is
/// found as well.
pub(super) struct Draft {
    pub(super) slug: Option<String>,
    pub(super) name: Option<String>,
    pub(super) version: Option<String>,
    pub(super) lane: Lane,
    pub(super) summary: Option<String>,
    pub(super) purpose: Option<String>,
    pub(super) assignment_instructions: Option<String>,
    pub(super) required_inputs: Vec<String>,
    pub(super) expected_outputs: Vec<String>,
    pub(super) audit_checks: Vec<Value>,
    pub(super) pass_threshold: u8,
    pub(super) fail_threshold: u8,
    pub(super) min_capability_tier: Option<CapabilityTier>,
    pub(super) eval_spec: Option<SpecDraft>,
}

/// Its executable part.
pub(super) struct SpecDraft {
    pub(super) required_output_schema: Option<Value>,
    pub(super) deterministic_checks: Vec<Value>,
    pub(super) math_checks: Vec<Value>,
    pub(super) evidence_checks: Vec<Value>,
    pub(super) rules: Vec<Value>,
    pub(super) penalty: Bands,
    pub(super) free_calculations: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleDraft {
    pub(super) key: String,
    pub(super) label: String,
    pub(super) category: Option<CheckCategory>,
    pub(super) kind: Option<CheckKind>,
    pub(super) severity: Option<RuleSeverity>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HeadingDraft {
    pub(super) key: Option<String>,
    pub(super) label: Option<String>,
    pub(super) category: Option<CheckCategory>,
    pub(super) severity: Option<RuleSeverity>,
    pub(super) remedy: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DeterministicDraft {
    pub(super) match_field: Path,
    pub(super) expected_values: Option<Vec<Value>>,
    #[serde(default, deserialize_with = "given")]
    pub(super) expected_value: Option<Value>,
    pub(super) r#type: Option<JsonType>,
    pub(super) required_keys: Option<Vec<String>>,
    pub(super) minimum: Option<f64>,
    pub(super) maximum: Option<f64>,
}

/// A value that is there, be it null.
fn given<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MathDraft {
    pub(super) calculation: String,
    #[serde(default)]
    pub(super) aliases: Vec<String>,
    pub(super) formula: Formula,
    #[serde(default)]
    pub(super) inputs: BTreeMap<String, InputDraft>,
    pub(super) tolerance: Option<f64>,
    pub(super) units: Option<String>,
    pub(super) example: Option<Example>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InputDraft {
    #[serde(default)]
    pub(super) aliases: Vec<String>,
    pub(super) run_input: Option<String>,
    pub(super) math_check: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EvidenceDraft {
    pub(super) match_field: Path,
    pub(super) field: Path,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PolicyDraft {
    pub(super) assert: Value,
}

impl SpecDraft {
    /// How many parts the rules have, the names in formulas among them.
    pub(super) fn weight(&self) -> usize {
        let rules = [&self.deterministic_checks, &self.math_checks, &self.evidence_checks, &self.rules];
        let formulas = self.math_checks.iter().filter_map(|check| check.get("formula")?.as_str());
        rules.into_iter().flatten().map(values).sum::<usize>() + formulas.map(str::len).sum::<usize>()
    }

    pub(super) fn rules(&self) -> usize {
        self.deterministic_checks.len() + self.math_checks.len() + self.evidence_checks.len() + self.rules.len()
    }
}
