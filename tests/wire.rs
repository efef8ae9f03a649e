//! What every request may rely on, over a real socket.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

use actix_web::{get, post, web::Data};
use aggregates::{
    identity::{actor::Actor, roles::Role},
    ids::{OrgId, RunId, UserId},
};
use clap::Parser;
use defendable::{
    cli::{Cli, Command},
    http::{
        self, Application, Routes, Wire,
        body::Json,
        caller::{Caller, May, permission::*},
        error::{Problem, Reply},
        headers::{IdempotencyKey, IfMatch},
        health::{Parts, State},
        metrics::Metrics,
        page::{Cursor, Limit, Page},
        path::Path,
        query::Query,
        reply::{Created, Okay, Tagged, Written},
        server::Running,
    },
};
use futures::{FutureExt, future::BoxFuture};
use reqwest::{Client, Method, Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

const HOME: Uuid = Uuid::from_u128(7);

#[derive(Default)]
struct TestApp {
    closed: AtomicBool,
}

impl Application for TestApp {
    fn identify<'a>(&'a self, credential: &'a str, wanted: Option<OrgId>) -> BoxFuture<'a, Reply<Caller>> {
        async move {
            let role = match credential {
                "admin" => Role::Admin,
                "viewer" => Role::Viewer,
                _ => return Err(Problem::unauthorized()),
            };
            let org = OrgId::from_uuid(HOME);
            if wanted.is_some_and(|wanted| wanted != org) {
                return Err(Problem::not_found("organisation"));
            }
            Ok(Caller {
                actor: Actor::User(UserId::from_uuid(Uuid::from_u128(role as u128))),
                org,
                role,
                session: None,
            })
        }
        .boxed()
    }

    fn parts(&self) -> BoxFuture<'_, Parts> {
        async { Parts { database: State::Healthy, ..Parts::default() } }.boxed()
    }

    fn measure(&self, _: &Metrics) -> prometheus::Result<()> {
        Ok(())
    }

    fn ready(&self) -> BoxFuture<'_, Result<Option<String>, String>> {
        async { Ok(None) }.boxed()
    }

    fn greeting<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Option<String>> {
        async { None }.boxed()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        async { self.closed.store(true, Ordering::SeqCst) }.boxed()
    }
}

