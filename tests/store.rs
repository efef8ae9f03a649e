//! What the store promises about itself: nothing recorded changes, read models are what the events say, and whatever
//! was altered behind its back is named.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod support;

use futures::future::join_all;
use proof::{
    digest::Blake3Hex,
    event::{Envelope, payload_digest},
};
use sqlx::Connection;
use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    time::Duration,
};
use support::{
    ledger::{note, project, receipt, run},
    *,
};

async fn nothing_recorded_can_be_changed_or_removed(store: Store) {
    let mut service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let project = project(&ada).await;
    receipt(&ada, &project).await;
    let long = run(&ada, &project).await;
    ada.post(&format!("/runs/{long}/evidence")).json(note(&"long ".repeat(5_000))).await.created();
    let mut owner = Raw::of(&service).await;
    let mut attempts = Vec::new();
    for (table, column) in [("events", "actor = 'x'"), ("receipts", "position = 1"), ("blobs", "sha256 = 'x'")] {
        assert!(owner.number(&format!("SELECT count(*) FROM {table}")).await > 0, "{table} is empty");
        attempts.push(format!("UPDATE {table} SET {column}"));
        attempts.push(format!("DELETE FROM {table}"));
        if store == Store::Postgres {
            attempts.push(format!("TRUNCATE {table} CASCADE"));
        }
    }
    if store == Store::Embedded {
        attempts.push("INSERT OR REPLACE INTO events SELECT * FROM events WHERE position = 1".to_owned());
        attempts.push("INSERT OR REPLACE INTO receipts SELECT * FROM receipts".to_owned());
    }
    for attempt in attempts {
        let refused = owner.execute(&attempt).await.expect_err(&attempt).to_string();
        assert!(refused.contains("append-only"), "{attempt}: {refused}");
    }
    service.expect_stopped().await;
    service.expect_sound();
}

async fn a_rebuild_says_the_same_while_writes_go_on(store: Store) {
    let mut service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let project = project(&ada).await;
    receipt(&ada, &project).await;
    let runs = join_all((0..8).map(|_| run(&ada, &project))).await;
    if store == Store::Embedded {
        // The running service holds the folder; nothing is touched.
        let refused = service.on_store(&["projections", "rebuild"]);
        let said = String::from_utf8(refused.stderr).unwrap();
        assert!(said.contains("another process is writing to") && said.contains("stop it first"), "{said}");
        assert_eq!(refused.status.code(), Some(1));
        assert!(service.stop().await.success());
        assert_eq!(service.told(&["projections", "rebuild"]).1, 0);
        service.expect_sound();
        return;
    }
    let writing = join_all(runs.iter().enumerate().map(|(number, run)| {
        let ada = &ada;
        async move {
            for turn in 0..40 {
                let content = format!("{number} {turn}");
                ada.post(&format!("/runs/{run}/evidence")).json(note(&content)).await.created();
            }
        }
    }));
    let commands = async {
        for command in ["rebuild", "check", "rebuild", "check"] {
            let (told, code) = tokio::task::block_in_place(|| service.told(&["projections", command]));
            assert_eq!(code, 0, "{told:#}");
        }
    };
    tokio::join!(writing, commands);
    let shown = ada.get(&format!("/runs/{}", runs[0])).await.ok();
    assert_eq!(shown["evidence"].as_array().unwrap().len(), 40);
    service.expect_sound();
}

