//! `defendable submission`

use super::{Api, input, show};
use crate::cli::{Failure, Group};
use aggregates::ids::RunId;
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

/// What to do with the work of a run.
#[derive(Debug, Subcommand)]
pub enum Submission {
    /// Hand work in, whatever it is: that it is no JSON is the referee's to find; what was audited before is void
    Add {
        /// The run
        run: RunId,
        /// The file with the agent's output, or `-` for standard input
        #[arg(long, short, value_name = "FILE|-", required_unless_present = "output_text")]
        output_file: Option<String>,
        /// The agent's output itself, or `-` for standard input
        #[arg(long, value_name = "TEXT|-", allow_hyphen_values = true, conflicts_with = "output_file")]
        output_text: Option<String>,
        /// Whose work it is
        #[command(flatten)]
        author: Author,
    },
}

/// Whose work it is; where silent, what the run declared before stays.
#[derive(Clone, Debug, Default, Args)]
pub struct Author {
    /// The agent
    #[arg(long, value_name = "NAME")]
    pub agent: Option<String>,
    /// Its model
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// Who serves the model
    #[arg(long, value_name = "NAME")]
    pub provider: Option<String>,
}

pub(in crate::cli) async fn run(Group { remote, command }: &Group<Submission>) -> Result<(), Failure> {
    let Submission::Add { run, output_file, output_text, author } = command;
    let api = Api::signed_in(remote)?;
    let output = match (output_file, output_text) {
        (Some(file), _) => input::text(file)?,
        (None, Some(text)) => input::given(text)?,
        (None, None) => return Err(Failure::usage("give --output-file or --output-text")),
    };
    let received = hand_in(&api, *run, output, author).await?;
    show::record(remote, &received, |received| {
        show::facts(&[
            ("Submission", show::field(received, "id")),
            ("Round", show::field(received, "round")),
            ("SHA-256", show::field(received, "sha256")),
        ])
    })
}

/// Hands work in, in an envelope: so it may be any text.
pub(super) async fn hand_in(api: &Api, run: RunId, output: String, author: &Author) -> Result<Value, Failure> {
    let mut body = json!({ "output_text": output });
    let Author { agent, model, provider } = author;
    for (field, value) in [("agent_name", agent), ("model_name", model), ("provider", provider)] {
        if let Some(value) = value {
            body[field] = value.as_str().into();
        }
    }
    api.send_json(Method::POST, &["runs", &run.to_string(), "submission"], &body).await
}
