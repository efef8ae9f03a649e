//! From condition to JSON: what [`super::read`] reads back as the same condition.

use serde_json::{Map, Value, json};

use super::{Comparison, Node, Operand};
use crate::rulebooks::path::Path;

pub(super) fn node(node_: &Node) -> Value {
    match node_ {
        Node::Compare { comparison, left, right } => {
            let symbol = Comparison::ALL.iter().find(|(known, _)| known == comparison).map(|(_, symbol)| *symbol);
            json!({"op": symbol, "left": operand(left), "right": operand(right)})
        }
        Node::In { left, right } => json!({"op": "in", "left": operand(left), "right": operand(right)}),
        Node::And(terms) => json!({"op": "and", "terms": terms.iter().map(node).collect::<Vec<_>>()}),
        Node::Or(terms) => json!({"op": "or", "terms": terms.iter().map(node).collect::<Vec<_>>()}),
        Node::Not(term) => json!({"op": "not", "term": node(term)}),
        Node::If { cond, then } => json!({"op": "if", "cond": node(cond), "then": node(then)}),
        Node::Approx { left, right, monetary, bands } => {
            let mut written = json!({"op": "approx", "left": operand(left), "right": operand(right)});
            let bands = serde_json::to_value(bands).unwrap_or_default();
            if let (Some(written), Value::Object(bands)) = (written.as_object_mut(), bands) {
                written.extend(bands);
                written.insert("monetary".into(), Value::Bool(*monetary));
            }
            written
        }
        Node::Each { array, term } => json!({"op": "each", "array": operand(array), "term": node(term)}),
        Node::AllNonempty { array, field } => of_elements("all_nonempty", array, Some(field)),
        Node::Unique { array, field } => of_elements("unique", array, field.as_ref()),
        Node::SetEqual { left, right } => json!({"op": "set_equal", "left": operand(left), "right": operand(right)}),
        Node::Subset { left, right } => json!({"op": "subset", "left": operand(left), "right": operand(right)}),
        Node::ContainsText { left, right } => {
            json!({"op": "contains_text", "left": operand(left), "right": operand(right)})
        }
        Node::Present(field) => json!({"op": "present", "field": operand(field)}),
        Node::IsNull(field) => json!({"op": "is_null", "field": operand(field)}),
        Node::QuotedInEvidence { array, field } => of_elements("quoted_in_evidence", array, field.as_ref()),
    }
}

fn of_elements(op: &str, array: &Operand, field: Option<&Path>) -> Value {
    let mut written = Map::from_iter([("op".into(), Value::from(op)), ("array".into(), operand(array))]);
    if let Some(field) = field {
        written.insert("field".into(), Value::from(field.to_string()));
    }
    Value::Object(written)
}

pub(super) fn operand(operand_: &Operand) -> Value {
    match operand_ {
        Operand::Literal(value) => value.clone(),
        Operand::Field(path) => json!({"field": path.to_string()}),
        Operand::Input(path) => json!({"input": path.to_string()}),
        Operand::Calc(calculation) if calculation.aliases.is_empty() => json!({"calc": calculation.name}),
        Operand::Calc(calculation) => json!({"calc": calculation.name, "aliases": calculation.aliases}),
        Operand::Len(of) => json!({"len": operand(of)}),
        Operand::Formula { formula, with } => {
            let with: Map<_, _> = with.iter().map(|(name, of)| (name.clone(), operand(of))).collect();
            json!({"formula": formula.source(), "with": with})
        }
        Operand::Sum(list) => json!({"sum": operand(list)}),
        Operand::Min(list) => json!({"min": operand(list)}),
        Operand::Max(list) => json!({"max": operand(list)}),
        Operand::Count { list, filter: None } => json!({"count": operand(list)}),
        Operand::Count { list, filter: Some(filter) } => json!({"count": operand(list), "where": node(filter)}),
    }
}
