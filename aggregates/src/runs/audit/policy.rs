//! The family policy: conditions that the sheet's author wrote.

use super::{
    Outcome,
    judgement::{Judgement, Miss, number, outcome, percent_off, shown},
};
use crate::rulebooks::{
    bands::Grade,
    policy::{Comparison, Facts, Node, Operand, Truth},
    sheet::rules::PolicyRule,
    vocabulary::TierLevel,
};

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
    match &rule.condition {
        Node::Compare { comparison, left, right } => {
            let found = seen(left, facts);
            let expected = format!("{} {}", symbol(*comparison), seen(right, facts));
            Miss::of(format!("{found} is not {expected}"), expected, found)
        }
        Node::In { left, right } => {
            let (found, expected) = (seen(left, facts), format!("one of {}", listed(right, facts)));
            Miss::of(format!("{found} is not {expected}"), expected, found)
        }
        _ => Miss::of(format!("this does not hold: {label}"), label.clone(), "a submission in which it does not hold"),
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

fn listed(operand: &Operand, facts: &Facts<'_>) -> String {
    match operand.evaluate(facts) {
        Some(serde_json::Value::Array(values)) => {
            super::judgement::some_of(&values.iter().map(shown).collect::<Vec<_>>())
        }
        other => other.map_or_else(|| "nothing".to_owned(), |value| shown(&value)),
    }
}
