//! From what a rule saw to its outcome, and how what it saw is written.

use super::Outcome;
use crate::rulebooks::{
    sheet::rules::Heading,
    vocabulary::{CheckKind, CheckSource, CheckStatus, RuleSeverity, TierLevel},
};
use serde_json::Value;

/// How many things of a kind one outcome names before it only counts the rest.
const NAMED: usize = 10;

/// What a rule came to.
pub(super) enum Judgement {
    /// It is met.
    Pass(Option<String>),
    /// It is broken.
    Flag(Miss),
    /// Nothing can be said, and why.
    Skip(String),
}

/// How a rule is broken.
pub(super) struct Miss {
    /// What the miss weighs where the sheet declares nothing.
    pub(super) tier: Option<TierLevel>,
    pub(super) detail: String,
    pub(super) expected: String,
    pub(super) found: String,
    pub(super) remedy: Option<String>,
}

impl Miss {
    pub(super) fn of(detail: impl Into<String>, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self { tier: None, detail: detail.into(), expected: expected.into(), found: found.into(), remedy: None }
    }

    pub(super) fn weighing(self, tier: TierLevel) -> Self {
        Self { tier: Some(tier), ..self }
    }

    pub(super) fn remedied_by(self, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }
}

/// The outcome of a rule. A declared severity always stands; `undeclared` is the tier of the rule where there is none.
///
/// A rule of the high tier that cannot be judged is a mid flag: silence must not be a way around it.
pub(super) fn outcome(heading: &Heading, judgement: Judgement, undeclared: TierLevel) -> Outcome {
    let declared_or = |tier: TierLevel| heading.severity.unwrap_or_else(|| severity_of(tier));
    let rule_tier = heading.severity.map_or(undeclared, RuleSeverity::tier);
    let (status, severity, judgement) = match judgement {
        Judgement::Pass(detail) => (CheckStatus::Pass, declared_or(undeclared), Judgement::Pass(detail)),
        Judgement::Flag(miss) => {
            (CheckStatus::Flag, declared_or(miss.tier.unwrap_or(undeclared)), Judgement::Flag(miss))
        }
        Judgement::Skip(why) if rule_tier == TierLevel::High => {
            let miss = Miss::of(format!("not evaluable: {why}"), heading.label.clone(), why);
            (CheckStatus::Flag, RuleSeverity::Mid, Judgement::Flag(miss))
        }
        Judgement::Skip(why) => (CheckStatus::Skip, declared_or(TierLevel::Low), Judgement::Skip(why)),
    };
    let (detail, miss) = match judgement {
        Judgement::Pass(detail) => (detail, None),
        Judgement::Skip(why) => (Some(format!("not judged: {why}")), None),
        Judgement::Flag(miss) => (Some(miss.detail.clone()), Some(miss)),
    };
    let remedy = miss.as_ref().map(|miss| {
        let written = heading.remedy.clone().or_else(|| miss.remedy.clone());
        written.unwrap_or_else(|| format!("Correct the submission so that this holds: {}.", heading.label))
    });
    let (expected, found) = miss.map(|miss| (miss.expected, miss.found)).unzip();
    Outcome {
        key: heading.key.clone(),
        label: heading.label.clone(),
        category: heading.category,
        kind: CheckKind::Auto,
        source: CheckSource::Auto,
        status,
        severity,
        detail,
        expected,
        found,
        remedy,
    }
}

const fn severity_of(tier: TierLevel) -> RuleSeverity {
    match tier {
        TierLevel::High => RuleSeverity::High,
        TierLevel::Mid => RuleSeverity::Mid,
        TierLevel::Low => RuleSeverity::Low,
    }
}

/// A number as every outcome writes it: rounded to 12 significant digits, the shortest text that reads back.
pub(super) fn number(value: f64) -> String {
    // Rounding goes through decimal text, which is exact; adding zero turns a negative zero into zero.
    let rounded = format!("{value:.11e}").parse::<f64>().unwrap_or(value) + 0.0;
    let magnitude = rounded.abs();
    if magnitude == 0.0 || (1e-6..1e15).contains(&magnitude) { format!("{rounded}") } else { format!("{rounded:e}") }
}

/// How far off a number is, in percent of the true one.
pub(super) fn percent_off(stated: f64, truth: f64) -> String {
    let percent = 100.0 * (stated - truth).abs() / truth.abs().max(1e-9);
    if percent < 1e6 { format!("off by {percent:.2} %") } else { "off by more than a million percent".to_owned() }
}

/// Somebody else's text, cut short and without control characters.
pub(super) fn excerpt(text: &str) -> String {
    cut(text, 80)
}

/// A text without control characters, of so many characters at most.
pub(super) fn cut(text: &str, longest: usize) -> String {
    let mut characters = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let start: String = characters.by_ref().take(longest).collect();
    if characters.next().is_some() { format!("{start}…") } else { start }
}

/// A JSON value, cut short.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Number(value) => value.as_f64().map_or_else(|| value.to_string(), number),
        Value::Array(elements) => format!("an array of {}", elements.len()),
        Value::Object(entries) => format!("an object with {} keys", entries.len()),
        Value::String(text) => format!("\"{}\"", excerpt(text)),
        Value::Null | Value::Bool(_) => value.to_string(),
    }
}

/// Things by name, the first few; then how many more there are.
pub(super) fn some_of(things: &[String]) -> String {
    let named = things.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join("; ");
    match things.len().checked_sub(NAMED) {
        None | Some(0) => named,
        Some(more) => format!("{named}; and {more} more"),
    }
}

/// The same for things that may be many: only those that are named are put into words.
pub(super) fn first_of<T>(mut things: impl Iterator<Item = T>, in_words: impl Fn(T) -> String) -> String {
    let named: Vec<String> = things.by_ref().take(NAMED).map(in_words).collect();
    match things.count() {
        0 => named.join("; "),
        more => format!("{}; and {more} more", named.join("; ")),
    }
}
