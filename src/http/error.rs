//! The one shape of every refusal: `{"detail": "…", "code": "…", "field": "…"}`.

use crate::http::reply::described;
use actix_web::{
    HttpResponse, ResponseError,
    http::{StatusCode, header},
};
use aggregates::{Fault, Refusal};
use serde::Serialize;
use std::{borrow::Cow, collections::BTreeMap, error::Error, fmt};
use utoipa::{
    IntoResponses, ToSchema,
    openapi::{RefOr, Response},
};

/// What a handler returns: a reply, or why there is none.
pub type Reply<R> = Result<R, Problem>;

/// The sorts of refusal; each has one status, but for [`Code::ValidationError`] (see [`Surface`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[schema(as = ErrorCode)]
pub enum Code {
    /// 400: the request cannot be read.
    BadRequest,
    /// 401: no credential, or one that does not hold.
    Unauthorized,
    /// 403: the caller may not do this.
    Forbidden,
    /// 404: there is no such thing, or it belongs to another organisation.
    NotFound,
    /// 405: the path has no such method.
    MethodNotAllowed,
    /// 409: the record's state does not allow it, or it would be a duplicate.
    Conflict,
    /// 412: the record has changed since it was read.
    PreconditionFailed,
    /// 413: the body is larger than allowed.
    PayloadTooLarge,
    /// 415: the body is of another media type than asked for.
    UnsupportedMediaType,
    /// 422, and 400 on the runs surface: the request can be read but breaks a rule.
    ValidationError,
    /// 429: too many requests.
    RateLimited,
    /// 500: a fault of the service.
    Internal,
    /// 503: a part that is not configured or not reachable.
    Unavailable,
}

impl Code {
    /// Its status on a surface.
    pub const fn status(self, surface: Surface) -> StatusCode {
        match (self, surface) {
            (Self::BadRequest, _) | (Self::ValidationError, Surface::Runs) => StatusCode::BAD_REQUEST,
            (Self::ValidationError, Surface::Grc) => StatusCode::UNPROCESSABLE_ENTITY,
            (Self::Unauthorized, _) => StatusCode::UNAUTHORIZED,
            (Self::Forbidden, _) => StatusCode::FORBIDDEN,
            (Self::NotFound, _) => StatusCode::NOT_FOUND,
            (Self::MethodNotAllowed, _) => StatusCode::METHOD_NOT_ALLOWED,
            (Self::Conflict, _) => StatusCode::CONFLICT,
            (Self::PreconditionFailed, _) => StatusCode::PRECONDITION_FAILED,
            (Self::PayloadTooLarge, _) => StatusCode::PAYLOAD_TOO_LARGE,
            (Self::UnsupportedMediaType, _) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            (Self::RateLimited, _) => StatusCode::TOO_MANY_REQUESTS,
            (Self::Internal, _) => StatusCode::INTERNAL_SERVER_ERROR,
            (Self::Unavailable, _) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The code of a status that the framework chose.
    fn of(status: StatusCode) -> Self {
        match status.as_u16() {
            401 => Self::Unauthorized,
            403 => Self::Forbidden,
            404 => Self::NotFound,
            405 => Self::MethodNotAllowed,
            409 => Self::Conflict,
            412 => Self::PreconditionFailed,
            413 => Self::PayloadTooLarge,
            415 => Self::UnsupportedMediaType,
            429 => Self::RateLimited,
            503 => Self::Unavailable,
            400..=499 => Self::BadRequest,
            _ => Self::Internal,
        }
    }
}

/// The two surfaces. They differ in one thing: a request that breaks a rule is 400 on the first
/// and 422 on the second, as their contracts have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surface {
    /// Runs and receipts, at `/`.
    Runs,
    /// Governance, risk and compliance, at `/api/v1`.
    Grc,
}

impl Surface {
    /// The surface that a path lies on.
    pub fn of(path: &str) -> Self {
        match path.strip_prefix("/api/v1") {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => Self::Grc,
            _ => Self::Runs,
        }
    }
}

/// Why a request is refused.
#[derive(Debug)]
pub struct Problem {
    code: Code,
    /// Its sort on the runs surface, where that is another.
    on_runs: Option<Code>,
    detail: Cow<'static, str>,
    field: Option<Cow<'static, str>>,
    retry_after: Option<u64>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl Problem {
    fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { code, on_runs: None, detail: detail.into(), field: None, retry_after: None, source: None }
    }

