//! From condition and facts to truth.

use std::borrow::Cow;
use std::cell::Cell;
use std::cmp::Ordering;

use serde_json::Value;

use super::values::{is_filled, order, same_type, text_weight, weight};
use super::{Because, Broken, CalculationName, Comparison, Facts, Node, Operand, Truth};
use crate::rulebooks::bands::Grade;
use crate::rulebooks::path::{Path, length};

pub(super) fn truth(node: &Node, facts: &Facts<'_>) -> Truth {
    let steps = Cell::new(facts.steps);
    Scope { facts, element: None, steps: &steps }.truth(node)
}

pub(super) fn grade(node: &Node, facts: &Facts<'_>) -> Option<Grade> {
    let steps = Cell::new(facts.steps);
    Scope { facts, element: None, steps: &steps }.grade(node)
}

pub(super) fn lone_operand(operand: &Operand, facts: &Facts<'_>) -> Option<Value> {
    let steps = Cell::new(facts.steps);
    Scope { facts, element: None, steps: &steps }.value(operand).map(Cow::into_owned)
}

pub(super) fn broken(node: &Node, facts: &Facts<'_>) -> Option<Broken> {
    let steps = Cell::new(facts.steps);
    Scope { facts, element: None, steps: &steps }.broken(node)
}

/// What a condition sees from where it stands. A missing value is `None` all the way and ends in [`Truth::Unknown`].
struct Scope<'s> {
    facts: &'s Facts<'s>,
    /// The element of the innermost quantifier, and what that quantifier saw.
    element: Option<(&'s Value, &'s Scope<'s>)>,
    /// The steps that are left.
    steps: &'s Cell<u64>,
}

