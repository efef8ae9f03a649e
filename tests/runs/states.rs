//! The states of a run: what each command does in each of them, and what it is refused for.

use crate::{on_both_stores, support::*};

fn conflict(reply: Reply) -> String {
    let problem = reply.refused(409);
    assert_eq!(problem.code, "CONFLICT");
    problem.detail
}

async fn a_run_without_a_sheet_is_a_draft_and_cannot_be_audited(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let project = ada.project("Bridge").await;
    let title = ada.post("/runs").json(json!({ "project_id": project })).await.refused(400);
    assert_eq!(title.field.as_deref(), Some("title"));
    let run = ada.post("/runs").json(json!({ "project_id": project, "title": " Free " })).await.created();
    assert_eq!((&run["status"], &run["lane"]), (&json!("draft"), &json!("agent")));
    assert_eq!((&run["title"], &run["flight_sheet_id"]), (&json!("Free"), &json!(null)));
    let run = id(&run);
    ada.post(&format!("/runs/{run}/evidence")).json(json!({ "label": "a", "content": "b" })).await.created();
    assert_eq!(ada.status(&run).await, "draft");
    ada.post(&format!("/runs/{run}/submission")).json(json!({ "output_text": "done" })).await.created();
    assert_eq!(ada.status(&run).await, "submitted");
    conflict(ada.post(&format!("/runs/{run}/audit")).await);
}

async fn a_stage_that_comes_too_early_is_a_conflict(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let run = ada.open(SHEET).await;
    let post = |stage: &str| ada.post(&format!("/runs/{run}/{stage}"));
    let decision = || json!({ "decision": "approved", "note": "ship it" });
    assert_eq!(ada.status(&run).await, "assignment_issued");
    conflict(post("audit").await);
    conflict(post("findings").await);
    conflict(post("approve").json(decision()).await);
    conflict(post("receipt").await);
    ada.get(&format!("/runs/{run}/submission")).await.refused(404);
    ada.get(&format!("/runs/{run}/verdict")).await.refused(404);
    assert_eq!(ada.get(&format!("/runs/{run}/checks")).await.ok(), json!({ "checks": [] }));
    assert_eq!(ada.get(&format!("/runs/{run}/flags")).await.ok(), json!({ "flags": [] }));
    post("submission").json(json!({ "output_text": "x" })).await.created();
    conflict(post("findings").await);
    conflict(post("approve").json(decision()).await);
    conflict(post("receipt").await);
    let bad = post("approve").json(json!({ "decision": "maybe" })).await.refused(400);
    assert_eq!(bad.field.as_deref(), Some("decision"));
    assert_eq!(ada.status(&run).await, "submitted");
    let read = ada.get(&format!("/runs/{run}")).await.ok();
    assert_eq!(read["ownership"]["approval_status"], "pending");
    assert_eq!(read["ownership"]["final_authority"], json!(null));
}

async fn evidence_after_the_audit_voids_it(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let example = Example::of(SHEET, "pass");
    for decision in [None, Some("rejected"), Some("escalated")] {
        let (run, _) = ada.audited(&example).await;
        assert_eq!(ada.status(&run).await, "findings_ready");
        if let Some(decision) = decision {
            ada.decide(&run, json!({ "decision": decision })).await;
            assert_eq!(ada.status(&run).await, decision);
        }
        ada.post(&format!("/runs/{run}/evidence")).json(json!({ "label": "late", "content": "x" })).await.created();
        let read = ada.get(&format!("/runs/{run}")).await.ok();
        assert_eq!(read["status"], "submitted");
        assert_eq!((&read["checks"], &read["verdict"], &read["approval"]), (&json!([]), &json!(null), &json!(null)));
        conflict(ada.post(&format!("/runs/{run}/approve")).json(json!({ "decision": "approved" })).await);
        let audit = ada.post(&format!("/runs/{run}/audit")).await.ok();
        assert_eq!(audit["verdict"]["severity"], "honey");
    }
}

