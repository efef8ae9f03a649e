//! `defendable runs`

pub mod submit_and_audit;

use super::{Api, input, projects, show};
use crate::cli::{Failure, Group};
use aggregates::ids::{AgentProfileId, RunId};
use clap::Subcommand;
use reqwest::Method;
use serde_json::{Map, Value, json};

/// What to do with runs.
#[derive(Debug, Subcommand)]
pub enum Runs {
    /// List the runs, the newest first
    Ls {
        /// Only those of this project: its id, slug or name
        #[arg(long, short)]
        project: Option<String>,
        /// At most so many; all of them unless said
        #[arg(long, short = 'n', value_name = "N", value_parser = positive)]
        limit: Option<usize>,
    },
    /// Open a run
    New {
        /// The project: its id, slug or name
        #[arg(long, short)]
        project: String,
        /// The flight sheet: its id or slug
        #[arg(long, short, required_unless_present = "title")]
        flight_sheet: Option<String>,
        /// The profile of the agent
        #[arg(long, value_name = "ID")]
        agent_profile: Option<AgentProfileId>,
        /// Its title; the flight sheet's name unless said
        #[arg(long)]
        title: Option<String>,
        /// A file with a JSON object: what the agent is given, by name; `-` for standard input
        #[arg(long, value_name = "FILE|-")]
        inputs: Option<String>,
    },
    /// Show a run with everything that belongs to it
    Show {
        /// The run
        run: RunId,
    },
    /// Show the submission that counts
    Submission {
        /// The run
        run: RunId,
    },
    /// List the checks of the audit that stands
    Checks {
        /// The run
        run: RunId,
    },
    /// List the flags of the audit that stands, the weightiest first, and what would mend each
    Flags {
        /// The run
        run: RunId,
    },
    /// Show the verdict that stands
    Verdict {
        /// The run
        run: RunId,
    },
    /// Take work from a file or a pipe to its verdict, as a pipeline does
    SubmitAndAudit(Box<submit_and_audit::SubmitAndAudit>),
}

pub(in crate::cli) async fn run(Group { remote, command }: &Group<Runs>) -> Result<(), Failure> {
    let api = Api::signed_in(remote)?;
    match command {
        Runs::Ls { project, limit } => {
            let project = match project {
                Some(project) => Some(projects::find(&api, project).await?.to_string()),
                None => None,
            };
            let only = project.as_deref().map(|project| ("project_id", project));
            let runs = api.list(&["runs"], only.as_slice(), "runs", *limit).await?;
            let columns: [show::Column; 6] = [
                ("ID", |run| show::field(run, "id")),
                ("TITLE", |run| show::cell(run, "title")),
                ("LANE", |run| show::field(run, "lane")),
                ("STATUS", |run| show::field(run, "status")),
                ("VERDICT", |run| show::field(run, "verdict")),
                ("CREATED", |run| show::field(run, "created_at")),
            ];
            show::list(remote, &runs, &columns, "There are no such runs yet; `defendable runs new` opens one.")
        }
        Runs::New { project, flight_sheet, agent_profile, title, inputs } => {
            let new = NewRun {
                project,
                flight_sheet: flight_sheet.as_deref(),
                agent_profile: *agent_profile,
                title: title.as_deref(),
                inputs: inputs.as_deref(),
            };
            let opened = open(&api, new).await?;
            show::record(remote, &opened, |opened| {
                let assignment = match opened["assignment_text"].as_str() {
                    Some(text) => format!("\n\n{}", show::text(text)),
                    None => String::new(),
                };
                format!("{}{assignment}", head(opened))
            })
        }
        Runs::Show { run } => show::record(remote, &api.get(&["runs", &run.to_string()], &[]).await?, whole),
        Runs::Submission { run } => {
            let submission = api.get(&["runs", &run.to_string(), "submission"], &[]).await?;
            show::record(remote, &submission, |submission| {
                let output = show::text(submission["output_text"].as_str().unwrap_or_default());
                format!("{}\n\n{output}", submitted(submission))
            })
        }
        Runs::Checks { run } => {
            let checks = api.whole(&["runs", &run.to_string(), "checks"], &[], "checks").await?;
            show::list(remote, &checks, &CHECKS, "There are no checks: the work has not been audited.")
        }
        Runs::Flags { run } => {
            let mut flags = api.whole(&["runs", &run.to_string(), "flags"], &[], "flags").await?;
            flags.sort_by_key(tier);
            show::list(remote, &flags, &FLAGS, "Nothing is flagged.")
        }
        Runs::Verdict { run } => {
            show::record(remote, &api.get(&["runs", &run.to_string(), "verdict"], &[]).await?, verdict)
        }
        Runs::SubmitAndAudit(options) => submit_and_audit::run(remote, &api, options).await,
    }
}

/// What a run is opened with.
struct NewRun<'a> {
    project: &'a str,
    flight_sheet: Option<&'a str>,
    agent_profile: Option<AgentProfileId>,
    title: Option<&'a str>,
    inputs: Option<&'a str>,
}

