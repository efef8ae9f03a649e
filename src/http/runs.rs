//! Projects and runs: every stage is one operation.

use crate::{
    app::{
        App, Done, Refused, Terms,
        runs::{NewRun, NewText, NewWork},
    },
    http::{
        body::{Json, MIB, Raw, is_json, parse},
        caller::{
            May,
            permission::{Judge, Read, Work},
        },
        error::{Problem, Reply},
        given::Given,
        headers::IfMatch,
        page::{Cursor, Limit, PageOf},
        path::Path,
        query::Query,
        reply::{Created, Okay, Tagged, Written},
        upload,
    },
    outside::chance,
    store::aggregate_id,
};
use actix_web::{
    HttpRequest, get, patch, post,
    web::{Data, Payload},
};
use aggregates::{
    ids::{AgentProfileId, CheckId, OrgId, ProjectId, RunId},
    rulebooks::vocabulary::{ApprovalDecision, CheckStatus, EvidenceKind, Lane},
    runs::{self as domain, Agent, Run, RunEvent, RunStatus},
};
use projections::agents::views::AgentProfile;
use projections::event::Stamp;
use projections::runs::{
    self as shown, ProjectRow, RunFilter, WholeRun,
    views::{
        Approval, AuditResult, Check, ChecksList, Evidence, FlagsList, GradedCheck, OpenedRun, Ownership, Project,
        ProjectList, Run as RunView, RunFlightSheet, RunList, RunSummary, Submission, SubmissionReceived, Verdict,
    },
};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

/// The handlers of the runs surface.
pub fn runs(config: &mut ServiceConfig<'_>) {
    config
        .service(list_projects)
        .service(create_project)
        .service(list_runs)
        .service(open_run)
        .service(show_run)
        .service(attach_evidence)
        .service(upload_evidence)
        .service(submit_work)
        .service(show_submission)
        .service(audit_run)
        .service(list_checks)
        .service(list_flags)
        .service(show_verdict)
        .service(grade_check)
        .service(finalize_run)
        .service(approve_run);
}

/// Two mebibytes: how many bytes a submission may have.
const SUBMISSION_LIMIT: usize = 2 * MIB;

/// Lists the organisation's projects, by name.
#[utoipa::path(tag = "runs", operation_id = "list_projects", params(PageOf))]
#[get("/projects")]
pub(crate) async fn list_projects(caller: May<Read>, app: Data<App>, page: Query<PageOf>) -> Reply<Okay<ProjectList>> {
    let after = page.0.cursor.map(|cursor| cursor.key::<(String, String)>()).transpose()?;
    let after = after.as_ref().map(|(name, id)| (name.as_str(), id.as_str()));
    let rows = shown::projects(app.db(), caller.org, after, page.0.limit.to_fetch()).await.map_err(Refused::from)?;
    let (rows, next) = page.0.limit.cut(rows, |row| (row.name.clone(), row.id.uuid().to_string()));
    let projects = rows.iter().map(|row| Project::of(caller.org, row)).collect();
    Ok(Okay(ProjectList { projects, next_cursor: next.map(|cursor| cursor.to_string()) }))
}

/// A project to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewProject {
    /// Its name, 1 to 200 characters.
    #[schema(min_length = 1, max_length = 200, example = "my product")]
    name: String,
}

/// Creates a project.
#[utoipa::path(tag = "runs", operation_id = "create_project", request_body = NewProject)]
#[post("/projects")]
pub(crate) async fn create_project(
    caller: May<Work>,
    given: Given,
    app: Data<App>,
    body: Json<NewProject>,
) -> Reply<Written<Created<Project>>> {
    let Json(new, digest) = body;
    let done = app.create_project(&caller, &given.with(&digest), new.name).await?;
    let id: ProjectId = id_of(&done.id)?;
    let row = shown::project(app.db(), caller.org, id).await.map_err(Refused::from)?;
    let row = row.ok_or_else(|| Problem::not_found("project"))?;
    // As it was created: a repeat may come when it has runs.
    let project = Project::of(caller.org, &ProjectRow { run_count: 0, ..row });
    Ok(Written {
        position: done.position,
        replayed: done.replayed,
        reply: Created { location: "/projects".to_owned(), body: project },
    })
}

