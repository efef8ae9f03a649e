//! The one source of ids.

use uuid::Uuid;

/// A new id: a UUIDv7, so that ids sort by creation time.
#[allow(clippy::disallowed_methods, reason = "this is the one place that makes ids")]
pub fn id() -> Uuid {
    Uuid::now_v7()
}
