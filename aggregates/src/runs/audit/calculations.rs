//! The calculations that a submission states.

use super::{
    Outcome,
    judgement::{Judgement, Miss, excerpt, outcome, shown, some_of},
    reserved,
};
use crate::rulebooks::{
    formula,
    policy::{self, CalculationName},
    vocabulary::{CheckCategory, TierLevel},
};
use serde_json::Value;
use std::collections::BTreeMap;

/// How many calculations of a submission are judged; one more is a flag.
const MAX: usize = 1_000;

/// A calculation as it is stated.
pub(super) struct Calculation<'s> {
    /// Its place in the list, from 1.
    pub(super) ordinal: usize,
    /// Its name; empty where it has none.
    pub(super) name: &'s str,
    /// Its parts where all of them have the type asked for.
    pub(super) parts: Option<Parts<'s>>,
}

/// The parts of a well-formed calculation.
pub(super) struct Parts<'s> {
    pub(super) formula: &'s str,
    pub(super) inputs: Vec<(&'s str, f64)>,
    /// The same by their normalised names, the first of each; they are looked up often.
    by_name: BTreeMap<String, f64>,
    pub(super) result: f64,
    pub(super) units: Option<&'s str>,
}

/// All of them, and what is wrong with them.
pub(super) struct Calculations<'s> {
    pub(super) all: Vec<Calculation<'s>>,
    stated: bool,
    problems: Vec<String>,
}

impl<'s> Calculations<'s> {
    pub(super) fn of(submission: &'s Value) -> Self {
        let (mut all, mut problems) = (Vec::new(), Vec::new());
        let list = submission.get("calculations");
        match list {
            None => {}
            Some(Value::Array(elements)) => {
                if elements.len() > MAX {
                    problems.push(format!("there are {} calculations; the first {MAX} are judged", elements.len()));
                }
                for (place, element) in elements.iter().take(MAX).enumerate() {
                    let name = element.get("name").and_then(Value::as_str).unwrap_or_default();
                    let parts = parts(element).map_err(|problem| {
                        problems.push(format!("number {} ({}): {problem}", place + 1, excerpt(name)));
                    });
                    all.push(Calculation { ordinal: place + 1, name, parts: parts.ok() });
                }
            }
            Some(other) => problems.push(format!("`calculations` is {}, not an array", shown(other))),
        }
        Self { all, stated: list.is_some(), problems }
    }

    /// Whether each has its parts in the right types; nothing where none are stated at all.
    pub(super) fn well_formed(&self) -> Option<Outcome> {
        if !self.stated {
            return None;
        }
        let heading = reserved("calculations_well_formed", "Every calculation states its parts", CheckCategory::Schema);
        let expected = "objects with name (text), formula (text), inputs (object of numbers) and result (number)";
        let judgement = match self.problems.as_slice() {
            [] => Judgement::Pass(None),
            [first, ..] => Judgement::Flag(
                Miss::of(some_of(&self.problems), expected, first.clone())
                    .remedied_by("Write numbers as JSON numbers, without quotes, signs of currency or percent signs."),
            ),
        };
        Some(outcome(&heading, judgement, TierLevel::High))
    }

    /// The results as the policy language sees them. A malformed calculation has none, so that nothing rests on it.
    pub(super) fn results(&self) -> Vec<policy::Calculation> {
        let result = |stated: &Calculation<'_>| policy::Calculation {
            name: stated.name.to_owned(),
            result: stated.parts.as_ref().map(|parts| parts.result),
        };
        self.all.iter().map(result).collect()
    }

    /// Those that go by a name.
    pub(super) fn named(&self, name: &CalculationName) -> Vec<&Calculation<'s>> {
        self.all.iter().filter(|stated| name.matches(stated.name)).collect()
    }
}

impl Parts<'_> {
    /// The value stated under the first of these normalised names that is used.
    pub(super) fn input(&self, names: &[String]) -> Option<f64> {
        names.iter().find_map(|name| self.by_name.get(name).copied())
    }
}

fn parts(element: &Value) -> Result<Parts<'_>, String> {
    let wrong = |name: &str, wanted: &str| match element.get(name) {
        None => format!("{name} is missing"),
        Some(value) => format!("{name} is {}, not {wanted}", shown(value)),
    };
    let text = |name: &str| element.get(name).and_then(Value::as_str).ok_or_else(|| wrong(name, "a text"));
    if !element.is_object() {
        return Err(format!("it is {}, not an object", shown(element)));
    }
    if text("name")?.trim().is_empty() {
        return Err("name is blank".to_owned());
    }
    let formula = text("formula")?;
    let stated = element.get("inputs").and_then(Value::as_object).ok_or_else(|| wrong("inputs", "an object"))?;
    let inputs = stated.iter().map(|(name, value)| {
        let number =
            value.as_f64().ok_or_else(|| format!("the input {} is {}, not a number", excerpt(name), shown(value)));
        number.map(|number| (name.as_str(), number))
    });
    let inputs: Vec<(&str, f64)> = inputs.collect::<Result<_, _>>()?;
    let mut by_name = BTreeMap::new();
    for (name, value) in &inputs {
        by_name.entry(formula::normalise(name)).or_insert(*value);
    }
    let result = element.get("result").and_then(Value::as_f64).ok_or_else(|| wrong("result", "a number"))?;
    let units = match element.get("units") {
        None | Some(Value::Null) => None,
        Some(Value::String(units)) => Some(units.as_str()),
        Some(_) => return Err(wrong("units", "a text")),
    };
    Ok(Parts { formula, inputs, by_name, result, units })
}
