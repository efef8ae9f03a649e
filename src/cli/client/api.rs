//! HTTP, as the commands need it.

use super::credentials;
use crate::{
    cli::{Failure, warn},
    config::{self, Remote},
};
use aggregates::ids::OrgId;
use reqwest::{
    Client, Method, RequestBuilder, StatusCode, Url,
    header::{CONTENT_TYPE, HeaderMap, LOCATION, RETRY_AFTER},
    multipart::Form,
    redirect::Policy,
};
use serde_json::Value;
use std::{error::Error, time::Duration};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long sending a file may take.
const UPLOAD_PATIENCE: Duration = Duration::from_secs(600);
/// How often one request waits for its turn where the service asks for that, and how long at most.
const WAITS: u32 = 3;
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// How many records to ask for at once: as many as the service gives.
const PAGE: &str = "200";

/// A service, and who asks it.
pub(in crate::cli) struct Api {
    http: Client,
    base: Url,
    bearer: Option<String>,
    org: Option<OrgId>,
}

impl Api {
    /// The service, asked by whoever signed in. What a sign-in saved is sent to the service that it came from alone.
    pub(in crate::cli) fn signed_in(remote: &Remote) -> Result<Self, Failure> {
        let profile = credentials::load()?;
        let base = remote.service(profile.as_ref().map(|profile| profile.api_base_url.as_str()));
        let saved = profile.filter(|profile| profile.api_base_url == base).map(|profile| profile.jwt);
        let bearer = config::token().map(|token| token.reveal().to_owned()).or(saved).ok_or_else(|| {
            Failure::usage(format_args!(
                "not signed in to {base}: `defendable auth login` sends a sign-in link; or set DEFENDABLE_TOKEN"
            ))
        })?;
        Ok(Self { bearer: Some(bearer), org: remote.org, ..Self::anyone(&base)? })
    }

    /// The service, asked by nobody in particular.
    pub(super) fn anyone(base: &str) -> Result<Self, Failure> {
        let url = Url::parse(base).map_err(|error| Failure::usage(format_args!("{base} is no address: {error}")))?;
        let mut http = Client::builder()
            .user_agent(concat!("defendable-cli/", env!("CARGO_PKG_VERSION")))
            .timeout(PATIENCE)
            // A redirect would take the request, and what it carries, to an address that nobody named.
            .redirect(Policy::none())
            // What is not needed is not looked for: certificates take time, and need not be installed.
            .tls_built_in_root_certs(url.scheme() == "https");
        if config::is_loopback(base) {
            http = http.no_proxy();
        }
        Ok(Self { http: http.build()?, base: url, bearer: None, org: None })
    }

    /// The same service, asked with a credential.
    pub(super) fn with_bearer(self, bearer: String) -> Self {
        Self { bearer: Some(bearer), ..self }
    }

