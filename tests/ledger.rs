//! Receipts: from sign-in to a share link that anyone can verify, the chain, and what happens when somebody tampers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod support;

use std::collections::BTreeSet;
use support::*;

const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The bytes of `payload` in the answer to `GET /share/{token}`, cut out of its text: what was hashed.
fn payload_text(reply: &Reply) -> String {
    let body = String::from_utf8(reply.body.clone()).unwrap();
    let (_, rest) = body.split_once("\"payload\":").unwrap();
    rest.strip_suffix('}').unwrap().to_owned()
}

async fn a_run_goes_from_sign_in_to_a_receipt_that_anyone_can_verify(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let me = ada.get("/auth/me").await.ok();
    assert_eq!((me["email"].as_str(), me["role"].as_str()), (Some("ada@example.org"), Some("admin")));

    let project = ada.project("my product").await;
    let sheets = ada.get("/flight-sheets").await.ok();
    let sheet = sheets["flight_sheets"].as_array().unwrap().iter().find(|sheet| sheet["slug"] == SHEET).unwrap();
    let gate = sheet["audit_checks"].as_array().unwrap().iter().find(|rule| rule["key"] == "dscr_gate").unwrap();
    for (key, value) in [("category", "policy"), ("kind", "auto"), ("severity", "critical")] {
        assert_eq!(gate[key], value, "{gate}");
    }

    let example = Example::of(SHEET, "pass");
    let new = json!({
        "project_id": project, "flight_sheet_id": sheet["id"], "title": "Q2 deal", "inputs": example.inputs,
    });
    let run = ada.post("/runs").json(new).await.created();
    assert_eq!((run["status"].as_str(), run["lane"].as_str()), (Some("assignment_issued"), Some("agent")));
    let run = id(&run);
    let (label, content) = &example.evidence[0];
    let note = json!({ "kind": "note", "label": label, "content": content });
    let note = ada.post(&format!("/runs/{run}/evidence")).json(note).await.created();
    assert_eq!(note["sha256"], sha256(content.as_bytes()));
    let memo = Part::bytes(b"%PDF-1.7 memo".as_slice()).file_name("memo.pdf").mime_str("application/pdf").unwrap();
    let form = Form::new().part("file", memo).text("label", "property memo");
    let file = ada.post(&format!("/runs/{run}/evidence/upload")).form(form).await.created();
    assert_eq!((file["kind"].as_str(), file["label"].as_str()), (Some("file"), Some("property memo")));
    assert_eq!((&file["byte_size"], &file["content_type"]), (&json!(13), &json!("application/pdf")));
    assert_eq!(file["sha256"], sha256(b"%PDF-1.7 memo"));

    let work = ada.post(&format!("/runs/{run}/submission")).body("application/json", example.output.clone());
    assert_eq!(work.await.created()["sha256"], sha256(example.output.trim().as_bytes()));
    let audit = ada.post(&format!("/runs/{run}/audit")).await.ok();
    assert_eq!((&audit["needs_grading"], &audit["deterministic"]), (&json!(false), &json!(true)));
    assert_eq!(audit["verdict"]["severity"], "honey");
    let verdict = ada.post(&format!("/runs/{run}/findings")).await.ok();
    assert_eq!(verdict, audit["verdict"]);
    let approval = ada.decide(&run, json!({ "decision": "approved", "note": "ship it" })).await;
    assert_eq!((&approval["decision"], &approval["note"]), (&json!("approved"), &json!("ship it")));
    assert_eq!(approval["approver_email"], "ada@example.org");

    let receipt = ada.post(&format!("/runs/{run}/receipt")).await.ok();
    let fields: BTreeSet<_> = receipt.as_object().unwrap().keys().map(String::as_str).collect();
    let exactly = ["receipt_id", "org_seq", "parent_hash", "receipt_sha256", "share_token", "share_url", "pdf_url"];
    assert_eq!(fields, exactly.into());
    assert_eq!((&receipt["org_seq"], &receipt["parent_hash"]), (&json!(0), &json!(GENESIS)));
    let name = receipt["receipt_id"].as_str().unwrap().strip_prefix("DCR-000000-").expect("the first receipt");
    assert!(name.len() == 8 && name.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)));
    let token = receipt["share_token"].as_str().unwrap();
    assert!(token.len() == 24 && token.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{token}");
    assert_eq!(receipt["share_url"], format!("{}/share/{token}", service.url()));
    assert_eq!(receipt["pdf_url"], format!("{}/share/{token}/pdf", service.url()));

    // Anyone: without an account, and doing the sum themselves.
    let shared = service.anonymous().get(&format!("/share/{token}")).await;
    let text = payload_text(&shared);
    let public = shared.ok();
    assert_eq!((&public["verified"], &public["chain_consistent"]), (&json!(true), &json!(true)));
    for key in ["receipt_id", "org_seq", "parent_hash", "receipt_sha256"] {
        assert_eq!(public[key], receipt[key]);
    }
    assert_eq!(receipt["receipt_sha256"], sha256(text.as_bytes()));
    assert_eq!(receipt["receipt_sha256"], sha256(canonical(&public["payload"]).as_bytes()));
    assert_eq!(Raw::of(&service).await.receipt(0).await, text.as_bytes());
    let payload = &public["payload"];
    assert_eq!(payload["schema"], "defendable.eval-receipt/v1");
    assert_eq!(payload["receipt_id"], receipt["receipt_id"]);
    assert_eq!(payload["share_url"], receipt["share_url"]);
    assert_eq!(payload["run"]["id"], run);
    assert_eq!(payload["run"]["project"]["name"], "my product");
    assert_eq!(payload["ownership"]["final_authority"], "ada@example.org");
    assert_eq!(payload["approval"]["note"], "ship it");
    assert_eq!(payload["findings"].as_array().unwrap().len(), audit["checks"].as_array().unwrap().len());
    let evidence: Vec<_> = payload["evidence"].as_array().unwrap().iter().map(|one| &one["sha256"]).collect();
    assert_eq!(evidence, [&note["sha256"], &file["sha256"]]);

    let again = ada.post(&format!("/runs/{run}/receipt")).await.ok();
    assert_eq!(again, receipt);
    let entries = ada.get("/ledger").await.ok();
    assert_eq!(
        entries["entries"],
        json!([{
            "receipt_id": receipt["receipt_id"], "org_seq": 0, "parent_hash": GENESIS,
            "receipt_sha256": receipt["receipt_sha256"], "created_at": public["created_at"],
        }])
    );
    let verified = ada.get("/ledger/verify").await.ok();
    assert_eq!(verified, json!({ "ok": true, "receipts_checked": 1, "errors": [] }));

    let run = ada.get(&format!("/runs/{run}")).await.ok();
    assert_eq!(run["status"], "receipted");
    assert_eq!(run["receipt"], receipt);
    assert_eq!(run["ownership"]["receipt_status"], "issued");
    assert_eq!(run["ownership"]["final_authority"], "ada@example.org");
    assert_eq!(run["verdict"], verdict);
}

