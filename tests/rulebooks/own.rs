//! An organisation's own flight sheets: published, used, superseded, retired.

use crate::{on_both_stores, support::*};

const EVENTS: &str = "SELECT count(*) FROM events";

/// A sheet's file as somebody wrote it: with white space, which belongs to its content.
fn written(sheet: &Value) -> String {
    format!(" {}\n", serde_json::to_string_pretty(sheet).unwrap())
}

async fn publish(who: &Client, file: &str) -> Value {
    who.post("/flight-sheets").body("application/json", file.to_owned()).await.created()
}

/// A sheet that flags what the first one passes.
fn stricter(version: &str) -> Value {
    let mut sheet = own_sheet("invoice_v1", version);
    sheet["eval_spec"]["rules"][0]["assert"]["right"] = json!(["escalate"]);
    sheet
}

async fn open(who: &Client, project: &str, sheet: &str) -> Reply {
    who.post("/runs").json(json!({ "project_id": project, "flight_sheet_id": sheet })).await
}

async fn severity(who: &Client, run: &str) -> Value {
    let work = json!({ "decision": "pay" });
    who.post(&format!("/runs/{run}/submission")).json(work).await.created();
    who.post(&format!("/runs/{run}/audit")).await.ok()["verdict"]["severity"].clone()
}

async fn it_is_published_and_nobody_else_sees_it(store: Store) {
    let service = Service::start(store).await;
    let (ada, eve) = (service.sign_in("ada@example.org").await, service.sign_in("eve@example.com").await);
    let library = eve.get("/flight-sheets").await.ok();
    let file = written(&own_sheet("invoice_v1", "1.0"));
    let published = publish(&ada, &file).await;
    assert_eq!(published["content_sha256"], sha256(file.as_bytes()), "the exact bytes count");
    let expected = json!({ "slug": "invoice_v1", "version": "1.0", "origin": "organisation", "active": true });
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(published[key], *value, "{key}");
    }
    let shown = ada.get("/flight-sheets/invoice_v1").await.ok();
    assert_eq!(shown, ada.get(&format!("/flight-sheets/{}", id(&published))).await.ok());
    for key in ["id", "content_sha256", "revision", "lane", "name"] {
        assert_eq!(shown[key], published[key], "{key}");
    }
    let version = json!([
        { "version": "1.0", "content_sha256": published["content_sha256"], "published_at": shown["created_at"] },
    ]);
    assert_eq!(shown["versions"], version);

    // Beside the library in the list, always whole and by name, and filtered with it.
    let listed = ada.get("/flight-sheets").await.ok()["flight_sheets"].as_array().unwrap().clone();
    assert_eq!(listed.len(), library["flight_sheets"].as_array().unwrap().len() + 1);
    assert!(listed.contains(&shown));
    assert!(listed.iter().map(|sheet| sheet["name"].as_str().unwrap()).is_sorted());
    let of = |origin: &str| listed.iter().filter(|sheet| sheet["origin"] == origin).count();
    assert_eq!((of("organisation"), of("library")), (1, listed.len() - 1));
    for (lane, there) in [("agent", true), ("dataset", false)] {
        let found = ada.get(&format!("/flight-sheets?lane={lane}")).await.ok();
        assert_eq!(found["flight_sheets"].as_array().unwrap().contains(&shown), there, "{lane}");
    }

    // To another organisation it does not exist, and its slug is free.
    assert_eq!(eve.get("/flight-sheets").await.ok(), library);
    let project = eve.project("Bridge").await;
    for name in [id(&published), "invoice_v1".to_owned()] {
        eve.get(&format!("/flight-sheets/{name}")).await.refused(404);
        eve.get(&format!("/flight-sheets/{name}?version=1.0")).await.refused(404);
        eve.post(&format!("/flight-sheets/{name}/retire")).await.refused(404);
        open(&eve, &project, &name).await.refused(404);
    }
    let theirs = publish(&eve, &written(&stricter("7"))).await;
    assert_ne!(theirs["id"], published["id"]);
    assert_eq!(ada.get("/flight-sheets/invoice_v1").await.ok(), shown);
    assert_eq!(eve.get("/flight-sheets/invoice_v1").await.ok()["version"], "7");
    let mut service = service.restart().await;
    assert_eq!(ada.get("/flight-sheets/invoice_v1").await.ok(), shown);
    assert!(service.stop().await.success());
    service.expect_sound();
}