/// Which runs.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RunsOf {
    /// How many.
    #[serde(default)]
    #[param(inline, required = false)]
    limit: Limit,
    /// Where the page begins.
    #[param(inline, required = false)]
    cursor: Option<Cursor>,
    /// Only those of this project.
    #[param(required = false)]
    project_id: Option<ProjectId>,
    /// Only those that stand here.
    #[param(required = false)]
    status: Option<RunStatus>,
}

/// Lists the organisation's runs, the newest first.
#[utoipa::path(tag = "runs", operation_id = "list_runs", params(RunsOf))]
#[get("/runs")]
pub(crate) async fn list_runs(caller: May<Read>, app: Data<App>, which: Query<RunsOf>) -> Reply<Okay<RunList>> {
    let RunsOf { limit, cursor, project_id: project, status } = which.0;
    let before = cursor.map(|cursor| cursor.key::<RunId>()).transpose()?;
    let filter = RunFilter { project, status, before };
    let rows = shown::runs(app.db(), caller.org, &filter, limit.to_fetch()).await.map_err(Refused::from)?;
    let runs: Vec<_> = rows.iter().filter_map(RunSummary::of).collect();
    let (runs, next) = limit.cut(runs, |run| run.id);
    Ok(Okay(RunList { runs, next_cursor: next.map(|cursor| cursor.to_string()) }))
}

/// A run to open.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRunBody {
    /// The project.
    project_id: ProjectId,
    /// The rulebook, by id or slug.
    #[schema(nullable = false, example = "cre_memo_dscr_ltv_v1")]
    flight_sheet_id: Option<String>,
    /// The profile of the agent: an active one, to which the lane of the flight sheet is open.
    #[schema(nullable = false)]
    agent_profile_id: Option<AgentProfileId>,
    /// The lane; the flight sheet's, where there is one, and `agent` otherwise.
    #[schema(nullable = false)]
    lane: Option<Lane>,
    /// The title, 1 to 300 characters; the flight sheet's name, where there is one.
    #[schema(nullable = false, max_length = 300, example = "Q2 deal")]
    title: Option<String>,
    /// What the agent is given, by name.
    #[schema(value_type = Object, nullable = false)]
    inputs: Option<Box<RawValue>>,
}

/// Opens a run.
#[utoipa::path(tag = "runs", operation_id = "open_run", request_body = NewRunBody)]
#[post("/runs")]
pub(crate) async fn open_run(
    caller: May<Work>,
    given: Given,
    app: Data<App>,
    body: Json<NewRunBody>,
) -> Reply<Written<Created<OpenedRun>>> {
    let Json(new, digest) = body;
    let inputs = new.inputs.map_or("{}".to_owned(), |inputs| inputs.get().to_owned());
    if !inputs.starts_with('{') {
        return Err(Problem::invalid("inputs: an object of named inputs is allowed").at("inputs"));
    }
    let new = NewRun {
        project: new.project_id,
        sheet: new.flight_sheet_id,
        agent_profile: new.agent_profile_id,
        lane: new.lane,
        title: new.title,
        inputs,
    };
    let done = app.open_run(&caller, &given.with(&digest), new).await?;
    let now = crate::outside::clock::now();
    let row = shown::run(app.db(), caller.org, id_of(&done.id)?).await.map_err(Refused::from)?;
    let stamp = row.map_or(Stamp { created_at: now, updated_at: now, revision: 1 }, |row| row.stamp);
    let stamp = Stamp { updated_at: stamp.created_at, revision: done.state.sequence, ..stamp };
    let opened = opened(&app, caller.org, &done.state.state.head, stamp).await?;
    let location = format!("/runs/{}", opened.id);
    Ok(Written { position: done.position, replayed: done.replayed, reply: Created { location, body: opened } })
}