async fn an_altered_read_model_is_named_by_row_and_field(store: Store) {
    let mut service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let project = project(&ada).await;
    let [changed, gone] = [run(&ada, &project).await, run(&ada, &project).await];
    service.expect_stopped().await;
    service.expect_sound();
    let mut intruder = Raw::of(&service).await;
    let table = intruder.table("runs").await;
    let org = intruder.text(&format!("SELECT org_id FROM {table} LIMIT 1")).await;
    let uuid = |id: &str| id.parse::<aggregates::ids::RunId>().unwrap().uuid().to_string();
    let (changed, gone) = (uuid(&changed), uuid(&gone));
    for alter in [
        format!("UPDATE {table} SET doc = replace(doc, 'Span', 'Spam') WHERE id = '{changed}'"),
        format!("DELETE FROM {table} WHERE id = '{gone}'"),
        format!("INSERT INTO {table} (org_id, id, position, doc) VALUES ('{org}', 'forged', 1, '{{}}')"),
    ] {
        intruder.execute(&alter).await.unwrap();
    }
    let (told, code) = service.told(&["projections", "check"]);
    assert_eq!((code, &told["ok"]), (1, &json!(false)));
    let differences = told["differences"].as_array().unwrap();
    let of = |id: &str| -> Vec<&Value> { differences.iter().filter(|each| each["id"] == id).collect() };
    let title = json!({"model": "runs", "org_id": org, "id": changed, "field": "doc.head.opened.title",
        "expected": "\"Span\"", "found": "\"Spam\""});
    assert_eq!(of(&changed), [&title]);
    let [missing] = of(&gone)[..] else { panic!("{told:#}") };
    assert_eq!((&missing["field"], &missing["found"]), (&json!("row"), &Value::Null));
    let [forged] = of("forged")[..] else { panic!("{told:#}") };
    assert_eq!((&forged["field"], &forged["expected"], &forged["found"]), (&json!("row"), &Value::Null, &json!("{}")));
    assert_eq!(differences.len(), 3, "{told:#}");
    assert_eq!(service.told(&["projections", "rebuild"]).1, 0);
    service.expect_sound();
}

/// The events of the organisation of the latest event, as JSON texts would have them hashed.
async fn reseal(intruder: &mut Raw, from: i64, to: i64) {
    type Row = (i64, String, i64, String, String, i64, String, String, String, String, String, i64, Vec<u8>);
    const SQL: &str = "SELECT position, org_id, org_position, aggregate_type, aggregate_id, sequence, event_type, \
        event_version, CAST(payload AS text), actor, command_id, recorded_at, hash FROM events \
        WHERE org_id = (SELECT org_id FROM events WHERE position = $1) ORDER BY org_position";
    let rows: Vec<Row> = match intruder {
        Raw::Sqlite(connection) => sqlx::query_as(SQL).bind(from).fetch_all(connection).await.unwrap(),
        Raw::Postgres(connection) => sqlx::query_as(SQL).bind(from).fetch_all(connection).await.unwrap(),
    };
    let mut prev = Blake3Hex::ZERO;
    for row in rows {
        if !(from..=to).contains(&row.0) {
            prev = Blake3Hex::from_bytes(row.12.try_into().unwrap());
            continue;
        }
        let envelope = Envelope {
            actor: &row.9,
            aggregate_id: &row.4,
            aggregate_type: &row.3,
            command_id: &row.10,
            event_type: &row.6,
            event_version: &row.7,
            org_id: &row.1,
            org_position: row.2.unsigned_abs(),
            payload_blake3: payload_digest(row.8.as_bytes()),
            prev,
            recorded_at: row.11,
            sequence: row.5.unsigned_abs(),
        };
        prev = envelope.seal();
        const SET: &str = "UPDATE events SET hash = $1 WHERE position = $2";
        let hash = prev.as_bytes().to_vec();
        match intruder {
            Raw::Sqlite(connection) => {
                sqlx::query(SET).bind(hash).bind(row.0).execute(connection).await.map(drop).unwrap();
            }
            Raw::Postgres(connection) => {
                sqlx::query(SET).bind(hash).bind(row.0).execute(connection).await.map(drop).unwrap();
            }
        }
    }
}