async fn a_version_changes_until_a_run_has_used_it(store: Store) {
    let mut service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let project = ada.project("Bridge").await;
    let mut raw = Raw::of(&service).await;
    let first = publish(&ada, &written(&own_sheet("invoice_v1", "1.0"))).await;
    let events = raw.number(EVENTS).await;
    // The same again needs nothing; other content is published, while nobody has used it.
    assert_eq!(publish(&ada, &written(&own_sheet("invoice_v1", "1.0"))).await, first);
    assert_eq!(raw.number(EVENTS).await, events);
    let changed = publish(&ada, &own_sheet("invoice_v1", "1.0").to_string()).await;
    assert_eq!(changed["id"], first["id"]);
    assert_ne!(changed["content_sha256"], first["content_sha256"]);
    let shown = ada.get("/flight-sheets/invoice_v1").await.ok();
    assert_eq!(shown["versions"].as_array().unwrap().len(), 1);
    assert_eq!(shown["versions"][0]["content_sha256"], changed["content_sha256"]);

    // A run that is refused has used nothing.
    let bad = json!({ "project_id": project, "flight_sheet_id": "invoice_v1", "lane": "compute" });
    ada.post("/runs").json(bad).await.refused(400);
    let again = publish(&ada, &written(&own_sheet("invoice_v1", "1.0"))).await;
    assert_eq!(again["content_sha256"], first["content_sha256"]);

    let run = id(&open(&ada, &project, "invoice_v1").await.created());
    let pinned = ada.get(&format!("/runs/{run}")).await.ok()["flight_sheet"].clone();
    assert_eq!((&pinned["id"], &pinned["content_sha256"]), (&first["id"], &first["content_sha256"]));
    let refusal = ada.post("/flight-sheets").json(stricter("1.0")).await.refused(409);
    assert!(refusal.detail.contains("used by a run") && refusal.detail.contains("greater than 1.0"), "{refusal:?}");
    assert_eq!(
        publish(&ada, &written(&own_sheet("invoice_v1", "1.0"))).await["content_sha256"],
        first["content_sha256"]
    );

    // A greater version is published beside it: new runs have the new one, the old run the one it was opened with.
    let second = publish(&ada, &stricter("1.10").to_string()).await;
    assert_eq!(second["id"], first["id"]);
    let newer = id(&open(&ada, &project, &id(&second)).await.created());
    assert_eq!(severity(&ada, &newer).await, "propolis");
    assert_eq!(severity(&ada, &run).await, "honey");
    for (lower, content) in [("1.9", "1.9"), ("1.0", "1.0"), ("1", "1")] {
        let refusal = ada.post("/flight-sheets").json(stricter(content)).await.refused(409);
        assert!(refusal.detail.contains("1.10"), "{lower}: {refusal:?}");
    }

    // Each version is still there to read.
    let now = ada.get("/flight-sheets/invoice_v1").await.ok();
    let named = |version: &Value| version["version"].as_str().unwrap().to_owned();
    assert_eq!(now["versions"].as_array().unwrap().iter().map(named).collect::<Vec<_>>(), ["1.10", "1.0"]);
    assert_eq!((&now["version"], &now["active"]), (&json!("1.10"), &json!(true)));
    let old = ada.get("/flight-sheets/invoice_v1?version=1.0").await.ok();
    assert_eq!((&old["version"], &old["active"]), (&json!("1.0"), &json!(false)));
    assert_eq!((&old["content_sha256"], &old["versions"]), (&first["content_sha256"], &now["versions"]));
    assert_eq!(ada.get("/flight-sheets/invoice_v1?version=1.10").await.ok(), now);
    for unknown in ["1.1", "", "x", "1.0.0"] {
        ada.get(&format!("/flight-sheets/invoice_v1?version={unknown}")).await.refused(404);
    }
    ada.get("/flight-sheets/invoice_v1?versoin=1.0").await.refused(400);
    assert!(service.stop().await.success());
    service.expect_sound();
}

async fn the_librarys_slugs_are_taken(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let events = Raw::of(&service).await.number(EVENTS).await;
    for version in ["1.0", "99"] {
        let refusal = ada.post("/flight-sheets").json(own_sheet(SHEET, version)).await.refused(409);
        assert!(refusal.detail.contains("built-in library"), "{refusal:?}");
    }
    for name in [SHEET.to_owned(), id(&ada.get(&format!("/flight-sheets/{SHEET}")).await.ok())] {
        let refusal = ada.post(&format!("/flight-sheets/{name}/retire")).await.refused(409);
        assert!(refusal.detail.contains("built-in library"), "{refusal:?}");
    }
    ada.post("/flight-sheets/none_such/retire").await.refused(404);
    assert_eq!(Raw::of(&service).await.number(EVENTS).await, events);
}