impl Scope<'_> {
    /// Pays for work before it is done; nothing when the steps are used up.
    fn spend(&self, steps: u64) -> Option<()> {
        let left = self.steps.get().checked_sub(steps);
        self.steps.set(left.unwrap_or(0));
        left.map(|_| ())
    }

    fn truth(&self, node: &Node) -> Truth {
        self.decide(node).unwrap_or(Truth::Unknown)
    }

    fn decide(&self, node: &Node) -> Option<Truth> {
        self.spend(1)?;
        match node {
            Node::Compare { comparison, left, right } => {
                compare(*comparison, self.value(left)?.as_ref(), self.value(right)?.as_ref())
            }
            Node::In { left, right } => is_element(self.value(left)?.as_ref(), self.list(right)?.as_array()?),
            Node::And(terms) => Some(self.all_known(terms)?.into_iter().all(|term| term == Truth::True).into()),
            Node::Or(terms) => Some(self.all_known(terms)?.into_iter().any(|term| term == Truth::True).into()),
            Node::Not(term) => Some(!self.truth(term)),
            Node::If { cond, then } => match self.truth(cond) {
                Truth::True => Some(self.truth(then)),
                Truth::False => Some(Truth::True),
                Truth::Unknown => None,
            },
            Node::Approx { .. } => Some(Truth::from(self.grade(node)? == Grade::Pass)),
            Node::Each { array, term } => {
                Some(every(self.list(array)?.as_array()?, |element| self.within(element).truth(term)))
            }
            Node::AllNonempty { array, field } => {
                let filled = |element| field.resolve(element).is_some_and(|value| is_filled(&value));
                Some(self.list(array)?.as_array()?.iter().all(filled).into())
            }
            Node::Unique { array, field } => Some(unique(self.list(array)?.as_array()?, field.as_ref())),
            Node::SetEqual { left, right } => {
                let (left, right) = (self.list(left)?, self.list(right)?);
                let (left, right) = (as_set(left.as_array()?), as_set(right.as_array()?));
                let equal = left.len() == right.len()
                    && left.iter().zip(&right).all(|(left, right)| order(left, right) == Ordering::Equal);
                Some(equal.into())
            }
            Node::Subset { left, right } => {
                let (left, right) = (self.list(left)?, self.list(right)?);
                let right = as_set(right.as_array()?);
                let contained = |value| right.binary_search_by(|other| order(other, value)).is_ok();
                Some(left.as_array()?.iter().all(contained).into())
            }
            Node::ContainsText { left, right } => {
                contains_text(self.value(left)?.as_ref(), self.value(right)?.as_str()?)
            }
            Node::Present(field) => Some(self.value(field).is_some_and(|value| !value.is_null()).into()),
            Node::IsNull(field) => Some(self.value(field)?.is_null().into()),
            Node::QuotedInEvidence { array, field } => {
                self.quoted_in_evidence(self.list(array)?.as_array()?, field.as_ref())
            }
        }
    }

    /// Where and why a condition that does not hold is broken: the first part of it that is; nothing where that is the
    /// condition as a whole.
    fn broken(&self, node: &Node) -> Option<Broken> {
        let value = |operand| self.value(operand).map(Cow::into_owned);
        let because = match node {
            Node::Compare { comparison, left, right } => {
                Because::Compared { comparison: *comparison, found: value(left)?, expected: value(right)? }
            }
            Node::In { left, right } => Because::NotIn { found: value(left)?, allowed: value(right)? },
            Node::And(terms) => return self.broken(terms.iter().find(|term| self.truth(term) == Truth::False)?),
            Node::If { then, .. } => return self.broken(then),
            Node::Each { array, term } => {
                let list = self.list(array)?;
                let fails = |element: &&Value| self.within(element).truth(term) == Truth::False;
                let (index, element) = list.as_array()?.iter().enumerate().find(|(_, element)| fails(element))?;
                let inside = self.within(element).broken(term);
                return Some(inside.unwrap_or(Broken::of(Because::Unsaid)).at(array, index));
            }
            Node::AllNonempty { array, field } => {
                let list = self.list(array)?;
                let filled = |element| field.resolve(element).is_some_and(|value| is_filled(&value));
                let index = list.as_array()?.iter().position(|element| !filled(element))?;
                return Some(Broken::of(Because::Empty(field.to_string())).at(array, index));
            }
            Node::QuotedInEvidence { array, field } => {
                let list = self.list(array)?;
                let elements = list.as_array()?;
                let quoted = |element| self.quoted_in_evidence(std::slice::from_ref(element), field.as_ref());
                let index = elements.iter().position(|element| quoted(element) == Some(Truth::False))?;
                let quotation = within_element(elements.get(index)?, field.as_ref())?.into_owned();
                return Some(Broken::of(Because::NotQuoted(quotation)).at(array, index));
            }
            Node::Unique { array, field } => {
                let list = self.list(array)?;
                let elements = list.as_array()?.iter().filter_map(|element| within_element(element, field.as_ref()));
                let mut values: Vec<Cow<'_, Value>> = elements.filter(|value| !value.is_null()).collect();
                values.sort_by(|left, right| order(left, right));
                let twice = values.windows(2).find(|pair| order(&pair[0], &pair[1]) == Ordering::Equal)?;
                Because::Repeated(twice[0].clone().into_owned())
            }
            Node::SetEqual { left, right } => {
                let (left, right) = (self.list(left)?, self.list(right)?);
                let (left, right) = (left.as_array()?, right.as_array()?);
                Because::Sets { missing: beyond(right, left), surplus: beyond(left, right) }
            }
            Node::Subset { left, right } => {
                let (left, right) = (self.list(left)?, self.list(right)?);
                Because::Sets { missing: vec![], surplus: beyond(left.as_array()?, right.as_array()?) }
            }
            Node::ContainsText { right, .. } => Because::NotContained(value(right)?),
            Node::IsNull(field) => Because::Filled(value(field)?),
            Node::Present(_) => Because::Absent,
            Node::Or(_) | Node::Not(_) | Node::Approx { .. } => return None,
        };
        Some(Broken::of(because))
    }

    /// The truth of every term; nothing if one is unknown, whatever the others are.
    fn all_known(&self, terms: &[Node]) -> Option<Vec<Truth>> {
        let truths: Vec<Truth> = terms.iter().map(|term| self.truth(term)).collect();
        if truths.contains(&Truth::Unknown) { None } else { Some(truths) }
    }

    fn grade(&self, node: &Node) -> Option<Grade> {
        let Node::Approx { left, right, monetary, bands } = node else { return None };
        Some(bands.grade(self.number(left)?, self.number(right)?, *monetary))
    }

    fn within<'e>(&'e self, element: &'e Value) -> Scope<'e> {
        Scope { facts: self.facts, element: Some((element, self)), steps: self.steps }
    }

    fn value<'v>(&'v self, operand: &'v Operand) -> Option<Cow<'v, Value>> {
        self.spend(1)?;
        let value = match operand {
            Operand::Literal(value) => Cow::Borrowed(value),
            Operand::Field(path) => path.resolve(self.root(path.level())?)?,
            Operand::Input(path) => path.resolve(self.facts.inputs)?,
            Operand::Calc(name) => Cow::Owned(Value::from(self.calculated(name)?)),
            Operand::Len(of) => Cow::Owned(Value::from(length(self.value(of)?.as_ref())?)),
            Operand::Formula { formula, with } => {
                let variables = with.iter().map(|(name, of)| Some((name.clone(), self.number(of)?)));
                Cow::Owned(Value::from(formula.evaluate(&variables.collect::<Option<_>>()?).ok()?))
            }
            Operand::Sum(list) => Cow::Owned(finite(self.numbers(list)?.into_iter().sum())?),
            Operand::Min(list) => Cow::Owned(finite(self.numbers(list)?.into_iter().reduce(f64::min)?)?),
            Operand::Max(list) => Cow::Owned(finite(self.numbers(list)?.into_iter().reduce(f64::max)?)?),
            Operand::Count { list, filter } => Cow::Owned(Value::from(self.count(list, filter.as_deref())?)),
        };
        self.spend(weight(&value))?;
        Some(value)
    }

    /// Where a path starts that looks so many quantifiers outwards.
    fn root(&self, level: usize) -> Option<&Value> {
        let mut scope = self;
        for _ in 1..level {
            scope = scope.element?.1;
        }
        if level == 0 { Some(self.facts.submission) } else { Some(scope.element?.0) }
    }

    /// The result of the calculation meant. Several of them count only if they agree: taking the first would
    /// let a favourable result hide the real one behind it.
    fn calculated(&self, name: &CalculationName) -> Option<f64> {
        // Each name is spelled out to be compared.
        self.spend(self.facts.calculations.len() as u64 * (8 + name.aliases.len() as u64))?;
        let mut results = self.facts.calculations.iter().filter(|found| name.matches(&found.name));
        let first = results.next()?.result?;
        results.all(|other| other.result == Some(first)).then_some(first)
    }

    fn list<'v>(&'v self, operand: &'v Operand) -> Option<Cow<'v, Value>> {
        self.value(operand).filter(|value| value.is_array())
    }

    fn number(&self, operand: &Operand) -> Option<f64> {
        self.value(operand)?.as_f64()
    }

    fn numbers(&self, list: &Operand) -> Option<Vec<f64>> {
        self.list(list)?.as_array()?.iter().map(Value::as_f64).collect()
    }

    fn count(&self, list: &Operand, filter: Option<&Node>) -> Option<usize> {
        let list = self.list(list)?;
        let elements = list.as_array()?;
        let Some(filter) = filter else { return Some(elements.len()) };
        elements.iter().try_fold(0, |count, element| match self.within(element).truth(filter) {
            Truth::True => Some(count + 1),
            Truth::False => Some(count),
            Truth::Unknown => None,
        })
    }

    /// Without any evidence text nothing can be said. White space may differ, as it does where lines are wrapped.
    fn quoted_in_evidence(&self, elements: &[Value], field: Option<&Path>) -> Option<Truth> {
        let weight = self.facts.evidence_texts.iter().map(|text| text_weight(text)).sum();
        self.spend(weight)?;
        let texts: Vec<String> = self.facts.evidence_texts.iter().map(|text| single_spaced(text)).collect();
        if texts.is_empty() {
            return None;
        }
        Some(every(elements, |element| match within_element(element, field).as_deref() {
            None | Some(Value::Null) => Truth::True,
            Some(Value::String(quotation)) => match self.spend(weight) {
                Some(()) => {
                    let quotation = single_spaced(quotation);
                    (!quotation.is_empty() && texts.iter().any(|text| text.contains(&quotation))).into()
                }
                None => Truth::Unknown,
            },
            Some(_) => Truth::False,
        }))
    }
}

