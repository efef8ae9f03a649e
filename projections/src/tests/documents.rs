//! Each model's document after each event.

use super::*;
use serde_json::json;

const KEY: &str = "0190a5b4-c3d2-7000-8000-0000000000cc";
const SHEET: &str = "019b7b6a-a800-7925-9871-b4b69bb1fd38";

/// A life of each record, from its beginning to its receipt.
pub(crate) fn history() -> Vec<Entry> {
    vec![
        entry(ORG, ORG, "organisation_founded", 0),
        entry(ORG, ORG, "member_added", 0),
        entry(ORG, ORG, "member_invited", 0),
        entry("system", PERSON, "user_registered", 0),
        entry(ORG, KEY, "api_key_issued", 0),
        entry("system", SHEET, "sheet_published", 0),
        entry(ORG, PROJECT, "project_created", 0),
        entry(ORG, PROFILE, "profile_created", 0),
        entry(ORG, RUN, "run_opened", 0),
        entry(ORG, RUN, "evidence_attached", 0),
        entry(ORG, RUN, "work_submitted", 0),
        entry(ORG, RUN, "rulebook_applied", 0),
        entry(ORG, RUN, "check_graded", 0),
        entry(ORG, RUN, "verdict_finalized", 0),
        entry(ORG, RUN, "profile_evaluated", 0),
        entry(ORG, RUN, "decision_recorded", 0),
        entry(ORG, RUN, "receipt_sealed", 0),
        entry(ORG, "000000000004", "receipt_minted", 0),
        entry(ORG, PROFILE, "incident_opened", 0),
    ]
}

/// The document after each of these events, which happen to one record.
fn after_each<const N: usize>(table: &'static str, org: &'static str, row: &str, entries: [Entry; N]) -> [Value; N] {
    let events = ledger(&entries);
    let mut tables = Tables::default();
    std::array::from_fn(|at| {
        tables.fold(&events[at..=at]);
        tables.row(table, org, row).map_or(Value::Null, |(doc, _)| doc)
    })
}

fn stamp(created: u8, updated: u8, revision: i64) -> Value {
    json!({
        "created_at": format!("2026-03-01T00:{created:02}:00Z"),
        "updated_at": format!("2026-03-01T00:{updated:02}:00Z"),
        "revision": revision,
    })
}

/// The personal value of the stored events.
fn sealed() -> Value {
    json!({"person": "usr_01j2jv9gyje00800000000000n", "nonce": "0".repeat(48), "ciphertext": "a1b2c3"})
}

#[test]
fn a_person() {
    let [registered, renamed, unnamed, erased] = after_each(
        "people",
        "system",
        PERSON,
        [
            entry("system", PERSON, "user_registered", 1),
            entry("system", PERSON, "user_renamed", 0),
            entry("system", PERSON, "user_renamed", 1),
            entry("system", PERSON, "user_erased", 0),
        ],
    );
    let (id, sealed) = ("usr_01j2jv9gyje00800000000000n", sealed());
    assert_eq!(registered, json!({"id": id, "email": sealed, "name": null, "stamp": stamp(1, 1, 1)}));
    assert_eq!(renamed, json!({"id": id, "email": sealed, "name": sealed, "stamp": stamp(1, 2, 2)}));
    assert_eq!(unnamed, json!({"id": id, "email": sealed, "name": null, "stamp": stamp(1, 3, 3)}));
    assert_eq!(erased, json!({"id": id, "email": null, "name": null, "stamp": stamp(1, 4, 4)}));
}

