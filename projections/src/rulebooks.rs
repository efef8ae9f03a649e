//! What is shown of flight sheets.

use crate::{
    Db, Happened, Recorded,
    event::Stamp,
    model::{Cell, CellKind, Column, Index, Model, ReadModel, Row, Table},
    on,
};
use aggregates::{
    ids::{OrgId, SheetId},
    rulebooks::flight_sheet::{FlightSheetEvent, Published},
    time::Time,
};
use serde::{Deserialize, Serialize};

/// The models of this context.
pub fn models() -> Vec<Model> {
    vec![Model::of::<FlightSheets>(), Model::of::<FlightSheetVersions>()]
}

/// One row per flight sheet.
pub struct FlightSheets;

/// A flight sheet; its content lies in the blobs under its digest.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FlightSheetRow {
    /// Its id.
    pub id: SheetId,
    /// What was published last.
    pub published: Published,
    /// Whether runs may be opened with it.
    pub active: bool,
    /// Whether it is an organisation's own and not the library's.
    pub own: bool,
    /// When it was made and changed.
    pub stamp: Stamp,
}

impl ReadModel for FlightSheets {
    const TABLE: Table = Table {
        name: "flight_sheets",
        version: 2,
        essential: false,
        columns: &[
            Column { name: "slug", kind: CellKind::Text },
            Column { name: "name", kind: CellKind::Text },
            Column { name: "active", kind: CellKind::Integer },
        ],
        indexes: &[Index { columns: &["org_id", "slug"], unique: false }],
    };
    type Doc = FlightSheetRow;

    fn touches(event: &Recorded<'_>) -> Vec<Row> {
        match event.happened {
            Happened::FlightSheet(_) => vec![Row::known(event.local_id())],
            _ => vec![],
        }
    }

    fn fold(_: &str, doc: Option<FlightSheetRow>, event: &Recorded<'_>) -> Option<FlightSheetRow> {
        let Happened::FlightSheet(happened) = &event.happened else { return doc };
        match (happened, doc) {
            (FlightSheetEvent::SheetPublished(published), None) => Some(FlightSheetRow {
                id: event.id(),
                published: published.clone(),
                active: true,
                own: event.org() != OrgId::SYSTEM,
                stamp: Stamp::new(event),
            }),
            (FlightSheetEvent::SheetPublished(published), Some(mut row)) => {
                row.published = published.clone();
                row.active = true;
                row.stamp.touch(event);
                Some(row)
            }
            (FlightSheetEvent::SheetRetired {}, Some(mut row)) => {
                row.active = false;
                row.stamp.touch(event);
                Some(row)
            }
            (FlightSheetEvent::SheetUsed {}, Some(mut row)) => {
                row.stamp.touch(event);
                Some(row)
            }
            (FlightSheetEvent::SheetRetired {} | FlightSheetEvent::SheetUsed {}, None) => None,
        }
    }

    fn cells(doc: &FlightSheetRow) -> Vec<Cell> {
        vec![Cell::text(&doc.published.slug), Cell::text(&doc.published.name), Cell::integer(doc.active)]
    }
}

/// One row per version of a flight sheet. A version that no run had used may have been published several times; the last
/// is shown.
pub struct FlightSheetVersions;

/// A version of a flight sheet.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VersionRow {
    /// The sheet.
    pub sheet: SheetId,
    /// What was published.
    pub published: Published,
    /// When.
    pub published_at: Time,
}

impl ReadModel for FlightSheetVersions {
    const TABLE: Table = Table {
        name: "flight_sheet_versions",
        version: 1,
        essential: false,
        columns: &[Column { name: "sheet_id", kind: CellKind::Text }],
        indexes: &[Index { columns: &["org_id", "sheet_id", "position"], unique: false }],
    };
    type Doc = VersionRow;

    fn touches(event: &Recorded<'_>) -> Vec<Row> {
        match &event.happened {
            Happened::FlightSheet(FlightSheetEvent::SheetPublished(published)) => {
                vec![Row::known(format!("{}/{}", event.local_id(), published.version))]
            }
            _ => vec![],
        }
    }

