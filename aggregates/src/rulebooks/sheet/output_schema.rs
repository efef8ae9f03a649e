//! The JSON Schema of a submission, compiled so that nothing is fetched and every check ends.

use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::Value;
use std::sync::Arc;

/// How many parts a schema may have once every reference in it is followed.
const MAX_PARTS: usize = 20_000;
/// The dialect that schemas are written in.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";
/// Keywords whose values are data and not schemas.
const DATA: [&str; 4] = ["const", "enum", "default", "examples"];
/// Keywords whose values are objects from names of the author's choice to schemas.
const NAMED: [&str; 5] = ["properties", "patternProperties", "$defs", "definitions", "dependentSchemas"];
/// How many references may lead from one to the next.
const MAX_CHAIN: usize = 64;
/// How many patterns a schema may have, once every reference in it is followed.
const MAX_PATTERNS: usize = 200;
/// How many characters one may have.
const MAX_PATTERN: usize = 500;
/// How many bytes one may take compiled: some thousand states, through which every character of a text may have to go.
const PATTERN_BYTES: usize = 256 << 10;
/// How many `unevaluated…` may lie within one another: each looks again at all that the ones within it have looked at.
const MAX_UNEVALUATED: usize = 2;

/// A compiled schema with the text that it was compiled from.
#[derive(Clone, Debug)]
pub(crate) struct OutputSchema {
    source: Value,
    validator: Arc<Validator>,
    weight: usize,
    states: usize,
}

impl PartialEq for OutputSchema {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

/// Why a schema is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SchemaError {
    /// A schema that is none.
    #[error("is not a JSON Schema of draft 2020-12: {0}")]
    Malformed(String),
    /// Not an object.
    #[error("must be an object with `\"type\": \"object\"`, as a submission is one")]
    NotOfAnObject,
    /// Another dialect.
    #[error("`$schema` is {0}; only {DIALECT} is allowed")]
    Dialect(String),
    /// A keyword that reaches outside or changes what a reference means.
    #[error("`{0}` is not allowed; refer to parts of the schema itself with `#/$defs/…`")]
    Keyword(&'static str),
    /// A reference to another document.
    #[error("`$ref` to {0} is not allowed; only `#/…` within the schema is")]
    Remote(String),
    /// A reference to nothing.
    #[error("`$ref` to {0} leads nowhere")]
    Dangling(String),
    /// A reference into itself.
    #[error("`$ref` to {0} is part of a cycle; a schema may not contain itself")]
    Cycle(String),
    /// Too large.
    #[error(
        "has references more than {MAX_CHAIN} deep or more than {MAX_PARTS} parts when its references are followed"
    )]
    TooLarge,
    /// Too many patterns, or one that is too long.
    #[error(
        "has more than {MAX_PATTERNS} patterns when its references are followed, or one of more than {MAX_PATTERN} characters"
    )]
    Patterns,
    /// `unevaluated…` within `unevaluated…`.
    #[error("has `unevaluatedProperties` or `unevaluatedItems` more than {MAX_UNEVALUATED} within one another")]
    Unevaluated,
}

impl OutputSchema {
    /// Compiles a schema. References stay within it and never form a cycle, and patterns are matched in linear
    /// time, so that validating takes steps in proportion to the schema times the submission.
    pub(crate) fn compile(source: Value) -> Result<Self, SchemaError> {
        if source.get("type").and_then(Value::as_str) != Some("object") {
            return Err(SchemaError::NotOfAnObject);
        }
        if let Some(dialect) = source.get("$schema").filter(|dialect| dialect.as_str() != Some(DIALECT)) {
            return Err(SchemaError::Dialect(dialect.to_string()));
        }
        let mut walk =
            Walk { root: &source, followed: vec![], parts: 0, data: 0, patterns: 0, states: 0, unevaluated: 0 };
        walk.visit(&source)?;
        let (weight, states) = (walk.parts + walk.data, walk.states);
        let validator = jsonschema::options()
            .with_draft(Draft::Draft202012)
            .offline()
            .should_validate_formats(true)
            .should_ignore_unknown_formats(false)
            .with_pattern_options(PatternOptions::regex().size_limit(PATTERN_BYTES))
            .build(&source)
            .map_err(|error| SchemaError::Malformed(error.to_string()))?;
        Ok(Self { source, validator: Arc::new(validator), weight, states })
    }

    /// How many parts it has once every reference in it is followed, the values of `enum` and `const` among them: no part
    /// of a submission is looked at more often.
    pub(crate) const fn weight(&self) -> usize {
        self.weight
    }

