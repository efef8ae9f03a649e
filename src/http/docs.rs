//! The API description and the pages that show it, all from inside the binary.

use crate::http::{
    Wire,
    error::{Problem, Reply},
    path::Path,
};
use actix_web::{
    HttpResponse, get,
    http::header::{self, HeaderValue},
    web::{Bytes, Data},
};
use std::{collections::BTreeMap, sync::Arc};
use utoipa::{
    IntoResponses,
    openapi::{ContentBuilder, ObjectBuilder, RefOr, Response, ResponseBuilder, ResponsesBuilder, Type},
};

/// What the pages may do: run and show what this service serves. Both viewers write style attributes,
/// and ReDoc searches in a worker that it makes of a blob.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      font-src 'self' data:; connect-src 'self'; worker-src blob:; frame-ancestors 'none'; \
                      base-uri 'none'; form-action 'none'";

const SWAGGER_PAGE: &str = include_str!("assets/swagger.html");
const SWAGGER_START: &str = include_str!("assets/swagger-start.js");
const REDOC_PAGE: &str = include_str!("assets/redoc.html");
const REDOC_START: &str = include_str!("assets/redoc-start.js");
const REDOC: &str = include_str!("assets/redoc.standalone.js");

/// The OpenAPI document.
pub(crate) struct OpenApi(Bytes);

impl actix_web::Responder for OpenApi {
    type Body = actix_web::body::BoxBody;
    fn respond_to(self, _: &actix_web::HttpRequest) -> HttpResponse {
        HttpResponse::Ok().content_type("application/json").body(self.0)
    }
}

impl IntoResponses for OpenApi {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let schema = ObjectBuilder::new().schema_type(Type::Object).description(Some("An OpenAPI 3.1 document"));
        let content = ContentBuilder::new().schema(Some(schema)).build();
        let response = ResponseBuilder::new().description("OK").content("application/json", content);
        ResponsesBuilder::new().response("200", response).build().into()
    }
}

/// A page for a browser.
pub(crate) struct Html(&'static str);

impl actix_web::Responder for Html {
    type Body = actix_web::body::BoxBody;
    fn respond_to(self, _: &actix_web::HttpRequest) -> HttpResponse {
        page("text/html; charset=utf-8", self.0)
    }
}

impl IntoResponses for Html {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let content = ContentBuilder::new().schema(Some(ObjectBuilder::new().schema_type(Type::String))).build();
        let response = ResponseBuilder::new().description("A page").content("text/html", content);
        ResponsesBuilder::new().response("200", response).build().into()
    }
}

/// The description of this API.
#[utoipa::path(tag = "service")]
#[get("/openapi.json")]
pub(crate) async fn openapi(wire: Data<Wire>) -> Reply<OpenApi> {
    Ok(OpenApi(wire.document.bytes()))
}

/// The description of this API: the same bytes as `/openapi.json`.
#[utoipa::path(tag = "service")]
#[get("/openapi.json")]
pub(crate) async fn openapi_v1(wire: Data<Wire>) -> Reply<OpenApi> {
    Ok(OpenApi(wire.document.bytes()))
}

/// This API in Swagger UI, to read and to try.
#[utoipa::path(tag = "service")]
#[get("/docs")]
pub(crate) async fn swagger() -> Reply<Html> {
    Ok(Html(SWAGGER_PAGE))
}

/// This API in ReDoc, to read.
#[utoipa::path(tag = "service")]
#[get("/redoc")]
pub(crate) async fn redoc() -> Reply<Html> {
    Ok(Html(REDOC_PAGE))
}

/// The parts of the Swagger UI page.
#[get("/docs/{file}")]
pub(crate) async fn swagger_asset(Path((file,)): Path<(String,)>) -> Reply<HttpResponse> {
    if file == "start.js" {
        return Ok(page("text/javascript; charset=utf-8", SWAGGER_START));
    }
    if !["swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png"].contains(&file.as_str()) {
        return Err(Problem::not_found("file"));
    }
    match utoipa_swagger_ui::serve(&file, Arc::new(utoipa_swagger_ui::Config::default())) {
        Ok(Some(asset)) => {
            let mut answer = page(asset.content_type, asset.bytes.into_owned());
            if asset.gzpipped {
                answer.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            }
            Ok(answer)
        }
        Ok(None) => Err(Problem::not_found("file")),
        Err(error) => Err(Problem::internal(error.to_string())),
    }
}

/// The parts of the ReDoc page.
#[get("/redoc/{file}")]
pub(crate) async fn redoc_asset(Path((file,)): Path<(String,)>) -> Reply<HttpResponse> {
    match file.as_str() {
        "start.js" => Ok(page("text/javascript; charset=utf-8", REDOC_START)),
        "redoc.standalone.js" => Ok(page("text/javascript; charset=utf-8", REDOC)),
        _ => Err(Problem::not_found("file")),
    }
}

fn page(content_type: impl AsRef<str>, body: impl Into<Bytes>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(content_type.as_ref())
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((header::CACHE_CONTROL, "public, max-age=3600"))
        .body(body.into())
}
