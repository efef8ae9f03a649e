//! Agent profiles: what they declare, the lanes that they earn, the leaderboard, incidents and the reactor that opens them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod support;

use std::time::{Duration, Instant};
use support::*;

/// The id of a new profile.
async fn profile(caller: &Client, body: Value) -> String {
    id(&caller.post("/agent-profiles").json(body).await.created())
}

/// The id of a run of a profile with all that an example gives it.
async fn opened(caller: &Client, profile: &str, example: &Example) -> String {
    let project = caller.project("Bridge").await;
    let new = json!({
        "project_id": project, "flight_sheet_id": example.sheet, "inputs": example.inputs, "agent_profile_id": profile,
    });
    let run = id(&caller.post("/runs").json(new).await.created());
    for (label, content) in &example.evidence {
        let note = json!({"kind": "note", "label": label, "content": content});
        caller.post(&format!("/runs/{run}/evidence")).json(note).await.created();
    }
    run
}

/// A run of a profile on an example, audited; the run's id and the audit.
async fn judged(caller: &Client, profile: &str, example: &Example) -> (String, Value) {
    let run = opened(caller, profile, example).await;
    let audit = submit(caller, &run, example).await;
    (run, audit)
}

/// Hands an example's work in, and audits it.
async fn submit(caller: &Client, run: &str, example: &Example) -> Value {
    let work = caller.post(&format!("/runs/{run}/submission"));
    work.body("application/json", example.output.clone()).await.created();
    caller.post(&format!("/runs/{run}/audit")).await.ok()
}

async fn capability(caller: &Client, profile: &str) -> Value {
    caller.get(&format!("/agent-profiles/{profile}")).await.ok()["capability"].clone()
}

