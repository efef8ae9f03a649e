//! The terms on which a command is given: once, and for which revision.

use crate::{
    app::Terms,
    http::{
        body::Digest,
        error::{Problem, Reply},
        headers::{IdempotencyKey, IfMatch},
    },
};
use actix_web::{FromRequest, HttpRequest, dev::Payload};
use std::future::{Ready, ready};

/// What a request says about the command in it, beside the command.
#[derive(Clone, Debug)]
pub struct Given {
    key: Option<String>,
    revision: Option<u64>,
    target: String,
}

impl FromRequest for Given {
    type Error = Problem;
    type Future = Ready<Reply<Self>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let read = || {
            let IdempotencyKey(key) = IdempotencyKey::from_request(request, payload).into_inner()?;
            let IfMatch(revision) = IfMatch::from_request(request, payload).into_inner()?;
            // The same handlers answer at two places.
            let path = request.path().strip_prefix("/api/v1").unwrap_or(request.path());
            Ok(Self { key, revision, target: format!("{} {path}", request.method()) })
        };
        let mut read = read;
        ready(read())
    }
}

impl Given {
    /// The terms of a command with this body.
    pub fn with(self, body: &Digest) -> Terms {
        let fingerprint = || blake3::hash(format!("{} {}", self.target, body.to_hex()).as_bytes()).to_hex().to_string();
        Terms {
            once: self.key.as_ref().map(|key| (key.clone(), fingerprint())),
            revision: self.revision.map(|revision| revision as i64),
        }
    }

    /// The terms of a command without a body.
    pub fn bare(self) -> Terms {
        self.with(&blake3::hash(b""))
    }
}
