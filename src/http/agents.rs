//! Agent profiles, what they have earned, and incidents.

use crate::{
    app::{App, Done, Refused, Terms, With},
    http::{
        body::Json,
        caller::{
            May,
            permission::{Read, Work},
        },
        error::{Problem, Reply},
        given::Given,
        headers::IfMatch,
        page::{Cursor, Limit, PageOf},
        path::Path,
        query::Query,
        reply::{Created, Okay, Tagged, Written},
    },
    outside::chance,
};
use actix_web::{get, patch, post, web::Data};
use aggregates::{
    agents::{self as domain, AgentCommand, Cents, Change, Profile, incident},
    ids::{AgentProfileId, IncidentId, OrgId, RunId},
    rulebooks::vocabulary::{CapabilityTier, IncidentKind, IncidentStatus, TierLevel},
};
use projections::agents::{
    self as shown, IncidentFilter, ListedIncident, ProfileRow, Standing,
    views::{
        AgentProfile, AgentProfileList, Capability, CapableProfile, FLAGS_IN_CAPABILITY, FLAGS_IN_SUMMARY, Incident,
        IncidentList, IncidentReceipt, Leaderboard, LeaderboardEntry, ListedProfile, ProfileSummary, Watch,
    },
};
use serde::{Deserialize, Deserializer};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

/// The handlers of the runs surface.
pub fn runs(config: &mut ServiceConfig<'_>) {
    config
        .service(list_profiles)
        .service(create_profile)
        // Before the profiles by their id, which would take its name for one.
        .service(leaderboard)
        .service(show_profile)
        .service(change_profile)
        .service(watch_profile)
        .service(list_incidents)
        .service(open_incident)
        .service(show_incident)
        .service(change_incident)
        .service(mint_incident_receipt);
}

/// Lists the organisation's active agent profiles, the newest first, each with what its runs come to.
#[utoipa::path(tag = "agents", operation_id = "list_agent_profiles", params(PageOf))]
#[get("/agent-profiles")]
pub(crate) async fn list_profiles(
    caller: May<Read>,
    app: Data<App>,
    page: Query<PageOf>,
) -> Reply<Okay<AgentProfileList>> {
    let before = page.0.cursor.map(|cursor| cursor.key::<AgentProfileId>()).transpose()?;
    let rows = shown::profiles(app.db(), caller.org, before, page.0.limit.to_fetch()).await.map_err(Refused::from)?;
    let (rows, next) = page.0.limit.cut(rows, |row| row.id);
    let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
    let flags = shown::recurring_flags(app.db(), caller.org, &ids, FLAGS_IN_SUMMARY).await.map_err(Refused::from)?;
    let listed = |row: &ProfileRow| ListedProfile {
        profile: AgentProfile::of(caller.org, row),
        summary: ProfileSummary::of(&row.record, flags.get(&row.id).map(Vec::as_slice).unwrap_or_default()),
    };
    let agent_profiles = rows.iter().map(listed).collect();
    Ok(Okay(AgentProfileList { agent_profiles, next_cursor: next.map(|cursor| cursor.to_string()) }))
}

/// The stack behind an agent: a harness, a model, a runtime.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAgentProfile {
    /// Its name.
    #[schema(min_length = 1, max_length = 120, example = "memo analyst")]
    name: String,
    /// What drives the model.
    #[schema(nullable = false, max_length = 80)]
    harness: Option<String>,
    /// The version of that.
    #[schema(nullable = false, max_length = 40)]
    harness_version: Option<String>,
    /// The model.
    #[schema(nullable = false, max_length = 120)]
    model: Option<String>,
    /// Who made the model.
    #[schema(nullable = false, max_length = 80)]
    model_provider: Option<String>,
    /// Who serves the model.
    #[schema(nullable = false, max_length = 40)]
    served_by: Option<String>,
    /// Where the harness runs.
    #[schema(nullable = false, max_length = 120)]
    runtime_host: Option<String>,
    /// On which operating system.
    #[schema(nullable = false, max_length = 80)]
    runtime_os: Option<String>,
    /// On which hardware.
    #[schema(nullable = false, max_length = 160)]
    runtime_hardware: Option<String>,
    /// The tools that it may use, at most 100, each of 1 to 120 characters.
    #[serde(default)]
    #[schema(nullable = false, max_items = 100)]
    tools: Vec<String>,
    /// How much the model takes in at once, in tokens.
    #[schema(nullable = false, minimum = 1, maximum = 1_000_000_000)]
    context_window: Option<u32>,
    /// How capable it is declared to be.
    #[schema(nullable = false)]
    capability_tier: Option<CapabilityTier>,
    /// Remarks.
    #[schema(nullable = false, max_length = 2000)]
    notes: Option<String>,
    /// What its owner demands of it.
    #[schema(nullable = false)]
    governance: Option<GovernanceIn>,
}

