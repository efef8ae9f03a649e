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
    fn methods(&self, path: &str) -> &[String] {
        let found = self.as_written(path).or_else(|| self.0.iter().find(|(pattern, _)| pattern.is_match(path)));
        found.map_or(&[], |(_, methods)| methods)
    }

    /// The path that is written so, without a parameter.
    fn as_written(&self, path: &str) -> Option<&(ResourceDef, Vec<String>)> {
        self.0.iter().find(|(pattern, _)| pattern.pattern() == Some(path))
    }

    /// Whether there is such an operation.
    pub(crate) fn has(&self, method: &Method, path: &str) -> bool {
        self.methods(path).iter().any(|known| known == method.as_str())
    }

    /// Whether the path is one of ours without that method. The router would take it for a parameter of another path
    /// that has it: `leaderboard` for the id of an agent profile.
    pub(crate) fn lacks(&self, method: &Method, path: &str) -> bool {
        self.as_written(path).is_some() && !self.has(method, path)
    }
}

/// 404, or 405 with `Allow`.
pub(crate) async fn unmatched(request: HttpRequest, wire: Data<Wire>, id: RequestId) -> HttpResponse {
    refusal(&wire, request.path(), &id)
}

/// The same, for a path.
pub(crate) fn refusal(wire: &Wire, path: &str, id: &RequestId) -> HttpResponse {
    let surface = Surface::of(path);
    let allowed = wire.document.known().methods(path).join(", ");
    if allowed.is_empty() {
        return Problem::not_found("path; /openapi.json lists those that exist").answer(surface, &id.0);
    }
    let mut answer = Problem::method_not_allowed(&allowed).answer(surface, &id.0);
    if let Ok(allowed) = HeaderValue::try_from(allowed) {
        answer.headers_mut().insert(header::ALLOW, allowed);
    }
    answer
}