async fn open(api: &Api, new: NewRun<'_>) -> Result<Value, Failure> {
    let mut body = Map::new();
    if let Some(file) = new.inputs {
        let inputs: Value = input::json(file)?;
        if !inputs.is_object() {
            return Err(Failure::usage("--inputs: an object of named inputs is allowed"));
        }
        body.insert("inputs".to_owned(), inputs);
    }
    body.insert("project_id".to_owned(), json!(projects::find(api, new.project).await?));
    for (name, value) in [("flight_sheet_id", new.flight_sheet), ("title", new.title)] {
        if let Some(value) = value {
            body.insert(name.to_owned(), value.into());
        }
    }
    if let Some(profile) = new.agent_profile {
        body.insert("agent_profile_id".to_owned(), json!(profile));
    }
    api.send_json(Method::POST, &["runs"], &Value::Object(body)).await
}

/// Checks in a table.
pub(super) const CHECKS: [show::Column; 6] = [
    ("STATUS", |check| show::field(check, "status")),
    ("TIER", |check| show::field(check, "tier")),
    ("CATEGORY", |check| show::field(check, "category")),
    ("KEY", |check| show::field(check, "key")),
    ("DETAIL", |check| show::cell(check, "detail")),
    ("ID", |check| show::field(check, "id")),
];

const FLAGS: [show::Column; 5] = [
    ("TIER", |flag| show::field(flag, "tier")),
    ("BUCKET", |flag| show::field(flag, "bucket")),
    ("KEY", |flag| show::field(flag, "key")),
    ("DETAIL", |flag| show::cell(flag, "detail")),
    ("REMEDY", |flag| show::cell(flag, "remedy")),
];

/// Where a flag stands among others: the weightiest first.
fn tier(flag: &Value) -> u8 {
    match flag["tier"].as_str() {
        Some("high") => 0,
        Some("mid") => 1,
        _ => 2,
    }
}

/// A verdict, for people.
pub(super) fn verdict(verdict: &Value) -> String {
    let outcome = format!(
        "{} ({}), {} of 100",
        show::field(verdict, "outcome"),
        show::field(verdict, "severity"),
        show::field(verdict, "score_100")
    );
    show::facts(&[
        ("Verdict", outcome),
        ("Summary", show::field(verdict, "summary")),
        ("For a client", show::field(verdict, "client_ready")),
        ("Next", show::field(verdict, "recommended_action")),
    ])
}

fn head(run: &Value) -> String {
    show::facts(&[
        ("Run", show::field(run, "id")),
        ("Title", show::field(run, "title")),
        ("Status", show::field(run, "status")),
        ("Lane", show::field(run, "lane")),
        ("Project", show::field(run, "project_id")),
        ("Flight sheet", show::field(run, "flight_sheet.slug")),
        ("Agent", show::field(run, "agent_name")),
        ("Model", show::field(run, "model_name")),
        ("Provider", show::field(run, "provider")),
        ("Created", show::field(run, "created_at")),
    ])
}

fn submitted(submission: &Value) -> String {
    show::facts(&[
        ("Submission", show::field(submission, "id")),
        ("Round", show::field(submission, "round")),
        ("Agent", show::field(submission, "agent_name")),
        ("Model", show::field(submission, "model_name")),
        ("SHA-256", show::field(submission, "sha256")),
        ("Submitted", show::field(submission, "submitted_at")),
    ])
}

/// A run with everything that belongs to it, for people.
fn whole(run: &Value) -> String {
    let evidence: [show::Column; 4] = [
        ("KIND", |evidence| show::field(evidence, "kind")),
        ("LABEL", |evidence| show::cell(evidence, "label")),
        ("BYTES", |evidence| show::field(evidence, "byte_size")),
        ("SHA-256", |evidence| show::hash(evidence, "sha256")),
    ];
    let list = |name: &str, columns: &[show::Column]| {
        let rows = run[name].as_array().filter(|rows| !rows.is_empty());
        rows.map(|rows| show::table(rows, columns))
    };
    let part = |name: &str, of: fn(&Value) -> String| run[name].is_object().then(|| of(&run[name]));
    let approval = |approval: &Value| {
        show::facts(&[
            ("Decision", show::field(approval, "decision")),
            ("By", show::field(approval, "approver_email")),
            ("Note", show::field(approval, "note")),
        ])
    };
    let receipt = |receipt: &Value| {
        show::facts(&[
            ("Receipt", show::field(receipt, "receipt_id")),
            ("SHA-256", show::field(receipt, "receipt_sha256")),
            ("Share link", show::field(receipt, "share_url")),
        ])
    };
    let parts = [
        Some(head(run)),
        part("submission", submitted),
        list("evidence", &evidence),
        list("checks", &CHECKS),
        part("verdict", verdict),
        part("approval", approval),
        part("receipt", receipt),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("\n\n")
}

fn positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err("a whole number from 1 is allowed".to_owned()),
    }
}