async fn a_retired_sheet_takes_no_runs_and_old_ones_go_on(store: Store) {
    let mut service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let project = ada.project("Bridge").await;
    let sheet = id(&publish(&ada, &written(&own_sheet("invoice_v1", "1.0"))).await);
    let key = |value: &str| ada.with("idempotency-key", value);
    let new = json!({ "project_id": project, "flight_sheet_id": sheet });
    let run = key("open").post("/runs").json(new.clone()).await.created();
    let retired = key("retire").post("/flight-sheets/invoice_v1/retire").await.ok();
    assert_eq!((&retired["active"], &retired["id"]), (&json!(false), &json!(sheet)));
    let mut raw = Raw::of(&service).await;
    let events = raw.number(EVENTS).await;
    assert_eq!(ada.post(&format!("/flight-sheets/{sheet}/retire")).await.ok(), retired, "again is nothing more");
    assert_eq!(raw.number(EVENTS).await, events);

    let listed = ada.get("/flight-sheets").await.ok();
    assert!(listed["flight_sheets"].as_array().unwrap().iter().all(|sheet| sheet["slug"] != "invoice_v1"));
    let shown = ada.get("/flight-sheets/invoice_v1").await.ok();
    assert_eq!((&shown["active"], &shown["version"]), (&json!(false), &json!("1.0")));
    for name in [sheet.as_str(), "invoice_v1"] {
        let refusal = open(&ada, &project, name).await.refused(409);
        assert!(refusal.detail.contains("retired"), "{refusal:?}");
    }
    assert_eq!(severity(&ada, &id(&run)).await, "honey");

    // A repeat of what was done before has its first answer, though the sheet is gone since.
    let repeat = key("open").post("/runs").json(new).await;
    assert_eq!(repeat.header("idempotency-replayed"), Some("true"));
    assert_eq!(repeat.created()["id"], run["id"]);

    // Published again it is back, with what its runs had fixed.
    ada.post("/flight-sheets").json(stricter("1.0")).await.refused(409);
    let back = publish(&ada, &written(&own_sheet("invoice_v1", "1.0"))).await;
    assert_eq!((&back["id"], &back["active"]), (&json!(sheet), &json!(true)));
    open(&ada, &project, "invoice_v1").await.created();
    let repeat = key("retire").post("/flight-sheets/invoice_v1/retire").await;
    assert_eq!(repeat.header("idempotency-replayed"), Some("true"));
    assert_eq!(repeat.ok(), retired);
    assert!(service.stop().await.success());
    service.expect_sound();
}

async fn of_many_who_publish_one_slug_at_once_all_find_one_sheet(store: Store) {
    let mut service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let files: Vec<String> = (0..8).map(|n| own_sheet("invoice_v1", &format!("1.{n}")).to_string()).collect();
    let sent = files.iter().map(|file| ada.post("/flight-sheets").body("application/json", file.clone()).into_future());
    let replies = futures::future::join_all(sent).await;
    let mut published = vec![];
    for reply in replies {
        // One that lost to a greater version is told so.
        match reply.status.as_u16() {
            201 => published.push(reply.created()),
            _ => assert!(reply.refused(409).detail.contains("comes before")),
        }
    }
    assert!(published.iter().all(|sheet| sheet["id"] == published[0]["id"]), "{published:?}");
    let shown = ada.get("/flight-sheets/invoice_v1").await.ok();
    assert_eq!(shown["version"], "1.7");
    assert_eq!(shown["versions"].as_array().unwrap().len(), published.len());
    assert!(service.stop().await.success());
    service.expect_sound();
}

async fn while_runs_are_opened_a_version_that_one_has_never_changes(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let project = ada.project("Bridge").await;
    publish(&ada, &own_sheet("invoice_v1", "1.0").to_string()).await;
    let new = json!({ "project_id": project, "flight_sheet_id": "invoice_v1" });
    let opening = (0..6).map(|_| ada.post("/runs").json(new.clone()).into_future());
    let changing = (0..6).map(|n| {
        let file = format!("{}{}", own_sheet("invoice_v1", "1.0"), " ".repeat(n));
        ada.post("/flight-sheets").body("application/json", file).into_future()
    });
    let (opened, _) = futures::join!(futures::future::join_all(opening), futures::future::join_all(changing));
    let content = ada.get("/flight-sheets/invoice_v1").await.ok()["content_sha256"].clone();
    let mut any = false;
    for reply in opened {
        if reply.status == StatusCode::CREATED {
            let run = ada.get(&format!("/runs/{}", id(&reply.created()))).await.ok();
            assert_eq!(run["flight_sheet"]["content_sha256"], content);
            any = true;
        } else {
            assert!(reply.refused(409).detail.contains("published anew"));
        }
    }
    assert!(any || open(&ada, &project, "invoice_v1").await.created().is_object());
}

async fn a_repeat_of_publishing_is_answered_as_it_was(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let once = ada.with("idempotency-key", "publish-1");
    let first = once.post("/flight-sheets").json(own_sheet("invoice_v1", "1.0")).await.created();
    publish(&ada, &stricter("2").to_string()).await;
    let repeat = once.post("/flight-sheets").json(own_sheet("invoice_v1", "1.0")).await;
    assert_eq!(repeat.header("idempotency-replayed"), Some("true"));
    assert_eq!(repeat.created(), first);
    once.post("/flight-sheets").json(own_sheet("other_v1", "1.0")).await.refused(409);
}

on_both_stores!(
    it_is_published_and_nobody_else_sees_it,
    a_version_changes_until_a_run_has_used_it,
    the_librarys_slugs_are_taken,
    a_retired_sheet_takes_no_runs_and_old_ones_go_on,
    of_many_who_publish_one_slug_at_once_all_find_one_sheet,
    while_runs_are_opened_a_version_that_one_has_never_changes,
    a_repeat_of_publishing_is_answered_as_it_was,
);