#[test]
fn an_organisation_and_its_members() {
    let entries = || {
        [
            entry(ORG, ORG, "organisation_founded", 0),
            entry(ORG, ORG, "member_added", 0),
            entry(ORG, ORG, "member_role_changed", 0),
            entry(ORG, ORG, "member_deactivated", 0),
            entry(ORG, ORG, "member_reactivated", 0),
            entry(ORG, ORG, "settings_changed", 0),
            entry(ORG, ORG, "member_removed", 0),
        ]
    };
    let organisations = after_each("organisations", ORG, ORG, entries());
    for (organisation, revision) in organisations.iter().zip(1..) {
        let expected = json!({
            "id": "org_01j2jv9gyje00800000000005a", "name": "example.com", "slug": "example-com-3f4a5b",
            "stamp": stamp(1, revision, i64::from(revision)),
        });
        assert_eq!(organisation, &expected);
    }

    let member = |role: &str, status: &str, minute: u8| {
        json!({
            "user": "usr_01j2jv9gyje00800000000000n", "role": role, "status": status,
            "stamp": stamp(2, minute, i64::from(minute)),
        })
    };
    let expected = [
        Value::Null,
        member("admin", "active", 2),
        member("auditor", "active", 3),
        member("auditor", "inactive", 4),
        member("auditor", "active", 5),
        member("auditor", "active", 5),
        Value::Null,
    ];
    assert_eq!(after_each("memberships", ORG, PERSON, entries()), expected);

    let events = entries();
    let mut tables = Tables::default();
    tables.fold(&ledger(&events[..4]));
    let (_, cells) = tables.row("memberships", ORG, PERSON).expect("a member");
    assert_eq!(cells, [Cell::text(PERSON), Cell::text("auditor"), Cell::text("inactive")]);
}

#[test]
fn an_invitation() {
    let invited = || entry(ORG, ORG, "member_invited", 0);
    let entries = [
        invited(),
        entry(ORG, ORG, "settings_changed", 0),
        entry(ORG, ORG, "invitation_accepted", 0),
        entry(ORG, ORG, "invitation_withdrawn", 0),
        invited(),
    ];
    let sent = |minute| {
        json!({
            "id": "inv_01j2jv9gyje008000000000019", "email": sealed(), "role": "analyst", "token_hash": "e".repeat(64),
            "expires_at": "2026-03-08T00:00:00Z", "accepted_at": null, "stamp": stamp(minute, minute, i64::from(minute)),
        })
    };
    let mut accepted = sent(1);
    accepted["accepted_at"] = json!("2026-03-01T00:03:00Z");
    accepted["stamp"] = stamp(1, 3, 3);
    assert_eq!(after_each("invitations", ORG, PROJECT, entries), [sent(1), sent(1), accepted, Value::Null, sent(5)]);
}

#[test]
fn an_api_key() {
    let entries = [entry(ORG, KEY, "api_key_issued", 0), entry(ORG, KEY, "api_key_revoked", 0)];
    let [issued, revoked] = after_each("api_keys", ORG, KEY, entries);
    let expected = json!({
        "id": "key_01j2jv9gyje00800000000006c", "name": "ci", "role": "analyst", "prefix": "sk-abcdefghi",
        "key_hash": "a".repeat(64), "expires_at": "2026-03-01T12:00:00Z", "issued_by": "service", "revoked": false,
        "stamp": stamp(1, 1, 1),
    });
    assert_eq!(issued, expected);
    assert_eq!((&revoked["revoked"], &revoked["stamp"]), (&json!(true), &stamp(1, 2, 2)));
}

#[test]
fn a_flight_sheet() {
    let published = || entry("system", SHEET, "sheet_published", 0);
    let entries = [published(), entry("system", SHEET, "sheet_retired", 0), published()];
    let documents = after_each("flight_sheets", "system", SHEET, entries);
    let active = documents.each_ref().map(|document| &document["active"]);
    assert_eq!(active, [&json!(true), &json!(false), &json!(true)]);
    for (document, revision) in documents.iter().zip(1..) {
        assert_eq!(document["published"]["content_sha256"], json!("c".repeat(64)));
        assert_eq!(document["stamp"], stamp(1, revision, i64::from(revision)));
    }
    for early in ["sheet_retired", "sheet_used"] {
        let [nothing] = after_each("flight_sheets", "system", SHEET, [entry("system", SHEET, early, 0)]);
        assert_eq!(nothing, Value::Null);
    }
}

