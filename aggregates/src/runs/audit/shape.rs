//! The families structure and schema: whether the submission is there and has the shape asked for.

use super::{
    Outcome, Work,
    judgement::{Judgement, Miss, cut, excerpt, first_of, outcome, shown, some_of},
    reserved,
};
use crate::rulebooks::{
    sheet::{
        OutputSchema,
        rules::{DeterministicCheck, JsonType, Test},
        values,
    },
    vocabulary::{CheckCategory, RuleSeverity, TierLevel},
};
use jsonschema::error::ValidationErrorKind;
use proof::canonical::{MAX_DEPTH, parse_strict};
use serde_json::Value;

/// How many looks at values one audit may take.
const MAX_LOOKS: usize = 500_000_000;
/// How many steps of patterns it may take.
const MAX_MATCHES: usize = 4_000_000_000;
/// The most errors of one submission that are looked at.
const MAX_ERRORS: usize = 1_000;
/// The most characters of a schema's rule that are shown; it may list many values.
const LONGEST_RULE: usize = 300;

/// Whether the submission is an object of a size that the sheet can be applied to, and the object. Without one, the flag
/// is the whole audit.
pub(super) fn json_valid(work: &Work<'_>) -> (Outcome, Option<Value>) {
    let mut heading = reserved("json_valid", "The submission is one JSON object", CheckCategory::Schema);
    let problem = match parse_strict(work.output.as_bytes()) {
        Ok(object @ Value::Object(_)) => match too_much(work, &object) {
            None => return (outcome(&heading, Judgement::Pass(None), TierLevel::High), Some(object)),
            Some(too_much) => {
                heading.severity = Some(RuleSeverity::Critical);
                let miss =
                    Miss::of(too_much.clone(), "a submission of a size that the sheet can be applied to", too_much)
                        .remedied_by("Submit less: leave out data that no rule of the sheet asks for.");
                return (outcome(&heading, Judgement::Flag(miss), TierLevel::High), None);
            }
        },
        Ok(other) => format!("it is {}", shown(&other)),
        Err(error) => error.to_string(),
    };
    heading.severity = Some(RuleSeverity::Critical);
    let expected = format!("one JSON object (RFC 8259) without repeated keys, nested at most {MAX_DEPTH} deep");
    let miss = Miss::of(problem.clone(), expected, problem)
        .remedied_by("Submit the JSON object alone: no text around it, no code fence, no comments.");
    (outcome(&heading, Judgement::Flag(miss), TierLevel::High), None)
}

/// Why the submission is too large for this sheet, if it is: both are bounded, and still their product could take minutes.
fn too_much(work: &Work<'_>, object: &Value) -> Option<String> {
    let (weight, states) = (work.sheet.weight(), work.sheet.pattern_states());
    let parts = values(object) + values(work.inputs);
    if parts.saturating_mul(weight) > MAX_LOOKS {
        return Some(format!(
            "it and the run's inputs have {parts} values, and the sheet looks at each up to {weight} times; the product may be {MAX_LOOKS}"
        ));
    }
    let bytes = work.output.len();
    let is_much = bytes.saturating_mul(states) > MAX_MATCHES;
    is_much.then(|| {
        format!(
            "it has {bytes} bytes, and the sheet's patterns about {states} states; the product may be {MAX_MATCHES}"
        )
    })
}

/// The schema's verdict in two checks: what is missing at the top or anywhere else, and everything else.
pub(super) fn output_schema(schema: &OutputSchema, object: &Value) -> [Outcome; 2] {
    let (mut missing, mut wrong) = (Vec::new(), Vec::new());
    for error in schema.validator().iter_errors(object).take(MAX_ERRORS) {
        let place = match error.instance_path().to_string() {
            root if root.is_empty() => "the submission".to_owned(),
            pointer => excerpt(&pointer),
        };
        match error.kind() {
            ValidationErrorKind::Required { property } => {
                missing.push((format!("{place} lacks {property}"), property.to_string(), "nothing".to_owned()));
            }
            _ => {
                let rule = cut(&error.masked_with("the value").to_string(), LONGEST_RULE);
                wrong.push((format!("at {place}: {rule}"), rule, shown(error.instance())));
            }
        }
    }
    let check = |key, label, mut misses: Vec<(String, String, String)>| {
        // The validator promises no order.
        misses.sort_unstable();
        let details: Vec<String> = misses.iter().map(|(detail, ..)| detail.clone()).collect();
        let judgement = match misses.into_iter().next() {
            None => Judgement::Pass(None),
            Some((_, expected, found)) => Judgement::Flag(Miss::of(some_of(&details), expected, found)),
        };
        outcome(&reserved(key, label, CheckCategory::Schema), judgement, TierLevel::High)
    };
    [
        check("required_fields_present", "Every required field is present", missing),
        check("schema_valid", "Every field has the form that the sheet asks for", wrong),
    ]
}