    fn fold(_: &str, doc: Option<VersionRow>, event: &Recorded<'_>) -> Option<VersionRow> {
        match (&event.happened, doc) {
            // A sheet that comes back from retirement as it was has not been published later for that.
            (Happened::FlightSheet(FlightSheetEvent::SheetPublished(published)), Some(row))
                if row.published == *published =>
            {
                Some(row)
            }
            (Happened::FlightSheet(FlightSheetEvent::SheetPublished(published)), _) => {
                Some(VersionRow { sheet: event.id(), published: published.clone(), published_at: event.time() })
            }
            (_, doc) => doc,
        }
    }

    fn cells(doc: &VersionRow) -> Vec<Cell> {
        vec![Cell::text(doc.sheet.uuid())]
    }
}

/// The sheets that the organisation may use: the library's and its own, active ones, by name.
pub async fn list(db: &Db, org: OrgId) -> sqlx::Result<Vec<FlightSheetRow>> {
    const SQL: &str = "SELECT doc FROM flight_sheets WHERE org_id IN ($1, 'system') AND active = 1 ORDER BY name, id";
    let docs: Vec<String> = on!(db, pool => sqlx::query_scalar(SQL).bind(org.on_ledger()).fetch_all(pool).await)?;
    docs.iter().map(|doc| crate::model::read(doc)).collect()
}

/// A sheet that the organisation may see, by id or slug, active or not. An active one comes before a retired one of the
/// same slug, the organisation's own before the library's.
pub async fn find(db: &Db, org: OrgId, id_or_slug: &str) -> sqlx::Result<Option<FlightSheetRow>> {
    const SQL: &str = "SELECT doc FROM flight_sheets WHERE org_id IN ($1, 'system') AND (id = $2 OR slug = $3) \
                       ORDER BY active DESC, org_id ASC LIMIT 1";
    let id = id_or_slug.parse::<SheetId>().map(|id| id.uuid().to_string()).unwrap_or_default();
    let doc: Option<String> = on!(db, pool => {
        sqlx::query_scalar(SQL).bind(org.on_ledger()).bind(id).bind(id_or_slug).fetch_optional(pool).await
    })?;
    doc.as_deref().map(crate::model::read).transpose()
}

/// The organisation's own sheet of this slug, active or not.
pub async fn own(db: &Db, org: OrgId, slug: &str) -> sqlx::Result<Option<FlightSheetRow>> {
    const SQL: &str = "SELECT doc FROM flight_sheets WHERE org_id = $1 AND slug = $2";
    let doc: Option<String> =
        on!(db, pool => sqlx::query_scalar(SQL).bind(org.on_ledger()).bind(slug).fetch_optional(pool).await)?;
    doc.as_deref().map(crate::model::read).transpose()
}

/// How many sheets the organisation has in use.
pub async fn count(db: &Db, org: OrgId) -> sqlx::Result<i64> {
    const SQL: &str = "SELECT COUNT(*) FROM flight_sheets WHERE org_id = $1 AND active = 1";
    on!(db, pool => sqlx::query_scalar(SQL).bind(org.on_ledger()).fetch_one(pool).await)
}

/// The versions of one sheet, or of all that the organisation may see, the last published first.
pub async fn versions(db: &Db, org: OrgId, sheet: Option<SheetId>) -> sqlx::Result<Vec<VersionRow>> {
    const SQL: &str = "SELECT doc FROM flight_sheet_versions WHERE org_id IN ($1, 'system') \
                       AND ($2 = '' OR sheet_id = $2) ORDER BY position DESC, id";
    let sheet = sheet.map(|sheet| sheet.uuid().to_string()).unwrap_or_default();
    let docs: Vec<String> =
        on!(db, pool => sqlx::query_scalar(SQL).bind(org.on_ledger()).bind(sheet).fetch_all(pool).await)?;
    docs.iter().map(|doc| crate::model::read(doc)).collect()
}
