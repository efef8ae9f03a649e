//! An organisation with more than one person, over HTTP: who is asked in, who may do what, who leaves, who is erased.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod support;

use aggregates::ids::UserId;
use defendable::store::{self, Target};
use projections::{Db, on};
use proof::{
    digest::Blake3Hex,
    event::{Envelope, EventChain, payload_digest},
};
use support::*;

const ADA: &str = "ada@example.org";
const BOB: &str = "bob@example.net";

/// What follows `invite=` in an invitation's link.
fn token(invite: &Value) -> Value {
    let link = invite["invite_url"].as_str().expect("a link");
    json!(link.split_once("/auth/callback?invite=").expect("leads to the callback").1)
}

async fn invite(admin: &Client, email: &str, role: &str) -> Value {
    admin.post("/org/invites").json(json!({"email": email, "role": role})).await.created()
}

async fn accept(service: &Service, token: &Value) -> Reply {
    service.anonymous().post("/auth/accept-invite").json(json!({ "token": token })).await
}

/// The example's work, submitted by one person and ready for somebody's decision.
async fn ready_run(client: &Client) -> String {
    let example = |name: &str| {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/catalog/examples/cre_memo_dscr_ltv_v1");
        std::fs::read_to_string(format!("{folder}/{name}")).unwrap()
    };
    let given: Value = serde_json::from_str(&example("pass.run.json")).unwrap();
    let project = client.post("/projects").json(json!({"name": "Bridge"})).await.created();
    let run = json!({
        "project_id": project["id"],
        "flight_sheet_id": "cre_memo_dscr_ltv_v1",
        "title": "Q2 deal",
        "inputs": given["inputs"],
    });
    let run = client.post("/runs").json(run).await.created()["id"].as_str().unwrap().to_owned();
    for evidence in given["evidence"].as_array().unwrap() {
        let note = json!({"kind": "note", "label": evidence["label"], "content": evidence["content"]});
        client.post(&format!("/runs/{run}/evidence")).json(note).await.created();
    }
    let submission = client.post(&format!("/runs/{run}/submission"));
    submission.body("application/json", example("pass.json")).await.created();
    let audit = client.post(&format!("/runs/{run}/audit")).await.ok();
    for check in audit["checks"].as_array().unwrap().iter().filter(|check| check["status"] == "open") {
        let path = format!("/runs/{run}/checks/{}", check["id"].as_str().unwrap());
        client.patch(&path).json(json!({"status": "pass"})).await.ok();
    }
    client.post(&format!("/runs/{run}/findings")).await.ok();
    run
}

async fn approve(client: &Client, run: &str) -> Reply {
    client.post(&format!("/runs/{run}/approve")).json(json!({"decision": "approved", "note": "ship it"})).await
}

async fn an_invited_stranger_joins_without_an_organisation_of_their_own(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in(ADA).await;
    let made = invite(&ada, " Bob@Example.NET ", "analyst").await;
    assert_eq!((&made["email"], &made["role"], &made["sent"]), (&json!(BOB), &json!("analyst"), &json!(false)));
    assert!(made["invite_url"].as_str().unwrap().starts_with(&service.url()));
    assert!(made["id"].as_str().unwrap().starts_with("inv_"));

    let named = json!({"token": token(&made), "name": " Bob "});
    let joined = service.anonymous().post("/auth/accept-invite").json(named).await.ok();
    assert_eq!(joined["token_type"], "bearer");
    assert_eq!(joined["user"]["email"], BOB);
    assert_eq!(joined["user"]["name"], "Bob");
    assert_eq!(joined["user"]["org_id"], ada.org_id());
    let bob = service.anonymous().bearer(joined["access_token"].as_str().unwrap());
    let me = bob.get("/auth/me").await.ok();
    assert_eq!((&me["role"], &me["org_name"]), (&json!("analyst"), &json!("example.org")));

    // The same person by magic link, and in no other organisation.
    let again = service.sign_in(BOB).await;
    assert_eq!((again.user_id(), again.org_id()), (joined["user"]["id"].as_str().unwrap(), ada.org_id()));

    let members = ada.get("/org/members").await.ok();
    let shown: Vec<_> = members["members"].as_array().unwrap().iter().map(|m| (&m["email"], &m["role"])).collect();
    assert_eq!(shown, [(&json!(ADA), &json!("admin")), (&json!(BOB), &json!("analyst"))]);
    assert_eq!(members["next_cursor"], Value::Null);
    let org = bob.get("/org").await.ok();
    assert_eq!((&org["id"], &org["member_count"]), (&json!(ada.org_id()), &json!(2)));
    assert_eq!((&org["plan"], &org["receipt_count"]), (&json!("free"), &json!(0)));

    let invites = ada.get("/org/invites").await.ok();
    let invites = invites["invites"].as_array().unwrap();
    assert_eq!((invites.len(), &invites[0]["email"]), (1, &json!(BOB)));
    assert!(invites[0]["accepted_at"].is_string());
    assert!(invites[0].get("invite_url").is_none() && invites[0].get("token").is_none());
}

