//! `defendable flight-sheets`

use super::{Api, show};
use crate::cli::{Failure, Group};
use clap::Subcommand;
use serde_json::Value;

/// What to do with flight sheets.
#[derive(Debug, Subcommand)]
pub enum FlightSheets {
    /// List the flight sheets in use, by name
    Ls {
        /// Only those of this lane
        #[arg(long, value_parser = ["agent", "dataset", "compute", "other"])]
        lane: Option<String>,
    },
    /// Show a flight sheet with its rules; a retired one too
    Show {
        /// Its id or slug
        #[arg(value_name = "ID|SLUG", value_parser = segment)]
        sheet: String,
    },
}

pub(in crate::cli) async fn run(Group { remote, command }: &Group<FlightSheets>) -> Result<(), Failure> {
    let api = Api::signed_in(remote)?;
    match command {
        FlightSheets::Ls { lane } => {
            let only = lane.as_deref().map(|lane| ("lane", lane));
            let sheets = api.whole(&["flight-sheets"], only.as_slice(), "flight_sheets").await?;
            let columns: [show::Column; 5] = [
                ("SLUG", |sheet| show::field(sheet, "slug")),
                ("NAME", |sheet| show::cell(sheet, "name")),
                ("VERSION", |sheet| show::field(sheet, "version")),
                ("LANE", |sheet| show::field(sheet, "lane")),
                ("CONTENT", |sheet| show::hash(sheet, "content_sha256")),
            ];
            show::list(remote, &sheets, &columns, "There are no such flight sheets.")
        }
        FlightSheets::Show { sheet } => show::record(remote, &api.get(&["flight-sheets", sheet], &[]).await?, told),
    }
}

/// A flight sheet, for people.
fn told(sheet: &Value) -> String {
    let facts = show::facts(&[
        ("Flight sheet", show::field(sheet, "slug")),
        ("Id", show::field(sheet, "id")),
        ("Name", show::field(sheet, "name")),
        ("Version", show::field(sheet, "version")),
        ("Lane", show::field(sheet, "lane")),
        ("In use", show::field(sheet, "active")),
        ("Summary", show::field(sheet, "summary")),
        ("Inputs", show::field(sheet, "required_inputs")),
        ("Outputs", show::field(sheet, "expected_outputs")),
        ("Content", show::field(sheet, "content_sha256")),
    ]);
    let columns: [show::Column; 5] = [
        ("RULE", |rule| show::field(rule, "key")),
        ("BY", |rule| if rule["kind"] == "auto" { "the referee" } else { "a person" }.to_owned()),
        ("SEVERITY", |rule| show::field(rule, "severity")),
        ("CATEGORY", |rule| show::field(rule, "category")),
        ("LABEL", |rule| show::cell(rule, "label")),
    ];
    match sheet["audit_checks"].as_array().filter(|rules| !rules.is_empty()) {
        Some(rules) => format!("{facts}\n\n{}", show::table(rules, &columns)),
        None => facts,
    }
}

/// What can be one segment of a path.
fn segment(text: &str) -> Result<String, &'static str> {
    if matches!(text, "" | "." | "..") { Err("give an id or a slug") } else { Ok(text.to_owned()) }
}
