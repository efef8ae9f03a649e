//! The net that holds every reply in every test: that it catches what it is there for.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod support;

use support::*;

const JSON: (&str, &str) = ("content-type", "application/json");

fn contract(notes: &str) -> Contract {
    let document = json!({
        "openapi": "3.1.0",
        "security": [{"bearer": []}],
        "paths": {
            "/runs/{run_id}": {"get": {"operationId": "show_run", "responses": {
                "200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Run"}}}},
                "4XX": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}}},
            }}},
            "/runs/recent": {"get": {"operationId": "recent_runs", "security": [], "responses": {
                "200": {"content": {"application/json": {"schema": {
                    "type": "array", "items": {"$ref": "#/components/schemas/Run"},
                }}}},
            }}},
            "/runs": {"post": {"operationId": "create_run", "responses": {
                "201": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Run"}}}},
            }}},
            "/runs/{run_id}/pdf": {"get": {"operationId": "print_run", "responses": {
                "200": {"content": {"application/pdf": {}}},
                "204": {},
            }}},
        },
        "components": {"schemas": {
            "Run": {
                "type": "object",
                "required": ["id", "verdict"],
                "properties": {
                    "id": {"type": "string", "format": "uuid"},
                    "verdict": {"oneOf": [{"type": "null"}, {"$ref": "#/components/schemas/Verdict"}]},
                },
            },
            "Verdict": {"type": "string", "enum": ["pass", "risk", "fail"]},
            "Problem": {
                "type": "object",
                "required": ["detail", "code"],
                "properties": {"detail": {"type": "string"}, "code": {"type": "string"}, "field": {"type": "string"}},
            },
        }},
    });
    let notes = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("harness_{notes}"));
    let _ = std::fs::remove_dir_all(&notes);
    Contract::new(document, notes)
}

#[track_caller]
fn fault(method: Method, path: &str, reply: &Reply) -> String {
    contract("fault").check(&method, path, reply).expect_err("a fault is found")
}

const RUN: &str = r#"{"id":"01890a5d-ac96-774b-bcce-b302099a8057","verdict":"pass"}"#;

#[test]
fn a_reply_as_documented_passes_and_is_noted() {
    let contract = contract("noted");
    contract.check(&Method::GET, "/runs/1?full=true", &Reply::imagined(200, &[JSON], RUN)).unwrap();
    contract.check(&Method::GET, "/api/v1/runs/1", &Reply::imagined(200, &[JSON], RUN)).unwrap();
    contract
        .check(&Method::GET, "/runs/1/pdf", &Reply::imagined(200, &[("content-type", "application/pdf")], "%PDF"))
        .unwrap();
    assert_eq!(contract.unanswered(), ["create_run", "recent_runs"]);
}

#[test]
fn the_literal_path_wins_over_the_parameter() {
    let contract = contract("literal");
    contract.check(&Method::GET, "/runs/recent", &Reply::imagined(200, &[JSON], &format!("[{RUN}]"))).unwrap();
    assert!(!contract.unanswered().contains(&"recent_runs"));
}

#[test]
fn a_refusal_is_not_noted_as_an_answer() {
    let contract = contract("refusal");
    let refusal = Reply::imagined(404, &[JSON], r#"{"detail":"no such run","code":"NOT_FOUND"}"#);
    contract.check(&Method::GET, "/runs/1", &refusal).unwrap();
    assert!(contract.unanswered().contains(&"show_run"));
}

#[test]
fn a_body_that_breaks_its_schema_is_caught() {
    for body in [
        r#"{"id":"01890a5d-ac96-774b-bcce-b302099a8057"}"#,
        r#"{"id":"not a uuid","verdict":null}"#,
        r#"{"id":"01890a5d-ac96-774b-bcce-b302099a8057","verdict":"maybe"}"#,
        r#"{"id":"01890a5d-ac96-774b-bcce-b302099a8057","verdict":null,"secret":"of no client"}"#,
        "",
        "<p>",
    ] {
        fault(Method::GET, "/runs/1", &Reply::imagined(200, &[JSON], body));
    }
    fault(Method::GET, "/runs/1", &Reply::imagined(200, &[("content-type", "text/html")], RUN));
    fault(Method::GET, "/runs/1/pdf", &Reply::imagined(204, &[JSON], "{}"));
}

#[test]
fn what_is_not_documented_is_caught() {
    assert!(fault(Method::GET, "/runs/1", &Reply::imagined(202, &[JSON], RUN)).contains("no response 202"));
    fault(Method::DELETE, "/runs/1", &Reply::imagined(204, &[], ""));
    fault(Method::GET, "/elsewhere", &Reply::imagined(200, &[JSON], "{}"));
}

#[test]
fn creation_says_where() {
    fault(Method::POST, "/runs", &Reply::imagined(201, &[JSON], RUN));
    let created = Reply::imagined(201, &[JSON, ("location", "/runs/1")], RUN);
    contract("where").check(&Method::POST, "/runs", &created).unwrap();
}

#[test]
fn an_error_has_the_one_shape_everywhere() {
    for (status, body) in [
        (404, ""),
        (404, "not found"),
        (404, r#"{"detail":"no such run"}"#),
        (404, r#"{"detail":" ","code":"NOT_FOUND"}"#),
        (404, r#"{"detail":"no such run","code":"CONFLICT"}"#),
        (404, r#"{"detail":"no such run","code":"NOT_FOUND","trace":"at line 7"}"#),
        (429, r#"{"detail":"too many","code":"RATE_LIMITED"}"#),
        (418, r#"{"detail":"a teapot","code":"TEAPOT"}"#),
        (500, r#"{"detail":"request 17","code":"INTERNAL"}"#),
    ] {
        fault(Method::GET, "/runs/1", &Reply::imagined(status, &[JSON], body));
        fault(Method::GET, "/elsewhere", &Reply::imagined(status, &[JSON], body));
    }
}

#[test]
fn public_is_what_needs_no_credential() {
    let contract = contract("public");
    let public: Vec<_> =
        contract.operations().iter().filter(|operation| operation.is_public()).map(|one| &one.id).collect();
    assert_eq!(public, ["recent_runs"]);
}
