//! `defendable receipt` and `defendable receipts`

use super::{Api, show, verify};
use crate::cli::{Failure, Group};
use aggregates::ids::RunId;
use clap::Subcommand;
use serde_json::Value;

/// One receipt.
#[derive(Debug, Subcommand)]
pub enum Receipt {
    /// Mint the receipt of an approved run; a run that has one answers with it
    Generate {
        /// The run
        run: RunId,
    },
    /// Show a receipt by its share token or link; to verify it, use `defendable verify`
    Show {
        /// The share token, or the link that ends in it
        #[arg(value_name = "TOKEN|URL", allow_hyphen_values = true)]
        token: verify::Shared,
    },
}

/// Several receipts.
#[derive(Debug, Subcommand)]
pub enum Receipts {
    /// List the newest receipts
    Recent {
        /// Only those of this schema: eval, incident, or its full name
        #[arg(long, short)]
        schema: Option<String>,
        /// How many, 1 to 50
        #[arg(long, short = 'n', default_value = "10", value_parser = clap::value_parser!(u8).range(1..=50))]
        limit: u8,
    },
}

pub(in crate::cli) async fn one(Group { remote, command }: &Group<Receipt>) -> Result<(), Failure> {
    match command {
        Receipt::Generate { run } => {
            let api = Api::signed_in(remote)?;
            let receipt = api.post(&["runs", &run.to_string(), "receipt"]).await?;
            show::record(remote, &receipt, |receipt| {
                show::facts(&[
                    ("Receipt", show::field(receipt, "receipt_id")),
                    ("Number", show::field(receipt, "org_seq")),
                    ("SHA-256", show::field(receipt, "receipt_sha256")),
                    ("Parent", show::field(receipt, "parent_hash")),
                    ("Share link", show::field(receipt, "share_url")),
                ])
            })
        }
        Receipt::Show { token } => {
            let receipt = token.service(remote)?.get(&["share", token.token()], &[]).await?;
            show::record(remote, &receipt, verify::told)
        }
    }
}

pub(in crate::cli) async fn several(Group { remote, command }: &Group<Receipts>) -> Result<(), Failure> {
    let Receipts::Recent { schema, limit } = command;
    let api = Api::signed_in(remote)?;
    let limit = limit.to_string();
    let schema = schema.as_deref().map(full_name);
    let mut query = vec![("limit", limit.as_str())];
    query.extend(schema.as_deref().map(|schema| ("schema", schema)));
    let rollups = api.whole(&["receipts", "recent"], &query, "rollups").await?;
    let columns: [show::Column; 6] = [
        ("RECEIPT", |receipt| show::field(receipt, "receipt_id")),
        ("LANE", |receipt| show::field(receipt, "summary.lane")),
        ("TITLE", title),
        ("OUTCOME", |receipt| show::field(receipt, "summary.outcome")),
        ("SHA-256", |receipt| show::hash(receipt, "receipt_sha256")),
        ("MINTED", |receipt| show::field(receipt, "created_at")),
    ];
    show::list(remote, &rollups, &columns, "There are no such receipts yet.")
}

/// The title of what a receipt is about.
fn title(receipt: &Value) -> String {
    let is_run = receipt["summary"]["run_title"].is_string();
    show::cell(receipt, if is_run { "summary.run_title" } else { "summary.incident_title" })
}

/// The full name of a schema that is called by its short one.
fn full_name(schema: &str) -> String {
    match schema {
        "eval" | "incident" => format!("defendable.{schema}-receipt/v1"),
        full => full.to_owned(),
    }
}
