//! Sheets that do not load, and sheets on trial.

use crate::{on_both_stores, support::*};
use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

const MIB: usize = 1 << 20;
/// How long any answer may take, on a busy machine and without optimisation.
const SOON: Duration = Duration::from_secs(20);

/// The file of a built-in sheet.
fn file(sheet: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("catalog/flight-sheets/{sheet}.json"));
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// A sheet with one part changed.
fn with(place: &str, value: Value) -> Value {
    let mut sheet = own_sheet("invoice_v1", "1.0");
    let (parent, key) = place.rsplit_once('/').unwrap();
    match sheet.pointer_mut(parent).unwrap() {
        Value::Array(elements) => elements[key.parse::<usize>().unwrap()] = value,
        parent => parent[key] = value,
    }
    sheet
}

fn math(key: &str, from: &str) -> Value {
    json!({ "key": key, "label": "It follows", "calculation": key, "formula": "a", "inputs": { "a": { "math_check": from } } })
}

fn repeated(part: Value, count: usize) -> Value {
    json!(vec![part; count])
}

fn nested(depth: usize) -> Value {
    (0..depth).fold(json!({ "op": "present", "field": "a" }), |term, _| json!({ "op": "not", "term": term }))
}

/// What keeps a sheet from loading: the sheet, the place at fault, and a word of the reason.
fn broken() -> Vec<(Value, String, &'static str)> {
    let schema = |schema: Value| with("/eval_spec/required_output_schema", schema);
    let unfolding: serde_json::Map<String, Value> = (0..60)
        .map(|place| {
            let next = json!({ "$ref": format!("#/$defs/d{}", (place + 1) % 60) });
            (format!("d{place}"), if place == 59 { json!({}) } else { json!({ "allOf": [next, next] }) })
        })
        .collect();
    let deep = format!("eval_spec.rules[0].assert{}", ".term".repeat(60));
    let broken = [
        (with("/audit_checks/0/key", json!("decidet")), "audit_checks[0]", "`decidet`"),
        (with("/eval_spec/rules/0/assert/op", json!("resembles")), "eval_spec.rules[0].assert.op", "resembles"),
        (
            with("/eval_spec/math_checks", json!([{ "label": "x", "calculation": "x", "formula": "a +" }])),
            "eval_spec.math_checks[0].formula",
            "cannot be executed",
        ),
        (
            with("/eval_spec/math_checks", json!([math("one", "two"), math("two", "three"), math("three", "one")])),
            "eval_spec.math_checks",
            "circle",
        ),
        (with("/eval_spec/math_checks", json!([math("one", "one")])), "eval_spec.math_checks", "`one`"),
        (
            schema(
                json!({ "type": "object", "properties": { "a": { "$ref": "#/$defs/b" } }, "$defs": { "b": { "items": { "$ref": "#/$defs/b" } } } }),
            ),
            "eval_spec.required_output_schema",
            "cycle",
        ),
        (
            schema(json!({ "type": "object", "$ref": "#/$defs/d0", "$defs": unfolding })),
            "eval_spec.required_output_schema",
            "parts",
        ),
        (
            schema(json!({ "type": "object", "properties": { "a": { "pattern": "(" } } })),
            "eval_spec.required_output_schema",
            "JSON Schema",
        ),
        (
            schema(json!({ "type": "object", "properties": { "a": { "pattern": "((a{1000}){1000}){1000}" } } })),
            "eval_spec.required_output_schema",
            "",
        ),
        (
            schema(json!({ "type": "object", "properties": { "a": { "pattern": "(?=a)b" } } })),
            "eval_spec.required_output_schema",
            "",
        ),
        (with("/eval_spec/rules", repeated(json!({ "assert": {} }), 10_000)), "", "1000 are allowed"),
        (with("/audit_checks", repeated(json!({ "key": "a", "label": "a" }), 10_000)), "", "1000 are allowed"),
        (with("/eval_spec/rules/0/assert", nested(70)), &deep, "nested"),
        (with("/version", json!("one")), "version", "numbers joined by dots"),
        (with("/slug", json!("../etc/passwd")), "slug", "lower-case"),
        (with("/surprise", json!(1)), "surprise", "surprise"),
        (with("/summary", json!("x".repeat(600_000))), "summary", "500"),
        (json!([own_sheet("invoice_v1", "1.0")]), "", "JSON object"),
        (json!("invoice_v1"), "", "JSON object"),
        (json!({}), "slug", "missing"),
    ];
    broken.into_iter().map(|(sheet, place, reason)| (sheet, place.to_owned(), reason)).collect()
}