/// The incidents about a profile, once there are as many as expected, or after ten seconds.
async fn incidents(caller: &Client, profile: &str, expected: usize) -> Vec<Value> {
    let start = Instant::now();
    loop {
        let found = caller.get(&format!("/incidents?agent_profile_id={profile}")).await.ok();
        let found = found["incidents"].as_array().unwrap().clone();
        if found.len() >= expected || start.elapsed() > Duration::from_secs(10) {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn pass() -> Example {
    Example::of(SHEET, "pass")
}

/// Work that fails, on a run on which other work can pass.
fn fail() -> Example {
    Example { output: Example::of(SHEET, "fail").output, ..pass() }
}

/// Runs a profile into its block: two runs at propolis. Answers the runs.
async fn block(caller: &Client, profile: &str) -> [String; 2] {
    let (one, audit) = judged(caller, profile, &fail()).await;
    assert_eq!(audit["verdict"]["severity"], "propolis");
    let (other, _) = judged(caller, profile, &fail()).await;
    [one, other]
}

async fn a_profile_is_created_shown_listed_and_changed(store: Store) {
    let mut service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let full = json!({
        "name": " memo analyst ", "harness": "loop", "harness_version": "2.1", "model": "m-2", "model_provider": "p",
        "served_by": "q", "runtime_host": "h", "runtime_os": "debian", "runtime_hardware": "two cores",
        "tools": ["search", "search"], "context_window": 200_000, "capability_tier": "mid", "notes": "n",
        "governance": {
            "requires_approval_client_output": true, "spend_cap_usd": 12.5, "blocked_lanes": ["Bid review"], "notes": "g"
        }
    });
    let created = ada.post("/agent-profiles").json(full.clone()).await.created();
    let path = format!("/agent-profiles/{}", id(&created));
    for (field, sent) in full.as_object().unwrap() {
        match field.as_str() {
            "name" => assert_eq!(created["name"], "memo analyst"),
            "tools" => assert_eq!(created["tools"], json!(["search"])),
            field => assert_eq!(&created[field], sent, "{field}"),
        }
    }
    assert!(id(&created).starts_with("agt_"));
    assert_eq!((&created["active"], &created["revision"]), (&json!(true), &json!(1)));

    let bare = profile(&ada, json!({"name": "bare"})).await;
    let listed = ada.get("/agent-profiles").await.ok();
    let names: Vec<_> = listed["agent_profiles"].as_array().unwrap().iter().map(|one| one["name"].clone()).collect();
    assert_eq!(names, ["bare", "memo analyst"], "the newest first");
    assert_eq!(listed["agent_profiles"][0]["summary"]["overall_status"], "testing");
    let first = ada.get("/agent-profiles?limit=1").await.ok();
    let second = ada.get(&format!("/agent-profiles?cursor={}", first["next_cursor"].as_str().unwrap())).await.ok();
    assert_eq!((second["agent_profiles"].as_array().unwrap().len(), &second["next_cursor"]), (1, &Value::Null));

    let shown = ada.get(&path).await;
    assert_eq!(shown.header("etag"), Some("\"1\""));
    assert_eq!(shown.ok()["capability"]["evaluated_runs"], 0);
    let change = json!({"model": null, "notes": "slow", "governance": {"spend_cap_usd": 19.99}});
    let changed = ada.patch(&path).header("if-match", "\"1\"").json(change.clone()).await.ok();
    assert_eq!(
        (&changed["model"], &changed["notes"], &changed["harness"]),
        (&Value::Null, &json!("slow"), &json!("loop"))
    );
    assert_eq!(changed["governance"]["spend_cap_usd"], 19.99);
    assert_eq!(changed["governance"]["blocked_lanes"], json!([]));
    ada.patch(&path).header("if-match", "\"1\"").json(change).await.refused(412);
    assert_eq!(ada.patch(&path).json(json!({"active": false})).await.ok()["revision"], 3);
    assert_eq!(ada.get("/agent-profiles").await.ok()["agent_profiles"].as_array().unwrap().len(), 1);
    assert_eq!(ada.get(&path).await.ok()["active"], false, "it is still there");
    let new = |profile: &str, project: &str| json!({"project_id": project, "title": "t", "agent_profile_id": profile});
    let project = ada.project("Bridge").await;
    ada.post("/runs").json(new(&id(&created), &project)).await.refused(404);
    let run = ada.post("/runs").json(new(&bare, &project)).await.created();
    assert_eq!(run["agent_profile_id"], bare);
    service.stop().await;
    service.expect_sound();
}

async fn bad_input_is_named(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    // A path of its own, not the profile of that name.
    let answer = ada.patch("/agent-profiles/leaderboard").json(json!({"name": "n"})).await;
    assert_eq!(answer.headers["allow"], "GET, HEAD");
    answer.refused(405);
    for (field, body) in [
        ("name", json!({})),
        ("name", json!({"name": " "})),
        ("name", json!({"name": "n".repeat(121)})),
        ("model", json!({"name": "n", "model": "m".repeat(121)})),
        ("tools", json!({"name": "n", "tools": vec!["t".repeat(121)]})),
        ("context_window", json!({"name": "n", "context_window": 0})),
        ("capability_tier", json!({"name": "n", "capability_tier": "huge"})),
        ("colour", json!({"name": "n", "colour": "red"})),
        ("governance.spend_cap_usd", json!({"name": "n", "governance": {"spend_cap_usd": 0.001}})),
        ("governance.spend_cap_usd", json!({"name": "n", "governance": {"spend_cap_usd": -1}})),
        ("governance.mood", json!({"name": "n", "governance": {"mood": "good"}})),
    ] {
        let problem = ada.post("/agent-profiles").json(body.clone()).await.refused(400);
        assert_eq!(problem.field.as_deref(), Some(field), "{body}");
    }
    for (field, body) in [
        ("title", json!({})),
        ("title", json!({"title": "t".repeat(301)})),
        ("kind", json!({"title": "t", "kind": "single_flag"})),
        ("tier", json!({"title": "t", "tier": "urgent"})),
        ("detail", json!({"title": "t", "detail": "d".repeat(4_001)})),
        ("lane", json!({"title": "t", "lane": "l".repeat(201)})),
        ("response", json!({"title": "t", "response": [""]})),
        ("severity", json!({"title": "t", "severity": "high"})),
    ] {
        let problem = ada.post("/incidents").json(body.clone()).await.refused(400);
        assert_eq!(problem.field.as_deref(), Some(field), "{body}");
    }
    ada.get("/incidents?kind=single_flag").await.refused(400);
    ada.get("/receipts/recent?limit=51").await.refused(400);
    ada.get("/receipts/recent?schema=cook").await.refused(400);
}

async fn a_run_shows_its_profile_and_takes_its_names(store: Store) {
    let mut service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let eve = service.sign_in("eve@example.com").await;
    let agent =
        profile(&ada, json!({"name": "memo analyst", "model": "m-2", "model_provider": "p", "capability_tier": "mid"}))
            .await;
    let (run, audit) = judged(&ada, &agent, &pass()).await;
    assert_eq!(audit["verdict"]["severity"], "honey");
    let whole = ada.get(&format!("/runs/{run}")).await.ok();
    assert_eq!((&whole["agent_profile_id"], &whole["agent_profile"]["id"]), (&json!(agent), &json!(agent)));
    assert_eq!(whole["agent_profile"]["capability_tier"], "mid");
    assert_eq!(
        [&whole["agent_name"], &whole["model_name"], &whole["provider"]],
        [&json!("memo analyst"), &json!("m-2"), &json!("p")]
    );
    // The same audit of the same stack comes to the same.
    let again = ada.post(&format!("/runs/{run}/audit")).await.ok();
    assert_eq!(again["checks"], audit["checks"]);
    let theirs = json!({"project_id": eve.project("Bridge").await, "title": "t", "agent_profile_id": agent});
    eve.post("/runs").json(theirs).await.refused(404);

    ada.decide(&run, json!({"decision": "approved"})).await;
    // What the audit saw is sealed, whatever the profile says by now.
    ada.patch(&format!("/agent-profiles/{agent}")).json(json!({"name": "renamed"})).await.ok();
    let receipt = ada.post(&format!("/runs/{run}/receipt")).await.ok();
    let shared = service.anonymous().get(&path_of(&receipt["share_url"])).await.ok();
    assert_eq!((&shared["verified"], &shared["chain_consistent"]), (&json!(true), &json!(true)));
    let sealed = &shared["payload"]["agent_profile"];
    assert_eq!(
        (&sealed["id"], &sealed["name"], &sealed["active"]),
        (&json!(agent), &json!("memo analyst"), &json!(true))
    );
    assert_eq!((&sealed["governance"], &sealed["tools"], &sealed["model"]), (&Value::Null, &json!([]), &json!("m-2")));
    let (_, plain) = ada.minted().await;
    let plain = service.anonymous().get(&path_of(&plain["share_url"])).await.ok();
    assert_eq!(plain["payload"]["agent_profile"], Value::Null);
    service.stop().await;
    service.expect_sound();
}

async fn lanes_are_earned_and_the_best_lead(store: Store) {
    let mut service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let new = profile(&ada, json!({"name": "new"})).await;
    let good = profile(&ada, json!({"name": "good"})).await;
    let mixed = profile(&ada, json!({"name": "mixed"})).await;
    for done in 1..=3 {
        judged(&ada, &good, &pass()).await;
        let lane = &capability(&ada, &good).await["lane_authorizations"][0];
        let expected = if done < 3 { "testing" } else { "approved" };
        assert_eq!((&lane["status"], &lane["honey"], &lane["total"]), (&json!(expected), &json!(done), &json!(done)));
    }
    judged(&ada, &mixed, &pass()).await;
    judged(&ada, &mixed, &fail()).await;
    let earned = capability(&ada, &mixed).await;
    assert_eq!((&earned["overall_status"], &earned["evaluated_runs"]), (&json!("restricted"), &json!(2)));
    assert_eq!(earned["verdict_counts"], json!({"honey": 1, "jelly": 0, "propolis": 1}));
    assert_eq!(earned["lane_authorizations"][0]["status"], "restricted");
    assert_eq!((&earned["latest"]["severity"], earned["history"].as_array().unwrap().len()), (&json!("propolis"), 2));
    let flags = earned["recurring_flags"].as_array().unwrap();
    assert!(!flags.is_empty() && flags.len() <= 6 && flags.iter().all(|flag| flag["count"] == 1), "{flags:?}");
    for rate in earned["pass_rates"].as_array().unwrap() {
        let share = rate["rate"].as_f64().unwrap();
        assert!((0.0..=1.0).contains(&share) && rate["n"].as_u64().unwrap() > 0, "{rate}");
    }

    let board = ada.get("/agent-profiles/leaderboard").await.ok();
    let places: Vec<_> = board["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["name"].clone(), entry["approved_lanes"].clone()))
        .collect();
    assert_eq!(places, [(json!("good"), json!(1)), (json!("mixed"), json!(0)), (json!("new"), json!(0))]);
    assert_eq!((&board["entries"][0]["mean_score"], &board["entries"][2]["mean_score"]), (&json!(100.0), &Value::Null));
    let mut paged = vec![];
    let mut path = "/agent-profiles/leaderboard?limit=1".to_owned();
    loop {
        let page = ada.get(&path).await.ok();
        paged.push(page["entries"][0]["name"].clone());
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/agent-profiles/leaderboard?limit=1&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(paged, ["good", "mixed", "new"]);
    let summary = &ada.get("/agent-profiles").await.ok()["agent_profiles"][1]["summary"];
    assert_eq!(summary["approved_lanes"].as_array().unwrap().len(), 1);
    assert_eq!(ada.get("/org/usage").await.ok()["earned_lanes"], 1);
    assert_eq!(capability(&ada, &new).await["total_runs"], 0);
    service.stop().await;
    service.expect_sound();
}

async fn a_blocked_lane_refuses_says_why_and_is_lifted_by_repair(store: Store) {
    let mut service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let agent = profile(&ada, json!({"name": "bold"})).await;
    let path = format!("/agent-profiles/{agent}");
    let project = ada.project("Bridge").await;
    let open = json!({"project_id": project, "flight_sheet_id": SHEET, "agent_profile_id": agent});
    let early = opened(&ada, &agent, &pass()).await;
    let keyed = || ada.post("/runs").header("idempotency-key", "r-1").json(open.clone());
    let first = keyed().await.created();
    let [one, other] = block(&ada, &agent).await;
    assert_eq!(capability(&ada, &agent).await["lane_authorizations"][0]["status"], "blocked");

    // The reactor has opened its incident and locked the lane by itself.
    let found = incidents(&ada, &agent, 1).await;
    let lane = found[0]["lane"].as_str().unwrap().to_owned();
    assert_eq!(
        (&found[0]["kind"], &found[0]["tier"], &found[0]["status"]),
        (&json!("recurring_flag"), &json!("high"), &json!("open"))
    );
    assert_eq!((&found[0]["run_id"], &found[0]["agent_profile_name"]), (&json!(other), &json!("bold")));
    assert_eq!(found[0]["response"], json!(["lane locked", "human approval required", "repair recommended"]));
    let governance = ada.get(&path).await.ok()["governance"].clone();
    assert_eq!(governance["blocked_lanes"], json!([lane]));
    assert_eq!(keyed().await.created(), first, "a repeat is answered as it was");
    let problem = ada.post("/runs").json(open.clone()).await.refused(409);
    assert!(problem.detail.contains("governance.blocked_lanes"), "{}", problem.detail);

    // A person unlocks it; what the runs came to still stands in the way.
    ada.patch(&path).json(json!({"governance": null})).await.ok();
    let problem = ada.post("/runs").json(open.clone()).await.refused(409);
    assert!(problem.detail.contains("2 of its runs") && problem.detail.contains("repair"), "{}", problem.detail);
    // Another sheet is another lane.
    let elsewhere = json!({"project_id": project, "flight_sheet_id": GRADED, "agent_profile_id": agent});
    ada.post("/runs").json(elsewhere).await.created();

    // What was opened before is judged, and the agent's fitness with it.
    let audit = submit(&ada, &early, &pass()).await;
    let check = audit["checks"].as_array().unwrap().iter().find(|check| check["key"] == "stack_fit_lane").unwrap();
    assert_eq!(
        (&check["status"], &check["severity"], &check["category"]),
        (&json!("flag"), &json!("mid"), &json!("policy"))
    );
    let flags = ada.get(&format!("/runs/{early}/flags")).await.ok();
    let flag = flags["flags"].as_array().unwrap().iter().find(|flag| flag["key"] == "stack_fit_lane").unwrap();
    assert_eq!(flag["bucket"], "stack-fit");
    assert_eq!(audit["verdict"]["severity"], "jelly", "the work is right, but not clean");

    // Handing in again lifts nothing; a better verdict does.
    let work = ada.post(&format!("/runs/{one}/submission"));
    work.body("application/json", pass().output).await.created();
    ada.post("/runs").json(open.clone()).await.refused(409);
    ada.post(&format!("/runs/{one}/audit")).await.ok();
    let lane = capability(&ada, &agent).await["lane_authorizations"][0].clone();
    assert_eq!((&lane["status"], &lane["jelly"], &lane["propolis"]), (&json!("restricted"), &json!(2), &json!(1)));
    ada.post("/runs").json(open).await.created();
    for run in [&other, &one, &early] {
        assert_eq!(submit(&ada, run, &pass()).await["verdict"]["severity"], "honey");
    }
    let lane = capability(&ada, &agent).await["lane_authorizations"][0].clone();
    assert_eq!((&lane["status"], &lane["honey"], &lane["total"]), (&json!("approved"), &json!(3), &json!(3)));
    assert_eq!(incidents(&ada, &agent, 1).await.len(), 1, "and no other incident came of it");
    service.stop().await;
    service.expect_sound();
}

async fn an_incident_is_opened_resolved_and_receipted(store: Store) {
    let mut service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let eve = service.sign_in("eve@example.com").await;
    let agent = profile(&ada, json!({"name": "memo analyst"})).await;
    let (run, first) = ada.minted().await;
    let plain = ada.post("/incidents").json(json!({"title": " a memo went out "})).await.created();
    assert_eq!(
        (&plain["kind"], &plain["tier"], &plain["title"]),
        (&json!("policy_violation"), &json!("high"), &json!("a memo went out"))
    );
    let full = json!({
        "agent_profile_id": agent, "run_id": run, "kind": "rogue", "tier": "low", "title": "outside of its grant",
        "detail": "at length", "lane": "CRE memo", "response": ["called back"]
    });
    let opened = ada.post("/incidents").header("idempotency-key", "i-1").json(full.clone()).await.created();
    for (field, sent) in full.as_object().unwrap() {
        assert_eq!(&opened[field], sent, "{field}");
    }
    assert_eq!((&opened["status"], &opened["agent_profile_name"]), (&json!("open"), &json!("memo analyst")));
    for foreign in [json!({"title": "t", "agent_profile_id": agent}), json!({"title": "t", "run_id": run})] {
        eve.post("/incidents").json(foreign).await.refused(404);
    }

    let listed = |query: &str| {
        let call = ada.get(&format!("/incidents{query}"));
        async move {
            let page = call.await.ok();
            page["incidents"].as_array().unwrap().iter().map(|one| one["title"].clone()).collect::<Vec<_>>()
        }
    };
    assert_eq!(listed("").await, ["outside of its grant", "a memo went out"]);
    assert_eq!(listed(&format!("?agent_profile_id={agent}")).await, ["outside of its grant"]);
    assert_eq!(listed("?kind=policy_violation").await, ["a memo went out"]);
    assert_eq!(listed("?status=resolved").await, [] as [&str; 0]);
    let page = ada.get("/incidents?limit=1").await.ok();
    let rest = ada.get(&format!("/incidents?limit=1&cursor={}", page["next_cursor"].as_str().unwrap())).await.ok();
    assert_eq!((&rest["incidents"][0]["title"], &rest["next_cursor"]), (&json!("a memo went out"), &Value::Null));

    let path = format!("/incidents/{}", id(&opened));
    let shown = ada.get(&path).await;
    assert_eq!(shown.header("etag"), Some("\"1\""));
    ada.patch(&path).json(json!({"status": "open"})).await.refused(409);
    ada.patch(&path).json(json!({"status": "closed"})).await.refused(400);
    ada.patch(&path).header("if-match", "\"7\"").json(json!({})).await.refused(412);
    let resolved = ada.patch(&path).json(json!({})).await.ok();
    assert_eq!(resolved["status"], "resolved");
    assert!(resolved["resolved_at"].is_string());
    ada.patch(&path).json(json!({"status": "resolved"})).await.refused(409);
    ada.patch(&path).json(json!({"status": "open"})).await.refused(409);
    // A repeat is answered as it was.
    let repeat = ada.post("/incidents").header("idempotency-key", "i-1").json(full).await;
    assert_eq!(repeat.header("idempotency-replayed"), Some("true"));
    assert_eq!(repeat.created(), opened);

    let receipt = ada.post(&format!("{path}/receipt")).await.ok();
    let again = ada.post(&format!("{path}/receipt")).await.ok();
    assert_eq!((&again, &receipt["org_seq"]), (&receipt, &json!(1)), "on the chain of the run's receipt, once");
    let shared = service.anonymous().get(&format!("/share/{}", receipt["share_token"].as_str().unwrap())).await.ok();
    assert_eq!((&shared["verified"], &shared["chain_consistent"]), (&json!(true), &json!(true)));
    assert_eq!(
        (&shared["parent_hash"], &shared["receipt_sha256"]),
        (&first["receipt_sha256"], &receipt["receipt_sha256"])
    );
    let payload = &shared["payload"];
    assert_eq!(payload["schema"], "defendable.incident-receipt/v1");
    assert_eq!(sha256(canonical(payload).as_bytes()), receipt["receipt_sha256"].as_str().unwrap());
    let incident = &payload["incident"];
    for field in ["id", "kind", "tier", "title", "detail", "lane", "response"] {
        assert_eq!(incident[field], opened[field], "{field}");
    }
    assert_eq!((&incident["status"], &incident["opened_at"]), (&json!("resolved"), &opened["created_at"]));
    assert_eq!(payload["agent_profile"]["name"], "memo analyst");
    assert_eq!(payload["organization"]["id"], ada.org_id());
    let shown = ada.get(&path).await.ok();
    assert_eq!((&shown["receipt_id"], &shown["share_token"]), (&receipt["receipt_id"], &receipt["share_token"]));
    assert_eq!(ada.get("/ledger/verify").await.ok(), json!({"ok": true, "receipts_checked": 2, "errors": []}));
    assert_eq!(ada.get("/ledger").await.ok()["entries"][1]["receipt_id"], receipt["receipt_id"]);

    let recent = ada.get("/receipts/recent").await.ok();
    assert_eq!(recent["count"], 2);
    let [newest, oldest] = [&recent["rollups"][0], &recent["rollups"][1]];
    assert_eq!((&newest["payload_schema"], &newest["summary"]["lane"]), (&payload["schema"], &json!("incident")));
    assert_eq!((&newest["summary"]["incident_kind"], &newest["summary"]["tier"]), (&json!("rogue"), &json!("low")));
    assert_eq!((&oldest["summary"]["lane"], &oldest["summary"]["run_id"]), (&json!("eval"), &json!(run)));
    assert_eq!((&oldest["summary"]["severity"], &oldest["share_url"]), (&json!("honey"), &first["share_url"]));
    let only = |schema: &str| ada.get(&format!("/receipts/recent?limit=1&schema=defendable.{schema}-receipt%2Fv1"));
    assert_eq!(only("eval").await.ok()["rollups"][0]["receipt_id"], first["receipt_id"]);
    assert_eq!(only("incident").await.ok()["rollups"][0]["receipt_id"], receipt["receipt_id"]);
    let usage = ada.get("/org/usage").await.ok();
    let expected = json!({"receipts_lifetime": 2, "receipts_this_month": 2, "org_seq": 2, "earned_lanes": 0});
    assert_eq!(usage, expected);
    service.stop().await;
    service.expect_sound();
}

async fn the_watchdog_opens_what_is_missing_once(store: Store) {
    let mut service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let agent = profile(&ada, json!({"name": "bold"})).await;
    let watch = format!("/agent-profiles/{agent}/watchdog");
    let nothing = ada.post(&watch).await.ok();
    assert_eq!(nothing, json!({"opened": [], "scanned_lanes": 0, "blocked_lanes": []}));
    block(&ada, &agent).await;
    let found = incidents(&ada, &agent, 1).await;
    let lane = found[0]["lane"].clone();
    for _ in 0..2 {
        let watched = ada.post(&watch).await.ok();
        assert_eq!(watched, json!({"opened": [], "scanned_lanes": 1, "blocked_lanes": [lane]}));
    }
    ada.patch(&format!("/incidents/{}", id(&found[0]))).json(json!({})).await.ok();
    let watched = ada.post(&watch).await.ok();
    assert_eq!(watched["opened"][0]["lane"], lane, "resolved, but the lane is still blocked");
    assert_eq!(ada.post(&watch).await.ok()["opened"], json!([]));
    assert_eq!(incidents(&ada, &agent, 2).await.len(), 2);
    let governance = ada.get(&format!("/agent-profiles/{agent}")).await.ok()["governance"].clone();
    assert_eq!(governance["blocked_lanes"], json!([lane]), "locked once");
    service.stop().await;
    service.expect_sound();
}

async fn what_a_reactor_missed_or_does_again_comes_to_one_incident(store: Store) {
    let mut service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let agent = profile(&ada, json!({"name": "bold"})).await;
    block(&ada, &agent).await;
    // At once, before or after the reactor has looked.
    service.kill();
    let service = service.restart().await;
    assert_eq!(incidents(&ada, &agent, 1).await.len(), 1, "it goes on after a crash");
    // It forgets how far it was, and reads everything again.
    let mut raw = Raw::of(&service).await;
    raw.execute("DELETE FROM reactors").await.unwrap();
    let mut service = service.restart().await;
    let start = Instant::now();
    while raw.number("SELECT coalesce(max(position), 0) FROM reactors").await == 0 {
        assert!(start.elapsed() < Duration::from_secs(10), "the reactor does not read");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(incidents(&ada, &agent, 1).await.len(), 1, "what it does again changes nothing");
    if service.database_url().is_some() {
        let beside = service.beside().await;
        let other = profile(&ada, json!({"name": "bolder"})).await;
        block(&ada.through(&beside), &other).await;
        incidents(&ada, &other, 1).await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(incidents(&ada, &other, 1).await.len(), 1, "two processes do it once");
    }
    service.stop().await;
    service.expect_sound();
}

/// What `/readyz` says, once its status is this, or after twenty seconds.
async fn ready(service: &Service, status: &str) -> Value {
    let start = Instant::now();
    loop {
        let ready = service.anonymous().get("/readyz").await.ok();
        if ready["status"] == status || start.elapsed() > Duration::from_secs(20) {
            return ready;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn a_stuck_reactor_is_seen_and_stops_nobody(store: Store) {
    let service = Service::start_with(store, &[("DEFENDABLE_METRICS_LISTEN", "127.0.0.1:0")]).await;
    let ada = service.sign_in("ada@example.org").await;
    let agent = profile(&ada, json!({"name": "bold"})).await;
    block(&ada, &agent).await;
    incidents(&ada, &agent, 1).await;
    assert_eq!(service.anonymous().get("/readyz").await.ok(), json!({"status": "healthy", "detail": null}));

    // The profile cannot be read, and the reactor has to read it again.
    let mut raw = Raw::of(&service).await;
    let table = raw.table("agent_profiles").await;
    let sound = raw.text(&format!("SELECT doc FROM {table}")).await;
    raw.execute(&format!("UPDATE {table} SET doc = 'unreadable'")).await.unwrap();
    raw.execute("DELETE FROM reactors").await.unwrap();
    let mut service = service.restart().await;
    let degraded = ready(&service, "degraded").await;
    assert_eq!(degraded["status"], "degraded");
    let detail = degraded["detail"].as_str().unwrap();
    assert!(detail.starts_with("reactors are stuck: recurring_flags (position "), "{detail}");
    ada.project("written all the same").await;
    let output = service.output();
    let (_, figures) = output.split_once("Figures at ").expect("development mode says where");
    let figures = figures.split([',', ' ', '\n']).next().unwrap();
    let figures = reqwest::get(figures).await.unwrap().text().await.unwrap();
    let failures = figures
        .lines()
        .find_map(|line| line.strip_prefix("defendable_reactor_failures_total{reactor=\"recurring_flags\"} "));
    assert!(
        failures.and_then(|failures| failures.parse::<u64>().ok()).is_some_and(|failures| failures > 0),
        "{figures}"
    );

    raw.execute(&format!("UPDATE {table} SET doc = '{}'", sound.replace('\'', "''"))).await.unwrap();
    assert_eq!(ready(&service, "healthy").await, json!({"status": "healthy", "detail": null}));
    assert_eq!(incidents(&ada, &agent, 1).await.len(), 1);
    service.stop().await;
    service.expect_sound();
}

on_both_stores!(
    a_profile_is_created_shown_listed_and_changed,
    bad_input_is_named,
    a_run_shows_its_profile_and_takes_its_names,
    lanes_are_earned_and_the_best_lead,
    a_blocked_lane_refuses_says_why_and_is_lifted_by_repair,
    an_incident_is_opened_resolved_and_receipted,
    the_watchdog_opens_what_is_missing_once,
    what_a_reactor_missed_or_does_again_comes_to_one_incident,
    a_stuck_reactor_is_seen_and_stops_nobody,
);
