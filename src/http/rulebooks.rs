//! Flight sheets: the built-in library and the organisation's own.

use crate::{
    app::{App, Done, Refused, rulebooks::Trial},
    http::{
        body::{MIB, Raw, is_json, parse, parts},
        caller::{
            May,
            permission::{Read, Work},
        },
        error::{Problem, Reply},
        given::Given,
        path::Path,
        query::Query,
        reply::{Created, Okay, Tagged, Written},
        runs::work,
    },
};
use actix_web::{
    get, post,
    web::{Bytes, Data},
};
use aggregates::{
    ids::SheetId,
    rulebooks::{
        flight_sheet::{self as domain, Published},
        sheet::{self, Rule, Sheet, SheetError},
        vocabulary::{
            Bucket, CapabilityTier, CheckCategory, CheckKind, CheckSource, CheckStatus, Lane, RuleSeverity, TierLevel,
        },
    },
    runs::audit::Outcome,
    time::Time,
};
use projections::{
    rulebooks::{FlightSheetRow, VersionRow},
    runs::views::Verdict,
};
use proof::digest::Sha256Hex;
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

/// The handlers of the runs surface.
pub fn runs(config: &mut ServiceConfig<'_>) {
    config.service(list).service(show).service(publish).service(validate).service(retire);
}

/// How many bytes a sheet to try may have together with the work to try it on.
const TRIAL_LIMIT: usize = 4 * MIB;

/// Where a flight sheet comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SheetOrigin {
    /// The built-in library, which is the same for everybody.
    Library,
    /// The organisation itself; nobody else sees it.
    Organisation,
}

impl SheetOrigin {
    const fn of(row: &FlightSheetRow) -> Self {
        if row.own { Self::Organisation } else { Self::Library }
    }
}

/// A version of a flight sheet.
#[derive(Serialize, ToSchema)]
#[schema(as = FlightSheetVersion)]
pub struct Version {
    /// Its declared version.
    version: String,
    /// SHA-256 of its exact bytes, 64 hexadecimal digits.
    #[schema(value_type = String)]
    content_sha256: Sha256Hex,
    /// When this content was published under it.
    published_at: Time,
}

impl From<&VersionRow> for Version {
    fn from(row: &VersionRow) -> Self {
        Self {
            version: row.published.version.clone(),
            content_sha256: row.published.content_sha256,
            published_at: row.published_at,
        }
    }
}

/// A flight sheet: what an agent's work is checked against.
#[derive(Serialize, ToSchema)]
pub struct FlightSheet {
    /// Its id.
    id: SheetId,
    /// Its readable name.
    slug: String,
    /// Its title.
    name: String,
    /// Its declared version.
    version: String,
    /// Its lane.
    lane: Lane,
    /// What it is for, in a sentence or two.
    summary: String,
    /// What it is for, at length.
    purpose: String,
    /// What the agent is asked to do.
    assignment_instructions: String,
    /// What the agent is given.
    required_inputs: Vec<String>,
    /// What the work must hold.
    expected_outputs: Vec<String>,
    /// The rules.
    audit_checks: Vec<Rule>,
    /// The JSON Schema that the work must satisfy.
    required_output_schema: Option<Value>,
    /// How capable a model must be declared to be.
    min_capability_tier: Option<CapabilityTier>,
    /// At or above this score the verdict's threshold band is `above`.
    pass_threshold: u8,
    /// Below this score it is `below`.
    fail_threshold: u8,
    /// Where it comes from.
    origin: SheetOrigin,
    /// Whether runs may be opened with it: that it is not retired, and this is the version published last.
    active: bool,
    /// SHA-256 of its exact bytes, 64 hexadecimal digits.
    #[schema(value_type = String)]
    content_sha256: Sha256Hex,
    /// Its versions, the last published first.
    versions: Vec<Version>,
    /// When it was first published.
    created_at: Time,
    /// When it was last published, first used by a run, or retired.
    updated_at: Time,
    /// How often that happened, from 1.
    revision: i64,
}

