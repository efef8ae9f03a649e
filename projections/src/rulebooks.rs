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
};
use serde::{Deserialize, Serialize};

/// The models of this context.
pub fn models() -> Vec<Model> {
    vec![Model::of::<FlightSheets>()]
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
    /// When it was made and changed.
    pub stamp: Stamp,
}

impl ReadModel for FlightSheets {
    const TABLE: Table = Table {
        name: "flight_sheets",
        version: 1,
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
            (FlightSheetEvent::SheetRetired {}, None) => None,
        }
    }

    fn cells(doc: &FlightSheetRow) -> Vec<Cell> {
        vec![Cell::text(&doc.published.slug), Cell::text(&doc.published.name), Cell::integer(doc.active)]
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