async fn a_sheet_that_cannot_be_executed_is_refused_soon_and_leaves_nothing(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let mut raw = Raw::of(&service).await;
    let stored = "SELECT (SELECT count(*) FROM events) + (SELECT count(*) FROM blobs)";
    let before = raw.number(stored).await;
    for (sheet, place, reason) in broken() {
        let what = format!("{place} {reason}");
        let start = Instant::now();
        let refusal = ada.post("/flight-sheets").json(sheet.clone()).await.refused(400);
        assert!(start.elapsed() < SOON, "{what}: {:?}", start.elapsed());
        assert!(refusal.detail.starts_with("the flight sheet does not load: "), "{what}: {refusal:?}");
        let start = Instant::now();
        let tried = ada.post("/flight-sheets/validate").json(json!({ "sheet": sheet })).await.ok();
        assert!(start.elapsed() < SOON, "{what}: {:?}", start.elapsed());
        let here = |error: &Value| {
            error["path"] == *place && error["message"].as_str().is_some_and(|message| message.contains(reason))
        };
        assert!(tried["errors"].as_array().unwrap().iter().any(here), "{what}: {tried}");
        assert_eq!((&tried["valid"], &tried["checks"]), (&json!(false), &json!(null)));
    }
    let send = |media_type: &str, body: Vec<u8>| ada.post("/flight-sheets").body(media_type, body);
    let whole = own_sheet("invoice_v1", "1.0").to_string();
    let twice = whole.replacen("\"lane\":", "\"lane\":\"agent\",\"lane\":", 1);
    for junk in
        ["", "{", "null", "{}{}", "\u{feff}{}", &"[".repeat(MIB), &"x".repeat(MIB), &twice, "{\"slug\":\"a\\u0000\"}"]
    {
        let start = Instant::now();
        send("application/json", junk.into()).await.refused(400);
        assert!(start.elapsed() < SOON, "{junk:.20}");
    }
    send("application/json", vec![0xff; 1_000]).await.refused(400);
    send("application/json", format!("{whole}{}", " ".repeat(MIB)).into()).await.refused(413);
    for media_type in ["text/plain", "application/x-yaml", ""] {
        send(media_type, whole.clone().into()).await.refused(415);
    }
    assert_eq!(raw.number(stored).await, before);
    send("application/json", format!("{whole}{}", " ".repeat(MIB - whole.len())).into()).await.created();
}

