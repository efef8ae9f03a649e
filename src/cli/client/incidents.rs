//! `defendable incidents`

use super::{Api, show};
use crate::cli::{Failure, Group};
use aggregates::ids::{AgentProfileId, IncidentId, RunId};
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

/// What can have happened.
const KINDS: [&str; 4] = ["rogue", "dark", "policy_violation", "recurring_flag"];

/// What to do with incidents.
#[derive(Debug, Subcommand)]
pub enum Incidents {
    /// List the incidents, the newest first
    Ls {
        /// Only those about this profile
        #[arg(long, value_name = "ID")]
        agent_profile: Option<AgentProfileId>,
        /// Only those that stand here
        #[arg(long, value_parser = ["open", "resolved"])]
        status: Option<String>,
        /// Only those of this kind
        #[arg(long, value_parser = KINDS)]
        kind: Option<String>,
    },
    /// Show an incident
    Show {
        /// The incident
        incident: IncidentId,
    },
    /// Open an incident
    Open(Box<NewIncident>),
    /// Resolve an open incident; there is no way back
    Resolve {
        /// The incident
        incident: IncidentId,
    },
    /// Mint the receipt of an incident; one that has a receipt answers with it
    Receipt {
        /// The incident
        incident: IncidentId,
    },
}

/// An incident to open.
#[derive(Debug, Args)]
pub struct NewIncident {
    /// What happened, 1 to 300 characters
    #[arg(long)]
    title: String,
    /// What sort of incident; a single flag is none: it is a matter of its run
    #[arg(long, default_value = "policy_violation", value_parser = KINDS)]
    kind: String,
    /// How much it weighs
    #[arg(long, default_value = "high", value_parser = ["high", "mid", "low"])]
    tier: String,
    /// The same at length, at most 4,000 characters
    #[arg(long, allow_hyphen_values = true)]
    detail: Option<String>,
    /// The lane, by the name of its flight sheet
    #[arg(long)]
    lane: Option<String>,
    /// The profile that it is about
    #[arg(long, value_name = "ID")]
    agent_profile: Option<AgentProfileId>,
    /// The run that it is about
    #[arg(long, value_name = "ID")]
    run: Option<RunId>,
    /// What was done about it; may be repeated
    #[arg(long, value_name = "TEXT")]
    response: Vec<String>,
}

impl NewIncident {
    fn body(&self) -> Value {
        let mut body = json!({ "title": self.title, "kind": self.kind, "tier": self.tier });
        let optional = [
            ("detail", self.detail.as_ref().map(|detail| json!(detail))),
            ("lane", self.lane.as_ref().map(|lane| json!(lane))),
            ("agent_profile_id", self.agent_profile.map(|profile| json!(profile))),
            ("run_id", self.run.map(|run| json!(run))),
            ("response", (!self.response.is_empty()).then(|| json!(self.response))),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                body[name] = value;
            }
        }
        body
    }
}

pub(in crate::cli) async fn run(Group { remote, command }: &Group<Incidents>) -> Result<(), Failure> {
    let api = Api::signed_in(remote)?;
    let incident = match command {
        Incidents::Ls { agent_profile, status, kind } => {
            let profile = agent_profile.map(|profile| profile.to_string());
            let filters = [("agent_profile_id", &profile), ("status", status), ("kind", kind)];
            let query: Vec<_> =
                filters.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?))).collect();
            let incidents = api.list(&["incidents"], &query, "incidents", None).await?;
            let columns: [show::Column; 7] = [
                ("ID", |incident| show::field(incident, "id")),
                ("KIND", |incident| show::field(incident, "kind")),
                ("TIER", |incident| show::field(incident, "tier")),
                ("STATUS", |incident| show::field(incident, "status")),
                ("TITLE", |incident| show::cell(incident, "title")),
                ("AGENT", |incident| show::cell(incident, "agent_profile_name")),
                ("OPENED", |incident| show::field(incident, "created_at")),
            ];
            return show::list(remote, &incidents, &columns, "There are no such incidents.");
        }
        Incidents::Receipt { incident } => {
            let receipt = api.post(&["incidents", &incident.to_string(), "receipt"]).await?;
            return show::record(remote, &receipt, |receipt| {
                show::facts(&[
                    ("Receipt", show::field(receipt, "receipt_id")),
                    ("Number", show::field(receipt, "org_seq")),
                    ("SHA-256", show::field(receipt, "receipt_sha256")),
                    ("Share token", show::field(receipt, "share_token")),
                ])
            });
        }
        Incidents::Show { incident } => api.get(&["incidents", &incident.to_string()], &[]).await?,
        Incidents::Open(new) => api.send_json(Method::POST, &["incidents"], &new.body()).await?,
        Incidents::Resolve { incident } => {
            api.send_json(Method::PATCH, &["incidents", &incident.to_string()], &json!({ "status": "resolved" }))
                .await?
        }
    };
    show::record(remote, &incident, told)
}

/// An incident, for people.
fn told(incident: &Value) -> String {
    show::facts(&[
        ("Incident", show::field(incident, "id")),
        ("Title", show::field(incident, "title")),
        ("Kind", show::field(incident, "kind")),
        ("Tier", show::field(incident, "tier")),
        ("Status", show::field(incident, "status")),
        ("Detail", show::field(incident, "detail")),
        ("Lane", show::field(incident, "lane")),
        ("Agent", show::field(incident, "agent_profile_name")),
        ("Run", show::field(incident, "run_id")),
        ("Response", show::field(incident, "response")),
        ("Receipt", show::field(incident, "receipt_id")),
        ("Share token", show::field(incident, "share_token")),
        ("Opened", show::field(incident, "created_at")),
        ("Resolved", show::field(incident, "resolved_at")),
    ])
}
