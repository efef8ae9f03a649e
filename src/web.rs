//! How a person with a browser reaches the service: pages that need no script.

pub mod identity;
pub mod page;

use actix_web::{HttpResponse, get, http::header, web::ServiceConfig};

/// Mounts the pages. They are not part of the API, so its description does not have them.
pub fn pages(config: &mut ServiceConfig) {
    config.service(style).configure(identity::pages);
}

/// The style sheet of all pages.
#[get("/assets/app.css")]
async fn style() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/css; charset=utf-8")
        .insert_header((header::CACHE_CONTROL, "public, max-age=3600"))
        .body(page::STYLE)
}