fn single_spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn finite(number: f64) -> Option<Value> {
    // Adding zero turns the negative zero that an empty sum is into zero.
    number.is_finite().then(|| Value::from(number + 0.0))
}

fn within_element<'v>(element: &'v Value, field: Option<&Path>) -> Option<Cow<'v, Value>> {
    match field {
        Some(field) => field.resolve(element),
        None => Some(Cow::Borrowed(element)),
    }
}

/// False if any element fails, even when nothing can be said of another: a malformed element must not
/// soften what a well-formed one breaks.
fn every(elements: &[Value], test: impl Fn(&Value) -> Truth) -> Truth {
    let mut whole = Truth::True;
    for element in elements {
        match test(element) {
            Truth::True => {}
            Truth::False => return Truth::False,
            Truth::Unknown => whole = Truth::Unknown,
        }
    }
    whole
}

fn compare(comparison: Comparison, left: &Value, right: &Value) -> Option<Truth> {
    if !same_type(left, right) || left.is_null() {
        return None;
    }
    let found = order(left, right);
    let holds = match comparison {
        Comparison::Equal => found.is_eq(),
        Comparison::NotEqual => found.is_ne(),
        _ if !(left.is_number() || left.is_string()) => return None,
        Comparison::AtLeast => found.is_ge(),
        Comparison::AtMost => found.is_le(),
        Comparison::Greater => found.is_gt(),
        Comparison::Less => found.is_lt(),
    };
    Some(holds.into())
}

