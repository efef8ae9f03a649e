//! `defendable evidence`

use super::{Api, input, show};
use crate::{
    cli::{Failure, Group},
    config::Remote,
};
use aggregates::ids::RunId;
use clap::Subcommand;
use reqwest::{
    Body, Method,
    multipart::{Form, Part},
};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// What to do with evidence.
#[derive(Debug, Subcommand)]
pub enum Evidence {
    /// Attach a text, which the referee can read; what was audited before is void
    Add {
        /// The run
        run: RunId,
        /// What it is
        #[arg(long, default_value = "note", value_parser = ["note", "text", "url", "observation", "tool_output", "model_output", "log"])]
        kind: String,
        /// What it is called, 1 to 300 characters
        #[arg(long)]
        label: String,
        /// The text itself, or `-` for standard input
        #[arg(long, value_name = "TEXT|-", allow_hyphen_values = true)]
        content: Option<String>,
    },
    /// Attach a file, at most 25 MiB; what was audited before is void
    Upload {
        /// The run
        run: RunId,
        /// The file
        #[arg(long)]
        file: PathBuf,
        /// What it is called; the file's name unless said
        #[arg(long)]
        label: Option<String>,
    },
}

pub(in crate::cli) async fn run(Group { remote, command }: &Group<Evidence>) -> Result<(), Failure> {
    let api = Api::signed_in(remote)?;
    let evidence = match command {
        Evidence::Add { run, kind, label, content } => {
            let content = content.as_deref().map(input::given).transpose()?;
            add(&api, *run, kind, label, content).await?
        }
        Evidence::Upload { run, file, label } => upload(&api, *run, file, label.as_deref()).await?,
    };
    shown(remote, &evidence)
}

/// Attaches a text.
pub(super) async fn add(
    api: &Api,
    run: RunId,
    kind: &str,
    label: &str,
    content: Option<String>,
) -> Result<Value, Failure> {
    let mut body = json!({ "kind": kind, "label": label });
    if let Some(content) = content {
        body["content"] = content.into();
    }
    api.send_json(Method::POST, &["runs", &run.to_string(), "evidence"], &body).await
}

/// Attaches a file, which is read as it is sent.
pub(super) async fn upload(api: &Api, run: RunId, path: &Path, label: Option<&str>) -> Result<Value, Failure> {
    let unreadable = |error: std::io::Error| Failure::usage(format_args!("{}: {error}", path.display()));
    let file = tokio::fs::File::open(path).await.map_err(unreadable)?;
    let about = file.metadata().await.map_err(unreadable)?;
    if about.is_dir() {
        return Err(Failure::usage(format_args!("{} is a folder; give a file", path.display())));
    }
    // A pipe has no length before its end.
    let part = if about.is_file() {
        Part::stream_with_length(Body::from(file), about.len())
    } else {
        Part::stream(Body::from(file))
    };
    let mut form = Form::new().part("file", part.file_name(input::name_of(path)));
    if let Some(label) = label {
        form = form.text("label", label.to_owned());
    }
    api.upload(&["runs", &run.to_string(), "evidence", "upload"], form).await
}

fn shown(remote: &Remote, evidence: &Value) -> Result<(), Failure> {
    show::record(remote, evidence, |evidence| {
        show::facts(&[
            ("Evidence", show::field(evidence, "id")),
            ("Kind", show::field(evidence, "kind")),
            ("Label", show::field(evidence, "label")),
            ("SHA-256", show::field(evidence, "sha256")),
            ("Bytes", show::field(evidence, "byte_size")),
        ])
    })
}
