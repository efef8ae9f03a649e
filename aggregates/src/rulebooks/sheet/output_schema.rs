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

/// A compiled schema with the text that it was compiled from.
#[derive(Clone, Debug)]
pub(crate) struct OutputSchema {
    source: Value,
    validator: Arc<Validator>,
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
        Walk { root: &source, followed: Vec::new(), parts: 0 }.visit(&source)?;
        let validator = jsonschema::options()
            .with_draft(Draft::Draft202012)
            .offline()
            .should_validate_formats(true)
            .should_ignore_unknown_formats(false)
            .with_pattern_options(PatternOptions::regex())
            .build(&source)
            .map_err(|error| SchemaError::Malformed(error.to_string()))?;
        Ok(Self { source, validator: Arc::new(validator) })
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
                for (keyword, value) in keywords {
                    match (keyword.as_str(), value) {
                        ("$id", Value::String(_)) => return Err(SchemaError::Keyword("$id")),
                        ("$anchor", Value::String(_)) => return Err(SchemaError::Keyword("$anchor")),
                        ("$dynamicAnchor", Value::String(_)) => return Err(SchemaError::Keyword("$dynamicAnchor")),
                        ("$dynamicRef", Value::String(_)) => return Err(SchemaError::Keyword("$dynamicRef")),
                        ("$ref", Value::String(reference)) => self.follow(reference)?,
                        (data, _) if DATA.contains(&data) => {}
                        (named, Value::Object(schemas)) if NAMED.contains(&named) => {
                            schemas.values().try_for_each(|schema| self.visit(schema))?;
                        }
                        _ => self.visit(value)?,
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
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
    fn only_the_dialect_of_2020_12_and_only_objects() {
        assert!(matches!(OutputSchema::compile(json!({"type": "array"})), Err(SchemaError::NotOfAnObject)));
        assert!(matches!(OutputSchema::compile(json!(true)), Err(SchemaError::NotOfAnObject)));
        let old = json!({"type": "object", "$schema": "http://json-schema.org/draft-07/schema#"});
        assert!(matches!(OutputSchema::compile(old), Err(SchemaError::Dialect(_))));
        assert!(OutputSchema::compile(json!({"type": "object", "$schema": DIALECT})).is_ok());
    }
}