async fn all_that_is_wrong_with_a_sheet_is_said_at_once(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let mut sheet = own_sheet("Not A Slug", "v1");
    sheet["audit_checks"][0]["severity"] = json!("single_flag");
    sheet["eval_spec"]["rules"] = json!([
        { "key": "decided", "assert": { "op": "resembles" } },
        { "key": "second", "label": "b", "assert": { "op": "==", "left": { "field": "a..b" }, "right": 1 } },
        7,
    ]);
    sheet["eval_spec"]["deterministic_checks"] = json!([{ "label": "c", "match_field": "a" }]);
    sheet["eval_spec"]["required_output_schema"] = json!({ "type": "array" });
    let tried = ada.post("/flight-sheets/validate").json(json!({ "sheet": sheet })).await.ok();
    let paths: Vec<_> =
        tried["errors"].as_array().unwrap().iter().map(|error| error["path"].as_str().unwrap()).collect();
    for path in [
        "slug",
        "version",
        "audit_checks[0].severity",
        "eval_spec.required_output_schema",
        "eval_spec.deterministic_checks[0]",
        "eval_spec.rules[0].assert.op",
        "eval_spec.rules[1].assert.left.field",
        "eval_spec.rules[2]",
    ] {
        assert!(paths.contains(&path), "{path} is not in {paths:?}");
    }
    let refusal = ada.post("/flight-sheets").json(sheet).await.refused(400);
    assert_eq!(refusal.field.as_deref(), Some(paths[0]));
    let more = format!("{} more problems are listed by POST /flight-sheets/validate", paths.len() - 1);
    assert!(refusal.detail.contains(&more), "{refusal:?}");

    // Duplicate keys and what else is no one JSON value are found in the sheet's own text.
    let validate = |body: String| ada.post("/flight-sheets/validate").body("application/json", body);
    let whole = own_sheet("invoice_v1", "1.0").to_string();
    for (sheet, path) in [
        (whole.replacen("\"op\":", "\"op\":\"in\",\"op\":", 1), "eval_spec.rules[0].assert.op"),
        (whole.replacen("\"lane\":", "\"lane\":\"agent\",\"lane\":", 1), "lane"),
        (whole.replacen("[\"pay\"", "[\"\\u0000\"", 1), "eval_spec.rules[0].assert.right[0]"),
        (format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000)), &"[0]".repeat(64)),
    ] {
        let tried = validate(format!("{{\"sheet\":{sheet}}}")).await.ok();
        assert_eq!((&tried["valid"], &tried["errors"][0]["path"]), (&json!(false), &json!(path)), "{tried}");
    }
    assert_eq!(
        validate(format!("{{\"sheet\":{whole}}}")).await.ok(),
        json!({
            "valid": true, "errors": [], "checks": null, "verdict": null,
        })
    );
    for bad in ["", "[]", "{}", "{\"sheet\":", "{\"sheet\":{},\"sheet\":{}}", "{\"sheet\":{},\"more\":1}"] {
        validate(bad.to_owned()).await.refused(400);
    }
    for (rest, field) in [
        ("\"submission\":{\"a\":1,\"a\":2}", "submission"),
        ("\"submission\":{\"output_text\":\"x\",\"more\":1}", "submission.more"),
        ("\"inputs\":[]", "inputs"),
        ("\"inputs\":{\"a\":1,\"a\":2}", "inputs"),
        ("\"evidence\":{}", "evidence"),
        ("\"evidence\":[{\"label\":\"a\",\"text\":\"b\"}]", "evidence[0].text"),
    ] {
        let refusal = validate(format!("{{\"sheet\":{whole},{rest}}}")).await.refused(400);
        assert_eq!(refusal.field.as_deref(), Some(field), "{rest}");
    }
    validate("x".repeat(4 * MIB + 1)).await.refused(413);
    ada.post("/flight-sheets/validate").body("text/plain", "{}").await.refused(415);
}

/// On trial, every example of the library comes to what an audit of the same comes to.
async fn a_trial_says_what_an_audit_would(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    for sheet in ["cre_memo_dscr_ltv_v1", "comp_data_privacy_gdpr_v1", "agent_action_log_review_v1"] {
        for case in ["pass", "fail"] {
            let example = Example::of(sheet, case);
            let (_, mut audit) = ada.audited(&example).await;
            let mut raw = Raw::of(&service).await;
            let stored = "SELECT (SELECT count(*) FROM events) + (SELECT count(*) FROM blobs)";
            let before = raw.number(stored).await;
            let evidence = example.evidence.iter();
            let evidence: Vec<_> =
                evidence.map(|(label, content)| json!({ "label": label, "content": content })).collect();
            let trial = json!({
                "sheet": file(sheet),
                "submission": { "output_text": example.output },
                "inputs": example.inputs,
                "evidence": evidence,
            });
            let tried = ada.post("/flight-sheets/validate").json(trial).await.ok();
            assert_eq!((&tried["valid"], &tried["errors"]), (&json!(true), &json!([])));
            let mut checks = tried["checks"].clone();
            for check in checks.as_array_mut().unwrap() {
                let check = check.as_object_mut().unwrap();
                let only_here = ["bucket", "expected", "found", "remedy"].map(|key| check.remove(key).unwrap());
                assert_eq!(only_here[0].is_string(), check["status"] == "flag");
            }
            for check in audit["checks"].as_array_mut().unwrap() {
                check.as_object_mut().unwrap().remove("id");
            }
            assert_eq!((&checks, &tried["verdict"]), (&audit["checks"], &audit["verdict"]), "{sheet} {case}");
            assert_eq!(raw.number(stored).await, before, "nothing is stored");
        }
    }
    // The agent's own document, and null for what is left out.
    let trial = json!({ "sheet": own_sheet("invoice_v1", "1.0"), "submission": { "decision": "pay" }, "inputs": null });
    let tried = ada.post("/flight-sheets/validate").json(trial).await.ok();
    assert_eq!((&tried["verdict"]["severity"], &tried["verdict"]["score_100"]), (&json!("honey"), &json!(100)));
}

on_both_stores!(
    a_sheet_that_cannot_be_executed_is_refused_soon_and_leaves_nothing,
    all_that_is_wrong_with_a_sheet_is_said_at_once,
    a_trial_says_what_an_audit_would,
);
