//! The real service, started for one test on a store of its own, and a client that holds every reply against the
//! OpenAPI document.
//!
//! ```ignore
//! mod support;
//! use support::*;
//!
//! async fn a_project_is_listed_once_created(store: Store) {
//!     let service = Service::start(store).await;
//!     let ada = service.sign_in("ada@example.org").await;
//!     ada.post("/projects").json(json!({"name": "Bridge"})).await.created();
//!     assert_eq!(ada.get("/projects").await.ok()["projects"][0]["name"], "Bridge");
//! }
//! on_both_stores!(a_project_is_listed_once_created);
//! ```
#![allow(dead_code, unreachable_pub, unused_imports, reason = "each test binary uses its own part of this")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]
#![allow(clippy::disallowed_methods, clippy::print_stderr, reason = "the harness is outside of the service")]

pub mod client;
pub mod contract;
pub mod flow;
pub mod ledger;
pub mod load;
pub mod raw;
pub mod sample;
pub mod service;
pub mod store;

pub use client::{Client, Problem, Reply};
pub use contract::{Contract, Operation};
pub use flow::{Example, GRADED, SHEET, canonical, id, path_of, sha256};
pub use raw::Raw;
pub use reqwest::{Method, StatusCode, multipart::Form, multipart::Part};
pub use sample::own_sheet;
pub use serde_json::{Value, json};
pub use service::Service;
pub use store::Store;

/// Makes two tests of each scenario, an `async fn(Store)`: `scenario::embedded` and `scenario::postgres`.
///
/// The second needs `DEFENDABLE_TEST_POSTGRES_URL`. Without it that test says so and ends; in CI it fails.
#[macro_export]
macro_rules! on_both_stores {
    ($($scenario:ident),+ $(,)?) => {$(
        mod $scenario {
            use $crate::support::{Store, store};

            #[tokio::test]
            async fn embedded() {
                super::$scenario(Store::Embedded).await;
            }

            #[tokio::test]
            async fn postgres() {
                if store::postgres_is_at_hand() {
                    super::$scenario(Store::Postgres).await;
                }
            }
        }
    )+};
}
