//! Somebody else's JSON, read so that it can mean only one thing.

use super::MAX_DEPTH;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::{cell::RefCell, fmt};

/// Why a text is refused, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{refusal} (at {place})")]
pub struct StrictError {
    /// What is wrong and what is allowed.
    pub refusal: Refusal,
    /// The first character at which it shows.
    pub place: Place,
    /// The path there as far as it was read, such as `checks[2].severity`; empty for the whole document.
    pub path: String,
}

/// A place in a text, counted from one. The column counts bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The byte within the line; 0 where the text ends before its first byte.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "line {}, column {}", self.line, self.column)
    }
}

/// What is wrong with a text, and what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The bytes are not UTF-8.
    #[error("the text is not UTF-8")]
    NotUtf8,
    /// The text begins with a byte order mark.
    #[error("the text begins with a byte order mark; JSON begins with its value")]
    ByteOrderMark,
    /// A key twice in one object, after unescaping.
    #[error("the key {0:?} occurs twice in one object; each key may occur once")]
    DuplicateKey(String),
    /// Arrays and objects nested beyond [`MAX_DEPTH`].
    #[error("arrays and objects are nested too deeply; at most {MAX_DEPTH} levels are allowed")]
    TooDeep,
    /// U+0000 in a string or key, which the databases cannot hold.
    #[error("a string holds the character U+0000; every other character is allowed")]
    Null,
    /// Half of a surrogate pair, which is no character.
    #[error("a string holds an unpaired surrogate; write the character itself or both halves of its pair")]
    UnpairedSurrogate,
    /// A number whose magnitude no double can hold.
    #[error("a number is too large; its magnitude must be below 1.8e308")]
    NumberRange,
    /// Not JSON.
    #[error(
        "the text is not JSON: {0}; allowed are objects, arrays, strings, finite numbers, true, false and null (RFC 8259)"
    )]
    Syntax(String),
    /// JSON, but not of the form asked for.
    #[error("{}{problem}", At(path))]
    Shape {
        /// The field, such as `checks[2].severity`; empty for the whole document.
        path: String,
        /// What was found and what was expected.
        problem: String,
    },
}

/// A path as the beginning of a sentence.
struct At<'a>(&'a str);

impl fmt::Display for At<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(out, "{}: ", self.0) }
    }
}

/// Reads a JSON text that somebody else wrote.
///
/// # Errors
/// The text is not UTF-8 or not JSON (NaN and infinities are not), repeats a key within an object,
/// nests beyond [`MAX_DEPTH`], holds U+0000 or an unpaired surrogate in a string or key, or a number
/// that does not fit a double.
pub fn parse_strict(text: &[u8]) -> Result<Value, StrictError> {
    let text = utf8(text)?;
    let reading = Reading::default();
    let mut json = serde_json::Deserializer::from_str(text);
    let value = Strict { reading: &reading, depth: 0 }.deserialize(&mut json);
    value.and_then(|value| json.end().map(|()| value)).map_err(|error| {
        let place = Place { line: error.line(), column: error.column() };
        let refusal = reading.refusal.take().unwrap_or_else(|| syntax(&error));
        StrictError { refusal, place, path: reading.path() }
    })
}

/// Reads a JSON text that somebody else wrote into a type.
///
/// # Errors
/// Those of [`parse_strict`]; and [`Refusal::Shape`], which names the field, if the type does not
/// accept the value.
pub fn from_slice_strict<T: DeserializeOwned>(text: &[u8]) -> Result<T, StrictError> {
    parse_strict(text)?;
    // From the text and not from the value just read, so that the place is known and the type may
    // keep a part's exact text.
    let mut json = serde_json::Deserializer::from_slice(text);
    serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = match error.path().to_string() {
            root if root == "." => String::new(),
            path => path,
        };
        let error = error.inner();
        let place = Place { line: error.line(), column: error.column() };
        StrictError { refusal: Refusal::Shape { path: path.clone(), problem: without_place(error) }, place, path }
    })
}

fn utf8(text: &[u8]) -> Result<&str, StrictError> {
    if text.starts_with("\u{feff}".as_bytes()) {
        return Err(StrictError {
            refusal: Refusal::ByteOrderMark,
            place: Place { line: 1, column: 1 },
            path: String::new(),
        });
    }
    std::str::from_utf8(text).map_err(|error| {
        let before = text.get(..error.valid_up_to()).unwrap_or_default();
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        let column = 1 + before.iter().rev().take_while(|byte| **byte != b'\n').count();
        StrictError { refusal: Refusal::NotUtf8, place: Place { line, column }, path: String::new() }
    })
}

