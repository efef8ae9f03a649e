//! The API description: collected from the handlers that are mounted, and completed with what holds
//! for all of them.

use crate::http::{
    Routes, caller,
    error::{Surface, problem},
    fallback::Known,
    page::{Cursor, Limit},
    reply::take_schemas,
};
use actix_web::{
    App, HttpMessage, HttpRequest,
    http::{Method, StatusCode},
    test::{TestRequest, init_service},
    web::Bytes,
};
use aggregates::ids::OrgId;
use serde_json::{Map, Value, json};
use std::{cell::RefCell, mem, rc::Rc};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{OpenApi, RefOr, Schema, path::Parameter},
};
use utoipa_actix_web::AppExt;

/// The bounded contexts, in reading order, as the description's tags.
const TAGS: [(&str, &str); 13] = [
    ("identity", "Sign-in, people, organisations, roles, API keys"),
    ("rulebooks", "Flight sheets: what an agent's work is checked against"),
    ("runs", "Projects, runs, evidence, submissions, audits, verdicts, approvals"),
    ("agents", "Agent profiles, and the lanes that their runs have earned them"),
    ("ledger", "Receipts and their chain, and how anybody verifies them"),
    ("compliance", "Frameworks, assessments, findings"),
    ("risk", "Registers, indicators, scenarios, simulation"),
    ("vendors", "Third parties and their attestations"),
    ("incidents", "Incidents, their timeline, tasks and evidence"),
    ("continuity", "Processes, dependencies, recovery plans"),
    ("evidence", "Evidence items and their integrity"),
    ("reports", "Reports and exports"),
    ("service", "Health and this description"),
];

/// The description, as it is served and as it is looked up.
#[derive(Debug)]
pub(crate) struct Document {
    bytes: Bytes,
    known: Known,
}

impl Document {
    pub(crate) async fn of(routes: Routes) -> serde_json::Result<Self> {
        let document = describe(routes).await?;
        Ok(Self { bytes: serde_json::to_vec_pretty(&document)?.into(), known: Known::of(&document) })
    }

    /// The document's bytes.
    pub(crate) fn bytes(&self) -> Bytes {
        self.bytes.clone()
    }

    /// The paths and their methods.
    pub(crate) const fn known(&self) -> &Known {
        &self.known
    }

    /// Whether there is such an operation.
    pub(crate) fn knows(&self, method: &Method, path: &str) -> bool {
        self.known.has(method, path)
    }
}

/// Asks a handler's arguments what they are, without running it: `May` notes the permission and, as the
/// first argument, ends the request there; the others note the parameters that they read.
#[derive(Clone, Default)]
pub(crate) struct Probe(Rc<RefCell<Findings>>);

/// What a handler's arguments say.
#[derive(Default)]
pub struct Findings {
    /// The permission that it needs.
    pub(crate) permission: Option<&'static str>,
    /// The parameters that it reads beside those of the path.
    pub(crate) parameters: Vec<Parameter>,
    /// The schemas of those of the path, by name.
    pub(crate) schemas: Vec<(String, RefOr<Schema>)>,
}

impl Probe {
    /// Whether a request is a probe; if so, notes what there is to note.
    pub(crate) fn is_asked(request: &HttpRequest, note: impl FnOnce(&mut Findings)) -> bool {
        let probe = request.extensions().get::<Self>().cloned();
        probe.map(|probe| note(&mut probe.0.borrow_mut())).is_some()
    }
}

/// The OpenAPI 3.1 document of these handlers.
///
/// # Errors
/// A part of it cannot be written as JSON.
pub async fn describe(routes: Routes) -> serde_json::Result<Value> {
    take_schemas();
    let (app, collected) = App::new().into_utoipa_app().configure(|config| routes.mount(config)).split_for_parts();
    let mut document = serde_json::to_value(collect(collected))?;
    let app = init_service(app).await;
    let mut schemas = Vec::new();
    for (path, item) in document["paths"].as_object_mut().into_iter().flatten() {
        for (method, operation) in item.as_object_mut().into_iter().flatten() {
            let Some(operation) = operation.as_object_mut() else { continue };
            let probe = Probe::default();
            if !caller::is_public(path) {
                // Path parameters need no value: a handler's first argument answers the probe.
                let request = TestRequest::with_uri(&path.replace(['{', '}'], "")).method(method_named(method));
                let request = request.to_request();
                request.extensions_mut().insert(probe.clone());
                drop(actix_web::dev::Service::call(&app, request).await);
            }
            let mut findings = mem::take(&mut *probe.0.borrow_mut());
            schemas.append(&mut findings.schemas);
            complete(operation, method, path, findings)?;
        }
    }
    // Schemas that only path parameters refer to; texts and numbers stand in the parameters themselves.
    let text = document.to_string();
    for (name, schema) in schemas {
        if text.contains(&format!("\"#/components/schemas/{name}\"")) {
            document["components"]["schemas"][name] = serde_json::to_value(schema)?;
        }
    }
    Ok(document)
}

fn method_named(name: &str) -> Method {
    Method::from_bytes(name.to_uppercase().as_bytes()).unwrap_or_default()
}

