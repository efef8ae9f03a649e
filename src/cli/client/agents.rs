//! `defendable agents`

use super::{Api, input, show};
use crate::cli::{Failure, Group};
use aggregates::ids::AgentProfileId;
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Map, Value, json};

/// What to do with agents' profiles.
#[derive(Debug, Subcommand)]
pub enum Agents {
    /// List the active profiles, the newest first, with what their runs come to
    Ls,
    /// Show a profile, with what its owner demands of it and what it has earned on each flight sheet
    Show {
        /// The profile
        profile: AgentProfileId,
    },
    /// Create a profile: the stack behind an agent
    Create(Box<NewProfile>),
    /// List the active profiles, the best first
    Leaderboard,
    /// Open an incident over each blocked lane that has none, and lock the lane
    Watch {
        /// The profile
        profile: AgentProfileId,
    },
}

/// A profile to create.
#[derive(Debug, Args)]
pub struct NewProfile {
    /// Its name, 1 to 120 characters
    #[arg(long)]
    name: String,
    /// What drives the model
    #[arg(long)]
    harness: Option<String>,
    /// The version of that
    #[arg(long, value_name = "VERSION")]
    harness_version: Option<String>,
    /// The model
    #[arg(long)]
    model: Option<String>,
    /// Who made the model
    #[arg(long, value_name = "NAME")]
    model_provider: Option<String>,
    /// Who serves the model
    #[arg(long, value_name = "NAME")]
    served_by: Option<String>,
    /// Where the harness runs
    #[arg(long, value_name = "HOST")]
    runtime_host: Option<String>,
    /// On which operating system
    #[arg(long, value_name = "NAME")]
    runtime_os: Option<String>,
    /// On which hardware
    #[arg(long, value_name = "NAME")]
    runtime_hardware: Option<String>,
    /// A tool that it may use; may be repeated
    #[arg(long, value_name = "NAME")]
    tool: Vec<String>,
    /// How much the model takes in at once, in tokens
    #[arg(long, value_name = "TOKENS", value_parser = clap::value_parser!(u32).range(1..))]
    context_window: Option<u32>,
    /// How capable it is declared to be
    #[arg(long, value_name = "TIER", value_parser = ["edge", "small", "mid", "frontier"])]
    capability_tier: Option<String>,
    /// Remarks
    #[arg(long, allow_hyphen_values = true)]
    notes: Option<String>,
    /// A file with a JSON object: what its owner demands of it (blocked_lanes, spend_cap_usd, …)
    #[arg(long, value_name = "FILE|-")]
    governance: Option<String>,
}

impl NewProfile {
    fn body(&self) -> Result<Value, Failure> {
        let mut body = Map::new();
        let texts = [
            ("name", Some(&self.name)),
            ("harness", self.harness.as_ref()),
            ("harness_version", self.harness_version.as_ref()),
            ("model", self.model.as_ref()),
            ("model_provider", self.model_provider.as_ref()),
            ("served_by", self.served_by.as_ref()),
            ("runtime_host", self.runtime_host.as_ref()),
            ("runtime_os", self.runtime_os.as_ref()),
            ("runtime_hardware", self.runtime_hardware.as_ref()),
            ("capability_tier", self.capability_tier.as_ref()),
            ("notes", self.notes.as_ref()),
        ];
        body.extend(texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), json!(text?)))));
        if !self.tool.is_empty() {
            body.insert("tools".to_owned(), json!(self.tool));
        }
        if let Some(tokens) = self.context_window {
            body.insert("context_window".to_owned(), tokens.into());
        }
        if let Some(file) = &self.governance {
            body.insert("governance".to_owned(), input::json(file)?);
        }
        Ok(Value::Object(body))
    }
}

