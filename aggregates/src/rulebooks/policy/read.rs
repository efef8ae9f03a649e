//! From JSON to condition, strictly: every key is known, every path and formula is read, every `@` has its quantifier.

use std::collections::BTreeMap;
use std::fmt::Display;

use serde_json::{Map, Value};

use super::{CalculationName, Comparison, MAX_DEPTH, Node, Operand, PolicyError};
use crate::rulebooks::bands::Bands;
use crate::rulebooks::formula::{self, Formula};
use crate::rulebooks::path::Path;

const OPERATIONS: &str = "==, !=, >=, <=, >, <, in, and, or, not, if, approx, each, all_nonempty, unique, set_equal, \
                          subset, contains_text, present, is_null, quoted_in_evidence";
const OPERANDS: [&str; 9] = ["field", "input", "calc", "len", "formula", "sum", "min", "max", "count"];
const BANDS: [&str; 5] = ["tol_rel", "low_rel", "critical_rel", "critical_abs", "abs_floor_rel"];

pub(super) fn rule(value: &Value) -> Result<Node, PolicyError> {
    node(value, &Place { above: None, step: Step::Root, depth: 1, level: 0 })
}

pub(super) fn lone_operand(value: &Value) -> Result<Operand, PolicyError> {
    operand(value, &Place { above: None, step: Step::Root, depth: 1, level: 0 })
}

impl Comparison {
    pub(super) const ALL: [(Self, &'static str); 6] = [
        (Self::Equal, "=="),
        (Self::NotEqual, "!="),
        (Self::AtLeast, ">="),
        (Self::AtMost, "<="),
        (Self::Greater, ">"),
        (Self::Less, "<"),
    ];
}

/// Where in the rule something stands: a chain back to its root, spelled out only for an error.
#[derive(Clone, Copy)]
struct Place<'p> {
    above: Option<&'p Place<'p>>,
    step: Step<'p>,
    depth: usize,
    /// How many quantifiers enclose it.
    level: usize,
}

#[derive(Clone, Copy)]
enum Step<'p> {
    Root,
    Key(&'p str),
    Index(usize),
}

impl<'p> Place<'p> {
    fn below(&'p self, step: Step<'p>) -> Self {
        Self { above: Some(self), step, depth: self.depth + 1, level: self.level }
    }

    fn inside_quantifier(mut self) -> Self {
        self.level += 1;
        self
    }

    fn error(&self, message: impl Display) -> PolicyError {
        PolicyError { place: self.spelled(), message: message.to_string() }
    }

    fn spelled(&self) -> String {
        let above = self.above.map(Place::spelled).unwrap_or_default();
        match self.step {
            Step::Root => "rule".to_owned(),
            Step::Key(key) => format!("{above}.{key}"),
            Step::Index(index) => format!("{above}[{index}]"),
        }
    }

    fn check_depth(&self) -> Result<(), PolicyError> {
        if self.depth > MAX_DEPTH { Err(self.error(format!("nests more than {MAX_DEPTH} deep"))) } else { Ok(()) }
    }
}

/// An object whose keys are being read.
struct Entries<'v, 'p> {
    entries: &'v Map<String, Value>,
    place: &'p Place<'p>,
}

impl<'v, 'p> Entries<'v, 'p> {
    /// Refuses keys other than these.
    fn only(&self, required: &[&str], optional: &[&str]) -> Result<(), PolicyError> {
        let allowed = || [required, optional].concat().join(", ");
        if let Some(key) = self.entries.keys().find(|key| !required.iter().chain(optional).any(|known| known == key)) {
            let place = self.place.below(Step::Key(key));
            return Err(place.error(format!("unknown key '{key}'; allowed are {}", allowed())));
        }
        match required.iter().find(|key| !self.entries.contains_key(**key)) {
            Some(key) => Err(self.place.error(format!("the key '{key}' is missing; allowed are {}", allowed()))),
            None => Ok(()),
        }
    }

