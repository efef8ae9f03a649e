//! The family math: results recomputed, by the submission's own formulas and by the sheet's.

use super::{
    Outcome,
    calculations::{Calculation, Calculations, Parts},
    judgement::{Judgement, Miss, cut, excerpt, number, outcome, percent_off, shown},
};
use crate::rulebooks::{
    bands::{Bands, Grade, is_monetary},
    formula::{self, Formula},
    policy::CalculationName,
    sheet::rules::{EvalSpec, Heading, KnownFrom, MathCheck},
    vocabulary::{CheckCategory, TierLevel},
};
use serde_json::Value;
use std::collections::BTreeMap;

/// How far a stated input may be from the run's, relatively: no more than decimal notation explains.
const SAME: f64 = 1e-9;

/// Every calculation of the submission against its own formula and inputs.
pub(super) fn stated(spec: &EvalSpec, calculations: &Calculations<'_>) -> Vec<Outcome> {
    // One that is malformed has its flag in the family schema.
    let well_formed = calculations.all.iter().filter_map(|stated| Some((stated, stated.parts.as_ref()?)));
    let judge = |(stated, parts): (&Calculation<'_>, &Parts<'_>)| {
        let heading = Heading {
            key: format!("math_{}_{}", stated.ordinal, slug(stated.name)),
            label: format!("“{}” follows from its own formula and inputs", excerpt(stated.name)),
            category: CheckCategory::Math,
            severity: None,
            remedy: None,
        };
        let (judgement, undeclared) = follows(spec, stated.name, parts);
        outcome(&heading, judgement, undeclared)
    };
    well_formed.map(judge).collect()
}

/// The judgement, and the tier of the rule for this calculation.
fn follows(spec: &EvalSpec, name: &str, parts: &Parts<'_>) -> (Judgement, TierLevel) {
    let recomputed = Formula::parse(parts.formula).map_err(|error| error.to_string()).and_then(|formula| {
        let variables = formula::variables(parts.inputs.iter().copied()).map_err(|error| error.to_string())?;
        formula.evaluate(&variables).map_err(|error| error.to_string())
    });
    match recomputed {
        Ok(truth) => {
            let grade = spec.penalty.grade(parts.result, truth, is_monetary(parts.units, name));
            (compared(parts.result, truth, grade, "its formula"), TierLevel::High)
        }
        Err(why) if spec.free_calculations.iter().any(|free| free.matches(name)) => {
            (Judgement::Skip(format!("the sheet asks for no formula here ({})", cut(&why, 200))), TierLevel::Low)
        }
        Err(why) => {
            let miss = Miss::of(
                format!("not verifiable: {}", cut(&why, 200)),
                "a formula that can be evaluated over the stated inputs",
                format!("“{}”", excerpt(parts.formula)),
            );
            let remedy = "Write the formula with + - * / ** and the names of its inputs, and state each of them.";
            (Judgement::Flag(miss.weighing(TierLevel::Mid).remedied_by(remedy)), TierLevel::High)
        }
    }
}

fn compared(stated: f64, truth: f64, grade: Grade, whose: &str) -> Judgement {
    match grade {
        Grade::Pass => Judgement::Pass(Some(format!("states {}; {whose} gives {}", number(stated), number(truth)))),
        Grade::Flag(tier) => Judgement::Flag(missed(stated, truth, whose).weighing(tier)),
    }
}

fn missed(stated: f64, truth: f64, whose: &str) -> Miss {
    let (stated_text, truth_text) = (number(stated), number(truth));
    let detail = format!("states {stated_text}; {whose} gives {truth_text}: {}", percent_off(stated, truth));
    Miss::of(detail, truth_text.clone(), stated_text)
        .remedied_by(format!("Recompute it; the result should be {truth_text}."))
}

/// The sheet's own math checks against the calculations that they name.
pub(super) fn required(spec: &EvalSpec, calculations: &Calculations<'_>, inputs: &Value) -> Vec<Outcome> {
    let declared = declared(inputs);
    let referee = Required { spec, calculations, declared };
    let judge = |check| {
        let judgement = referee.judge(check).unwrap_or_else(Judgement::Flag);
        outcome(&check.heading, judgement, TierLevel::High)
    };
    spec.math_checks.iter().map(judge).collect()
}

/// The run's declared inputs by normalised name. Nulls declare nothing.
fn declared(inputs: &Value) -> BTreeMap<String, &Value> {
    let entries = inputs.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
    entries.map(|(name, value)| (formula::normalise(name), value)).collect()
}

struct Required<'a> {
    spec: &'a EvalSpec,
    calculations: &'a Calculations<'a>,
    declared: BTreeMap<String, &'a Value>,
}

impl<'a> Required<'a> {
    /// The one calculation of a name; several must agree, or a favourable one could hide the real one.
    fn one(&self, name: &CalculationName) -> Result<&'a Parts<'a>, Miss> {
        let found = self.calculations.named(name);
        let expected = format!("one calculation named “{}”", name.name());
        let Some(first) = found.first() else {
            let miss = Miss::of("no calculation has this name", expected, "none");
            return Err(miss.remedied_by(format!("State the calculation “{}”.", name.name())));
        };
        let parts: Option<Vec<&Parts<'_>>> = found.iter().map(|stated| stated.parts.as_ref()).collect();
        let (Some(parts), Some(one)) = (parts, first.parts.as_ref()) else {
            return Err(Miss::of("the calculation is stated, but not in its proper form", expected, "a malformed one"));
        };
        if let Some(other) = parts.iter().find(|other| other.result != one.result) {
            let results = format!("{} and {}", number(one.result), number(other.result));
            return Err(Miss::of(format!("stated {} times, as {results}", parts.len()), expected, results));
        }
        Ok(one)
    }