async fn opened(app: &App, org_id: OrgId, head: &domain::Head, stamp: Stamp) -> Reply<OpenedRun> {
    let opened = head.opened()?;
    let inputs = app.text(&opened.inputs).await?;
    let assignment_text = match opened.assignment_sha256 {
        Some(sha256) => Some(app.long_text(sha256).await?),
        None => None,
    };
    Ok(OpenedRun {
        id: opened.id,
        org_id,
        project_id: opened.project,
        flight_sheet_id: opened.sheet.as_ref().map(|sheet| sheet.id),
        agent_profile_id: opened.agent_profile,
        lane: opened.lane,
        title: opened.title.clone(),
        status: head.status,
        inputs: serde_json::from_str(&inputs).map_err(Problem::internal)?,
        assignment_text,
        created_at: stamp.created_at,
        updated_at: stamp.updated_at,
        revision: stamp.revision,
    })
}

async fn whole(app: &App, org: OrgId, run: RunId) -> Reply<Arc<Option<WholeRun>>> {
    let record = aggregate_id(org, &run.uuid().to_string());
    let whole =
        app.store.fresh(format!("whole {record}"), &[&record], weight, shown::whole_run(app.db(), org, run)).await;
    Ok(whole.map_err(Refused::from)?)
}

fn weight(whole: &Option<WholeRun>) -> usize {
    whole.as_ref().map_or(0, |whole| whole.bytes)
}

fn known(whole: &Option<WholeRun>) -> Reply<&WholeRun> {
    whole.as_ref().ok_or_else(|| Problem::not_found("run"))
}

async fn submission(app: &App, run: RunId, submission: &domain::Submission) -> Reply<Submission> {
    let (mut tool_logs, mut notes) = (None, None);
    if let Some(text) = &submission.tool_logs {
        tool_logs = Some(app.text(text).await?);
    }
    if let Some(text) = &submission.notes {
        notes = Some(app.text(text).await?);
    }
    Ok(Submission {
        id: submission.id,
        run_id: run,
        round: submission.round,
        agent_name: submission.agent.agent_name.clone(),
        model_name: submission.agent.model_name.clone(),
        provider: submission.agent.provider.clone(),
        output_text: app.text(&submission.output).await?,
        tool_logs,
        notes,
        sha256: submission.sha256,
        customer_provided: submission.customer_provided,
        submitted_at: submission.submitted_at,
    })
}

/// Shows a run with everything that belongs to it.
#[utoipa::path(tag = "runs", operation_id = "show_run", params(("run_id" = RunId, Path, description = "The run")))]
#[get("/runs/{run_id}")]
pub(crate) async fn show_run(caller: May<Read>, app: Data<App>, path: Path<(RunId,)>) -> Reply<Tagged<Okay<RunView>>> {
    let Path((id,)) = path;
    let whole = whole(&app, caller.org, id).await?;
    let whole = known(&whole)?;
    let head = &whole.row.head;
    let pinned = head.opened()?.sheet.as_ref();
    let flight_sheet = match pinned {
        Some(pinned) => Some(RunFlightSheet::of(pinned, &*app.sheet(pinned.content_sha256).await?)),
        None => None,
    };
    let mut evidence = Vec::with_capacity(whole.evidence.len());
    for row in &whole.evidence {
        let long = match Evidence::long_text(row) {
            Some(sha256) => Some(app.long_text(sha256).await?),
            None => None,
        };
        evidence.push(Evidence::of(&row.evidence, long));
    }
    let approval = match &head.approval {
        Some(approval) => Some(Approval::of(approval, app.person(approval.approver).await?.email)),
        None => None,
    };
    let receipt = match &head.receipt {
        Some(_) => projections::ledger::of_run(app.db(), caller.org, id).await.map_err(Refused::from)?,
        None => None,
    };
    let agent_profile = match head.opened()?.agent_profile {
        Some(profile) => Some(AgentProfile::of(caller.org, &app.profile(caller.org, profile).await?)),
        None => None,
    };
    let view = RunView {
        opened: opened(&app, caller.org, head, whole.row.stamp).await?,
        agent_name: head.agent.agent_name.clone(),
        model_name: head.agent.model_name.clone(),
        provider: head.agent.provider.clone(),
        flight_sheet,
        agent_profile,
        submission: match &head.submission {
            Some(submitted) => Some(submission(&app, id, submitted).await?),
            None => None,
        },
        evidence,
        checks: whole.checks().into_iter().map(|(id, outcome)| Check::of(id, outcome)).collect(),
        verdict: head.verdict.as_ref().map(Verdict::from),
        ownership: Ownership::of(head, approval.as_ref().map(|approval| approval.approver_email.as_str())),
        approval,
        receipt: receipt.as_ref().map(projections::ledger::Receipt::from),
    };
    Ok(Tagged { revision: whole.row.stamp.revision.unsigned_abs(), reply: Okay(view) })
}