    fn read<T>(
        &self,
        key: &str,
        reader: impl FnOnce(&'v Value, &Place<'_>) -> Result<T, PolicyError>,
    ) -> Result<T, PolicyError> {
        match self.entries.get(key) {
            Some(value) => reader(value, &self.place.below(Step::Key(key))),
            None => Err(self.place.error(format!("the key '{key}' is missing"))),
        }
    }

    fn read_optional<T>(
        &self,
        key: &str,
        reader: impl FnOnce(&'v Value, &Place<'_>) -> Result<T, PolicyError>,
    ) -> Result<Option<T>, PolicyError> {
        if self.entries.contains_key(key) { self.read(key, reader).map(Some) } else { Ok(None) }
    }
}

fn node(value: &Value, place: &Place<'_>) -> Result<Node, PolicyError> {
    place.check_depth()?;
    let expected = || place.error("expected a condition: an object with the key 'op'");
    let of = Entries { entries: value.as_object().ok_or_else(expected)?, place };
    let op = of.entries.get("op").ok_or_else(expected)?;
    let unknown = || place.below(Step::Key("op")).error(format!("unknown op {op}; allowed are {OPERATIONS}"));
    let op = op.as_str().ok_or_else(unknown)?;
    if let Some((comparison, _)) = Comparison::ALL.into_iter().find(|(_, symbol)| *symbol == op) {
        of.only(&["op", "left", "right"], &[])?;
        return Ok(Node::Compare { comparison, left: of.read("left", operand)?, right: of.read("right", operand)? });
    }
    match op {
        "in" => {
            of.only(&["op", "left", "right"], &[])?;
            Ok(Node::In { left: of.read("left", operand)?, right: of.read("right", list)? })
        }
        "and" => {
            of.only(&["op", "terms"], &[])?;
            of.read("terms", terms).map(Node::And)
        }
        "or" => {
            of.only(&["op", "terms"], &[])?;
            of.read("terms", terms).map(Node::Or)
        }
        "not" => {
            of.only(&["op", "term"], &[])?;
            Ok(Node::Not(Box::new(of.read("term", node)?)))
        }
        "if" => {
            of.only(&["op", "cond", "then"], &[])?;
            Ok(Node::If { cond: Box::new(of.read("cond", node)?), then: Box::new(of.read("then", node)?) })
        }
        "approx" => approx(&of),
        "each" => {
            of.only(&["op", "array", "term"], &[])?;
            let term = of.read("term", |value, place| node(value, &place.inside_quantifier()))?;
            Ok(Node::Each { array: of.read("array", list)?, term: Box::new(term) })
        }
        "all_nonempty" => {
            of.only(&["op", "array", "field"], &[])?;
            Ok(Node::AllNonempty { array: of.read("array", list)?, field: of.read("field", element_path)? })
        }
        "unique" => {
            of.only(&["op", "array"], &["field"])?;
            Ok(Node::Unique { array: of.read("array", list)?, field: of.read_optional("field", element_path)? })
        }
        "set_equal" => {
            of.only(&["op", "left", "right"], &[])?;
            Ok(Node::SetEqual { left: of.read("left", list)?, right: of.read("right", list)? })
        }
        "subset" => {
            of.only(&["op", "left", "right"], &[])?;
            Ok(Node::Subset { left: of.read("left", list)?, right: of.read("right", list)? })
        }
        "contains_text" => {
            of.only(&["op", "left", "right"], &[])?;
            Ok(Node::ContainsText { left: of.read("left", operand)?, right: of.read("right", operand)? })
        }
        "present" => {
            of.only(&["op", "field"], &[])?;
            of.read("field", place_operand).map(Node::Present)
        }
        "is_null" => {
            of.only(&["op", "field"], &[])?;
            of.read("field", place_operand).map(Node::IsNull)
        }
        "quoted_in_evidence" => {
            of.only(&["op", "array"], &["field"])?;
            Ok(Node::QuotedInEvidence {
                array: of.read("array", list)?,
                field: of.read_optional("field", element_path)?,
            })
        }
        _ => Err(unknown()),
    }
}

