//! The family policy: conditions that the sheet's author wrote.

use super::{
    Outcome,
    judgement::{Judgement, Miss, first_of, number, outcome, percent_off, shown},
};
use crate::rulebooks::{
    bands::Grade,
    policy::{Because, Comparison, Facts, Node, Operand, Truth},
    sheet::rules::PolicyRule,
    vocabulary::TierLevel,
};
use serde_json::Value;

pub(super) fn judge(rule: &PolicyRule, facts: &Facts<'_>) -> Outcome {
    let missing = || Judgement::Skip("a value that the rule needs is missing or of another type".to_owned());
    let judgement = match &rule.condition {
        node @ Node::Approx { left, right, .. } => match node.grade(facts) {
            None => missing(),
            Some(Grade::Pass) => Judgement::Pass(None),
            Some(Grade::Flag(tier)) => Judgement::Flag(apart(left, right, facts).weighing(tier)),
        },
        node => match node.evaluate(facts) {
            Truth::True => Judgement::Pass(met(node, facts)),
            Truth::False => Judgement::Flag(broken(rule, facts)),
            Truth::Unknown => missing(),
        },
    };
    outcome(&rule.heading, judgement, TierLevel::Mid)
}

fn met(node: &Node, facts: &Facts<'_>) -> Option<String> {
    match node {
        Node::Compare { left, .. } => Some(format!("it is {}", seen(left, facts))),
        _ => None,
    }
}

fn broken(rule: &PolicyRule, facts: &Facts<'_>) -> Miss {
    let label = &rule.heading.label;
    let (place, because) = rule.condition.broken(facts).map_or((None, Because::Unsaid), |at| (at.place, at.because));
    let all = |values: &[Value]| first_of(values.iter(), shown);
    let (detail, expected, found) = match because {
        Because::Compared { comparison, found, expected } => {
            let (found, expected) = (shown(&found), format!("{} {}", symbol(comparison), shown(&expected)));
            (format!("{found} is not {expected}"), expected, found)
        }
        Because::NotIn { found, allowed } => {
            let allowed = allowed.as_array().map_or_else(|| shown(&allowed), |allowed| all(allowed));
            let (found, expected) = (shown(&found), format!("one of {allowed}"));
            (format!("{found} is not {expected}"), expected, found)
        }
        Because::Empty(field) => {
            (format!("{field} holds nothing"), format!("something in {field}"), "nothing".to_owned())
        }
        Because::NotQuoted(quotation) => {
            let quotation = shown(&quotation);
            (format!("no evidence text has {quotation}"), "words of the evidence".to_owned(), quotation)
        }
        Because::Repeated(value) => {
            let value = shown(&value);
            (format!("{value} is there more than once"), "each value once".to_owned(), format!("{value} again"))
        }
        Because::Sets { missing, surplus } => {
            let named = |what, values: &[Value]| (!values.is_empty()).then(|| format!("{what} {}", all(values)));
            let parts: Vec<String> =
                [named("lacks", &missing), named("has besides", &surplus)].into_iter().flatten().collect();
            let found = parts.join(" and ");
            (found.clone(), label.clone(), found)
        }
        Because::NotContained(text) => {
            let text = shown(&text);
            (format!("{text} is not in the text"), format!("a text with {text}"), "a text without it".to_owned())
        }
        Because::Filled(value) => (format!("{} is there", shown(&value)), "null".to_owned(), shown(&value)),
        Because::Absent => ("the value is not there".to_owned(), "a value".to_owned(), "nothing".to_owned()),
        Because::Unsaid => {
            (format!("this does not hold: {label}"), label.clone(), "a submission in which it does not hold".to_owned())
        }
    };
    match place {
        Some(place) => Miss::of(format!("{place}: {detail}"), expected, format!("{found} at {place}")),
        None => Miss::of(detail, expected, found),
    }
}

const fn symbol(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Equal => "=",
        Comparison::NotEqual => "≠",
        Comparison::AtLeast => "≥",
        Comparison::AtMost => "≤",
        Comparison::Greater => ">",
        Comparison::Less => "<",
    }
}

fn apart(left: &Operand, right: &Operand, facts: &Facts<'_>) -> Miss {
    let (found, expected) = (seen(left, facts), seen(right, facts));
    let value = |operand: &Operand| operand.evaluate(facts).and_then(|value| value.as_f64());
    let off = match (value(left), value(right)) {
        (Some(stated), Some(truth)) => {
            let remedy = format!("It should be {}.", number(truth));
            return Miss::of(
                format!("states {found}, should be {expected}: {}", percent_off(stated, truth)),
                expected,
                found,
            )
            .remedied_by(remedy);
        }
        _ => format!("states {found}, should be {expected}"),
    };
    Miss::of(off, expected, found)
}

fn seen(operand: &Operand, facts: &Facts<'_>) -> String {
    operand.evaluate(facts).map_or_else(|| "nothing".to_owned(), |value| shown(&value))
}
