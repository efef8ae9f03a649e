//! What every request passes, on the way in and on the way out.

use crate::{
    http::{
        Wire,
        caller::{self, ClientAddress},
        error::{Problem, Reply, Surface},
        fallback,
        limits::{Standing, Who},
    },
    outside::chance,
};
use actix_web::{
    Error, FromRequest, HttpMessage, HttpRequest, HttpResponse,
    body::{BoxBody, MessageBody},
    dev::{Payload, ServiceRequest, ServiceResponse},
    error::InternalError,
    http::{
        ConnectionType, Method,
        header::{self, HeaderName, HeaderValue},
    },
    middleware::Next,
    web::Data,
};
use futures::FutureExt;
use std::{
    any::Any,
    future::{Ready, ready},
    panic::AssertUnwindSafe,
    time::Instant,
};

/// The id under which a request is logged.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// The id of a request: the client's, where it sent one that is fit for a log, or one of ours.
#[derive(Clone, Debug)]
pub struct RequestId(pub String);

impl FromRequest for RequestId {
    type Error = Problem;
    type Future = Ready<Reply<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let known = request.extensions().get::<Self>().cloned();
        ready(known.ok_or_else(|| Problem::internal("the request has not passed the edge")))
    }
}

impl RequestId {
    fn of(request: &ServiceRequest) -> Self {
        let theirs = request.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok());
        let fit = |id: &&str| {
            (1..=64).contains(&id.len())
                && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        };
        Self(theirs.filter(fit).map_or_else(|| chance::uuid().simple().to_string(), str::to_owned))
    }
}

/// The outermost layer.
pub(crate) async fn pass(
    wire: Data<Wire>,
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let start = Instant::now();
    let id = RequestId::of(&request);
    let surface = Surface::of(request.path());
    let (method, path) = (request.method().clone(), request.path().to_owned());
    request.extensions_mut().insert(id.clone());
    wire.metrics.in_flight.inc();
    if method == Method::HEAD {
        // As GET; the server leaves the body out (RFC 9110 §9.3.2).
        request.head_mut().method = Method::GET;
    }

    let (standing, admitted) = admit(&wire, &request).await;
    let outcome = match admitted {
        Err(problem) => Ok(request.into_response(problem.answer(surface, &id.0))),
        Ok(()) if wire.document.known().lacks(request.method(), request.path()) => {
            let refusal = fallback::refusal(&wire, request.path(), &id);
            Ok(request.into_response(refusal))
        }
        // A panic is a fault of ours: the caller gets an answer, and the connection lives on.
        Ok(()) => match AssertUnwindSafe(next.call(request)).catch_unwind().await {
            Ok(Ok(response)) => Ok(in_shape(response.map_into_boxed_body(), surface, &id.0)),
            Ok(Err(error)) => Err(answer_to(&error, surface, &id.0)),
            Err(panic) => Err(Problem::internal(said(panic.as_ref())).answer(surface, &id.0)),
        },
    };

    wire.metrics.in_flight.dec();
    let route = match &outcome {
        Ok(response) => response.request().match_pattern().unwrap_or_else(|| "unmatched".to_owned()),
        Err(_) => "unmatched".to_owned(),
    };
    let status = outcome.as_ref().map_or_else(HttpResponse::status, ServiceResponse::status);
    let took = start.elapsed();
    wire.metrics.answered(&route, method.as_str(), status.as_u16(), took);
    if !caller::is_probe(&path) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        tracing::info!(target: "defendable::access", request_id = %id.0, %method, route, path = path_for_log(&path), status = status.as_u16(), micros);
    }
    match outcome {
        Ok(mut response) => {
            dress(&wire, response.response_mut(), &id, standing);
            Ok(response)
        }
        Err(mut response) => {
            dress(&wire, &mut response, &id, standing);
            Err(InternalError::from_response("refused", response).into())
        }
    }
}

/// Finds out who asks, and whether they have asked too much. Nothing of the body is read.
async fn admit(wire: &Wire, request: &ServiceRequest) -> (Option<Standing>, Reply<()>) {
    let address = ClientAddress::of(request, &wire.proxies);
    request.extensions_mut().insert(address);
    if caller::is_probe(request.path()) {
        return (wire.limits.untouched(), Ok(()));
    }
    let identified = caller::identify(wire, request).await;
    let who = match &identified {
        Ok(Some(caller)) => Who::Caller(caller.actor),
        _ => Who::at(address.0),
    };
    let (standing, within) = wire.limits.request(&who);
    (standing, within.and_then(|()| let_in(wire, request, identified)))
}

fn let_in(wire: &Wire, request: &ServiceRequest, identified: Reply<Option<caller::Caller>>) -> Reply<()> {
    match identified {
        Ok(Some(caller)) => {
            request.extensions_mut().insert(caller);
            Ok(())
        }
        // A stale cookie must not keep anybody from signing in again.
        _ if caller::is_public(request.path()) => Ok(()),
        // What is nowhere is nowhere, whoever asks: the fallback says so.
        _ if !wire.document.knows(request.method(), request.path()) => Ok(()),
        Ok(None) => Err(Problem::unauthorized()),
        Err(problem) => Err(problem),
    }
}

/// A refusal in the one shape, with the status of its surface.
fn in_shape(response: ServiceResponse, surface: Surface, id: &str) -> ServiceResponse {
    match response.response().error().map(|error| answer_to(error, surface, id)) {
        Some(answer) => response.into_response(answer),
        None => response,
    }
}

fn answer_to(error: &Error, surface: Surface, id: &str) -> HttpResponse {
    match error.as_error::<Problem>() {
        Some(problem) => problem.answer(surface, id),
        None => Problem::of_framework(error).answer(surface, id),
    }
}

fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("panic: {}", text.unwrap_or("without a message"))
}

/// A path without what is a secret in it: the tokens of links.
fn path_for_log(path: &str) -> &str {
    let secret = ["/share/", "/users/invitations/"].iter().find_map(|part| path.find(part).map(|at| at + part.len()));
    secret.and_then(|end| path.get(..end)).unwrap_or(path)
}

/// The headers of every answer.
fn dress(wire: &Wire, response: &mut HttpResponse, id: &RequestId, standing: Option<Standing>) {
    if wire.is_draining() {
        response.head_mut().set_connection_type(ConnectionType::Close);
    }
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&id.0) {
        headers.insert(REQUEST_ID, id);
    }
    if let Some(standing) = standing {
        headers.insert(LIMIT, standing.limit.into());
        headers.insert(REMAINING, standing.remaining.into());
        headers.insert(RESET, standing.reset.into());
    }
    let mut default = |name: HeaderName, value: &'static str| {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    };
    default(header::CACHE_CONTROL, "no-store");
    default(
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    );
    default(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    default(header::X_FRAME_OPTIONS, "DENY");
    default(header::REFERRER_POLICY, "no-referrer");
    default(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    if wire.secure {
        default(header::STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
}
