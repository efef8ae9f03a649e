//! `defendable approval`

use super::{Api, show};
use crate::cli::{Failure, Group};
use aggregates::ids::RunId;
use clap::Subcommand;
use reqwest::Method;
use serde_json::json;

/// Deciding on a run.
#[derive(Debug, Subcommand)]
pub enum Approval {
    /// Approve, reject or escalate a run's verdict
    Set {
        /// The run
        run: RunId,
        /// What is decided
        #[arg(long, value_parser = ["approved", "rejected", "escalated"])]
        decision: String,
        /// Why, at most 4,000 characters; a propolis verdict is approved only with one
        #[arg(long, allow_hyphen_values = true)]
        note: Option<String>,
    },
}

pub(in crate::cli) async fn run(Group { remote, command }: &Group<Approval>) -> Result<(), Failure> {
    let Approval::Set { run, decision, note } = command;
    let api = Api::signed_in(remote)?;
    let mut body = json!({ "decision": decision });
    if let Some(note) = note {
        body["note"] = note.as_str().into();
    }
    let approval = api.send_json(Method::POST, &["runs", &run.to_string(), "approve"], &body).await?;
    show::record(remote, &approval, |approval| {
        show::facts(&[
            ("Decision", show::field(approval, "decision")),
            ("By", show::field(approval, "approver_email")),
            ("Note", show::field(approval, "note")),
        ])
    })
}