/// A thing of these tests.
#[derive(Debug, Serialize, ToSchema)]
struct Thing {
    id: RunId,
    title: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewThing {
    title: String,
    #[allow(dead_code, reason = "only its reading matters")]
    inner: Option<Inner>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Inner {
    #[allow(dead_code, reason = "only its reading matters")]
    count: u32,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListThings {
    #[serde(default)]
    limit: Limit,
    cursor: Option<Cursor>,
}

/// Make a thing.
#[utoipa::path(tag = "service")]
#[post("/things")]
async fn create_thing(
    _may: May<Work>,
    _key: IdempotencyKey,
    Json(new, _): Json<NewThing>,
) -> Reply<Written<Created<Thing>>> {
    let thing = Thing { id: RunId::default(), title: new.title };
    Ok(Written {
        position: 42,
        replayed: false,
        reply: Created { location: format!("/things/{}", thing.id), body: thing },
    })
}

/// Show a thing.
#[utoipa::path(tag = "service")]
#[get("/things/{thing_id}")]
async fn show_thing(_may: May<Read>, Path((id,)): Path<(RunId,)>, revision: IfMatch) -> Reply<Tagged<Okay<Thing>>> {
    revision.check(3)?;
    Ok(Tagged { revision: 3, reply: Okay(Thing { id, title: "one".to_owned() }) })
}

/// List things.
#[utoipa::path(tag = "service")]
#[get("/things")]
async fn list_things(_may: May<Read>, Query(list): Query<ListThings>) -> Reply<Okay<Page<Thing>>> {
    let from: u128 = list.cursor.map(|cursor| cursor.key()).transpose()?.unwrap_or(0);
    let things = (from + 1..=120).take(list.limit.get() + 1).map(Uuid::from_u128).map(RunId::from_uuid);
    let things = things.map(|id| Thing { id, title: "one".to_owned() }).collect();
    Ok(Okay(Page::of(things, list.limit, |last| last.id.uuid().as_u128())))
}

/// Break.
#[utoipa::path(tag = "service")]
#[post("/panic")]
async fn break_down(_may: May<Work>) -> Reply<Okay<Thing>> {
    panic!("hunter2")
}

/// Take a while.
#[utoipa::path(tag = "service")]
#[post("/slow")]
async fn take_a_while(_may: May<Work>, _wire: Data<Wire>) -> Reply<Okay<Thing>> {
    tokio::time::sleep(Duration::from_millis(500)).await;
    Ok(Okay(Thing { id: RunId::default(), title: "late".to_owned() }))
}

fn runs(config: &mut ServiceConfig<'_>) {
    http::runs_surface(config);
    config.service(create_thing).service(list_things).service(show_thing).service(break_down).service(take_a_while);
}

/// Show an organisation's thing.
#[utoipa::path(tag = "service")]
#[get("/orgs/{org_id}/things")]
async fn org_thing(_may: May<Administer>, Path((_org,)): Path<(OrgId,)>) -> Reply<Okay<Thing>> {
    Ok(Okay(Thing { id: RunId::default(), title: "ours".to_owned() }))
}

fn grc(config: &mut ServiceConfig<'_>) {
    http::grc_surface(config);
    config.service(org_thing);
}

struct Service {
    running: Running,
    app: Arc<TestApp>,
    http: Client,
}

async fn start(settings: &[&str]) -> Service {
    let fixed = ["defendable", "serve", "--listen=127.0.0.1:0", "--metrics-listen=127.0.0.1:0"];
    let Command::Serve(settings) = Cli::parse_from(fixed.iter().chain(settings)).command else { unreachable!() };
    let app = Arc::new(TestApp::default());
    let listener = http::server::listen(settings.listen).unwrap();
    let running = http::server::start(&settings, listener, app.clone(), Routes { runs, grc }).await.unwrap();
    let http = Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    Service { running, app, http }
}

impl Service {
    fn call(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.running.url()))
    }

    fn get(&self, path: &str) -> reqwest::RequestBuilder {
        self.call(Method::GET, path).bearer_auth("admin")
    }

    fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> reqwest::RequestBuilder {
        self.call(Method::POST, path).bearer_auth("admin").header("content-type", "application/json").body(body)
    }
}

/// Asserts the one error shape, and gives what is in it.
async fn refused(request: reqwest::RequestBuilder, status: u16, code: &str) -> Value {
    let response = request.send().await.unwrap();
    let what = response.url().clone();
    assert_eq!(response.status().as_u16(), status, "{what}: {}", response.text().await.unwrap());
    for header in ["x-request-id", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"] {
        assert!(response.headers().contains_key(header), "{what}: {header}");
    }
    assert_eq!(response.headers()["content-type"], "application/json");
    let problem: Value = response.json().await.unwrap();
    assert_eq!(problem["code"], code, "{what}: {problem}");
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.len() > 5), "{what}: {problem}");
    let names: Vec<_> = problem.as_object().unwrap().keys().map(String::as_str).collect();
    assert!(names.iter().all(|name| ["detail", "code", "field"].contains(name)), "{what}: {names:?}");
    problem
}