pub(super) fn deterministic(check: &DeterministicCheck, object: &Value) -> Outcome {
    let judgement = match check.place.resolve(object) {
        None => {
            Judgement::Flag(Miss::of(format!("there is nothing at {}", check.place), check.test.in_words(), "nothing"))
        }
        Some(found) if check.gathers() => every(check, found.as_array().map_or(&[], Vec::as_slice)),
        Some(found) => one(check, &found),
    };
    outcome(&check.heading, judgement, TierLevel::High)
}

fn one(check: &DeterministicCheck, value: &Value) -> Judgement {
    match check.test.misses(value) {
        None => Judgement::Pass(None),
        Some(miss) => {
            let detail = format!("at {}: {miss}", check.place);
            Judgement::Flag(Miss::of(detail, check.test.in_words(), shown(value)))
        }
    }
}

fn every(check: &DeterministicCheck, values: &[Value]) -> Judgement {
    let misses = || values.iter().enumerate().filter(|(_, value)| !check.test.holds(value));
    match misses().next() {
        None => Judgement::Pass(None),
        Some((_, value)) => {
            let named = first_of(misses(), |(place, value)| {
                format!("number {}: {}", place + 1, check.test.misses(value).unwrap_or_default())
            });
            let detail = format!("at {}: {named}", check.place);
            Judgement::Flag(Miss::of(detail, check.test.in_words(), shown(value)))
        }
    }
}

impl Test {
    /// What it asks for.
    fn in_words(&self) -> String {
        match self {
            Self::OneOf(values) => {
                format!("one of {}", values.iter().map(Value::to_string).collect::<Vec<_>>().join(", "))
            }
            Self::Equals(value) => value.to_string(),
            Self::Type(kind) => format!("a value of type {}", kind.name()),
            Self::RequiredKeys(keys) => format!("an array of objects, each with {}", keys.join(", ")),
            Self::Within { minimum, maximum } => {
                let least = minimum.map(|bound| format!("at least {}", super::judgement::number(bound)));
                let greatest = maximum.map(|bound| format!("at most {}", super::judgement::number(bound)));
                let bounds: Vec<String> = least.into_iter().chain(greatest).collect();
                format!("a number, {}", bounds.join(" and "))
            }
        }
    }

    /// Whether the value meets it.
    fn holds(&self, value: &Value) -> bool {
        match self {
            Self::OneOf(values) => values.iter().any(|allowed| same(allowed, value)),
            Self::Equals(wanted) => same(wanted, value),
            Self::Type(kind) => kind.is_of(value),
            Self::RequiredKeys(keys) => {
                value.as_array().is_some_and(|elements| lacking(keys, elements).next().is_none())
            }
            Self::Within { minimum, maximum } => value.as_f64().is_some_and(|number| {
                minimum.is_none_or(|least| number >= least) && maximum.is_none_or(|greatest| number <= greatest)
            }),
        }
    }

    /// How the value misses it.
    fn misses(&self, value: &Value) -> Option<String> {
        if self.holds(value) {
            return None;
        }
        Some(match (self, value.as_array()) {
            (Self::RequiredKeys(_), None) => "it is no array".to_owned(),
            (Self::RequiredKeys(keys), Some(elements)) => {
                let lacking = lacking(keys, elements).take(MAX_ERRORS);
                first_of(lacking, |(place, key)| format!("element {} lacks {key}", place + 1))
            }
            _ => format!("{} is not {}", shown(value), self.in_words()),
        })
    }
}

/// The keys that elements lack, each with the place of the element.
fn lacking<'v>(keys: &'v [String], elements: &'v [Value]) -> impl Iterator<Item = (usize, &'v String)> {
    let of = |(place, element): (usize, &'v Value)| {
        keys.iter().filter(move |key| element.get(key.as_str()).is_none()).map(move |key| (place, key))
    };
    elements.iter().enumerate().flat_map(of)
}

/// Equal as values: 1 and 1.0 are the same number.
fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left == right || left.as_f64() == right.as_f64(),
        _ => left == right,
    }
}

impl JsonType {
    const fn name(self) -> &'static str {
        match self {
            Self::Array => "array",
            Self::Object => "object",
            Self::Number => "number",
            Self::String => "string",
            Self::Boolean => "boolean",
        }
    }

    const fn is_of(self, value: &Value) -> bool {
        matches!(
            (self, value),
            (Self::Array, Value::Array(_))
                | (Self::Object, Value::Object(_))
                | (Self::Number, Value::Number(_))
                | (Self::String, Value::String(_))
                | (Self::Boolean, Value::Bool(_))
        )
    }
}
