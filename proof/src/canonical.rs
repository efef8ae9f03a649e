//! The canonical form of what is hashed, and the refusal of JSON that has no one meaning.
//!
//! The form is RFC 8785 (JSON Canonicalization Scheme) of a strict profile, in which it needs no
//! floating-point text and no UTF-16 sorting: numbers are integers within ±(2^53 − 1), object keys
//! are ASCII and sorted, nesting is at most [`MAX_DEPTH`] deep.

mod key;
mod scan;
mod strict;
pub(crate) mod text;
mod write;

pub use strict::{Place, Refusal, StrictError, from_slice_strict, parse_strict};

use serde::{Serialize, de::DeserializeOwned};

/// How many arrays and objects may be open at once.
pub const MAX_DEPTH: usize = 64;

/// The greatest magnitude of an integer: 2^53 − 1. Beyond it a reader that knows only doubles may
/// find another number than was written.
pub const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// The canonical bytes of a value.
///
/// # Errors
/// The value leaves the profile: a float, an integer beyond [`MAX_SAFE_INTEGER`], a key that is not
/// ASCII or occurs twice, nesting beyond [`MAX_DEPTH`], raw bytes or raw JSON.
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, CanonicalError> {
    write::to_vec(value)
}

/// The canonical text of a value.
///
/// # Errors
/// As [`to_vec`].
pub fn to_string<T: Serialize + ?Sized>(value: &T) -> Result<String, CanonicalError> {
    let not_utf8 = |_| CanonicalError { departure: Departure::NotUtf8, place: "the top".to_owned() };
    String::from_utf8(to_vec(value)?).map_err(not_utf8)
}

/// The value in canonical bytes.
///
/// # Errors
/// The bytes are not canonical, or not of the form asked for.
pub fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, NotCanonical> {
    check(bytes)?;
    let mut json = serde_json::Deserializer::from_slice(bytes);
    serde_path_to_error::deserialize(&mut json).map_err(|problem| NotCanonical::Shape(problem.to_string()))
}

/// Why no value was read from bytes that should be canonical.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotCanonical {
    /// They are not.
    #[error(transparent)]
    Form(#[from] CanonicalError),
    /// They are, but not of the form asked for.
    #[error("{0}")]
    Shape(String),
}

/// Whether these bytes are canonical: exactly those that [`to_vec`] writes of the value in them.
///
/// # Errors
/// They are not, with the first byte at which it shows.
pub fn check(bytes: &[u8]) -> Result<(), CanonicalError> {
    scan::check(bytes)
}

/// The members of a canonical object that have these names, as they are written in it; `None` where there is no such
/// member. A name is one that is written without escapes.
///
/// # Errors
/// The bytes are not a canonical object, with the first byte at which it shows.
pub fn members<'a, const N: usize>(bytes: &'a [u8], names: [&str; N]) -> Result<[Option<&'a [u8]>; N], CanonicalError> {
    scan::members(bytes, names)
}

/// Why a value has no canonical form or why bytes are not in it, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{departure} (at {place})")]
pub struct CanonicalError {
    /// What leaves the profile.
    pub departure: Departure,
    /// Of a value its path, such as `checks[2].severity` or `the top`; of bytes `byte 17`, counted
    /// from zero.
    pub place: String,
}

