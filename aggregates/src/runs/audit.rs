//! The referee: every rule of a sheet applied to one submission.
//!
//! It is pure and deterministic: the same sheet, inputs, submission and evidence give the same outcomes, byte
//! for byte. No rule is passed over in silence: what cannot be judged says so.

mod calculations;
mod evidence;
mod judgement;
mod math;
mod policy;
mod shape;
mod stack_fit;
pub(crate) mod text_rules;

use self::{calculations::Calculations, judgement::outcome, text_rules::TextRule};
use crate::{
    agents::lanes::Stack,
    ids::EvidenceId,
    rulebooks::{
        policy::{Facts, MAX_STEPS},
        sheet::{
            Rule, Sheet,
            rules::{EvalSpec, Heading},
        },
        vocabulary::{Bucket, CheckCategory, CheckKind, CheckSource, CheckStatus, RuleSeverity},
    },
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The engine that judges and its version; a change that could change any outcome raises the version.
pub const ENGINE: (&str, &str) = ("defendable-referee", "1");

/// The keys of the checks of the agent's stack: its capability, and whether the lane is open to it. No sheet may use them.
pub const STACK_FIT: [&str; 2] = ["stack_fit_capability", "stack_fit_lane"];

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
    /// The stack that did the work, where the run names one.
    pub stack: Option<&'a Stack>,
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
        if STACK_FIT.contains(&self.key.as_str()) { Bucket::StackFit } else { self.category.bucket() }
    }
}

/// Judges a submission: one outcome per rule, ordered by category (structure, schema, math, evidence, policy) and
/// within it as the sheet's author ordered them.
///
/// A sheet with executable rules asks for a JSON object. What is not one gets a single flag and no other check. Whether the
/// agent's stack is fit comes last.
pub fn audit(work: &Work<'_>) -> Vec<Outcome> {
    let mut outcomes = match &work.sheet.eval_spec {
        None => listed(work, None).into_iter().chain(fitness(work)).collect(),
        Some(spec) => {
            let (valid, object) = shape::json_valid(work);
            let mut outcomes = vec![valid];
            if let Some(object) = object {
                outcomes.extend(executed(work, spec, &object));
                outcomes.extend(listed(work, Some(&object)));
                outcomes.extend(fitness(work));
            }
            outcomes
        }
    };
    outcomes.sort_by_key(|outcome| outcome.category);
    outcomes
}

fn fitness(work: &Work<'_>) -> Vec<Outcome> {
    work.stack.map(|stack| stack_fit::stack_fit(stack, work.sheet)).unwrap_or_default()
}

/// The executable rules.
fn executed(work: &Work<'_>, spec: &EvalSpec, object: &Value) -> Vec<Outcome> {
    let calculations = Calculations::of(object);
    let stated = calculations.results();
    let texts: Vec<&str> = work.evidence.iter().filter_map(|exhibit| exhibit.text).collect();
    // Together, the conditions of a sheet take no more than ten of the dearest.
    let steps = MAX_STEPS.min(10 * MAX_STEPS / (spec.rules.len() as u64).max(1));
    let facts = Facts { submission: object, calculations: &stated, inputs: work.inputs, evidence_texts: &texts, steps };
    let mut outcomes = Vec::new();
    if let Some(schema) = work.sheet.output_schema() {
        outcomes.extend(shape::output_schema(schema, object));
    }
    outcomes.extend(calculations.well_formed());
    outcomes.extend(spec.deterministic_checks.iter().map(|check| shape::deterministic(check, object)));
    outcomes.extend(math::required(spec, &calculations, work.inputs));
    outcomes.extend(math::stated(spec, &calculations));
    outcomes.extend(spec.evidence_checks.iter().map(|check| evidence::judge(check, object)));
    outcomes.extend(spec.rules.iter().map(|rule| policy::judge(rule, &facts)));
    outcomes
}

/// The rules that the sheet only lists: the referee's own, and those for a person.
fn listed(work: &Work<'_>, object: Option<&Value>) -> Vec<Outcome> {
    let judge = |rule: &Rule| match rule.kind {
        CheckKind::Checklist => Some(for_a_person(rule)),
        CheckKind::Auto => {
            let own = TextRule::named(&rule.key)?;
            if work.sheet.eval_spec.as_ref().is_some_and(|spec| spec.executes(&rule.key)) {
                return None;
            }
            let heading = Heading {
                key: rule.key.clone(),
                label: rule.label.clone(),
                category: rule.category,
                severity: Some(rule.severity),
                remedy: None,
            };
            let judgement = own.judge(&work.sheet.expected_outputs, work.output, object, work.evidence);
            Some(outcome(&heading, judgement, rule.severity.tier()))
        }
    };
    work.sheet.audit_checks.iter().filter_map(judge).collect()
}

fn for_a_person(rule: &Rule) -> Outcome {
    Outcome {
        key: rule.key.clone(),
        label: rule.label.clone(),
        category: rule.category,
        kind: CheckKind::Checklist,
        source: CheckSource::Operator,
        status: CheckStatus::Open,
        severity: rule.severity,
        detail: None,
        expected: None,
        found: None,
        remedy: None,
    }
}

/// The heading of a check that every sheet has.
fn reserved(key: &str, label: &str, category: CheckCategory) -> Heading {
    Heading { key: key.to_owned(), label: label.to_owned(), category, severity: None, remedy: None }
}

#[cfg(test)]
mod tests;
