//! Agent profiles and incidents: what they need beside their own rules.

use super::{App, Caller, Done, Refused, TRIES, Terms, With, permit, rulebooks::stream_id, stream};
use crate::{
    outside::chance,
    store::{Append, AppendError, Claim},
};
use aggregates::{
    Decider, Demands,
    agents::{
        AgentCommand, AgentProfile, Profile,
        incident::{Incident, IncidentCommand, IncidentRefusal, Opened},
        lanes::Stack,
    },
    ids::{AgentProfileId, IncidentId, OrgId, RunId, SheetId},
    rulebooks::vocabulary::{IncidentKind, IncidentStatus, LaneStatus, TierLevel},
};
use projections::agents::{self as shown, IncidentFilter, LaneRecord, ListedIncident, ProfileRow};

/// The scope of the claim that one incident at a time is open over a blocked lane of a profile.
const OPEN_FLAG: &str = "the open incident over this lane";

/// What is done about a blocked lane by itself, and what is left to do.
const RESPONSE: [&str; 3] = ["lane locked", "human approval required", "repair recommended"];

/// What the watchdog found and did.
#[derive(Clone, Debug)]
pub struct Watched {
    /// The incidents that it opened.
    pub opened: Vec<ListedIncident>,
    /// How many lanes it looked at.
    pub scanned: usize,
    /// The names of the lanes that are blocked.
    pub blocked: Vec<String>,
    /// The ledger's position after it.
    pub position: i64,
}

impl App {
    /// Creates an agent profile.
    pub async fn create_profile(
        &self,
        caller: &Caller,
        terms: &Terms,
        profile: Profile,
    ) -> Result<Done<AgentProfile>, Refused> {
        let id: AgentProfileId = chance::id();
        let command = AgentCommand::Create(Box::new(profile));
        self.execute(caller, terms, &stream_id(id), command, With::default()).await
    }

    /// An agent profile of the organisation, active or not.
    pub async fn profile(&self, org: OrgId, id: AgentProfileId) -> Result<ProfileRow, Refused> {
        shown::profile(self.db(), org, id).await?.ok_or(Refused::NotFound("agent profile"))
    }

    /// The stack behind a run on a flight sheet, as it stands.
    pub(super) async fn stack(
        &self,
        org: OrgId,
        profile: AgentProfileId,
        sheet: Option<SheetId>,
    ) -> Result<Stack, Refused> {
        self.profile(org, profile).await?.stack(sheet).ok_or(Refused::NotFound("agent profile"))
    }

    /// Opens an incident about a profile or a run of the organisation, or about neither.
    pub async fn open_incident(&self, caller: &Caller, terms: &Terms, new: Opened) -> Result<Done<Incident>, Refused> {
        permit(caller, IncidentCommand::Resolve.permission())?;
        if let Some(profile) = new.profile {
            self.profile(caller.org, profile).await?;
        }
        if let Some(run) = new.run {
            let run = projections::runs::run(self.db(), caller.org, run).await?;
            run.ok_or(Refused::NotFound("run"))?;
        }
        let id = stream_id(new.id);
        self.execute(caller, terms, &id, IncidentCommand::Open(Box::new(new)), With::default()).await
    }

    /// Brings an incident from open to resolved; another one may then be opened over the same lane.
    pub async fn change_incident(
        &self,
        caller: &Caller,
        terms: &Terms,
        id: IncidentId,
        to: IncidentStatus,
    ) -> Result<Done<Incident>, Refused> {
        let command = match to {
            IncidentStatus::Resolved => IncidentCommand::Resolve,
            IncidentStatus::Open => IncidentCommand::Reopen,
        };
        permit(caller, command.permission())?;
        let incident = self.current::<Incident>(caller.org, &stream_id(id)).await?;
        let opened = incident.state.opened().map_err(Refused::rule)?;
        let releases = opened.profile.zip(opened.lane.as_ref());
        let releases = releases.map(|(profile, lane)| open_flag(caller.org, profile, lane, id)).into_iter().collect();
        self.execute(caller, terms, &stream_id(id), command, With { releases, ..With::default() }).await
    }