impl FlightSheet {
    /// The sheet with the content of one of its versions.
    fn of<'v>(row: &FlightSheetRow, sheet: &Sheet, versions: impl IntoIterator<Item = &'v VersionRow>) -> Self {
        Self {
            id: row.id,
            slug: sheet.slug.clone(),
            name: sheet.name.clone(),
            version: sheet.version.clone(),
            lane: sheet.lane,
            summary: sheet.summary.clone(),
            purpose: sheet.purpose.clone(),
            assignment_instructions: sheet.assignment_instructions.clone(),
            required_inputs: sheet.required_inputs.clone(),
            expected_outputs: sheet.expected_outputs.clone(),
            audit_checks: sheet.audit_checks.clone(),
            required_output_schema: sheet.required_output_schema.clone(),
            min_capability_tier: sheet.min_capability_tier,
            pass_threshold: sheet.pass_threshold,
            fail_threshold: sheet.fail_threshold,
            origin: SheetOrigin::of(row),
            active: row.active && sheet.content_sha256() == row.published.content_sha256,
            content_sha256: sheet.content_sha256(),
            versions: versions.into_iter().map(Version::from).collect(),
            created_at: row.stamp.created_at,
            updated_at: row.stamp.updated_at,
            revision: row.stamp.revision,
        }
    }
}

/// The sheets in use, by name; always whole.
#[derive(Serialize, ToSchema)]
pub struct FlightSheetList {
    /// The sheets.
    flight_sheets: Vec<FlightSheet>,
}

/// Which sheets.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// Only those of this lane.
    #[param(required = false)]
    lane: Option<Lane>,
}

/// Lists the flight sheets in use: those of the built-in library and the organisation's own.
#[utoipa::path(tag = "rulebooks", operation_id = "list_flight_sheets", params(Which))]
#[get("/flight-sheets")]
pub(crate) async fn list(caller: May<Read>, app: Data<App>, which: Query<Which>) -> Reply<Okay<FlightSheetList>> {
    let rows = projections::rulebooks::list(app.db(), caller.org).await.map_err(Refused::from)?;
    let all = projections::rulebooks::versions(app.db(), caller.org, None).await.map_err(Refused::from)?;
    let mut flight_sheets = Vec::with_capacity(rows.len());
    for row in rows.iter().filter(|row| which.0.lane.is_none_or(|lane| row.published.lane == lane)) {
        let versions = all.iter().filter(|version| version.sheet == row.id);
        flight_sheets.push(FlightSheet::of(row, &*app.sheet(row.published.content_sha256).await?, versions));
    }
    Ok(Okay(FlightSheetList { flight_sheets }))
}

/// Which version.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct At {
    /// One of the sheet's `versions`; the one published last, unless given.
    #[param(required = false)]
    version: Option<String>,
}

/// Shows a flight sheet, by id or slug; a retired one too.
#[utoipa::path(tag = "rulebooks", operation_id = "show_flight_sheet", params(("sheet" = String, Path, description = "Its id or slug"), At))]
#[get("/flight-sheets/{sheet}")]
pub(crate) async fn show(
    caller: May<Read>,
    app: Data<App>,
    path: Path<(String,)>,
    at: Query<At>,
) -> Reply<Tagged<Okay<FlightSheet>>> {
    let row = projections::rulebooks::find(app.db(), caller.org, &path.0.0).await.map_err(Refused::from)?;
    let row = row.ok_or_else(|| Problem::not_found("flight sheet"))?;
    let versions = projections::rulebooks::versions(app.db(), caller.org, Some(row.id)).await.map_err(Refused::from)?;
    let content = match &at.0.version {
        None => row.published.content_sha256,
        Some(wanted) => {
            let found = versions.iter().find(|version| version.published.version == *wanted);
            found.ok_or_else(|| Problem::not_found("version of this flight sheet"))?.published.content_sha256
        }
    };
    let body = FlightSheet::of(&row, &*app.sheet(content).await?, &versions);
    Ok(Tagged { revision: row.stamp.revision.unsigned_abs(), reply: Okay(body) })
}