async fn a_person_grades_and_finalizes(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let (run, audit) = ada.audited(&Example::of(GRADED, "pass")).await;
    assert_eq!((&audit["needs_grading"], &audit["deterministic"]), (&json!(true), &json!(false)));
    assert_eq!(audit["verdict"], json!(null));
    assert_eq!(ada.status(&run).await, "audited");
    let checks = audit["checks"].as_array().unwrap();
    let open: Vec<_> = checks.iter().filter(|check| check["status"] == "open").collect();
    let tiers: Vec<_> = open.iter().map(|check| check["tier"].as_str().unwrap()).collect();
    assert_eq!(tiers, ["mid", "high"], "in the order of their categories");
    let open = [open[1], open[0]];
    assert!(open.iter().all(|check| check["kind"] == "checklist"), "{open:?}");
    let auto = checks.iter().find(|check| check["kind"] == "auto").unwrap();
    let grade = |check: &Value, body: Value| ada.patch(&format!("/runs/{run}/checks/{}", id(check))).json(body);

    conflict(grade(auto, json!({ "status": "pass" })).await);
    for status in ["open", "skip", "fail", ""] {
        let refusal = grade(open[0], json!({ "status": status })).await.refused(400);
        assert_eq!(refusal.field.as_deref(), Some("status"));
    }
    assert_eq!(
        grade(open[0], json!({ "status": "pass", "severity": "low" })).await.refused(400).field.unwrap(),
        "severity"
    );
    assert!(conflict(ada.post(&format!("/runs/{run}/findings")).await).contains('2'), "it says how many are open");
    conflict(ada.post(&format!("/runs/{run}/approve")).json(json!({ "decision": "approved" })).await);

    let graded = grade(open[0], json!({ "status": "pass", "detail": "read it" })).await.ok();
    assert_eq!(
        graded,
        json!({
            "ok": true, "id": open[0]["id"], "check_key": open[0]["key"], "status": "pass",
            "severity": open[0]["severity"],
        })
    );
    assert!(conflict(ada.post(&format!("/runs/{run}/findings")).await).contains('1'));
    grade(open[1], json!({ "status": "flag", "detail": "two categories are wrong" })).await.ok();
    assert_eq!(ada.status(&run).await, "audited", "finalizing is explicit");
    ada.get(&format!("/runs/{run}/verdict")).await.refused(404);
    let verdict = ada.post(&format!("/runs/{run}/findings")).await.ok();
    assert_eq!((&verdict["severity"], &verdict["outcome"]), (&json!("jelly"), &json!("risk")));
    assert_eq!(ada.status(&run).await, "findings_ready");
    assert_eq!(ada.get(&format!("/runs/{run}/verdict")).await.ok(), verdict);
    let flags = ada.get(&format!("/runs/{run}/flags")).await.ok();
    assert_eq!((&flags["flags"][0]["key"], &flags["flags"][0]["source"]), (&open[1]["key"], &json!("operator")));
    assert_eq!(flags["flags"][0]["detail"], "two categories are wrong");
    assert_eq!(ada.post(&format!("/runs/{run}/findings")).await.ok(), verdict, "finalizing again changes nothing");

    // Grading anew voids the verdict until it is finalized again.
    grade(open[1], json!({ "status": "pass" })).await.ok();
    assert_eq!(ada.status(&run).await, "audited");
    ada.get(&format!("/runs/{run}/verdict")).await.refused(404);
    conflict(ada.post(&format!("/runs/{run}/approve")).json(json!({ "decision": "approved" })).await);
    let verdict = ada.post(&format!("/runs/{run}/findings")).await.ok();
    assert_eq!(verdict["severity"], "honey");
    ada.decide(&run, json!({ "decision": "approved" })).await;
    conflict(grade(open[0], json!({ "status": "pass" })).await);
}

