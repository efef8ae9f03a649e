//! Other organisations' records: unknown, whichever way they are named.

use crate::{on_both_stores, support::*};

async fn another_organisations_records_are_unknown_by_path_query_and_body(store: Store) {
    let service = Service::start(store).await;
    let (ada, eve) = (service.sign_in("ada@example.org").await, service.sign_in("eve@example.com").await);
    let project = ada.project("ours").await;
    let (run, audit) = ada.audited(&Example::of(GRADED, "pass")).await;
    let check = id(&audit["checks"][0]);
    let before = ada.get(&format!("/runs/{run}")).await.ok();
    let mut raw = Raw::of(&service).await;
    let events = "SELECT count(*) FROM events";
    let count = raw.number(events).await;

    for part in ["", "/submission", "/checks", "/flags", "/verdict"] {
        eve.get(&format!("/runs/{run}{part}")).await.refused(404);
        eve.call(Method::HEAD, &format!("/runs/{run}{part}")).await.expect(StatusCode::NOT_FOUND);
    }
    let post = |stage: &str| eve.post(&format!("/runs/{run}/{stage}"));
    post("evidence").json(json!({ "label": "x" })).await.refused(404);
    post("submission").json(json!({ "output_text": "x" })).await.refused(404);
    post("audit").await.refused(404);
    post("findings").await.refused(404);
    post("approve").json(json!({ "decision": "approved" })).await.refused(404);
    post("receipt").await.refused(404);
    let grade = json!({ "status": "pass" });
    eve.patch(&format!("/runs/{run}/checks/{check}")).json(grade.clone()).await.refused(404);
    // In the body, and in a path whose first part is one's own.
    eve.post("/runs").json(json!({ "project_id": project, "title": "x" })).await.refused(404);
    let own = eve.project("theirs").await;
    let unknown = json!({ "project_id": own, "flight_sheet_id": "fs_00000000000000000000000000" });
    eve.post("/runs").json(unknown).await.refused(404);
    eve.post("/runs").json(json!({ "project_id": own, "flight_sheet_id": "none" })).await.refused(404);
    let profile = json!({ "project_id": own, "title": "x", "agent_profile_id": "agt_00000000000000000000000000" });
    eve.post("/runs").json(profile).await.refused(404);
    let mine = eve.open(GRADED).await;
    eve.patch(&format!("/runs/{mine}/checks/{check}")).json(grade).await.refused(404);
    assert_eq!(eve.get(&format!("/runs?project_id={project}")).await.ok()["runs"], json!([]));
    // By the header that names another organisation than the credential's.
    let elsewhere = eve.with("x-org-id", ada.org_id());
    elsewhere.get("/runs").await.refused(404);
    elsewhere.post("/projects").json(json!({ "name": "x" })).await.refused(404);
    eve.with("x-org-id", "org_00000000000000000000000000").get("/runs").await.refused(404);
    eve.with("x-org-id", "x").get("/runs").await.refused(404);
    assert_eq!(eve.with("x-org-id", eve.org_id()).get("/runs").await.ok()["runs"].as_array().unwrap().len(), 1);
    eve.get(&format!("/api/v1/orgs/{}/api-keys", ada.org_id())).await.refused(404);

    assert_eq!(ada.get(&format!("/runs/{run}")).await.ok(), before);
    // What eve did in her own organisation: a project, another and a run in it.
    assert_eq!(raw.number(events).await, count + 3);
}

on_both_stores!(another_organisations_records_are_unknown_by_path_query_and_body);
