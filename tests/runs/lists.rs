//! Lists: pages, filters and bounds; and what every read answers beside its body.

use crate::{on_both_stores, support::*};
use std::collections::BTreeSet;

/// All pages of a list.
async fn pages(client: &Client, path: &str, field: &str) -> Vec<Vec<Value>> {
    let (mut pages, mut next) = (vec![], path.to_owned());
    loop {
        let page = client.get(&next).await.ok();
        pages.push(page[field].as_array().unwrap().clone());
        let Some(cursor) = page["next_cursor"].as_str() else { return pages };
        next = format!("{path}{}cursor={cursor}", if path.contains('?') { '&' } else { '?' });
    }
}

async fn projects_come_in_pages_by_name(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let mut names = vec![];
    for number in 0..130 {
        // Many alike, some beyond ASCII, capitals among small letters.
        let name = match number % 4 {
            0 => "same".to_owned(),
            1 => format!("Zoë {number:03}"),
            2 => format!("bridge {number:03}"),
            _ => format!("数据 {number:03}"),
        };
        ada.project(&name).await;
        names.push(name);
    }
    names.sort();
    for (path, sizes) in [
        ("/projects", vec![50, 50, 30]),
        ("/projects?limit=65", vec![65, 65]),
        ("/projects?limit=200", vec![130]),
        ("/projects?limit=129", vec![129, 1]),
    ] {
        let pages = pages(&ada, path, "projects").await;
        assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), sizes, "{path}");
        let projects: Vec<_> = pages.concat();
        let listed: Vec<_> = projects.iter().map(|project| project["name"].as_str().unwrap()).collect();
        assert_eq!(listed, names, "{path}");
        assert_eq!(projects.iter().map(id).collect::<BTreeSet<_>>().len(), 130);
    }
    let eve = service.sign_in("eve@example.com").await;
    assert_eq!(eve.get("/projects").await.ok(), json!({ "projects": [], "next_cursor": null }));
    // `["\u0000","x"]`, in the form of a cursor.
    ada.get(&format!("/projects?cursor={}", hex::encode(r#"["\u0000","x"]"#))).await.refused(400);
    // A cursor is no way into another organisation's list.
    let cursor = ada.get("/projects?limit=1").await.ok()["next_cursor"].clone();
    assert_eq!(eve.get(&format!("/projects?cursor={}", cursor.as_str().unwrap())).await.ok()["projects"], json!([]));
}

async fn runs_come_in_pages_the_newest_first_and_filtered(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let (one, other) = (ada.project("one").await, ada.project("other").await);
    let mut opened = vec![];
    for number in 0..130 {
        let project = if number % 3 == 0 { &other } else { &one };
        let new = json!({ "project_id": project, "title": format!("run {number}") });
        opened.push(id(&ada.post("/runs").json(new).await.created()));
    }
    let newest_first: Vec<_> = opened.iter().rev().cloned().collect();
    let ids = |pages: Vec<Vec<Value>>| pages.concat().iter().map(id).collect::<Vec<_>>();
    for path in ["/runs", "/runs?limit=7", "/runs?limit=200", "/api/v1/runs?limit=64"] {
        assert_eq!(ids(pages(&ada, path, "runs").await), newest_first, "{path}");
    }
    assert_eq!(ada.get("/runs").await.ok()["runs"].as_array().unwrap().len(), 50);
    let of_other = ids(pages(&ada, &format!("/runs?limit=10&project_id={other}"), "runs").await);
    assert_eq!(of_other, opened.iter().step_by(3).rev().cloned().collect::<Vec<_>>());

    ada.post(&format!("/runs/{}/submission", opened[5])).json(json!({ "output_text": "x" })).await.created();
    let listed = async |query: &str| ids(pages(&ada, &format!("/runs?{query}"), "runs").await);
    assert_eq!(listed("status=submitted").await, [opened[5].clone()]);
    assert_eq!(listed("status=draft&limit=200").await.len(), 129);
    assert_eq!(listed(&format!("status=submitted&project_id={other}")).await, Vec::<String>::new());
    assert_eq!(listed("status=receipted").await, Vec::<String>::new());
    let projects = ada.get("/projects").await.ok();
    assert_eq!(
        (&projects["projects"][0]["run_count"], &projects["projects"][1]["run_count"]),
        (&json!(86), &json!(44))
    );

    let eve = service.sign_in("eve@example.com").await;
    assert_eq!(eve.get(&format!("/runs?project_id={one}")).await.ok()["runs"], json!([]));
    for bad in [
        "limit=0",
        "limit=201",
        "limit=1.5",
        "limit=",
        "limit=99999999999",
        "cursor=",
        "cursor=zz",
        "cursor=22",
        "status=done",
        "project_id=1",
        &format!("project_id={}", opened[0]),
        "verdict=pass",
        "limit=1&limit=2",
    ] {
        assert_eq!(ada.get(&format!("/runs?{bad}")).await.refused(400).code, "VALIDATION_ERROR", "{bad}");
    }
}

async fn a_run_in_a_list_is_the_run_itself(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let (run, _) = ada.audited(&Example::of(SHEET, "fail")).await;
    let read = ada.get(&format!("/runs/{run}")).await.ok();
    let listed = ada.get("/runs").await.ok()["runs"][0].clone();
    for key in ["id", "project_id", "lane", "title", "status", "created_at"] {
        assert_eq!(listed[key], read[key], "{key}");
    }
    assert_eq!((&listed["verdict"], &read["verdict"]["outcome"]), (&json!("fail"), &json!("fail")));
}

async fn grading_minds_the_revision_that_was_read(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let (run, audit) = ada.audited(&Example::of(GRADED, "pass")).await;
    let open = audit["checks"].as_array().unwrap().iter().find(|check| check["status"] == "open").unwrap();
    let path = format!("/runs/{run}/checks/{}", id(open));
    let read = ada.get(&format!("/runs/{run}")).await;
    let etag = read.header("etag").unwrap().to_owned();
    assert_eq!(etag, format!("\"{}\"", read.json()["revision"]));
    let grade = |status: &str, etag: &str| ada.patch(&path).header("if-match", etag).json(json!({ "status": status }));
    grade("pass", &etag).await.ok();
    assert_eq!(grade("flag", &etag).await.refused(412).code, "PRECONDITION_FAILED");
    let status = async || {
        let checks = ada.get(&format!("/runs/{run}/checks")).await.ok();
        checks["checks"].as_array().unwrap().iter().find(|check| check["id"] == open["id"]).unwrap()["status"].clone()
    };
    assert_eq!(status().await, "pass");
    ada.patch(&path).json(json!({ "status": "flag" })).await.ok();
    assert_eq!(status().await, "flag", "without it the later change wins");
    for bad in ["x", "\"x\"", "\"-1\"", "W/\"1\""] {
        let answer = grade("pass", bad).await;
        assert!(matches!(answer.status.as_u16(), 400 | 412), "{answer}");
    }
    assert_eq!(status().await, "flag");
}

async fn what_is_not_there_is_404_and_what_is_not_so_is_405(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let run = ada.open(SHEET).await;
    for path in [
        "/run",
        "/runs/",
        "/runs/x/y",
        "/runs/x",
        "/runs/run_",
        "/flight-sheets/none",
        "/projects/x",
        "//runs",
        "/flight-sheets/%00",
        "/flight-sheets/a%00b",
        "/runs/%00",
    ] {
        assert_eq!(ada.get(path).await.refused(404).code, "NOT_FOUND", "{path}");
    }
    for (method, path) in [
        (Method::DELETE, "/runs".to_owned()),
        (Method::PUT, format!("/runs/{run}")),
        (Method::GET, format!("/runs/{run}/audit")),
        (Method::POST, "/ledger".to_owned()),
        (Method::PATCH, "/flight-sheets".to_owned()),
    ] {
        let answer = ada.call(method, &path).await;
        assert!(answer.header("allow").is_some(), "{answer}");
        answer.refused(405);
    }
    for path in ["/runs", "/projects", "/flight-sheets", "/ledger", &format!("/runs/{run}")] {
        let (get, head) = (ada.get(path).await, ada.call(Method::HEAD, path).await);
        assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0), "{path}");
        assert_eq!(head.header("content-type"), get.header("content-type"));
        assert_eq!(head.header("etag"), get.header("etag"));
    }
    assert_eq!(ada.call(Method::HEAD, "/runs/x").await.status, StatusCode::NOT_FOUND);
}