async fn an_invitations_link_leads_a_browser_in(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in(ADA).await;
    let token = token(&invite(&ada, BOB, "viewer").await);
    let token = token.as_str().unwrap();
    let browser = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let callback = format!("{}/auth/callback", service.url());
    let opened = browser.get(format!("{callback}?invite={token}")).send().await.unwrap();
    assert_eq!(opened.status(), 200);
    let opened = opened.text().await.unwrap();
    assert!(opened.contains(&format!("name=\"invite\" value=\"{token}\"")), "{opened}");
    assert_eq!(ada.get("/org").await.ok()["member_count"], 1, "opening the link changes nothing");

    let press = |origin: String| {
        let form = browser.post(&callback).header("content-type", "application/x-www-form-urlencoded");
        form.header("origin", origin).body(format!("invite={token}")).send()
    };
    assert_eq!(press("https://evil.example".to_owned()).await.unwrap().status(), 403);
    let pressed = press(service.url()).await.unwrap();
    assert_eq!(pressed.status(), 303);
    let cookie = pressed.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let me = service.anonymous().with("cookie", &cookie).get("/auth/me").await.ok();
    assert_eq!((&me["email"], &me["org_id"], &me["role"]), (&json!(BOB), &json!(ada.org_id()), &json!("viewer")));
    assert_eq!(press(service.url()).await.unwrap().status(), 401);
}

async fn members_are_listed_by_the_page(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in(ADA).await;
    for number in 0..4 {
        service.colleague(&ada, "viewer", &format!("c{number}@example.org")).await;
    }
    let (mut seen, mut path) = (Vec::new(), "/org/members?limit=2".to_owned());
    loop {
        let page = ada.get(&path).await.ok();
        seen.extend(page["members"].as_array().unwrap().iter().map(|m| m["email"].as_str().unwrap().to_owned()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        path = format!("/org/members?limit=2&cursor={next}");
    }
    assert_eq!(seen, [ADA, "c0@example.org", "c1@example.org", "c2@example.org", "c3@example.org"]);
    let invites = ada.get("/org/invites?limit=3").await.ok();
    assert_eq!(invites["invites"][0]["email"], "c3@example.org", "the newest first");
    let rest = format!("/org/invites?cursor={}", invites["next_cursor"].as_str().unwrap());
    assert_eq!(ada.get(&rest).await.ok()["invites"].as_array().unwrap().len(), 1);
}

async fn an_invitation_is_refused_where_it_makes_no_sense(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in(ADA).await;
    let ask = |body: Value| ada.post("/org/invites").json(body);
    assert_eq!(ask(json!({"email": "bob", "role": "viewer"})).await.refused(400).field.as_deref(), Some("email"));
    assert_eq!(ask(json!({"email": BOB, "role": "owner"})).await.refused(400).field.as_deref(), Some("role"));
    ask(json!({"email": BOB})).await.refused(400);
    ask(json!({"email": BOB, "role": "viewer", "admin": true})).await.refused(400);
    ask(json!({"email": ADA, "role": "viewer"})).await.refused(409);
    let first = invite(&ada, BOB, "viewer").await;
    ask(json!({"email": BOB, "role": "admin"})).await.refused(409);

    // Taken back, it is void, and another may be sent.
    let path = format!("/org/invites/{}", first["id"].as_str().unwrap());
    ada.delete(&path).await.no_content();
    ada.delete(&path).await.refused(404);
    accept(&service, &token(&first)).await.refused(401);
    let second = invite(&ada, BOB, "auditor").await;
    assert_eq!(accept(&service, &token(&second)).await.ok()["user"]["email"], BOB);
    ask(json!({"email": BOB, "role": "admin"})).await.refused(409);
    ada.delete(&format!("/org/invites/{}", second["id"].as_str().unwrap())).await.refused(404);
}

async fn a_repeated_invitation_is_the_first_one(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in(ADA).await;
    let ask = || ada.post("/org/invites").json(json!({"email": BOB, "role": "viewer"})).header("idempotency-key", "k1");
    let (first, repeat) = (ask().await.created(), ask().await);
    assert_eq!(repeat.header("idempotency-replayed"), Some("true"));
    let repeat = repeat.created();
    assert_eq!((&repeat["id"], &repeat["created_at"]), (&first["id"], &first["created_at"]));
    assert_eq!(repeat["invite_url"], Value::Null, "only the token's digest is kept");
    accept(&service, &token(&first)).await.ok();
}

async fn an_invitation_works_once(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in(ADA).await;
    let token = token(&invite(&ada, BOB, "viewer").await);
    let (one, other) = tokio::join!(accept(&service, &token), accept(&service, &token));
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401], "of two at once one wins");
    let late = accept(&service, &token).await.refused(401);
    let unknown = accept(&service, &json!("no such token")).await.refused(401);
    assert_eq!(late, unknown, "a used token is told from an unknown one by nobody");
    assert_eq!(ada.get("/org").await.ok()["member_count"], 2);
    let named = json!({"token": "x", "name": "n".repeat(201)});
    service.anonymous().post("/auth/accept-invite").json(named).await.refused(400);
}