/// What leaves the strict profile of RFC 8785.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Departure {
    /// A number with a fraction or an exponent, or in floating point.
    #[error("numbers are integers; write a fraction as a decimal string")]
    Float,
    /// An integer that a double does not hold.
    #[error("integers lie within ±(2^53 − 1); write a greater one as a decimal string")]
    UnsafeInteger,
    /// A key that is not ASCII, or is no string.
    #[error("keys are ASCII strings")]
    Key,
    /// A key twice in an object.
    #[error("each key occurs once in an object")]
    DuplicateKey,
    /// Arrays and objects nested beyond [`MAX_DEPTH`].
    #[error("arrays and objects are nested at most {MAX_DEPTH} levels deep")]
    TooDeep,
    /// Bytes or JSON text that would be written unread.
    #[error("raw bytes and raw JSON are not written; give a string")]
    Raw,
    /// Keys out of order.
    #[error("keys are sorted")]
    Order,
    /// A character of a string in a form other than its one form.
    #[error("characters are written as themselves, or in their shortest escape where they need one")]
    Escape,
    /// Not UTF-8.
    #[error("the text is UTF-8")]
    NotUtf8,
    /// Something other than canonical JSON: white space, a leading zero, a trailing comma, an end too
    /// early or too late.
    #[error("canonical JSON has {0} here")]
    Expected(&'static str),
    /// The value's own serialisation failed.
    #[error("{0}")]
    Value(String),
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json, value::RawValue};
    use std::collections::{BTreeMap, HashMap};

    #[derive(Serialize)]
    struct Unsorted {
        zebra: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        nothing: Option<u8>,
        verdict: Verdict,
        checks: Vec<Check>,
        alpha: Option<u8>,
    }

    #[derive(Serialize)]
    enum Verdict {
        Pass,
        Score(i64),
        Pair(u8, u8),
        Flagged { why: String, at: char },
    }

    #[derive(Serialize)]
    struct Check {
        severity: Value,
        label: String,
    }

    fn unsorted(verdict: Verdict) -> Unsorted {
        let check = |severity| Check { severity, label: "Prüfung \u{1f600}".to_owned() };
        let checks = vec![check(json!("low")), check(json!({"b": [], "a": {}}))];
        Unsorted {
            zebra: "a\"\\/\u{8}\t\n\u{c}\r\u{0}\u{1f}\u{7f}\u{2028}",
            nothing: None,
            verdict,
            checks,
            alpha: None,
        }
    }

    #[test]
    fn a_struct_is_written_as_the_oracle_writes_it() {
        let flagged = Verdict::Flagged { why: "x".to_owned(), at: 'é' };
        for verdict in [Verdict::Pass, Verdict::Score(-3), Verdict::Pair(1, 2), flagged] {
            let value = unsorted(verdict);
            let ours = to_vec(&value).unwrap();
            assert_eq!(String::from_utf8(ours.clone()), serde_json_canonicalizer::to_string(&value).map(Ok).unwrap());
            assert_eq!(check(&ours), Ok(()));
        }
    }

    #[test]
    fn the_profile_ends_at_2_to_the_53() {
        assert_eq!(to_vec(&[MAX_SAFE_INTEGER]).unwrap(), b"[9007199254740991]");
        assert_eq!(to_vec(&-9_007_199_254_740_991_i64).unwrap(), b"-9007199254740991");
        for value in [json!(9_007_199_254_740_992_u64), json!(-9_007_199_254_740_992_i64), json!(u64::MAX)] {
            assert_eq!(to_vec(&value).expect_err("too great").departure, Departure::UnsafeInteger);
        }
        assert_eq!(to_vec(&u128::MAX).expect_err("too great").departure, Departure::UnsafeInteger);
        assert_eq!(check(b"9007199254740992").expect_err("too great").departure, Departure::UnsafeInteger);
    }

    #[test]
    fn what_leaves_the_profile_is_refused_with_its_place() {
        let mut value = unsorted(Verdict::Pass);
        value.checks[1].severity = json!({"a": {"z": 1, "y": [2]}, "b": [true, {"c": 0.5}]});
        let error = to_vec(&value).expect_err("a float");
        assert_eq!((error.departure, error.place.as_str()), (Departure::Float, "checks[1].severity.b[1].c"));

        let error = to_vec(&json!({"a": {"é": 1}})).expect_err("a key");
        assert_eq!((error.departure, error.place.as_str()), (Departure::Key, "a.é"));
        assert_eq!(to_vec(&HashMap::from([(1, 2)])).expect_err("a key").departure, Departure::Key);
        let error = to_vec(&1.0).expect_err("a float").to_string();
        assert_eq!(error, "numbers are integers; write a fraction as a decimal string (at the top)");

        let raw = RawValue::from_string("{ \"b\" : 1.50 }".to_owned()).unwrap();
        assert_eq!(to_vec(&[raw]).expect_err("raw JSON").departure, Departure::Raw);
    }

    #[test]
    fn a_key_occurs_once() {
        #[derive(Serialize)]
        struct Twice {
            b: u8,
            #[serde(flatten)]
            rest: BTreeMap<&'static str, u8>,
        }
        let error = to_vec(&[Twice { b: 1, rest: BTreeMap::from([("a", 2), ("b", 3)]) }]).expect_err("a duplicate");
        assert_eq!((error.departure, error.place.as_str()), (Departure::DuplicateKey, "[0].b"));
    }

    #[test]
    fn nesting_ends_where_the_edge_ends_it() {
        let nested = |depth| (0..depth).fold(Value::Null, |inner, _| json!([inner]));
        assert_eq!(check(&to_vec(&nested(MAX_DEPTH)).unwrap()), Ok(()));
        assert_eq!(to_vec(&nested(MAX_DEPTH + 1)).expect_err("too deep").departure, Departure::TooDeep);
        assert_eq!(check("[".repeat(1_000_000).as_bytes()).expect_err("too deep").departure, Departure::TooDeep);
    }

    #[test]
    fn bytes_that_mean_the_same_are_not_canonical() {
        for (bytes, place) in [
            (r#"{"a":1 }"#, 6),
            (r#" {"a":1}"#, 0),
            ("{\"a\":1}\n", 7),
            (r#"{"b":1,"a":2}"#, 7),
            (r#"{"a":1,"a":2}"#, 7),
            (r#"{"a":01}"#, 5),
            (r#"{"a":-0}"#, 5),
            (r#"{"a":1.0}"#, 5),
            (r#"{"a":1e2}"#, 5),
            (r#"{"a":"\/"}"#, 6),
            (r#"{"a":"x\u0041"}"#, 7),
            (r#"{"a":"\u000a"}"#, 6),
            (r#"{"a":"\u001F"}"#, 6),
            (r#"{"a":1,}"#, 7),
            (r#"{"é":1}"#, 1),
            (r#"{"a\"":1,"a!":1}"#, 9),
            ("[tru]", 1),
            ("", 0),
        ] {
            assert_eq!(check(bytes.as_bytes()).expect_err(bytes).place, format!("byte {place}"), "{bytes}");
        }
        assert_eq!(check(b"\"\xff\"").expect_err("no UTF-8").departure, Departure::NotUtf8);
    }

    /// Values of the profile.
    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-9_007_199_254_740_991_i64..=9_007_199_254_740_991).prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            "[\u{0}-\u{7f}]{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 60, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                prop::collection::hash_map("[\u{0}-\u{7f}]{0,3}", inner, 0..8)
                    .prop_map(|entries| Value::Object(entries.into_iter().collect())),
            ]
        })
    }

    /// Entries in the order given.
    struct Entries<'a>(&'a [(String, Value)]);

    impl Serialize for Entries<'_> {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
        }
    }

    proptest! {
        #[test]
        fn the_oracle_writes_the_same_bytes(value in values()) {
            let ours = to_vec(&value).unwrap();
            prop_assert_eq!(&ours, &serde_json_canonicalizer::to_vec(&value).unwrap());
            prop_assert_eq!(serde_json::from_slice::<Value>(&ours).unwrap(), value);
            prop_assert_eq!(check(&ours), Ok(()));
        }

        #[test]
        fn the_order_of_entries_does_not_matter(
            entries in prop::collection::hash_map("[\u{0}-\u{7f}]{0,3}", values(), 0..8)
        ) {
            let entries: Vec<_> = entries.into_iter().collect();
            let sorted: BTreeMap<_, _> = entries.iter().cloned().collect();
            prop_assert_eq!(to_vec(&Entries(&entries)).unwrap(), to_vec(&sorted).unwrap());
        }

        #[test]
        fn only_what_we_write_is_canonical(value in values(), at: prop::sample::Index, byte: u8, how in 0..3) {
            let mut bytes = to_vec(&value).unwrap();
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => { bytes.remove(at); }
            }
            let ours = serde_json::from_slice::<Value>(&bytes).ok().and_then(|value| to_vec(&value).ok());
            prop_assert_eq!(check(&bytes).is_ok(), ours.as_ref() == Some(&bytes));
        }
    }
}
