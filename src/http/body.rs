//! Bodies of requests, read once and strictly.

use crate::http::error::{Problem, Reply};
use actix_web::{
    FromRequest, HttpMessage, HttpRequest,
    dev::Payload,
    http::header,
    web::{Bytes, BytesMut},
};
use futures::{StreamExt, future::LocalBoxFuture};
use proof::canonical::{Refusal, StrictError, from_slice_strict};
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use std::time::Duration;

/// One mebibyte: how many bytes a JSON body may have.
pub const MIB: usize = 1 << 20;

/// How long a body may take to arrive, so that a slow sender does not hold a connection for ever.
const PATIENCE: Duration = Duration::from_secs(30);

/// A JSON body of at most `LIMIT` bytes, and the digest of its bytes.
///
/// `T` should refuse unknown fields (`#[serde(deny_unknown_fields)]`), unless it is somebody else's document.
///
/// # Errors
/// 413 when it is too large, 415 when it is not declared as JSON, 400 when it is not JSON in the
/// strict sense of [`from_slice_strict`], and a validation error that names the field when it is not a `T`.
#[derive(Debug, Clone)]
pub struct Json<T, const LIMIT: usize = MIB>(pub T, pub Digest);

/// BLAKE3 of a body's bytes: the same `Idempotency-Key` with another digest is a mistake.
pub type Digest = blake3::Hash;

/// A body of any media type, at most `LIMIT` bytes, as it came.
#[derive(Debug, Clone)]
pub struct Raw<const LIMIT: usize = MIB> {
    /// The media type without parameters, lowercase; empty when none was sent.
    pub media_type: String,
    /// The bytes.
    pub bytes: Bytes,
}

impl<T: DeserializeOwned + 'static, const LIMIT: usize> FromRequest for Json<T, LIMIT> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Reply<Self>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            if !is_json(&media_type(&request)) {
                return Err(Problem::unsupported_media_type("application/json"));
            }
            let bytes = read(&request, payload, LIMIT).await?;
            Ok(Self(parse(&bytes)?, blake3::hash(&bytes)))
        })
    }
}

impl<const LIMIT: usize> FromRequest for Raw<LIMIT> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Reply<Self>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let bytes = read(&request, payload, LIMIT).await?;
            Ok(Self { media_type: media_type(&request), bytes })
        })
    }
}

impl<const LIMIT: usize> Raw<LIMIT> {
    /// The digest of the bytes, as [`Json`] has it.
    pub fn digest(&self) -> Digest {
        blake3::hash(&self.bytes)
    }
}

/// Whether a media type is JSON (RFC 6838 §4.2.8: also those that end in `+json`).
pub fn is_json(media_type: &str) -> bool {
    media_type == "application/json" || (media_type.starts_with("application/") && media_type.ends_with("+json"))
}

/// Reads strict JSON into a type.
///
/// # Errors
/// 400 when the text is not JSON in the strict sense; a validation error when it is not a `T`.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Reply<T> {
    from_slice_strict(bytes).map_err(unreadable)
}

/// Reads the outermost object of a body. Its parts may be somebody else's documents, kept as they were written
/// (`RawValue`) and then judged each by its own rules: they are only looked at for where they end.
///
/// # Errors
/// 400 when the text is not JSON; a validation error that names the field when it is not a `T`.
pub fn parts<T: DeserializeOwned>(bytes: &[u8]) -> Reply<T> {
    serde_json::from_slice(bytes).map_err(|error| {
        let sentence = error.to_string();
        match error.classify() {
            Category::Data => {
                let field = quoted(&sentence).map(str::to_owned);
                let problem = Problem::invalid(sentence);
                field.into_iter().fold(problem, Problem::at)
            }
            Category::Syntax | Category::Eof | Category::Io => {
                Problem::bad_request(format!("the text is not JSON: {sentence}"))
            }
        }
    })
}

fn unreadable(error: StrictError) -> Problem {
    let sentence = error.to_string();
    match error.refusal {
        Refusal::Shape { path, problem } => {
            // Of an unknown or missing field the field itself is at fault, not the object around it.
            let field = match quoted(&problem) {
                Some(name) if path.is_empty() => name.to_owned(),
                Some(name) if path != name && !path.ends_with(&format!(".{name}")) => format!("{path}.{name}"),
                _ => path,
            };
            let problem = Problem::invalid(sentence);
            if field.is_empty() { problem } else { problem.at(field) }
        }
        Refusal::Null => Problem::invalid(sentence),
        _ => Problem::bad_request(sentence),
    }
}

/// The field that serde says is unknown or missing.
pub(crate) fn quoted(problem: &str) -> Option<&str> {
    let rest = ["unknown field `", "missing field `", "duplicate field `"]
        .iter()
        .find_map(|beginning| problem.strip_prefix(beginning))?;
    rest.split('`').next()
}

fn media_type(request: &HttpRequest) -> String {
    request.content_type().trim().to_ascii_lowercase()
}

async fn read(request: &HttpRequest, mut payload: Payload, limit: usize) -> Reply<Bytes> {
    let declared = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if declared.is_some_and(|declared: usize| declared > limit) {
        return Err(Problem::too_large(limit));
    }
    let whole = async {
        let mut body = BytesMut::with_capacity(declared.unwrap_or(0));
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(|error| Problem::bad_request(format!("the body did not arrive: {error}")))?;
            if body.len() + chunk.len() > limit {
                return Err(Problem::too_large(limit));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    };
    let late = || Problem::bad_request(format!("the body did not arrive within {} seconds", PATIENCE.as_secs()));
    tokio::time::timeout(PATIENCE, whole).await.map_err(|_| late())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::error::Code;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        #[allow(dead_code, reason = "only its reading matters")]
        inner: Inner,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[allow(dead_code, reason = "only its reading matters")]
        count: u32,
    }

    fn refusal(text: &str) -> (Code, Option<String>) {
        let problem = parse::<Outer>(text.as_bytes()).unwrap_err();
        (problem.code(), problem.field().map(str::to_owned))
    }

    #[test]
    fn what_is_no_json_is_a_bad_request_and_what_breaks_a_rule_names_its_field() {
        assert_eq!(refusal("{"), (Code::BadRequest, None));
        assert_eq!(refusal(r#"{"inner":{"count":1},"inner":{"count":2}}"#), (Code::BadRequest, None));
        assert_eq!(refusal(r#"{"inner":{"count":"1"}}"#), (Code::ValidationError, Some("inner.count".into())));
        assert_eq!(refusal(r#"{"inner":{"coumt":1}}"#), (Code::ValidationError, Some("inner.coumt".into())));
        assert_eq!(refusal(r#"{"inner":{}}"#), (Code::ValidationError, Some("inner.count".into())));
        assert_eq!(refusal(r#"{"outer":1}"#), (Code::ValidationError, Some("outer".into())));
        assert_eq!(refusal("[]"), (Code::ValidationError, None));
        assert_eq!(refusal("{\"inner\":{\"count\":\"\\u0000\"}}"), (Code::ValidationError, None));
    }
}