async fn who_signed_up_between_invitation_and_acceptance_is_one_person(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in(ADA).await;
    let made = invite(&ada, BOB, "viewer").await;
    let bob = service.sign_in(BOB).await;
    assert_ne!(bob.org_id(), ada.org_id(), "signing in accepts nothing");
    assert_eq!(bob.get("/auth/me").await.ok()["role"], "admin");
    let joined = accept(&service, &token(&made)).await.ok();
    assert_eq!(joined["user"]["id"], bob.user_id());
    assert_eq!(joined["user"]["org_id"], ada.org_id());
}

async fn two_organisations_that_ask_the_same_stranger_in_ask_one_person_in(store: Store) {
    let service = Service::start(store).await;
    let (ada, eve) = (service.sign_in(ADA).await, service.sign_in("eve@example.com").await);
    let (from_ada, from_eve) = tokio::join!(invite(&ada, BOB, "viewer"), invite(&eve, BOB, "auditor"));
    let one = accept(&service, &token(&from_ada)).await.ok();
    let other = accept(&service, &token(&from_eve)).await.ok();
    assert_eq!(one["user"]["id"], other["user"]["id"]);
}

async fn a_person_in_two_organisations_says_for_which_one_they_act(store: Store) {
    let service = Service::start(store).await;
    let (ada, eve) = (service.sign_in(ADA).await, service.sign_in("eve@example.com").await);
    let bob = service.sign_in(BOB).await;
    let made = invite(&ada, BOB, "viewer").await;
    accept(&service, &token(&made)).await.ok();

    let me = |client: Client| async move {
        let me = client.get("/auth/me").await.ok();
        (me["org_id"].clone(), me["role"].clone())
    };
    assert_eq!(me(bob.clone()).await, (json!(bob.org_id()), json!("admin")));
    let at_adas = bob.with("x-org-id", ada.org_id());
    assert_eq!(me(at_adas.clone()).await, (json!(ada.org_id()), json!("viewer")));
    bob.with("x-org-id", eve.org_id()).get("/auth/me").await.refused(404);

    // What is done there is done there, with the role there.
    bob.post("/projects").json(json!({"name": "Mine"})).await.created();
    at_adas.post("/projects").json(json!({"name": "Hers"})).await.refused(403);
    assert_eq!(at_adas.get("/projects").await.ok()["projects"], json!([]));

    // Deactivated there, the rest stays.
    ada.delete(&format!("/org/members/{}", bob.user_id())).await.no_content();
    at_adas.get("/auth/me").await.refused(404);
    assert_eq!(me(bob.clone()).await, (json!(bob.org_id()), json!("admin")));
}