    /// How many states its patterns have, about: no character of a submission is looked at more often by them.
    pub(crate) const fn states(&self) -> usize {
        self.states
    }

    /// The schema as it was written.
    pub(crate) fn source(&self) -> &Value {
        &self.source
    }

    /// The compiled schema.
    pub(crate) fn validator(&self) -> &Validator {
        &self.validator
    }
}

/// A walk through a schema that follows every reference.
struct Walk<'s> {
    root: &'s Value,
    followed: Vec<&'s str>,
    parts: usize,
    /// How many values stand in `enum`, `const` and the like.
    data: usize,
    patterns: usize,
    states: usize,
    /// How many `unevaluated…` enclose the place.
    unevaluated: usize,
}

impl<'s> Walk<'s> {
    fn visit(&mut self, schema: &'s Value) -> Result<(), SchemaError> {
        self.parts += 1;
        if self.parts > MAX_PARTS {
            return Err(SchemaError::TooLarge);
        }
        match schema {
            Value::Array(schemas) => schemas.iter().try_for_each(|schema| self.visit(schema)),
            Value::Object(keywords) => {
                let looks_again = keywords.keys().any(|keyword| keyword.starts_with("unevaluated"));
                self.unevaluated += usize::from(looks_again);
                if self.unevaluated > MAX_UNEVALUATED {
                    return Err(SchemaError::Unevaluated);
                }
                for (keyword, value) in keywords {
                    match (keyword.as_str(), value) {
                        ("$id", Value::String(_)) => return Err(SchemaError::Keyword("$id")),
                        ("$anchor", Value::String(_)) => return Err(SchemaError::Keyword("$anchor")),
                        ("$dynamicAnchor", Value::String(_)) => return Err(SchemaError::Keyword("$dynamicAnchor")),
                        ("$dynamicRef", Value::String(_)) => return Err(SchemaError::Keyword("$dynamicRef")),
                        ("$ref", Value::String(reference)) => self.follow(reference)?,
                        ("pattern", Value::String(pattern)) => self.pattern(pattern)?,
                        (data, _) if DATA.contains(&data) => self.data += values(value),
                        (named, Value::Object(schemas)) if NAMED.contains(&named) => {
                            if named == "patternProperties" {
                                schemas.keys().try_for_each(|pattern| self.pattern(pattern))?;
                            }
                            schemas.values().try_for_each(|schema| self.visit(schema))?;
                        }
                        _ => self.visit(value)?,
                    }
                }
                self.unevaluated -= usize::from(looks_again);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn pattern(&mut self, pattern: &str) -> Result<(), SchemaError> {
        self.patterns += 1;
        self.states += states(pattern);
        let is_fair = self.patterns <= MAX_PATTERNS && pattern.chars().count() <= MAX_PATTERN;
        if is_fair { Ok(()) } else { Err(SchemaError::Patterns) }
    }

    fn follow(&mut self, reference: &'s str) -> Result<(), SchemaError> {
        let pointer = reference.strip_prefix('#').filter(|rest| rest.is_empty() || rest.starts_with('/'));
        let pointer = pointer.ok_or_else(|| SchemaError::Remote(reference.to_owned()))?;
        // A cycle must pass some reference twice.
        if pointer.is_empty() || self.followed.contains(&reference) {
            return Err(SchemaError::Cycle(reference.to_owned()));
        }
        if self.followed.len() == MAX_CHAIN {
            return Err(SchemaError::TooLarge);
        }
        let target = self.root.pointer(pointer).ok_or_else(|| SchemaError::Dangling(reference.to_owned()))?;
        self.followed.push(reference);
        self.visit(target)?;
        self.followed.pop();
        Ok(())
    }
}

/// How many states a pattern has at most, about: one for each character, and all of them again for each repetition that
/// is counted.
fn states(pattern: &str) -> usize {
    let counts = pattern.split('{').skip(1).filter_map(|rest| rest.split('}').next());
    let greatest = |count: &str| count.split(',').filter_map(|bound| bound.trim().parse::<usize>().ok()).max();
    let repeated: usize = counts.filter_map(greatest).sum();
    pattern.len().saturating_mul(repeated.saturating_add(1))
}

/// How many parts a value has; a text counts one more for every 64 bytes.
pub(crate) fn values(value: &Value) -> usize {
    match value {
        Value::Array(elements) => elements.iter().map(values).sum::<usize>() + 1,
        Value::Object(entries) => entries.values().map(values).sum::<usize>() + 1,
        Value::String(text) => 1 + text.len() / 64,
        Value::Null | Value::Bool(_) | Value::Number(_) => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn references_stay_inside_and_never_turn_in_circles() {
        let with = |property: Value| {
            OutputSchema::compile(
                json!({"type": "object", "properties": {"a": property}, "$defs": {"b": {"$ref": "#/$defs/c"}, "c": {"type": "string"}}}),
            )
        };
        assert!(with(json!({"$ref": "#/$defs/b"})).is_ok());
        assert!(with(json!({"const": {"$ref": "https://example.org"}})).is_ok());
        assert_eq!(
            with(json!({"$ref": "https://example.org/s.json"})).map(|_| ()),
            Err(SchemaError::Remote("https://example.org/s.json".into()))
        );
        assert!(matches!(with(json!({"$ref": "file:///etc/passwd"})), Err(SchemaError::Remote(_))));
        assert!(matches!(with(json!({"$ref": "other.json#/a"})), Err(SchemaError::Remote(_))));
        assert!(matches!(with(json!({"$ref": "#"})), Err(SchemaError::Cycle(_))));
        assert!(matches!(with(json!({"items": {"$ref": "#/properties/a"}})), Err(SchemaError::Cycle(_))));
        let named = json!({"properties": {"default": {"items": {"$ref": "#/properties/a"}}}});
        assert!(matches!(with(named), Err(SchemaError::Cycle(_))));
        assert!(matches!(with(json!({"$ref": "#/$defs/none"})), Err(SchemaError::Dangling(_))));
        assert!(matches!(with(json!({"$id": "https://example.org/"})), Err(SchemaError::Keyword("$id"))));
        assert!(matches!(with(json!({"$dynamicRef": "#a"})), Err(SchemaError::Keyword("$dynamicRef"))));
        assert!(matches!(with(json!({"type": "strnig"})), Err(SchemaError::Malformed(_))));
    }

    #[test]
    fn a_schema_that_unfolds_without_end_is_refused() {
        let mut definitions = serde_json::Map::new();
        for place in 0..40 {
            let next = json!({"$ref": format!("#/$defs/d{}", place + 1)});
            definitions.insert(format!("d{place}"), json!({"allOf": [next, next]}));
        }
        definitions.insert("d40".into(), json!({}));
        let schema = json!({"type": "object", "$ref": "#/$defs/d0", "$defs": definitions});
        assert_eq!(OutputSchema::compile(schema).map(|_| ()), Err(SchemaError::TooLarge));
    }

    #[test]
    fn what_would_take_long_to_match_or_looks_again_and_again_is_refused() {
        let with = |property: Value| {
            OutputSchema::compile(json!({"type": "object", "properties": {"a": property}})).map(|_| ())
        };
        assert_eq!(with(json!({"pattern": "^[A-Z]{3}-[0-9]{1,9}$"})), Ok(()));
        assert_eq!(with(json!({"pattern": r"^[\p{L} '-]{1,40}$"})), Ok(()));
        assert_eq!(with(json!({"pattern": "a".repeat(501)})), Err(SchemaError::Patterns));
        assert_eq!(with(json!({"allOf": vec![json!({"pattern": "a"}); 201]})), Err(SchemaError::Patterns));
        let named: serde_json::Map<String, Value> = (0..201).map(|n| (format!("^a{n}"), json!(true))).collect();
        assert_eq!(with(json!({"patternProperties": named})), Err(SchemaError::Patterns));
        for blown_up in ["((a{1000}){1000}){1000}", r"^(\w{1,400}x){1,400}$", "(?=a)b", r"(a)\1", "("] {
            assert!(matches!(with(json!({"pattern": blown_up})), Err(SchemaError::Malformed(_))), "{blown_up}");
        }
        let within = |depth: usize| {
            (0..depth)
                .fold(json!({"type": "object"}), |inner, _| json!({"allOf": [inner], "unevaluatedProperties": false}))
        };
        assert_eq!(with(within(2)), Ok(()));
        assert_eq!(with(within(3)), Err(SchemaError::Unevaluated));
    }

    #[test]
    fn only_the_dialect_of_2020_12_and_only_objects() {
        assert!(matches!(OutputSchema::compile(json!({"type": "array"})), Err(SchemaError::NotOfAnObject)));
        assert!(matches!(OutputSchema::compile(json!(true)), Err(SchemaError::NotOfAnObject)));
        let old = json!({"type": "object", "$schema": "http://json-schema.org/draft-07/schema#"});
        assert!(matches!(OutputSchema::compile(old), Err(SchemaError::Dialect(_))));
        assert!(OutputSchema::compile(json!({"type": "object", "$schema": DIALECT})).is_ok());
    }
}
