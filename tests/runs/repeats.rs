//! Commands that are sent twice under one `Idempotency-Key` are carried out once.

use crate::{
    on_both_stores,
    support::{client::Call, store::postgres_is_at_hand, *},
};

/// Sends a command twice, and answers what both were answered; `change` happens in between.
async fn twice<F: Future>(call: impl Fn() -> Call, change: impl FnOnce() -> F) -> Value {
    let first = call().await;
    assert!(first.status.is_success() && first.header("idempotency-replayed").is_none(), "{first}");
    change().await;
    let again = call().await;
    assert_eq!(again.header("idempotency-replayed"), Some("true"), "{again}");
    assert_eq!((again.status, again.json()), (first.status, first.json()));
    assert_eq!(again.header("x-ledger-position"), first.header("x-ledger-position"));
    assert_eq!(again.header("location"), first.header("location"));
    first.json()
}

async fn a_repeat_gives_the_first_answer_whatever_came_after_it(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let example = Example::of(GRADED, "pass");
    let keyed = |path: String, key: &str| ada.post(&path).header("idempotency-key", key);
    let nothing = async || {};

    let project = twice(|| keyed("/projects".into(), "p").json(json!({ "name": "Bridge" })), nothing).await;
    let new = json!({ "project_id": project["id"], "flight_sheet_id": GRADED, "inputs": example.inputs });
    let late = async |run: &str| ada.post(&format!("/runs/{run}/evidence")).json(json!({ "label": "late" })).await;
    let first = keyed("/runs".into(), "r").json(new.clone()).await.created();
    let run = id(&first);
    late(&run).await.created();
    let again = keyed("/runs".into(), "r").json(new).await;
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.created(), first);
    let at = |stage: &str| format!("/runs/{run}/{stage}");

    let (label, content) = &example.evidence[0];
    let note = json!({ "label": label, "content": content });
    twice(|| keyed(at("evidence"), "e").json(note.clone()), nothing).await;
    let long = json!({ "label": "long", "content": "y".repeat(40_000) });
    twice(|| keyed(at("evidence"), "l").json(long.clone()), async || drop(late(&run).await)).await;
    let form = || Form::new().part("file", Part::bytes(b"x".as_slice()).file_name("x.txt"));
    twice(|| keyed(at("evidence/upload"), "u").form(form()), nothing).await;
    let work = || keyed(at("submission"), "s").body("application/json", example.output.clone());
    twice(work, async || drop(late(&run).await)).await;

    // The answers to the stages stay what they were, however far the run has come since.
    let audit = keyed(at("audit"), "a").await;
    let checks = audit.json()["checks"].as_array().unwrap().clone();
    for check in checks.iter().filter(|check| check["status"] == "open") {
        let call = ada.patch(&format!("/runs/{run}/checks/{}", id(check)));
        call.json(json!({ "status": "pass" })).await.ok();
    }
    let findings = keyed(at("findings"), "f").await;
    let decision = || keyed(at("approve"), "d").json(json!({ "decision": "approved", "note": "ship it" }));
    let approval = decision().await;
    ada.post(&at("receipt")).await.ok();
    for (first, again) in [
        (audit, keyed(at("audit"), "a").await),
        (findings, keyed(at("findings"), "f").await),
        (approval, decision().await),
    ] {
        assert_eq!(again.header("idempotency-replayed"), Some("true"), "{again}");
        assert_eq!(again.ok(), first.ok());
    }
    for again in [
        keyed(at("evidence"), "e").json(note).await,
        work().await,
        keyed(at("evidence/upload"), "u").form(form()).await,
    ] {
        assert_eq!(again.header("idempotency-replayed"), Some("true"), "{again}");
        again.created();
    }
    assert_eq!(ada.get("/projects").await.ok()["projects"].as_array().unwrap().len(), 1);
    let read = ada.get(&format!("/runs/{run}")).await.ok();
    assert_eq!((&read["status"], &read["submission"]["round"]), (&json!("receipted"), &json!(1)));
    // Two notes, one file, and the three late ones.
    assert_eq!(read["evidence"].as_array().unwrap().len(), 6);
    let objects = std::process::Command::new("find").arg(service.data().join("objects")).args(["-type", "f"]).output();
    assert_eq!(
        String::from_utf8(objects.unwrap().stdout).unwrap().lines().count(),
        1,
        "the second upload left no file"
    );
}

