//! The formula language: arithmetic over named numbers, small enough to be decided at a glance.
//!
//! It is total and deterministic. Everything is an IEEE 754 double; integer powers are repeated
//! multiplication and other powers come from one portable routine, so that the same formula over the
//! same inputs gives the same bits on every machine. There are no loops, no calls but a fixed few,
//! and hard limits on size, so nothing that is written in it can hang or exhaust the referee.
//!
//! The language is described for its authors in `docs/rulebook-language.md`.

mod evaluate;
mod parse;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest formula, in characters.
pub const MAX_LENGTH: usize = 1_000;
/// How deep parentheses, calls, signs and powers may nest.
pub const MAX_DEPTH: usize = 64;
/// How many numbers, names, operators and calls one formula may hold.
pub const MAX_NODES: usize = 500;

/// A formula that has been read: its text and what it means.
///
/// On the wire it is its text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Formula {
    source: String,
    expression: Expression,
    names: BTreeSet<String>,
}

impl Formula {
    /// Reads a formula in the whole language; names are compared as [`normalise`] writes them.
    pub fn parse(text: &str) -> Result<Self, FormulaError> {
        parse::parse(text, parse::Dialect::Extended).map(|expression| Self::of(text, expression))
    }

    /// Reads a formula in the language without its extensions: no functions, no `×` and `÷`, names of one
    /// word that are compared exactly as written.
    pub fn parse_strict(text: &str) -> Result<Self, FormulaError> {
        parse::parse(text, parse::Dialect::Strict).map(|expression| Self::of(text, expression))
    }

    fn of(source: &str, expression: Expression) -> Self {
        let mut names = BTreeSet::new();
        expression.collect_names(&mut names);
        Self { source: source.to_owned(), expression, names }
    }

    /// The names of the variables it uses, each once, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// Its value: always a finite number, and never a negative zero.
    ///
    /// `variables` are named as [`variables`] names them. Variables that it does not use are ignored.
    pub fn evaluate(&self, variables: &BTreeMap<String, f64>) -> Result<f64, NotEvaluable> {
        // Adding zero turns a negative zero, which would print as "-0", into zero.
        evaluate::evaluate(&self.expression, variables).map(|value| value + 0.0)
    }

    /// The text that it was read from.
    pub fn source(&self) -> &str {
        &self.source
    }
}

/// Writes the formula's meaning with as few parentheses as that takes; it reads back as the same formula.
impl fmt::Display for Formula {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.expression.fmt(out)
    }
}

impl TryFrom<String> for Formula {
    type Error = FormulaError;

    fn try_from(text: String) -> Result<Self, FormulaError> {
        Self::parse(&text)
    }
}

impl From<Formula> for String {
    fn from(formula: Formula) -> Self {
        formula.source
    }
}

/// A variable's name as formulas compare it: trimmed, in lower case, every run of white space or hyphens one underscore.
pub fn normalise(name: &str) -> String {
    let words = name.trim().split(|c: char| c.is_whitespace() || c == '-').filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect::<Vec<_>>().join("_")
}

/// Variables under their normalised names.
///
/// Two names that normalise alike must hold the same number, since a formula could not tell them apart.
pub fn variables<'a>(
    pairs: impl IntoIterator<Item = (&'a str, f64)>,
) -> Result<BTreeMap<String, f64>, AmbiguousVariable> {
    let mut variables = BTreeMap::new();
    for (written, value) in pairs {
        let name = normalise(written);
        match variables.insert(name.clone(), value) {
            Some(other) if other != value => return Err(AmbiguousVariable { name, values: (other, value) }),
            _ => {}
        }
    }
    Ok(variables)
}

/// Two inputs whose names read alike hold different numbers.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("the inputs name '{name}' twice, once as {} and once as {}", .values.0, .values.1)]
pub struct AmbiguousVariable {
    /// The normalised name.
    pub name: String,
    /// The two values.
    pub values: (f64, f64),
}

/// Why a text is not a formula. Positions count characters from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormulaError {
    /// Nothing but white space.
    #[error("the formula is empty")]
    Empty,
    /// More than [`MAX_LENGTH`] characters.
    #[error("the formula has {0} characters; {MAX_LENGTH} are allowed")]
    TooLong(usize),
    /// Nested more than [`MAX_DEPTH`] deep.
    #[error("the formula nests more than {MAX_DEPTH} deep at character {0}")]
    TooDeep(usize),
    /// More than [`MAX_NODES`] parts.
    #[error("the formula has more than {MAX_NODES} parts, counted up to character {0}")]
    TooLarge(usize),
    /// Something stands where something else must.
    #[error("expected {expected} at character {at} of the formula, found {found}")]
    Unexpected {
        /// What may stand there.
        expected: &'static str,
        /// What stands there.
        found: String,
        /// Where.
        at: usize,
    },
    /// A number that a double cannot hold.
    #[error("the number at character {0} of the formula is too large")]
    NumberTooLarge(usize),
    /// A name before a parenthesis that is no function.
    #[error("'{name}' at character {at} of the formula is not a function; the functions are {}", Function::list())]
    UnknownFunction {
        /// The name, normalised.
        name: String,
        /// Where.
        at: usize,
    },
    /// A function with too few or too many arguments.
    #[error("{function} at character {at} of the formula takes {takes}, not {given}")]
    Arguments {
        /// The function.
        function: &'static str,
        /// How many it takes, in words.
        takes: &'static str,
        /// How many were given.
        given: usize,
        /// Where.
        at: usize,
    },
}