/// Evidence to attach.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewEvidence {
    /// What it is; a note unless said.
    #[serde(default = "note")]
    #[schema(nullable = false)]
    kind: EvidenceKind,
    /// What it is called, 1 to 300 characters.
    #[schema(min_length = 1, max_length = 300, example = "deal terms")]
    label: String,
    /// Its text.
    #[schema(nullable = false, example = "Loan 8.625M at 7.25 %")]
    content: Option<String>,
    /// Whether it is a customer's data, never to be trained on; true unless said.
    #[serde(default = "yes")]
    #[schema(nullable = false, default = true)]
    customer_provided: bool,
}

const fn note() -> EvidenceKind {
    EvidenceKind::Note
}

const fn yes() -> bool {
    true
}

/// Attaches a text as evidence. What was audited before is void.
#[utoipa::path(tag = "runs", operation_id = "attach_evidence", params(("run_id" = RunId, Path, description = "The run")), request_body = NewEvidence)]
#[post("/runs/{run_id}/evidence")]
pub(crate) async fn attach_evidence(
    caller: May<Work>,
    given: Given,
    app: Data<App>,
    path: Path<(RunId,)>,
    body: Json<NewEvidence>,
) -> Reply<Written<Created<Evidence>>> {
    let (Path((run,)), Json(new, digest)) = (path, body);
    if new.kind == EvidenceKind::File {
        return Err(
            Problem::invalid("kind: a file is sent to …/evidence/upload; every other kind is allowed here").at("kind")
        );
    }
    let NewEvidence { kind, label, content, customer_provided } = new;
    let new = NewText { kind, label, content, customer_provided };
    let done = app.attach_text(&caller, &given.with(&digest), run, new).await?;
    attached(&app, run, done).await
}

/// Attaches a file as evidence, at most 25 MiB. What was audited before is void.
#[utoipa::path(tag = "runs", operation_id = "upload_evidence", params(("run_id" = RunId, Path, description = "The run")), request_body(content = upload::UploadForm, content_type = "multipart/form-data"))]
#[post("/runs/{run_id}/evidence/upload")]
pub(crate) async fn upload_evidence(
    caller: May<Work>,
    given: Given,
    app: Data<App>,
    path: Path<(RunId,)>,
    request: HttpRequest,
    payload: Payload,
) -> Reply<Written<Created<Evidence>>> {
    let Path((run,)) = path;
    app.may_attach(&caller, &given.clone().bare(), run).await?;
    app.count_upload(&caller).await?;
    let id = chance::id();
    let upload = upload::receive(&app, &caller, run, id, &request, payload).await?;
    let digest =
        blake3::hash(format!("{} {} {}", upload.label, upload.file.sha256, upload.customer_provided).as_bytes());
    let done = app.attach_file(&caller, &given.with(&digest), run, id, upload).await?;
    attached(&app, run, done).await
}

async fn attached(app: &App, run: RunId, done: Done<Run>) -> Reply<Written<Created<Evidence>>> {
    let evidence = done.events.iter().find_map(|event| match event {
        RunEvent::EvidenceAttached(evidence) => Some(evidence),
        _ => None,
    });
    let evidence = evidence.ok_or_else(|| Problem::internal("attaching evidence recorded none"))?;
    let long = match &evidence.content {
        Some(text) if text.inline.is_none() => Some(app.text(text).await?),
        _ => None,
    };
    let body = Evidence::of(evidence, long);
    Ok(Written {
        position: done.position,
        replayed: done.replayed,
        reply: Created { location: format!("/runs/{run}#{}", body.id), body },
    })
}