async fn a_key_with_another_request_is_a_mistake(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let keyed = |path: &str, key: &str| ada.post(path).header("idempotency-key", key);
    let project = keyed("/projects", "k").json(json!({ "name": "one" })).await.created();
    assert_eq!(keyed("/projects", "k").json(json!({ "name": "two" })).await.refused(409).code, "CONFLICT");
    // Another operation with the same key, of another kind and of the same.
    let run = json!({ "project_id": project["id"], "title": "x" });
    keyed("/runs", "k").json(run.clone()).await.refused(409);
    let run = id(&keyed("/runs", "r").json(run).await.created());
    keyed(&format!("/runs/{run}/submission"), "r").json(json!({ "output_text": "x" })).await.refused(409);
    let note = json!({ "label": "x" });
    keyed(&format!("/runs/{run}/evidence"), "e").json(note.clone()).await.created();
    let other = ada.open(SHEET).await;
    keyed(&format!("/runs/{other}/evidence"), "e").json(note.clone()).await.refused(409);
    let form = |bytes: &'static [u8]| Form::new().part("file", Part::bytes(bytes).file_name("x.txt"));
    keyed(&format!("/runs/{run}/evidence/upload"), "u").form(form(b"one")).await.created();
    keyed(&format!("/runs/{run}/evidence/upload"), "u").form(form(b"two")).await.refused(409);
    assert_eq!(ada.get(&format!("/runs/{run}")).await.ok()["evidence"].as_array().unwrap().len(), 2);
    // The same operation under its other path is the same operation.
    let again = keyed(&format!("/api/v1/runs/{run}/evidence"), "e").json(note).await;
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    for bad in ["", "two words", &"x".repeat(300)] {
        keyed("/projects", bad).json(json!({ "name": "x" })).await.refused(400);
    }
    // Another caller's key is another key.
    let eve = service.sign_in("eve@example.com").await;
    let theirs = eve.post("/projects").header("idempotency-key", "k").json(json!({ "name": "one" })).await;
    assert_eq!(theirs.header("idempotency-replayed"), None);
    theirs.created();
    // What was refused was not carried out, and may be sent again when it is right.
    keyed("/runs", "w").json(json!({ "project_id": project["id"] })).await.refused(400);
    keyed("/runs", "w").json(json!({ "project_id": project["id"], "title": "now" })).await.created();
}

async fn a_secret_is_not_shown_again(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let path = format!("/api/v1/orgs/{}/api-keys", ada.org_id());
    let keyed = |body: Value| ada.post(&path).header("idempotency-key", "k").json(body);
    let new = json!({ "name": "pipeline", "role": "analyst" });
    let first = keyed(new.clone()).await.created();
    assert!(first["secret"].as_str().unwrap().starts_with("sk-"));
    ada.delete(&format!("{path}/{}", id(&first))).await.no_content();
    let again = keyed(new).await;
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    let again = again.created();
    assert_eq!(again["secret"], json!(null));
    for key in ["id", "name", "role", "key_prefix", "created_at", "revoked", "revision", "updated_at"] {
        assert_eq!(again[key], first[key], "{key}");
    }
    assert_eq!(keyed(json!({ "name": "pipeline", "role": "viewer" })).await.refused(422).code, "VALIDATION_ERROR");
    assert_eq!(ada.get(&path).await.ok()["items"].as_array().unwrap().len(), 1);
}

async fn a_repeat_is_known_after_a_crash(store: Store) {
    let mut service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let keyed = |path: &str, key: &str| ada.post(path).header("idempotency-key", key);
    let project = keyed("/projects", "p").json(json!({ "name": "Bridge" })).await.created();
    let new = json!({ "project_id": project["id"], "flight_sheet_id": SHEET });
    let run = keyed("/runs", "r").json(new.clone()).await.created();
    let evidence = format!("/runs/{}/evidence", id(&run));
    let note = keyed(&evidence, "e").json(json!({ "label": "x" })).await.created();
    service.kill();
    let service = service.restart().await;
    for (path, key, body, first) in [
        ("/projects", "p", json!({ "name": "Bridge" }), project),
        ("/runs", "r", new, run),
        (&evidence, "e", json!({ "label": "x" }), note),
    ] {
        let again = keyed(path, key).json(body).await;
        assert_eq!(again.header("idempotency-replayed"), Some("true"), "{again}");
        let again = again.created();
        assert_eq!(again["id"], first["id"]);
        assert_eq!(again["created_at"], first["created_at"]);
    }
    keyed("/projects", "p").json(json!({ "name": "other" })).await.refused(409);
    assert_eq!(ada.get("/runs").await.ok()["runs"].as_array().unwrap().len(), 1);
    drop(service);
}

/// Sends one command many times at once through every client: it is carried out once.
async fn repeat_at_once(clients: &[Client]) {
    for round in 0..4 {
        let calls = (0..12).map(|number| {
            let client = &clients[number % clients.len()];
            let call = client.post("/projects").header("idempotency-key", &format!("k{round}"));
            let call = call.json(json!({ "name": format!("round {round}") }));
            async move { call.await }
        });
        let answers = futures::future::join_all(calls).await;
        let first = answers.iter().filter(|answer| answer.header("idempotency-replayed").is_none()).count();
        assert_eq!(first, 1);
        let ids: std::collections::BTreeSet<_> = answers.into_iter().map(|answer| id(&answer.created())).collect();
        assert_eq!(ids.len(), 1);
    }
    assert_eq!(clients[0].get("/projects").await.ok()["projects"].as_array().unwrap().len(), 4);
}

async fn repeats_at_once_are_carried_out_once(store: Store) {
    let service = Service::start(store).await;
    repeat_at_once(&[service.sign_in("ada@example.org").await]).await;
}

#[tokio::test]
async fn repeats_at_once_through_two_processes_are_carried_out_once() {
    if postgres_is_at_hand() {
        let service = Service::start(Store::Postgres).await;
        let beside = service.beside().await;
        let ada = service.sign_in("ada@example.org").await;
        repeat_at_once(&[ada.clone(), ada.through(&beside)]).await;
    }
}

on_both_stores!(
    a_repeat_gives_the_first_answer_whatever_came_after_it,
    a_key_with_another_request_is_a_mistake,
    a_secret_is_not_shown_again,
    a_repeat_is_known_after_a_crash,
    repeats_at_once_are_carried_out_once,
);