async fn roles_change_but_for_the_last_admin_and_oneself(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in(ADA).await;
    let bob = service.colleague(&ada, "viewer", BOB).await;
    let eve = service.sign_in("eve@example.com").await;
    let change = |by: &Client, of: &Client, role: &str| {
        by.put(&format!("/org/members/{}/role", of.user_id())).json(json!({ "role": role }))
    };
    change(&bob, &ada, "viewer").await.refused(403);
    change(&ada, &ada, "viewer").await.refused(409);
    change(&ada, &eve, "viewer").await.refused(404);
    ada.delete(&format!("/org/members/{}", eve.user_id())).await.refused(404);
    ada.delete(&format!("/org/members/{}", ada.user_id())).await.refused(409);
    change(&ada, &bob, "boss").await.refused(400);

    let changed = change(&ada, &bob, "admin").await;
    assert!(changed.header("x-ledger-position").is_some());
    assert_eq!(changed.ok()["role"], "admin");
    assert_eq!(bob.get("/auth/me").await.ok()["role"], "admin", "at once, with the token from before");
    // Even with another admin left.
    change(&ada, &ada, "viewer").await.refused(409);
    change(&bob, &ada, "auditor").await.ok();
    ada.post("/org/invites").json(json!({"email": "c@example.org", "role": "viewer"})).await.refused(403);
}

async fn who_is_deactivated_is_out_at_once_and_may_be_asked_back(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in(ADA).await;
    let bob = service.colleague(&ada, "analyst", BOB).await;
    bob.get("/projects").await.ok();
    ada.delete(&format!("/org/members/{}", bob.user_id())).await.no_content();
    bob.get("/projects").await.refused(401);
    let members = ada.get("/org/members").await.ok();
    assert_eq!(members["members"][1]["status"], "inactive");
    assert_eq!(ada.get("/org").await.ok()["member_count"], 1);

    let made = invite(&ada, BOB, "auditor").await;
    let back = accept(&service, &token(&made)).await.ok();
    assert_eq!(back["user"]["id"], bob.user_id());
    let members = ada.get("/org/members").await.ok();
    assert_eq!(
        (&members["members"][1]["status"], &members["members"][1]["role"]),
        (&json!("active"), &json!("auditor"))
    );
    assert_eq!(bob.get("/auth/me").await.ok()["role"], "auditor");
}

async fn whoever_submitted_does_not_approve_where_two_work_together(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in(ADA).await;
    // Alone, nobody else could.
    let alone = ready_run(&ada).await;
    approve(&ada, &alone).await.ok();

    let bob = service.colleague(&ada, "auditor", BOB).await;
    let together = ready_run(&ada).await;
    let refusal = approve(&ada, &together).await.refused(403);
    assert!(refusal.detail.contains("allow_self_approval"), "{}", refusal.detail);
    approve(&bob, &together).await.ok();

    let settings = format!("/api/v1/orgs/{}/settings", ada.org_id());
    assert_eq!(bob.get(&settings).await.ok(), json!({"allow_self_approval": false}));
    let own = ready_run(&ada).await;
    approve(&ada, &own).await.refused(403);
    bob.patch(&settings).json(json!({"allow_self_approval": true})).await.refused(403);
    ada.patch(&settings).json(json!({"allow_self_aproval": true})).await.refused(422);
    ada.patch(&settings).json(json!({"allow_self_approval": "yes"})).await.refused(422);
    let set = ada.patch(&settings).json(json!({"allow_self_approval": true})).await.ok();
    assert_eq!(set, json!({"allow_self_approval": true}));
    approve(&ada, &own).await.ok();

    // Set, it no longer follows from the number of members.
    ada.patch(&settings).json(json!({"allow_self_approval": false})).await.ok();
    ada.delete(&format!("/org/members/{}", bob.user_id())).await.no_content();
    assert_eq!(ada.get(&settings).await.ok(), json!({"allow_self_approval": false}));
    let stale = ada.patch(&settings).json(json!({"allow_self_approval": true})).header("if-match", "\"1\"");
    stale.await.refused(412);
}