/// What the owner of a stack demands of it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AgentGovernanceIn)]
pub struct GovernanceIn {
    /// Whether nothing goes to a client without an approval; false unless said.
    #[serde(default)]
    #[schema(nullable = false)]
    requires_approval_client_output: bool,
    /// The most that it may spend, in US dollars with at most two decimals.
    #[schema(nullable = false, minimum = 0, maximum = 1_000_000_000)]
    spend_cap_usd: Option<f64>,
    /// The lanes that it must not run: slugs or names of flight sheets, at most 100, each of 1 to 200 characters.
    #[serde(default)]
    #[schema(nullable = false, max_items = 100)]
    blocked_lanes: Vec<String>,
    /// Remarks.
    #[schema(nullable = false, max_length = 2000)]
    notes: Option<String>,
}

impl GovernanceIn {
    fn governance(self) -> Reply<domain::Governance> {
        let Self { requires_approval_client_output, spend_cap_usd, blocked_lanes, notes } = self;
        let spend_cap = match spend_cap_usd {
            Some(dollars) => Some(Cents::of_dollars(dollars).ok_or_else(|| {
                let allowed = "0 to 1,000,000,000 US dollars with at most two decimals are allowed";
                Problem::invalid(format!("governance.spend_cap_usd: {allowed}")).at("governance.spend_cap_usd")
            })?),
            None => None,
        };
        Ok(domain::Governance { requires_approval_client_output, spend_cap, blocked_lanes, notes })
    }
}

/// Creates an agent profile.
#[utoipa::path(tag = "agents", operation_id = "create_agent_profile", request_body = NewAgentProfile)]
#[post("/agent-profiles")]
pub(crate) async fn create_profile(
    caller: May<Work>,
    given: Given,
    app: Data<App>,
    body: Json<NewAgentProfile>,
) -> Reply<Written<Created<AgentProfile>>> {
    let Json(new, digest) = body;
    let profile = Profile {
        name: new.name,
        harness: new.harness,
        harness_version: new.harness_version,
        model: new.model,
        model_provider: new.model_provider,
        served_by: new.served_by,
        runtime_host: new.runtime_host,
        runtime_os: new.runtime_os,
        runtime_hardware: new.runtime_hardware,
        tools: new.tools,
        context_window: new.context_window,
        capability_tier: new.capability_tier,
        notes: new.notes,
        governance: new.governance.map(GovernanceIn::governance).transpose()?,
    };
    let done = app.create_profile(&caller, &given.with(&digest), profile).await?;
    let (position, replayed) = (done.position, done.replayed);
    let body = as_done(&app, caller.org, done).await?;
    let reply = Created { location: format!("/agent-profiles/{}", body.id), body };
    Ok(Written { position, replayed, reply })
}

/// The profile as a command left it: a repeat may come when it has changed.
async fn as_done(app: &App, org: OrgId, done: Done<domain::AgentProfile>) -> Reply<AgentProfile> {
    let id = done.id.parse().map_err(|_| Problem::internal("a stream has no id"))?;
    let mut row = app.profile(org, id).await?;
    row.declared = done.state.state.clone();
    row.stamp.revision = done.state.sequence;
    if done.replayed {
        // When that was is no longer known of anything but the beginning, which is all that is repeated here.
        row.stamp.updated_at = row.stamp.created_at;
    }
    Ok(AgentProfile::of(org, &row))
}

/// Lists the organisation's active agent profiles, the best first: by approved lanes, then by runs at honey, then by mean
/// score.
#[utoipa::path(tag = "agents", operation_id = "show_leaderboard", params(PageOf))]
#[get("/agent-profiles/leaderboard")]
pub(crate) async fn leaderboard(caller: May<Read>, app: Data<App>, page: Query<PageOf>) -> Reply<Okay<Leaderboard>> {
    let after = page.0.cursor.map(|cursor| cursor.key::<Standing>()).transpose()?;
    let rows = shown::leaderboard(app.db(), caller.org, after, page.0.limit.to_fetch()).await.map_err(Refused::from)?;
    let (rows, next) = page.0.limit.cut(rows, |(standing, _)| standing.clone());
    let entries = rows.iter().map(|(_, row)| LeaderboardEntry::of(row)).collect();
    Ok(Okay(Leaderboard { entries, next_cursor: next.map(|cursor| cursor.to_string()) }))
}

