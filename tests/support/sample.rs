//! Bodies that an operation accepts, made from its documentation: its example, or the least that its schema allows.

use super::{Contract, Operation, Value, client::Call, json};
use reqwest::multipart::{Form, Part};

impl Operation {
    /// The call with a body such as this operation wants, if it wants one.
    pub fn fill(&self, call: Call) -> Call {
        let content = &self.says["requestBody"]["content"];
        let json = &content["application/json"];
        if !json.is_null() {
            call.json(example(json))
        } else if !content["multipart/form-data"].is_null() {
            call.form(Form::new().part("file", Part::bytes(b"sample".as_slice()).file_name("sample.txt")))
        } else {
            call
        }
    }
}

/// A flight sheet of an organisation's own: one rule that the referee applies, on the field `decision`.
pub fn own_sheet(slug: &str, version: &str) -> Value {
    json!({
        "slug": slug,
        "name": "Invoice against quote",
        "version": version,
        "lane": "agent",
        "summary": "Compares an invoice with the quote it follows.",
        "purpose": "No invoice that is far above its quote is paid without somebody having looked.",
        "assignment_instructions": "State whether to pay or to escalate.",
        "required_inputs": ["quoted", "invoiced"],
        "expected_outputs": ["Decision: pay or escalate"],
        "audit_checks": [{"key": "decided", "label": "It says pay or escalate", "kind": "auto", "severity": "critical"}],
        "eval_spec": {
            "rules": [
                {"key": "decided", "assert": {"op": "in", "left": {"field": "decision"}, "right": ["pay", "escalate"]}},
            ],
        },
    })
}

/// The example of a media type.
fn example(content: &Value) -> Value {
    let named = content["examples"].as_object().and_then(|examples| examples.values().next());
    let given = content.get("example").or_else(|| named?.get("value"));
    given.cloned().unwrap_or_else(|| least(&content["schema"]))
}

/// The least value that a schema allows, or its example where it has one.
fn least(schema: &Value) -> Value {
    let first = |key: &str| schema[key].as_array().and_then(|values| values.first());
    let given = schema.get("example").or_else(|| first("examples")).or_else(|| schema.get("const"));
    if let Some(value) = given.or_else(|| first("enum")) {
        return value.clone();
    }
    if let Some(at) = schema["$ref"].as_str() {
        return least(
            Contract::get().document().pointer(at.trim_start_matches('#')).expect("a reference leads somewhere"),
        );
    }
    if let Some(parts) = schema["allOf"].as_array() {
        let fields = parts.iter().map(least).filter_map(|part| part.as_object().cloned());
        return Value::Object(fields.flatten().collect());
    }
    if let Some(choices) = schema["oneOf"].as_array().or_else(|| schema["anyOf"].as_array()) {
        let choice = choices.iter().find(|choice| choice["type"] != "null");
        return choice.map_or(Value::Null, least);
    }
    let kinds = schema["type"].as_array().into_iter().flatten().chain([&schema["type"]]);
    match kinds.filter_map(Value::as_str).find(|kind| *kind != "null") {
        Some("object") => {
            let names = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
            names.map(|name| (name.to_owned(), least(&schema["properties"][name]))).collect()
        }
        Some("array") => {
            let count = schema["minItems"].as_u64().unwrap_or(0);
            (0..count).map(|_| least(&schema["items"])).collect()
        }
        Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or_else(|| json!(1)),
        Some("boolean") => json!(false),
        Some("string") => json!(text(schema)),
        _ => Value::Null,
    }
}

fn text(schema: &Value) -> String {
    let plain = match schema["format"].as_str() {
        Some("date-time") => "2026-01-31T12:00:00Z",
        Some("date") => "2026-01-31",
        Some("uuid") => "01890a5d-ac96-774b-bcce-b302099a8057",
        Some("email") => "sample@example.org",
        Some("uri") => "https://example.org/",
        _ => "sample",
    };
    let least = schema["minLength"].as_u64().and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
    format!("{plain:x<least$}")
}
