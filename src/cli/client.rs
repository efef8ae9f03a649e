//! The commands of a client. Each speaks HTTP to a service, as any other program would, and shows the answer to a person
//! as a table or, with `--json`, to a program.

pub mod agents;
mod api;
pub mod approval;
pub mod audit;
pub mod auth;
mod credentials;
pub mod evidence;
pub mod flight_sheets;
pub mod incidents;
mod input;
pub mod projects;
pub mod receipts;
pub mod runs;
pub(super) mod show;
pub mod submission;
pub mod verify;

pub(super) use api::Api;
