//! What is shown of agent profiles, of what they have earned, and of incidents.

pub mod views;

use crate::{
    Db, Happened, Recorded,
    event::Stamp,
    model::{self, Cell, CellKind, Column, Index, Model, ReadModel, Row, Table},
    on,
};
use aggregates::{
    Decider,
    agents::{
        AgentEvent, AgentProfile,
        incident::{Incident, IncidentEvent},
        lanes::{Counts, Stack},
    },
    ids::{AgentProfileId, IncidentId, OrgId, RunId, SheetId},
    ledger::receipt_stream,
    rulebooks::vocabulary::{CheckCategory, IncidentKind, IncidentStatus, Lane, LaneStatus, RuleSeverity, Severity},
    runs::{
        RunEvent,
        evaluation::{Evaluated, Evaluation, Flagged},
    },
    time::Time,
};
use proof::digest::sha256;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How many evaluations a profile's history shows.
pub const HISTORY: usize = 25;

/// The models of this context.
pub fn models() -> Vec<Model> {
    vec![Model::of::<AgentProfiles>(), Model::of::<AgentFlags>(), Model::of::<RunIncidents>()]
}

/// One row per agent profile: what it declares and what its runs have earned.
pub struct AgentProfiles;

/// An agent profile.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ProfileRow {
    /// Its id.
    pub id: AgentProfileId,
    /// What it declares, folded by its own rules.
    pub declared: AgentProfile,
    /// What its runs have earned.
    pub record: Record,
    /// When it was made and changed itself.
    pub stamp: Stamp,
}

/// What the runs of a profile have earned: each run counts by the verdict that it was given last.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Record {
    /// How many runs were opened with the profile.
    pub total_runs: u64,
    /// How its runs stand.
    pub counts: Counts,
    /// The sum of their scores.
    pub score_sum: u64,
    /// How many checks passed and were flagged, by category.
    pub tallies: BTreeMap<CheckCategory, (u64, u64)>,
    /// Its lanes, one for each flight sheet that it was judged by.
    pub lanes: BTreeMap<SheetId, LaneRecord>,
    /// Its evaluations, the newest first; of each run only the last.
    pub history: Vec<Judged>,
}

/// A lane of a profile.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LaneRecord {
    /// The name of its flight sheet, as it was last judged by.
    pub name: String,
    /// The lane of the sheet.
    pub lane: Lane,
    /// How the profile's runs on it stand.
    pub counts: Counts,
    /// The position of the event that blocked it, while it is blocked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked_by: Option<i64>,
}

/// An evaluation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Judged {
    /// The run.
    pub run: RunId,
    /// Its title.
    pub title: String,
    /// What it came to.
    pub severity: Severity,
    /// Its score.
    pub score_100: u8,
    /// When.
    pub at: Time,
}

impl Record {
    /// A run was judged.
    fn take_in(&mut self, run: RunId, evaluation: &Evaluation, position: i64, at: Time) {
        let Evaluation { sheet, sheet_name, lane, title, result, replaces, .. } = evaluation;
        let lane = self.lanes.entry(*sheet).or_insert_with(|| LaneRecord {
            name: String::new(),
            lane: *lane,
            counts: Counts::default(),
            blocked_by: None,
        });
        lane.name.clone_from(sheet_name);
        if let Some(before) = replaces {
            self.counts.take(before.severity);
            lane.counts.take(before.severity);
            self.score_sum = self.score_sum.saturating_sub(before.score_100.into());
            for (tally, (passed, flagged)) in tallies(&mut self.tallies, before) {
                tally.0 = tally.0.saturating_sub(passed);
                tally.1 = tally.1.saturating_sub(flagged);
            }
        }
        self.counts.add(result.severity);
        lane.counts.add(result.severity);
        self.score_sum += u64::from(result.score_100);
        for (tally, (passed, flagged)) in tallies(&mut self.tallies, result) {
            tally.0 += passed;
            tally.1 += flagged;
        }
        lane.blocked_by = match lane.counts.status() {
            LaneStatus::Blocked => Some(lane.blocked_by.unwrap_or(position)),
            _ => None,
        };
        self.history.retain(|judged| judged.run != run);
        let judged = Judged { run, title: title.clone(), severity: result.severity, score_100: result.score_100, at };
        self.history.insert(0, judged);
        self.history.truncate(HISTORY);
    }

