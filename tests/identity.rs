//! Signing in and out, and what a credential is worth: sessions, forged tokens, API keys, cookies.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod support;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use std::fs;
use support::*;

/// Asks for a sign-in link, and answers its token.
async fn link(service: &Service, email: &str) -> String {
    let sent = service.anonymous().post("/auth/request").json(json!({ "email": email })).await.ok();
    assert_eq!((&sent["ok"], &sent["sent"]), (&json!(true), &json!(false)));
    let link = sent["dev_link"].as_str().unwrap().to_owned();
    assert!(link.starts_with(&format!("{}/auth/callback?token=", service.url())), "{link}");
    link.split_once("token=").unwrap().1.to_owned()
}

async fn a_link_signs_in_once(store: Store) {
    let service = Service::start(store).await;
    let anonymous = service.anonymous();
    let token = link(&service, "ada@example.org").await;
    assert_eq!(token.len(), 43, "32 bytes in base64url");
    let verify = |token: &str| anonymous.post("/auth/verify").json(json!({ "token": token }));
    let signed_in = verify(&token).await.ok();
    assert_eq!(signed_in["token_type"], "bearer");
    assert_eq!(signed_in["user"]["email"], "ada@example.org");
    assert_eq!(verify(&token).await.refused(401).code, "UNAUTHORIZED");
    for wrong in ["", "x", &token[..42], &format!("{token}x"), &sha256(token.as_bytes())] {
        verify(wrong).await.refused(401);
    }
    let ada = anonymous.bearer(signed_in["access_token"].as_str().unwrap());
    let me = ada.get("/auth/me").await.ok();
    assert_eq!((&me["id"], &me["org_id"]), (&signed_in["user"]["id"], &signed_in["user"]["org_id"]));
    assert_eq!((&me["role"], &me["is_admin"]), (&json!("admin"), &json!(true)));
    assert!(me["org_name"].is_string() && me["created_at"].is_string());

    // Whoever comes again is the same person, in whatever letters they write their address.
    let again = verify(&link(&service, " Ada@Example.ORG ").await).await.ok();
    assert_eq!(again["user"], signed_in["user"]);
    assert_ne!(again["access_token"], signed_in["access_token"]);
    // A link asked for twice is two links.
    let (one, two) = (link(&service, "eve@example.com").await, link(&service, "eve@example.com").await);
    let (one, two) = (verify(&one).await.ok(), verify(&two).await.ok());
    assert_eq!(one["user"], two["user"]);
    assert_ne!(one["user"]["org_id"], signed_in["user"]["org_id"]);
}

async fn a_link_that_has_expired_signs_nobody_in(store: Store) {
    let service = Service::start(store).await;
    let token = link(&service, "ada@example.org").await;
    let mut raw = Raw::of(&service).await;
    let left = raw.number("SELECT max(expires_at) FROM sign_in_tokens").await - now();
    assert!((1_780..=1_800).contains(&left), "it lasts for half an hour: {left} s");
    let token_hash = sha256(token.as_bytes());
    let expire = format!("UPDATE sign_in_tokens SET expires_at = {} WHERE token_hash = '{token_hash}'", now());
    assert_eq!(raw.execute(&expire).await.unwrap(), 1, "the token itself is not stored");
    service.anonymous().post("/auth/verify").json(json!({ "token": token })).await.refused(401);
    assert_eq!(raw.number("SELECT count(*) FROM events WHERE event_type = 'user_registered'").await, 0);
}

async fn of_two_who_follow_a_link_at_once_one_is_let_in(store: Store) {
    let service = Service::start_with(store, &[("DEFENDABLE_SIGN_IN_LIMIT", "0")]).await;
    let verify_at_once = async |services: [&Service; 2], email: &str| {
        let token = link(services[0], email).await;
        let calls = (0..8).map(|number| {
            let call = services[number % 2].anonymous().post("/auth/verify").json(json!({ "token": token }));
            async move { call.await.status.as_u16() }
        });
        let mut answers = futures::future::join_all(calls).await;
        answers.sort_unstable();
        assert_eq!(answers, [200, 401, 401, 401, 401, 401, 401, 401]);
    };
    for round in 0..3 {
        verify_at_once([&service, &service], &format!("ada{round}@example.org")).await;
    }
    if store == Store::Postgres {
        let beside = service.beside().await;
        for round in 3..6 {
            verify_at_once([&service, &beside], &format!("ada{round}@example.org")).await;
        }
    }
}