async fn the_chain_is_paged_and_walked_and_each_organisation_has_its_own(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let eve = service.sign_in("eve@example.com").await;
    assert_eq!(ada.get("/ledger").await.ok(), json!({ "entries": [], "next_cursor": null }));
    assert_eq!(ada.get("/ledger/verify").await.ok(), json!({ "ok": true, "receipts_checked": 0, "errors": [] }));
    let (_, theirs) = eve.minted().await;
    let mut parent = GENESIS.to_owned();
    for org_seq in 0..5 {
        let (_, receipt) = ada.minted().await;
        assert_eq!((&receipt["org_seq"], &receipt["parent_hash"]), (&json!(org_seq), &json!(parent)));
        parent = receipt["receipt_sha256"].as_str().unwrap().to_owned();
    }
    assert_eq!(theirs["org_seq"], 0);
    assert_eq!(eve.get("/ledger/verify").await.ok()["receipts_checked"], 1);
    assert_eq!(ada.get("/ledger/verify").await.ok(), json!({ "ok": true, "receipts_checked": 5, "errors": [] }));
    let (mut seen, mut path) = (vec![], "/ledger?limit=2".to_owned());
    loop {
        let page = ada.get(&path).await.ok();
        seen.extend(page["entries"].as_array().unwrap().iter().map(|entry| entry["org_seq"].as_u64().unwrap()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/ledger?limit=2&cursor={cursor}");
    }
    assert_eq!(seen, [0, 1, 2, 3, 4]);
    for bad in ["limit=0", "limit=201", "limit=x", "limit=-1", "cursor=x", "cursor=7b7d", "page=2"] {
        assert_eq!(ada.get(&format!("/ledger?{bad}")).await.refused(400).code, "VALIDATION_ERROR", "{bad}");
    }
}

async fn only_its_token_shows_a_receipt(store: Store) {
    let service = Service::start(store).await;
    let (run, receipt) = service.sign_in("ada@example.org").await.minted().await;
    let token = receipt["share_token"].as_str().unwrap();
    let altered = format!("{}x", &token[..23]);
    for wrong in ["x", &token[..23], &altered, receipt["receipt_id"].as_str().unwrap(), &run, "..%2f", "%00"] {
        service.anonymous().get(&format!("/share/{wrong}")).await.refused(404);
    }
    service.anonymous().get("/ledger").await.refused(401);
    service.anonymous().get("/ledger/verify").await.refused(401);
}

async fn no_receipt_without_a_verdict_that_a_person_approved(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let mint = async |run: &str, refused: bool| {
        let reply = ada.post(&format!("/runs/{run}/receipt")).await;
        if refused {
            assert_eq!(reply.refused(409).code, "CONFLICT");
        } else {
            reply.ok();
        }
    };
    let run = ada.open(SHEET).await;
    mint(&run, true).await;
    let (run, _) = ada.audited(&Example::of(SHEET, "pass")).await;
    mint(&run, true).await;
    ada.decide(&run, json!({ "decision": "escalated" })).await;
    mint(&run, true).await;
    ada.decide(&run, json!({ "decision": "rejected" })).await;
    mint(&run, true).await;
    ada.decide(&run, json!({ "decision": "approved" })).await;
    mint(&run, false).await;
    assert_eq!(ada.get("/ledger/verify").await.ok()["receipts_checked"], 1);
}

async fn mints_at_once_leave_no_gap(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    mint_at_once(&[&ada]).await;
}

/// Approves runs, and mints each of them through every client at once.
async fn mint_at_once(clients: &[&Client]) {
    const RUNS: usize = 12;
    let mut runs = vec![];
    for _ in 0..RUNS {
        runs.push(clients[0].approved().await);
    }
    let calls = runs.iter().flat_map(|run| {
        // Twice through each: whoever comes second gets the same receipt.
        clients.iter().chain(clients).map(move |client| {
            let call = client.post(&format!("/runs/{run}/receipt"));
            async move { (run.clone(), call.await.ok()) }
        })
    });
    let minted = futures::future::join_all(calls).await;
    let distinct: BTreeSet<_> = minted.iter().map(|(run, receipt)| (run, receipt.to_string())).collect();
    assert_eq!(distinct.len(), RUNS, "one receipt a run");
    let numbers: BTreeSet<_> = minted.iter().map(|(_, receipt)| receipt["org_seq"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (0..RUNS as u64).collect());
    for client in clients {
        let verified = client.get("/ledger/verify").await.ok();
        assert_eq!(verified, json!({ "ok": true, "receipts_checked": RUNS, "errors": [] }));
        assert_eq!(client.get("/ledger").await.ok()["entries"].as_array().unwrap().len(), RUNS);
    }
}

#[tokio::test]
async fn mints_at_once_through_two_processes_leave_no_gap() {
    if support::store::postgres_is_at_hand() {
        let service = Service::start(Store::Postgres).await;
        let beside = service.beside().await;
        let ada = service.sign_in("ada@example.org").await;
        mint_at_once(&[&ada, &ada.through(&beside)]).await;
    }
}

async fn the_database_refuses_to_change_the_ledger(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let (run, _) = ada.minted().await;
    let long = "x".repeat(20_000);
    let other = ada.open(SHEET).await;
    let note = json!({ "label": "long", "content": long });
    ada.post(&format!("/runs/{other}/evidence")).json(note).await.created();
    let mut raw = Raw::of(&service).await;
    let count = "SELECT (SELECT count(*) FROM events) + (SELECT count(*) FROM receipts) + (SELECT count(*) FROM blobs)";
    let before = raw.number(count).await;
    let mut statements = vec![
        "UPDATE events SET actor = 'nobody'",
        "UPDATE events SET payload = payload WHERE position = 1",
        "DELETE FROM events",
        "DELETE FROM events WHERE position = (SELECT max(position) FROM events)",
        "UPDATE receipts SET org_seq = org_seq + 1",
        "DELETE FROM receipts",
        "UPDATE blobs SET bytes = bytes",
        "DELETE FROM blobs",
        "UPDATE events SET sequence = sequence + 1",
    ];
    match store {
        Store::Embedded => statements.extend([
            "INSERT OR REPLACE INTO events SELECT * FROM events LIMIT 1",
            "REPLACE INTO receipts SELECT * FROM receipts",
            "INSERT INTO receipts SELECT * FROM receipts WHERE true \
             ON CONFLICT (org_id, org_seq) DO UPDATE SET payload = x'00'",
            "UPDATE OR REPLACE receipts SET payload = x'00'",
        ]),
        Store::Postgres => statements.extend([
            "TRUNCATE events",
            "TRUNCATE receipts",
            "TRUNCATE blobs",
            "TRUNCATE events, receipts, blobs CASCADE",
            "INSERT INTO receipts SELECT * FROM receipts ON CONFLICT (org_id, org_seq) DO UPDATE SET payload = ''",
        ]),
    }
    for statement in statements {
        let refusal = raw.execute(statement).await.expect_err(statement).to_string();
        assert!(refusal.contains("append-only"), "{statement}: {refusal}");
    }
    // A blob is named by its own digest: storing it again changes nothing, and refuses nothing either.
    if store == Store::Embedded {
        raw.execute("INSERT OR REPLACE INTO blobs SELECT sha256, x'00' FROM blobs").await.unwrap();
    }
    assert_eq!(raw.number(count).await, before);
    assert_eq!(ada.get(&format!("/runs/{other}")).await.ok()["evidence"][0]["content"], long);
    assert_eq!(ada.status(&run).await, "receipted");
    assert!(ada.get("/ledger/verify").await.ok()["ok"].as_bool().unwrap());
}

/// A service with a chain of four receipts whose database is no longer protected.
async fn tampered(store: Store) -> (Service, Client, Vec<Value>, Raw) {
    let service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let mut receipts = vec![];
    for _ in 0..4 {
        receipts.push(ada.minted().await.1);
    }
    let mut raw = Raw::of(&service).await;
    raw.disarm().await;
    (service, ada, receipts, raw)
}

fn faults(verified: &Value) -> Vec<(u64, &str)> {
    assert_eq!(verified["ok"], false, "{verified}");
    let errors = verified["errors"].as_array().unwrap();
    errors.iter().map(|error| (error["org_seq"].as_u64().unwrap(), error["error"].as_str().unwrap())).collect()
}

async fn an_edited_payload_is_found_where_it_is(store: Store) {
    let (service, ada, receipts, mut raw) = tampered(store).await;
    assert_eq!(raw.edit_receipt(1, "\"pass\"", "\"fail\"").await, 1);
    let verified = ada.get("/ledger/verify").await.ok();
    assert_eq!(faults(&verified), [(1, "hash mismatch")]);
    assert_eq!(verified["receipts_checked"], 4);
    let shown = async |seq: usize| {
        let public = service.anonymous().get(&path_of(&receipts[seq]["share_url"])).await.ok();
        (public["verified"].as_bool().unwrap(), public["chain_consistent"].as_bool().unwrap())
    };
    assert_eq!(shown(0).await, (true, true));
    assert!(!shown(1).await.0);
    assert_eq!(shown(2).await, (true, false), "its parent is no longer the receipt before");
    assert_eq!(shown(3).await, (true, true));
    assert_eq!(raw.edit_receipt(1, "\"fail\"", "\"pass\"").await, 1);
    assert!(ada.get("/ledger/verify").await.ok()["ok"].as_bool().unwrap(), "and when it is put back, it is well");
}

async fn bytes_that_are_no_json_are_shown_and_not_verified(store: Store) {
    let (service, ada, receipts, mut raw) = tampered(store).await;
    assert_eq!(raw.edit_receipt(2, "{", "").await, 1);
    let public = service.anonymous().get(&path_of(&receipts[2]["share_url"])).await.ok();
    assert_eq!((&public["verified"], &public["chain_consistent"]), (&json!(false), &json!(false)));
    assert_eq!(faults(&ada.get("/ledger/verify").await.ok()), [(2, "hash mismatch")]);
}

async fn a_receipt_taken_out_leaves_a_gap(store: Store) {
    let (_service, ada, _, mut raw) = tampered(store).await;
    assert_eq!(raw.execute("DELETE FROM receipts WHERE org_seq = 1").await.unwrap(), 1);
    let verified = ada.get("/ledger/verify").await.ok();
    let found = faults(&verified);
    assert!(found.contains(&(2, "sequence gap (expected 1)")), "{verified}");
    assert!(found.contains(&(2, "broken parent link")), "{verified}");
    assert!(found.contains(&(3, "sequence gap (expected 2)")), "{verified}");
}

async fn receipts_cut_off_at_the_end_are_missed(store: Store) {
    let (_service, ada, _, mut raw) = tampered(store).await;
    assert_eq!(raw.execute("DELETE FROM receipts WHERE org_seq >= 2").await.unwrap(), 2);
    let verified = ada.get("/ledger/verify").await.ok();
    assert_eq!(verified["receipts_checked"], 2);
    assert_eq!(faults(&verified), [(2, "sequence gap (expected 2)"), (3, "sequence gap (expected 3)")]);
    assert_eq!(raw.execute("DELETE FROM receipts").await.unwrap(), 2);
    let verified = ada.get("/ledger/verify").await.ok();
    assert_eq!((faults(&verified).len(), &verified["receipts_checked"]), (4, &json!(0)));
}

async fn two_receipts_that_changed_places_are_found(store: Store) {
    let (_service, ada, _, mut raw) = tampered(store).await;
    for (from, to) in [(1, 100), (2, 1), (100, 2)] {
        let sql = format!("UPDATE receipts SET org_seq = {to} WHERE org_seq = {from}");
        assert_eq!(raw.execute(&sql).await.unwrap(), 1);
    }
    let verified = ada.get("/ledger/verify").await.ok();
    let found = faults(&verified);
    assert!(found.contains(&(1, "hash mismatch")) && found.contains(&(2, "hash mismatch")), "{verified}");
}

on_both_stores!(
    a_run_goes_from_sign_in_to_a_receipt_that_anyone_can_verify,
    the_chain_is_paged_and_walked_and_each_organisation_has_its_own,
    only_its_token_shows_a_receipt,
    no_receipt_without_a_verdict_that_a_person_approved,
    mints_at_once_leave_no_gap,
    the_database_refuses_to_change_the_ledger,
    an_edited_payload_is_found_where_it_is,
    bytes_that_are_no_json_are_shown_and_not_verified,
    a_receipt_taken_out_leaves_a_gap,
    receipts_cut_off_at_the_end_are_missed,
    two_receipts_that_changed_places_are_found,
);
