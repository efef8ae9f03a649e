//! The policy language: conditions over a submission, written in JSON, decided in three values.
//!
//! A condition is read strictly: what the referee could not execute is refused when the sheet is loaded,
//! never skipped when it is applied. Whether a condition holds depends on nothing but [`Facts`], and takes a
//! bounded number of steps ([`MAX_STEPS`]), so that it is the same on every machine and on replay.
//!
//! The language is described for its authors in `docs/rulebook-language.md`.

mod evaluate;
mod read;
mod values;
mod write;

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::bands::{Bands, Grade};
use super::formula::Formula;
use super::path::Path;

/// How deep conditions and operands may nest.
pub const MAX_DEPTH: usize = 64;

/// How much work one condition may take, in parts of values looked at (a text counts one for every 64 bytes).
/// What is not decided by then is unknown.
pub const MAX_STEPS: u64 = 4_000_000;

/// A condition.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// `==`, `!=`, `>=`, `<=`, `>`, `<`: two values of one type compared.
    Compare {
        /// How.
        comparison: Comparison,
        /// The value on the left.
        left: Operand,
        /// The value on the right.
        right: Operand,
    },
    /// `in`: a value is an element of a list.
    In {
        /// The value.
        left: Operand,
        /// The list.
        right: Operand,
    },
    /// `and`: every term holds. Unknown if any term is.
    And(Vec<Node>),
    /// `or`: at least one term holds. Unknown if any term is.
    Or(Vec<Node>),
    /// `not`: the term does not hold.
    Not(Box<Node>),
    /// `if`: `then` holds wherever `cond` does.
    If {
        /// When it matters.
        cond: Box<Node>,
        /// What must hold then.
        then: Box<Node>,
    },
    /// `approx`: a value is near another, graded by how far it is off. Only as a whole rule.
    Approx {
        /// The value as stated.
        left: Operand,
        /// The value as it should be.
        right: Operand,
        /// Whether both are money.
        monetary: bool,
        /// The bounds between the tiers.
        bands: Bands,
    },
    /// `each`: the term holds for every element, which its paths call `@`.
    Each {
        /// The elements.
        array: Operand,
        /// What must hold for each.
        term: Box<Node>,
    },
    /// `all_nonempty`: every element is an object whose field holds something.
    AllNonempty {
        /// The elements.
        array: Operand,
        /// The field within each.
        field: Path,
    },
    /// `unique`: no two elements, or no two values of their field, are equal.
    Unique {
        /// The elements.
        array: Operand,
        /// The field within each, or nothing for the element itself.
        field: Option<Path>,
    },
    /// `set_equal`: two lists hold the same values, in any order and number.
    SetEqual {
        /// One list.
        left: Operand,
        /// The other.
        right: Operand,
    },
    /// `subset`: every value of the left list is in the right one.
    Subset {
        /// The smaller list.
        left: Operand,
        /// The larger one.
        right: Operand,
    },
    /// `contains_text`: the left text, or one of a list of texts, contains the right one.
    ContainsText {
        /// Where to look.
        left: Operand,
        /// What for.
        right: Operand,
    },
    /// `present`: the value is there and is not null.
    Present(Operand),
    /// `is_null`: the value is there and is null.
    IsNull(Operand),
    /// `quoted_in_evidence`: every quotation stands in one of the evidence texts.
    QuotedInEvidence {
        /// The elements.
        array: Operand,
        /// The quotation within each, or nothing for the element itself.
        field: Option<Path>,
    },
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `>=`
    AtLeast,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `<`
    Less,
}

/// A value that a condition looks at.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    /// The value itself: a number, a text, a boolean, or an array of these.
    Literal(Value),
    /// What the submission has at a path, or, with `@`, the element that a quantifier looks at.
    Field(Path),
    /// What the run declared as its input at a path.
    Input(Path),
    /// The result of one of the submission's calculations.
    Calc(CalculationName),
    /// The number of elements, entries or characters of an array, object or text.
    Len(Box<Operand>),
    /// A formula over other operands, by their normalised names.
    Formula {
        /// The formula.
        formula: Formula,
        /// What its names stand for.
        with: BTreeMap<String, Operand>,
    },
    /// The sum of a list of numbers.
    Sum(Box<Operand>),
    /// The least of a list of numbers.
    Min(Box<Operand>),
    /// The greatest of a list of numbers.
    Max(Box<Operand>),
    /// The number of elements of a list, or of those for which a condition holds.
    Count {
        /// The list.
        list: Box<Operand>,
        /// The condition, in which `@` is the element.
        filter: Option<Box<Node>>,
    },
}

/// The name of a calculation with the other names that it goes by.
///
/// Names are compared by their letters and digits alone, without case: "Cash-on-Cash Return" is "cash on cash return".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CalculationName {
    name: String,
    aliases: Vec<String>,
    /// Both, as they are compared.
    keys: Vec<String>,
}

