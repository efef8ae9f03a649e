//! The library of flight sheets, organisations' own, and the API description.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod own;
#[path = "../support/mod.rs"]
mod support;
mod trials;

use std::{fs, path::Path};
use support::*;

async fn the_library_shows_the_sheets_as_their_files_have_them(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let listed = ada.get("/flight-sheets").await.ok();
    let sheets = listed["flight_sheets"].as_array().unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("catalog/flight-sheets");
    let files: Vec<_> = fs::read_dir(folder).unwrap().map(|file| fs::read(file.unwrap().path()).unwrap()).collect();
    assert_eq!(sheets.len(), files.len());
    for bytes in files {
        let file: Value = serde_json::from_slice(&bytes).unwrap();
        let sheet = sheets.iter().find(|sheet| sheet["slug"] == file["slug"]).unwrap();
        assert_eq!(sheet["content_sha256"], sha256(&bytes));
        for key in ["name", "version", "lane", "summary", "pass_threshold", "fail_threshold", "expected_outputs"] {
            assert_eq!(sheet[key], file[key], "{}: {key}", file["slug"]);
        }
        let declared = file["audit_checks"].as_array().unwrap();
        for rule in sheet["audit_checks"].as_array().unwrap() {
            for key in ["key", "label", "category", "kind", "severity"] {
                assert!(rule[key].is_string(), "{rule}");
            }
        }
        assert_eq!(sheet["audit_checks"].as_array().unwrap().len(), declared.len());
        for name in [&sheet["id"], &sheet["slug"]] {
            let shown = ada.get(&format!("/flight-sheets/{}", name.as_str().unwrap())).await;
            assert_eq!(shown.header("etag"), Some(format!("\"{}\"", sheet["revision"]).as_str()));
            assert_eq!(shown.ok(), *sheet);
        }
        assert!(id(sheet).starts_with("fs_"));
    }
    let names: Vec<_> = sheets.iter().map(|sheet| sheet["name"].as_str().unwrap()).collect();
    assert!(names.is_sorted(), "{names:?}");
    // Everybody has the same library, before and after a restart.
    let eve = service.sign_in("eve@example.com").await;
    assert_eq!(eve.get("/flight-sheets").await.ok(), listed);
    let service = service.restart().await;
    assert_eq!(ada.get("/flight-sheets").await.ok(), listed);
    drop(service);
}

async fn the_library_is_filtered_by_lane(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let all = ada.get("/flight-sheets").await.ok()["flight_sheets"].as_array().unwrap().clone();
    for lane in ["agent", "dataset", "compute", "other"] {
        let expected: Vec<_> = all.iter().filter(|sheet| sheet["lane"] == lane).cloned().collect();
        assert!(!expected.is_empty());
        let found = ada.get(&format!("/flight-sheets?lane={lane}")).await.ok();
        assert_eq!(found["flight_sheets"], json!(expected), "{lane}");
    }
    for bad in ["lane=sky", "lane=", "limit=1", "lane=Agent"] {
        assert_eq!(ada.get(&format!("/flight-sheets?{bad}")).await.refused(400).code, "VALIDATION_ERROR");
    }
    for unknown in ["none", "fs_00000000000000000000000000", "CRE_MEMO_DSCR_LTV_V1"] {
        ada.get(&format!("/flight-sheets/{unknown}")).await.refused(404);
    }
}

async fn a_run_is_opened_by_a_sheets_id_or_slug_and_pins_it(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let sheet = ada.get(&format!("/flight-sheets/{SHEET}")).await.ok();
    let project = ada.project("Bridge").await;
    let mut texts = vec![];
    for name in [id(&sheet), SHEET.to_owned()] {
        let run = ada.post("/runs").json(json!({ "project_id": project, "flight_sheet_id": name })).await.created();
        assert_eq!((&run["flight_sheet_id"], &run["lane"]), (&sheet["id"], &sheet["lane"]));
        assert_eq!(run["title"], sheet["name"], "a run is called after its sheet unless said");
        let read = ada.get(&format!("/runs/{}", id(&run))).await.ok();
        for key in ["id", "slug", "name", "version", "lane", "summary", "content_sha256", "pass_threshold"] {
            assert_eq!(read["flight_sheet"][key], sheet[key], "{key}");
        }
        assert_eq!(read["ownership"]["referee_logic"], format!("{} v{}", sheet["name"].as_str().unwrap(), "1.0"));
        texts.push(run["assignment_text"].as_str().unwrap().to_owned());
    }
    assert_eq!(texts[0], texts[1]);
    for output in sheet["expected_outputs"].as_array().unwrap() {
        assert!(texts[0].contains(output.as_str().unwrap()));
    }
}

/// The API description is the contract with every client: a change to it is seen, and meant.
#[test]
fn the_api_description_is_the_one_on_record() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_defendable")).arg("openapi").output().unwrap();
    assert!(output.status.success());
    let on_record = include_bytes!("../openapi.json");
    let parse = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap();
    let (now, then) = (parse(&output.stdout), parse(on_record));
    let shown = |document: &Value| serde_json::to_string_pretty(document).unwrap();
    let (now, then) = (shown(&now), shown(&then));
    let differing = now.lines().zip(then.lines()).find(|(now, then)| now != then);
    assert!(
        now == then,
        "the API description has changed, first at {differing:?}. If that is meant, renew the one on record:\n  \
         cargo run -- openapi > tests/openapi.json"
    );
}

async fn the_service_serves_the_description_of_itself(store: Store) {
    let service = Service::start(store).await;
    let anonymous = service.anonymous();
    let served = anonymous.get("/openapi.json").await;
    assert_eq!(served.body, anonymous.get("/api/v1/openapi.json").await.body);
    let served = served.ok();
    assert_eq!(served["openapi"].as_str().map(|version| &version[..3]), Some("3.1"));
    let schemas = served["components"]["schemas"].as_object().unwrap();
    for name in [
        "FlightSheet",
        "FlightSheetList",
        "FlightSheetRule",
        "Submission",
        "Check",
        "ChecksList",
        "Finding",
        "FlagsList",
        "Verdict",
        "Approval",
        "Receipt",
        "PublicReceipt",
        "LedgerEntry",
        "LedgerList",
        "LedgerError",
        "LedgerVerifyResult",
        "Evidence",
    ] {
        assert!(schemas.contains_key(name), "{name} is no named component");
    }
    // The doctrine's words, exactly as the contract has them.
    for (name, words) in [
        ("Severity", "honey jelly propolis"),
        ("VerdictOutcome", "pass risk fail"),
        ("TierLevel", "low mid high"),
        ("CheckStatus", "pass flag open skip"),
        ("CheckCategory", "structure schema math evidence policy"),
        ("CheckKind", "auto checklist"),
        ("RuleSeverity", "high mid medium low critical noncritical honey jelly propolis minor"),
        ("ApprovalDecision", "approved rejected escalated"),
    ] {
        let described = &schemas.get(name).unwrap_or_else(|| panic!("{name} is no named component"))["enum"];
        let mut described: Vec<_> = described.as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
        let mut words: Vec<_> = words.split(' ').collect();
        described.sort_unstable();
        words.sort_unstable();
        assert_eq!(described, words, "{name}");
    }
}

on_both_stores!(
    the_library_shows_the_sheets_as_their_files_have_them,
    the_library_is_filtered_by_lane,
    a_run_is_opened_by_a_sheets_id_or_slug_and_pins_it,
    the_service_serves_the_description_of_itself,
);
