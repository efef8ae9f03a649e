//! The shapes of agent profiles and incidents on the wire.

use super::{FlagRow, Judged, LaneRecord, ListedIncident, ProfileRow, Record};
use aggregates::{
    agents::lanes::overall,
    ids::{AgentProfileId, IncidentId, OrgId, RunId, SheetId},
    rulebooks::vocabulary::{
        CapabilityTier, CheckCategory, IncidentKind, IncidentStatus, Lane, LaneStatus, RuleSeverity, Severity,
        TierLevel,
    },
    time::Time,
};
use serde::Serialize;
use utoipa::ToSchema;

/// How many recurring flags a summary shows.
pub const FLAGS_IN_SUMMARY: i64 = 3;
/// How many a profile's capability shows.
pub const FLAGS_IN_CAPABILITY: i64 = 6;

/// The stack behind an agent, as its owner declares it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AgentProfile {
    /// Its id.
    pub id: AgentProfileId,
    /// The organisation.
    pub org_id: OrgId,
    /// Its name.
    pub name: String,
    /// What drives the model.
    pub harness: Option<String>,
    /// The version of that.
    pub harness_version: Option<String>,
    /// The model.
    pub model: Option<String>,
    /// Who made the model.
    pub model_provider: Option<String>,
    /// Who serves the model.
    pub served_by: Option<String>,
    /// Where the harness runs.
    pub runtime_host: Option<String>,
    /// On which operating system.
    pub runtime_os: Option<String>,
    /// On which hardware.
    pub runtime_hardware: Option<String>,
    /// The tools that it may use.
    pub tools: Vec<String>,
    /// How much the model takes in at once, in tokens.
    pub context_window: Option<u32>,
    /// How capable it is declared to be.
    pub capability_tier: Option<CapabilityTier>,
    /// Remarks.
    pub notes: Option<String>,
    /// What its owner demands of it.
    pub governance: Option<Governance>,
    /// Whether runs may be opened with it.
    pub active: bool,
    /// When it was made.
    pub created_at: Time,
    /// When it was last changed itself.
    pub updated_at: Time,
    /// How often it was changed itself, from 1.
    pub revision: i64,
}

/// What the owner of a stack demands of it.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = AgentGovernance)]
pub struct Governance {
    /// Whether nothing goes to a client without an approval.
    pub requires_approval_client_output: bool,
    /// The most that it may spend, in US dollars.
    pub spend_cap_usd: Option<f64>,
    /// The lanes that it must not run, by slug or name of their flight sheets.
    pub blocked_lanes: Vec<String>,
    /// Remarks.
    pub notes: Option<String>,
}

impl AgentProfile {
    /// The profile as the wire shows it.
    pub fn of(org_id: OrgId, row: &ProfileRow) -> Self {
        let declared = row.declared.profile.clone().unwrap_or_default();
        Self {
            id: row.id,
            org_id,
            name: declared.name,
            harness: declared.harness,
            harness_version: declared.harness_version,
            model: declared.model,
            model_provider: declared.model_provider,
            served_by: declared.served_by,
            runtime_host: declared.runtime_host,
            runtime_os: declared.runtime_os,
            runtime_hardware: declared.runtime_hardware,
            tools: declared.tools,
            context_window: declared.context_window,
            capability_tier: declared.capability_tier,
            notes: declared.notes,
            governance: declared.governance.map(|governance| Governance {
                requires_approval_client_output: governance.requires_approval_client_output,
                spend_cap_usd: governance.spend_cap.map(|cents| cents.dollars()),
                blocked_lanes: governance.blocked_lanes,
                notes: governance.notes,
            }),
            active: row.declared.active,
            created_at: row.stamp.created_at,
            updated_at: row.stamp.updated_at,
            revision: row.stamp.revision,
        }
    }
}

/// How many runs stand at each severity.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct VerdictCounts {
    /// Clean runs.
    pub honey: u32,
    /// Runs to be repaired.
    pub jelly: u32,
    /// Runs that must not be released.
    pub propolis: u32,
}