/// A flight sheet as a file, in the published format. Every rule is read by the referee's own loader, and one that it
/// could not execute refuses the whole sheet.
#[derive(ToSchema)]
#[schema(example = json!({
    "slug": "invoice_against_quote_v1",
    "name": "Invoice against quote",
    "version": "1.0",
    "lane": "agent",
    "summary": "Compares an invoice with the quote it follows.",
    "purpose": "No invoice that is far above its quote is paid without somebody having looked.",
    "assignment_instructions": "State whether to pay or to escalate.",
    "required_inputs": ["quoted", "invoiced"],
    "expected_outputs": ["Decision: pay or escalate"],
    "audit_checks": [{"key": "decided", "label": "It says pay or escalate", "kind": "auto", "severity": "critical"}],
    "eval_spec": {
        "rules": [{"key": "decided", "assert": {"op": "in", "left": {"field": "decision"}, "right": ["pay", "escalate"]}}]
    }
}))]
#[schema(as = FlightSheetFile)]
#[allow(dead_code, reason = "only described: the sheet itself is read from the exact bytes")]
pub struct File {
    /// Its name in addresses, unique in the organisation: lower-case letters and digits, in words joined by `_` or `-`.
    #[schema(max_length = 80)]
    slug: String,
    /// Its title.
    #[schema(max_length = 200)]
    name: String,
    /// Its version: 1 to 4 numbers joined by dots. A later version is greater, number by number.
    version: String,
    /// The lane of the runs that it judges.
    lane: Lane,
    /// What it is for, in a sentence or two.
    #[schema(max_length = 500)]
    summary: String,
    /// What it is for, at length.
    #[schema(max_length = 4000)]
    purpose: String,
    /// What the agent is asked to do.
    #[schema(max_length = 20000)]
    assignment_instructions: String,
    /// What the agent is given.
    required_inputs: Vec<String>,
    /// What the work must hold.
    expected_outputs: Vec<String>,
    /// The rules in words.
    #[schema(value_type = Vec<Object>)]
    audit_checks: Vec<Value>,
    /// At or above this score the verdict's threshold band is `above`; 80 unless given.
    #[schema(nullable = false, maximum = 100)]
    pass_threshold: Option<u8>,
    /// Below this score it is `below`; 60 unless given.
    #[schema(nullable = false, maximum = 100)]
    fail_threshold: Option<u8>,
    /// The least capability that an agent's profile should declare for this work.
    #[schema(nullable = false)]
    min_capability_tier: Option<CapabilityTier>,
    /// The rules that the referee executes.
    #[schema(value_type = Object, nullable = false)]
    eval_spec: Option<Value>,
}

/// A flight sheet of the organisation's own, as a change left it.
#[derive(Serialize, ToSchema)]
#[schema(as = PublishedFlightSheet)]
pub struct Own {
    /// Its id.
    id: SheetId,
    /// Its readable name.
    slug: String,
    /// Its title.
    name: String,
    /// The version published last.
    version: String,
    /// Its lane.
    lane: Lane,
    /// Always `organisation`.
    origin: SheetOrigin,
    /// Whether runs may be opened with it.
    active: bool,
    /// SHA-256 of the exact bytes published last, 64 hexadecimal digits.
    #[schema(value_type = String)]
    content_sha256: Sha256Hex,
    /// How often it was published, first used by a run, or retired.
    revision: i64,
}

impl Own {
    fn of(done: &Done<domain::FlightSheet>) -> Reply<Self> {
        let state = &done.state.state;
        let published = state.published.clone();
        let Published { slug, name, version, lane, content_sha256 } =
            published.ok_or_else(|| Problem::internal("a flight sheet was changed that was never published"))?;
        Ok(Self {
            id: done.id.parse().map_err(Problem::internal)?,
            slug,
            name,
            version,
            lane,
            origin: SheetOrigin::Organisation,
            active: state.active,
            content_sha256,
            revision: done.state.sequence,
        })
    }
}

