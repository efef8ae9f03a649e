//! The answer where no handler is: the API description knows whether the path has other methods.

use crate::http::{
    Wire,
    edge::RequestId,
    error::{Problem, Surface},
};
use actix_web::{
    HttpRequest, HttpResponse,
    dev::ResourceDef,
    http::{
        Method,
        header::{self, HeaderValue},
    },
    web::Data,
};

/// The paths of the service and their methods.
#[derive(Debug)]
pub(crate) struct Known(Vec<(ResourceDef, Vec<String>)>);

impl Known {
    /// Those that the document describes, and those of the runs surface under `/api/v1` too.
    pub(crate) fn of(document: &serde_json::Value) -> Self {
        let mut known = Vec::new();
        for (path, item) in document["paths"].as_object().into_iter().flatten() {
            let mut methods: Vec<_> =
                item.as_object().into_iter().flatten().map(|(name, _)| name.to_uppercase()).collect();
            if methods.iter().any(|method| method == "GET") {
                methods.push("HEAD".to_owned());
            }
            if Surface::of(path) == Surface::Runs {
                known.push((ResourceDef::new(format!("/api/v1{path}")), methods.clone()));
            }
            known.push((ResourceDef::new(path.as_str()), methods));
        }
        Self(known)
    }

    /// The methods of a path: none where there is no such path.
    fn methods(&self, path: &str) -> Vec<&str> {
        let found = self.0.iter().filter(|(pattern, _)| pattern.is_match(path));
        found.flat_map(|(_, methods)| methods).map(String::as_str).collect()
    }

    /// Whether there is such an operation.
    pub(crate) fn has(&self, method: &Method, path: &str) -> bool {
        self.methods(path).contains(&method.as_str())
    }
}

/// 404, or 405 with `Allow`.
pub(crate) async fn unmatched(request: HttpRequest, wire: Data<Wire>, id: RequestId) -> HttpResponse {
    let surface = Surface::of(request.path());
    let allowed = wire.document.known().methods(request.path()).join(", ");
    if allowed.is_empty() {
        return Problem::not_found("path; /openapi.json lists those that exist").answer(surface, &id.0);
    }
    let mut answer = Problem::method_not_allowed(&allowed).answer(surface, &id.0);
    if let Ok(allowed) = HeaderValue::try_from(allowed) {
        answer.headers_mut().insert(header::ALLOW, allowed);
    }
    answer
}