    /// The request cannot be read.
    pub fn bad_request(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::BadRequest, detail)
    }

    /// No credential, or one that does not hold. One answer for all reasons, so that nobody learns which it was.
    pub fn unauthorized() -> Self {
        Self::new(
            Code::Unauthorized,
            "sign in first: send `Authorization: Bearer …` with a token or API key that is still valid",
        )
    }

    /// What was sent to sign in with does not hold; `detail` says what would.
    pub fn not_signed_in(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::Unauthorized, detail)
    }

    /// The caller may not do it; `detail` says why.
    pub fn forbidden(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::Forbidden, detail)
    }

    /// There is no such thing (of that name, such as `run`) for this caller.
    pub fn missing(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::NotFound, detail)
    }

    /// There is no such thing, or it is another organisation's.
    pub fn not_found(what: &str) -> Self {
        Self::new(Code::NotFound, format!("no such {what}"))
    }

    /// The path has no such method.
    pub fn method_not_allowed(allowed: &str) -> Self {
        Self::new(Code::MethodNotAllowed, format!("this path does not have that method; allowed: {allowed}"))
    }

    /// The state does not allow it, or it would be a duplicate.
    pub fn conflict(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::Conflict, detail)
    }

    /// The record has moved on since the revision in `If-Match`.
    pub fn precondition_failed(current: u64) -> Self {
        Self::new(
            Code::PreconditionFailed,
            format!("the record has changed since: its revision is {current}; read it again and repeat the change"),
        )
    }

    /// The body has more bytes than allowed.
    pub fn too_large(limit: usize) -> Self {
        Self::new(Code::PayloadTooLarge, format!("the body is too large; at most {limit} bytes are allowed"))
    }

    /// The body is not of the media type asked for.
    pub fn unsupported_media_type(allowed: &str) -> Self {
        Self::new(Code::UnsupportedMediaType, format!("send the body with `Content-Type: {allowed}`"))
    }

    /// The request breaks a rule; `detail` says what was wrong and what is allowed.
    pub fn invalid(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::ValidationError, detail)
    }

    /// Too many requests; they may go on after so many seconds.
    pub fn rate_limited(detail: impl Into<Cow<'static, str>>, retry_after_seconds: u64) -> Self {
        Self { retry_after: Some(retry_after_seconds), ..Self::new(Code::RateLimited, detail) }
    }

    /// A fault of the service. The cause is logged under the request's id and never shown.
    pub fn internal(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { source: Some(cause.into()), ..Self::new(Code::Internal, "internal error") }
    }

    /// An `Idempotency-Key` that came with another request before: 409 on the runs surface, 422 on the other.
    pub fn key_reused(detail: impl Into<Cow<'static, str>>) -> Self {
        Self { on_runs: Some(Code::Conflict), ..Self::new(Code::ValidationError, detail) }
    }

    /// A part that is not configured or not reachable; `detail` names it.
    pub fn unavailable(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::Unavailable, detail)
    }

    /// The framework's own refusal, in this shape.
    pub(crate) fn of_framework(error: &actix_web::Error) -> Self {
        let status = error.as_response_error().status_code();
        match Code::of(status) {
            Code::Internal => Self::internal(error.to_string()),
            code => Self::new(code, error.to_string()),
        }
    }

    /// Names the one field at fault.
    pub fn at(self, field: impl Into<Cow<'static, str>>) -> Self {
        Self { field: Some(field.into()), ..self }
    }

    /// Adds what caused it, for the log alone.
    pub fn because(self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { source: Some(cause.into()), ..self }
    }

    /// Its sort.
    pub const fn code(&self) -> Code {
        self.code
    }

    /// The sentence for a person.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The field at fault, where it is one.
    pub fn field(&self) -> Option<&str> {
        self.field.as_deref()
    }

    /// The answer on a surface. An internal fault says nothing but under which id it is logged.
    pub(crate) fn answer(&self, surface: Surface, request_id: &str) -> HttpResponse {
        let code = self.on_runs.filter(|_| surface == Surface::Runs).unwrap_or(self.code);
        let status = code.status(surface);
        match self.code {
            Code::Internal => {
                tracing::error!(request_id, detail = %self.detail, cause = ?self.source, "internal error")
            }
            Code::Unavailable => {
                tracing::warn!(request_id, detail = %self.detail, cause = ?self.source, "unavailable");
            }
            _ => {}
        }
        let detail = match self.code {
            Code::Internal => Cow::Owned(format!("internal error; it is logged under the request id {request_id}")),
            _ => Cow::Borrowed(self.detail.as_ref()),
        };
        let mut answer = HttpResponse::build(status);
        if let Some(seconds) = self.retry_after {
            answer.insert_header((header::RETRY_AFTER, seconds));
        }
        if self.code == Code::Unauthorized {
            answer.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
        }
        answer.json(ProblemBody { detail: &detail, code, field: self.field.as_deref() })
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.detail)
    }
}

