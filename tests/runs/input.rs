//! What is handed in: its forms, and what is refused of them.

use crate::{on_both_stores, support::*};

const MIB: usize = 1 << 20;

async fn work_comes_as_json_in_an_envelope_or_as_text(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let run = ada.open(SHEET).await;
    let submit =
        |media_type: &str, body: &str| ada.post(&format!("/runs/{run}/submission")).body(media_type, body.to_owned());
    let read = async || ada.get(&format!("/runs/{run}/submission")).await.ok();

    // The agent's JSON itself: kept byte by byte, hashed without the white space around it.
    let raw = " {\n  \"b\": 1.50, \"a\": [\"Prüfung\", \"\\u00e9\"] }\n";
    let received = submit("application/json", raw).await.created();
    assert_eq!(received["sha256"], sha256(raw.trim().as_bytes()));
    let shown = read().await;
    assert_eq!((&shown["output_text"], &shown["round"]), (&json!(raw), &json!(1)));
    assert_eq!(shown["agent_name"], json!(null));

    let envelope = json!({
        "output_text": " {\"a\": 1} ", "agent_name": "Scout", "model_name": "m-1", "provider": "local",
        "tool_logs": "search: 3 hits", "notes": "second try",
    });
    let received = submit("application/json; charset=utf-8", &envelope.to_string()).await.created();
    assert_eq!(received["sha256"], sha256(b"{\"a\": 1}"));
    let shown = read().await;
    for key in ["output_text", "agent_name", "model_name", "provider", "tool_logs", "notes"] {
        assert_eq!(shown[key], envelope[key], "{key}");
    }
    assert_eq!(shown["round"], 2);

    // Any text, which need not be JSON; who did it stays known.
    let received = submit("text/plain", "not { JSON\n").await.created();
    assert_eq!(received["sha256"], sha256(b"not { JSON"));
    let shown = read().await;
    assert_eq!((&shown["output_text"], &shown["agent_name"]), (&json!("not { JSON\n"), &json!("Scout")));
    assert_eq!(ada.get(&format!("/runs/{run}")).await.ok()["model_name"], "m-1");

    // JSON whose `output_text` is no text is the agent's own document, as is anything but an object.
    for document in ["{\"output_text\": 1, \"more\": 2}", "[1, 2]", "\"words\"", "1.0", "null"] {
        let received = submit("application/json", document).await.created();
        assert_eq!(received["sha256"], sha256(document.as_bytes()), "{document}");
        assert_eq!(read().await["output_text"], document);
    }
}

async fn what_is_no_submission_is_refused_and_leaves_nothing(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let run = ada.open(SHEET).await;
    let before = ada.get(&format!("/runs/{run}")).await.ok();
    let submit = |media_type: &str, body: Vec<u8>| ada.post(&format!("/runs/{run}/submission")).body(media_type, body);
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    for malformed in [
        "",
        " ",
        "{",
        "{\"a\":1}{}",
        "{\"a\":1,\"a\":2}",
        "{\"a\":{\"b\":1,\"b\":1}}",
        "NaN",
        "{\"a\":NaN}",
        "{\"a\":Infinity}",
        "{\"a\":-Infinity}",
        "{'a':1}",
        "{\"a\":01}",
        "{\"a\":1,}",
        "\u{feff}{}",
        "// no\n{}",
        "{\"output_text\":\"a\",\"output_text\":\"b\"}",
        &nested(65),
        &nested(100_000),
    ] {
        let refusal = submit("application/json", malformed.into()).await.refused(400);
        assert_eq!(refusal.code, "BAD_REQUEST", "{:.40}", malformed);
    }
    for invalid in [
        r#"{"output_text":"a","more":1}"#,
        r#"{"output_text":"a","agent_name":1}"#,
        r#"{"output_text":"a","customer_provided":"yes"}"#,
        r#"{"output_text":" \n "}"#,
        r#"{"output_text":""}"#,
        r#"{"output_text":"a\u0000"}"#,
    ] {
        assert_eq!(submit("application/json", invalid.into()).await.refused(400).code, "VALIDATION_ERROR", "{invalid}");
    }
    let long = json!({ "output_text": "a", "agent_name": "x".repeat(121) }).to_string();
    assert_eq!(submit("application/json", long.into()).await.refused(400).field.as_deref(), Some("agent_name"));
    for media_type in ["application/json", "text/plain"] {
        submit(media_type, b"{\"a\":\"\xff\"}".to_vec()).await.refused(400);
        submit(media_type, b"\xc0\x80".to_vec()).await.refused(400);
        submit(media_type, b" \t\n".to_vec()).await.refused(400);
    }
    submit("text/plain", b"a\0b".to_vec()).await.refused(400);
    for media_type in ["application/xml", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded", ""] {
        submit(media_type, b"{}".to_vec()).await.refused(415);
    }
    assert_eq!(ada.get(&format!("/runs/{run}")).await.ok(), before);
    submit("application/json", nested(64).into()).await.created();
}

