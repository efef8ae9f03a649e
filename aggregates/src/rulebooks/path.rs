//! Paths: how a rule names a place in a JSON document.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The longest path, in characters.
pub const MAX_LENGTH: usize = 500;

/// A place in a JSON document, or the length of what is there.
///
/// - `verdict.status` goes through objects, key by key;
/// - `items[0]` takes one element of an array, counted from 0;
/// - `items[*].name` gathers from every element of an array, or every value of an object in the order of
///   its keys; where an element lacks the rest of the path, a null keeps its place; several `[*]` gather into
///   one flat array;
/// - `len(items)` is the number of elements, entries or characters of an array, object or text;
/// - `@`, `@.name` start at the element that an enclosing quantifier looks at, `@@` at the one around that.
///
/// On the wire it is its text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Path {
    /// How many quantifiers out the path starts; 0 is the document.
    level: usize,
    steps: Vec<Step>,
    length: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
    Every,
}

/// Why a text is not a path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Nothing to go to.
    #[error("the path is empty")]
    Empty,
    /// More than [`MAX_LENGTH`] characters.
    #[error("the path has {0} characters; {MAX_LENGTH} are allowed")]
    TooLong(usize),
    /// Something stands where something else must.
    #[error("expected {expected} at character {at} of the path '{path}'")]
    Unexpected {
        /// The whole path.
        path: String,
        /// What may stand there.
        expected: &'static str,
        /// Where, in characters from 1.
        at: usize,
    },
}

impl Path {
    /// Reads a path.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let count = text.chars().count();
        if count > MAX_LENGTH {
            return Err(PathError::TooLong(count));
        }
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return Err(PathError::Empty);
        }
        let inner = trimmed.strip_prefix("len(").and_then(|rest| rest.strip_suffix(')')).map(str::trim);
        let place = inner.unwrap_or(trimmed);
        let mut reader = Reader { whole: trimmed, rest: place };
        let level = reader.take_while(|c| c == '@').len();
        let mut steps = Vec::new();
        if level == 0 {
            steps.push(reader.key()?);
        }
        while !reader.rest.is_empty() {
            steps.push(reader.step()?);
        }
        Ok(Self { level, steps, length: inner.is_some() })
    }

    /// How many enclosing quantifiers the path counts outwards: 0 for a path from the document itself.
    pub fn level(&self) -> usize {
        self.level
    }

    /// Whether it names a length, and the place itself.
    pub(super) fn split_length(self) -> (bool, Self) {
        (self.length, Self { length: false, ..self })
    }

    /// What is at the path below `root`; nothing where a key or an element is missing. A null is something.
    ///
    /// A path with `@` is resolved like any other: whoever evaluates the quantifier passes its element as `root`.
    pub fn resolve<'v>(&self, root: &'v Value) -> Option<Cow<'v, Value>> {
        let found = self.place(root)?;
        if !self.length {
            return Some(found);
        }
        length(&found).map(|length| Cow::Owned(Value::from(length)))
    }

    fn place<'v>(&self, root: &'v Value) -> Option<Cow<'v, Value>> {
        match self.steps.iter().position(|step| *step == Step::Every) {
            None => descend(root, &self.steps).map(Cow::Borrowed),
            Some(first) => {
                let (before, gathering) = self.steps.split_at(first);
                let mut gathered = Vec::new();
                gather(descend(root, before)?, gathering, &mut gathered)?;
                Some(Cow::Owned(Value::Array(gathered)))
            }
        }
    }
}

/// The number of elements, entries or characters; nothing for what has no length.
pub(super) fn length(value: &Value) -> Option<usize> {
    match value {
        Value::Array(elements) => Some(elements.len()),
        Value::Object(entries) => Some(entries.len()),
        Value::String(text) => Some(text.chars().count()),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

fn descend<'v>(root: &'v Value, steps: &[Step]) -> Option<&'v Value> {
    steps.iter().try_fold(root, |value, step| match step {
        Step::Key(key) => value.as_object()?.get(key),
        Step::Index(index) => value.as_array()?.get(*index),
        Step::Every => None,
    })
}

/// Adds what the steps, of which the first is `[*]`, find below `value`; nothing if that is no collection.
fn gather(value: &Value, steps: &[Step], into: &mut Vec<Value>) -> Option<()> {
    let rest = steps.get(1..)?;
    let next = rest.iter().position(|step| *step == Step::Every);
    let (plain, gathering) = rest.split_at(next.unwrap_or(rest.len()));
    let mut visit = |element: &Value| {
        let found = descend(element, plain);
        if gathering.is_empty() {
            into.push(found.cloned().unwrap_or(Value::Null));
        } else if found.and_then(|found| gather(found, gathering, into)).is_none() {
            into.push(Value::Null);
        }
    };
    match value {
        Value::Array(elements) => elements.iter().for_each(&mut visit),
        Value::Object(entries) => {
            // In the order of the keys, whatever order the document had: sums depend on it in their last bit.
            let mut keys: Vec<&String> = entries.keys().collect();
            keys.sort_unstable();
            keys.into_iter().filter_map(|key| entries.get(key)).for_each(&mut visit);
        }
        _ => return None,
    }
    Some(())
}

struct Reader<'t> {
    whole: &'t str,
    rest: &'t str,
}

impl<'t> Reader<'t> {
    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'t str {
        let end = self.rest.find(|character| !wanted(character)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    fn take(&mut self, token: &str) -> bool {
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn unexpected(&self, expected: &'static str) -> PathError {
        // What is left to read is a tail of the whole, but for the ")" of "len(…)".
        let closing = usize::from(self.whole.starts_with("len(") && self.whole.ends_with(')'));
        let left = self.rest.chars().count() + closing;
        let at = (self.whole.chars().count() + 1).saturating_sub(left);
        PathError::Unexpected { path: self.whole.to_owned(), expected, at }
    }

    fn key(&mut self) -> Result<Step, PathError> {
        match self.take_while(|c| !matches!(c, '.' | '[' | ']' | '(' | ')' | '@')) {
            "" => Err(self.unexpected("a key")),
            key => Ok(Step::Key(key.to_owned())),
        }
    }

    fn step(&mut self) -> Result<Step, PathError> {
        if self.take(".") {
            return self.key();
        }
        if !self.take("[") {
            return Err(self.unexpected("'.' or '['"));
        }
        let step = if self.take("*") {
            Step::Every
        } else {
            let digits = self.take_while(|c| c.is_ascii_digit());
            Step::Index(digits.parse().map_err(|_| self.unexpected("an index or '*'"))?)
        };
        if self.take("]") { Ok(step) } else { Err(self.unexpected("']'")) }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.length {
            out.write_str("len(")?;
        }
        out.write_str(&"@".repeat(self.level))?;
        for (index, step) in self.steps.iter().enumerate() {
            match step {
                Step::Key(key) if index == 0 && self.level == 0 => out.write_str(key)?,
                Step::Key(key) => write!(out, ".{key}")?,
                Step::Index(index) => write!(out, "[{index}]")?,
                Step::Every => out.write_str("[*]")?,
            }
        }
        if self.length { out.write_str(")") } else { Ok(()) }
    }
}

impl TryFrom<String> for Path {
    type Error = PathError;

    fn try_from(text: String) -> Result<Self, PathError> {
        Self::parse(&text)
    }
}

impl From<Path> for String {
    fn from(path: Path) -> Self {
        path.to_string()
    }
}

#[cfg(test)]
mod tests;