    fn judge(&self, check: &MathCheck) -> Result<Judgement, Miss> {
        let parts = self.one(&check.calculation)?;
        let (mut variables, mut lacking, mut misses, mut undeclared) =
            (BTreeMap::new(), Vec::new(), Vec::new(), Vec::new());
        for (name, source) in &check.inputs {
            let Some(value) = parts.input(&source.stated_as) else {
                lacking.push(name.as_str());
                continue;
            };
            variables.insert(name.clone(), value);
            match &source.known_from {
                KnownFrom::RunInput(input) => match self.declared.get(input) {
                    None => undeclared.push(name.as_str()),
                    Some(known) => misses.extend(against_run(name, value, known)),
                },
                KnownFrom::MathCheck(key) => misses.extend(self.against_result(name, value, key)),
            }
        }
        if !lacking.is_empty() {
            let names = lacking.join(", ");
            let miss = Miss::of(
                format!("not verifiable: its inputs lack {names}"),
                format!("the inputs {}", check.inputs.keys().cloned().collect::<Vec<_>>().join(", ")),
                format!("no {names}"),
            );
            let remedy = format!("State {names} among the inputs of the calculation.");
            misses.push(miss.weighing(TierLevel::Mid).remedied_by(remedy));
            return Err(together(misses));
        }
        let truth = match check.formula.evaluate(&variables) {
            Ok(truth) => truth,
            Err(why) => {
                let miss =
                    Miss::of(format!("not verifiable: {}", cut(&why.to_string(), 200)), "inputs with a result", "none");
                misses.push(miss.weighing(TierLevel::Mid));
                return Err(together(misses));
            }
        };
        let monetary = is_monetary(check.units.as_deref().or(parts.units), check.calculation.name());
        let grade = graded(&self.spec.penalty, check.tolerance, parts.result, truth, monetary);
        match compared(parts.result, truth, grade, "the sheet's formula over the stated inputs") {
            Judgement::Pass(detail) if misses.is_empty() => Ok(Judgement::Pass(detail.map(|detail| {
                if undeclared.is_empty() {
                    detail
                } else {
                    format!("{detail}; taken as stated, since the run does not declare it: {}", undeclared.join(", "))
                }
            }))),
            Judgement::Flag(miss) => {
                misses.push(miss);
                Err(together(misses))
            }
            Judgement::Pass(_) | Judgement::Skip(_) => Err(together(misses)),
        }
    }

    /// A stated input against the stated result of another math check. Where that is not to be had, its own flag says so.
    fn against_result(&self, name: &str, value: f64, key: &str) -> Option<Miss> {
        let other = self.spec.math_checks.iter().find(|check| check.heading.key == key)?;
        let parts = self.one(&other.calculation).ok()?;
        let monetary = is_monetary(other.units.as_deref().or(parts.units), other.calculation.name());
        match graded(&self.spec.penalty, other.tolerance, value, parts.result, monetary) {
            Grade::Pass => None,
            Grade::Flag(tier) => {
                let (value, result) = (number(value), number(parts.result));
                let detail = format!("uses {name} = {value}, but “{}” is stated as {result}", other.calculation.name());
                let miss = Miss::of(detail, format!("{name} = {result}"), format!("{name} = {value}"));
                Some(miss.weighing(tier).remedied_by(format!("Use the same {name} throughout.")))
            }
        }
    }
}

/// Within an absolute tolerance if there is one, by the bands otherwise. What a tolerance refuses is at least low.
fn graded(bands: &Bands, tolerance: Option<f64>, stated: f64, truth: f64, monetary: bool) -> Grade {
    match tolerance {
        Some(tolerance) if (stated - truth).abs() <= tolerance => Grade::Pass,
        Some(_) => match bands.grade(stated, truth, monetary) {
            Grade::Pass => Grade::Flag(TierLevel::Low),
            flag => flag,
        },
        None => bands.grade(stated, truth, monetary),
    }
}

/// A stated input against what the run declares.
fn against_run(name: &str, value: f64, known: &Value) -> Option<Miss> {
    let stated = format!("{name} = {}", number(value));
    let Some(truth) = known.as_f64() else {
        let detail = format!("the run declares {name} as {}, which is no number to hold it against", shown(known));
        return Some(Miss::of(detail, format!("{name} as a number"), stated).weighing(TierLevel::Mid));
    };
    if (value - truth).abs() <= SAME * truth.abs().max(SAME) {
        return None;
    }
    let declared = format!("{name} = {}", number(truth));
    let detail = format!("uses {stated}, but the run declares {declared}");
    let remedy = format!("Use the run's {declared}.");
    Some(Miss::of(detail, declared, stated).weighing(TierLevel::High).remedied_by(remedy))
}

/// Several misses of one rule as one: the worst leads, and the first of equals.
fn together(misses: Vec<Miss>) -> Miss {
    let details: Vec<&str> = misses.iter().map(|miss| miss.detail.as_str()).collect();
    let detail = details.join("; ");
    let worst = misses.into_iter().reduce(|worst, miss| if miss.tier > worst.tier { miss } else { worst });
    match worst {
        Some(worst) => Miss { detail, ..worst },
        None => Miss::of(detail, "", ""),
    }
}

/// A name as part of a key: lower-case letters and digits, words joined by underscores, at most 40.
fn slug(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let slug: String = words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("_").chars().take(40).collect();
    if slug.is_empty() { "unnamed".to_owned() } else { slug }
}