async fn who_signs_up_twice_at_once_is_one_person(store: Store) {
    let service = Service::start(store).await;
    let anonymous = service.anonymous();
    let mut tokens = vec![];
    for _ in 0..4 {
        tokens.push(link(&service, "ada@example.org").await);
    }
    let calls = tokens.iter().map(|token| anonymous.post("/auth/verify").json(json!({ "token": token })).into_future());
    let users: Vec<_> =
        futures::future::join_all(calls).await.into_iter().map(|answer| answer.ok()["user"].clone()).collect();
    assert!(users.iter().all(|user| *user == users[0]), "{users:?}");
    let mut raw = Raw::of(&service).await;
    assert_eq!(raw.number("SELECT count(*) FROM events WHERE event_type = 'user_registered'").await, 1);
}

async fn an_address_that_is_none_is_refused(store: Store) {
    let service = Service::start(store).await;
    for email in ["", "ada", "ada@", "@example.org", "ada@example", "a b@example.org", "ada@exam\u{0}ple.org"] {
        let call = service.anonymous().post("/auth/request").json(json!({ "email": email }));
        let refusal = call.await.refused(400);
        assert!(refusal.field.is_none_or(|field| field == "email"), "{email}");
    }
    for body in [json!({}), json!({ "email": 1 }), json!({ "email": "ada@example.org", "name": "x" })] {
        service.anonymous().post("/auth/request").json(body).await.refused(400);
    }
    for body in [json!({}), json!({ "token": 1 }), json!({ "token": null })] {
        service.anonymous().post("/auth/verify").json(body).await.refused(400);
    }
}

async fn a_link_is_shown_to_nobody_behind_a_proxy(store: Store) {
    let service = Service::start(store).await;
    // One was made for the console at the start.
    let made = "SELECT count(*) FROM sign_in_tokens";
    let before = Raw::of(&service).await.number(made).await;
    for header in ["x-forwarded-for", "forwarded", "x-real-ip"] {
        let call = service.anonymous().post("/auth/request").header(header, "192.0.2.1");
        assert_eq!(call.json(json!({ "email": "ada@example.org" })).await.refused(503).code, "UNAVAILABLE");
    }
    assert_eq!(Raw::of(&service).await.number(made).await, before);
}

async fn attempts_to_sign_in_are_limited(store: Store) {
    let service = Service::start_with(store, &[("DEFENDABLE_SIGN_IN_LIMIT", "3")]).await;
    for _ in 0..3 {
        link(&service, "ada@example.org").await;
    }
    let call = service.anonymous().post("/auth/request").json(json!({ "email": "ADA@example.org" }));
    assert_eq!(call.await.refused(429).code, "RATE_LIMITED");
}

async fn a_session_that_is_signed_out_ends_at_once(store: Store) {
    let service = Service::start(store).await;
    let (here, elsewhere) = (service.sign_in("ada@example.org").await, service.sign_in("ada@example.org").await);
    here.get("/auth/me").await.ok();
    here.post("/auth/logout").await.no_content();
    here.get("/auth/me").await.refused(401);
    here.post("/projects").json(json!({ "name": "x" })).await.refused(401);
    here.post("/auth/logout").await.refused(401);
    elsewhere.get("/auth/me").await.ok();
    let service = service.restart().await;
    here.get("/auth/me").await.refused(401);
    elsewhere.get("/auth/me").await.ok();
    drop(service);
}

/// Seconds since 1970.
fn now() -> i64 {
    defendable::outside::clock::now().seconds()
}

fn signed(header: &Header, claims: &Value, key: &[u8]) -> String {
    jsonwebtoken::encode(header, claims, &EncodingKey::from_secret(key)).unwrap()
}

/// A token whose parts are as given, signature included.
fn assembled(header: &Value, claims: &Value, signature: &str) -> String {
    format!("{}.{}.{signature}", BASE64.encode(header.to_string()), BASE64.encode(claims.to_string()))
}