impl Error for Problem {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|source| -> &(dyn Error + 'static) { source.as_ref() })
    }
}

/// `http::edge`, which knows the surface and the request's id, makes the answer of it.
impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.code.status(Surface::Runs)
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::new(self.status_code())
    }
}

/// A rule's refusal, with the status of its kind.
impl<R: Refusal> From<R> for Problem {
    fn from(refusal: R) -> Self {
        let detail = refusal.to_string();
        match refusal.fault() {
            Fault::NotFound => Self::new(Code::NotFound, detail),
            Fault::Conflict => Self::conflict(detail),
            Fault::Forbidden => Self::forbidden(detail),
            Fault::Invalid(Some(field)) => Self::invalid(detail).at(field),
            Fault::Invalid(None) => Self::invalid(detail),
        }
    }
}

/// Why a request was refused.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemBody<'a> {
    /// What was wrong and what is allowed, for a person.
    #[schema(example = "likelihood: 7 is out of range; allowed are 1 to 5")]
    detail: &'a str,
    /// The sort of refusal, for a program.
    #[schema(inline = false)]
    code: Code,
    /// The field at fault, where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "likelihood")]
    field: Option<&'a str>,
}

/// What any operation may answer; `http::document` adds what follows from its method, path and body.
impl IntoResponses for Problem {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        problem(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// The description of a refusal with this status.
pub(crate) fn problem(status: StatusCode) -> BTreeMap<String, RefOr<Response>> {
    described::<ProblemBody<'static>>(status.as_str(), status.canonical_reason().unwrap_or("Refused"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_rule_is_400_on_one_surface_and_422_on_the_other() {
        assert_eq!(Surface::of("/runs"), Surface::Runs);
        assert_eq!(Surface::of("/api/v1/orgs"), Surface::Grc);
        assert_eq!(Surface::of("/api/v10/orgs"), Surface::Runs);
        assert_eq!(Code::ValidationError.status(Surface::Runs), 400);
        assert_eq!(Code::ValidationError.status(Surface::Grc), 422);
        assert_eq!(Code::BadRequest.status(Surface::Grc), 400);
    }

    #[test]
    fn an_internal_fault_shows_nothing_but_the_request() {
        let problem = Problem::internal("password of the database is hunter2");
        let answer = problem.answer(Surface::Runs, "0190");
        assert_eq!(answer.status(), 500);
        assert!(!problem.to_string().contains("hunter2"));
    }
}