/// An evaluation of a profile: the last verdict of one of its runs.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ProfileEvaluation {
    /// The run.
    pub run_id: RunId,
    /// Its title.
    pub title: String,
    /// What it came to.
    pub severity: Severity,
    /// Its score, 0 to 100.
    pub score_100: u8,
    /// When it was judged.
    pub created_at: Time,
}

impl From<&Judged> for ProfileEvaluation {
    fn from(judged: &Judged) -> Self {
        let Judged { run, title, severity, score_100, at } = judged.clone();
        Self { run_id: run, title, severity, score_100, created_at: at }
    }
}

/// A rule that a profile's runs break.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RecurringFlag {
    /// The rule in words.
    pub label: String,
    /// How many of its runs are flagged with it.
    pub count: u64,
    /// What it weighed last.
    pub severity: RuleSeverity,
    /// What it looks at.
    pub category: CheckCategory,
}

impl From<&FlagRow> for RecurringFlag {
    fn from(row: &FlagRow) -> Self {
        Self { label: row.label.clone(), count: row.count, severity: row.severity, category: row.category }
    }
}

/// What a profile's runs come to, in short. Each run counts by the verdict that it was given last.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ProfileSummary {
    /// `restricted` where any lane is restricted or blocked, else `approved` where any is, else `testing`.
    pub overall_status: LaneStatus,
    /// How many runs have a verdict.
    pub evaluated_runs: u32,
    /// How they stand.
    pub verdict_counts: VerdictCounts,
    /// The last evaluation.
    pub latest: Option<ProfileEvaluation>,
    /// The lanes that are approved, by name.
    pub approved_lanes: Vec<String>,
    /// The lanes that are blocked or restricted, by name.
    pub blocked_lanes: Vec<String>,
    /// The three rules that its runs break most often.
    pub recurring_flags: Vec<RecurringFlag>,
}

fn counts(record: &Record) -> VerdictCounts {
    let aggregates::agents::lanes::Counts { honey, jelly, propolis } = record.counts;
    VerdictCounts { honey, jelly, propolis }
}

fn overall_status(record: &Record) -> LaneStatus {
    overall(record.lanes.values().map(|lane| lane.counts.status()))
}

impl ProfileSummary {
    /// What a profile's runs come to, with its recurring flags, the most frequent first.
    pub fn of(record: &Record, flags: &[FlagRow]) -> Self {
        let named = |wanted: &[LaneStatus]| {
            let lanes = record.lanes.values().filter(|lane| wanted.contains(&lane.counts.status()));
            let mut names: Vec<String> = lanes.map(|lane| lane.name.clone()).collect();
            names.sort();
            names
        };
        Self {
            overall_status: overall_status(record),
            evaluated_runs: record.evaluated(),
            verdict_counts: counts(record),
            latest: record.history.first().map(ProfileEvaluation::from),
            approved_lanes: named(&[LaneStatus::Approved]),
            blocked_lanes: named(&[LaneStatus::Blocked, LaneStatus::Restricted]),
            recurring_flags: flags.iter().take(FLAGS_IN_SUMMARY as usize).map(RecurringFlag::from).collect(),
        }
    }
}

/// A profile in a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ListedProfile {
    /// The profile.
    #[serde(flatten)]
    pub profile: AgentProfile,
    /// What its runs come to.
    pub summary: ProfileSummary,
}

/// A page of active profiles, the newest first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AgentProfileList {
    /// The profiles.
    pub agent_profiles: Vec<ListedProfile>,
    /// Where the next page begins; null on the last.
    pub next_cursor: Option<String>,
}

/// How much of a category's checks a profile's runs pass.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PassRate {
    /// The category.
    pub category: CheckCategory,
    /// The category in words.
    pub label: String,
    /// The share of checks that pass, 0 to 1 to two decimals.
    pub rate: f64,
    /// How many checks passed or were flagged.
    pub n: u64,
}

impl PassRate {
    fn of(category: CheckCategory, passed: u64, flagged: u64) -> Option<Self> {
        let n = passed + flagged;
        // In whole hundredths, halves up, so that the same numbers give the same text everywhere.
        let hundredths = (200 * passed + n).checked_div(2 * n)?;
        let label = match category {
            CheckCategory::Structure => "Structure",
            CheckCategory::Schema => "Schema",
            CheckCategory::Math => "Math",
            CheckCategory::Evidence => "Evidence",
            CheckCategory::Policy => "Policy",
        };
        Some(Self { category, label: label.to_owned(), rate: hundredths as f64 / 100.0, n })
    }
}