    /// How many runs have a verdict.
    pub const fn evaluated(&self) -> u32 {
        self.counts.total()
    }

    /// The mean of the scores in hundredths, rounded down; nothing before the first.
    pub fn mean_score(&self) -> Option<u64> {
        (100 * self.score_sum).checked_div(self.evaluated().into())
    }

    /// How many lanes are approved.
    fn approved(&self) -> i64 {
        self.lanes.values().filter(|lane| lane.counts.status() == LaneStatus::Approved).count() as i64
    }
}

fn tallies<'a>(
    of: &'a mut BTreeMap<CheckCategory, (u64, u64)>,
    result: &Evaluated,
) -> impl Iterator<Item = (&'a mut (u64, u64), (u64, u64))> {
    let by: BTreeMap<_, _> =
        result.tallies.iter().map(|tally| (tally.category, (tally.passed.into(), tally.flagged.into()))).collect();
    for category in by.keys() {
        of.entry(*category).or_default();
    }
    of.iter_mut().filter_map(move |(category, tally)| Some((tally, *by.get(category)?)))
}

impl ProfileRow {
    /// The stack behind a run on a flight sheet, as it stands.
    pub fn stack(&self, sheet: Option<SheetId>) -> Option<Stack> {
        let lane = sheet.and_then(|sheet| self.record.lanes.get(&sheet));
        Some(Stack {
            id: self.id,
            profile: self.declared.profile.clone()?,
            active: self.declared.active,
            created_at: self.stamp.created_at,
            standing: lane.map(|lane| lane.counts).unwrap_or_default(),
        })
    }
}

impl ReadModel for AgentProfiles {
    const TABLE: Table = Table {
        name: "agent_profiles",
        version: 1,
        essential: false,
        columns: &[
            Column { name: "name", kind: CellKind::Text },
            Column { name: "active", kind: CellKind::Integer },
            Column { name: "approved_lanes", kind: CellKind::Integer },
            Column { name: "honey", kind: CellKind::Integer },
            Column { name: "mean_score", kind: CellKind::Integer },
        ],
        indexes: &[Index {
            columns: &["org_id", "active", "approved_lanes", "honey", "mean_score", "id"],
            unique: false,
        }],
    };
    type Doc = ProfileRow;

    fn touches(event: &Recorded<'_>) -> Vec<Row> {
        match &event.happened {
            Happened::AgentProfile(AgentEvent::ProfileCreated(_)) => vec![Row::new(event.local_id())],
            Happened::AgentProfile(_) => vec![Row::known(event.local_id())],
            Happened::Run(RunEvent::RunOpened(opened)) => {
                opened.agent_profile.iter().map(|profile| Row::known(profile.uuid())).collect()
            }
            Happened::Run(RunEvent::ProfileEvaluated(evaluation)) => vec![Row::known(evaluation.profile.uuid())],
            _ => vec![],
        }
    }

    fn fold(_: &str, doc: Option<ProfileRow>, event: &Recorded<'_>) -> Option<ProfileRow> {
        let mut row = match (&event.happened, doc) {
            (Happened::AgentProfile(AgentEvent::ProfileCreated(_)), _) => ProfileRow {
                id: event.id(),
                declared: AgentProfile::default(),
                record: Record::default(),
                stamp: Stamp::new(event),
            },
            (_, doc) => doc?,
        };
        match &event.happened {
            Happened::AgentProfile(happened) => {
                row.declared.evolve(happened);
                row.stamp.touch(event);
            }
            Happened::Run(RunEvent::RunOpened(_)) => row.record.total_runs += 1,
            Happened::Run(RunEvent::ProfileEvaluated(evaluation)) => {
                row.record.take_in(event.id(), evaluation, event.position, event.time());
            }
            _ => {}
        }
        Some(row)
    }

    fn cells(doc: &ProfileRow) -> Vec<Cell> {
        vec![
            Cell::maybe(doc.declared.profile.as_ref().map(|profile| &profile.name)),
            Cell::integer(doc.declared.active),
            Cell::integer(doc.record.approved()),
            Cell::integer(doc.record.counts.honey),
            // Who has no run stands behind who has one at zero.
            Cell::integer(doc.record.mean_score().map_or(-1, |mean| mean as i64)),
        ]
    }
}

/// One row per rule that a profile's runs have broken, for as long as one of them stands so.
pub struct AgentFlags;

