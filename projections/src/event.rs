//! An event as read models see it.

use aggregates::{
    Decider,
    agents::{
        AgentEvent, AgentProfile,
        incident::{Incident, IncidentEvent},
    },
    identity::{
        actor::Actor,
        api_key::{ApiKey, ApiKeyEvent},
        organisation::{Organisation, OrganisationEvent},
        user::{User, UserEvent},
    },
    ids::{Id, Kind},
    ledger::{Receipt, ReceiptEvent},
    rulebooks::flight_sheet::{FlightSheet, FlightSheetEvent},
    runs::{
        Run, RunEvent,
        project::{Project, ProjectEvent},
    },
    time::Time,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// An event with its place on the ledger.
#[derive(Clone, Debug)]
pub struct Recorded<'a> {
    /// The installation's count of events, from 1.
    pub position: i64,
    /// The organisation, as the ledger writes it.
    pub org_id: &'a str,
    /// The aggregate: `<org>/<id>`.
    pub aggregate_id: &'a str,
    /// The event's place in its stream, from 1.
    pub sequence: i64,
    /// Who did it.
    pub actor: &'a str,
    /// Microseconds since 1970.
    pub recorded_at: i64,
    /// What happened.
    pub happened: Happened,
}

/// What happened, whatever it happened to. The one list of aggregates.
#[derive(Clone, Debug)]
pub enum Happened {
    /// To an organisation.
    Organisation(OrganisationEvent),
    /// To a person's credentials.
    User(UserEvent),
    /// To an API key.
    ApiKey(ApiKeyEvent),
    /// To a flight sheet.
    FlightSheet(FlightSheetEvent),
    /// To a project.
    Project(ProjectEvent),
    /// To a run.
    Run(RunEvent),
    /// To an agent profile.
    AgentProfile(AgentEvent),
    /// To an incident.
    Incident(IncidentEvent),
    /// To a receipt.
    Receipt(ReceiptEvent),
}

/// Why an event could not be read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Unreadable {
    /// Its aggregate is of no known type.
    #[error("events of the type {0:?} are unknown to this version")]
    Type(String),
    /// Its payload does not have the shape of its type.
    #[error("the payload of a {0} event cannot be read: {1}")]
    Payload(String, String),
}

impl Happened {
    /// Reads an event's payload.
    pub fn read(aggregate_type: &str, payload: &str) -> Result<Self, Unreadable> {
        fn of<E: for<'de> Deserialize<'de>>(kind: &str, payload: &str) -> Result<E, Unreadable> {
            serde_json::from_str(payload).map_err(|error| Unreadable::Payload(kind.to_owned(), error.to_string()))
        }
        Ok(match aggregate_type {
            Organisation::TYPE => Self::Organisation(of(aggregate_type, payload)?),
            User::TYPE => Self::User(of(aggregate_type, payload)?),
            ApiKey::TYPE => Self::ApiKey(of(aggregate_type, payload)?),
            FlightSheet::TYPE => Self::FlightSheet(of(aggregate_type, payload)?),
            Project::TYPE => Self::Project(of(aggregate_type, payload)?),
            Run::TYPE => Self::Run(of(aggregate_type, payload)?),
            AgentProfile::TYPE => Self::AgentProfile(of(aggregate_type, payload)?),
            Incident::TYPE => Self::Incident(of(aggregate_type, payload)?),
            Receipt::TYPE => Self::Receipt(of(aggregate_type, payload)?),
            other => return Err(Unreadable::Type(other.to_owned())),
        })
    }
}

impl Recorded<'_> {
    /// The aggregate's id within its organisation, as text.
    pub fn local_id(&self) -> &str {
        self.aggregate_id.split_once('/').map_or(self.aggregate_id, |(_, id)| id)
    }

    /// The aggregate's id, when it is a UUID.
    pub fn id<K: Kind>(&self) -> Id<K> {
        Id::from_uuid(Uuid::try_parse(self.local_id()).unwrap_or_default())
    }

    /// The organisation.
    pub fn org(&self) -> aggregates::ids::OrgId {
        Id::from_uuid(Uuid::try_parse(self.org_id).unwrap_or_default())
    }

    /// When, to the second.
    pub fn time(&self) -> Time {
        Time::of_microseconds(self.recorded_at)
    }

    /// Who did it; what cannot be read was the service.
    pub fn by(&self) -> Actor {
        self.actor.parse().unwrap_or(Actor::Service)
    }
}

/// What every record carries beside its own fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// When it was made.
    pub created_at: Time,
    /// When it was last changed.
    pub updated_at: Time,
    /// The sequence of the last event that touched it.
    pub revision: i64,
}

impl Stamp {
    /// The stamp of a record that the event makes.
    pub fn new(event: &Recorded<'_>) -> Self {
        Self { created_at: event.time(), updated_at: event.time(), revision: event.sequence }
    }

    /// The event touched the record.
    pub fn touch(&mut self, event: &Recorded<'_>) {
        self.updated_at = event.time();
        self.revision = event.sequence;
    }
}
