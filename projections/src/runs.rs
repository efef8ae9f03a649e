//! What is shown of projects and runs.

pub mod views;

use crate::{
    Db, Happened, Recorded,
    event::Stamp,
    model::{self, Cell, CellKind, Column, Index, Model, ReadModel, Row, Table},
    on,
};
use aggregates::{
    ids::{OrgId, ProjectId, RunId, UserId},
    runs::{self, Head, RunEvent, audit::Outcome, project::ProjectEvent},
};
use serde::{Deserialize, Serialize};

/// The models of this context.
pub fn models() -> Vec<Model> {
    vec![Model::of::<Projects>(), Model::of::<Runs>(), Model::of::<RunEvidence>(), Model::of::<RunChecks>()]
}

/// One row per project.
pub struct Projects;

/// A project.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ProjectRow {
    /// Its id.
    pub id: ProjectId,
    /// Its name.
    pub name: String,
    /// Its readable name.
    pub slug: String,
    /// Who made it.
    pub created_by: Option<UserId>,
    /// How many runs it has.
    pub run_count: u64,
    /// When it was made and changed.
    pub stamp: Stamp,
}

impl ReadModel for Projects {
    const TABLE: Table = Table {
        name: "projects",
        version: 1,
        essential: false,
        columns: &[Column { name: "name", kind: CellKind::Text }],
        indexes: &[],
    };
    type Doc = ProjectRow;

    fn touches(event: &Recorded<'_>) -> Vec<Row> {
        match &event.happened {
            Happened::Project(_) => vec![Row::new(event.local_id())],
            Happened::Run(RunEvent::RunOpened(opened)) => vec![Row::known(opened.project.uuid())],
            _ => vec![],
        }
    }

    fn fold(_: &str, doc: Option<ProjectRow>, event: &Recorded<'_>) -> Option<ProjectRow> {
        match &event.happened {
            Happened::Project(ProjectEvent::ProjectCreated { name, slug, created_by }) => Some(ProjectRow {
                id: event.id(),
                name: name.clone(),
                slug: slug.clone(),
                created_by: *created_by,
                run_count: 0,
                stamp: Stamp::new(event),
            }),
            Happened::Run(RunEvent::RunOpened(_)) => doc.map(|row| ProjectRow { run_count: row.run_count + 1, ..row }),
            _ => doc,
        }
    }

    fn cells(doc: &ProjectRow) -> Vec<Cell> {
        vec![Cell::text(&doc.name)]
    }
}

/// One row per run: where it stands, without its lists.
pub struct Runs;

/// A run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunRow {
    /// Where it stands, folded by the run's own rules.
    pub head: Head,
    /// Who opened it.
    pub created_by: String,
    /// When it was made and changed.
    pub stamp: Stamp,
}

impl ReadModel for Runs {
    const TABLE: Table = Table {
        name: "runs",
        version: 1,
        essential: false,
        columns: &[
            Column { name: "project_id", kind: CellKind::Text },
            Column { name: "status", kind: CellKind::Text },
        ],
        indexes: &[Index { columns: &["org_id", "project_id", "id"], unique: false }],
    };
    type Doc = RunRow;

    fn touches(event: &Recorded<'_>) -> Vec<Row> {
        match &event.happened {
            Happened::Run(RunEvent::RunOpened(_)) => vec![Row::new(event.local_id())],
            Happened::Run(_) => vec![Row::known(event.local_id())],
            _ => vec![],
        }
    }

    fn fold(_: &str, doc: Option<RunRow>, event: &Recorded<'_>) -> Option<RunRow> {
        let Happened::Run(happened) = &event.happened else { return doc };
        let mut row = doc.unwrap_or_else(|| RunRow {
            head: Head::default(),
            created_by: event.actor.to_owned(),
            stamp: Stamp::new(event),
        });
        row.head.evolve(happened);
        row.stamp.touch(event);
        Some(row)
    }

    fn cells(doc: &RunRow) -> Vec<Cell> {
        let project = doc.head.opened.as_ref().map(|opened| opened.project.uuid());
        vec![Cell::maybe(project), Cell::text(doc.head.status.as_str())]
    }
}

/// One row per piece of evidence of a run.
pub struct RunEvidence;

/// A piece of evidence.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EvidenceRow {
    /// The run.
    pub run: RunId,
    /// The evidence, with its text unless that is long.
    pub evidence: runs::Evidence,
}