/// Shows an agent profile, active or not, with what it has earned.
#[utoipa::path(tag = "agents", operation_id = "show_agent_profile", params(("profile_id" = AgentProfileId, Path, description = "The profile")))]
#[get("/agent-profiles/{profile_id}")]
pub(crate) async fn show_profile(
    caller: May<Read>,
    app: Data<App>,
    path: Path<(AgentProfileId,)>,
) -> Reply<Tagged<Okay<CapableProfile>>> {
    let row = app.profile(caller.org, path.0.0).await?;
    let flags = shown::recurring_flags(app.db(), caller.org, &[row.id], FLAGS_IN_CAPABILITY).await;
    let flags = flags.map_err(Refused::from)?.remove(&row.id).unwrap_or_default();
    let view =
        CapableProfile { profile: AgentProfile::of(caller.org, &row), capability: Capability::of(&row.record, &flags) };
    Ok(Tagged { revision: row.stamp.revision.unsigned_abs(), reply: Okay(view) })
}

/// What to change of a profile: what is left out stays, and `null` clears a field that may be empty.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentProfileChange {
    /// Its name.
    #[schema(nullable = false, min_length = 1, max_length = 120, example = "memo analyst")]
    name: Option<String>,
    /// What drives the model.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, max_length = 80)]
    harness: Option<Option<String>>,
    /// The version of that.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, max_length = 40)]
    harness_version: Option<Option<String>>,
    /// The model.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, max_length = 120)]
    model: Option<Option<String>>,
    /// Who made the model.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, max_length = 80)]
    model_provider: Option<Option<String>>,
    /// Who serves the model.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, max_length = 40)]
    served_by: Option<Option<String>>,
    /// Where the harness runs.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, max_length = 120)]
    runtime_host: Option<Option<String>>,
    /// On which operating system.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, max_length = 80)]
    runtime_os: Option<Option<String>>,
    /// On which hardware.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, max_length = 160)]
    runtime_hardware: Option<Option<String>>,
    /// The tools that it may use, all of them.
    #[schema(nullable = false, max_items = 100)]
    tools: Option<Vec<String>>,
    /// How much the model takes in at once, in tokens.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 1_000_000_000)]
    context_window: Option<Option<u32>>,
    /// How capable it is declared to be.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<CapabilityTier>)]
    capability_tier: Option<Option<CapabilityTier>>,
    /// Remarks.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, max_length = 2000)]
    notes: Option<Option<String>>,
    /// What its owner demands of it, all of it: a lane that is left out of `blocked_lanes` is no longer locked.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<GovernanceIn>)]
    governance: Option<Option<GovernanceIn>>,
    /// Whether runs may be opened with it.
    #[schema(nullable = false)]
    active: Option<bool>,
}

/// A value that is there, be it null.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Changes an agent profile.
#[utoipa::path(tag = "agents", operation_id = "change_agent_profile", params(("profile_id" = AgentProfileId, Path, description = "The profile")), request_body = AgentProfileChange)]
#[patch("/agent-profiles/{profile_id}")]
pub(crate) async fn change_profile(
    caller: May<Work>,
    if_match: IfMatch,
    app: Data<App>,
    path: Path<(AgentProfileId,)>,
    body: Json<AgentProfileChange>,
) -> Reply<Written<Okay<AgentProfile>>> {
    let (Path((id,)), Json(new, _)) = (path, body);
    let governance = match new.governance {
        Some(Some(governance)) => Some(Some(governance.governance()?)),
        Some(None) => Some(None),
        None => None,
    };
    let change = Change {
        name: new.name,
        harness: new.harness,
        harness_version: new.harness_version,
        model: new.model,
        model_provider: new.model_provider,
        served_by: new.served_by,
        runtime_host: new.runtime_host,
        runtime_os: new.runtime_os,
        runtime_hardware: new.runtime_hardware,
        tools: new.tools,
        context_window: new.context_window,
        capability_tier: new.capability_tier,
        notes: new.notes,
        governance,
        active: new.active,
    };
    let terms = Terms { once: None, revision: if_match.0.map(|revision| revision as i64) };
    let command = AgentCommand::Change(Box::new(change));
    let done =
        app.execute::<domain::AgentProfile>(&caller, &terms, &id.uuid().to_string(), command, With::default()).await?;
    let (position, replayed) = (done.position, done.replayed);
    Ok(Written { position, replayed, reply: Okay(as_done(&app, caller.org, done).await?) })
}

