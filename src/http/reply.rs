//! What handlers return; status, headers and body in the API description follow from the type.
//!
//! `Reply<Tagged<Okay<RunView>>>` is a read of one record, `Reply<Written<Created<RunView>>>` a
//! write that made one.

use actix_web::{
    HttpRequest, HttpResponse, Responder,
    body::BoxBody,
    http::header::{self, HeaderName, HeaderValue},
};
use serde::Serialize;
use std::{cell::RefCell, collections::BTreeMap};
use utoipa::{
    IntoResponses, ToSchema,
    openapi::{
        ContentBuilder, HeaderBuilder, ObjectBuilder, Ref, RefOr, Response, ResponseBuilder, ResponsesBuilder,
        schema::{Schema, Type},
    },
};

/// The ledger position that a write reached.
pub const LEDGER_POSITION: HeaderName = HeaderName::from_static("x-ledger-position");
/// Says that the answer is that of an earlier request with the same `Idempotency-Key`.
pub const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// 200 with a body.
#[derive(Debug)]
pub struct Okay<T>(pub T);

/// 201 with the new record and, in `Location`, its path.
#[derive(Debug)]
pub struct Created<T> {
    /// The path of the record.
    pub location: String,
    /// The record.
    pub body: T,
}

/// 202: the work goes on; `Location` is the path at which to see how far it is.
#[derive(Debug)]
pub struct Accepted<T> {
    /// The path of the state.
    pub location: String,
    /// The state.
    pub body: T,
}

/// 204: done, and nothing to show.
#[derive(Debug)]
pub struct NoContent;

/// A reply to a write: with the ledger position that it reached in `X-Ledger-Position`.
#[derive(Debug)]
pub struct Written<R> {
    /// The position of the last event that the command wrote.
    pub position: i64,
    /// Whether an earlier request with the same `Idempotency-Key` wrote it.
    pub replayed: bool,
    /// The reply itself.
    pub reply: R,
}

/// A read of one record: with its revision in `ETag`, for `If-Match`.
#[derive(Debug)]
pub struct Tagged<R> {
    /// The sequence of the last event that touched the record.
    pub revision: u64,
    /// The reply itself.
    pub reply: R,
}

impl<T: Serialize> Responder for Okay<T> {
    type Body = BoxBody;
    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        HttpResponse::Ok().json(self.0)
    }
}

impl<T: Serialize> Responder for Created<T> {
    type Body = BoxBody;
    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        HttpResponse::Created().insert_header((header::LOCATION, self.location)).json(self.body)
    }
}

impl<T: Serialize> Responder for Accepted<T> {
    type Body = BoxBody;
    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        HttpResponse::Accepted().insert_header((header::LOCATION, self.location)).json(self.body)
    }
}

impl Responder for NoContent {
    type Body = BoxBody;
    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        HttpResponse::NoContent().finish()
    }
}

impl<R: Responder<Body = BoxBody>> Responder for Written<R> {
    type Body = BoxBody;
    fn respond_to(self, request: &HttpRequest) -> HttpResponse {
        let mut answer = self.reply.respond_to(request);
        answer.headers_mut().insert(LEDGER_POSITION, HeaderValue::from(self.position));
        if self.replayed {
            answer.headers_mut().insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
        }
        answer
    }
}

impl<R: Responder<Body = BoxBody>> Responder for Tagged<R> {
    type Body = BoxBody;
    fn respond_to(self, request: &HttpRequest) -> HttpResponse {
        let mut answer = self.reply.respond_to(request);
        if let Ok(tag) = HeaderValue::try_from(format!("\"{}\"", self.revision)) {
            answer.headers_mut().insert(header::ETAG, tag);
        }
        answer
    }
}

impl<T: ToSchema> IntoResponses for Okay<T> {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        described::<T>("200", "OK")
    }
}

impl<T: ToSchema> IntoResponses for Created<T> {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        with_header(described::<T>("201", "Created"), "Location", Type::String, "The path of the new record")
    }
}

impl<T: ToSchema> IntoResponses for Accepted<T> {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        with_header(described::<T>("202", "Accepted"), "Location", Type::String, "Where to see how far it is")
    }
}

impl IntoResponses for NoContent {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let response = ResponseBuilder::new().description("Done");
        ResponsesBuilder::new().response("204", response).build().into()
    }
}

impl<R: IntoResponses> IntoResponses for Written<R> {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let position = "The ledger position that the write reached";
        let replayed = "`true` where this is the answer to an earlier request with the same `Idempotency-Key`";
        let responses = with_header(R::responses(), "X-Ledger-Position", Type::Integer, position);
        with_header(responses, "Idempotency-Replayed", Type::Boolean, replayed)
    }
}

impl<R: IntoResponses> IntoResponses for Tagged<R> {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        with_header(R::responses(), "ETag", Type::String, "The record's revision in quotes, for `If-Match`")
    }
}

thread_local! {
    /// Schemas that are reached only through responses, which utoipa's collection does not see.
    static SEEN: RefCell<BTreeMap<String, RefOr<Schema>>> = const { RefCell::new(BTreeMap::new()) };
}

/// One JSON response, its schema noted for [`take_schemas`].
pub(crate) fn described<T: ToSchema>(status: &str, description: &str) -> BTreeMap<String, RefOr<Response>> {
    let mut found = vec![(T::name().into_owned(), T::schema())];
    T::schemas(&mut found);
    SEEN.with_borrow_mut(|seen| seen.extend(found));
    let body = ContentBuilder::new().schema(Some(Ref::from_schema_name(T::name()))).build();
    let response = ResponseBuilder::new().description(description).content("application/json", body);
    ResponsesBuilder::new().response(status, response).build().into()
}

/// The schemas noted on this thread since the last call.
pub(crate) fn take_schemas() -> BTreeMap<String, RefOr<Schema>> {
    SEEN.take()
}

fn with_header(
    mut responses: BTreeMap<String, RefOr<Response>>,
    name: &str,
    kind: Type,
    description: &str,
) -> BTreeMap<String, RefOr<Response>> {
    for response in responses.values_mut() {
        if let RefOr::T(response) = response {
            let schema = ObjectBuilder::new().schema_type(kind.clone()).build();
            let header = HeaderBuilder::new().schema(Some(schema)).description(Some(description)).build();
            response.headers.insert(name.to_owned(), header.into());
        }
    }
    responses
}