impl CalculationName {
    /// A name with its aliases; nothing if one of them has neither letter nor digit.
    pub fn new(name: String, aliases: Vec<String>) -> Option<Self> {
        let keys: Vec<String> = std::iter::once(&name).chain(&aliases).map(|name| Self::key(name)).collect();
        if keys.iter().any(String::is_empty) { None } else { Some(Self { name, aliases, keys }) }
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether a calculation of that name is meant.
    pub fn matches(&self, other: &str) -> bool {
        self.keys.contains(&Self::key(other))
    }

    fn key(name: &str) -> String {
        name.chars().filter(|character| character.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    }
}

/// What conditions are decided on.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The submitted object.
    pub submission: &'a Value,
    /// Its calculations, in their order.
    pub calculations: &'a [Calculation],
    /// What the run declared as its inputs.
    pub inputs: &'a Value,
    /// The texts of the run's evidence.
    pub evidence_texts: &'a [&'a str],
    /// How many steps a condition may take: [`MAX_STEPS`], or fewer where there are many.
    pub steps: u64,
}

/// A calculation of the submission.
#[derive(Clone, Debug, PartialEq)]
pub struct Calculation {
    /// Its name, as written.
    pub name: String,
    /// Its result; nothing where that is no finite number.
    pub result: Option<f64>,
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    /// It holds: a pass.
    True,
    /// It does not: a flag.
    False,
    /// It cannot be said, since an operand is missing or of another type: a skip.
    Unknown,
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

impl std::ops::Not for Truth {
    type Output = Self;

    fn not(self) -> Self {
        match self {
            Self::True => Self::False,
            Self::False => Self::True,
            Self::Unknown => Self::Unknown,
        }
    }
}

/// The first part of a condition that does not hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Broken {
    /// The element at which it shows, such as `classes[2]`; nothing where it is no list's element.
    pub place: Option<String>,
    /// Why.
    pub because: Because,
}

/// Why a part of a condition does not hold.
#[derive(Clone, Debug, PartialEq)]
pub enum Because {
    /// A value does not compare as it should.
    Compared {
        /// How it should.
        comparison: Comparison,
        /// The value.
        found: Value,
        /// What it is compared with.
        expected: Value,
    },
    /// A value is not in a list.
    NotIn {
        /// The value.
        found: Value,
        /// The list.
        allowed: Value,
    },
    /// The field holds nothing.
    Empty(String),
    /// No evidence text has the quotation.
    NotQuoted(Value),
    /// The value is there more than once.
    Repeated(Value),
    /// Two lists differ.
    Sets {
        /// What should be listed and is not.
        missing: Vec<Value>,
        /// What is listed and should not be.
        surplus: Vec<Value>,
    },
    /// The text is not contained.
    NotContained(Value),
    /// A value is there that should be null.
    Filled(Value),
    /// A value is not there.
    Absent,
    /// No single part says it.
    Unsaid,
}

impl Broken {
    fn of(because: Because) -> Self {
        Self { place: None, because }
    }

    /// The same, seen from the list that the element is of.
    fn at(self, list: &Operand, index: usize) -> Self {
        let list = match list {
            Operand::Field(path) => path.to_string(),
            Operand::Input(path) => format!("inputs.{path}"),
            _ => "element".to_owned(),
        };
        let place = match &self.place {
            // A place outside the element says where it is by itself.
            Some(inside) if !inside.starts_with('@') => inside.clone(),
            inside => format!("{list}[{index}]{}", inside.as_deref().unwrap_or_default().trim_start_matches('@')),
        };
        Self { place: Some(place), ..self }
    }
}

impl Node {
    /// Reads a condition; an error names the place in it and what is allowed there.
    pub fn read(value: &Value) -> Result<Self, PolicyError> {
        read::rule(value)
    }

    /// Whether the condition holds. For [`Node::Approx`]: whether the value passes.
    pub fn evaluate(&self, facts: &Facts<'_>) -> Truth {
        evaluate::truth(self, facts)
    }

    /// Where and why a condition that does not hold is broken; nothing where no single part of it is.
    pub fn broken(&self, facts: &Facts<'_>) -> Option<Broken> {
        evaluate::broken(self, facts)
    }

    /// How far off an [`Node::Approx`] is; nothing for other conditions and where an operand is not a number.
    pub fn grade(&self, facts: &Facts<'_>) -> Option<Grade> {
        evaluate::grade(self, facts)
    }
}

/// Why a condition is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {message}")]
pub struct PolicyError {
    /// Where in the rule, such as `rule.terms[0].left`.
    pub place: String,
    /// What is wrong and what is allowed.
    pub message: String,
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::read(&Value::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Operand {
    /// An operand on its own, outside any quantifier.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read::lone_operand(&Value::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        write::node(self).serialize(serializer)
    }
}

impl Serialize for Operand {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        write::operand(self).serialize(serializer)
    }
}

impl Operand {
    /// The value, outside any quantifier; nothing where it is missing or cannot be computed.
    pub fn evaluate(&self, facts: &Facts<'_>) -> Option<Value> {
        evaluate::lone_operand(self, facts)
    }
}

#[cfg(test)]
mod tests;