/// The parser knows its errors by their words alone.
fn syntax(error: &serde_json::Error) -> Refusal {
    match without_place(error) {
        problem if problem == "number out of range" => Refusal::NumberRange,
        problem if problem.contains("surrogate") || problem == "unexpected end of hex escape" => {
            Refusal::UnpairedSurrogate
        }
        problem => Refusal::Syntax(problem),
    }
}

fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&place).map_or(text.clone(), str::to_owned)
}

/// What the visitors found, since a parser's error carries only words.
#[derive(Default)]
struct Reading {
    refusal: RefCell<Option<Refusal>>,
    /// The way to what was refused, from the inside out: noted only while the error goes up.
    way: RefCell<Vec<Step>>,
}

/// A step on the way to a value.
enum Step {
    Key(String),
    Index(usize),
}

impl Reading {
    fn refuse<E: serde::de::Error>(&self, refusal: Refusal) -> E {
        self.refusal.replace(Some(refusal));
        E::custom("refused")
    }

    fn past(&self, step: Step) {
        self.way.borrow_mut().push(step);
    }

    fn path(&self) -> String {
        let mut path = String::new();
        for step in self.way.take().into_iter().rev() {
            match step {
                Step::Key(key) if path.is_empty() => path = key,
                Step::Key(key) => {
                    path.push('.');
                    path.push_str(&key);
                }
                Step::Index(index) => path.push_str(&format!("[{index}]")),
            }
        }
        path
    }

    fn text<E: serde::de::Error>(&self, text: &str) -> Result<(), E> {
        if text.contains('\0') { Err(self.refuse(Refusal::Null)) } else { Ok(()) }
    }
}

/// One value at some depth.
#[derive(Clone, Copy)]
struct Strict<'a> {
    reading: &'a Reading,
    /// How many arrays and objects are open around it.
    depth: usize,
}