async fn a_token_that_this_service_did_not_sign_is_worth_nothing(store: Store) {
    let service = Service::start(store).await;
    let anonymous = service.anonymous();
    let signed_in = anonymous.post("/auth/verify").json(json!({ "token": link(&service, "ada@example.org").await }));
    let token = signed_in.await.ok()["access_token"].as_str().unwrap().to_owned();
    let parts: Vec<_> = token.split('.').collect();
    let read = |part: &str| -> Value { serde_json::from_slice(&BASE64.decode(part).unwrap()).unwrap() };
    let (header, claims) = (read(parts[0]), read(parts[1]));
    assert_eq!((&header["alg"], &claims["aud"]), (&json!("HS256"), &json!("defendable")));
    for claim in ["iss", "sub", "jti", "iat", "nbf", "exp"] {
        assert!(!claims[claim].is_null(), "{claim} is missing: {claims}");
    }
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 720 * 3_600);
    let key = fs::read_to_string(service.data().join("keys/token.key")).unwrap();
    let key = hex::decode(key.trim()).unwrap();
    let kid = header["kid"].as_str().unwrap().to_owned();
    let with = |algorithm: Algorithm| Header { kid: Some(kid.clone()), ..Header::new(algorithm) };
    let changed = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        claims
    };
    let ours = with(Algorithm::HS256);
    let accepted = signed(&ours, &claims, &key);
    anonymous.bearer(&accepted).get("/auth/me").await.ok();

    let eve = service.sign_in("eve@example.com").await;
    let headless = |alg: &str| assembled(&json!({ "alg": alg, "typ": "JWT", "kid": kid }), &claims, "");
    let flipped = format!("{}{}", &token[..token.len() - 2], if token.ends_with('A') { "BA" } else { "AA" });
    for (what, forged) in [
        ("another key", signed(&ours, &claims, &[7; 32])),
        ("no key", signed(&ours, &claims, b"")),
        ("the public part as key", signed(&ours, &claims, kid.as_bytes())),
        ("alg none", headless("none")),
        ("alg None", headless("None")),
        ("alg none, signed", assembled(&json!({ "alg": "none", "kid": kid }), &claims, parts[2])),
        ("alg RS256", assembled(&json!({ "alg": "RS256", "kid": kid }), &claims, parts[2])),
        ("alg ES256", assembled(&json!({ "alg": "ES256", "kid": kid }), &claims, parts[2])),
        ("our key, HS512", signed(&with(Algorithm::HS512), &claims, &key)),
        ("our key, HS384", signed(&with(Algorithm::HS384), &claims, &key)),
        ("no kid", signed(&Header::new(Algorithm::HS256), &claims, &key)),
        ("another kid", signed(&Header { kid: Some("../../token.key".into()), ..ours.clone() }, &claims, &key)),
        (
            "claims changed",
            format!("{}.{}.{}", parts[0], BASE64.encode(changed("org", json!(eve.org_id())).to_string()), parts[2]),
        ),
        ("signature cut", format!("{}.{}.", parts[0], parts[1])),
        ("signature flipped", flipped),
        ("expired", signed(&ours, &changed("exp", json!(now() - 1)), &key)),
        ("not yet", signed(&ours, &changed("nbf", json!(now() + 3_600)), &key)),
        ("another issuer", signed(&ours, &changed("iss", json!("someone")), &key)),
        ("another audience", signed(&ours, &changed("aud", json!("someone")), &key)),
        ("no session", signed(&ours, &changed("jti", json!("01890a5d-ac96-774b-bcce-b302099a8057")), &key)),
        ("another's session", signed(&ours, &changed("sub", json!(eve.user_id())), &key)),
        ("no expiry", signed(&ours, &changed("exp", json!(null)), &key)),
        ("no subject", signed(&ours, &changed("sub", json!(null)), &key)),
        ("two parts", format!("{}.{}", parts[0], parts[1])),
        ("four parts", format!("{token}.{}", parts[2])),
        ("no token", "x".to_owned()),
        ("long", "a".repeat(6_000)),
    ] {
        let refusal = anonymous.bearer(&forged).get("/auth/me").await;
        assert_eq!(refusal.status.as_u16(), 401, "{what}: {refusal}");
        assert_eq!(refusal.header("www-authenticate"), Some("Bearer"), "{what}");
        anonymous.bearer(&forged).post("/projects").json(json!({ "name": "x" })).await.refused(401);
    }
    // A token for another organisation than the session's gives nothing there.
    let there = anonymous.bearer(&signed(&ours, &changed("org", json!(eve.org_id())), &key)).get("/projects").await;
    assert!(matches!(there.status.as_u16(), 401 | 404), "{there}");
    for header in ["Basic YWRhOng=", "Bearer", "Bearer ", &token, &format!("Token {token}"), &format!("Bearer,{token}")]
    {
        anonymous.with("authorization", header).get("/auth/me").await.refused(401);
    }
    anonymous.with("authorization", &format!("bearer {token}")).get("/auth/me").await.ok();
}

