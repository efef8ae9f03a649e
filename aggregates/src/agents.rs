//! Agent profiles: the stacks that do the work, as their owners declare them.
//!
//! A stack is a harness (the body), a model (the brain) and a runtime (the ground). What a profile declares is checked for
//! its form only; what it has earned follows from the verdicts on its runs ([`lanes`]).

pub mod incident;
pub mod lanes;

use crate::{Decider, Demands, Fact, Fault, Permission, Refusal, rulebooks::vocabulary::CapabilityTier};
use serde::{Deserialize, Serialize};
use std::fmt;

/// How many tools a profile names, and lanes it keeps out of.
pub const LIST_LIMIT: usize = 100;
/// The largest context window, in tokens.
pub const CONTEXT_LIMIT: u32 = 1_000_000_000;

/// A stack, as it is declared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// Its name, 1 to 120 characters.
    pub name: String,
    /// What drives the model, at most 80 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub harness: Option<String>,
    /// The version of that, at most 40 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub harness_version: Option<String>,
    /// The model, at most 120 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Who made the model, at most 80 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_provider: Option<String>,
    /// Who serves the model, at most 40 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub served_by: Option<String>,
    /// Where the harness runs, at most 120 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime_host: Option<String>,
    /// On which operating system, at most 80 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime_os: Option<String>,
    /// On which hardware, at most 160 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime_hardware: Option<String>,
    /// The tools that it may use: at most [`LIST_LIMIT`], each 1 to 120 characters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<String>,
    /// How much the model takes in at once, in tokens: 1 to [`CONTEXT_LIMIT`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_window: Option<u32>,
    /// How capable it is declared to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capability_tier: Option<CapabilityTier>,
    /// Remarks, at most 2,000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// What its owner demands of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub governance: Option<Governance>,
}

/// What the owner of a stack demands of it. Lanes that it names are kept shut; the rest is a declaration, shown and sealed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Governance {
    /// Whether nothing goes to a client without an approval.
    pub requires_approval_client_output: bool,
    /// The most that it may spend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spend_cap: Option<Cents>,
    /// The lanes that it must not run: the slugs or names of flight sheets, each 1 to 200 characters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blocked_lanes: Vec<String>,
    /// Remarks, at most 2,000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
}

/// An amount in cents of a US dollar, at most a billion dollars.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cents(u64);

impl Cents {
    /// The most that can be said.
    pub const MAX: Self = Self(100_000_000_000);

    /// An amount in dollars: none where it is negative, beyond [`Cents::MAX`], or has a part of a cent.
    pub fn of_dollars(dollars: f64) -> Option<Self> {
        // The shortest text that reads back is what was sent, and never has an exponent.
        let text = dollars.to_string();
        let (whole, part) = text.split_once('.').unwrap_or((&text, ""));
        if part.len() > 2 {
            return None;
        }
        let cents = whole.parse::<u64>().ok()?.checked_mul(100)?.checked_add(format!("{part:0<2}").parse().ok()?)?;
        Some(Self(cents)).filter(|cents| *cents <= Self::MAX)
    }

    /// The same in dollars.
    pub fn dollars(self) -> f64 {
        self.0 as f64 / 100.0
    }
}

impl fmt::Display for Cents {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

impl Profile {
    /// The profile without white space around its texts, where each of them has its form.
    ///
    /// # Errors
    /// The first field that has not, and what is allowed.
    fn checked(mut self) -> Result<Self, AgentRefusal> {
        self.name = self.name.trim().to_owned();
        if !(1..=120).contains(&self.name.chars().count()) {
            return Err(AgentRefusal::Field("name", "1 to 120 characters are allowed"));
        }
        for (text, longest, field, allowed) in [
            (&mut self.harness, 80, "harness", "at most 80 characters are allowed"),
            (&mut self.harness_version, 40, "harness_version", "at most 40 characters are allowed"),
            (&mut self.model, 120, "model", "at most 120 characters are allowed"),
            (&mut self.model_provider, 80, "model_provider", "at most 80 characters are allowed"),
            (&mut self.served_by, 40, "served_by", "at most 40 characters are allowed"),
            (&mut self.runtime_host, 120, "runtime_host", "at most 120 characters are allowed"),
            (&mut self.runtime_os, 80, "runtime_os", "at most 80 characters are allowed"),
            (&mut self.runtime_hardware, 160, "runtime_hardware", "at most 160 characters are allowed"),
            (&mut self.notes, 2_000, "notes", "at most 2,000 characters are allowed"),
        ] {
            short(text, longest, field, allowed)?;
        }
        let tools = "at most 100 names are allowed, each of 1 to 120 characters";
        list(&mut self.tools, 120, "tools", tools)?;
        if self.context_window.is_some_and(|tokens| !(1..=CONTEXT_LIMIT).contains(&tokens)) {
            return Err(AgentRefusal::Field("context_window", "1 to 1,000,000,000 tokens are allowed"));
        }
        if let Some(governance) = &mut self.governance {
            let field = "governance.blocked_lanes";
            let lanes = "at most 100 slugs or names of flight sheets are allowed, each of 1 to 200 characters";
            list(&mut governance.blocked_lanes, 200, field, lanes)?;
            short(&mut governance.notes, 2_000, "governance.notes", "at most 2,000 characters are allowed")?;
        }
        Ok(self)
    }

