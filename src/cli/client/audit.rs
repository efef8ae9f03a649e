//! `defendable audit`

use super::{Api, runs, show};
use crate::cli::{Failure, Group};
use aggregates::ids::{CheckId, RunId};
use clap::{Subcommand, ValueEnum};
use reqwest::Method;
use serde_json::{Value, json};

/// Checking a run's work.
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// Apply the flight sheet to the submission that counts
    Run {
        /// The run
        run: RunId,
    },
    /// Grade a check that a person must grade
    Grade {
        /// The run
        run: RunId,
        /// The check: its id, or the key of its rule
        check: String,
        /// Whether the rule is met
        #[arg(value_enum)]
        grade: Grade,
        /// Why, at most 4,000 characters
        #[arg(long, allow_hyphen_values = true)]
        detail: Option<String>,
    },
    /// Let the verdict follow from the checks, once none is open
    Finalize {
        /// The run
        run: RunId,
    },
}

/// A grade.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Grade {
    /// Met
    Pass,
    /// Broken
    Flag,
}

pub(in crate::cli) async fn run(Group { remote, command }: &Group<Audit>) -> Result<(), Failure> {
    let api = Api::signed_in(remote)?;
    match command {
        Audit::Run { run } => {
            let audit = api.post(&["runs", &run.to_string(), "audit"]).await?;
            show::record(remote, &audit, |audit| outcome(*run, audit))
        }
        Audit::Grade { run, check, grade, detail } => {
            let check = found(&api, *run, check).await?;
            let status = match grade {
                Grade::Pass => "pass",
                Grade::Flag => "flag",
            };
            let mut body = json!({ "status": status });
            if let Some(detail) = detail {
                body["detail"] = detail.as_str().into();
            }
            let path = ["runs", &run.to_string(), "checks", &check.to_string()];
            let graded = api.send_json(Method::PATCH, &path, &body).await?;
            show::record(remote, &graded, |graded| {
                show::facts(&[
                    ("Check", show::field(graded, "id")),
                    ("Key", show::field(graded, "check_key")),
                    ("Status", show::field(graded, "status")),
                ])
            })
        }
        Audit::Finalize { run } => {
            let verdict = api.post(&["runs", &run.to_string(), "findings"]).await?;
            show::record(remote, &verdict, runs::verdict)
        }
    }
}

/// What an audit came to, for people: the checks, then the verdict or what stands in its way.
pub(super) fn outcome(run: RunId, audit: &Value) -> String {
    let checks = audit["checks"].as_array().map(Vec::as_slice).unwrap_or_default();
    let open = checks.iter().filter(|check| check["status"] == "open").count();
    let then = if audit["verdict"].is_object() {
        runs::verdict(&audit["verdict"])
    } else {
        format!(
            "No verdict yet: a person must grade {}.\n  defendable audit grade {run} CHECK pass|flag\n  defendable audit \
             finalize {run}",
            if open == 1 { "1 check".to_owned() } else { format!("{open} checks") }
        )
    };
    format!("{}\n\n{then}", show::table(checks, &runs::CHECKS))
}

/// The id of a check that is called by its id or by the key of its rule.
async fn found(api: &Api, run: RunId, wanted: &str) -> Result<CheckId, Failure> {
    if let Ok(id) = wanted.parse() {
        return Ok(id);
    }
    let checks = api.whole(&["runs", &run.to_string(), "checks"], &[], "checks").await?;
    let named: Vec<_> = checks.iter().filter(|check| check["key"] == wanted).collect();
    match named.as_slice() {
        [check] => Ok(check["id"].as_str().unwrap_or_default().parse()?),
        [] => {
            Err(format!("no check of this run has the id or key `{wanted}`; `defendable runs checks {run}` lists them")
                .into())
        }
        several => Err(format!("{} checks have the key `{wanted}`; give the id of one", several.len()).into()),
    }
}