/// Unknown if the list holds other types only: then the value could not be compared with anything.
fn is_element(value: &Value, list: &[Value]) -> Option<Truth> {
    if value.is_null() {
        return None;
    }
    let mut comparable = list.is_empty();
    for element in list.iter().filter(|element| same_type(value, element)) {
        comparable = true;
        if order(value, element) == Ordering::Equal {
            return Some(Truth::True);
        }
    }
    comparable.then_some(Truth::False)
}

fn as_set(elements: &[Value]) -> Vec<&Value> {
    let mut set: Vec<&Value> = elements.iter().collect();
    set.sort_unstable_by(|left, right| order(left, right));
    set.dedup_by(|left, right| order(left, right) == Ordering::Equal);
    set
}

/// The values of one list that are not in the other.
fn beyond(these: &[Value], others: &[Value]) -> Vec<Value> {
    let others = as_set(others);
    let is_there = |value| others.binary_search_by(|other| order(other, value)).is_ok();
    as_set(these).into_iter().filter(|value| !is_there(value)).cloned().collect()
}

fn unique(elements: &[Value], field: Option<&Path>) -> Truth {
    let found = elements.iter().filter_map(|element| within_element(element, field));
    let mut values: Vec<Cow<'_, Value>> = found.filter(|value| !value.is_null()).collect();
    values.sort_unstable_by(|left, right| order(left, right));
    if values.windows(2).any(|pair| matches!(pair, [left, right] if order(left, right) == Ordering::Equal)) {
        return Truth::False;
    }
    if values.len() == elements.len() { Truth::True } else { Truth::Unknown }
}

/// A blank text is found nowhere: what says nothing supports nothing.
fn contains_text(left: &Value, sought: &str) -> Option<Truth> {
    let holds = |text: &str| !sought.trim().is_empty() && text.contains(sought);
    match left {
        Value::String(text) => Some(holds(text).into()),
        Value::Array(texts) => {
            let texts = texts.iter().map(Value::as_str).collect::<Option<Vec<_>>>()?;
            Some(texts.into_iter().any(holds).into())
        }
        _ => None,
    }
}