async fn a_check_of_another_run_or_round_is_unknown(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let example = Example::of(GRADED, "pass");
    let (one, _) = ada.audited(&example).await;
    let (other, audit) = ada.audited(&example).await;
    let open = |audit: &Value| {
        let checks = audit["checks"].as_array().unwrap();
        id(checks.iter().find(|check| check["status"] == "open").unwrap())
    };
    let grade = json!({ "status": "pass" });
    ada.patch(&format!("/runs/{one}/checks/{}", open(&audit))).json(grade.clone()).await.refused(404);
    for unknown in ["x", "chk_00000000000000000000000000", &one] {
        ada.patch(&format!("/runs/{one}/checks/{unknown}")).json(grade.clone()).await.refused(404);
    }
    let work = ada.post(&format!("/runs/{other}/submission"));
    work.body("application/json", example.output.clone()).await.created();
    let anew = ada.post(&format!("/runs/{other}/audit")).await.ok();
    ada.patch(&format!("/runs/{other}/checks/{}", open(&audit))).json(grade.clone()).await.refused(404);
    ada.patch(&format!("/runs/{other}/checks/{}", open(&anew))).json(grade).await.ok();
}

async fn decisions_follow_one_another_as_allowed(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let example = Example::of(SHEET, "pass");
    let decide = async |run: &str, decision: &str| {
        let call = ada.post(&format!("/runs/{run}/approve")).json(json!({ "decision": decision }));
        call.await.status.as_u16()
    };
    // From findings_ready: each decision, then what may follow it.
    for (decision, next) in [
        ("approved", [("approved", 409), ("rejected", 409), ("escalated", 409)]),
        ("rejected", [("rejected", 409), ("escalated", 409), ("approved", 200)]),
        ("escalated", [("escalated", 409), ("rejected", 200), ("approved", 200)]),
    ] {
        let (run, _) = ada.audited(&example).await;
        assert_eq!(decide(&run, decision).await, 200);
        assert_eq!(ada.status(&run).await, decision);
        for (next, status) in next {
            assert_eq!(decide(&run, next).await, status, "{decision}, then {next}");
        }
        assert_eq!(ada.status(&run).await, "approved");
        conflict(ada.post(&format!("/runs/{run}/audit")).await);
        conflict(ada.post(&format!("/runs/{run}/submission")).json(json!({ "output_text": "x" })).await);
        conflict(ada.post(&format!("/runs/{run}/evidence")).json(json!({ "label": "x" })).await);
    }
    // A rejected or escalated run is handed in anew, not audited anew.
    for decision in ["rejected", "escalated"] {
        let (run, _) = ada.audited(&example).await;
        assert_eq!(decide(&run, decision).await, 200);
        conflict(ada.post(&format!("/runs/{run}/audit")).await);
    }
}

async fn work_that_is_handed_in_anew_begins_a_new_round(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let (fail, pass) = (Example::of(SHEET, "fail"), Example::of(SHEET, "pass"));
    let (run, audit) = ada.audited(&fail).await;
    assert_eq!(audit["verdict"]["severity"], "propolis");
    let first = ada.get(&format!("/runs/{run}/submission")).await.ok();
    ada.decide(&run, json!({ "decision": "rejected", "note": "mend it" })).await;
    let work = ada.post(&format!("/runs/{run}/submission")).body("application/json", pass.output.clone());
    assert_eq!(work.await.created()["round"], 2);
    let read = ada.get(&format!("/runs/{run}")).await.ok();
    assert_eq!(read["status"], "submitted");
    assert_eq!((&read["checks"], &read["verdict"], &read["approval"]), (&json!([]), &json!(null), &json!(null)));
    assert_eq!(read["submission"]["output_text"], pass.output);
    let again = ada.post(&format!("/runs/{run}/audit")).await.ok();
    let ids = |audit: &Value| audit["checks"].as_array().unwrap().iter().map(id).collect::<Vec<_>>();
    assert_ne!(ids(&audit), ids(&again), "each round has checks of its own");
    assert_eq!(ids(&again), ids(&ada.post(&format!("/runs/{run}/audit")).await.ok()), "an audit repeated has the same");
    ada.decide(&run, json!({ "decision": "approved", "note": "good" })).await;
    let receipt = ada.post(&format!("/runs/{run}/receipt")).await.ok();
    let payload = service.anonymous().get(&path_of(&receipt["share_url"])).await.ok()["payload"].clone();
    assert_eq!(payload["submission"]["round"], 2);
    let text = payload["submission"].to_string();
    assert!(text.contains(first["sha256"].as_str().unwrap()), "what was handed in before is on the receipt: {text}");
}