async fn an_api_key_works_until_it_is_revoked(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let path = format!("/api/v1/orgs/{}/api-keys", ada.org_id());
    let issued = ada.post(&path).json(json!({ "name": " pipeline ", "role": "analyst" })).await.created();
    let secret = issued["secret"].as_str().unwrap();
    assert!(secret.starts_with("sk-") && secret.len() == 46, "sk- and 32 bytes in base64url");
    assert_eq!(issued["key_prefix"], secret[..12]);
    assert_eq!((&issued["name"], &issued["role"]), (&json!("pipeline"), &json!("analyst")));
    assert_eq!((&issued["last_used_at"], &issued["expires_at"]), (&json!(null), &json!(null)));
    let listed = ada.get(&path).await.ok();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    assert!(!listed.to_string().contains(&secret[12..]), "the secret is shown once");

    let key = service.anonymous().bearer(secret);
    let me = key.get("/auth/me").await.ok();
    assert_eq!((&me["email"], &me["role"], &me["is_admin"]), (&json!("api-key"), &json!("analyst"), &json!(false)));
    assert_eq!(me["org_id"], ada.org_id());
    let used = ada.get(&path).await.ok()["items"][0]["last_used_at"].clone();
    assert!(used.as_str().is_some_and(|time| time.ends_with("00Z")), "to the minute: {used}");
    let (run, audit) = key.audited(&Example::of(GRADED, "pass")).await;
    // Grading and deciding are for auditors, and deciding for people.
    key.patch(&format!("/runs/{run}/checks/{}", id(&audit["checks"][9])))
        .json(json!({ "status": "pass" }))
        .await
        .refused(403);
    key.post(&format!("/runs/{run}/approve")).json(json!({ "decision": "approved" })).await.refused(403);
    key.post("/auth/logout").await.refused(400);
    key.get(&path).await.refused(403);
    key.post(&path).json(json!({ "name": "x", "role": "viewer" })).await.refused(403);
    key.delete(&format!("{path}/{}", id(&issued))).await.refused(403);

    for (wrong, what) in [
        (format!("{}x", &secret[..45]), "another secret behind the same prefix"),
        (secret[..12].to_owned(), "the prefix"),
        ("sk-".to_owned(), "nothing"),
        (format!("{secret}x"), "more"),
        (secret.to_uppercase(), "other letters"),
        (format!("sk-{}", "é".repeat(10)).replace('é', "%C3%A9"), "escaped"),
    ] {
        let answer = service.anonymous().bearer(&wrong).get("/auth/me").await;
        assert_eq!(answer.status.as_u16(), 401, "{what}");
    }
    let eve = service.sign_in("eve@example.com").await;
    eve.delete(&format!("{path}/{}", id(&issued))).await.refused(404);
    let theirs = format!("/api/v1/orgs/{}/api-keys/{}", eve.org_id(), id(&issued));
    eve.delete(&theirs).await.refused(404);
    key.with("x-org-id", eve.org_id()).get("/runs").await.refused(404);
    key.get("/auth/me").await.ok();

    ada.delete(&format!("{path}/{}", id(&issued))).await.no_content();
    key.get("/auth/me").await.refused(401);
    key.get("/runs").await.refused(401);
    ada.delete(&format!("{path}/{}", id(&issued))).await.no_content();
    let listed = ada.get(&path).await.ok();
    assert_eq!(listed["items"][0]["revoked"], true);
    ada.delete(&format!("{path}/01890a5d-ac96-774b-bcce-b302099a8057")).await.refused(404);
}

async fn a_key_issues_no_key_and_expires(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let path = format!("/api/v1/orgs/{}/api-keys", ada.org_id());
    let (_, admin) = ada.api_key("admin").await;
    let admin = service.anonymous().bearer(&admin);
    admin.get(&path).await.ok();
    admin.post(&path).json(json!({ "name": "x", "role": "viewer" })).await.refused(403);
    let (run, _) = admin.audited(&Example::of(SHEET, "pass")).await;
    admin.post(&format!("/runs/{run}/approve")).json(json!({ "decision": "approved" })).await.refused(403);

    let instant = |seconds: i64| {
        let output = std::process::Command::new("date").args(["-u", "-d", &format!("@{seconds}"), "+%FT%TZ"]).output();
        String::from_utf8(output.unwrap().stdout).unwrap().trim().to_owned()
    };
    for (body, field) in [
        (json!({ "role": "viewer" }), "name"),
        (json!({ "name": "", "role": "viewer" }), "name"),
        (json!({ "name": "x".repeat(201), "role": "viewer" }), "name"),
        (json!({ "name": "x" }), "role"),
        (json!({ "name": "x", "role": "owner" }), "role"),
        (json!({ "name": "x", "role": "viewer", "expires_at": "soon" }), "expires_at"),
        (json!({ "name": "x", "role": "viewer", "expires_at": instant(now() - 10) }), "expires_at"),
        (json!({ "name": "x", "role": "viewer", "secret": "sk-mine" }), "secret"),
    ] {
        let refusal = ada.post(&path).json(body.clone()).await.refused(422);
        assert_eq!((refusal.code.as_str(), refusal.field.as_deref()), ("VALIDATION_ERROR", Some(field)), "{body}");
    }
    let soon = json!({ "name": "brief", "role": "viewer", "expires_at": instant(now() + 2) });
    let brief = ada.post(&path).json(soon).await.created();
    let brief = service.anonymous().bearer(brief["secret"].as_str().unwrap());
    brief.get("/auth/me").await.ok();
    tokio::time::sleep(std::time::Duration::from_millis(2_500)).await;
    brief.get("/auth/me").await.refused(401);
}