async fn whatever_is_altered_in_the_ledger_is_named(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let project = project(&ada).await;
    receipt(&ada, &project).await;
    receipt(&ada, &project).await;
    let last = run(&ada, &project).await;
    ada.post(&format!("/runs/{last}/evidence")).json(note(&"long ".repeat(5_000))).await.created();
    // Read-only and without a lock: the service goes on beside it.
    service.expect_verified();
    let mut intruder = Raw::of(&service).await;
    intruder.disarm().await;
    let named = |kind: &str, place: &str| {
        let (told, code) = service.told(&["ledger", "verify"]);
        assert_eq!((code, &told["ok"]), (1, &json!(false)), "{kind} at {place}: {told:#}");
        let faults = told["faults"].as_array().unwrap();
        let hit = |fault: &&Value| fault["kind"] == kind && fault["place"].as_str().unwrap().contains(place);
        assert!(faults.iter().any(|fault| hit(&fault)), "{kind} at {place}: {told:#}");
        for fault in faults {
            assert_ne!(fault["expected"], fault["found"], "{fault}");
        }
    };
    // The creation of the first run: events of the same organisation and a sealed receipt come after it.
    let first = intruder.number("SELECT min(position) FROM events WHERE aggregate_type = 'run'").await;
    let end = intruder.number("SELECT max(position) FROM events").await;
    let keep = |which: &str| format!("CREATE TABLE kept AS SELECT * FROM events WHERE {which};");
    let back = "DELETE FROM events WHERE position IN (SELECT position FROM kept); \
                INSERT INTO events SELECT * FROM kept; DROP TABLE kept";
    let at = |position: i64| format!("position {position},");
    let one = format!("position = {first}");
    let all = format!("position >= {first}");
    let next = first + 1;
    let edit = intruder.edited_payload("Span", "Spam");
    for (alter, kind, place) in [
        (format!("UPDATE events SET {edit} WHERE {one}"), "hash", at(first)),
        (format!("UPDATE events SET actor = 'service' WHERE {one}"), "hash", at(first)),
        (format!("UPDATE events SET recorded_at = recorded_at + 1 WHERE {one}"), "hash", at(first)),
        (format!("UPDATE events SET recorded_at = recorded_at - 86400000000 WHERE {one}"), "order", at(first)),
        (format!("UPDATE events SET org_id = 'system', org_position = 900 WHERE {one}"), "gap", at(next)),
        (format!("UPDATE events SET org_id = 'system', org_position = 900 WHERE {one}"), "hash", at(first)),
        (format!("UPDATE events SET sequence = 7 WHERE {one}"), "stream", "run ".to_owned()),
        (format!("DELETE FROM events WHERE {one}"), "gap", at(next)),
        (format!("DELETE FROM events WHERE {one}"), "gap", format!("position {next}")),
        (format!("DELETE FROM events WHERE position = {end}"), "truncated", "the end of the ledger".to_owned()),
        (
            format!(
                "INSERT INTO events SELECT position + 1, org_id, org_position + 1, aggregate_type, aggregate_id, \
                 sequence + 1, event_type, event_version, payload, metadata, actor, command_id, recorded_at, hash \
                 FROM events WHERE position = {end}; INSERT INTO kept SELECT * FROM events WHERE position > {end}"
            ),
            "hash",
            at(end + 1),
        ),
        (
            format!(
                "UPDATE events SET payload = (SELECT payload FROM kept WHERE position = {next}) WHERE {one}; \
                 UPDATE events SET payload = (SELECT payload FROM kept WHERE {one}) WHERE position = {next}"
            ),
            "hash",
            at(next),
        ),
    ] {
        intruder.execute(&keep(&all)).await.unwrap();
        intruder.execute(&alter).await.unwrap();
        named(kind, &place);
        intruder.execute(back).await.unwrap();
        intruder.execute(&format!("DELETE FROM events WHERE position > {end}")).await.unwrap();
        service.expect_verified();
    }
    // Edited and sealed again: the next event gives it away. With all that follow sealed again too, the next receipt
    // does.
    for (to, kind, place) in [(first, "hash", at(next)), (end, "head", "event".to_owned())] {
        intruder.execute(&keep(&all)).await.unwrap();
        intruder.execute(&format!("UPDATE events SET {edit} WHERE {one}")).await.unwrap();
        reseal(&mut intruder, first, to).await;
        named(kind, &place);
        intruder.execute(back).await.unwrap();
        service.expect_verified();
    }
    let restore = "DELETE FROM receipts; INSERT INTO receipts SELECT * FROM kept; DROP TABLE kept";
    let flipped = match store {
        Store::Embedded => "CAST(replace(CAST(payload AS text), 'DCR', 'DCX') AS blob)",
        Store::Postgres => "overlay(payload placing '\\x00' from 5)",
    };
    for (alter, place) in [
        (format!("UPDATE receipts SET payload = {flipped} WHERE org_seq = 0"), "receipt 0"),
        ("DELETE FROM receipts WHERE org_seq = 1".to_owned(), "organisation"),
        ("DELETE FROM receipts WHERE org_seq = 0".to_owned(), "receipt 1"),
        ("UPDATE receipts SET org_seq = 7 WHERE org_seq = 1".to_owned(), "receipt 7"),
    ] {
        intruder.execute("CREATE TABLE kept AS SELECT * FROM receipts").await.unwrap();
        intruder.execute(&alter).await.unwrap();
        named("receipt", place);
        intruder.execute(restore).await.unwrap();
        service.expect_verified();
    }
    intruder.execute("UPDATE blobs SET sha256 = 'f' || substr(sha256, 2) WHERE sha256 NOT LIKE 'f%'").await.unwrap();
    intruder.execute("UPDATE blobs SET sha256 = 'e' || substr(sha256, 2) WHERE sha256 LIKE 'f%'").await.unwrap();
    named("text", "the text e");
}

