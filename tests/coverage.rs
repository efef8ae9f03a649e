//! Refusals that hold for every operation, generated from the OpenAPI document: a new operation is covered by being
//! documented, and it cannot be mounted without.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod support;

use std::collections::BTreeMap;
use support::*;

/// What may be reached without a credential, and nothing else.
const PUBLIC: [&str; 15] = [
    "/auth/request",
    "/auth/verify",
    "/auth/accept-invite",
    "/api/v1/auth/login",
    "/api/v1/users/invitations/",
    "/share/",
    "/log/",
    "/.well-known/",
    "/healthz",
    "/readyz",
    "/api/v1/health",
    "/openapi.json",
    "/api/v1/openapi.json",
    "/api/v1/docs",
    "/api/v1/redoc",
];

/// Which roles lack a permission.
fn too_small_for(permission: &str) -> &'static [&'static str] {
    match permission {
        "read" => &[],
        "work" => &["viewer", "auditor"],
        "judge" => &["viewer", "analyst"],
        "administer" => &["viewer", "analyst", "auditor"],
        other => panic!("`{other}` is no permission"),
    }
}

/// The records of one organisation by the path segment that precedes their id; one of each kind.
struct Records(BTreeMap<&'static str, String>);

impl Records {
    async fn of(admin: &Client) -> Self {
        let id = |record: &Value| record["id"].as_str().unwrap().to_owned();
        let mut records = BTreeMap::new();
        records.insert("orgs", admin.org_id().to_owned());
        records.insert("users", admin.user_id().to_owned());
        records.insert("members", admin.user_id().to_owned());
        let invitation = json!({"email": format!("invited-by-{}@example.org", admin.user_id()), "role": "viewer"});
        let key = admin.post(&format!("/api/v1/orgs/{}/api-keys", admin.org_id()));
        records.insert("api-keys", id(&key.json(json!({"name": "pipeline", "role": "viewer"})).await.created()));
        records.insert("invites", id(&admin.post("/org/invites").json(invitation).await.created()));

        let sheet = own_sheet("covered_v1", "1.0");
        records.insert("flight-sheets", id(&admin.post("/flight-sheets").json(sheet).await.created()));
        let project = id(&admin.post("/projects").json(json!({"name": "Bridge"})).await.created());
        let run = json!({"project_id": project, "flight_sheet_id": "cre_memo_dscr_ltv_v1"});
        let run = id(&admin.post("/runs").json(run).await.created());
        admin.post(&format!("/runs/{run}/submission")).json(json!({"output_text": "{}"})).await.created();
        let audit = admin.post(&format!("/runs/{run}/audit")).await.ok();
        records.insert("checks", id(&audit["checks"][0]));
        let profile = admin.post("/agent-profiles").json(json!({"name": "memo analyst"}));
        records.insert("agent-profiles", id(&profile.await.created()));
        records.insert(
            "incidents",
            id(&admin.post("/incidents").json(json!({"title": "a memo went out"})).await.created()),
        );
        records.insert("projects", project);
        records.insert("runs", run);
        Self(records)
    }

    /// The path of an operation with these records' ids, but for one parameter, by its place, that names another's.
    fn path(&self, operation: &Operation, stranger: Option<(usize, &Self)>) -> String {
        let mut filled = Vec::new();
        let mut collection = "";
        for (place, segment) in operation.path.split('/').enumerate() {
            let records = stranger.filter(|(strange, _)| *strange == place).map_or(self, |(_, records)| records);
            if segment.starts_with('{') {
                let record = records.0.get(collection);
                let what = format!("{}: tests/coverage.rs makes no record of `{collection}`", operation.path);
                filled.push(record.expect(&what).as_str());
            } else {
                filled.push(segment);
            }
            collection = segment;
        }
        filled.join("/")
    }

    /// The places of the parameters that name an organisation's own records.
    fn places(operation: &Operation) -> Vec<usize> {
        let segments: Vec<_> = operation.path.split('/').collect();
        (1..segments.len()).filter(|&place| segments[place].starts_with('{')).collect()
    }
}

/// The operations that ask for a credential.
fn guarded() -> impl Iterator<Item = &'static Operation> {
    Contract::get().operations().iter().filter(|operation| !operation.is_public())
}

async fn only_what_is_meant_to_be_is_public(store: Store) {
    let _service = Service::start(store).await;
    let allowed =
        |path: &str| PUBLIC.iter().any(|public| path == *public || public.ends_with('/') && path.starts_with(public));
    let public = Contract::get().operations().iter().filter(|operation| operation.is_public());
    let stray: Vec<_> = public.filter(|operation| !allowed(&operation.path)).map(|operation| &operation.id).collect();
    assert!(stray.is_empty(), "public, and should not be: {stray:?}");
}

async fn without_a_credential_everything_else_is_401(store: Store) {
    let service = Service::start(store).await;
    let ours = Records::of(&service.sign_in("ada@example.org").await).await;
    let nobodies = [service.anonymous(), service.anonymous().bearer("sk-forged"), service.anonymous().bearer("a.b.c")];
    for operation in guarded() {
        for nobody in &nobodies {
            // Were anything of the body read, this one would be a 400.
            let call = nobody.call(operation.method.clone(), &ours.path(operation, None));
            call.body("application/json", "{").await.refused(401);
        }
    }
}

async fn too_small_a_role_is_403(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let ours = Records::of(&ada).await;
    let mut colleagues = BTreeMap::new();
    for role in ["viewer", "analyst", "auditor"] {
        colleagues.insert(role, service.colleague(&ada, role, &format!("{role}@example.org")).await);
    }
    for operation in guarded() {
        let permission = operation.permission();
        let permission = permission.unwrap_or_else(|| panic!("{} names no permission (x-permission)", operation.id));
        for role in too_small_for(permission) {
            let call = colleagues[role].call(operation.method.clone(), &ours.path(operation, None));
            call.body("application/json", "{").await.refused(403);
        }
    }
}

async fn another_organisations_ids_are_404(store: Store) {
    let service = Service::start(store).await;
    let (ada, eve) = (service.sign_in("ada@example.org").await, service.sign_in("eve@example.com").await);
    let (ours, theirs) = (Records::of(&ada).await, Records::of(&eve).await);
    for operation in guarded() {
        for place in Records::places(operation) {
            let path = theirs.path(operation, Some((place, &ours)));
            operation.fill(eve.call(operation.method.clone(), &path)).await.refused(404);
        }
        if !operation.path.contains("/orgs/{") {
            let elsewhere = eve.with("x-org-id", ada.org_id());
            let call = elsewhere.call(operation.method.clone(), &theirs.path(operation, None));
            operation.fill(call).await.refused(404);
        }
    }
}

on_both_stores!(
    only_what_is_meant_to_be_is_public,
    without_a_credential_everything_else_is_401,
    too_small_a_role_is_403,
    another_organisations_ids_are_404,
);

#[tokio::test]
#[ignore = "looks back on all other tests, so scripts/test runs it after them"]
async fn every_operation_is_called() {
    let _service = Service::start(Store::Embedded).await;
    let missing = Contract::get().unanswered();
    assert!(missing.is_empty(), "no test has had a success from: {}", missing.join(", "));
}