async fn an_erased_person_is_nowhere_shown_again(store: Store) {
    let mut service = Service::start(store).await;
    let ada = service.sign_in(ADA).await;
    let bob = service.colleague(&ada, "auditor", BOB).await;
    let run = ready_run(&ada).await;
    approve(&bob, &run).await.ok();
    let receipt = ada.post(&format!("/runs/{run}/receipt")).await.ok();
    let erase =
        |client: &Client| client.post(&format!("/api/v1/orgs/{}/users/{}/erase", ada.org_id(), client.user_id()));
    let erase_bob = || ada.post(&format!("/api/v1/orgs/{}/users/{}/erase", ada.org_id(), bob.user_id()));

    erase(&bob).await.refused(403);
    let last = erase(&ada).await.refused(409);
    assert!(last.detail.contains("admin"), "{}", last.detail);

    let erased = erase_bob().await.ok();
    let kept = erased["kept"].as_array().unwrap();
    assert_eq!(kept.len(), 1);
    assert_eq!((&kept[0]["record"], &kept[0]["id"]), (&json!("receipt"), &receipt["receipt_id"]));
    assert!(!erased.to_string().contains(BOB));
    bob.get("/auth/me").await.refused(401);
    assert_eq!(erase_bob().await.ok(), erased, "erasing again says the same");

    let shown = async || {
        let reads =
            ["/org/members", "/org/invites", &format!("/runs/{run}"), &format!("/runs/{run}/verdict"), "/ledger"];
        let mut shown = Vec::new();
        for path in reads {
            let reply = ada.get(path).await;
            assert!(!String::from_utf8_lossy(&reply.body).contains(BOB), "{reply}");
            shown.push(reply.ok());
        }
        assert_eq!(shown[0]["members"][1]["email"], "[erased]");
        assert_eq!(shown[0]["members"][1]["status"], "inactive");
        assert_eq!(shown[1]["invites"][0]["email"], "[erased]");
        assert!(shown[2].to_string().contains("[erased]"), "the run names its approver");
        // The receipt is what it was, and so is the chain.
        let share = receipt["share_url"].as_str().unwrap().rsplit_once("/share/").unwrap().1;
        let share = ada.get(&format!("/share/{share}")).await.ok();
        assert_eq!((&share["verified"], &share["chain_consistent"]), (&json!(true), &json!(true)));
        assert_eq!(share["payload"]["approval"]["approver"], BOB);
        assert_eq!(ada.get("/ledger/verify").await.ok()["ok"], true);
        shown
    };
    let before = shown().await;

    // Folded anew from the events, everything reads the same.
    assert!(service.stop().await.success());
    let target = match service.database_url() {
        Some(url) => Target::Postgres { url, migrate_url: None, connections: 4 },
        None => Target::Embedded(service.data()),
    };
    let opened = store::Store::open(&target, projections::models()).await.unwrap();
    every_event_holds(opened.read()).await;
    // A backup of the keys comes back with the key of who was erased since.
    let uuid = erased["user_id"].as_str().unwrap().parse().unwrap();
    opened.keep_person_key(UserId::from_uuid(uuid), b"from a backup").await.unwrap();
    opened.close().await;
    drop(opened);
    store::rebuild(&target, &projections::models(), |_, _| {}).await.unwrap();
    let service = service.restart().await;
    assert_eq!(shown().await, before);

    // The address is free: whoever has it now is somebody new.
    let anew = service.sign_in(BOB).await;
    assert_ne!(anew.user_id(), bob.user_id());
    assert_ne!(anew.org_id(), ada.org_id());
    let made = invite(&ada, BOB, "viewer").await;
    assert_eq!(accept(&service, &token(&made)).await.ok()["user"]["id"], anew.user_id());
    assert_eq!(shown_emails(&ada).await, [ADA, "[erased]", BOB]);
}