async fn a_head_noted_elsewhere_shows_that_history_was_rewritten(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let project = project(&ada).await;
    run(&ada, &project).await;
    let (noted, _) = service.told(&["ledger", "verify"]);
    let file = service.data().join("noted.json");
    std::fs::write(&file, noted.to_string()).unwrap();
    let verify = ["ledger", "verify", "--known", file.to_str().unwrap()];
    run(&ada, &project).await;
    assert_eq!(service.told(&verify).1, 0);
    // Whoever rewrites all of it without a trace inside cannot rewrite what is kept outside.
    let mut intruder = Raw::of(&service).await;
    intruder.disarm().await;
    let first = intruder.number("SELECT min(position) FROM events WHERE aggregate_type = 'run'").await;
    let rewrite = intruder.edited_payload("Span", "Spam");
    intruder.execute(&format!("UPDATE events SET {rewrite} WHERE position = {first}")).await.unwrap();
    reseal(&mut intruder, first, i64::MAX).await;
    service.expect_verified();
    let (told, code) = service.told(&verify);
    assert_eq!((code, &told["faults"][0]["kind"]), (1, &json!("head")), "{told:#}");
}

async fn a_stalled_read_model_is_said_and_mended_while_the_ledger_goes_on(store: Store) {
    let mut service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let project = project(&ada).await;
    let [broken, sound] = [run(&ada, &project).await, run(&ada, &project).await];
    let mut intruder = Raw::of(&service).await;
    let table = intruder.table("runs").await;
    let uuid = broken.parse::<aggregates::ids::RunId>().unwrap().uuid();
    intruder.execute(&format!("UPDATE {table} SET doc = 'unreadable' WHERE id = '{uuid}'")).await.unwrap();
    // The write is recorded and acknowledged all the same.
    let piece = ada.post(&format!("/runs/{broken}/evidence")).json(note("still recorded")).await.created();
    let anonymous = service.anonymous();
    let stalled = anonymous.get("/readyz").await.refused(503);
    assert!(stalled.detail.contains("runs"), "{stalled:?}");
    assert_eq!(anonymous.get("/api/v1/health").await.ok()["services"]["database"], "degraded");
    let refused = ada.get(&format!("/runs/{sound}")).await.refused(503);
    assert!(refused.detail.contains("stalled"), "{refused:?}");
    // What does not need the model goes on.
    ada.get("/projects").await.ok();
    if store == Store::Embedded {
        service.expect_stopped().await;
    }
    assert_eq!(service.told(&["projections", "rebuild"]).1, 0);
    if store == Store::Embedded {
        service = service.restart().await;
    }
    service.anonymous().get("/readyz").await.ok();
    let shown = ada.get(&format!("/runs/{broken}")).await.ok();
    assert_eq!(shown["evidence"][0]["id"], piece["id"]);
    assert_eq!(service.anonymous().get("/api/v1/health").await.ok()["services"]["database"], "healthy");
    service.expect_stopped().await;
    service.expect_sound();
}