    /// Whether its owner keeps it out of the lane of a flight sheet, named by slug or name. Case does not matter: a lane
    /// must not stand open over a capital letter.
    pub fn keeps_out_of(&self, slug: &str, name: &str) -> bool {
        let is = |lane: &str, other: &str| lane.trim().to_lowercase() == other.trim().to_lowercase();
        let lanes = self.governance.iter().flat_map(|governance| &governance.blocked_lanes);
        lanes.into_iter().any(|lane| is(lane, slug) || is(lane, name))
    }
}

fn short(
    text: &mut Option<String>,
    longest: usize,
    field: &'static str,
    allowed: &'static str,
) -> Result<(), AgentRefusal> {
    *text = text.take().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    match text {
        Some(text) if text.chars().count() > longest => Err(AgentRefusal::Field(field, allowed)),
        _ => Ok(()),
    }
}

/// Trims the entries, and lets each stand once.
fn list(
    entries: &mut Vec<String>,
    longest: usize,
    field: &'static str,
    allowed: &'static str,
) -> Result<(), AgentRefusal> {
    let mut kept: Vec<String> = Vec::with_capacity(entries.len());
    for entry in entries.iter().map(|entry| entry.trim()) {
        if !(1..=longest).contains(&entry.chars().count()) {
            return Err(AgentRefusal::Field(field, allowed));
        }
        if !kept.iter().any(|known| known == entry) {
            kept.push(entry.to_owned());
        }
    }
    if kept.len() > LIST_LIMIT {
        return Err(AgentRefusal::Field(field, allowed));
    }
    *entries = kept;
    Ok(())
}

/// What to change of a profile: what is absent stays; an inner none clears the field.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// The name.
    pub name: Option<String>,
    /// What drives the model.
    pub harness: Option<Option<String>>,
    /// The version of that.
    pub harness_version: Option<Option<String>>,
    /// The model.
    pub model: Option<Option<String>>,
    /// Who made the model.
    pub model_provider: Option<Option<String>>,
    /// Who serves the model.
    pub served_by: Option<Option<String>>,
    /// Where the harness runs.
    pub runtime_host: Option<Option<String>>,
    /// On which operating system.
    pub runtime_os: Option<Option<String>>,
    /// On which hardware.
    pub runtime_hardware: Option<Option<String>>,
    /// The tools, all of them.
    pub tools: Option<Vec<String>>,
    /// How much the model takes in at once.
    pub context_window: Option<Option<u32>>,
    /// How capable it is declared to be.
    pub capability_tier: Option<Option<CapabilityTier>>,
    /// Remarks.
    pub notes: Option<Option<String>>,
    /// What its owner demands of it, all of it.
    pub governance: Option<Option<Governance>>,
    /// Whether runs may be opened with it.
    pub active: Option<bool>,
}

impl Change {
    fn onto(self, before: &Profile) -> Profile {
        let before = before.clone();
        Profile {
            name: self.name.unwrap_or(before.name),
            harness: self.harness.unwrap_or(before.harness),
            harness_version: self.harness_version.unwrap_or(before.harness_version),
            model: self.model.unwrap_or(before.model),
            model_provider: self.model_provider.unwrap_or(before.model_provider),
            served_by: self.served_by.unwrap_or(before.served_by),
            runtime_host: self.runtime_host.unwrap_or(before.runtime_host),
            runtime_os: self.runtime_os.unwrap_or(before.runtime_os),
            runtime_hardware: self.runtime_hardware.unwrap_or(before.runtime_hardware),
            tools: self.tools.unwrap_or(before.tools),
            context_window: self.context_window.unwrap_or(before.context_window),
            capability_tier: self.capability_tier.unwrap_or(before.capability_tier),
            notes: self.notes.unwrap_or(before.notes),
            governance: self.governance.unwrap_or(before.governance),
        }
    }
}

