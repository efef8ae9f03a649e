//! JSON values compared: strictly by type, numbers by their value and not by how they are written.

use std::cmp::Ordering;

use serde_json::{Number, Value};

/// A total order over all values: by type, then within it. Equal in it means the same value: 1 and 1.0 are.
pub(super) fn order(left: &Value, right: &Value) -> Ordering {
    match (left, right) {
        (Value::Bool(left), Value::Bool(right)) => left.cmp(right),
        (Value::Number(left), Value::Number(right)) => order_numbers(left, right),
        (Value::String(left), Value::String(right)) => left.cmp(right),
        (Value::Array(left), Value::Array(right)) => {
            let pairs = left.iter().zip(right).map(|(left, right)| order(left, right));
            first_difference(pairs).unwrap_or(left.len().cmp(&right.len()))
        }
        (Value::Object(left), Value::Object(right)) => {
            let sorted = |entries: &serde_json::Map<String, Value>| {
                let mut keys: Vec<String> = entries.keys().cloned().collect();
                keys.sort_unstable();
                keys
            };
            let keys = sorted(left);
            let pairs = keys.iter().filter_map(|key| Some(order(left.get(key)?, right.get(key)?)));
            keys.cmp(&sorted(right)).then_with(|| first_difference(pairs).unwrap_or(Ordering::Equal))
        }
        _ => rank(left).cmp(&rank(right)),
    }
}

fn first_difference(mut orders: impl Iterator<Item = Ordering>) -> Option<Ordering> {
    orders.find(|order| *order != Ordering::Equal)
}

const fn rank(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        Value::String(_) => 3,
        Value::Array(_) => 4,
        Value::Object(_) => 5,
    }
}

pub(super) const fn same_type(left: &Value, right: &Value) -> bool {
    rank(left) == rank(right)
}

/// Whole numbers are compared exactly, also beyond what a double holds.
fn order_numbers(left: &Number, right: &Number) -> Ordering {
    match (whole(left), whole(right)) {
        (Some(left), Some(right)) => left.cmp(&right),
        _ => left.as_f64().unwrap_or(f64::NAN).total_cmp(&right.as_f64().unwrap_or(f64::NAN)),
    }
}

fn whole(number: &Number) -> Option<i128> {
    let float = || number.as_f64().filter(|float| float.trunc() == *float && float.abs() < 1e38);
    let integer = number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
    integer.or_else(|| float().map(|float| float as i128))
}

/// How many parts a value has; a text counts one for every 64 bytes.
pub(super) fn weight(value: &Value) -> u64 {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 1,
        Value::String(text) => text_weight(text),
        Value::Array(elements) => elements.iter().fold(1, |sum, element| sum + weight(element)),
        Value::Object(entries) => entries.values().fold(1, |sum, entry| sum + weight(entry)),
    }
}

pub(super) const fn text_weight(text: &str) -> u64 {
    1 + text.len() as u64 / 64
}

/// Whether something has been filled in: not null, not blank, not an empty array or object.
pub(super) fn is_filled(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(_) | Value::Number(_) => true,
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(elements) => !elements.is_empty(),
        Value::Object(entries) => !entries.is_empty(),
    }
}