async fn a_process_older_than_the_read_models_stops_appending(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let project = project(&ada).await;
    let run = run(&ada, &project).await;
    let mut newer = Raw::of(&service).await;
    newer.execute("UPDATE projections SET version = version + 1 WHERE name = 'runs'").await.unwrap();
    let before = newer.number("SELECT max(position) FROM events").await;
    let refused = ada.post(&format!("/runs/{run}/evidence")).json(note("too late")).await.refused(503);
    assert_eq!(refused.code, "UNAVAILABLE");
    assert_eq!(newer.number("SELECT max(position) FROM events").await, before);
    // Then it ends, so that whoever runs it starts the newer one.
    let ended = async {
        while service.anonymous().get("/healthz").attempt().await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(20), ended).await.is_ok(), "it goes on");
}

async fn positions_have_no_gaps_after_conflicts(store: Store) {
    let mut service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let project = project(&ada).await;
    // Of those who sign up at once with one address, one makes the account; of those who mint at once, one at a time gets
    // the next number.
    let graces = join_all((0..4).map(|_| service.sign_in("grace@example.org"))).await;
    for grace in &graces {
        assert_eq!((grace.user_id(), grace.org_id()), (graces[0].user_id(), graces[0].org_id()));
    }
    join_all((0..4).map(|_| receipt(&ada, &project))).await;
    let ledger = ada.get("/ledger").await.ok();
    let numbers: Vec<_> = ledger["entries"].as_array().unwrap().iter().map(|entry| &entry["org_seq"]).collect();
    assert_eq!(numbers, [0, 1, 2, 3]);
    let mut reader = Raw::of(&service).await;
    let gap = "SELECT max(position) - count(*) FROM events";
    assert_eq!(reader.number(gap).await, 0);
    service.expect_stopped().await;
    service.expect_sound();
}

