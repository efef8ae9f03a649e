//! A receipt as a PDF: what anyone with its link gets. What is on its pages is tested in `documents/`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod support;

use futures::future::join_all;
use std::{
    io::Write,
    process::{Command, Stdio},
};
use support::*;

/// What a reader can copy out of a PDF, its words one space apart.
fn text(pdf: &[u8]) -> String {
    let mut reader = Command::new("pdftotext")
        .args(["-raw", "-", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("pdftotext (Debian package poppler-utils): {error}"));
    reader.stdin.take().unwrap().write_all(pdf).unwrap();
    let text = String::from_utf8(reader.wait_with_output().unwrap().stdout).unwrap();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

async fn anyone_with_the_link_gets_the_receipt_as_a_pdf(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let (_, receipt) = ada.minted().await;
    let pdf = service.anonymous().get(&path_of(&receipt["pdf_url"])).await.expect(StatusCode::OK);
    assert_eq!(pdf.header("content-type"), Some("application/pdf"));
    let name = receipt["receipt_id"].as_str().unwrap();
    assert_eq!(pdf.header("content-disposition"), Some(format!("inline; filename=\"{name}.pdf\"").as_str()));
    assert!(pdf.body.starts_with(b"%PDF-") && pdf.body.len() > 800);

    let text = text(&pdf.body);
    let payload = &service.anonymous().get(&path_of(&receipt["share_url"])).await.ok()["payload"];
    let said = [
        "/receipt_id",
        "/assignment/title",
        "/flight_sheet/name",
        "/verdict/recommended_action",
        "/submission/sha256",
        "/ownership/final_authority",
        "/parent_hash",
    ];
    for place in said {
        let said = payload.pointer(place).and_then(Value::as_str).unwrap_or_else(|| panic!("no {place} in {payload}"));
        assert!(text.contains(said), "{place}, {said:?}, is not in {text}");
    }
    for finding in payload["findings"].as_array().unwrap() {
        assert!(text.contains(finding["label"].as_str().unwrap()), "{finding} is not in {text}");
    }
    for number in ["receipt_sha256", "share_url"] {
        assert!(text.contains(receipt[number].as_str().unwrap()), "{number} is not in {text}");
    }
    assert!(!text.contains("Not as it was issued"), "{text}");
}

async fn it_is_the_same_bytes_each_time_and_in_each_process(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let (_, receipt) = ada.minted().await;
    let path = path_of(&receipt["pdf_url"]);
    let first = service.anonymous().get(&path).await.expect(StatusCode::OK).body;
    let anyone = service.anonymous();
    for again in join_all((0..8).map(|_| async { anyone.get(&path).await })).await {
        assert_eq!(again.expect(StatusCode::OK).body, first);
    }
    let service = service.restart().await;
    assert!(service.anonymous().get(&path).await.expect(StatusCode::OK).body == first, "after a restart");
}

async fn only_its_token_shows_a_pdf(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let (_, receipt) = ada.minted().await;
    let token = receipt["share_token"].as_str().unwrap();
    for wrong in ["unknown", &token[1..], &format!("{token}x"), &token.to_lowercase(), "%00", "'"] {
        ada.get(&format!("/share/{wrong}/pdf")).await.refused(404);
    }
}

/// Every receipt of the catalog's examples has a form: none is shown as a bare record.
async fn the_examples_of_the_catalog_have_their_pages(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    for ((sheet, case), example) in Example::all() {
        let (run, audit) = ada.audited(&example).await;
        for check in audit["checks"].as_array().unwrap().iter().filter(|check| check["status"] == "open") {
            let grade = json!({"status": "pass"});
            ada.patch(&format!("/runs/{run}/checks/{}", id(check))).json(grade).await.ok();
        }
        ada.post(&format!("/runs/{run}/findings")).await.ok();
        ada.decide(&run, json!({"decision": "approved", "note": "seen"})).await;
        let receipt = ada.post(&format!("/runs/{run}/receipt")).await.ok();
        let pdf = service.anonymous().get(&path_of(&receipt["pdf_url"])).await.expect(StatusCode::OK);
        let text = text(&pdf.body);
        assert!(text.contains("held against") && !text.contains("no known form"), "{sheet}, {case}: {text}");
    }
}

async fn a_record_that_was_changed_says_so(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let receipts = [ada.minted().await.1, ada.minted().await.1, ada.minted().await.1];
    let path = |place: usize| path_of(&receipts[place]["pdf_url"]);
    let shown = async |place: usize| text(&service.anonymous().get(&path(place)).await.expect(StatusCode::OK).body);
    // Asked for before, so that one may be kept.
    assert!(!shown(1).await.contains("Not as it was issued"));
    let mut raw = Raw::of(&service).await;
    raw.disarm().await;
    assert_eq!(raw.edit_receipt(1, "\"pass\"", "\"fail\"").await, 1);
    assert!(!shown(0).await.contains("Not as it was issued"));
    assert!(shown(1).await.contains("does not hash to the number"));
    assert!(shown(2).await.contains("does not stand where it was sealed"), "its parent is no longer the one before");
    assert_eq!(raw.edit_receipt(0, "{", "").await, 1);
    let bare = shown(0).await;
    assert!(bare.contains("no known form") && bare.contains("does not hash to the number"), "{bare}");
}

on_both_stores!(
    anyone_with_the_link_gets_the_receipt_as_a_pdf,
    it_is_the_same_bytes_each_time_and_in_each_process,
    only_its_token_shows_a_pdf,
    the_examples_of_the_catalog_have_their_pages,
    a_record_that_was_changed_says_so,
);