/// Work to hand in, in an envelope.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubmissionIn {
    /// The agent's output.
    output_text: String,
    /// The agent; what the run declared before, unless said.
    #[schema(nullable = false)]
    agent_name: Option<String>,
    /// Its model.
    #[schema(nullable = false)]
    model_name: Option<String>,
    /// Who serves the model.
    #[schema(nullable = false)]
    provider: Option<String>,
    /// What the agent's tools logged.
    #[schema(nullable = false)]
    tool_logs: Option<String>,
    /// Remarks.
    #[schema(nullable = false)]
    notes: Option<String>,
    /// Whether it is a customer's data, never to be trained on; true unless said.
    #[serde(default = "yes")]
    #[schema(nullable = false, default = true)]
    customer_provided: bool,
}

/// Hands work in: the agent's JSON itself, an envelope around its text (an object with `output_text`), or any text as
/// `text/plain`. What was audited before is void.
#[utoipa::path(tag = "runs", operation_id = "submit_work", params(("run_id" = RunId, Path, description = "The run")), request_body(content((Object = "application/json"), (String = "text/plain"))))]
#[post("/runs/{run_id}/submission")]
pub(crate) async fn submit_work(
    caller: May<Work>,
    given: Given,
    app: Data<App>,
    path: Path<(RunId,)>,
    body: Raw<SUBMISSION_LIMIT>,
) -> Reply<Written<Created<SubmissionReceived>>> {
    let Path((run,)) = path;
    let terms = given.with(&body.digest());
    let done = app.submit(&caller, &terms, run, work(&body)?).await?;
    let received = done.events.iter().find_map(|event| match event {
        RunEvent::WorkSubmitted(submission) => Some(SubmissionReceived::of(submission)),
        _ => None,
    });
    let body = received.ok_or_else(|| Problem::internal("handing work in recorded none"))?;
    Ok(Written {
        position: done.position,
        replayed: done.replayed,
        reply: Created { location: format!("/runs/{run}/submission"), body },
    })
}

/// The work in a body, by its media type.
pub(super) fn work(body: &Raw<SUBMISSION_LIMIT>) -> Reply<NewWork> {
    let text = || {
        let text = std::str::from_utf8(&body.bytes);
        text.map(str::to_owned).map_err(|_| Problem::bad_request("the body is not UTF-8, which is all that is allowed"))
    };
    let bare = |output: String| NewWork {
        output,
        agent: Agent::default(),
        tool_logs: None,
        notes: None,
        customer_provided: true,
    };
    if body.media_type == "text/plain" {
        let output = text()?;
        return if output.contains('\0') {
            Err(Problem::invalid("the submission holds the character U+0000; every other character is allowed"))
        } else {
            Ok(bare(output))
        };
    }
    if !is_json(&body.media_type) {
        return Err(Problem::unsupported_media_type("application/json or text/plain"));
    }
    if body.bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(Problem::bad_request("the submission is empty; send the agent's output"));
    }
    let value: serde_json::Value = parse(&body.bytes)?;
    if !value.get("output_text").is_some_and(serde_json::Value::is_string) {
        return Ok(bare(text()?));
    }
    let envelope: SubmissionIn = parse(&body.bytes)?;
    let SubmissionIn { output_text, agent_name, model_name, provider, tool_logs, notes, customer_provided } = envelope;
    for (field, value, limit) in
        [("agent_name", &agent_name, 120), ("model_name", &model_name, 120), ("provider", &provider, 80)]
    {
        if value.as_ref().is_some_and(|value| value.chars().count() > limit) {
            return Err(Problem::invalid(format!("{field}: at most {limit} characters are allowed")).at(field));
        }
    }
    let agent = Agent { agent_name, model_name, provider };
    Ok(NewWork { output: output_text, agent, tool_logs, notes, customer_provided })
}

