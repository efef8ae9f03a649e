//! Headers of requests that handlers take.

use crate::http::{
    document::Probe,
    error::{Problem, Reply},
};
use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::header::{self, HeaderName},
};
use std::future::{Ready, ready};
use utoipa::openapi::{
    ObjectBuilder, Required, Type,
    path::{Parameter, ParameterBuilder, ParameterIn},
};

/// A repeat with this key by the same caller within 24 hours gets the first answer again.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The `Idempotency-Key` of a request, where it has one: 1 to 255 visible ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey(pub Option<String>);

impl FromRequest for IdempotencyKey {
    type Error = Problem;
    type Future = Ready<Reply<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let what =
            "A repeat with this key within 24 hours gets the first answer again; 1 to 255 visible ASCII characters";
        Probe::is_asked(request, |findings| {
            findings.parameters.push(parameter("Idempotency-Key", what, "^[!-~]{1,255}$"))
        });
        let Some(key) = request.headers().get(IDEMPOTENCY_KEY) else { return ready(Ok(Self(None))) };
        let key =
            key.to_str().ok().filter(|key| (1..=255).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic()));
        ready(key.map(|key| Self(Some(key.to_owned()))).ok_or_else(|| {
            Problem::invalid("Idempotency-Key: 1 to 255 visible ASCII characters without spaces are allowed")
                .at("Idempotency-Key")
        }))
    }
}

/// The revision in `If-Match`, where the request has one: the change is made only to that revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IfMatch(pub Option<u64>);

impl IfMatch {
    /// Holds it against the record's revision.
    ///
    /// # Errors
    /// 412 when the record has moved on.
    pub fn check(self, current: u64) -> Reply<()> {
        match self.0 {
            Some(revision) if revision != current => Err(Problem::precondition_failed(current)),
            _ => Ok(()),
        }
    }
}

impl FromRequest for IfMatch {
    type Error = Problem;
    type Future = Ready<Reply<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let what = "The `ETag` of the last read: if the record has changed since, the answer is 412";
        Probe::is_asked(request, |findings| {
            findings.parameters.push(parameter("If-Match", what, r#"^(\*|"[0-9]{1,18}")$"#))
        });
        let Some(tag) = request.headers().get(header::IF_MATCH) else { return ready(Ok(Self(None))) };
        ready(match tag.to_str().unwrap_or_default().trim() {
            "*" => Ok(Self(None)),
            tag => tag
                .strip_prefix('"')
                .and_then(|tag| tag.strip_suffix('"'))
                .and_then(|tag| tag.parse().ok())
                .map_or_else(
                    || {
                        Err(Problem::invalid("If-Match: give the `ETag` of the last read, such as \"7\", or *")
                            .at("If-Match"))
                    },
                    |revision| Ok(Self(Some(revision))),
                ),
        })
    }
}

fn parameter(name: &str, description: &str, pattern: &str) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(description))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String).min_length(Some(1)).pattern(Some(pattern))))
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn key(text: &str) -> Reply<IdempotencyKey> {
        let request = TestRequest::default().insert_header((IDEMPOTENCY_KEY, text)).to_http_request();
        IdempotencyKey::from_request(&request, &mut Payload::None).into_inner()
    }

    #[test]
    fn a_key_is_visible_ascii_of_bounded_length() {
        assert_eq!(key("a-1").unwrap().0.as_deref(), Some("a-1"));
        assert!(key(&"k".repeat(255)).is_ok());
        for bad in ["", "two words", "tab\tbed", &"k".repeat(256)] {
            assert_eq!(key(bad).unwrap_err().field(), Some("Idempotency-Key"), "{bad:?}");
        }
    }

    #[test]
    fn a_change_to_a_revision_that_is_gone_is_412() {
        let read = |tag: &str| {
            let request = TestRequest::default().insert_header((header::IF_MATCH, tag)).to_http_request();
            IfMatch::from_request(&request, &mut Payload::None).into_inner()
        };
        assert!(read("\"7\"").unwrap().check(7).is_ok());
        assert_eq!(read("\"7\"").unwrap().check(8).unwrap_err().code(), crate::http::error::Code::PreconditionFailed);
        assert!(read("*").unwrap().check(8).is_ok());
        assert!(read("7").is_err() && read("\"x\"").is_err());
    }
}