/// A rule that a profile's runs break.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FlagRow {
    /// The profile.
    pub profile: AgentProfileId,
    /// The rule in words.
    pub label: String,
    /// What it looks at.
    pub category: CheckCategory,
    /// What it weighed last.
    pub severity: RuleSeverity,
    /// How many of its runs are flagged with it.
    pub count: u64,
}

impl FlagRow {
    /// The row's id: of the profile, and of the rule's category and words.
    fn key(profile: AgentProfileId, flag: &Flagged) -> String {
        let rule = sha256(format!("{} {}", flag.category, flag.label).as_bytes());
        format!("{}/{rule}", profile.uuid())
    }
}

impl ReadModel for AgentFlags {
    const TABLE: Table = Table {
        name: "agent_flags",
        version: 1,
        essential: false,
        columns: &[
            Column { name: "profile_id", kind: CellKind::Text },
            Column { name: "flags", kind: CellKind::Integer },
            Column { name: "label", kind: CellKind::Text },
        ],
        indexes: &[Index { columns: &["org_id", "profile_id", "flags"], unique: false }],
    };
    type Doc = FlagRow;

    fn touches(event: &Recorded<'_>) -> Vec<Row> {
        let Happened::Run(RunEvent::ProfileEvaluated(evaluation)) = &event.happened else { return vec![] };
        let before = evaluation.replaces.iter().flat_map(|replaced| &replaced.flags);
        let mut keys: Vec<_> =
            evaluation.result.flags.iter().chain(before).map(|flag| FlagRow::key(evaluation.profile, flag)).collect();
        keys.sort_unstable();
        keys.dedup();
        keys.into_iter().map(Row::known).collect()
    }

    fn fold(id: &str, doc: Option<FlagRow>, event: &Recorded<'_>) -> Option<FlagRow> {
        let Happened::Run(RunEvent::ProfileEvaluated(evaluation)) = &event.happened else { return doc };
        let profile = evaluation.profile;
        let is_this = |flag: &&Flagged| FlagRow::key(profile, flag) == id;
        let before = evaluation.replaces.iter().flat_map(|replaced| &replaced.flags).any(|flag| is_this(&flag));
        let now = evaluation.result.flags.iter().find(is_this);
        let count = doc.as_ref().map_or(0, |row| row.count);
        let count = count.saturating_sub(before.into()) + u64::from(now.is_some());
        let row = match (now, doc) {
            (Some(flag), _) => {
                FlagRow { profile, label: flag.label.clone(), category: flag.category, severity: flag.severity, count }
            }
            (None, doc) => FlagRow { count, ..doc? },
        };
        (count > 0).then_some(row)
    }

    fn cells(doc: &FlagRow) -> Vec<Cell> {
        vec![Cell::text(doc.profile.uuid()), Cell::integer(doc.count as i64), Cell::text(&doc.label)]
    }
}

/// One row per incident.
pub struct RunIncidents;

/// An incident.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct IncidentRow {
    /// Its id.
    pub id: IncidentId,
    /// Where it stands, folded by its own rules.
    pub incident: Incident,
    /// When it was resolved, if it was.
    pub resolved_at: Option<Time>,
    /// When it was opened and changed.
    pub stamp: Stamp,
}

impl ReadModel for RunIncidents {
    const TABLE: Table = Table {
        name: "run_incidents",
        version: 1,
        essential: false,
        columns: &[
            Column { name: "profile_id", kind: CellKind::Text },
            Column { name: "status", kind: CellKind::Text },
            Column { name: "kind", kind: CellKind::Text },
            Column { name: "lane", kind: CellKind::Text },
            Column { name: "receipt", kind: CellKind::Text },
        ],
        indexes: &[Index { columns: &["org_id", "profile_id", "id"], unique: false }],
    };
    type Doc = IncidentRow;

    fn touches(event: &Recorded<'_>) -> Vec<Row> {
        match &event.happened {
            Happened::Incident(IncidentEvent::IncidentOpened(_)) => vec![Row::new(event.local_id())],
            Happened::Incident(_) => vec![Row::known(event.local_id())],
            _ => vec![],
        }
    }

    fn fold(_: &str, doc: Option<IncidentRow>, event: &Recorded<'_>) -> Option<IncidentRow> {
        let Happened::Incident(happened) = &event.happened else { return doc };
        let mut row = doc.unwrap_or_else(|| IncidentRow {
            id: event.id(),
            incident: Incident::default(),
            resolved_at: None,
            stamp: Stamp::new(event),
        });
        row.incident.evolve(happened);
        row.stamp.touch(event);
        if matches!(happened, IncidentEvent::IncidentResolved {}) {
            row.resolved_at = Some(event.time());
        }
        Some(row)
    }

