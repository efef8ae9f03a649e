//! The library of flight sheets.

use crate::{
    app::{App, Refused},
    http::{
        caller::{May, permission::Read},
        error::{Problem, Reply},
        path::Path,
        query::Query,
        reply::{Okay, Tagged},
    },
};
use actix_web::{get, web::Data};
use aggregates::{
    ids::SheetId,
    rulebooks::{
        sheet::{Rule, Sheet},
        vocabulary::{CapabilityTier, Lane},
    },
    time::Time,
};
use projections::rulebooks::FlightSheetRow;
use proof::digest::Sha256Hex;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_actix_web::service_config::ServiceConfig;

/// The handlers of the runs surface.
pub fn runs(config: &mut ServiceConfig<'_>) {
    config.service(list).service(show);
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
    /// Whether runs may be opened with it.
    active: bool,
    /// SHA-256 of its exact bytes, 64 hexadecimal digits.
    #[schema(value_type = String)]
    content_sha256: Sha256Hex,
    /// When it was first published.
    created_at: Time,
    /// When it was last published or retired.
    updated_at: Time,
    /// How often it was, from 1.
    revision: i64,
}

impl FlightSheet {
    fn of(row: &FlightSheetRow, sheet: &Sheet) -> Self {
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
            active: row.active,
            content_sha256: row.published.content_sha256,
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

/// Lists the flight sheets in use.
#[utoipa::path(tag = "rulebooks", operation_id = "list_flight_sheets", params(Which))]
#[get("/flight-sheets")]
pub async fn list(caller: May<Read>, app: Data<App>, which: Query<Which>) -> Reply<Okay<FlightSheetList>> {
    let rows = projections::rulebooks::list(app.db(), caller.org).await.map_err(Refused::from)?;
    let mut flight_sheets = Vec::with_capacity(rows.len());
    for row in rows.iter().filter(|row| which.0.lane.is_none_or(|lane| row.published.lane == lane)) {
        flight_sheets.push(FlightSheet::of(row, &*app.sheet(row.published.content_sha256).await?));
    }
    Ok(Okay(FlightSheetList { flight_sheets }))
}

/// Shows a flight sheet, by id or slug; a retired one too.
#[utoipa::path(tag = "rulebooks", operation_id = "show_flight_sheet", params(("sheet" = String, Path, description = "Its id or slug")))]
#[get("/flight-sheets/{sheet}")]
pub async fn show(caller: May<Read>, app: Data<App>, path: Path<(String,)>) -> Reply<Tagged<Okay<FlightSheet>>> {
    let row = projections::rulebooks::find(app.db(), caller.org, &path.0.0).await.map_err(Refused::from)?;
    let row = row.ok_or_else(|| Problem::not_found("flight sheet"))?;
    let sheet = app.sheet(row.published.content_sha256).await?;
    Ok(Tagged { revision: row.stamp.revision.unsigned_abs(), reply: Okay(FlightSheet::of(&row, &sheet)) })
}