/// An agent profile.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct AgentProfile {
    /// What it declares; none, and there is no such profile.
    pub profile: Option<Profile>,
    /// Whether runs may be opened with it.
    pub active: bool,
}

/// What may be asked of an agent profile.
#[derive(Clone, Debug)]
pub enum AgentCommand {
    /// Create it, active.
    Create(Box<Profile>),
    /// Change it; nothing happens when nothing changes.
    Change(Box<Change>),
    /// Shut a lane to it, by the name of the lane's flight sheet, until somebody takes the lane out of its governance;
    /// nothing happens when it is shut.
    LockLane(String),
}

/// What happened to an agent profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentEvent {
    /// It was created, active.
    ProfileCreated(Box<Profile>),
    /// It declares this from now on.
    ProfileRevised(Box<Profile>),
    /// No run may be opened with it; those that were keep it.
    ProfileRetired {},
    /// Runs may be opened with it again.
    ProfileReinstated {},
    /// A lane was shut to it.
    LaneLocked {
        /// The name of the lane's flight sheet.
        lane: String,
    },
}

/// Why an agent profile refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AgentRefusal {
    /// There is no such profile.
    #[error("there is no such agent profile")]
    Unknown,
    /// It exists.
    #[error("the agent profile already exists")]
    Exists,
    /// A field has not its form.
    #[error("{0}: {1}")]
    Field(&'static str, &'static str),
}

impl Refusal for AgentRefusal {
    fn fault(&self) -> Fault {
        match self {
            Self::Unknown => Fault::NotFound,
            Self::Exists => Fault::Conflict,
            Self::Field(field, _) => Fault::Invalid(Some(field)),
        }
    }
}

impl Fact for AgentEvent {
    fn name(&self) -> &'static str {
        match self {
            Self::ProfileCreated(_) => "profile_created",
            Self::ProfileRevised(_) => "profile_revised",
            Self::ProfileRetired {} => "profile_retired",
            Self::ProfileReinstated {} => "profile_reinstated",
            Self::LaneLocked { .. } => "lane_locked",
        }
    }
}

impl Demands for AgentCommand {
    fn permission(&self) -> Permission {
        Permission::Work
    }
}

impl Decider for AgentProfile {
    const TYPE: &'static str = "agent_profile";
    type Command = AgentCommand;
    type Event = AgentEvent;
    type Refusal = AgentRefusal;

    fn decide(&self, command: AgentCommand) -> Result<Vec<AgentEvent>, AgentRefusal> {
        match (command, &self.profile) {
            (AgentCommand::Create(_), Some(_)) => Err(AgentRefusal::Exists),
            (AgentCommand::Create(profile), None) => Ok(vec![AgentEvent::ProfileCreated(Box::new(profile.checked()?))]),
            (AgentCommand::Change(_) | AgentCommand::LockLane(_), None) => Err(AgentRefusal::Unknown),
            (AgentCommand::Change(change), Some(before)) => {
                let active = change.active.unwrap_or(self.active);
                let profile = change.onto(before).checked()?;
                let mut events = Vec::new();
                if profile != *before {
                    events.push(AgentEvent::ProfileRevised(Box::new(profile)));
                }
                if active != self.active {
                    events.push(if active { AgentEvent::ProfileReinstated {} } else { AgentEvent::ProfileRetired {} });
                }
                Ok(events)
            }
            (AgentCommand::LockLane(lane), Some(before)) if before.keeps_out_of(&lane, &lane) => Ok(vec![]),
            (AgentCommand::LockLane(lane), Some(_)) => Ok(vec![AgentEvent::LaneLocked { lane }]),
        }
    }

    fn evolve(&mut self, event: &AgentEvent) {
        match event {
            AgentEvent::ProfileCreated(profile) => {
                self.profile = Some((**profile).clone());
                self.active = true;
            }
            AgentEvent::ProfileRevised(profile) => self.profile = Some((**profile).clone()),
            AgentEvent::ProfileRetired {} => self.active = false,
            AgentEvent::ProfileReinstated {} => self.active = true,
            AgentEvent::LaneLocked { lane } => {
                if let Some(profile) = &mut self.profile {
                    profile.governance.get_or_insert_default().blocked_lanes.push(lane.clone());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
