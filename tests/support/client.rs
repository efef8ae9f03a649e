//! A small HTTP client. Every reply it receives is held against the contract before the test sees it.

use super::{Contract, Form, Method, StatusCode, Value};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use std::{
    fmt,
    future::{Future, IntoFuture},
    panic::Location,
    pin::Pin,
    sync::{Arc, RwLock},
};

/// Where a service listens. Clients share it with their service, so that they find it again after a restart.
#[derive(Clone, Debug, Default)]
pub struct Address(Arc<RwLock<String>>);

impl Address {
    pub(super) fn url(&self) -> String {
        self.0.read().unwrap().clone()
    }

    pub(super) fn set(&self, url: &str) {
        url.clone_into(&mut self.0.write().unwrap());
    }
}

/// A caller of the service.
#[derive(Clone, Debug)]
pub struct Client {
    address: Address,
    http: reqwest::Client,
    headers: HeaderMap,
    user: Value,
}

impl Client {
    pub(super) fn new(address: Address) -> Self {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { address, http, headers: HeaderMap::new(), user: Value::Null }
    }

    /// This caller with the credential that a sign-in answered.
    pub(super) fn signed_in(&self, verified: &Value) -> Self {
        let token = verified["access_token"].as_str().expect("a sign-in gives a token");
        Self { user: verified["user"].clone(), ..self.bearer(token) }
    }

    /// This caller with another credential.
    pub fn bearer(&self, token: &str) -> Self {
        self.with("authorization", &format!("Bearer {token}"))
    }

    /// This caller, talking to another process of the same installation.
    pub fn through(&self, other: &super::Service) -> Self {
        Self { address: other.address(), ..self.clone() }
    }

    /// This caller, sending a header with every request.
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut client = self.clone();
        client.headers.insert(HeaderName::try_from(name).unwrap(), HeaderValue::try_from(value).unwrap());
        client
    }

    /// The id of the person who signed in.
    pub fn user_id(&self) -> &str {
        self.user["id"].as_str().expect("this client has signed in")
    }

    /// The id of the organisation that the person signed in to.
    pub fn org_id(&self) -> &str {
        self.user["org_id"].as_str().expect("this client has signed in")
    }

    #[track_caller]
    pub fn get(&self, path: &str) -> Call {
        self.call(Method::GET, path)
    }

    #[track_caller]
    pub fn post(&self, path: &str) -> Call {
        self.call(Method::POST, path)
    }

    #[track_caller]
    pub fn put(&self, path: &str) -> Call {
        self.call(Method::PUT, path)
    }

    #[track_caller]
    pub fn patch(&self, path: &str) -> Call {
        self.call(Method::PATCH, path)
    }

    #[track_caller]
    pub fn delete(&self, path: &str) -> Call {
        self.call(Method::DELETE, path)
    }

    /// A request to `path`, which may have a query; awaiting it sends it.
    #[track_caller]
    pub fn call(&self, method: Method, path: &str) -> Call {
        let url = format!("{}{path}", self.address.url());
        let request = self.http.request(method.clone(), url).headers(self.headers.clone());
        Call { request, method, path: path.to_owned(), caller: Location::caller() }
    }
}

/// A request that awaits being sent.
#[must_use = "a call is sent when awaited"]
#[derive(Debug)]
pub struct Call {
    request: reqwest::RequestBuilder,
    method: Method,
    path: String,
    caller: &'static Location<'static>,
}

impl Call {
    /// With a JSON body.
    pub fn json(self, body: Value) -> Self {
        Self { request: self.request.json(&body), ..self }
    }

    /// With a body of any kind and its media type, well-formed or not.
    pub fn body(self, media_type: &str, body: impl Into<reqwest::Body>) -> Self {
        Self { request: self.request.header(CONTENT_TYPE, media_type).body(body), ..self }
    }

    /// With a form that can hold files.
    pub fn form(self, form: Form) -> Self {
        Self { request: self.request.multipart(form), ..self }
    }

    /// With a header.
    pub fn header(self, name: &str, value: &str) -> Self {
        Self { request: self.request.header(name, value), ..self }
    }

    /// Sends the request, and says so when no reply came: under a crash that is no fault of the service's.
    pub async fn attempt(self) -> Result<Reply, reqwest::Error> {
        let Self { request, method, path, caller } = self;
        let response = request.send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.bytes().await?.to_vec();
        let reply = Reply { status, headers, body, request: format!("{method} {path}"), caller };
        if let Err(fault) = Contract::get().check(&method, &path, &reply) {
            panic!("{reply} is not what the OpenAPI document promises: {fault}");
        }
        Ok(reply)
    }
}

impl IntoFuture for Call {
    type Output = Reply;
    type IntoFuture = Pin<Box<dyn Future<Output = Reply> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let what = format!("{}: {} {}", self.caller, self.method, self.path);
        Box::pin(async move { self.attempt().await.unwrap_or_else(|error| panic!("{what}: {error}")) })
    }
}

/// A reply that keeps the contract.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status code.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body's bytes.
    pub body: Vec<u8>,
    request: String,
    caller: &'static Location<'static>,
}

impl Reply {
    /// A reply as it might come, to try the checks on.
    #[track_caller]
    pub fn imagined(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Self {
        let header = |&(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        Self {
            status: StatusCode::from_u16(status).unwrap(),
            headers: headers.iter().map(header).collect(),
            body: body.into(),
            request: "an imagined request".to_owned(),
            caller: Location::caller(),
        }
    }

    /// The body of a 200.
    #[track_caller]
    pub fn ok(self) -> Value {
        self.expect(StatusCode::OK).json()
    }

    /// The body of a 201.
    #[track_caller]
    pub fn created(self) -> Value {
        self.expect(StatusCode::CREATED).json()
    }

    /// The body of a 202.
    #[track_caller]
    pub fn accepted(self) -> Value {
        self.expect(StatusCode::ACCEPTED).json()
    }

    /// A 204.
    #[track_caller]
    pub fn no_content(self) {
        self.expect(StatusCode::NO_CONTENT);
    }

    /// The error of a refusal with this status, such as 409.
    #[track_caller]
    pub fn refused(self, status: u16) -> Problem {
        let status = StatusCode::from_u16(status).unwrap();
        assert!(status.is_client_error() || status.is_server_error(), "{status} refuses nothing");
        serde_json::from_slice(&self.expect(status).body).unwrap()
    }

    /// This reply, which must have the status.
    #[track_caller]
    pub fn expect(self, status: StatusCode) -> Self {
        assert_eq!(self.status, status, "{self}");
        self
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{self} is no JSON: {error}"))
    }

    /// A header, if it was sent.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The media type, without its parameters.
    pub(super) fn media_type(&self) -> Option<&str> {
        self.header("content-type").and_then(|value| value.split(';').next()).map(str::trim)
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body = String::from_utf8_lossy(&self.body);
        let short: String = body.chars().take(2_000).collect();
        write!(out, "the reply to {} ({}), {}: {short}", self.request, self.caller, self.status)
    }
}

/// The one shape of errors.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Problem {
    /// What was wrong and what is allowed.
    pub detail: String,
    /// The kind of error, for programs.
    pub code: String,
    /// The field at fault, where it is one.
    pub field: Option<String>,
}