/// Opens an incident over each blocked lane of a profile that has none open, and locks the lane. Doing it again changes
/// nothing. The service does the same by itself as soon as a lane is blocked.
#[utoipa::path(tag = "agents", operation_id = "watch_agent_profile", params(("profile_id" = AgentProfileId, Path, description = "The profile")))]
#[post("/agent-profiles/{profile_id}/watchdog")]
pub(crate) async fn watch_profile(
    caller: May<Work>,
    app: Data<App>,
    path: Path<(AgentProfileId,)>,
) -> Reply<Written<Okay<Watch>>> {
    let watched = app.watch(&caller, path.0.0).await?;
    let view = Watch {
        opened: watched.opened.iter().filter_map(|incident| Incident::of(caller.org, incident)).collect(),
        scanned_lanes: watched.scanned,
        blocked_lanes: watched.blocked,
    };
    Ok(Written { position: watched.position, replayed: false, reply: Okay(view) })
}

/// Which incidents.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct IncidentsOf {
    /// How many.
    #[serde(default)]
    #[param(inline, required = false)]
    limit: Limit,
    /// Where the page begins.
    #[param(inline, required = false)]
    cursor: Option<Cursor>,
    /// Only those about this profile.
    #[param(required = false)]
    agent_profile_id: Option<AgentProfileId>,
    /// Only those that stand here.
    #[param(required = false)]
    status: Option<IncidentStatus>,
    /// Only those of this kind.
    #[param(required = false)]
    kind: Option<IncidentKind>,
}

/// Lists the organisation's incidents, the newest first.
#[utoipa::path(tag = "incidents", operation_id = "list_incidents", params(IncidentsOf))]
#[get("/incidents")]
pub(crate) async fn list_incidents(
    caller: May<Read>,
    app: Data<App>,
    which: Query<IncidentsOf>,
) -> Reply<Okay<IncidentList>> {
    let IncidentsOf { limit, cursor, agent_profile_id: profile, status, kind } = which.0;
    let before = cursor.map(|cursor| cursor.key::<IncidentId>()).transpose()?;
    let filter = IncidentFilter { profile, status, kind, lane: None, before };
    let rows = shown::incidents(app.db(), caller.org, &filter, limit.to_fetch()).await.map_err(Refused::from)?;
    let (rows, next) = limit.cut(rows, |listed| listed.row.id);
    let incidents = rows.iter().filter_map(|listed| Incident::of(caller.org, listed)).collect();
    Ok(Okay(IncidentList { incidents, next_cursor: next.map(|cursor| cursor.to_string()) }))
}

/// An incident to open.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IncidentIn {
    /// The profile that it is about.
    #[schema(nullable = false)]
    agent_profile_id: Option<AgentProfileId>,
    /// The run that it is about.
    #[schema(nullable = false)]
    run_id: Option<RunId>,
    /// What sort of incident; `policy_violation` unless said. A single flag is none: it is a matter of its run.
    #[serde(default = "policy_violation")]
    #[schema(nullable = false)]
    kind: IncidentKind,
    /// How much it weighs; `high` unless said.
    #[serde(default = "high")]
    #[schema(nullable = false)]
    tier: TierLevel,
    /// What happened.
    #[schema(min_length = 1, max_length = 300, example = "a memo went out without an approval")]
    title: String,
    /// The same at length.
    #[schema(nullable = false, max_length = 4000)]
    detail: Option<String>,
    /// The lane, by the name of its flight sheet.
    #[schema(nullable = false, max_length = 200)]
    lane: Option<String>,
    /// What was done about it: at most 50 entries, each of 1 to 500 characters.
    #[serde(default)]
    #[schema(nullable = false, max_items = 50)]
    response: Vec<String>,
}

const fn policy_violation() -> IncidentKind {
    IncidentKind::PolicyViolation
}

const fn high() -> TierLevel {
    TierLevel::High
}

