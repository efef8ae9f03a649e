//! The service goes down in every way it can; nothing acknowledged is lost, and nothing half-done is left.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]
#![allow(clippy::print_stderr, reason = "a test that is not run says so")]

mod support;

use futures::future::join_all;
use std::{collections::BTreeMap, fs, path::PathBuf, process::Command, time::Duration};
use support::{
    ledger::{note, project, receipt, run},
    load::{Load, kept},
    *,
};

const WRITERS: usize = 8;

async fn what_was_acknowledged_survives_kills_under_load(store: Store) {
    let mut service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let project = project(&ada).await;
    let (mut runs, mut acknowledged, mut receipts) = (Vec::new(), BTreeMap::new(), Vec::new());
    for _ in 0..3 {
        receipts.push(receipt(&ada, &project).await);
        let now = join_all((0..WRITERS).map(|_| run(&ada, &project))).await;
        let load = Load::on(&ada, &now);
        load.more(40).await;
        service.kill();
        acknowledged.extend(load.outcome().await.acknowledged);
        runs.extend(now);
        // Before the service has it again, as after it.
        let (told, code) = service.told(&["ledger", "verify"]);
        assert_eq!(code, 0, "{told:#}");
        service = service.restart().await;
        let kept = kept(&ada, &runs).await;
        for (id, digest) in &acknowledged {
            assert_eq!(kept.get(id), Some(digest), "{id} is lost or changed");
        }
        // Each writer had one request under way, which may or may not have been recorded.
        assert!(kept.len() <= acknowledged.len() + runs.len());
    }
    let ledger = ada.get("/ledger").await.ok();
    let names: Vec<_> = ledger["entries"].as_array().unwrap().iter().map(|entry| &entry["receipt_id"]).collect();
    assert_eq!(names, receipts.iter().collect::<Vec<_>>());
    assert_eq!(ada.get("/ledger/verify").await.ok()["ok"], true);
    assert!(service.stop().await.success());
    service.expect_sound();
}

async fn what_was_accepted_is_answered_when_asked_to_end(store: Store) {
    let mut service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let project = project(&ada).await;
    let runs = join_all((0..WRITERS).map(|_| run(&ada, &project))).await;
    let load = Load::on(&ada, &runs);
    load.more(40).await;
    let status = service.stop().await;
    assert_eq!(status.code(), Some(0));
    let outcome = load.outcome().await;
    service = service.restart().await;
    // Nothing is recorded whose writer was not told so.
    assert_eq!(kept(&ada, &runs).await, outcome.acknowledged);
    assert!(service.stop().await.success());
    service.expect_sound();
}

on_both_stores!(what_was_acknowledged_survives_kills_under_load, what_was_accepted_is_answered_when_asked_to_end,);

/// A file system of a few megabytes; gone when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// None where this process may not mount anything.
    fn at(folder: PathBuf) -> Option<Self> {
        fs::create_dir_all(&folder).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=24m", "small"]).arg(&folder).output();
        mounted.is_ok_and(|output| output.status.success()).then_some(Self(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[tokio::test]
async fn a_full_disk_is_said_and_nothing_is_damaged() {
    let mut service = Service::start(Store::Embedded).await;
    assert!(service.stop().await.success());
    fs::remove_dir_all(service.data()).unwrap();
    let Some(disk) = SmallDisk::at(service.data()) else {
        eprintln!("not run: it takes the right to mount a small file system");
        return;
    };
    service = service.restart().await;
    let ada = service.sign_in("ada@example.org").await;
    let project = project(&ada).await;
    let run = run(&ada, &project).await;
    let ballast = disk.0.join("ballast");
    fs::write(&ballast, vec![0; 12 << 20]).unwrap();
    let path = format!("/runs/{run}/evidence");
    let mut acknowledged = Vec::new();
    let refused = loop {
        assert!(acknowledged.len() < 900, "the disk never gets full");
        let reply = ada.post(&path).json(note(&"full ".repeat(3_000))).await;
        if !reply.status.is_success() {
            break reply.refused(503);
        }
        acknowledged.push(reply.json()["id"].clone());
    };
    assert!(refused.detail.contains("full"), "{refused:?}");
    // It stays up, reads go on, and more writes are refused alike.
    for _ in 0..5 {
        let refused = ada.post(&path).json(note(&"full ".repeat(3_000))).await.refused(503);
        assert!(refused.detail.contains("full"), "{refused:?}");
    }
    let ids =
        |run: Value| run["evidence"].as_array().unwrap().iter().map(|each| each["id"].clone()).collect::<Vec<_>>();
    assert_eq!(ids(ada.get(&format!("/runs/{run}")).await.ok()), acknowledged);
    fs::remove_file(ballast).unwrap();
    let mut tries = 0;
    let piece = loop {
        let reply = ada.post(&path).json(note("there is room again")).await;
        if reply.status.is_success() {
            break reply.json();
        }
        tries += 1;
        assert!(tries < 20, "{reply}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    acknowledged.push(piece["id"].clone());
    assert_eq!(ids(ada.get(&format!("/runs/{run}")).await.ok()), acknowledged);
    assert!(service.stop().await.success());
    service.expect_sound();
    drop(service);
}