/// Publishes a flight sheet of the organisation's own: the body is the sheet's file, kept byte by byte. The slug of one
/// that it has, with a greater version, publishes that version; with the same version it changes what was published
/// while no run has used it. The same again changes nothing.
#[utoipa::path(tag = "rulebooks", operation_id = "publish_flight_sheet", request_body = File)]
#[post("/flight-sheets")]
pub(crate) async fn publish(
    caller: May<Work>,
    given: Given,
    app: Data<App>,
    body: Raw,
) -> Reply<Written<Created<Own>>> {
    let terms = given.with(&body.digest());
    if !is_json(&body.media_type) {
        return Err(Problem::unsupported_media_type("application/json"));
    }
    let content = body.bytes.to_vec();
    let sheet = app.load_sheet(content.clone()).await?.map_err(refused)?;
    let done = app.publish_sheet(&caller, &terms, &sheet, content).await?;
    let body = Own::of(&done)?;
    let location = format!("/flight-sheets/{}", body.id);
    Ok(Written { position: done.position, replayed: done.replayed, reply: Created { location, body } })
}

/// A sheet that does not load, in the one shape: the first problem, and where to see the others.
fn refused(error: SheetError) -> Problem {
    let Some(first) = error.problems.first() else { return Problem::internal(error) };
    let more = match error.problems.len() - 1 {
        0 => String::new(),
        1 => "; 1 more problem is listed by POST /flight-sheets/validate".to_owned(),
        more => format!("; {more} more problems are listed by POST /flight-sheets/validate"),
    };
    let problem = Problem::invalid(format!("the flight sheet does not load: {first}{more}"));
    if first.path.is_empty() { problem } else { problem.at(first.path.clone()) }
}

/// A sheet to try, and work to try it on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = FlightSheetTrial)]
pub struct TrialIn {
    /// The sheet, as it would be published.
    #[schema(value_type = File)]
    sheet: Box<RawValue>,
    /// The work, as it would be handed in as JSON: the agent's own document, or an object with `output_text`.
    #[schema(value_type = Option<Object>)]
    submission: Option<Box<RawValue>>,
    /// What the run would declare as its inputs.
    #[schema(value_type = Option<Object>)]
    inputs: Option<Box<RawValue>>,
    /// The evidence that the run would have.
    #[schema(value_type = Option<Vec<TrialEvidence>>)]
    evidence: Option<Box<RawValue>>,
}

/// A piece of evidence to try a sheet with.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TrialEvidence {
    /// What it is called.
    label: String,
    /// Its text.
    #[schema(nullable = false)]
    content: Option<String>,
}

/// How a rule came out on trial.
#[derive(Serialize, ToSchema)]
pub struct TriedCheck {
    /// Which rule.
    key: String,
    /// The same as `key`.
    check_key: String,
    /// The rule in words.
    label: String,
    /// What it looks at.
    category: CheckCategory,
    /// Who applies it.
    kind: CheckKind,
    /// Who applied it.
    source: CheckSource,
    /// Where it stands.
    status: CheckStatus,
    /// The severity that the rule declares.
    severity: RuleSeverity,
    /// The tier of that severity.
    tier: TierLevel,
    /// Whether a flag says that the work is wrong, or that the work is right and the rule says no; null but for a flag.
    bucket: Option<Bucket>,
    /// What was found, in words.
    detail: Option<String>,
    /// What the rule expects; of a flag.
    expected: Option<String>,
    /// What the work says instead; of a flag.
    found: Option<String>,
    /// What would satisfy the rule; of a flag.
    remedy: Option<String>,
}