#[test]
fn an_organisations_own_flight_sheet() {
    let entries = [entry(ORG, SHEET, "sheet_published", 0), entry(ORG, SHEET, "sheet_used", 0)];
    for (document, revision) in after_each("flight_sheets", ORG, SHEET, entries.clone()).iter().zip(1..) {
        assert_eq!((&document["own"], &document["active"]), (&json!(true), &json!(true)));
        assert_eq!(document["stamp"], stamp(1, revision, i64::from(revision)));
    }
    let [library] = after_each("flight_sheets", "system", SHEET, [entry("system", SHEET, "sheet_published", 0)]);
    assert_eq!(library["own"], false);
    let version = json!({
        "sheet": "fs_01kdxpna00f4jsgwdmptdv3z9r", "published_at": "2026-03-01T00:01:00Z",
        "published": {
            "slug": "cre_memo_dscr_ltv_v1", "name": "CRE memo", "version": "1.0", "lane": "agent",
            "content_sha256": "c".repeat(64),
        },
    });
    // Published again as it was, it has not been published later for that.
    let [published, used] = entries;
    let entries = [published.clone(), used, published];
    let row = format!("{SHEET}/1.0");
    assert_eq!(after_each("flight_sheet_versions", ORG, &row, entries), [version.clone(), version.clone(), version]);
}

#[test]
fn a_project_counts_its_runs_and_is_itself_not_changed_by_them() {
    let opened = |run: &str| entry(ORG, run, "run_opened", 1);
    let entries = [entry(ORG, PROJECT, "project_created", 0), opened(RUN), opened(KEY)];
    let documents = after_each("projects", ORG, PROJECT, entries);
    for (document, count) in documents.iter().zip(0..) {
        let expected = json!({
            "id": "prj_01j2jv9gyje008000000000019", "name": "Lending", "slug": "lending-3f4a5b",
            "created_by": "usr_01j2jv9gyje00800000000000n", "run_count": count, "stamp": stamp(1, 1, 1),
        });
        assert_eq!(document, &expected);
    }
}

#[test]
fn a_run_stands_where_its_own_rules_say() {
    let entries = history();
    let events = ledger(&entries);
    let mut tables = Tables::default();
    let mut statuses = vec![];
    let mut head = aggregates::runs::Head::default();
    for event in &events {
        tables.fold(std::slice::from_ref(event));
        let Happened::Run(happened) = &event.happened else { continue };
        head.evolve(happened);
        let (document, cells) = tables.row("runs", ORG, RUN).expect("a run");
        assert_eq!(document["head"], serde_json::to_value(&head).expect("can be written"));
        assert_eq!(document["stamp"]["revision"], json!(event.sequence));
        assert_eq!(document["created_by"], json!("service"));
        assert_eq!(cells, [Cell::text(PROJECT), Cell::text(head.status.as_str())]);
        statuses.push(head.status.as_str());
    }
    let expected = [
        "assignment_issued",
        "assignment_issued",
        "submitted",
        "audited",
        "audited",
        "findings_ready",
        "findings_ready",
        "approved",
        "receipted",
    ];
    assert_eq!(statuses, expected);
}

#[test]
fn a_piece_of_evidence_keeps_its_text() {
    let [attached] = after_each("run_evidence", ORG, EVIDENCE, [entry(ORG, RUN, "evidence_attached", 0)]);
    assert_eq!(attached["run"], json!("run_01j2jv9gyje008000000000001"));
    assert_eq!(attached["evidence"]["content"]["inline"], json!("rent roll, page 3"));
}