impl ReadModel for RunEvidence {
    const TABLE: Table = Table {
        name: "run_evidence",
        version: 1,
        essential: false,
        columns: &[Column { name: "run_id", kind: CellKind::Text }],
        indexes: &[Index { columns: &["org_id", "run_id", "position"], unique: false }],
    };
    type Doc = EvidenceRow;

    fn touches(event: &Recorded<'_>) -> Vec<Row> {
        match &event.happened {
            Happened::Run(RunEvent::EvidenceAttached(evidence)) => vec![Row::new(evidence.id.uuid())],
            _ => vec![],
        }
    }

    fn fold(_: &str, doc: Option<EvidenceRow>, event: &Recorded<'_>) -> Option<EvidenceRow> {
        match &event.happened {
            Happened::Run(RunEvent::EvidenceAttached(evidence)) => {
                Some(EvidenceRow { run: event.id(), evidence: evidence.clone() })
            }
            _ => doc,
        }
    }

    fn cells(doc: &EvidenceRow) -> Vec<Cell> {
        vec![Cell::text(doc.run.uuid())]
    }
}

/// One row per check of a run. Rows of audits that no longer stand stay, and are told by the audit's number.
pub struct RunChecks;

/// A check.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CheckRow {
    /// The run.
    pub run: RunId,
    /// The audit that it belongs to.
    pub audit: u32,
    /// Its place in the author's order, from 0.
    pub ordinal: u32,
    /// What came of it.
    pub outcome: Outcome,
    /// When it was made and graded.
    pub stamp: Stamp,
}

impl CheckRow {
    /// The row's id: of the run and the place, so that grading, which names only the place, finds it, and that a run's
    /// checks are all between `<run>/` and `<run>0`, the character after the slash.
    fn key(run: RunId, ordinal: u32) -> String {
        format!("{}/{ordinal:05}", run.uuid())
    }
}

impl ReadModel for RunChecks {
    const TABLE: Table = Table {
        name: "run_checks",
        version: 2,
        essential: false,
        // The key itself finds a run's checks, and in their order.
        columns: &[],
        indexes: &[],
    };
    type Doc = CheckRow;

    fn touches(event: &Recorded<'_>) -> Vec<Row> {
        match &event.happened {
            Happened::Run(RunEvent::RulebookApplied(audit)) => {
                (0..audit.checks.len() as u32).map(|ordinal| Row::new(CheckRow::key(event.id(), ordinal))).collect()
            }
            Happened::Run(RunEvent::CheckGraded { ordinal, .. }) => {
                vec![Row::known(CheckRow::key(event.id(), *ordinal))]
            }
            _ => vec![],
        }
    }

    fn fold(id: &str, doc: Option<CheckRow>, event: &Recorded<'_>) -> Option<CheckRow> {
        match (&event.happened, doc) {
            (Happened::Run(RunEvent::RulebookApplied(audit)), _) => {
                let ordinal: u32 = id.rsplit('/').next()?.parse().ok()?;
                Some(CheckRow {
                    run: event.id(),
                    audit: audit.applied.number,
                    ordinal,
                    outcome: audit.checks.get(ordinal as usize)?.clone(),
                    stamp: Stamp::new(event),
                })
            }
            (Happened::Run(RunEvent::CheckGraded { status, detail, .. }), Some(mut row)) => {
                row.outcome.graded(*status, detail.clone());
                row.stamp.touch(event);
                Some(row)
            }
            (_, doc) => doc,
        }
    }

    fn cells(_: &CheckRow) -> Vec<Cell> {
        vec![]
    }
}

/// The organisation's projects, by name. `after` is the name and id of the last one of the page before.
pub async fn projects(db: &Db, org: OrgId, after: Option<(&str, &str)>, limit: i64) -> sqlx::Result<Vec<ProjectRow>> {
    const SQL: &str = "SELECT doc FROM projects WHERE org_id = $1 AND (name, id) > ($2, $3) ORDER BY name, id LIMIT $4";
    let (name, id) = after.unwrap_or_default();
    let docs: Vec<String> = on!(db, pool => {
        sqlx::query_scalar(SQL).bind(org.on_ledger()).bind(name).bind(id).bind(limit).fetch_all(pool).await
    })?;
    docs.iter().map(|doc| model::read(doc)).collect()
}

/// A project.
pub async fn project(db: &Db, org: OrgId, id: ProjectId) -> sqlx::Result<Option<ProjectRow>> {
    const SQL: &str = "SELECT doc FROM projects WHERE org_id = $1 AND id = $2";
    let doc: Option<String> = on!(db, pool => {
        sqlx::query_scalar(SQL).bind(org.on_ledger()).bind(id.uuid().to_string()).fetch_optional(pool).await
    })?;
    doc.as_deref().map(model::read).transpose()
}