impl From<Outcome> for TriedCheck {
    fn from(outcome: Outcome) -> Self {
        Self {
            check_key: outcome.key.clone(),
            tier: outcome.severity.tier(),
            bucket: outcome.is_flag().then(|| outcome.bucket()),
            key: outcome.key,
            label: outcome.label,
            category: outcome.category,
            kind: outcome.kind,
            source: outcome.source,
            status: outcome.status,
            severity: outcome.severity,
            detail: outcome.detail,
            expected: outcome.expected,
            found: outcome.found,
            remedy: outcome.remedy,
        }
    }
}

/// What trying a flight sheet came to.
#[derive(Serialize, ToSchema)]
#[schema(as = FlightSheetValidation)]
pub struct Validation {
    /// Whether the sheet loads.
    valid: bool,
    /// Everything that keeps it from loading, each with its place in the file.
    errors: Vec<sheet::Problem>,
    /// What the referee says of the work, as an audit would; null without work or when the sheet does not load.
    checks: Option<Vec<TriedCheck>>,
    /// What it comes to; null when a check is left for a person to grade, or when none applied.
    verdict: Option<Verdict>,
}

/// Tries a flight sheet: says all that is wrong with it and, given some work, how the referee would judge that. Nothing is
/// stored.
#[utoipa::path(tag = "rulebooks", operation_id = "validate_flight_sheet", request_body = TrialIn)]
#[post("/flight-sheets/validate")]
pub(crate) async fn validate(_caller: May<Work>, app: Data<App>, body: Raw<TRIAL_LIMIT>) -> Reply<Okay<Validation>> {
    if !is_json(&body.media_type) {
        return Err(Problem::unsupported_media_type("application/json"));
    }
    let TrialIn { sheet, submission, inputs, evidence } = parts(&body.bytes)?;
    let inputs = match inputs {
        None => Value::Object(serde_json::Map::new()),
        Some(inputs) => within("inputs", parse(inputs.get().as_bytes()))?,
    };
    if !inputs.is_object() {
        return Err(Problem::invalid("inputs: an object of named inputs is allowed").at("inputs"));
    }
    let evidence: Vec<TrialEvidence> = match evidence {
        None => vec![],
        Some(evidence) => within("evidence", parse(evidence.get().as_bytes()))?,
    };
    let trial = match submission {
        None => None,
        Some(submission) => {
            let bytes = Bytes::copy_from_slice(submission.get().as_bytes());
            let work = within("submission", work(&Raw { media_type: "application/json".to_owned(), bytes }))?;
            let evidence = evidence.into_iter().map(|evidence| (evidence.label, evidence.content)).collect();
            Some(Trial { output: work.output, inputs, evidence })
        }
    };
    let tried = app.try_sheet(sheet.get().as_bytes().to_vec(), trial).await?;
    Ok(Okay(Validation {
        valid: tried.problems.is_empty(),
        errors: tried.problems,
        checks: tried.checks.map(|checks| checks.into_iter().map(TriedCheck::from).collect()),
        verdict: tried.verdict.as_ref().map(Verdict::from),
    }))
}

/// What is wrong within a field of the body is at fault there.
fn within<T>(field: &'static str, reply: Reply<T>) -> Reply<T> {
    reply.map_err(|problem| {
        let inner = match problem.field() {
            None => field.to_owned(),
            Some(inner) if inner.starts_with('[') => format!("{field}{inner}"),
            Some(inner) => format!("{field}.{inner}"),
        };
        problem.at(inner)
    })
}

/// Takes a flight sheet of the organisation's own out of use. Runs that were opened with it go on; publishing it again
/// brings it back.
#[utoipa::path(tag = "rulebooks", operation_id = "retire_flight_sheet", params(("sheet" = String, Path, description = "Its id or slug")))]
#[post("/flight-sheets/{sheet}/retire")]
pub(crate) async fn retire(
    caller: May<Work>,
    given: Given,
    app: Data<App>,
    path: Path<(String,)>,
) -> Reply<Written<Okay<Own>>> {
    let done = app.retire_sheet(&caller, &given.bare(), &path.0.0).await?;
    Ok(Written { position: done.position, replayed: done.replayed, reply: Okay(Own::of(&done)?) })
}