/// What a profile has earned on one lane: on one flight sheet.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LaneAuthorization {
    /// The flight sheet.
    pub flight_sheet_id: SheetId,
    /// Its name.
    pub name: String,
    /// The lane of its runs.
    pub lane: Lane,
    /// Two runs at propolis block, one restricts; without one, three at honey approve.
    pub status: LaneStatus,
    /// How many of the runs stand at honey.
    pub honey: u32,
    /// How many at jelly.
    pub jelly: u32,
    /// How many at propolis.
    pub propolis: u32,
    /// How many there are.
    pub total: u32,
}

impl LaneAuthorization {
    fn of(sheet: SheetId, lane: &LaneRecord) -> Self {
        Self {
            flight_sheet_id: sheet,
            name: lane.name.clone(),
            lane: lane.lane,
            status: lane.counts.status(),
            honey: lane.counts.honey,
            jelly: lane.counts.jelly,
            propolis: lane.counts.propolis,
            total: lane.counts.total(),
        }
    }
}

/// What a profile has earned: by verdicts, not by what it declares. Each run counts by the verdict that it was given last.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Capability {
    /// `restricted` where any lane is restricted or blocked, else `approved` where any is, else `testing`.
    pub overall_status: LaneStatus,
    /// How many runs were opened with the profile.
    pub total_runs: u64,
    /// How many of them have a verdict.
    pub evaluated_runs: u32,
    /// How those stand.
    pub verdict_counts: VerdictCounts,
    /// The mean of their scores, 0 to 100 to two decimals; null before the first.
    pub mean_score: Option<f64>,
    /// The last evaluation.
    pub latest: Option<ProfileEvaluation>,
    /// What share of their checks they pass, by category.
    pub pass_rates: Vec<PassRate>,
    /// The six rules that they break most often.
    pub recurring_flags: Vec<RecurringFlag>,
    /// The lanes, by name.
    pub lane_authorizations: Vec<LaneAuthorization>,
    /// The 25 newest evaluations, the newest first.
    pub history: Vec<ProfileEvaluation>,
}

impl Capability {
    /// What a profile has earned, with its recurring flags, the most frequent first.
    pub fn of(record: &Record, flags: &[FlagRow]) -> Self {
        let lanes = record.lanes.iter().map(|(sheet, lane)| LaneAuthorization::of(*sheet, lane));
        let mut lane_authorizations: Vec<_> = lanes.collect();
        lane_authorizations.sort_by(|a, b| (&a.name, a.flight_sheet_id).cmp(&(&b.name, b.flight_sheet_id)));
        let rates = record.tallies.iter();
        Self {
            overall_status: overall_status(record),
            total_runs: record.total_runs,
            evaluated_runs: record.evaluated(),
            verdict_counts: counts(record),
            mean_score: mean_score(record),
            latest: record.history.first().map(ProfileEvaluation::from),
            pass_rates: rates
                .filter_map(|(category, (passed, flagged))| PassRate::of(*category, *passed, *flagged))
                .collect(),
            recurring_flags: flags.iter().map(RecurringFlag::from).collect(),
            lane_authorizations,
            history: record.history.iter().map(ProfileEvaluation::from).collect(),
        }
    }
}

fn mean_score(record: &Record) -> Option<f64> {
    record.mean_score().map(|hundredths| hundredths as f64 / 100.0)
}

/// A profile with what it has earned.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CapableProfile {
    /// The profile.
    #[serde(flatten)]
    pub profile: AgentProfile,
    /// What it has earned.
    pub capability: Capability,
}

/// A place on the leaderboard.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LeaderboardEntry {
    /// The profile.
    pub agent_profile_id: AgentProfileId,
    /// Its name.
    pub name: String,
    /// Its model.
    pub model: Option<String>,
    /// `restricted` where any lane is restricted or blocked, else `approved` where any is, else `testing`.
    pub overall_status: LaneStatus,
    /// How many lanes are approved: what the board is ordered by first.
    pub approved_lanes: i64,
    /// How many runs stand at honey: second.
    pub honey: u32,
    /// The mean score, 0 to 100 to two decimals, null before the first run: third.
    pub mean_score: Option<f64>,
    /// How many runs have a verdict.
    pub evaluated_runs: u32,
}