async fn each_write_says_how_far_the_ledger_is(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let example = Example::of(GRADED, "pass");
    let mut last = 0;
    let mut grew = |reply: &Reply| {
        let position: i64 = reply.header("x-ledger-position").unwrap_or_else(|| panic!("{reply}")).parse().unwrap();
        assert!(position > last, "{reply}: {position} after {last}");
        last = position;
    };
    let project = ada.post("/projects").json(json!({ "name": "Bridge" })).await;
    grew(&project);
    let new = json!({ "project_id": id(&project.json()), "flight_sheet_id": GRADED, "inputs": example.inputs });
    let run = ada.post("/runs").json(new).await;
    grew(&run);
    let run = id(&run.json());
    let post = |stage: &str| ada.post(&format!("/runs/{run}/{stage}"));
    for (label, content) in &example.evidence {
        grew(&post("evidence").json(json!({ "label": label, "content": content })).await);
    }
    let form = Form::new().part("file", Part::bytes(b"x".as_slice()).file_name("x.txt"));
    grew(&post("evidence/upload").form(form).await);
    grew(&post("submission").body("application/json", example.output).await);
    let audit = post("audit").await;
    grew(&audit);
    for check in audit.json()["checks"].as_array().unwrap().iter().filter(|check| check["status"] == "open") {
        let call = ada.patch(&format!("/runs/{run}/checks/{}", id(check)));
        grew(&call.json(json!({ "status": "pass" })).await);
    }
    grew(&post("findings").await);
    grew(&post("approve").json(json!({ "decision": "approved" })).await);
    grew(&post("receipt").await);
    let path = format!("/api/v1/orgs/{}/api-keys", ada.org_id());
    let key = ada.post(&path).json(json!({ "name": "pipeline", "role": "viewer" })).await;
    grew(&key);
    grew(&ada.delete(&format!("{path}/{}", id(&key.json()))).await);
    assert_eq!(Raw::of(&service).await.number("SELECT max(position) FROM events").await, last);
}

on_both_stores!(
    projects_come_in_pages_by_name,
    runs_come_in_pages_the_newest_first_and_filtered,
    a_run_in_a_list_is_the_run_itself,
    grading_minds_the_revision_that_was_read,
    what_is_not_there_is_404_and_what_is_not_so_is_405,
    each_write_says_how_far_the_ledger_is,
);