/// Why a formula has no value over these variables.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotEvaluable {
    /// A variable without a value.
    #[error("the formula uses '{0}', which is not among its inputs")]
    UnknownName(String),
    /// A variable whose value is infinite or not a number.
    #[error("the input '{0}' is not a finite number")]
    NotFinite(String),
    /// A step without a finite real result.
    #[error("{reason} in '{place}'")]
    Undefined {
        /// What is wrong with the step.
        reason: &'static str,
        /// The step, cut to a readable length.
        place: String,
    },
}

/// What a formula means.
#[derive(Clone, Debug, PartialEq)]
enum Expression {
    /// A literal: finite and not negative, since a sign is an operator.
    Number(f64),
    Name(String),
    Negate(Box<Expression>),
    Binary(Operator, Box<Expression>, Box<Expression>),
    Call(Function, Vec<Expression>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    FloorDivide,
    Modulo,
    Power,
}

/// How tightly an expression binds: a sum least, a literal most.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Binding {
    Sum,
    Product,
    Sign,
    Power,
    Atom,
}

impl Operator {
    const fn symbol(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::FloorDivide => "//",
            Self::Modulo => "%",
            Self::Power => "**",
        }
    }

    const fn binding(self) -> Binding {
        match self {
            Self::Add | Self::Subtract => Binding::Sum,
            Self::Multiply | Self::Divide | Self::FloorDivide | Self::Modulo => Binding::Product,
            Self::Power => Binding::Power,
        }
    }
}

macro_rules! functions {
    ($($variant:ident $name:literal $range:pat, $takes:literal;)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        enum Function { $($variant,)* }

        impl Function {
            #[cfg(test)]
            const ALL: &[Self] = &[$(Self::$variant,)*];

            fn named(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }

            const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// How many arguments it takes, in words.
            const fn takes(self) -> &'static str {
                match self { $(Self::$variant => $takes,)* }
            }

            const fn accepts(self, arguments: usize) -> bool {
                match self { $(Self::$variant => matches!(arguments, $range),)* }
            }

            fn list() -> String {
                [$($name,)*].join(", ")
            }
        }
    };
}

functions! {
    Min "min" 1.., "at least one argument";
    Max "max" 1.., "at least one argument";
    Abs "abs" 1, "one argument";
    Sqrt "sqrt" 1, "one argument";
    Round "round" 1..=2, "a number and optionally a count of decimals";
    Sum "sum" 1.., "at least one argument";
    Count "count" 1.., "at least one argument";
    Pmt "pmt" 3, "a rate, a number of periods and a present value";
    Npv "npv" 2.., "a rate and at least one cash flow";
    Irr "irr" 2.., "at least two cash flows";
}

impl Expression {
    fn collect_names(&self, names: &mut BTreeSet<String>) {
        match self {
            Self::Number(_) => {}
            Self::Name(name) => {
                names.insert(name.clone());
            }
            Self::Negate(operand) => operand.collect_names(names),
            Self::Binary(_, left, right) => {
                left.collect_names(names);
                right.collect_names(names);
            }
            Self::Call(_, arguments) => arguments.iter().for_each(|argument| argument.collect_names(names)),
        }
    }

    const fn binding(&self) -> Binding {
        match self {
            Self::Number(_) | Self::Name(_) | Self::Call(..) => Binding::Atom,
            Self::Negate(_) => Binding::Sign,
            Self::Binary(operator, ..) => operator.binding(),
        }
    }

    /// Writes it, in parentheses if it binds less tightly than its place demands.
    fn write_at_least(&self, demanded: Binding, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.binding() < demanded { write!(out, "({self})") } else { write!(out, "{self}") }
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(out, "{number:?}"),
            Self::Name(name) => out.write_str(name),
            Self::Negate(operand) => {
                out.write_str("-")?;
                operand.write_at_least(Binding::Sign, out)
            }
            Self::Binary(operator, left, right) => {
                // A power groups to the right and takes a bare sign there; all else groups to the left.
                let (left_demand, right_demand) = match operator.binding() {
                    Binding::Sum => (Binding::Sum, Binding::Product),
                    Binding::Product => (Binding::Product, Binding::Sign),
                    Binding::Sign | Binding::Power | Binding::Atom => (Binding::Atom, Binding::Sign),
                };
                left.write_at_least(left_demand, out)?;
                write!(out, " {} ", operator.symbol())?;
                right.write_at_least(right_demand, out)
            }
            Self::Call(function, arguments) => {
                write!(out, "{}(", function.name())?;
                for (index, argument) in arguments.iter().enumerate() {
                    if index > 0 {
                        out.write_str(", ")?;
                    }
                    argument.fmt(out)?;
                }
                out.write_str(")")
            }
        }
    }
}

#[cfg(test)]
mod tests;