on_both_stores!(
    nothing_recorded_can_be_changed_or_removed,
    an_altered_read_model_is_named_by_row_and_field,
    whatever_is_altered_in_the_ledger_is_named,
    a_head_noted_elsewhere_shows_that_history_was_rewritten,
    a_stalled_read_model_is_said_and_mended_while_the_ledger_goes_on,
    a_process_older_than_the_read_models_stops_appending,
    positions_have_no_gaps_after_conflicts,
);

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_says_the_same_embedded() {
    a_rebuild_says_the_same_while_writes_go_on(Store::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_says_the_same_postgres() {
    if store::postgres_is_at_hand() {
        a_rebuild_says_the_same_while_writes_go_on(Store::Postgres).await;
    }
}

#[tokio::test]
async fn a_second_writer_of_one_folder_is_refused() {
    let service = Service::start(Store::Embedded).await;
    let refused = service.on_store(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("another process is writing to"), "{said}");
    service.anonymous().get("/readyz").await.ok();
}

#[tokio::test]
async fn a_folder_without_a_ledger_is_not_made_one() {
    let service = Service::start(Store::Embedded).await;
    for command in [["ledger", "verify"], ["projections", "check"], ["projections", "rebuild"]] {
        let output = service.cli(&[&command[..], &["--data", "nowhere"]].concat());
        assert_eq!(output.status.code(), Some(1));
        assert!(String::from_utf8(output.stderr).unwrap().contains("there is no ledger in nowhere"), "{command:?}");
    }
    assert_eq!(service.cli(&["ledger", "verify", "--depth", "3"]).status.code(), Some(2));
}

#[tokio::test]
async fn two_processes_write_one_ledger() {
    if !store::postgres_is_at_hand() {
        return;
    }
    let one = Service::start(Store::Postgres).await;
    let other = one.beside().await;
    let ada = one.sign_in("ada@example.org").await;
    let there = other.sign_in("ada@example.org").await;
    let project = project(&ada).await;
    let runs = [run(&ada, &project).await, run(&there, &project).await];
    // Both write to the same records at the same time.
    let written =
        join_all(
            (0..120).map(|number| {
                let caller = if number % 2 == 0 { &ada } else { &there };
                let run = &runs[number / 2 % 2];
                async move {
                    id(&caller.post(&format!("/runs/{run}/evidence")).json(note(&number.to_string())).await.created())
                }
            }),
        )
        .await;
    let receipts = join_all([receipt(&ada, &project), receipt(&there, &project), receipt(&ada, &project)]).await;
    for caller in [&ada, &there] {
        let mut shown = Vec::new();
        for run in &runs {
            let run = caller.get(&format!("/runs/{run}")).await.ok();
            shown.extend(run["evidence"].as_array().unwrap().iter().map(id));
        }
        let sorted = |mut ids: Vec<String>| {
            ids.sort();
            ids
        };
        assert_eq!(sorted(shown), sorted(written.clone()));
        let ledger = caller.get("/ledger").await.ok();
        assert_eq!(ledger["entries"].as_array().unwrap().len(), receipts.len());
    }
    assert_eq!(Raw::of(&one).await.number("SELECT max(position) - count(*) FROM events").await, 0);
    one.expect_sound();
}

#[tokio::test]
async fn in_production_the_service_is_not_the_owner() {
    if !store::postgres_is_at_hand() {
        return;
    }
    let service = Service::start(Store::Postgres).await;
    let owner = service.database_url().unwrap();
    let production = |url: &str| {
        let data = service.data();
        let settings = ["serve", "--production", "--listen", "127.0.0.1:0", "--public-url", "https://grc.example.org"];
        let mail = ["--smtp-url", "smtps://127.0.0.1:1", "--mail-from", "grc@example.org"];
        let store = ["--data", data.to_str().unwrap(), "--database-url", url];
        service.cli(&[&settings[..], &mail, &store].concat())
    };
    let refused = production(&owner);
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(refused.status.code() == Some(1) && said.contains("refuses to serve as a role that owns"), "{said}");

    // The owner makes the tables; a role of its own serves, without knowing the owner.
    let role = format!("serving_{}", std::process::id());
    let url = |user: &str| {
        let mut url = reqwest::Url::parse(&owner).unwrap();
        url.set_path(&role);
        url.set_username(user).unwrap();
        url.to_string()
    };
    let (serving, owning) = (url(&role), url(reqwest::Url::parse(&owner).unwrap().username()));
    let mut connection = sqlx::PgConnection::connect(&owner).await.unwrap();
    for statement in [format!("CREATE ROLE {role} LOGIN"), format!("CREATE DATABASE {role}")] {
        sqlx::query(&statement).execute(&mut connection).await.unwrap();
    }
    let migrate = |more: &[&str]| service.cli(&[&["migrate", "--json", "--database-url", &serving], more].concat());
    assert!(!migrate(&[]).status.success(), "nobody made the tables");
    let made = migrate(&["--migrate-url", &owning]);
    assert!(made.status.success(), "{made:?}");
    assert!(migrate(&[]).status.success());
    let keys = service.data().join("keys");
    let mut production = Command::new(env!("CARGO_BIN_EXE_defendable"));
    production.args(["serve", "--production", "--listen", "127.0.0.1:0", "--public-url", "https://grc.example.org"]);
    production.args([
        "--smtp-url",
        "smtps://127.0.0.1:1",
        "--mail-from",
        "grc@example.org",
        "--database-url",
        &serving,
    ]);
    production.arg("--keys").arg(keys).arg("--data").arg(service.data()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = production.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
    process.kill().unwrap();
    let ended = process.wait_with_output().unwrap();
    for statement in [format!("DROP DATABASE {role} WITH (FORCE)"), format!("DROP ROLE {role}")] {
        sqlx::query(&statement).execute(&mut connection).await.unwrap();
    }
    assert!(line.starts_with("Listening on"), "{line}{}", String::from_utf8_lossy(&ended.stderr));
}

impl Service {
    #[track_caller]
    fn expect_verified(&self) {
        let (told, code) = self.told(&["ledger", "verify"]);
        assert_eq!((&told["ok"], code), (&json!(true), 0), "{told:#}");
    }

    async fn expect_stopped(&mut self) {
        assert!(self.stop().await.success());
    }
}
