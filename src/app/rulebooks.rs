//! The library of flight sheets: published at start, read by content.

use super::{App, Caller, Refused, Terms, With};
use aggregates::{
    ids::{Id, OrgId},
    rulebooks::{
        flight_sheet::{FlightSheet, FlightSheetCommand, Published, library_sheet_id},
        sheet::Sheet,
    },
    text::Blob,
};
use proof::digest::Sha256Hex;
use rust_embed::RustEmbed;
use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

/// The built-in sheets, as files in the binary.
#[derive(RustEmbed)]
#[folder = "catalog/flight-sheets"]
#[include = "*.json"]
struct Library;

/// Sheets by the digest of their content; what a digest names never changes.
#[derive(Default)]
pub(super) struct Sheets(RwLock<HashMap<Sha256Hex, Arc<Sheet>>>);

impl Sheets {
    fn get(&self, content: Sha256Hex) -> Option<Arc<Sheet>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&content).cloned()
    }

    fn put(&self, content: Sha256Hex, sheet: Arc<Sheet>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(content, sheet);
    }
}

impl App {
    /// Publishes the built-in sheets as they are in this binary, and retires those that are no longer in it.
    pub(super) async fn publish_library(&self) -> Result<(), Refused> {
        let service = Caller::service(OrgId::SYSTEM);
        let mut published = Vec::new();
        for file in Library::iter() {
            let Some(content) = Library::get(&file) else { continue };
            let sheet = Sheet::load(&content.data)
                .map_err(|error| Refused::Fault(format!("the built-in flight sheet {file} cannot be loaded: {error}").into()))?;
            let content_sha256 = sheet.content_sha256();
            let id = library_sheet_id(&sheet.slug);
            let command = FlightSheetCommand::Publish(Published {
                slug: sheet.slug.clone(),
                name: sheet.name.clone(),
                version: sheet.version.clone(),
                lane: sheet.lane,
                content_sha256,
            });
            let blobs = vec![Blob { sha256: content_sha256, bytes: content.data.to_vec() }];
            let with = With { blobs, ..With::default() };
            self.execute::<FlightSheet>(&service, &Terms::default(), &id.uuid().to_string(), command, with).await?;
            self.sheets.put(content_sha256, Arc::new(sheet));
            published.push(id);
        }
        for row in projections::rulebooks::list(self.db(), OrgId::SYSTEM).await? {
            if !published.contains(&row.id) {
                let (terms, id) = (Terms::default(), row.id.uuid().to_string());
                self.execute::<FlightSheet>(&service, &terms, &id, FlightSheetCommand::Retire, With::default()).await?;
            }
        }
        Ok(())
    }

    /// The sheet with this content.
    pub async fn sheet(&self, content: Sha256Hex) -> Result<Arc<Sheet>, Refused> {
        if let Some(sheet) = self.sheets.get(content) {
            return Ok(sheet);
        }
        let gone = || Refused::Fault(format!("the content {content} of a flight sheet is missing or altered").into());
        let bytes = self.store.blob(content).await?.filter(|bytes| proof::digest::sha256(bytes) == content);
        let sheet = Arc::new(Sheet::load(&bytes.ok_or_else(gone)?).map_err(|_| gone())?);
        self.sheets.put(content, Arc::clone(&sheet));
        Ok(sheet)
    }
}

/// A record's id as streams are named by it.
pub(super) fn stream_id<K: aggregates::ids::Kind>(id: Id<K>) -> String {
    id.uuid().to_string()
}