fn approx(of: &Entries<'_, '_>) -> Result<Node, PolicyError> {
    if of.place.above.is_some() {
        return Err(of.place.error("approx grades a whole rule and cannot stand inside another condition"));
    }
    of.only(&["op", "left", "right"], &[&["monetary"], BANDS.as_slice()].concat())?;
    let bands: Map<String, Value> =
        BANDS.iter().filter_map(|key| Some((String::from(*key), of.entries.get(*key)?.clone()))).collect();
    let bands: Bands = serde_json::from_value(Value::Object(bands)).map_err(|error| of.place.error(error))?;
    let monetary = of.read_optional("monetary", |value, place| {
        value.as_bool().ok_or_else(|| place.error("expected true or false"))
    })?;
    let (left, right) = (of.read("left", operand)?, of.read("right", operand)?);
    Ok(Node::Approx { left, right, monetary: monetary.unwrap_or(false), bands })
}

fn terms(value: &Value, place: &Place<'_>) -> Result<Vec<Node>, PolicyError> {
    let terms = value.as_array().ok_or_else(|| place.error("expected an array of conditions"))?;
    terms.iter().enumerate().map(|(index, term)| node(term, &place.below(Step::Index(index)))).collect()
}

fn operand(value: &Value, place: &Place<'_>) -> Result<Operand, PolicyError> {
    place.check_depth()?;
    match value {
        Value::Null => Err(place.error("null compares with nothing; use the op is_null or present")),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(Operand::Literal(value.clone())),
        Value::Array(elements) => match elements.iter().position(|e| e.is_null() || e.is_array() || e.is_object()) {
            Some(index) => {
                Err(place.below(Step::Index(index)).error("a literal array holds only numbers, texts and booleans"))
            }
            None => Ok(Operand::Literal(value.clone())),
        },
        Value::Object(entries) => computed(&Entries { entries, place }),
    }
}

/// An operand written as an object: one key says what it is.
fn computed(of: &Entries<'_, '_>) -> Result<Operand, PolicyError> {
    let Some(form) = OPERANDS.into_iter().find(|form| of.entries.contains_key(*form)) else {
        let allowed = OPERANDS.join(", ");
        return Err(of.place.error(format!("expected a literal or an object with one of the keys {allowed}")));
    };
    match form {
        "calc" => of.only(&["calc"], &["aliases"])?,
        "formula" => of.only(&["formula", "with"], &[])?,
        "count" => of.only(&["count"], &["where"])?,
        _ => of.only(&[form], &[])?,
    }
    match form {
        "field" => of.read(form, path).map(|path| at(path, Operand::Field)),
        "input" => of.read(form, document_path).map(|path| at(path, Operand::Input)),
        "calc" => calculation(of).map(Operand::Calc),
        "len" => of.read(form, list).map(|list| Operand::Len(Box::new(list))),
        "formula" => arithmetic(of),
        "sum" => of.read(form, list).map(|list| Operand::Sum(Box::new(list))),
        "min" => of.read(form, list).map(|list| Operand::Min(Box::new(list))),
        "max" => of.read(form, list).map(|list| Operand::Max(Box::new(list))),
        _ => {
            let filter = of.read_optional("where", |value, place| node(value, &place.inside_quantifier()))?;
            Ok(Operand::Count { list: Box::new(of.read("count", list)?), filter: filter.map(Box::new) })
        }
    }
}

/// What is at a path; `len(x)` is only another way to write `{"len": x}`.
fn at(path: Path, source: fn(Path) -> Operand) -> Operand {
    match path.split_length() {
        (true, path) => Operand::Len(Box::new(source(path))),
        (false, path) => source(path),
    }
}

