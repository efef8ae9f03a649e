//! Many at once: nothing is lost, nothing happens twice.

use crate::{
    on_both_stores,
    support::{store::postgres_is_at_hand, *},
};
use futures::future::join_all;
use std::collections::BTreeSet;

const WRITERS: usize = 50;

/// Attaches notes through every client at once, and looks at what is there afterwards.
async fn attach_at_once(clients: &[Client], service: &Service) {
    let run = clients[0].open(SHEET).await;
    let calls = (0..WRITERS).map(|number| {
        let note = json!({ "label": format!("note {number}"), "content": "x" });
        let call = clients[number % clients.len()].post(&format!("/runs/{run}/evidence")).json(note);
        async move { call.await.created() }
    });
    let attached: BTreeSet<_> = join_all(calls).await.iter().map(id).collect();
    assert_eq!(attached.len(), WRITERS);
    for client in clients {
        let read = client.get(&format!("/runs/{run}")).await.ok();
        let evidence = read["evidence"].as_array().unwrap();
        assert_eq!(evidence.iter().map(id).collect::<BTreeSet<_>>(), attached);
        let labels: BTreeSet<_> = evidence.iter().map(|one| one["label"].as_str().unwrap()).collect();
        assert_eq!(labels.len(), WRITERS);
        assert_eq!(read["revision"], 1 + WRITERS as i64);
    }
    let mut raw = Raw::of(service).await;
    let one_run = "FROM events WHERE aggregate_type = 'run'";
    assert_eq!(raw.number(&format!("SELECT max(sequence) {one_run}")).await, 1 + WRITERS as i64);
    assert_eq!(raw.number(&format!("SELECT count(DISTINCT sequence) {one_run}")).await, 1 + WRITERS as i64);
    let gaps = "SELECT max(position) - count(*) FROM events";
    assert_eq!(raw.number(gaps).await, 0, "positions have no gap");
}

async fn writers_of_one_run_lose_nothing(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    attach_at_once(&[ada], &service).await;
}

#[tokio::test]
async fn writers_of_one_run_through_two_processes_lose_nothing() {
    if postgres_is_at_hand() {
        let service = Service::start(Store::Postgres).await;
        let beside = service.beside().await;
        let ada = service.sign_in("ada@example.org").await;
        attach_at_once(&[ada.clone(), ada.through(&beside)], &service).await;
    }
}

#[tokio::test]
async fn a_write_through_one_process_is_read_through_the_other() {
    if postgres_is_at_hand() {
        let service = Service::start(Store::Postgres).await;
        let beside = service.beside().await;
        let here = service.sign_in("ada@example.org").await;
        let there = here.through(&beside);
        let example = Example::of(SHEET, "pass");
        // Each stage through the other process than the one before, so that no cache may be trusted.
        let run = here.open(SHEET).await;
        there.post(&format!("/runs/{run}/evidence")).json(json!({ "label": "a" })).await.created();
        let work = here.post(&format!("/runs/{run}/submission"));
        work.body("application/json", example.output.clone()).await.created();
        there.post(&format!("/runs/{run}/audit")).await.ok();
        here.post(&format!("/runs/{run}/evidence")).json(json!({ "label": "b" })).await.created();
        there
            .post(&format!("/runs/{run}/approve"))
            .json(json!({ "decision": "approved", "note": "x" }))
            .await
            .refused(409);
        there.post(&format!("/runs/{run}/audit")).await.ok();
        here.decide(&run, json!({ "decision": "approved", "note": "x" })).await;
        let receipt = there.post(&format!("/runs/{run}/receipt")).await.ok();
        assert_eq!(here.post(&format!("/runs/{run}/receipt")).await.ok(), receipt);
        assert_eq!(here.get(&format!("/runs/{run}")).await.ok(), there.get(&format!("/runs/{run}")).await.ok());
        here.post("/auth/logout").await.no_content();
        there.get("/auth/me").await.refused(401);
    }
}

#[tokio::test]
async fn what_one_process_keeps_of_a_run_is_never_behind_the_other() {
    if postgres_is_at_hand() {
        let service = Service::start(Store::Postgres).await;
        let beside = service.beside().await;
        let here = service.sign_in("ada@example.org").await;
        let there = here.through(&beside);
        let run = here.open(SHEET).await;
        let count = async |caller: &Client| {
            caller.get(&format!("/runs/{run}")).await.ok()["evidence"].as_array().unwrap().len()
        };
        // Warm on both sides, then written through one and read through the other, at once and by many.
        for written in 1..=20 {
            let writer = if written % 2 == 0 { &here } else { &there };
            writer.post(&format!("/runs/{run}/evidence")).json(json!({ "label": "x" })).await.created();
            let seen = join_all((0..8).map(|at| count(if at % 2 == 0 { &there } else { &here }))).await;
            assert_eq!(seen, [written; 8]);
        }
        // More than is looked at one by one happened through the other process.
        let other = there.open(SHEET).await;
        join_all((0..300).map(|_| async {
            there.post(&format!("/runs/{other}/evidence")).json(json!({ "label": "x" })).await.created();
        }))
        .await;
        there.post(&format!("/runs/{run}/evidence")).json(json!({ "label": "x" })).await.created();
        assert_eq!(count(&here).await, 21);
        // A session that has ended elsewhere has ended.
        here.get("/auth/me").await.ok();
        there.post("/auth/logout").await.no_content();
        here.get("/auth/me").await.refused(401);
    }
}

async fn of_two_decisions_at_once_one_counts(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    for _ in 0..5 {
        let (run, _) = ada.audited(&Example::of(SHEET, "pass")).await;
        let calls = ["approved", "rejected"].map(|decision| {
            let call = ada.post(&format!("/runs/{run}/approve")).json(json!({ "decision": decision }));
            async move { (decision, call.await.status.as_u16()) }
        });
        let mut answers = join_all(calls).await;
        answers.sort_by_key(|(_, status)| *status);
        let status = ada.status(&run).await;
        match answers[..] {
            [(one, 200), (_, 409)] => assert_eq!(status, one),
            // A rejected run may be approved afterwards.
            [(_, 200), (_, 200)] => assert_eq!(status, "approved"),
            _ => panic!("{answers:?}"),
        }
    }
}

async fn projects_of_one_name_at_once_are_all_there(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let made: BTreeSet<_> = join_all((0..20).map(|_| ada.project("same"))).await.into_iter().collect();
    let listed = ada.get("/projects").await.ok();
    let projects = listed["projects"].as_array().unwrap();
    assert_eq!(projects.iter().map(id).collect::<BTreeSet<_>>(), made);
    let slugs: BTreeSet<_> = projects.iter().map(|project| project["slug"].as_str().unwrap()).collect();
    assert_eq!(slugs.len(), 20, "a slug names one project");
}

on_both_stores!(
    writers_of_one_run_lose_nothing,
    of_two_decisions_at_once_one_counts,
    projects_of_one_name_at_once_are_all_there,
);