    fn cells(doc: &IncidentRow) -> Vec<Cell> {
        let opened = doc.incident.opened.as_ref();
        vec![
            Cell::maybe(opened.and_then(|opened| opened.profile).map(|profile| profile.uuid())),
            Cell::text(doc.incident.status()),
            Cell::maybe(opened.map(|opened| opened.kind)),
            Cell::maybe(opened.and_then(|opened| opened.lane.as_ref())),
            Cell::maybe(doc.incident.receipt.as_ref().map(|receipt| receipt_stream(receipt.org_seq))),
        ]
    }
}

/// The organisation's active profiles, the newest first.
pub async fn profiles(
    db: &Db,
    org: OrgId,
    before: Option<AgentProfileId>,
    limit: i64,
) -> sqlx::Result<Vec<ProfileRow>> {
    const SQL: &str =
        "SELECT doc FROM agent_profiles WHERE org_id = $1 AND active = 1 AND id < $2 ORDER BY id DESC LIMIT $3";
    // Every id is before `g`.
    let before = before.map_or("g".to_owned(), |id| id.uuid().to_string());
    let docs: Vec<String> = on!(db, pool => {
        sqlx::query_scalar(SQL).bind(org.on_ledger()).bind(before).bind(limit).fetch_all(pool).await
    })?;
    docs.iter().map(|doc| model::read(doc)).collect()
}

/// Where a profile stands on the leaderboard: its approved lanes, its runs at honey, its mean score in hundredths (-1
/// without a run), its id.
pub type Standing = (i64, i64, i64, String);

/// The organisation's active profiles, the one with the most approved lanes first; among those alike, the one with the
/// most runs at honey; then by the mean score; then the newest.
pub async fn leaderboard(
    db: &Db,
    org: OrgId,
    after: Option<Standing>,
    limit: i64,
) -> sqlx::Result<Vec<(Standing, ProfileRow)>> {
    const SQL: &str = "SELECT approved_lanes, honey, mean_score, id, doc FROM agent_profiles \
         WHERE org_id = $1 AND active = 1 AND (approved_lanes, honey, mean_score, id) < ($2, $3, $4, $5) \
         ORDER BY approved_lanes DESC, honey DESC, mean_score DESC, id DESC LIMIT $6";
    let (lanes, honey, mean, id) = after.unwrap_or((i64::MAX, i64::MAX, i64::MAX, "g".to_owned()));
    let rows: Vec<(i64, i64, i64, String, String)> = on!(db, pool => {
        let query = sqlx::query_as(SQL).bind(org.on_ledger()).bind(lanes).bind(honey).bind(mean).bind(id).bind(limit);
        query.fetch_all(pool).await
    })?;
    let row = |(lanes, honey, mean, id, doc): (i64, i64, i64, String, String)| {
        Ok(((lanes, honey, mean, id), model::read(&doc)?))
    };
    rows.into_iter().map(row).collect()
}

/// A profile, active or not.
pub async fn profile(db: &Db, org: OrgId, id: AgentProfileId) -> sqlx::Result<Option<ProfileRow>> {
    const SQL: &str = "SELECT doc FROM agent_profiles WHERE org_id = $1 AND id = $2";
    let doc: Option<String> = on!(db, pool => {
        sqlx::query_scalar(SQL).bind(org.on_ledger()).bind(id.uuid().to_string()).fetch_optional(pool).await
    })?;
    doc.as_deref().map(model::read).transpose()
}