fn calculation(of: &Entries<'_, '_>) -> Result<CalculationName, PolicyError> {
    let name = of.read("calc", text)?.to_owned();
    let aliases = of.read_optional("aliases", |value, place| {
        let aliases = value.as_array().ok_or_else(|| place.error("expected an array of names"))?;
        let numbered = aliases.iter().enumerate();
        numbered.map(|(index, alias)| text(alias, &place.below(Step::Index(index))).map(String::from)).collect()
    })?;
    CalculationName::new(name, aliases.unwrap_or_default())
        .ok_or_else(|| of.place.error("a calculation's name needs a letter or a digit"))
}

fn arithmetic(of: &Entries<'_, '_>) -> Result<Operand, PolicyError> {
    let formula =
        of.read("formula", |value, place| Formula::parse(text(value, place)?).map_err(|error| place.error(error)))?;
    let with = of.read("with", |value, place| {
        let entries = value.as_object().ok_or_else(|| place.error("expected an object from names to operands"))?;
        let mut with = BTreeMap::new();
        for (written, value) in entries {
            let (name, place) = (formula::normalise(written), place.below(Step::Key(written)));
            if !formula.names().any(|used| used == name) {
                return Err(place.error("the formula does not use this name"));
            }
            if with.insert(name, operand(value, &place)?).is_some() {
                return Err(place.error("another name reads the same"));
            }
        }
        match formula.names().find(|name| !with.contains_key(*name)) {
            Some(missing) => Err(place.error(format!("the formula uses '{missing}', which is not given here"))),
            None => Ok(with),
        }
    })?;
    Ok(Operand::Formula { formula, with })
}

/// Somewhere to look for a list: a path, `field`, `input`, or a literal array.
fn list(value: &Value, place: &Place<'_>) -> Result<Operand, PolicyError> {
    let found = match value {
        Value::String(_) => at(path(value, place)?, Operand::Field),
        other => operand(other, place)?,
    };
    match &found {
        Operand::Field(_) | Operand::Input(_) | Operand::Literal(Value::Array(_)) => Ok(found),
        _ => Err(place.error("expected a path, {\"field\": path}, {\"input\": path} or an array")),
    }
}

/// Something that may be there or not: a path, `field`, `input` or `calc`.
fn place_operand(value: &Value, place: &Place<'_>) -> Result<Operand, PolicyError> {
    let found = match value {
        Value::String(_) => at(path(value, place)?, Operand::Field),
        other => operand(other, place)?,
    };
    match found {
        Operand::Field(_) | Operand::Input(_) | Operand::Calc(_) => Ok(found),
        _ => Err(place.error("expected a path, {\"field\": path}, {\"input\": path} or {\"calc\": name}")),
    }
}

fn text<'v>(value: &'v Value, place: &Place<'_>) -> Result<&'v str, PolicyError> {
    value.as_str().ok_or_else(|| place.error("expected a text"))
}

/// A path into the submission or into an enclosing quantifier's element.
fn path(value: &Value, place: &Place<'_>) -> Result<Path, PolicyError> {
    let path = Path::parse(text(value, place)?).map_err(|error| place.error(error))?;
    if path.level() > place.level {
        let (wanted, given) = (path.level(), place.level);
        return Err(place.error(format!("'{path}' looks {wanted} quantifiers outwards, but {given} enclose it")));
    }
    Ok(path)
}

fn document_path(value: &Value, place: &Place<'_>) -> Result<Path, PolicyError> {
    let path = path(value, place)?;
    if path.level() > 0 { Err(place.error("a path into the inputs has no '@'")) } else { Ok(path) }
}

/// A path within each element of a list.
fn element_path(value: &Value, place: &Place<'_>) -> Result<Path, PolicyError> {
    let path = path(value, place)?;
    if path.level() > 0 { Err(place.error("this path starts at the element and has no '@'")) } else { Ok(path) }
}