/// Shows the submission that counts.
#[utoipa::path(tag = "runs", operation_id = "show_submission", params(("run_id" = RunId, Path, description = "The run")))]
#[get("/runs/{run_id}/submission")]
pub(crate) async fn show_submission(
    caller: May<Read>,
    app: Data<App>,
    path: Path<(RunId,)>,
) -> Reply<Okay<Submission>> {
    let Path((id,)) = path;
    let row = shown::run(app.db(), caller.org, id).await.map_err(Refused::from)?;
    let row = row.ok_or_else(|| Problem::not_found("run"))?;
    let submitted = row.head.submission.as_ref().ok_or_else(|| Problem::not_found("submission yet"))?;
    Ok(Okay(submission(&app, id, submitted).await?))
}

/// Applies the run's rulebook to the submission that counts.
#[utoipa::path(tag = "runs", operation_id = "audit_run", params(("run_id" = RunId, Path, description = "The run")))]
#[post("/runs/{run_id}/audit")]
pub(crate) async fn audit_run(
    caller: May<Work>,
    given: Given,
    app: Data<App>,
    path: Path<(RunId,)>,
) -> Reply<Written<Okay<AuditResult>>> {
    let Path((run,)) = path;
    let done = app.audit(&caller, &given.bare(), run).await?;
    let state = &done.state.state;
    let result = AuditResult {
        checks: state.checks().map(|(id, outcome)| Check::of(id, outcome)).collect(),
        needs_grading: state.checks.iter().any(|check| check.status == CheckStatus::Open),
        deterministic: state.head.audit.as_ref().is_some_and(|audit| audit.deterministic),
        verdict: state.head.verdict.as_ref().map(Verdict::from),
    };
    Ok(Written { position: done.position, replayed: done.replayed, reply: Okay(result) })
}

/// Lists the checks of the audit that stands.
#[utoipa::path(tag = "runs", operation_id = "list_checks", params(("run_id" = RunId, Path, description = "The run")))]
#[get("/runs/{run_id}/checks")]
pub(crate) async fn list_checks(caller: May<Read>, app: Data<App>, path: Path<(RunId,)>) -> Reply<Okay<ChecksList>> {
    let whole = whole(&app, caller.org, path.0.0).await?;
    let whole = known(&whole)?;
    Ok(Okay(ChecksList { checks: whole.checks().into_iter().map(|(id, outcome)| Check::of(id, outcome)).collect() }))
}

/// Lists the flags of the audit that stands, the weightiest first: what to repair.
#[utoipa::path(tag = "runs", operation_id = "list_flags", params(("run_id" = RunId, Path, description = "The run")))]
#[get("/runs/{run_id}/flags")]
pub(crate) async fn list_flags(caller: May<Read>, app: Data<App>, path: Path<(RunId,)>) -> Reply<Okay<FlagsList>> {
    let whole = whole(&app, caller.org, path.0.0).await?;
    let whole = known(&whole)?;
    Ok(Okay(FlagsList::of(&whole.checks())))
}

/// Shows the verdict that stands.
#[utoipa::path(tag = "runs", operation_id = "show_verdict", params(("run_id" = RunId, Path, description = "The run")))]
#[get("/runs/{run_id}/verdict")]
pub(crate) async fn show_verdict(caller: May<Read>, app: Data<App>, path: Path<(RunId,)>) -> Reply<Okay<Verdict>> {
    let row = shown::run(app.db(), caller.org, path.0.0).await.map_err(Refused::from)?;
    let row = row.ok_or_else(|| Problem::not_found("run"))?;
    let verdict = row.head.verdict.as_ref().ok_or_else(|| Problem::not_found("verdict yet"))?;
    Ok(Okay(Verdict::from(verdict)))
}

/// A grade.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Grade {
    /// Whether the rule is met.
    status: GradeStatus,
    /// Why, at most 4,000 characters.
    #[schema(nullable = false, max_length = 4000)]
    detail: Option<String>,
}