#[test]
fn checks_are_graded_and_replaced_by_the_next_audit() {
    let row = |ordinal: usize| format!("{RUN}/{ordinal:05}");
    let entries = || {
        [
            entry(ORG, RUN, "rulebook_applied", 0),
            entry(ORG, RUN, "check_graded", 0),
            entry(ORG, RUN, "check_graded", 1),
            entry(ORG, RUN, "rulebook_applied", 0),
        ]
    };
    let [open, met, broken, again] = after_each("run_checks", ORG, &row(1), entries());
    let graded = |check: &Value| {
        ["status", "source", "severity", "detail"].map(|field| check["outcome"].get(field).cloned().unwrap_or_default())
    };
    assert_eq!(graded(&open), [json!("open"), json!("operator"), json!("minor"), Value::Null]);
    assert_eq!(graded(&met), [json!("pass"), json!("operator"), json!("minor"), json!("read it twice")]);
    assert_eq!(graded(&broken), [json!("flag"), json!("operator"), json!("minor"), Value::Null]);
    assert_eq!((graded(&again), &again["stamp"]), (graded(&open), &stamp(4, 4, 4)));
    assert_eq!((&open["audit"], &open["ordinal"]), (&json!(2), &json!(1)));

    let untouched = after_each("run_checks", ORG, &row(0), entries());
    assert_eq!(untouched[0], untouched[2], "the referee's own check stays");
    let [nothing] = after_each("run_checks", ORG, &row(1), [entry(ORG, RUN, "check_graded", 0)]);
    assert_eq!(nothing, Value::Null, "what is not there cannot be graded");
}

#[test]
fn a_minted_receipt_is_kept_whole() {
    let id = "000000000004";
    let entries = [entry(ORG, id, "receipt_minted", 0)];
    let mut tables = Tables::default();
    tables.fold(&ledger(&entries));
    let (document, cells) = tables.row("minted_receipts", ORG, id).expect("a receipt");
    let payload: Value = serde_json::from_str(entries[0].payload).expect("is JSON");
    assert_eq!(document, payload["receipt_minted"]);
    let minted_at = Cell::integer(1_772_323_860);
    assert_eq!(cells, [Cell::integer(4), Cell::text("a1B2c3D4e5F6g7H8i9J0k1L2"), Cell::text(RUN), minted_at.clone()]);

    let id = "000000000005";
    let entries = [entry(ORG, id, "receipt_minted", 1)];
    let mut tables = Tables::default();
    tables.fold(&ledger(&entries));
    let (document, cells) = tables.row("minted_receipts", ORG, id).expect("a receipt");
    let payload: Value = serde_json::from_str(entries[0].payload).expect("is JSON");
    assert_eq!(document, payload["receipt_minted"]);
    let no_run = Cell::Text(None);
    assert_eq!(cells, [Cell::integer(5), Cell::text("b1B2c3D4e5F6g7H8i9J0k1L2"), no_run, minted_at]);
}

#[test]
fn a_profile_is_what_it_declares_and_what_its_runs_have_earned() {
    const OTHER: &str = KEY;
    const SHEET_ID: &str = "fs_01kdvdna00f4ybgs0vtht06zrf";
    let judged = |run: &str, at: usize| entry(ORG, run, "profile_evaluated", at);
    let [created, opened, once, twice, mended, locked, retired] = after_each(
        "agent_profiles",
        ORG,
        PROFILE,
        [
            entry(ORG, PROFILE, "profile_created", 1),
            entry(ORG, RUN, "run_opened", 0),
            judged(RUN, 0),
            judged(OTHER, 0),
            judged(RUN, 1),
            entry(ORG, PROFILE, "lane_locked", 0),
            entry(ORG, PROFILE, "profile_retired", 0),
        ],
    );
    assert_eq!(created["declared"], json!({"profile": {"name": "bare"}, "active": true}));
    assert_eq!((&created["record"]["total_runs"], &opened["record"]["total_runs"]), (&json!(0), &json!(1)));
    let lane = |document: &Value| document["record"]["lanes"][SHEET_ID].clone();
    let counts = |honey: u32, jelly: u32, propolis: u32| json!({"honey": honey, "jelly": jelly, "propolis": propolis});
    assert_eq!(lane(&once), json!({"name": "CRE memo", "lane": "agent", "counts": counts(0, 0, 1)}));
    let blocked = json!({"name": "CRE memo", "lane": "agent", "counts": counts(0, 0, 2), "blocked_by": 4});
    assert_eq!(lane(&twice), blocked, "it says which event blocked it");
    assert_eq!(lane(&mended), json!({"name": "CRE memo", "lane": "agent", "counts": counts(1, 0, 1)}));
    let record = &mended["record"];
    assert_eq!((&record["counts"], &record["score_sum"]), (&counts(1, 0, 1), &json!(162)));
    assert_eq!(record["tallies"], json!({"math": [4, 2]}));
    let history = record["history"].as_array().expect("a list");
    let runs: Vec<_> = history.iter().map(|judged| (judged["severity"].as_str(), judged["at"].as_str())).collect();
    let expected = [(Some("honey"), Some("2026-03-01T00:05:00Z")), (Some("propolis"), Some("2026-03-01T00:04:00Z"))];
    assert_eq!(runs, expected, "each run once, the newest first");
    assert_eq!(mended["stamp"], stamp(1, 1, 1), "runs do not change the profile itself");
    assert_eq!(locked["declared"]["profile"]["governance"]["blocked_lanes"], json!(["CRE memo"]));
    assert_eq!((&retired["declared"]["active"], &retired["stamp"]), (&json!(false), &stamp(1, 7, 3)));
}