async fn a_propolis_verdict_is_approved_only_with_a_note(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let (run, audit) = ada.audited(&Example::of(SHEET, "fail")).await;
    assert_eq!(audit["verdict"]["severity"], "propolis");
    for decision in [json!({ "decision": "approved" }), json!({ "decision": "approved", "note": " \n" })] {
        let refusal = ada.post(&format!("/runs/{run}/approve")).json(decision).await.refused(400);
        assert_eq!(refusal.field.as_deref(), Some("note"));
    }
    assert_eq!(ada.status(&run).await, "findings_ready");
    ada.decide(&run, json!({ "decision": "approved", "note": "the client knows" })).await;
    let receipt = ada.post(&format!("/runs/{run}/receipt")).await.ok();
    let payload = service.anonymous().get(&path_of(&receipt["share_url"])).await.ok()["payload"].clone();
    assert_eq!(payload["approval"]["note"], "the client knows");
    assert_eq!(payload["verdict"]["severity"], "propolis");
}

async fn a_receipted_run_never_changes_again(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let (run, audit) = ada.audited(&Example::of(GRADED, "pass")).await;
    for check in audit["checks"].as_array().unwrap().iter().filter(|check| check["status"] == "open") {
        ada.patch(&format!("/runs/{run}/checks/{}", id(check))).json(json!({ "status": "pass" })).await.ok();
    }
    ada.post(&format!("/runs/{run}/findings")).await.ok();
    ada.decide(&run, json!({ "decision": "approved" })).await;
    ada.post(&format!("/runs/{run}/receipt")).await.ok();
    let before = ada.get(&format!("/runs/{run}")).await.ok();
    let post = |stage: &str| ada.post(&format!("/runs/{run}/{stage}"));
    conflict(post("evidence").json(json!({ "label": "late" })).await);
    let form = Form::new().part("file", Part::bytes(b"late".as_slice()).file_name("late.txt"));
    conflict(post("evidence/upload").form(form).await);
    conflict(post("submission").json(json!({ "output_text": "late" })).await);
    conflict(post("audit").await);
    conflict(post("findings").await);
    for decision in ["approved", "rejected", "escalated"] {
        conflict(post("approve").json(json!({ "decision": decision, "note": "late" })).await);
    }
    for check in audit["checks"].as_array().unwrap() {
        let call = ada.patch(&format!("/runs/{run}/checks/{}", id(check)));
        conflict(call.json(json!({ "status": "flag" })).await);
    }
    assert_eq!(ada.get(&format!("/runs/{run}")).await.ok(), before);
}

async fn whoever_submitted_decides_only_where_the_organisation_allows_it(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let (run, _) = ada.audited(&Example::of(SHEET, "pass")).await;
    // Alone in the organisation, ada may.
    ada.decide(&run, json!({ "decision": "approved" })).await;
    // The work of a key is nobody's own.
    let (_, secret) = ada.api_key("analyst").await;
    let pipeline = service.anonymous().bearer(&secret);
    let (run, _) = pipeline.audited(&Example::of(SHEET, "pass")).await;
    pipeline.post(&format!("/runs/{run}/approve")).json(json!({ "decision": "approved" })).await.refused(403);
    ada.decide(&run, json!({ "decision": "approved" })).await;
    pipeline.post(&format!("/runs/{run}/receipt")).await.ok();
}

on_both_stores!(
    a_run_without_a_sheet_is_a_draft_and_cannot_be_audited,
    a_stage_that_comes_too_early_is_a_conflict,
    evidence_after_the_audit_voids_it,
    a_person_grades_and_finalizes,
    a_check_of_another_run_or_round_is_unknown,
    decisions_follow_one_another_as_allowed,
    work_that_is_handed_in_anew_begins_a_new_round,
    a_propolis_verdict_is_approved_only_with_a_note,
    a_receipted_run_never_changes_again,
    whoever_submitted_decides_only_where_the_organisation_allows_it,
);