/// Met, or broken.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GradeStatus {
    /// Met.
    Pass,
    /// Broken.
    Flag,
}

/// Grades a check that a person must grade.
#[utoipa::path(tag = "runs", operation_id = "grade_check", params(("run_id" = RunId, Path, description = "The run"), ("check_id" = CheckId, Path, description = "The check")), request_body = Grade)]
#[patch("/runs/{run_id}/checks/{check_id}")]
pub(crate) async fn grade_check(
    caller: May<Judge>,
    if_match: IfMatch,
    app: Data<App>,
    path: Path<(RunId, CheckId)>,
    body: Json<Grade>,
) -> Reply<Written<Okay<GradedCheck>>> {
    let (Path((run, check)), Json(grade, _)) = (path, body);
    if grade.detail.as_ref().is_some_and(|detail| detail.chars().count() > 4_000) {
        return Err(Problem::invalid("detail: at most 4,000 characters are allowed").at("detail"));
    }
    let met = matches!(grade.status, GradeStatus::Pass);
    let terms = Terms { once: None, revision: if_match.0.map(|revision| revision as i64) };
    let done = app.grade(&caller, &terms, run, check, met, grade.detail).await?;
    let graded = done.state.state.checks().find(|(id, _)| *id == check).map(|(id, outcome)| GradedCheck {
        ok: true,
        id,
        check_key: outcome.key.clone(),
        status: outcome.status,
        severity: outcome.severity,
    });
    let graded = graded.ok_or_else(|| Problem::not_found("check"))?;
    Ok(Written { position: done.position, replayed: done.replayed, reply: Okay(graded) })
}

/// Lets the verdict follow from the checks once none is open.
#[utoipa::path(tag = "runs", operation_id = "finalize_run", params(("run_id" = RunId, Path, description = "The run")))]
#[post("/runs/{run_id}/findings")]
pub(crate) async fn finalize_run(
    caller: May<Work>,
    given: Given,
    app: Data<App>,
    path: Path<(RunId,)>,
) -> Reply<Written<Okay<Verdict>>> {
    let Path((run,)) = path;
    let done = app.finalize(&caller, &given.bare(), run).await?;
    let verdict = done.state.state.head.verdict.as_ref().map(Verdict::from);
    let verdict = verdict.ok_or_else(|| Problem::internal("finalizing gave no verdict"))?;
    Ok(Written { position: done.position, replayed: done.replayed, reply: Okay(verdict) })
}

/// A decision.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// What is decided.
    decision: ApprovalDecision,
    /// Why, at most 4,000 characters; a propolis verdict is approved only with one.
    #[schema(nullable = false, max_length = 4000, example = "ship it")]
    note: Option<String>,
}

/// Approves, rejects or escalates. Whoever submitted the work decides on it only where the organisation allows that.
#[utoipa::path(tag = "runs", operation_id = "approve_run", params(("run_id" = RunId, Path, description = "The run")), request_body = Decision)]
#[post("/runs/{run_id}/approve")]
pub(crate) async fn approve_run(
    caller: May<Judge>,
    given: Given,
    app: Data<App>,
    path: Path<(RunId,)>,
    body: Json<Decision>,
) -> Reply<Written<Okay<Approval>>> {
    let (Path((run,)), Json(new, digest)) = (path, body);
    if new.note.as_ref().is_some_and(|note| note.chars().count() > 4_000) {
        return Err(Problem::invalid("note: at most 4,000 characters are allowed").at("note"));
    }
    let done = app.decide(&caller, &given.with(&digest), run, new.decision, new.note).await?;
    let approval = done.state.state.head.approval.as_ref();
    let approval = approval.ok_or_else(|| Problem::internal("deciding recorded no decision"))?;
    let view = Approval::of(approval, app.person(approval.approver).await?.email);
    Ok(Written { position: done.position, replayed: done.replayed, reply: Okay(view) })
}

fn id_of<K: aggregates::ids::Kind>(id: &str) -> Reply<aggregates::ids::Id<K>> {
    id.parse().map_err(|_| Problem::internal("a stream has no id"))
}