impl LeaderboardEntry {
    /// A profile's place.
    pub fn of(row: &ProfileRow) -> Self {
        let declared = row.declared.profile.as_ref();
        Self {
            agent_profile_id: row.id,
            name: declared.map(|profile| profile.name.clone()).unwrap_or_default(),
            model: declared.and_then(|profile| profile.model.clone()),
            overall_status: overall_status(&row.record),
            approved_lanes: row.record.approved(),
            honey: row.record.counts.honey,
            mean_score: mean_score(&row.record),
            evaluated_runs: row.record.evaluated(),
        }
    }
}

/// A page of the leaderboard, the best first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Leaderboard {
    /// The active profiles.
    pub entries: Vec<LeaderboardEntry>,
    /// Where the next page begins; null on the last.
    pub next_cursor: Option<String>,
}

/// An incident.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Incident {
    /// Its id.
    pub id: IncidentId,
    /// The organisation.
    pub org_id: OrgId,
    /// What sort of incident.
    pub kind: IncidentKind,
    /// How much it weighs.
    pub tier: TierLevel,
    /// What happened.
    pub title: String,
    /// The same at length.
    pub detail: Option<String>,
    /// The lane, by the name of its flight sheet.
    pub lane: Option<String>,
    /// What was done about it.
    pub response: Vec<String>,
    /// Whether it is dealt with.
    pub status: IncidentStatus,
    /// The profile that it is about.
    pub agent_profile_id: Option<AgentProfileId>,
    /// How that is called now.
    pub agent_profile_name: Option<String>,
    /// The run that it is about.
    pub run_id: Option<RunId>,
    /// Its receipt's name, when it has one.
    pub receipt_id: Option<String>,
    /// Whoever has it may see the receipt.
    pub share_token: Option<String>,
    /// When it was opened.
    pub created_at: Time,
    /// When it was resolved; null while it is open.
    pub resolved_at: Option<Time>,
    /// When it was last changed.
    pub updated_at: Time,
    /// How often it was changed, from 1.
    pub revision: i64,
}

impl Incident {
    /// The incident as the wire shows it; nothing for one that was never opened.
    pub fn of(org_id: OrgId, listed: &ListedIncident) -> Option<Self> {
        let ListedIncident { row, profile_name, share_token } = listed;
        let opened = row.incident.opened.clone()?;
        Some(Self {
            id: opened.id,
            org_id,
            kind: opened.kind,
            tier: opened.tier,
            title: opened.title,
            detail: opened.detail,
            lane: opened.lane,
            response: opened.response,
            status: row.incident.status(),
            agent_profile_id: opened.profile,
            agent_profile_name: profile_name.clone(),
            run_id: opened.run,
            receipt_id: row.incident.receipt.as_ref().map(|receipt| receipt.receipt_id.clone()),
            share_token: share_token.clone(),
            created_at: row.stamp.created_at,
            resolved_at: row.resolved_at,
            updated_at: row.stamp.updated_at,
            revision: row.stamp.revision,
        })
    }
}

/// A page of incidents, the newest first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct IncidentList {
    /// The incidents.
    pub incidents: Vec<Incident>,
    /// Where the next page begins; null on the last.
    pub next_cursor: Option<String>,
}

/// The receipt of an incident.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct IncidentReceipt {
    /// The receipt's name.
    pub receipt_id: String,
    /// SHA-256 of its canonical payload, 64 hexadecimal digits.
    #[schema(value_type = String)]
    pub receipt_sha256: proof::digest::Sha256Hex,
    /// Whoever has it may see the receipt.
    pub share_token: String,
    /// Its place in the organisation's chain, from 0.
    pub org_seq: u64,
}

/// What the watchdog found and did.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Watch {
    /// The incidents that it opened.
    pub opened: Vec<Incident>,
    /// How many lanes it looked at.
    pub scanned_lanes: usize,
    /// The names of the lanes that are blocked.
    pub blocked_lanes: Vec<String>,
}
