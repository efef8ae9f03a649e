//! Incidents of runs and their agents: what went beyond a single flag.
//!
//! A single flag is no incident: it is a matter of its run, and the run's repair plan says what to do.

use crate::{
    Decider, Demands, Fact, Fault, Permission, Refusal,
    ids::{AgentProfileId, IncidentId, RunId},
    rulebooks::vocabulary::{IncidentKind, IncidentStatus, TierLevel},
    runs::SealedReceipt,
};
use serde::{Deserialize, Serialize};

/// How many responses an incident lists.
pub const RESPONSE_LIMIT: usize = 50;

/// An incident.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Incident {
    /// What it was opened with; none, and there is no such incident.
    pub opened: Option<Opened>,
    /// Whether somebody has resolved it.
    pub resolved: bool,
    /// Its receipt, when it has one.
    pub receipt: Option<SealedReceipt>,
}

/// What an incident is opened with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// Its id.
    pub id: IncidentId,
    /// The profile that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<AgentProfileId>,
    /// The run that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// What sort of incident.
    pub kind: IncidentKind,
    /// How much it weighs.
    pub tier: TierLevel,
    /// What happened, 1 to 300 characters.
    pub title: String,
    /// The same at length, at most 4,000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The lane, by the name of its flight sheet, at most 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lane: Option<String>,
    /// What was done about it: at most [`RESPONSE_LIMIT`] entries, each 1 to 500 characters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub response: Vec<String>,
}

/// What may be asked of an incident.
#[derive(Clone, Debug)]
pub enum IncidentCommand {
    /// Open it.
    Open(Box<Opened>),
    /// Resolve it.
    Resolve,
    /// Open it again, which is refused: what came after is another incident.
    Reopen,
    /// Note its receipt.
    Seal(SealedReceipt),
}

/// What happened to an incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IncidentEvent {
    /// It was opened.
    IncidentOpened(Box<Opened>),
    /// It was resolved.
    IncidentResolved {},
    /// It has its receipt.
    IncidentSealed(SealedReceipt),
}

/// Why an incident refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IncidentRefusal {
    /// There is no such incident.
    #[error("there is no such incident")]
    Unknown,
    /// It was opened before.
    #[error("the incident exists already")]
    Exists,
    /// It was resolved before.
    #[error("the incident is resolved; it is only ever resolved once")]
    Resolved,
    /// It stays as it is.
    #[error("an incident goes from open to resolved and not back; open another one for what happened since")]
    NotBack,
    /// It has its receipt.
    #[error("the incident has its receipt")]
    Sealed,
    /// A field has not its form.
    #[error("{0}: {1}")]
    Field(&'static str, &'static str),
}

impl Opened {
    /// The incident without white space around its texts, where each of them has its form.
    fn checked(mut self) -> Result<Self, IncidentRefusal> {
        self.title = self.title.trim().to_owned();
        if !(1..=300).contains(&self.title.chars().count()) {
            return Err(IncidentRefusal::Field("title", "1 to 300 characters are allowed"));
        }
        for (text, longest, field, allowed) in [
            (&mut self.detail, 4_000, "detail", "at most 4,000 characters are allowed"),
            (&mut self.lane, 200, "lane", "at most 200 characters are allowed"),
        ] {
            *text = text.take().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
            if text.as_ref().is_some_and(|text| text.chars().count() > longest) {
                return Err(IncidentRefusal::Field(field, allowed));
            }
        }
        let response = "at most 50 entries are allowed, each of 1 to 500 characters";
        self.response = self.response.iter().map(|entry| entry.trim().to_owned()).collect();
        let has_form = |entry: &String| (1..=500).contains(&entry.chars().count());
        if self.response.len() > RESPONSE_LIMIT || !self.response.iter().all(has_form) {
            return Err(IncidentRefusal::Field("response", response));
        }
        Ok(self)
    }
}

impl Incident {
    /// What it was opened with.
    pub fn opened(&self) -> Result<&Opened, IncidentRefusal> {
        self.opened.as_ref().ok_or(IncidentRefusal::Unknown)
    }

    /// Whether it is open or resolved.
    pub const fn status(&self) -> IncidentStatus {
        if self.resolved { IncidentStatus::Resolved } else { IncidentStatus::Open }
    }
}

impl Refusal for IncidentRefusal {
    fn fault(&self) -> Fault {
        match self {
            Self::Unknown => Fault::NotFound,
            Self::Field(field, _) => Fault::Invalid(Some(field)),
            Self::Exists | Self::Resolved | Self::NotBack | Self::Sealed => Fault::Conflict,
        }
    }
}

impl Fact for IncidentEvent {
    fn name(&self) -> &'static str {
        match self {
            Self::IncidentOpened(_) => "incident_opened",
            Self::IncidentResolved {} => "incident_resolved",
            Self::IncidentSealed(_) => "incident_sealed",
        }
    }
}

impl Demands for IncidentCommand {
    fn permission(&self) -> Permission {
        Permission::Work
    }
}

impl Decider for Incident {
    // The incidents of the other surface, with their tasks and timelines, are records of their own.
    const TYPE: &'static str = "run_incident";
    type Command = IncidentCommand;
    type Event = IncidentEvent;
    type Refusal = IncidentRefusal;

    fn decide(&self, command: IncidentCommand) -> Result<Vec<IncidentEvent>, IncidentRefusal> {
        if !matches!(command, IncidentCommand::Open(_)) {
            self.opened()?;
        }
        match command {
            IncidentCommand::Open(_) if self.opened.is_some() => Err(IncidentRefusal::Exists),
            IncidentCommand::Open(opened) => Ok(vec![IncidentEvent::IncidentOpened(Box::new(opened.checked()?))]),
            IncidentCommand::Resolve if self.resolved => Err(IncidentRefusal::Resolved),
            IncidentCommand::Resolve => Ok(vec![IncidentEvent::IncidentResolved {}]),
            IncidentCommand::Reopen => Err(IncidentRefusal::NotBack),
            IncidentCommand::Seal(_) if self.receipt.is_some() => Err(IncidentRefusal::Sealed),
            IncidentCommand::Seal(receipt) => Ok(vec![IncidentEvent::IncidentSealed(receipt)]),
        }
    }

    fn evolve(&mut self, event: &IncidentEvent) {
        match event {
            IncidentEvent::IncidentOpened(opened) => self.opened = Some((**opened).clone()),
            IncidentEvent::IncidentResolved {} => self.resolved = true,
            IncidentEvent::IncidentSealed(receipt) => self.receipt = Some(receipt.clone()),
        }
    }
}

#[cfg(test)]
mod tests;
