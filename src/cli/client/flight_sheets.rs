//! `defendable flight-sheets`

use super::{Api, input, runs, show};
use crate::{
    cli::{Failure, Group},
    config::Remote,
};
use clap::Subcommand;
use serde::Serialize;
use serde_json::{Value, json, value::RawValue};

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
        /// One of its versions; the one published last unless said
        #[arg(long, value_name = "VERSION")]
        at: Option<String>,
    },
    /// Try a flight sheet without publishing it: say all that is wrong with it, and how it would judge some work
    Validate {
        /// The sheet's file, or `-` for standard input
        #[arg(value_name = "FILE|-")]
        file: String,
        /// A file with work to try it on
        #[arg(long, value_name = "FILE")]
        submission: Option<String>,
        /// A file with a JSON object: what the run would declare as its inputs
        #[arg(long, value_name = "FILE", requires = "submission")]
        inputs: Option<String>,
        /// A text file that the run would have as evidence; may be repeated
        #[arg(long, value_name = "LABEL=FILE", value_parser = input::labelled, requires = "submission")]
        note: Vec<(String, String)>,
    },
    /// Publish a flight sheet of the organisation's own, or its next version
    Upload {
        /// The sheet's file, or `-` for standard input
        #[arg(value_name = "FILE|-")]
        file: String,
    },
    /// Take a flight sheet of the organisation's own out of use; runs that were opened with it go on
    Retire {
        /// Its id or slug
        #[arg(value_name = "ID|SLUG", value_parser = segment)]
        sheet: String,
    },
}

/// A sheet to try, as it was written, and work to try it on.
#[derive(Serialize)]
struct Trial {
    sheet: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    submission: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inputs: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    evidence: Vec<Value>,
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
        FlightSheets::Show { sheet, at } => {
            let at = at.as_deref().map(|at| ("version", at));
            show::record(remote, &api.get(&["flight-sheets", sheet], at.as_slice()).await?, told)
        }
        FlightSheets::Validate { file, submission, inputs, note } => {
            let mut trial = Trial { sheet: input::json(file)?, submission: None, inputs: None, evidence: vec![] };
            if let Some(file) = submission {
                trial.submission = Some(json!({ "output_text": input::text(file)? }));
            }
            if let Some(file) = inputs {
                trial.inputs = Some(input::json(file)?);
            }
            for (label, file) in note {
                trial.evidence.push(json!({ "label": label, "content": input::text(file)? }));
            }
            let tried = api.send_file(&["flight-sheets", "validate"], serde_json::to_vec(&trial)?).await?;
            judged(remote, &tried)
        }
        FlightSheets::Upload { file } => {
            let published = api.send_file(&["flight-sheets"], input::bytes(file)?).await?;
            show::record(remote, &published, told)
        }
        FlightSheets::Retire { sheet } => {
            show::record(remote, &api.post(&["flight-sheets", sheet, "retire"]).await?, told)
        }
    }
}

/// What trying a sheet came to; a failure where it does not load.
fn judged(remote: &Remote, tried: &Value) -> Result<(), Failure> {
    let errors = tried["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
    show::record(remote, tried, |tried| {
        let columns: [show::Column; 2] =
            [("PLACE", |error| show::field(error, "path")), ("PROBLEM", |error| show::field(error, "message"))];
        if !errors.is_empty() {
            return show::table(errors, &columns);
        }
        let Some(checks) = tried["checks"].as_array() else { return "The flight sheet is valid.".to_owned() };
        let then = match &tried["verdict"] {
            Value::Null => "No verdict: a person must grade, or no rule applied.".to_owned(),
            verdict => runs::verdict(verdict),
        };
        format!("The flight sheet is valid. Of the work it says\n\n{}\n\n{then}", show::table(checks, &TRIED))
    })?;
    if tried["valid"] == true { Ok(()) } else { Err("the flight sheet does not load".into()) }
}

/// Checks that belong to no run.
const TRIED: [show::Column; 5] = [
    ("STATUS", |check| show::field(check, "status")),
    ("TIER", |check| show::field(check, "tier")),
    ("CATEGORY", |check| show::field(check, "category")),
    ("KEY", |check| show::field(check, "key")),
    ("DETAIL", |check| show::cell(check, "detail")),
];

/// A flight sheet, for people.
fn told(sheet: &Value) -> String {
    let facts = show::facts(&[
        ("Flight sheet", show::field(sheet, "slug")),
        ("Id", show::field(sheet, "id")),
        ("Name", show::field(sheet, "name")),
        ("Version", show::field(sheet, "version")),
        ("Lane", show::field(sheet, "lane")),
        ("From", show::field(sheet, "origin")),
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
