//! The rules of a sheet as the referee executes them.

use crate::rulebooks::{
    bands::Bands,
    formula::Formula,
    path::Path,
    policy::{CalculationName, Node},
    vocabulary::{CheckCategory, RuleSeverity},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// What a rule is called and what it weighs.
#[derive(Clone, Debug, PartialEq)]
pub struct Heading {
    /// Its key, unique within the sheet.
    pub key: String,
    /// The rule in words.
    pub label: String,
    /// What it looks at.
    pub category: CheckCategory,
    /// What it weighs, where the author says so. It always stands.
    pub severity: Option<RuleSeverity>,
    /// What to do when it is broken.
    pub remedy: Option<String>,
}

/// The executable part of a sheet: `eval_spec`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EvalSpec {
    /// Conditions on one place each.
    pub deterministic_checks: Vec<DeterministicCheck>,
    /// Results that the referee computes itself.
    pub math_checks: Vec<MathCheck>,
    /// Lists whose every element names its source.
    pub evidence_checks: Vec<EvidenceCheck>,
    /// Conditions of the policy language.
    pub rules: Vec<PolicyRule>,
    /// How far off a number may be.
    pub penalty: Bands,
    /// Calculations that need not be evaluable, such as a reading from an instrument.
    pub free_calculations: Vec<CalculationName>,
}

impl EvalSpec {
    /// Whether one of these rules has the key.
    pub fn executes(&self, key: &str) -> bool {
        let headings = (self.deterministic_checks.iter().map(|check| &check.heading))
            .chain(self.math_checks.iter().map(|check| &check.heading))
            .chain(self.evidence_checks.iter().map(|check| &check.heading))
            .chain(self.rules.iter().map(|rule| &rule.heading));
        headings.into_iter().any(|heading| heading.key == key)
    }
}

/// What is at one place.
#[derive(Clone, Debug, PartialEq)]
pub struct DeterministicCheck {
    /// Its heading.
    pub heading: Heading,
    /// The place; with `[*]`, every value that it gathers is tested.
    pub place: Path,
    /// What must hold there.
    pub test: Test,
}

impl DeterministicCheck {
    /// Whether the place is many: every value there is tested.
    pub fn gathers(&self) -> bool {
        let place = self.place.to_string();
        place.contains("[*]") && !place.starts_with("len(")
    }
}

/// What a deterministic check asks of a value.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// It is one of these.
    OneOf(Vec<Value>),
    /// It is this.
    Equals(Value),
    /// It has this type.
    Type(JsonType),
    /// It is an array of objects that have all these keys.
    RequiredKeys(Vec<String>),
    /// It is a number within these bounds, inclusive.
    Within {
        /// The least.
        minimum: Option<f64>,
        /// The greatest.
        maximum: Option<f64>,
    },
}

/// The types of JSON that a check may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JsonType {
    /// An array.
    Array,
    /// An object.
    Object,
    /// A number.
    Number,
    /// A string.
    String,
    /// True or false.
    Boolean,
}

/// A result that the agent must state and that the referee computes with the sheet's own formula.
#[derive(Clone, Debug, PartialEq)]
pub struct MathCheck {
    /// Its heading.
    pub heading: Heading,
    /// The calculation of the submission that is meant.
    pub calculation: CalculationName,
    /// How the result is computed, whatever formula the agent writes.
    pub formula: Formula,
    /// Where each name of the formula comes from; every name is here.
    pub inputs: BTreeMap<String, InputSource>,
    /// How far the result may be off, in its own units; without it the sheet's penalty bands decide.
    pub tolerance: Option<f64>,
    /// The units that say whether it is money; without them the submission's units do.
    pub units: Option<String>,
    /// Values that the formula was tried on when the sheet was loaded.
    pub example: Option<Example>,
}

/// Where the value of a formula's name comes from: always from the calculation's stated inputs, which are then
/// held against what is already known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputSource {
    /// The normalised names under which the agent may state it; the name itself is the first.
    pub stated_as: Vec<String>,
    /// What it must agree with.
    pub known_from: KnownFrom,
}

/// What a stated input must agree with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KnownFrom {
    /// The run's declared input of this normalised name, if it declares one.
    RunInput(String),
    /// The stated result of the math check with this key.
    MathCheck(String),
}

/// Values that a formula is tried on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Example {
    /// The inputs.
    pub inputs: BTreeMap<String, f64>,
    /// What the formula must give: within the check's tolerance, or exactly to 1 in 10⁹ without one.
    pub expected_result: f64,
}

/// A list whose every element names its source.
#[derive(Clone, Debug, PartialEq)]
pub struct EvidenceCheck {
    /// Its heading.
    pub heading: Heading,
    /// The list.
    pub array: Path,
    /// The field of each element that must hold a text that is not blank.
    pub field: Path,
}

/// A condition of the policy language.
#[derive(Clone, Debug, PartialEq)]
pub struct PolicyRule {
    /// Its heading.
    pub heading: Heading,
    /// The condition.
    pub condition: Node,
}