    /// Opens an incident over each blocked lane of a profile that has none open, and locks the lane. What is done already
    /// is not done again.
    pub async fn watch(&self, caller: &Caller, profile: AgentProfileId) -> Result<Watched, Refused> {
        permit(caller, IncidentCommand::Resolve.permission())?;
        let row = self.profile(caller.org, profile).await?;
        let blocked = row.record.lanes.values().filter(|lane| lane.counts.status() == LaneStatus::Blocked);
        let mut lanes: Vec<&LaneRecord> = blocked.collect();
        lanes.sort_by(|a, b| a.name.cmp(&b.name));
        let mut opened = Vec::new();
        for lane in &lanes {
            let id = chance::id();
            if self.raise_flag(caller, &row, lane, id, None).await? {
                opened.extend(shown::incident(self.db(), caller.org, id).await?);
            }
        }
        Ok(Watched {
            opened,
            scanned: row.record.lanes.len(),
            blocked: lanes.into_iter().map(|lane| lane.name.clone()).collect(),
            position: self.store.position().await?,
        })
    }

    /// Opens the incident with this id over a blocked lane of a profile and locks the lane, in one append; answers whether
    /// it did. It does neither where an incident over the lane is open or this one was ever opened.
    pub(super) async fn raise_flag(
        &self,
        caller: &Caller,
        row: &ProfileRow,
        lane: &LaneRecord,
        id: IncidentId,
        run: Option<RunId>,
    ) -> Result<bool, Refused> {
        let (incident_stream, profile_stream) = (stream_id(id), stream_id(row.id));
        let name = row.declared.profile.as_ref().map(|profile| profile.name.as_str()).unwrap_or_default();
        let filter = IncidentFilter {
            profile: Some(row.id),
            status: Some(IncidentStatus::Open),
            kind: Some(IncidentKind::RecurringFlag),
            lane: Some(lane.name.clone()),
            ..IncidentFilter::default()
        };
        let new = Opened {
            id,
            profile: Some(row.id),
            run,
            kind: IncidentKind::RecurringFlag,
            tier: TierLevel::High,
            title: clip(format!("The lane “{}” is blocked for “{name}”", lane.name)),
            detail: Some(format!(
                "{} of the profile's {} evaluated runs on this lane stand at propolis.",
                lane.counts.propolis,
                lane.counts.total()
            )),
            lane: Some(lane.name.clone()),
            response: RESPONSE.map(str::to_owned).to_vec(),
        };
        let _turn = self.cache.turn::<AgentProfile>(caller.org, &profile_stream).await;
        for _ in 0..TRIES {
            if !shown::incidents(self.db(), caller.org, &filter, 1).await?.is_empty() {
                return Ok(false);
            }
            let incident = self.current::<Incident>(caller.org, &incident_stream).await?;
            let opening = match incident.state.decide(IncidentCommand::Open(Box::new(new.clone()))) {
                Err(IncidentRefusal::Exists) => return Ok(false),
                decided => decided.map_err(Refused::rule)?,
            };
            let profile = self.current::<AgentProfile>(caller.org, &profile_stream).await?;
            let locking = profile.state.decide(AgentCommand::LockLane(lane.name.clone())).map_err(Refused::rule)?;
            let append = Append {
                command_id: chance::uuid().to_string(),
                fingerprint: None,
                actor: caller.actor.to_string(),
                streams: vec![
                    stream::<Incident>(caller.org, &incident_stream, incident.sequence, &opening)?,
                    stream::<AgentProfile>(caller.org, &profile_stream, profile.sequence, &locking)?,
                ],
                claims: vec![open_flag(caller.org, row.id, &lane.name, id)],
                releases: vec![],
                blobs: vec![],
                receipt: None,
            };
            match self.store.append(append).await {
                Ok(_) => {
                    self.cache.settle(caller.org, &profile_stream, profile, &locking);
                    return Ok(true);
                }
                // Somebody else saw the same at the same moment.
                Err(AppendError::Claimed(OPEN_FLAG)) => return Ok(false),
                Err(AppendError::Conflict) => {
                    self.cache.forget::<AgentProfile>(caller.org, &profile_stream);
                    self.cache.forget::<Incident>(caller.org, &incident_stream);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(AppendError::Conflict.into())
    }
}

/// That this incident is the open one over a lane of a profile.
fn open_flag(org: OrgId, profile: AgentProfileId, lane: &str, incident: IncidentId) -> Claim {
    Claim { org, scope: OPEN_FLAG, key: format!("{}/{lane}", profile.uuid()), holder: stream_id(incident) }
}

/// A title, cut to what one may have.
fn clip(title: String) -> String {
    title.chars().take(300).collect()
}
