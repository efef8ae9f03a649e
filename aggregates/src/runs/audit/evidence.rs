//! The family evidence: whether every element of a list names its source.

use super::{
    Outcome,
    judgement::{Judgement, Miss, first_of, outcome},
};
use crate::rulebooks::{sheet::rules::EvidenceCheck, vocabulary::TierLevel};
use serde_json::Value;

pub(super) fn judge(check: &EvidenceCheck, object: &Value) -> Outcome {
    let judgement = match check.array.resolve(object).as_deref() {
        Some(Value::Array(elements)) => sourced(check, elements),
        Some(_) => Judgement::Skip(format!("{} is no array", check.array)),
        None => Judgement::Skip(format!("there is no {}", check.array)),
    };
    outcome(&check.heading, judgement, TierLevel::Mid)
}

fn sourced(check: &EvidenceCheck, elements: &[Value]) -> Judgement {
    // A null names nothing, and neither do blanks, numbers or lists.
    let names_one = |element: &Value| {
        let found = check.field.resolve(element);
        found.as_deref().and_then(Value::as_str).is_some_and(|source| !source.trim().is_empty())
    };
    let unsourced = || elements.iter().enumerate().filter(|(_, element)| !names_one(element));
    let named = |(place, _): (usize, &Value)| format!("{}[{place}]", check.array);
    let Some(first) = unsourced().next().map(named) else {
        return Judgement::Pass(Some(format!("{} of {0} elements name their source", elements.len())));
    };
    let found = format!("{first} with nothing in {}", check.field);
    let miss = Miss::of(
        format!("without {}: {}", check.field, first_of(unsourced(), named)),
        format!("a text in {} of every element of {}", check.field, check.array),
        found,
    );
    Judgement::Flag(
        miss.remedied_by(format!("Name the source of each in {}, or leave the statement out.", check.field)),
    )
}
