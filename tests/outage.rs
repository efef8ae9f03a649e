//! PostgreSQL goes away under load. Alone in its binary, since every other test on that server would feel it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]
#![allow(clippy::disallowed_methods, clippy::print_stderr, reason = "the harness is outside of the service")]

mod support;

use futures::future::join_all;
use std::{env, process::Command};
use support::{
    ledger::{project, run},
    load::{Load, kept},
    *,
};

/// The command that crashes the server and starts it again; `scripts/with-postgres` sets it.
const CRASH: &str = "DEFENDABLE_TEST_POSTGRES_CRASH";

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_when_the_database_crashes_under_load() {
    if !store::postgres_is_at_hand() {
        return;
    }
    let Ok(crash) = env::var(CRASH) else {
        eprintln!("not run: {CRASH} is not set (`scripts/with-postgres` sets it for a server of its own)");
        return;
    };
    let service = Service::start(Store::Postgres).await;
    let ada = service.sign_in("ada@example.org").await;
    let project = project(&ada).await;
    let runs = join_all((0..8).map(|_| run(&ada, &project))).await;
    let load = Load::on(&ada, &runs);
    for _ in 0..2 {
        load.more(40).await;
        let crash = Command::new("bash").args(["-c", &crash]).status();
        assert!(crash.unwrap().success());
        // It recovers by itself. Every answer in between was a 201 or a 503 in the one shape: the load checks that.
        load.more(40).await;
    }
    load.end();
    let outcome = load.outcome().await;
    let kept = kept(&ada, &runs).await;
    for (id, digest) in &outcome.acknowledged {
        assert_eq!(kept.get(id), Some(digest), "{id} is lost or changed");
    }
    // What was answered with a 503 may have been recorded at most where the outcome could not be known.
    assert!(kept.len() <= outcome.acknowledged.len() + outcome.unavailable);
    service.anonymous().get("/readyz").await.ok();
    service.expect_sound();
}