    /// Reads a record. `path` is made of segments, which are escaped where they must be.
    pub(in crate::cli) async fn get(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Value, Failure> {
        self.json(self.request(Method::GET, path).query(query)).await
    }

    /// The same, as the bytes that came.
    pub(super) async fn get_bytes(&self, path: &[&str]) -> Result<Vec<u8>, Failure> {
        self.send(self.request(Method::GET, path)).await
    }

    /// A list of which there are pages, to its end or until there are `most`.
    pub(in crate::cli) async fn list(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
        key: &str,
        most: Option<usize>,
    ) -> Result<Vec<Value>, Failure> {
        let most = most.unwrap_or(usize::MAX);
        let (mut found, mut cursor) = (Vec::new(), None::<String>);
        while found.len() < most {
            let mut query = [query, &[("limit", PAGE)]].concat();
            query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
            let mut page = self.get(path, &query).await?;
            found.extend(taken(&mut page, key)?);
            match page["next_cursor"].as_str() {
                Some(next) => cursor = Some(next.to_owned()),
                None => break,
            }
        }
        found.truncate(most);
        Ok(found)
    }

    /// A list that is always whole.
    pub(super) async fn whole(&self, path: &[&str], query: &[(&str, &str)], key: &str) -> Result<Vec<Value>, Failure> {
        taken(&mut self.get(path, query).await?, key)
    }

    /// Does what the path names.
    pub(super) async fn post(&self, path: &[&str]) -> Result<Value, Failure> {
        self.json(self.request(Method::POST, path)).await
    }

    /// Sends JSON.
    pub(super) async fn send_json(&self, method: Method, path: &[&str], body: &Value) -> Result<Value, Failure> {
        self.json(self.request(method, path).json(body)).await
    }

    /// Sends JSON as it was written, byte for byte.
    pub(super) async fn send_file(&self, path: &[&str], json: Vec<u8>) -> Result<Value, Failure> {
        let request = self.request(Method::POST, path).header(CONTENT_TYPE, "application/json");
        self.json(request.body(json)).await
    }

    /// Sends a form with a file.
    pub(super) async fn upload(&self, path: &[&str], form: Form) -> Result<Value, Failure> {
        self.json(self.request(Method::POST, path).multipart(form).timeout(UPLOAD_PATIENCE)).await
    }

    /// Where the service is.
    pub(super) fn base(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    fn request(&self, method: Method, path: &[&str]) -> RequestBuilder {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        let mut request = self.http.request(method, url);
        if let Some(bearer) = &self.bearer {
            request = request.bearer_auth(bearer);
        }
        if let Some(org) = self.org {
            request = request.header("X-Org-Id", org.to_string());
        }
        request
    }

    async fn json(&self, request: RequestBuilder) -> Result<Value, Failure> {
        let bytes = self.send(request).await?;
        if bytes.is_empty() {
            return Ok(Value::Null);
        }
        self.parse(&bytes)
    }

    /// Reads an answer.
    pub(super) fn parse<'a, T: serde::Deserialize<'a>>(&self, bytes: &'a [u8]) -> Result<T, Failure> {
        serde_json::from_slice(bytes)
            .map_err(|error| format!("what {} answers is none of this service's answers: {error}", self.base()).into())
    }

    async fn send(&self, mut request: RequestBuilder) -> Result<Vec<u8>, Failure> {
        let mut waits = WAITS;
        loop {
            // What is sent as it is read cannot be sent again.
            let again = request.try_clone().filter(|_| waits > 0);
            let answer = request.send().await.map_err(|error| self.unreachable(&error))?;
            let (status, headers) = (answer.status(), answer.headers().clone());
            let bytes = answer.bytes().await.map_err(|error| self.unreachable(&error))?;
            match (asked_to_wait(status, &headers), again) {
                (Some(wait), Some(again)) => {
                    warn(format_args!("too many requests; going on in {} s", wait.as_secs()));
                    tokio::time::sleep(wait).await;
                    (request, waits) = (again, waits - 1);
                }
                _ if status.is_success() => return Ok(bytes.into()),
                _ => return Err(refused(status, &headers, &bytes)),
            }
        }
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        if error.is_timeout() {
            return format!("{} did not answer in time", self.base()).into();
        }
        let mut cause: &dyn Error = error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        format!("{} cannot be reached: {}", self.base(), one_line(&cause.to_string())).into()
    }
}

/// How long the service asks to wait, where it refused a request for there being too many, and that is not long. Nothing
/// was done, so that the request may be sent again.
fn asked_to_wait(status: StatusCode, headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    let wait = Duration::from_secs(seconds);
    (status == StatusCode::TOO_MANY_REQUESTS && wait <= LONGEST_WAIT).then_some(wait)
}

/// The records of a list's answer.
fn taken(answer: &mut Value, key: &str) -> Result<Vec<Value>, Failure> {
    match answer.get_mut(key).map(Value::take) {
        Some(Value::Array(records)) => Ok(records),
        _ => Err(format!("the answer has no list `{key}`; is this a Defendable service?").into()),
    }
}

/// The service's refusal, on one line.
fn refused(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Failure {
    let said = serde_json::from_slice::<Value>(body).ok();
    let said = said.as_ref().and_then(|body| body["detail"].as_str()).map(one_line);
    let moved = || {
        let place = headers.get(LOCATION)?.to_str().ok()?;
        Some(format!("the service points to {}; if that is right, name it with --api", one_line(place)))
    };
    let sentence = said.or_else(moved).or_else(|| status.canonical_reason().map(str::to_owned));
    Failure {
        sentence: sentence.unwrap_or_else(|| "no reason given".to_owned()),
        code: if status == StatusCode::UNAUTHORIZED { 2 } else { 1 },
        status: Some(status.as_u16()),
    }
}

fn one_line(text: &str) -> String {
    let text: String = text.chars().map(|found| if found.is_control() { ' ' } else { found }).collect();
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_one_line_whatever_comes() {
        let headers = HeaderMap::new();
        let of = |status, body: &str| refused(status, &headers, body.as_bytes());
        let detailed = of(StatusCode::CONFLICT, "{\"detail\": \"no\\nverdict \\u001b[2J\"}");
        assert_eq!((detailed.sentence.as_str(), detailed.code, detailed.status), ("no verdict  [2J", 1, Some(409)));
        let html = of(StatusCode::BAD_GATEWAY, "<html>\nno</html>");
        assert_eq!((html.sentence.as_str(), html.code), ("Bad Gateway", 1));
        assert_eq!(of(StatusCode::UNAUTHORIZED, "").code, 2);
    }

    #[test]
    fn what_a_person_types_stays_one_segment_of_the_path() {
        let api = Api::anyone("https://example.org/grc/").unwrap_or_else(|failure| panic!("{}", failure.sentence));
        let request = api.request(Method::GET, &["flight-sheets", "a/../b?c#d"]).build().unwrap();
        assert_eq!(request.url().as_str(), "https://example.org/grc/flight-sheets/a%2F..%2Fb%3Fc%23d");
    }
}