/// Every organisation's chain of events, sealed anew and compared.
async fn every_event_holds(db: &Db) {
    type Event = (i64, String, String, i64, String, String, String, String, String, i64, Vec<u8>);
    const SQL: &str = "SELECT org_position, aggregate_type, aggregate_id, sequence, event_type, event_version, \
         CAST(payload AS text), actor, command_id, recorded_at, hash FROM events WHERE org_id = $1 ORDER BY org_position";
    let orgs: Vec<String> = on!(db, pool => {
        sqlx::query_scalar("SELECT DISTINCT org_id FROM events").fetch_all(pool).await.unwrap()
    });
    assert!(orgs.len() > 1);
    for org_id in &orgs {
        let events: Vec<Event> = on!(db, pool => sqlx::query_as(SQL).bind(org_id).fetch_all(pool).await.unwrap());
        let mut chain = EventChain::new(org_id.as_str());
        for (place, aggregate_type, aggregate_id, sequence, event_type, version, payload, actor, command, at, hash) in
            &events
        {
            let envelope = Envelope {
                actor,
                aggregate_id,
                aggregate_type,
                command_id: command,
                event_type,
                event_version: version,
                org_id,
                org_position: place.unsigned_abs(),
                payload_blake3: payload_digest(payload.as_bytes()),
                prev: chain.head().prev,
                recorded_at: *at,
                sequence: sequence.unsigned_abs(),
            };
            let hash = Blake3Hex::from_bytes(hash.as_slice().try_into().unwrap());
            assert_eq!(chain.feed(&envelope, payload.as_bytes(), hash), [], "{org_id} {place}");
        }
    }
}

async fn shown_emails(client: &Client) -> Vec<String> {
    let members = client.get("/org/members").await.ok();
    members["members"].as_array().unwrap().iter().map(|m| m["email"].as_str().unwrap().to_owned()).collect()
}

async fn nobody_is_erased_by_one_of_two_organisations(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in(ADA).await;
    let bob = service.sign_in(BOB).await;
    let made = invite(&ada, BOB, "viewer").await;
    accept(&service, &token(&made)).await.ok();
    let erase = || ada.post(&format!("/api/v1/orgs/{}/users/{}/erase", ada.org_id(), bob.user_id()));
    let refusal = erase().await.refused(409);
    assert!(refusal.detail.contains("another organisation"), "{}", refusal.detail);
    assert_eq!(bob.get("/auth/me").await.ok()["email"], BOB);
    assert_eq!(shown_emails(&ada).await, [ADA, BOB]);
    let eve = service.sign_in("eve@example.com").await;
    ada.post(&format!("/api/v1/orgs/{}/users/{}/erase", ada.org_id(), eve.user_id())).await.refused(404);
}

async fn an_invitation_dies_with_the_person_whom_it_was_for(store: Store) {
    let service = Service::start(store).await;
    let (ada, eve) = (service.sign_in(ADA).await, service.sign_in("eve@example.com").await);
    let bob = service.colleague(&ada, "viewer", BOB).await;
    let open = invite(&eve, BOB, "viewer").await;
    ada.post(&format!("/api/v1/orgs/{}/users/{}/erase", ada.org_id(), bob.user_id())).await.ok();
    accept(&service, &token(&open)).await.refused(401);
    assert_eq!(eve.get("/org/invites").await.ok()["invites"][0]["email"], "[erased]");
    // The address may be asked in anew, and is somebody else's.
    let made = invite(&eve, BOB, "viewer").await;
    assert_ne!(accept(&service, &token(&made)).await.ok()["user"]["id"], bob.user_id());
}

on_both_stores!(
    an_invited_stranger_joins_without_an_organisation_of_their_own,
    an_invitations_link_leads_a_browser_in,
    members_are_listed_by_the_page,
    an_invitation_is_refused_where_it_makes_no_sense,
    a_repeated_invitation_is_the_first_one,
    an_invitation_works_once,
    who_signed_up_between_invitation_and_acceptance_is_one_person,
    two_organisations_that_ask_the_same_stranger_in_ask_one_person_in,
    a_person_in_two_organisations_says_for_which_one_they_act,
    roles_change_but_for_the_last_admin_and_oneself,
    who_is_deactivated_is_out_at_once_and_may_be_asked_back,
    whoever_submitted_does_not_approve_where_two_work_together,
    an_erased_person_is_nowhere_shown_again,
    nobody_is_erased_by_one_of_two_organisations,
    an_invitation_dies_with_the_person_whom_it_was_for,
);
