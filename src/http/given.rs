//! The terms on which a command is given: once, when it has a key.

use crate::{
    app::Terms,
    http::{
        body::Digest,
        error::{Problem, Reply},
        headers::IdempotencyKey,
    },
};
use actix_web::{FromRequest, HttpRequest, dev::Payload};
use std::future::{Ready, ready};

/// What a request says about the command in it, beside the command.
#[derive(Clone, Debug)]
pub struct Given {
    key: Option<String>,
    target: String,
}

impl FromRequest for Given {
    type Error = Problem;
    type Future = Ready<Reply<Self>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let IdempotencyKey(key) = match IdempotencyKey::from_request(request, payload).into_inner() {
            Ok(key) => key,
            Err(problem) => return ready(Err(problem)),
        };
        // The same handlers answer at two places.
        let path = request.path().strip_prefix("/api/v1").unwrap_or(request.path());
        ready(Ok(Self { key, target: format!("{} {path}", request.method()) }))
    }
}

impl Given {
    /// The terms of a command with this body.
    pub fn with(self, body: &Digest) -> Terms {
        let fingerprint = || blake3::hash(format!("{} {}", self.target, body.to_hex()).as_bytes()).to_hex().to_string();
        Terms { once: self.key.as_ref().map(|key| (key.clone(), fingerprint())), revision: None }
    }

    /// The terms of a command without a body.
    pub fn bare(self) -> Terms {
        self.with(&blake3::hash(b""))
    }
}