async fn a_submission_has_at_most_2_mib(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let run = ada.open(SHEET).await;
    let submit = |text: String| ada.post(&format!("/runs/{run}/submission")).body("text/plain", text);
    let most = format!("{}é", "x".repeat(2 * MIB - 2));
    assert_eq!(submit(most.clone()).await.created()["sha256"], sha256(most.as_bytes()));
    assert_eq!(ada.get(&format!("/runs/{run}/submission")).await.ok()["output_text"], most);
    submit("x".repeat(2 * MIB + 1)).await.refused(413);
    let chunks = futures::stream::iter((0..5).map(|_| Ok::<_, std::io::Error>(vec![b'x'; MIB / 2])));
    let undeclared = ada.post(&format!("/runs/{run}/submission"));
    undeclared.body("text/plain", reqwest::Body::wrap_stream(chunks)).await.refused(413);
    let audit = ada.post(&format!("/runs/{run}/audit")).await.ok();
    assert_eq!(audit["verdict"]["severity"], "propolis", "what is no JSON fails, and is no error");
    assert_eq!(ada.get(&format!("/runs/{run}")).await.ok()["submission"]["round"], 1);
}

async fn notes_come_back_exactly(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let run = ada.open(SHEET).await;
    let attach = |note: Value| ada.post(&format!("/runs/{run}/evidence")).json(note);
    let texts = [
        "  spaces stay \r\n\t".to_owned(),
        "Grüße, 数据, مرحبا, 🐝 \u{202e}\u{1}".to_owned(),
        "x".repeat(16 * 1024),
        "é".repeat(16 * 1024),
        "line\n".repeat(100_000),
    ];
    let mut shown = vec![];
    for (text, kind) in texts.iter().zip(["note", "text", "url", "note", "note"]) {
        let evidence = attach(json!({ "kind": kind, "label": "  terms ", "content": text })).await.created();
        assert_eq!((&evidence["content"], &evidence["kind"]), (&json!(text), &json!(kind)));
        assert_eq!((&evidence["label"], &evidence["byte_size"]), (&json!("terms"), &json!(text.len())));
        assert_eq!(evidence["sha256"], sha256(text.as_bytes()));
        assert_eq!(evidence["content_type"], "text/plain");
        shown.push(evidence);
    }
    let bare = attach(json!({ "label": "nothing" })).await.created();
    assert_eq!((&bare["kind"], &bare["content"], &bare["sha256"]), (&json!("note"), &json!(null), &json!(null)));
    shown.push(bare);
    assert_eq!(ada.get(&format!("/runs/{run}")).await.ok()["evidence"], json!(shown));
    let service = service.restart().await;
    assert_eq!(ada.get(&format!("/runs/{run}")).await.ok()["evidence"], json!(shown));
    drop(service);
}