pub(in crate::cli) async fn run(Group { remote, command }: &Group<Agents>) -> Result<(), Failure> {
    let api = Api::signed_in(remote)?;
    match command {
        Agents::Ls => {
            let profiles = api.list(&["agent-profiles"], &[], "agent_profiles", None).await?;
            let columns: [show::Column; 7] = [
                ("ID", |profile| show::field(profile, "id")),
                ("NAME", |profile| show::cell(profile, "name")),
                ("MODEL", |profile| show::cell(profile, "model")),
                ("TIER", |profile| show::field(profile, "capability_tier")),
                ("STATUS", |profile| show::field(profile, "summary.overall_status")),
                ("HONEY/JELLY/PROPOLIS", |profile| counts(&profile["summary"]["verdict_counts"])),
                ("APPROVED LANES", |profile| show::cell(profile, "summary.approved_lanes")),
            ];
            show::list(remote, &profiles, &columns, "There are no active agent profiles yet.")
        }
        Agents::Show { profile } => {
            let profile = api.get(&["agent-profiles", &profile.to_string()], &[]).await?;
            show::record(remote, &profile, told)
        }
        Agents::Create(new) => {
            let profile = api.send_json(Method::POST, &["agent-profiles"], &new.body()?).await?;
            show::record(remote, &profile, told)
        }
        Agents::Leaderboard => {
            let entries = api.list(&["agent-profiles", "leaderboard"], &[], "entries", None).await?;
            let columns: [show::Column; 7] = [
                ("NAME", |entry| show::cell(entry, "name")),
                ("MODEL", |entry| show::cell(entry, "model")),
                ("STATUS", |entry| show::field(entry, "overall_status")),
                ("APPROVED LANES", |entry| show::field(entry, "approved_lanes")),
                ("HONEY", |entry| show::field(entry, "honey")),
                ("MEAN SCORE", |entry| show::field(entry, "mean_score")),
                ("ID", |entry| show::field(entry, "agent_profile_id")),
            ];
            show::list(remote, &entries, &columns, "There are no active agent profiles yet.")
        }
        Agents::Watch { profile } => {
            let watched = api.post(&["agent-profiles", &profile.to_string(), "watchdog"]).await?;
            show::record(remote, &watched, |watched| {
                let opened = watched["opened"].as_array().map_or(0, Vec::len);
                show::facts(&[
                    ("Lanes looked at", show::field(watched, "scanned_lanes")),
                    ("Blocked lanes", show::field(watched, "blocked_lanes")),
                    ("Incidents opened", opened.to_string()),
                ])
            })
        }
    }
}

fn counts(counts: &Value) -> String {
    ["honey", "jelly", "propolis"].map(|severity| show::field(counts, severity)).join("/")
}

/// A profile, for people.
fn told(profile: &Value) -> String {
    let facts = show::facts(&[
        ("Agent profile", show::field(profile, "id")),
        ("Name", show::field(profile, "name")),
        ("Active", show::field(profile, "active")),
        ("Harness", show::field(profile, "harness")),
        ("Harness version", show::field(profile, "harness_version")),
        ("Model", show::field(profile, "model")),
        ("Made by", show::field(profile, "model_provider")),
        ("Served by", show::field(profile, "served_by")),
        ("Host", show::field(profile, "runtime_host")),
        ("System", show::field(profile, "runtime_os")),
        ("Hardware", show::field(profile, "runtime_hardware")),
        ("Tools", show::field(profile, "tools")),
        ("Context window", show::field(profile, "context_window")),
        ("Declared tier", show::field(profile, "capability_tier")),
        ("Locked lanes", show::field(profile, "governance.blocked_lanes")),
        ("Approval for clients", show::field(profile, "governance.requires_approval_client_output")),
        ("Spend cap (US dollars)", show::field(profile, "governance.spend_cap_usd")),
        ("Demands", show::field(profile, "governance.notes")),
        ("Notes", show::field(profile, "notes")),
        ("Status", show::field(profile, "capability.overall_status")),
        ("Runs", show::field(profile, "capability.total_runs")),
        ("Mean score", show::field(profile, "capability.mean_score")),
    ]);
    let columns: [show::Column; 3] = [
        ("LANE", |lane| show::cell(lane, "name")),
        ("STATUS", |lane| show::field(lane, "status")),
        ("HONEY/JELLY/PROPOLIS", counts),
    ];
    match profile["capability"]["lane_authorizations"].as_array().filter(|lanes| !lanes.is_empty()) {
        Some(lanes) => format!("{facts}\n\n{}", show::table(lanes, &columns)),
        None => facts,
    }
}