#[actix_web::test]
async fn a_write_says_where_and_at_which_position() {
    let service = start(&[]).await;
    for path in ["/things", "/api/v1/things"] {
        let response = service.post(path, r#"{"title":"one"}"#).send().await.unwrap();
        assert_eq!(response.status(), 201);
        assert!(response.headers()["location"].to_str().unwrap().starts_with("/things/run_"));
        assert_eq!(response.headers()["x-ledger-position"], "42");
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
        assert!(response.headers()["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
    }
    let read = service.get(&format!("/things/{}", Uuid::from_u128(9))).send().await.unwrap();
    assert_eq!(read.headers()["etag"], "\"3\"");
    refused(service.get(&format!("/things/{HOME}")).header("if-match", "\"2\""), 412, "PRECONDITION_FAILED").await;
}

#[actix_web::test]
async fn bodies_are_read_strictly() {
    let service = start(&[]).await;
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    for malformed in ["", "{", "{\"title\":NaN}", "{\"title\":\"a\",\"title\":\"b\"}", &deep, "\u{feff}{}", "{} {}"] {
        for path in ["/things", "/api/v1/things"] {
            refused(service.post(path, malformed.to_owned()), 400, "BAD_REQUEST").await;
        }
    }
    refused(service.post("/things", b"{\"title\":\"\xff\"}".to_vec()), 400, "BAD_REQUEST").await;
    for (wrong, field) in [
        (r#"{"title":1}"#, json!("title")),
        (r#"{"titel":"one"}"#, json!("titel")),
        ("{}", json!("title")),
        (r#"{"title":"one","inner":{"count":-1}}"#, json!("inner.count")),
        (r#"{"title":"one","inner":{"count":1,"more":2}}"#, json!("inner.more")),
        ("[]", Value::Null),
        (r#"{"title":"\u0000"}"#, Value::Null),
    ] {
        let problem = refused(service.post("/things", wrong), 400, "VALIDATION_ERROR").await;
        assert_eq!(problem["field"], field, "{wrong}: {problem}");
        let problem = refused(service.post("/api/v1/things", wrong), 422, "VALIDATION_ERROR").await;
        assert_eq!(problem["field"], field, "{wrong}: {problem}");
    }
    let text =
        service.call(Method::POST, "/things").bearer_auth("admin").header("content-type", "text/plain").body("{}");
    refused(text, 415, "UNSUPPORTED_MEDIA_TYPE").await;
    let key = service.post("/things", r#"{"title":"one"}"#).header("idempotency-key", "two words");
    assert_eq!(refused(key, 400, "VALIDATION_ERROR").await["field"], "Idempotency-Key");
}

#[actix_web::test]
async fn a_body_over_its_limit_is_413_whether_declared_or_not() {
    let service = start(&[]).await;
    let body = |size: usize| format!(r#"{{"title":"{}"}}"#, "x".repeat(size - r#"{"title":""}"#.len()));
    assert_eq!(service.post("/things", body(1 << 20)).send().await.unwrap().status(), 201);
    refused(service.post("/things", body((1 << 20) + 1)), 413, "PAYLOAD_TOO_LARGE").await;
    let chunks = futures::stream::iter((0..3).map(|_| Ok::<_, std::io::Error>(vec![b' '; 1 << 19])));
    refused(service.post("/things", reqwest::Body::wrap_stream(chunks)), 413, "PAYLOAD_TOO_LARGE").await;
}

#[actix_web::test]
async fn what_is_not_there_is_404_and_what_is_not_so_is_405() {
    let service = start(&[]).await;
    for path in ["/nowhere", "/api/v1/nowhere", "/api/v1", "/things/../../etc/passwd", "/%00", "/api/v1/docs/../x"] {
        refused(service.get(path), 404, "NOT_FOUND").await;
        refused(service.call(Method::GET, path), 404, "NOT_FOUND").await;
    }
    for id in ["x", "prj_01k3v7q9d8f6zr2m4n5p6q7r8s", "..%2f..", "%ff", "run_"] {
        refused(service.get(&format!("/things/{id}")), 404, "NOT_FOUND").await;
        refused(service.get(&format!("/api/v1/things/{id}")), 404, "NOT_FOUND").await;
    }
    for path in ["/things", "/api/v1/things"] {
        let response = service.call(Method::DELETE, path).bearer_auth("admin").send().await.unwrap();
        assert_eq!(response.headers()["allow"], "GET, POST, HEAD");
        refused(service.call(Method::DELETE, path), 405, "METHOD_NOT_ALLOWED").await;
    }
}

#[actix_web::test]
async fn head_is_get_without_the_body() {
    let service = start(&[]).await;
    let response = service.call(Method::HEAD, "/things").bearer_auth("admin").send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.headers()["content-length"].to_str().unwrap().parse::<u64>().unwrap() > 100);
    assert!(response.bytes().await.unwrap().is_empty());
    assert_eq!(service.call(Method::HEAD, "/things").send().await.unwrap().status(), 401);
}

#[actix_web::test]
async fn queries_are_read_strictly_and_pages_follow_each_other() {
    let service = start(&[]).await;
    for (query, field) in [("limit=0", "limit"), ("limit=201", "limit"), ("cursor=zz", "cursor"), ("page=2", "page")] {
        let problem = refused(service.get(&format!("/things?{query}")), 400, "VALIDATION_ERROR").await;
        assert_eq!(problem["field"], field, "{problem}");
        refused(service.get(&format!("/api/v1/things?{query}")), 422, "VALIDATION_ERROR").await;
    }
    let (mut seen, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let page: Value = service.get(&format!("/things?limit=50{cursor}")).send().await.unwrap().json().await.unwrap();
        seen.extend(page["items"].as_array().unwrap().iter().map(|thing| thing["id"].as_str().unwrap().to_owned()));
        pages += 1;
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!((pages, seen.len()), (3, 120));
    assert!(seen.is_sorted());
}

#[actix_web::test]
async fn who_may_not_is_refused_before_the_body_is_read() {
    let service = start(&["--rate-limit=10000"]).await;
    let bare = |path: &str| service.call(Method::POST, path).header("content-type", "application/json").body("{");
    for path in ["/things", "/api/v1/things"] {
        refused(bare(path), 401, "UNAUTHORIZED").await;
        for bad in ["Bearer forged", "Bearer", "Bearer ", "Basic admin", "admin", ""] {
            refused(bare(path).header("authorization", bad), 401, "UNAUTHORIZED").await;
        }
        refused(bare(path).bearer_auth("viewer"), 403, "FORBIDDEN").await;
        refused(bare(path).bearer_auth("admin"), 400, "BAD_REQUEST").await;
        for org in [Uuid::from_u128(8).to_string(), "nonsense".to_owned()] {
            refused(bare(path).bearer_auth("admin").header("x-org-id", &org), 404, "NOT_FOUND").await;
            refused(bare(path).bearer_auth("forged").header("x-org-id", &org), 401, "UNAUTHORIZED").await;
        }
    }
    let things = |org: &str| format!("/api/v1/orgs/{org}/things");
    refused(service.call(Method::GET, &things(&HOME.to_string())), 401, "UNAUTHORIZED").await;
    refused(service.get(&things(&Uuid::from_u128(8).to_string())), 404, "NOT_FOUND").await;
    refused(service.get(&things("x")), 404, "NOT_FOUND").await;
    refused(service.call(Method::GET, &things(&HOME.to_string())).bearer_auth("viewer"), 403, "FORBIDDEN").await;
    assert_eq!(service.get(&things(&OrgId::from_uuid(HOME).to_string())).send().await.unwrap().status(), 200);
}

#[actix_web::test]
async fn a_session_cookie_changes_nothing_for_another_site() {
    let service = start(&[]).await;
    let post = || {
        let request = service.call(Method::POST, "/things").header("content-type", "application/json");
        request.body(r#"{"title":"one"}"#).header("cookie", "theme=dark; defendable_session=admin")
    };
    refused(post(), 403, "FORBIDDEN").await;
    refused(post().header("origin", "https://evil.example"), 403, "FORBIDDEN").await;
    refused(post().header("origin", "null"), 403, "FORBIDDEN").await;
    assert_eq!(post().header("origin", service.running.url()).send().await.unwrap().status(), 201);
    let read = service.call(Method::GET, "/things").header("cookie", "defendable_session=admin");
    assert_eq!(read.send().await.unwrap().status(), 200);
}

#[actix_web::test]
async fn a_caller_over_its_limit_waits_and_others_do_not() {
    let service = start(&["--rate-limit=3"]).await;
    let left = |response: &Response| response.headers()["x-ratelimit-remaining"].to_str().unwrap().to_owned();
    for expected in ["2", "1", "0"] {
        let response = service.get("/things").send().await.unwrap();
        assert_eq!(left(&response), expected);
        assert_eq!(response.headers()["x-ratelimit-limit"], "3");
    }
    let response = service.get("/things").send().await.unwrap();
    let wait: u64 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=20).contains(&wait), "{wait}");
    refused(service.get("/things"), 429, "RATE_LIMITED").await;
    assert_eq!(service.call(Method::GET, "/things").bearer_auth("viewer").send().await.unwrap().status(), 200);
    for _ in 0..10 {
        assert_eq!(service.call(Method::GET, "/healthz").send().await.unwrap().status(), 200, "probes are not counted");
    }
    let open = start(&["--rate-limit=0"]).await;
    let response = open.get("/things").send().await.unwrap();
    assert!(!response.headers().contains_key("x-ratelimit-limit"));
}

#[actix_web::test]
async fn a_panic_is_a_500_that_tells_nothing() {
    let service = start(&[]).await;
    let problem = refused(service.post("/panic", "").header("x-request-id", "abc-1"), 500, "INTERNAL").await;
    assert!(problem["detail"].as_str().unwrap().contains("abc-1"), "{problem}");
    assert!(!problem.to_string().contains("hunter2"));
    assert_eq!(service.get("/things").send().await.unwrap().status(), 200);
}

#[actix_web::test]
async fn a_request_id_is_kept_if_it_is_fit_for_a_log() {
    let service = start(&[]).await;
    let id = |sent: &'static str| {
        let request = service.get("/healthz").header("x-request-id", sent);
        async move { request.send().await.unwrap().headers()["x-request-id"].to_str().unwrap().to_owned() }
    };
    assert_eq!(id("trace-1.2_3").await, "trace-1.2_3");
    assert_eq!(id("a b").await.len(), 32);
    assert_eq!(id("").await.len(), 32);
}

#[actix_web::test]
async fn health_and_figures() {
    let service = start(&[]).await;
    let json = |response: Response| response.json::<Value>();
    for (path, expected) in
        [("/healthz", json!({"status": "healthy"})), ("/readyz", json!({"status": "healthy", "detail": null}))]
    {
        let answer = json(service.call(Method::GET, path).send().await.unwrap()).await.unwrap();
        assert_eq!(answer, expected);
    }
    let health = json(service.call(Method::GET, "/api/v1/health").send().await.unwrap()).await.unwrap();
    let none = "not_configured";
    let services =
        json!({"database": "healthy", "redis": none, "opa": none, "steampipe": none, "storage": none, "mail": none});
    assert_eq!(health, json!({"status": "healthy", "version": env!("CARGO_PKG_VERSION"), "services": services}));

    refused(service.get("/things/secret"), 404, "NOT_FOUND").await;
    let figures = service.http.get(service.running.metrics_url().unwrap()).send().await.unwrap().text().await.unwrap();
    assert!(
        figures.contains(r#"defendable_http_requests_total{method="GET",route="/healthz",status="200"} 1"#),
        "{figures}"
    );
    assert!(figures.contains(r#"route="/things/{thing_id}""#) && !figures.contains("secret"), "{figures}");
    refused(service.get("/metrics"), 404, "NOT_FOUND").await;
}

#[actix_web::test]
async fn the_pages_load_nothing_from_elsewhere() {
    let service = start(&["--rate-limit=0"]).await;
    let get = |path: &str| service.call(Method::GET, path).send();
    for page in ["/api/v1/docs", "/api/v1/redoc"] {
        let response = get(page).await.unwrap();
        assert_eq!(response.headers()["content-type"], "text/html; charset=utf-8");
        let policy = response.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.starts_with("default-src 'none'; script-src 'self';") && !policy.contains("http"), "{policy}");
        let html = response.text().await.unwrap();
        assert!(!html.contains("http://") && !html.contains("https://"), "{html}");
        let assets = html.split(['"']).filter(|text| text.starts_with("/api/v1/"));
        let mut count = 0;
        for asset in assets {
            let response = get(asset).await.unwrap();
            assert_eq!(response.status(), 200, "{asset}");
            assert!(response.bytes().await.unwrap().len() > 50, "{asset}");
            count += 1;
        }
        assert!(count >= 3, "{page} has {count} parts");
    }
}

#[actix_web::test]
async fn the_description_is_whole() {
    let service = start(&[]).await;
    let get =
        |path: &'static str| async { service.call(Method::GET, path).send().await.unwrap().bytes().await.unwrap() };
    let bytes = get("/openapi.json").await;
    assert_eq!(bytes, get("/api/v1/openapi.json").await);
    let document: Value = serde_json::from_slice(&bytes).unwrap();
    assert!(document["info"]["contact"].is_null(), "{}", document["info"]);
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));
    let names = |operation: &Value| -> Vec<String> {
        let parameters = operation["parameters"].as_array().unwrap().iter();
        parameters.map(|parameter| format!("{} {}", parameter["in"], parameter["name"]).replace('"', "")).collect()
    };
    assert_eq!(names(&document["paths"]["/things"]["post"]), ["header Idempotency-Key", "header X-Org-Id"]);
    let create = &document["paths"]["/things"]["post"];
    assert_eq!(create["x-permission"], "work");
    assert_eq!(create["security"][0], json!({"bearer": []}));
    for status in ["201", "400", "401", "403", "404", "409", "413", "415", "429", "500", "503"] {
        assert!(create["responses"][status].is_object(), "{status}: {create}");
    }
    assert!(create["responses"]["201"]["headers"]["X-Ledger-Position"].is_object());
    let show = &document["paths"]["/things/{thing_id}"]["get"];
    assert_eq!(names(show), ["path thing_id", "header If-Match", "header X-Org-Id"]);
    assert!(show["responses"]["412"].is_object() && show["responses"]["200"]["headers"]["ETag"].is_object(), "{show}");
    assert_eq!(names(&document["paths"]["/things"]["get"]), ["query limit", "query cursor", "header X-Org-Id"]);
    assert_eq!(document["paths"]["/api/v1/orgs/{org_id}/things"]["get"]["x-permission"], "administer");
    assert_eq!(document["paths"]["/healthz"]["get"]["security"], json!([]));

    let mut ids = std::collections::BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            assert!(ids.insert(operation["operationId"].as_str().unwrap()), "{method} {path}: its id is taken");
            assert!(operation["summary"].as_str().is_some_and(|summary| summary.len() > 4), "{method} {path}");
            assert!(operation["tags"][0].is_string(), "{method} {path}");
        }
    }
    let mut open = vec![&document];
    while let Some(value) = open.pop() {
        if let Some(reference) = value["$ref"].as_str() {
            let target = document.pointer(reference.trim_start_matches('#'));
            assert!(target.is_some(), "{reference} leads nowhere");
        }
        open.extend(value.as_object().into_iter().flat_map(|object| object.values()));
        open.extend(value.as_array().into_iter().flatten());
    }
}

#[actix_web::test]
async fn what_was_accepted_is_finished_and_then_the_store_is_closed() {
    let service = start(&[]).await;
    let idle = tokio::net::TcpStream::connect(service.running.url().trim_start_matches("http://")).await.unwrap();
    let slow = tokio::spawn(service.post("/slow", "").send());
    tokio::time::sleep(Duration::from_millis(200)).await;
    let start = std::time::Instant::now();
    let url = service.running.url();
    service.running.stop().await;
    assert!(start.elapsed() < Duration::from_secs(5), "an idle connection does not hold it up");
    assert!(service.app.closed.load(Ordering::SeqCst));
    let response = slow.await.unwrap().unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["connection"], "close");
    assert!(Client::new().get(url).send().await.is_err(), "nobody listens any more");
    drop(idle);
}

#[actix_web::test]
async fn a_slow_head_does_not_hold_a_connection() {
    let service = start(&[]).await;
    let mut socket = tokio::net::TcpStream::connect(service.running.url().trim_start_matches("http://")).await.unwrap();
    socket.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-").await.unwrap();
    let mut answer = String::new();
    let read = tokio::time::timeout(Duration::from_secs(15), socket.read_to_string(&mut answer)).await;
    read.expect("the connection is closed").unwrap();
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
}