async fn a_bad_field_is_named_and_nothing_is_stored(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let run = ada.open(SHEET).await;
    let project = ada.get("/projects").await.ok()["projects"][0]["id"].clone();
    let events = "SELECT count(*) FROM events";
    let before = Raw::of(&service).await.number(events).await;
    let refused = async |path: &str, body: Value, field: &str| {
        let refusal = ada.post(path).json(body.clone()).await.refused(400);
        assert_eq!((refusal.code.as_str(), refusal.field.as_deref()), ("VALIDATION_ERROR", Some(field)), "{body}");
    };
    let evidence = format!("/runs/{run}/evidence");
    refused(&evidence, json!({}), "label").await;
    refused(&evidence, json!({ "label": "" }), "label").await;
    refused(&evidence, json!({ "label": " \t" }), "label").await;
    refused(&evidence, json!({ "label": "x".repeat(301) }), "label").await;
    refused(&evidence, json!({ "label": 1 }), "label").await;
    refused(&evidence, json!({ "label": "x", "kind": "poem" }), "kind").await;
    refused(&evidence, json!({ "label": "x", "kind": "file" }), "kind").await;
    refused(&evidence, json!({ "label": "x", "content": {} }), "content").await;
    refused(&evidence, json!({ "label": "x", "sha256": "0" }), "sha256").await;
    refused("/projects", json!({}), "name").await;
    refused("/projects", json!({ "name": "" }), "name").await;
    refused("/projects", json!({ "name": "  " }), "name").await;
    refused("/projects", json!({ "name": "x".repeat(201) }), "name").await;
    refused("/projects", json!({ "name": "x", "id": "prj_1" }), "id").await;
    refused("/runs", json!({ "project_id": 1 }), "project_id").await;
    refused("/runs", json!({ "project_id": project, "titel": "x" }), "titel").await;
    refused("/runs", json!({ "project_id": project, "title": "x".repeat(301) }), "title").await;
    refused("/runs", json!({ "project_id": project, "title": "x", "lane": "sky" }), "lane").await;
    refused("/runs", json!({ "project_id": project, "flight_sheet_id": SHEET, "lane": "dataset" }), "lane").await;
    for inputs in [json!([]), json!("x"), json!(1)] {
        refused("/runs", json!({ "project_id": project, "title": "x", "inputs": inputs }), "inputs").await;
    }
    let approve = format!("/runs/{run}/approve");
    refused(&approve, json!({ "decision": 1 }), "decision").await;
    refused(&approve, json!({ "decision": "approved", "note": "x".repeat(4_001) }), "note").await;
    for (path, body) in [(&evidence, r#"{"label":"\u0000"}"#), (&evidence, r#"{"label":"x","content":"a\u0000"}"#)] {
        ada.post(path).body("application/json", body).await.refused(400);
    }
    ada.post(&evidence).json(json!({ "label": "x", "content": "y".repeat(MIB) })).await.refused(413);
    ada.post(&evidence).body("text/plain", "{\"label\":\"x\"}").await.refused(415);
    assert_eq!(Raw::of(&service).await.number(events).await, before);
}

/// Formulas that would hang or break a careless evaluator: each is a flag, and soon.
async fn a_hostile_formula_is_a_flag(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let example = Example::of("fin_wacc_calculation_v1", "pass");
    let nested = format!("{}1{}", "(".repeat(10_000), ")".repeat(10_000));
    let power = ["9"; 200].join("**");
    for formula in ["9**9**9", &power, &nested, "1/0", "__import__('os')", "x", "(-1)**0.5", "1e308*10", ""] {
        let mut output: Value = serde_json::from_str(&example.output).unwrap();
        output["calculations"][0]["formula"] = json!(formula);
        let example = Example { output: output.to_string(), ..example.clone() };
        let start = std::time::Instant::now();
        let (_, audit) = ada.audited(&example).await;
        assert!(start.elapsed().as_secs() < 5, "{formula:.30}");
        assert_ne!(audit["verdict"]["severity"], "honey", "{formula:.30}: {audit}");
    }
}

on_both_stores!(
    work_comes_as_json_in_an_envelope_or_as_text,
    what_is_no_submission_is_refused_and_leaves_nothing,
    a_submission_has_at_most_2_mib,
    notes_come_back_exactly,
    a_bad_field_is_named_and_nothing_is_stored,
    a_hostile_formula_is_a_flag,
);