/// Opens an incident.
#[utoipa::path(tag = "incidents", operation_id = "open_incident", request_body = IncidentIn)]
#[post("/incidents")]
pub(crate) async fn open_incident(
    caller: May<Work>,
    given: Given,
    app: Data<App>,
    body: Json<IncidentIn>,
) -> Reply<Written<Created<Incident>>> {
    let Json(new, digest) = body;
    let IncidentIn { agent_profile_id: profile, run_id: run, kind, tier, title, detail, lane, response } = new;
    let new = incident::Opened { id: chance::id(), profile, run, kind, tier, title, detail, lane, response };
    let done = app.open_incident(&caller, &given.with(&digest), new).await?;
    let (position, replayed) = (done.position, done.replayed);
    let body = incident_done(&app, caller.org, done).await?;
    let reply = Created { location: format!("/incidents/{}", body.id), body };
    Ok(Written { position, replayed, reply })
}

/// The incident as a command left it: a repeat may come when it has changed.
async fn incident_done(app: &App, org: OrgId, done: Done<incident::Incident>) -> Reply<Incident> {
    let id = done.id.parse().map_err(|_| Problem::internal("a stream has no id"))?;
    let mut listed = listed(app, org, id).await?;
    listed.row.incident = done.state.state.clone();
    listed.row.stamp.revision = done.state.sequence;
    if !listed.row.incident.resolved {
        listed.row.resolved_at = None;
    }
    if listed.row.incident.receipt.is_none() {
        listed.share_token = None;
    }
    if done.replayed {
        listed.row.stamp.updated_at = listed.row.stamp.created_at;
    }
    Incident::of(org, &listed).ok_or_else(|| Problem::not_found("incident"))
}

async fn listed(app: &App, org: OrgId, id: IncidentId) -> Reply<ListedIncident> {
    let listed = shown::incident(app.db(), org, id).await.map_err(Refused::from)?;
    listed.ok_or_else(|| Problem::not_found("incident"))
}

/// Shows an incident.
#[utoipa::path(tag = "incidents", operation_id = "show_incident", params(("incident_id" = IncidentId, Path, description = "The incident")))]
#[get("/incidents/{incident_id}")]
pub(crate) async fn show_incident(
    caller: May<Read>,
    app: Data<App>,
    path: Path<(IncidentId,)>,
) -> Reply<Tagged<Okay<Incident>>> {
    let listed = listed(&app, caller.org, path.0.0).await?;
    let view = Incident::of(caller.org, &listed).ok_or_else(|| Problem::not_found("incident"))?;
    Ok(Tagged { revision: view.revision.unsigned_abs(), reply: Okay(view) })
}

/// What to bring an incident to.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IncidentChange {
    /// `resolved` unless said; nothing else is possible.
    #[serde(default = "resolved")]
    #[schema(nullable = false)]
    status: IncidentStatus,
}

const fn resolved() -> IncidentStatus {
    IncidentStatus::Resolved
}

/// Resolves an open incident. There is no way back: what happens after it is another incident.
#[utoipa::path(tag = "incidents", operation_id = "change_incident", params(("incident_id" = IncidentId, Path, description = "The incident")), request_body = IncidentChange)]
#[patch("/incidents/{incident_id}")]
pub(crate) async fn change_incident(
    caller: May<Work>,
    if_match: IfMatch,
    app: Data<App>,
    path: Path<(IncidentId,)>,
    body: Json<IncidentChange>,
) -> Reply<Written<Okay<Incident>>> {
    let terms = Terms { once: None, revision: if_match.0.map(|revision| revision as i64) };
    let done = app.change_incident(&caller, &terms, path.0.0, body.0.status).await?;
    let (position, replayed) = (done.position, done.replayed);
    Ok(Written { position, replayed, reply: Okay(incident_done(&app, caller.org, done).await?) })
}

/// Mints the receipt of an incident on the organisation's chain; an incident that has one answers with it.
#[utoipa::path(tag = "incidents", operation_id = "mint_incident_receipt", params(("incident_id" = IncidentId, Path, description = "The incident")))]
#[post("/incidents/{incident_id}/receipt")]
pub(crate) async fn mint_incident_receipt(
    caller: May<Work>,
    app: Data<App>,
    path: Path<(IncidentId,)>,
) -> Reply<Written<Okay<IncidentReceipt>>> {
    let (minted, position) = app.mint_incident(&caller, path.0.0).await?;
    let receipt = IncidentReceipt {
        receipt_id: minted.receipt_id,
        receipt_sha256: minted.receipt_sha256,
        share_token: minted.share_token,
        org_seq: minted.org_seq,
    };
    Ok(Written { position, replayed: false, reply: Okay(receipt) })
}
