//! `defendable runs submit-and-audit`: from work to verdict, for pipelines.

use super::{NewRun, open};
use crate::{
    cli::{
        Failure,
        client::{
            Api, audit, evidence, input, show,
            submission::{self, Author},
        },
    },
    config::Remote,
};
use aggregates::ids::{AgentProfileId, RunId};
use clap::Args;
use serde_json::{Value, json};
use std::path::PathBuf;

/// The exit code when a person must grade before there is a verdict.
const MUST_GRADE: u8 = 3;

const USAGE: &str = "defendable runs submit-and-audit [OPTIONS] RUN [FILE|-]\n       \
    defendable runs submit-and-audit [OPTIONS] --project PROJECT --flight-sheet SHEET [FILE|-]";

/// Work to take to its verdict.
#[derive(Debug, Args)]
#[command(
    override_usage = USAGE,
    after_help = "Exit codes: 0 pass, and risk without --strict; 1 fail; 2 not signed in, or wrong usage; 3 a person must \
                  grade before there is a verdict."
)]
pub struct SubmitAndAudit {
    /// The run; without one, --project and --flight-sheet open a new one
    #[arg(value_name = "RUN", required_unless_present = "flight_sheet")]
    first: Option<String>,
    /// The file with the agent's output, or `-` for standard input, which is read unless said
    #[arg(value_name = "FILE|-")]
    second: Option<String>,
    /// Open a run in this project: its id, slug or name
    #[arg(long, short, requires = "flight_sheet")]
    project: Option<String>,
    /// Open a run with this flight sheet: its id or slug
    #[arg(long, short, requires = "project")]
    flight_sheet: Option<String>,
    /// The new run's title; the flight sheet's name unless said
    #[arg(long, requires = "flight_sheet")]
    title: Option<String>,
    /// A file with a JSON object: what the agent of the new run was given, by name
    #[arg(long, value_name = "FILE", requires = "flight_sheet")]
    inputs: Option<String>,
    /// The profile of the new run's agent
    #[arg(long, value_name = "ID", requires = "flight_sheet")]
    agent_profile: Option<AgentProfileId>,
    /// A file to attach as evidence, at most 25 MiB; may be repeated
    #[arg(long, value_name = "FILE")]
    evidence: Vec<PathBuf>,
    /// A text file to attach as a note, which the referee can read; may be repeated
    #[arg(long, value_name = "LABEL=FILE", value_parser = input::labelled)]
    note: Vec<(String, String)>,
    /// Whose work it is
    #[command(flatten)]
    author: Author,
    /// Take risk for a failure too
    #[arg(long)]
    strict: bool,
}

impl SubmitAndAudit {
    /// The run that is named, and the file with the work.
    fn places(&self) -> Result<(Option<RunId>, &str), Failure> {
        let (run, file) = match (&self.flight_sheet, &self.first, &self.second) {
            (None, Some(run), file) => {
                let run = run.parse().map_err(|error| Failure::usage(format_args!("RUN: {error}")))?;
                (Some(run), file)
            }
            (Some(_), file, None) => (None, file),
            (Some(_), ..) | (None, None, _) => {
                return Err(Failure::usage("give a RUN, or --project and --flight-sheet for a new one"));
            }
        };
        match file {
            Some(file) => Ok((run, file)),
            None if input::is_terminal() => Err(Failure::usage("give a FILE, or pipe the agent's output in")),
            None => Ok((run, input::STDIN)),
        }
    }
}

/// Takes the work to its verdict.
pub(super) async fn run(remote: &Remote, api: &Api, options: &SubmitAndAudit) -> Result<(), Failure> {
    let (run, file) = options.places()?;
    // Everything is read before anything is recorded.
    let output = input::text(file)?;
    let mut notes = Vec::with_capacity(options.note.len());
    for (label, file) in &options.note {
        notes.push((label, input::text(file)?));
    }
    for file in &options.evidence {
        std::fs::File::open(file).map_err(|error| Failure::usage(format_args!("{}: {error}", file.display())))?;
    }
    let run = match run {
        Some(run) => run,
        None => {
            let new = NewRun {
                project: options.project.as_deref().unwrap_or_default(),
                flight_sheet: options.flight_sheet.as_deref(),
                agent_profile: options.agent_profile,
                title: options.title.as_deref(),
                inputs: options.inputs.as_deref(),
            };
            open(api, new).await?["id"].as_str().unwrap_or_default().parse()?
        }
    };
    let taken = async {
        for (label, text) in notes {
            evidence::add(api, run, "note", label, Some(text)).await?;
        }
        for file in &options.evidence {
            evidence::upload(api, run, file, None).await?;
        }
        let submission = submission::hand_in(api, run, output, &options.author).await?;
        Ok((submission, api.post(&["runs", &run.to_string(), "audit"]).await?))
    };
    // Which run it was is known to nobody else where it is new.
    let named = |failure: Failure| Failure { sentence: format!("{} ({run})", failure.sentence), ..failure };
    let (submission, audit) = taken.await.map_err(named)?;
    let mut shown = json!({ "run_id": run, "submission": submission });
    if let (Some(shown), Some(audit)) = (shown.as_object_mut(), audit.as_object()) {
        shown.extend(audit.clone());
    }
    show::record(remote, &shown, |shown| format!("Run {run}\n\n{}", audit::outcome(run, shown)))?;
    judge(run, &audit, options.strict)
}

/// What the pipeline is told.
fn judge(run: RunId, audit: &Value, strict: bool) -> Result<(), Failure> {
    match audit["verdict"]["outcome"].as_str() {
        Some("pass") => Ok(()),
        Some("risk") if !strict => Ok(()),
        Some(outcome) => Err(format!("the verdict on {run} is {outcome}").into()),
        None => Err(Failure {
            sentence: format!("a person must grade {run} before there is a verdict"),
            code: MUST_GRADE,
            status: None,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipeline_is_told_by_the_exit_code() {
        let run = RunId::default();
        let code = |audit: Value, strict| judge(run, &audit, strict).map_or_else(|failure| failure.code, |()| 0);
        for (outcome, lax, strict) in [("pass", 0, 0), ("risk", 0, 1), ("fail", 1, 1)] {
            let audit = json!({ "verdict": { "outcome": outcome } });
            assert_eq!((code(audit.clone(), false), code(audit, true)), (lax, strict), "{outcome}");
        }
        assert_eq!(code(json!({ "verdict": null }), false), 3);
    }
}