#[test]
fn a_flag_counts_the_runs_that_stand_with_it() {
    let judged = |run: &str, at: usize| entry(ORG, run, "profile_evaluated", at);
    let entries = [judged(RUN, 0), judged(KEY, 0), judged(RUN, 1), judged(KEY, 1)];
    let events = ledger(&entries);
    let mut tables = Tables::default();
    let mut counts = vec![];
    for event in &events {
        tables.fold(std::slice::from_ref(event));
        let flags = tables.0.iter().filter(|((table, ..), _)| *table == "agent_flags");
        let flags = flags.map(|(_, (_, document, _))| serde_json::from_str::<Value>(document).expect("is JSON"));
        let mut flags: Vec<_> = flags.map(|flag| (flag["label"].to_string(), flag["count"].clone())).collect();
        flags.sort_by(|a, b| a.0.cmp(&b.0));
        counts.push(flags);
    }
    let flag = |label: &str, count: u32| (json!(label).to_string(), json!(count));
    assert_eq!(counts[0], [flag("DSCR", 1), flag("tone", 1)]);
    assert_eq!(counts[1], [flag("DSCR", 2), flag("tone", 2)]);
    // What the second evaluation says it replaces had one of the two.
    assert_eq!(counts[2], [flag("DSCR", 1), flag("tone", 2)]);
    assert_eq!(counts[3], [flag("tone", 2)], "what no run is flagged with is gone");
}

#[test]
fn an_incident_is_opened_resolved_and_sealed() {
    let [opened, resolved, sealed] = after_each(
        "run_incidents",
        ORG,
        PROFILE,
        [
            entry(ORG, PROFILE, "incident_opened", 0),
            entry(ORG, PROFILE, "incident_resolved", 0),
            entry(ORG, PROFILE, "incident_sealed", 0),
        ],
    );
    assert_eq!(opened["incident"]["opened"]["kind"], json!("recurring_flag"));
    assert_eq!((&opened["incident"]["resolved"], &opened["resolved_at"]), (&json!(false), &Value::Null));
    assert_eq!(resolved["resolved_at"], json!("2026-03-01T00:02:00Z"));
    assert_eq!((&sealed["incident"]["receipt"]["org_seq"], &sealed["stamp"]), (&json!(4), &stamp(1, 3, 3)));
    let entries = [entry(ORG, PROFILE, "incident_opened", 0), entry(ORG, PROFILE, "incident_sealed", 0)];
    let mut tables = Tables::default();
    tables.fold(&ledger(&entries));
    let (_, cells) = tables.row("run_incidents", ORG, PROFILE).expect("an incident");
    let expected = [PROFILE, "open", "recurring_flag", "CRE memo", "000000000004"].map(Cell::text);
    assert_eq!(cells, expected);
}