fn collect(mut document: OpenApi) -> OpenApi {
    document.info.title = "Defendable".to_owned();
    document.info.version = env!("CARGO_PKG_VERSION").to_owned();
    document.info.description = Some(
        "Governance, risk and compliance in which every record is an event on a tamper-evident ledger.".to_owned(),
    );
    // Otherwise the collecting crate's own authors.
    document.info.contact = None;
    document.info.license = Some(utoipa::openapi::License::new("Apache-2.0"));
    document.servers = Some(vec![utoipa::openapi::Server::new("/")]);
    let tag =
        |(name, what): (&str, &str)| utoipa::openapi::tag::TagBuilder::new().name(name).description(Some(what)).build();
    let operations =
        document.paths.paths.values().flat_map(|item| [&item.get, &item.post, &item.put, &item.patch, &item.delete]);
    let used: Vec<_> = operations.flatten().flat_map(|operation| operation.tags.iter().flatten().cloned()).collect();
    document.tags = Some(TAGS.into_iter().filter(|(name, _)| used.iter().any(|used| used == name)).map(tag).collect());
    // Answers that every operation may give, so that their schemas are collected before the rest.
    problem(StatusCode::BAD_REQUEST);
    let components = document.components.get_or_insert_default();
    components.schemas.extend(take_schemas());
    components.schemas.insert(Limit::name().into_owned(), Limit::schema());
    components.schemas.insert(Cursor::name().into_owned(), Cursor::schema());
    let bearer = utoipa::openapi::security::HttpBuilder::new()
        .scheme(utoipa::openapi::security::HttpAuthScheme::Bearer)
        .description(Some("A token from a sign-in, or an API key (`sk-…`)"))
        .build();
    components.add_security_scheme("bearer", utoipa::openapi::security::SecurityScheme::Http(bearer));
    let cookie = utoipa::openapi::security::ApiKeyValue::with_description(
        caller::SESSION_COOKIE,
        "A browser's session; changes must come from this service's own pages",
    );
    components.add_security_scheme(
        "session",
        utoipa::openapi::security::SecurityScheme::ApiKey(utoipa::openapi::security::ApiKey::Cookie(cookie)),
    );
    document
}

/// What is public and yet asks for a credential, to trade it for a session.
const TRADES: [&str; 2] = ["/auth/verify", "/auth/accept-invite"];

/// Adds what follows from the method, the path, the body and the permission.
fn complete(
    operation: &mut Map<String, Value>,
    method: &str,
    path: &str,
    findings: Findings,
) -> serde_json::Result<()> {
    let public = caller::is_public(path);
    let (changes, has_body) = (method != "get", operation.contains_key("requestBody"));
    operation.insert("security".to_owned(), if public { json!([]) } else { json!([{"bearer": []}, {"session": []}]) });
    if let Some(permission) = findings.permission {
        operation.insert("x-permission".to_owned(), permission.into());
    }
    add_parameters(operation, path, findings.parameters)?;
    let has_parameters = operation.get("parameters").and_then(Value::as_array).is_some_and(|list| !list.is_empty());

    let mut statuses = vec![500];
    if !caller::is_probe(path) {
        statuses.push(429);
    }
    if !path.ends_with("/openapi.json") {
        statuses.push(503);
    }
    if !public {
        // 404 also for an organisation that is not the caller's.
        statuses.extend([401, 403, 404]);
    } else if has_body {
        // The credential is in the body: the token of a link.
        statuses.push(401);
    }
    if public && changes && path != "/auth/request" {
        // What the body or the path holds is the credential: the token of a link, a password.
        statuses.push(401);
    }
    if TRADES.contains(&path) {
        statuses.push(401);
    }
    if path.contains('{') {
        statuses.push(404);
    }
    if has_body {
        statuses.extend([400, 413, 415]);
    }
    if has_parameters {
        statuses.push(400);
    }
    if (has_body || has_parameters) && Surface::of(path) == Surface::Grc {
        statuses.push(422);
    }
    if changes && !public {
        statuses.push(409);
    }
    let mut parameters = operation.get("parameters").and_then(Value::as_array).into_iter().flatten();
    if parameters.any(|parameter| parameter["name"] == "If-Match") {
        statuses.push(412);
    }
    let responses = operation.entry("responses").or_insert_with(|| json!({}));
    let Some(responses) = responses.as_object_mut() else { return Ok(()) };
    for status in statuses.into_iter().filter_map(|status| StatusCode::from_u16(status).ok()) {
        for (status, response) in problem(status) {
            let response = serde_json::to_value(response)?;
            responses.entry(status).or_insert(response);
        }
    }
    Ok(())
}

fn add_parameters(operation: &mut Map<String, Value>, path: &str, found: Vec<Parameter>) -> serde_json::Result<()> {
    let parameters = operation.entry("parameters").or_insert_with(|| json!([]));
    let Some(parameters) = parameters.as_array_mut() else { return Ok(()) };
    for parameter in found {
        let parameter = serde_json::to_value(parameter)?;
        // A handler may also have described it itself.
        if !parameters.iter().any(|known| known["name"] == parameter["name"] && known["in"] == parameter["in"]) {
            parameters.push(parameter);
        }
    }
    if !caller::is_public(path) && !path.contains("/orgs/{") {
        parameters.push(json!({
            "name": "X-Org-Id", "in": "header", "required": false,
            "description": "Another organisation that the caller belongs to than the credential's own",
            "schema": OrgId::schema(),
        }));
    }
    Ok(())
}