/// The rules that the runs of some profiles break most often, up to so many of each.
pub async fn recurring_flags(
    db: &Db,
    org: OrgId,
    profiles: &[AgentProfileId],
    most: i64,
) -> sqlx::Result<BTreeMap<AgentProfileId, Vec<FlagRow>>> {
    let sql = format!(
        "SELECT doc FROM (SELECT f.doc, f.profile_id, row_number() OVER (PARTITION BY f.profile_id \
         ORDER BY f.flags DESC, f.label, f.id) AS place FROM {} JOIN agent_flags f \
         ON f.org_id = $1 AND f.profile_id = value) ranked WHERE place <= $3 ORDER BY profile_id, place",
        db.dialect().texts("$2")
    );
    let ids: Vec<String> = profiles.iter().map(|id| id.uuid().to_string()).collect();
    let ids = serde_json::json!(ids).to_string();
    let docs: Vec<String> = on!(db, pool => {
        sqlx::query_scalar(&sql).bind(org.on_ledger()).bind(ids).bind(most).fetch_all(pool).await
    })?;
    let mut flags: BTreeMap<AgentProfileId, Vec<FlagRow>> = BTreeMap::new();
    for doc in &docs {
        let row: FlagRow = model::read(doc)?;
        flags.entry(row.profile).or_default().push(row);
    }
    Ok(flags)
}

/// How many lanes the organisation's profiles have earned.
pub async fn earned_lanes(db: &Db, org: OrgId) -> sqlx::Result<i64> {
    const SQL: &str = "SELECT CAST(coalesce(sum(approved_lanes), 0) AS bigint) FROM agent_profiles WHERE org_id = $1";
    on!(db, pool => sqlx::query_scalar(SQL).bind(org.on_ledger()).fetch_one(pool).await)
}

/// What to list of an organisation's incidents.
#[derive(Clone, Debug, Default)]
pub struct IncidentFilter {
    /// Only those about this profile.
    pub profile: Option<AgentProfileId>,
    /// Only those that stand here.
    pub status: Option<IncidentStatus>,
    /// Only those of this kind.
    pub kind: Option<IncidentKind>,
    /// Only those about the lane with this name.
    pub lane: Option<String>,
    /// Only those before this one.
    pub before: Option<IncidentId>,
}

/// An incident with what other records know of it.
#[derive(Clone, Debug)]
pub struct ListedIncident {
    /// The incident.
    pub row: IncidentRow,
    /// How its profile is called.
    pub profile_name: Option<String>,
    /// Its receipt's share token.
    pub share_token: Option<String>,
}

const INCIDENT: &str = "SELECT i.doc, p.name, m.share_token FROM run_incidents i \
     LEFT JOIN agent_profiles p ON p.org_id = i.org_id AND p.id = i.profile_id \
     LEFT JOIN minted_receipts m ON m.org_id = i.org_id AND m.id = i.receipt WHERE i.org_id = $1";

type IncidentParts = (String, Option<String>, Option<String>);

fn listed((doc, profile_name, share_token): IncidentParts) -> sqlx::Result<ListedIncident> {
    Ok(ListedIncident { row: model::read(&doc)?, profile_name, share_token })
}

/// The organisation's incidents, the newest first.
pub async fn incidents(db: &Db, org: OrgId, filter: &IncidentFilter, limit: i64) -> sqlx::Result<Vec<ListedIncident>> {
    let mut sql = String::from(INCIDENT);
    let texts = [
        ("profile_id", filter.profile.map(|profile| profile.uuid().to_string())),
        ("status", filter.status.map(|status| status.to_string())),
        ("kind", filter.kind.map(|kind| kind.to_string())),
        ("lane", filter.lane.clone()),
    ];
    for ((column, wanted), place) in texts.iter().zip(2..) {
        let is = if wanted.is_some() { format!(" AND i.{column} = ${place}") } else { format!(" AND ${place} = ''") };
        sql.push_str(&is);
    }
    sql.push_str(" AND i.id < $6 ORDER BY i.id DESC LIMIT $7");
    // Every id is before `g`.
    let before = filter.before.map_or("g".to_owned(), |id| id.uuid().to_string());
    let [profile, status, kind, lane] = texts.map(|(_, wanted)| wanted.unwrap_or_default());
    let rows: Vec<IncidentParts> = on!(db, pool => {
        let query = sqlx::query_as(&sql).bind(org.on_ledger()).bind(profile).bind(status).bind(kind).bind(lane);
        query.bind(before).bind(limit).fetch_all(pool).await
    })?;
    rows.into_iter().map(listed).collect()
}

/// An incident.
pub async fn incident(db: &Db, org: OrgId, id: IncidentId) -> sqlx::Result<Option<ListedIncident>> {
    let sql = format!("{INCIDENT} AND i.id = $2");
    let row: Option<IncidentParts> = on!(db, pool => {
        sqlx::query_as(&sql).bind(org.on_ledger()).bind(id.uuid().to_string()).fetch_optional(pool).await
    })?;
    row.map(listed).transpose()
}