/// What to list of an organisation's runs.
#[derive(Clone, Debug, Default)]
pub struct RunFilter {
    /// Only the runs of this project.
    pub project: Option<ProjectId>,
    /// Only the runs that stand here.
    pub status: Option<runs::RunStatus>,
    /// Only the runs before this one.
    pub before: Option<RunId>,
}

/// The organisation's runs, the newest first.
pub async fn runs(db: &Db, org: OrgId, filter: &RunFilter, limit: i64) -> sqlx::Result<Vec<RunRow>> {
    let mut sql = String::from("SELECT doc FROM runs WHERE org_id = $1");
    if filter.project.is_some() {
        sql.push_str(" AND project_id = $2");
    } else {
        sql.push_str(" AND $2 = ''");
    }
    if filter.status.is_some() {
        sql.push_str(" AND status = $3");
    } else {
        sql.push_str(" AND $3 = ''");
    }
    sql.push_str(" AND id < $4 ORDER BY id DESC LIMIT $5");
    let project = filter.project.map(|id| id.uuid().to_string()).unwrap_or_default();
    let status = filter.status.map(runs::RunStatus::as_str).unwrap_or_default();
    // Every id is before `g`.
    let before = filter.before.map_or("g".to_owned(), |id| id.uuid().to_string());
    let docs: Vec<String> = on!(db, pool => {
        sqlx::query_scalar(&sql)
            .bind(org.on_ledger())
            .bind(project)
            .bind(status)
            .bind(before)
            .bind(limit)
            .fetch_all(pool)
            .await
    })?;
    docs.iter().map(|doc| model::read(doc)).collect()
}

/// A run, where it stands.
pub async fn run(db: &Db, org: OrgId, id: RunId) -> sqlx::Result<Option<RunRow>> {
    const SQL: &str = "SELECT doc FROM runs WHERE org_id = $1 AND id = $2";
    let doc: Option<String> = on!(db, pool => {
        sqlx::query_scalar(SQL).bind(org.on_ledger()).bind(id.uuid().to_string()).fetch_optional(pool).await
    })?;
    doc.as_deref().map(model::read).transpose()
}

/// A run with its lists, as they stood together at one moment.
#[derive(Clone, Debug)]
pub struct WholeRun {
    /// Where it stands.
    pub row: RunRow,
    /// Its evidence, in the order in which it was attached.
    pub evidence: Vec<EvidenceRow>,
    /// The checks of the audit that stands, in the author's order.
    pub checks: Vec<CheckRow>,
    /// How many bytes the documents have that it was read from.
    pub bytes: usize,
}

/// A run with its lists, read by one statement so that they belong together.
pub async fn whole_run(db: &Db, org: OrgId, id: RunId) -> sqlx::Result<Option<WholeRun>> {
    const SQL: &str = "SELECT 0 AS part, 0 AS place, doc FROM runs WHERE org_id = $1 AND id = $2 \
         UNION ALL SELECT 1, position, doc FROM run_evidence WHERE org_id = $1 AND run_id = $2 \
         UNION ALL SELECT 2, CAST(substr(id, 38) AS bigint), doc FROM run_checks \
             WHERE org_id = $1 AND id > $2 || '/' AND id < $2 || '0' \
         ORDER BY 1, 2";
    let rows: Vec<(i32, i64, String)> = on!(db, pool => {
        sqlx::query_as(SQL).bind(org.on_ledger()).bind(id.uuid().to_string()).fetch_all(pool).await
    })?;
    let mut whole: Option<WholeRun> = None;
    for (part, _, doc) in rows {
        match (part, whole.as_mut()) {
            (0, _) => {
                whole = Some(WholeRun { row: model::read(&doc)?, evidence: vec![], checks: vec![], bytes: doc.len() })
            }
            (1, Some(whole)) => {
                whole.bytes += doc.len();
                whole.evidence.push(model::read(&doc)?);
            }
            (_, Some(whole)) => {
                whole.bytes += doc.len();
                whole.checks.push(model::read(&doc)?);
            }
            (_, None) => {}
        }
    }
    if let Some(whole) = &mut whole {
        let standing = whole.row.head.audit.as_ref().map(|audit| audit.number);
        whole.checks.retain(|check| Some(check.audit) == standing);
    }
    Ok(whole)
}