async fn a_role_may_what_its_role_may(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let (run, audit) = ada.audited(&Example::of(GRADED, "pass")).await;
    let open = audit["checks"].as_array().unwrap().iter().find(|check| check["status"] == "open").unwrap();
    for (role, work, judge) in [("viewer", 403, 403), ("analyst", 201, 403), ("auditor", 403, 200), ("admin", 201, 200)]
    {
        let (_, secret) = ada.api_key(role).await;
        let key = service.anonymous().bearer(&secret);
        for path in ["/runs", "/ledger", "/ledger/verify", "/flight-sheets", &format!("/runs/{run}")] {
            key.get(path).await.ok();
        }
        let project = key.post("/projects").json(json!({ "name": "x" })).await;
        assert_eq!(project.status.as_u16(), work, "{role}: {project}");
        let grade = key.patch(&format!("/runs/{run}/checks/{}", id(open))).json(json!({ "status": "pass" })).await;
        assert_eq!(grade.status.as_u16(), judge, "{role}: {grade}");
    }
}

async fn a_browsers_cookie_changes_nothing_from_another_site(store: Store) {
    let service = Service::start(store).await;
    let signed_in = service.anonymous().post("/auth/verify");
    let signed_in = signed_in.json(json!({ "token": link(&service, "ada@example.org").await })).await.ok();
    let cookie = format!("theme=dark; defendable_session={}", signed_in["access_token"].as_str().unwrap());
    let browser = service.anonymous().with("cookie", &cookie);
    browser.get("/auth/me").await.ok();
    let new = || browser.post("/projects").json(json!({ "name": "x" }));
    new().await.refused(403);
    for origin in ["https://evil.example", "null", "http://127.0.0.1", &format!("{}.evil.example", service.url())] {
        new().header("origin", origin).await.refused(403);
    }
    new().header("origin", &service.url()).await.created();
    assert_eq!(browser.get("/projects").await.ok()["projects"].as_array().unwrap().len(), 1);
}

async fn personal_data_lies_nowhere_in_the_clear(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in("ada.lovelace@example.org").await;
    ada.open(SHEET).await;
    let token = link(&service, "eve.adamson@example.org").await;
    let mut raw = Raw::of(&service).await;
    for name in ["lovelace", "adamson"] {
        for (table, column) in [
            ("events", "payload"),
            ("events", "actor"),
            ("sign_in_tokens", "address"),
            ("people", "doc"),
            ("claims", "key"),
        ] {
            let sql = format!("SELECT count(*) FROM {table} WHERE CAST({column} AS text) LIKE '%{name}%'");
            assert_eq!(raw.number(&sql).await, 0, "{table}.{column} names {name}");
        }
    }
    let sql = format!("SELECT count(*) FROM sign_in_tokens WHERE token_hash = '{token}' OR address LIKE '%{token}%'");
    assert_eq!(raw.number(&sql).await, 0);
    assert!(!service.log().contains("lovelace") && !service.log().contains(&token), "nor in the log");
    let mode = fs::metadata(service.data().join("keys/token.key")).unwrap().permissions();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode) & 0o777, 0o600);
}

on_both_stores!(
    a_link_signs_in_once,
    a_link_that_has_expired_signs_nobody_in,
    of_two_who_follow_a_link_at_once_one_is_let_in,
    who_signs_up_twice_at_once_is_one_person,
    an_address_that_is_none_is_refused,
    a_link_is_shown_to_nobody_behind_a_proxy,
    attempts_to_sign_in_are_limited,
    a_session_that_is_signed_out_ends_at_once,
    a_token_that_this_service_did_not_sign_is_worth_nothing,
    an_api_key_works_until_it_is_revoked,
    a_key_issues_no_key_and_expires,
    a_role_may_what_its_role_may,
    a_browsers_cookie_changes_nothing_from_another_site,
    personal_data_lies_nowhere_in_the_clear,
);
