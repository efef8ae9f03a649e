//! The same submission gives the same checks and verdict: on both stores, in every run, after a restart.

use crate::support::{store::postgres_is_at_hand, *};
use std::collections::BTreeMap;

/// What a service makes of every example of the catalog, without what differs by run.
async fn judged(service: &Service) -> BTreeMap<(String, &'static str), String> {
    let ada = service.sign_in("ada@example.org").await;
    let mut judged = BTreeMap::new();
    for (name, example) in Example::all() {
        let (run, mut audit) = ada.audited(&example).await;
        let mut flags = ada.get(&format!("/runs/{run}/flags")).await.ok();
        let read = ada.get(&format!("/runs/{run}")).await.ok();
        assert_eq!((&read["checks"], &read["verdict"]), (&audit["checks"], &audit["verdict"]), "{name:?}");
        let checks = ada.get(&format!("/runs/{run}/checks")).await.ok();
        assert_eq!(checks["checks"], audit["checks"], "{name:?}");
        let flagged = audit["checks"].as_array().unwrap().iter().filter(|check| check["status"] == "flag").count();
        assert_eq!(flags["flags"].as_array().unwrap().len(), flagged);
        for check in audit["checks"].as_array_mut().unwrap().iter_mut().chain(flags["flags"].as_array_mut().unwrap()) {
            assert_eq!(check["key"], check["check_key"]);
            check.as_object_mut().unwrap().remove("id");
        }
        judged.insert(name, json!([audit, flags]).to_string());
    }
    judged
}

#[tokio::test]
async fn both_stores_judge_every_example_alike_and_a_restart_changes_nothing() {
    let service = Service::start(Store::Embedded).await;
    let embedded = judged(&service).await;
    let sheets = std::fs::read_dir("catalog/flight-sheets").unwrap().count();
    assert_eq!(embedded.len(), 2 * sheets, "one that passes and one that fails");
    for ((sheet, case), verdict) in &embedded {
        let passes = !verdict.contains(r#""status":"flag""#);
        assert_eq!(passes, *case == "pass", "{sheet}: {verdict}");
    }
    let service = service.restart().await;
    assert_eq!(judged(&service).await, embedded);
    if postgres_is_at_hand() {
        assert_eq!(judged(&Service::start(Store::Postgres).await).await, embedded);
    }
}
