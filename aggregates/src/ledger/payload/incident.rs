//! What the receipt of an incident says.

use super::{Coordinates, Events, Organization, SealedProfile};
use crate::{
    agents::incident::{Incident, IncidentRefusal},
    ids::{IncidentId, RunId},
    rulebooks::vocabulary::{IncidentKind, IncidentStatus, TierLevel},
    time::Time,
};
use proof::digest::Sha256Hex;
use serde::Serialize;

/// The name and version of the shape.
pub const SCHEMA: &str = "defendable.incident-receipt/v1";

/// A receipt for an incident.
#[derive(Clone, Debug, Serialize)]
pub struct IncidentPayload {
    schema: &'static str,
    receipt_id: String,
    org_seq: u64,
    parent_hash: Sha256Hex,
    created_at: Time,
    share_url: String,
    organization: Organization,
    incident: SealedIncident,
    agent_profile: Option<SealedProfile>,
    events: Events,
}

#[derive(Clone, Debug, Serialize)]
struct SealedIncident {
    id: IncidentId,
    kind: IncidentKind,
    tier: TierLevel,
    title: String,
    detail: Option<String>,
    lane: Option<String>,
    response: Vec<String>,
    status: IncidentStatus,
    run_id: Option<RunId>,
    opened_at: Time,
}

impl IncidentPayload {
    /// What the receipt of an incident says. `opened_at` is when the incident was recorded, and `events` where its own
    /// events end.
    ///
    /// # Errors
    /// There is no such incident.
    pub fn of(
        incident: &Incident,
        at: Coordinates,
        organization: Organization,
        agent_profile: Option<SealedProfile>,
        opened_at: Time,
        events: Events,
    ) -> Result<Self, IncidentRefusal> {
        let opened = incident.opened()?;
        Ok(Self {
            schema: SCHEMA,
            receipt_id: at.receipt_id,
            org_seq: at.org_seq,
            parent_hash: at.parent_hash,
            created_at: at.created_at,
            share_url: at.share_url,
            organization,
            incident: SealedIncident {
                id: opened.id,
                kind: opened.kind,
                tier: opened.tier,
                title: opened.title.clone(),
                detail: opened.detail.clone(),
                lane: opened.lane.clone(),
                response: opened.response.clone(),
                status: incident.status(),
                run_id: opened.run,
                opened_at,
            },
            agent_profile,
            events,
        })
    }
}