impl Strict<'_> {
    fn inside<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth == MAX_DEPTH {
            return Err(self.reading.refuse(Refusal::TooDeep));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| self.reading.refuse(Refusal::NumberRange))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Value, E> {
        self.visit_string(text.to_owned())
    }

    fn visit_string<E: serde::de::Error>(self, text: String) -> Result<Value, E> {
        self.reading.text(&text)?;
        Ok(Value::String(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inside = self.inside()?;
        let mut array = Vec::new();
        loop {
            match items.next_element_seed(inside) {
                Ok(Some(item)) => array.push(item),
                Ok(None) => return Ok(Value::Array(array)),
                Err(error) => {
                    self.reading.past(Step::Index(array.len()));
                    return Err(error);
                }
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let inside = self.inside()?;
        let mut object = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            self.reading.text(&key)?;
            if object.contains_key(&key) {
                self.reading.past(Step::Key(key.clone()));
                return Err(self.reading.refuse(Refusal::DuplicateKey(key)));
            }
            match entries.next_value_seed(inside) {
                Ok(value) => object.insert(key, value),
                Err(error) => {
                    self.reading.past(Step::Key(key));
                    return Err(error);
                }
            };
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde::de::IgnoredAny;
    use serde_json::{json, value::RawValue};

    #[test]
    fn what_is_refused_has_its_path() {
        for (text, path) in [
            (r#"{"a":[1,{"b":2,"b":3}]}"#, "a[1].b"),
            (r#"{"a":1,"a":2}"#, "a"),
            (r#"[[0],["\u0000"]]"#, "[1][0]"),
            (r#"{"a":{"b":1e999}}"#, "a.b"),
            ("[1,2", "[2]"),
            ("", ""),
            ("{} {}", ""),
        ] {
            assert_eq!(parse_strict(text.as_bytes()).expect_err(text).path, path, "{text}");
        }
    }

    fn refusal(text: &str) -> Refusal {
        parse_strict(text.as_bytes()).expect_err(text).refusal
    }

    #[test]
    fn a_key_may_occur_once_however_it_is_written_and_however_deep() {
        for text in [r#"{"a":1,"a":2}"#, r#"{"a":1,"\u0061":2}"#, r#"[{"x":{"a":[],"b":0,"a":null}}]"#] {
            assert_eq!(refusal(text), Refusal::DuplicateKey("a".to_owned()), "{text}");
        }
        assert!(parse_strict(br#"{"a":{"a":1},"b":{"a":1},"A":0}"#).is_ok());
    }

    #[test]
    fn an_error_says_what_where_and_what_is_allowed() {
        let error = parse_strict(b"{\"a\": 1,\n  \"a\": 2}").expect_err("a duplicate");
        assert_eq!(
            error.to_string(),
            "the key \"a\" occurs twice in one object; each key may occur once (at line 2, column 5)"
        );
        let error = parse_strict(b"[1,\n NaN]").expect_err("no number");
        assert_eq!(error.place, Place { line: 2, column: 2 });
        let error = parse_strict(b"[1,\n\"\xff\"]").expect_err("no UTF-8");
        let place = Place { line: 2, column: 2 };
        assert_eq!(error, StrictError { refusal: Refusal::NotUtf8, place, path: String::new() });
    }

    #[test]
    fn nesting_ends_at_64_levels_and_never_at_the_stack() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse_strict(nested(64).as_bytes()).is_ok());
        assert_eq!(refusal(&nested(65)), Refusal::TooDeep);
        assert_eq!(refusal(&"[".repeat(1_000_000)), Refusal::TooDeep);
        assert_eq!(refusal(&r#"{"a":"#.repeat(1_000_000)), Refusal::TooDeep);
        assert_eq!(from_slice_strict::<IgnoredAny>(nested(65).as_bytes()).expect_err("deep").refusal, Refusal::TooDeep);
    }

    #[test]
    fn what_is_no_text_is_refused_in_strings_and_keys() {
        for text in [r#"["\u0000"]"#, r#"{"a\u0000":1}"#] {
            assert_eq!(refusal(text), Refusal::Null, "{text}");
        }
        for text in [r#""\ud800""#, r#""\udc00""#, r#""\ud800\ud800""#, r#"{"\ud83d":1}"#, r#""\ud83dx""#] {
            assert_eq!(refusal(text), Refusal::UnpairedSurrogate, "{text}");
        }
        assert_eq!(parse_strict(br#""\ud83d\ude00""#), Ok(json!("\u{1f600}")));
    }

    #[test]
    fn numbers_fit_a_double() {
        for text in ["1e309", "-1e999999", "[1e400]"] {
            assert_eq!(refusal(text), Refusal::NumberRange, "{text}");
        }
        for text in ["NaN", "Infinity", "-Infinity", "+1", "01", "1.", ".5", "0x10", "1_000"] {
            assert!(matches!(refusal(text), Refusal::Syntax(_)), "{text}");
        }
        assert_eq!(parse_strict(b"1.7e308"), Ok(json!(1.7e308)));
    }

    #[test]
    fn what_is_not_one_value_is_refused() {
        for text in ["", " ", "1 2", "[1,]", "{\"a\":1,}", "{a:1}", "'a'", "// x\n1", "\"a\nb\"", "[1"] {
            assert!(matches!(refusal(text), Refusal::Syntax(_)), "{text}");
        }
        assert_eq!(refusal("\u{feff}{}"), Refusal::ByteOrderMark);
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sheet {
        checks: Vec<Check>,
        #[serde(default)]
        inputs: Option<Box<RawValue>>,
    }

    #[derive(Debug, serde::Deserialize)]
    struct Check {
        weight: u32,
    }

    #[test]
    fn a_type_refuses_with_the_name_of_the_field() {
        let shape = |text: &str| match from_slice_strict::<Sheet>(text.as_bytes()).expect_err(text).refusal {
            Refusal::Shape { path, problem } => (path, problem),
            other => panic!("{other}"),
        };
        let (path, problem) = shape(r#"{"checks":[{"weight":1},{"weight":"x"}]}"#);
        assert_eq!((path.as_str(), problem.as_str()), ("checks[1].weight", "invalid type: string \"x\", expected u32"));
        assert_eq!(shape("{}"), (String::new(), "missing field `checks`".to_owned()));
        assert_eq!(shape(r#"{"checks":[],"other":1}"#).0, "other");
        let error = from_slice_strict::<Sheet>(br#"{"checks":[{"weight":1,"weight":2}]}"#).expect_err("a duplicate");
        assert_eq!(error.refusal, Refusal::DuplicateKey("weight".to_owned()));
    }

    #[test]
    fn a_type_may_keep_the_exact_text_of_a_part() {
        let sheet: Sheet = from_slice_strict(br#"{"inputs": {"b": 1.0,  "a":2}, "checks":[{"weight":3}]}"#).unwrap();
        assert_eq!(sheet.inputs.expect("is given").get(), r#"{"b": 1.0,  "a":2}"#);
        assert_eq!(sheet.checks[0].weight, 3);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(value) = parse_strict(&bytes) {
                prop_assert_eq!(serde_json::from_slice::<Value>(&bytes).unwrap(), value);
            }
        }

        #[test]
        fn nearly_json_is_read_as_json_or_refused(text in r#"[\[\]{}:,"ab\\u0d81e. \n-]{0,24}"#) {
            let ours = parse_strict(text.as_bytes());
            match serde_json::from_str::<Value>(&text) {
                Err(_) => prop_assert!(ours.is_err()),
                Ok(theirs) => if let Ok(value) = ours { prop_assert_eq!(value, theirs) },
            }
        }
    }
}
