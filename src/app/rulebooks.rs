//! Flight sheets: the library, published at start; an organisation's own, uploaded and tried; all read by content.

use super::{App, Caller, Done, Refused, Terms, With, permit};
use crate::{
    outside::chance,
    store::{AppendError, Claim},
};
use aggregates::{
    Fault, Permission,
    ids::{EvidenceId, Id, OrgId},
    rulebooks::{
        flight_sheet::{FlightSheet, FlightSheetCommand, FlightSheetRefusal, Published, library_sheet_id},
        sheet::{Problem, Sheet, SheetError},
        vocabulary::CheckStatus,
    },
    runs::{
        audit::{self, Exhibit, Outcome},
        verdict::{Verdict, verdict},
    },
    text::Blob,
};
use futures::future::try_join_all;
use lru::LruCache;
use projections::rulebooks::{self as shown, FlightSheetRow};
use proof::digest::Sha256Hex;
use rust_embed::RustEmbed;
use serde_json::Value;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Instant,
};

/// How many own sheets an organisation may have in use. The list of them is always whole.
const MAX_SHEETS: i64 = 200;
/// What a slug is claimed as, within its organisation.
const SHEET_SLUG: &str = "the slug of the flight sheet";
/// How many bytes of organisations' own sheets are kept loaded, by the size of their files.
const ROOM: usize = 32 << 20;

/// The built-in sheets, as files in the binary.
#[derive(RustEmbed)]
#[folder = "catalog/flight-sheets"]
#[include = "*.json"]
struct Library;

/// Loaded sheets by the digest of their content; what a digest names never changes.
#[derive(Default)]
pub(super) struct Sheets {
    /// The library's, which are always there.
    library: RwLock<HashMap<Sha256Hex, Arc<Sheet>>>,
    /// Organisations' own: those used last.
    own: Mutex<Loaded>,
}

struct Loaded {
    /// Each with the size of its file.
    sheets: LruCache<Sha256Hex, (Arc<Sheet>, usize)>,
    bytes: usize,
}

impl Default for Loaded {
    fn default() -> Self {
        Self { sheets: LruCache::unbounded(), bytes: 0 }
    }
}

impl Sheets {
    fn get(&self, content: Sha256Hex) -> Option<Arc<Sheet>> {
        let built_in = self.library.read().unwrap_or_else(PoisonError::into_inner).get(&content).cloned();
        built_in.or_else(|| self.own().sheets.get(&content).map(|(sheet, _)| Arc::clone(sheet)))
    }

    fn put_library(&self, sheet: Arc<Sheet>) {
        self.library.write().unwrap_or_else(PoisonError::into_inner).insert(sheet.content_sha256(), sheet);
    }

    fn put(&self, sheet: Arc<Sheet>, bytes: usize) {
        let mut own = self.own();
        if let Some((_, replaced)) = own.sheets.put(sheet.content_sha256(), (sheet, bytes)) {
            own.bytes -= replaced;
        }
        own.bytes += bytes;
        while own.bytes > ROOM {
            let Some((_, (_, bytes))) = own.sheets.pop_lru() else { break };
            own.bytes -= bytes;
        }
    }

    fn own(&self) -> std::sync::MutexGuard<'_, Loaded> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Work to try a sheet on.
#[derive(Clone, Debug)]
pub struct Trial {
    /// What an agent would hand in.
    pub output: String,
    /// What the run would declare as its inputs.
    pub inputs: Value,
    /// Label and text of each piece of evidence.
    pub evidence: Vec<(String, Option<String>)>,
}

/// What became of trying a sheet.
#[derive(Clone, Debug, Default)]
pub struct Tried {
    /// Why it does not load; nothing when it does.
    pub problems: Vec<Problem>,
    /// What the referee says of the work, when there was some.
    pub checks: Option<Vec<Outcome>>,
    /// What it comes to, when no person has a check to grade and at least one check applied.
    pub verdict: Option<Verdict>,
}

impl Trial {
    fn judged_by(&self, sheet: &Sheet) -> Tried {
        let evidence: Vec<Exhibit<'_>> = self
            .evidence
            .iter()
            .map(|(label, text)| Exhibit { id: EvidenceId::default(), label, text: text.as_deref() })
            .collect();
        let work =
            audit::Work { sheet, inputs: &self.inputs, output: self.output.trim(), evidence: &evidence, stack: None };
        let checks = audit::audit(&work);
        let is_open = checks.iter().any(|check| check.status == CheckStatus::Open);
        let verdict = verdict(&checks, sheet.pass_threshold, sheet.fail_threshold).ok().filter(|_| !is_open);
        Tried { problems: vec![], checks: Some(checks), verdict }
    }
}

/// What is published of a sheet.
fn published(sheet: &Sheet) -> Published {
    Published {
        slug: sheet.slug.clone(),
        name: sheet.name.clone(),
        version: sheet.version.clone(),
        lane: sheet.lane,
        content_sha256: sheet.content_sha256(),
    }
}

impl App {
    /// Publishes the built-in sheets as they are in this binary, and retires those that are no longer in it.
    pub(super) async fn publish_library(&self) -> Result<(), Refused> {
        let start = Instant::now();
        let mut sheets = Vec::new();
        for file in Library::iter() {
            let Some(content) = Library::get(&file) else { continue };
            let sheet = Sheet::load(&content.data).map_err(|error| {
                Refused::Fault(format!("the built-in flight sheet {file} cannot be loaded: {error}").into())
            })?;
            sheets.push((Arc::new(sheet), content.data));
        }
        let read = start.elapsed();
        let (service, terms) = (Caller::service(OrgId::SYSTEM), Terms::default());
        // All at once, so that the first start commits them together.
        let library = try_join_all(sheets.into_iter().map(async |(sheet, content)| {
            let id = library_sheet_id(&sheet.slug);
            let command = FlightSheetCommand::Publish(published(&sheet));
            let blobs = vec![Blob { sha256: sheet.content_sha256(), bytes: content.into_owned() }];
            let with = With { blobs, ..With::default() };
            self.execute::<FlightSheet>(&service, &terms, &stream_id(id), command, with).await?;
            self.sheets.put_library(sheet);
            Ok::<_, Refused>(id)
        }))
        .await?;
        tracing::info!(
            sheets = library.len(),
            read_micros = read.as_micros() as u64,
            micros = start.elapsed().as_micros() as u64,
            "the library of flight sheets is loaded"
        );
        for row in shown::list(self.db(), OrgId::SYSTEM).await? {
            if !library.contains(&row.id) {
                let (command, id) = (FlightSheetCommand::Retire, stream_id(row.id));
                self.execute::<FlightSheet>(&service, &terms, &id, command, With::default()).await?;
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
        let bytes = bytes.ok_or_else(gone)?;
        let size = bytes.len();
        let sheet = Arc::new(self.load_sheet(bytes).await?.map_err(|_| gone())?);
        self.sheets.put(Arc::clone(&sheet), size);
        Ok(sheet)
    }

    /// Reads a sheet, away from the threads that answer others: a large one takes a while.
    pub async fn load_sheet(&self, content: Vec<u8>) -> Result<Result<Sheet, SheetError>, Refused> {
        let loaded = tokio::task::spawn_blocking(move || Sheet::load(&content));
        loaded.await.map_err(|error| Refused::Fault(error.into()))
    }

    /// Tries a sheet, and some work on it. Nothing is stored.
    pub async fn try_sheet(&self, content: Vec<u8>, trial: Option<Trial>) -> Result<Tried, Refused> {
        let tried = tokio::task::spawn_blocking(move || match (Sheet::load(&content), trial) {
            (Err(error), _) => Tried { problems: error.problems, ..Tried::default() },
            (Ok(_), None) => Tried::default(),
            (Ok(sheet), Some(trial)) => trial.judged_by(&sheet),
        });
        tried.await.map_err(|error| Refused::Fault(error.into()))
    }

    /// Publishes a sheet as the organisation's own: a new one, or another version of one that it has.
    pub async fn publish_sheet(
        &self,
        caller: &Caller,
        terms: &Terms,
        sheet: &Sheet,
        content: Vec<u8>,
    ) -> Result<Done<FlightSheet>, Refused> {
        permit(caller, Permission::Work)?;
        loop {
            let own = shown::own(self.db(), caller.org, &sheet.slug).await?;
            let is_active = own.as_ref().is_some_and(|own| own.active);
            if !is_active && shown::count(self.db(), caller.org).await? >= MAX_SHEETS {
                let allowed =
                    format!("an organisation may have {MAX_SHEETS} flight sheets of its own in use; retire one");
                return Err(Refused::Rule(allowed, Fault::Conflict));
            }
            let (id, claims) = match &own {
                Some(own) => (own.id, vec![]),
                None if shown::own(self.db(), OrgId::SYSTEM, &sheet.slug).await?.is_some() => {
                    let taken = format!("`{}` is a sheet of the built-in library; choose another slug", sheet.slug);
                    return Err(Refused::Rule(taken, Fault::Conflict));
                }
                None => {
                    let id = chance::id();
                    let (key, holder) = (sheet.slug.clone(), stream_id(id));
                    (id, vec![Claim { org: caller.org, scope: SHEET_SLUG, key, holder }])
                }
            };
            let blobs = vec![Blob { sha256: sheet.content_sha256(), bytes: content.clone() }];
            let command = FlightSheetCommand::Upload(published(sheet));
            match self.execute(caller, terms, &stream_id(id), command, With { claims, blobs, ..With::default() }).await
            {
                // Somebody else was first with this slug, so that now there is such a sheet.
                Err(Refused::Append(AppendError::Claimed(SHEET_SLUG))) if own.is_none() => {}
                done => return done,
            }
        }
    }

    /// Takes a sheet of the organisation's own out of use. Runs that were opened with it go on.
    pub async fn retire_sheet(
        &self,
        caller: &Caller,
        terms: &Terms,
        id_or_slug: &str,
    ) -> Result<Done<FlightSheet>, Refused> {
        let row = shown::find(self.db(), caller.org, id_or_slug).await?.ok_or(Refused::NotFound("flight sheet"))?;
        if !row.own {
            let reason =
                format!("`{}` belongs to the built-in library, which is the same for everybody", row.published.slug);
            return Err(Refused::Rule(reason, Fault::Conflict));
        }
        self.execute(caller, terms, &stream_id(row.id), FlightSheetCommand::Retire, With::default()).await
    }

    /// The sheet that a run may be opened with, by id or slug.
    pub(super) async fn sheet_in_use(
        &self,
        caller: &Caller,
        id_or_slug: &str,
    ) -> Result<(FlightSheetRow, Arc<Sheet>), Refused> {
        let row = shown::find(self.db(), caller.org, id_or_slug).await?.ok_or(Refused::NotFound("flight sheet"))?;
        if !row.active {
            return Err(Refused::rule(FlightSheetRefusal::Retired(row.published.slug)));
        }
        let sheet = self.sheet(row.published.content_sha256).await?;
        Ok((row, sheet))
    }

    /// Fixes what is published of an organisation's own sheet under its version. This comes before the run, so that none
    /// ever has a version that changes; the library's sheets follow the binary, and a run pins their content.
    pub(super) async fn use_sheet(&self, caller: &Caller, row: &FlightSheetRow) -> Result<(), Refused> {
        if row.own {
            let (terms, command) = (Terms::default(), FlightSheetCommand::Use(row.published.content_sha256));
            self.execute::<FlightSheet>(caller, &terms, &stream_id(row.id), command, With::default()).await?;
        }
        Ok(())
    }
}

/// A record's id as streams are named by it.
pub(super) fn stream_id<K: aggregates::ids::Kind>(id: Id<K>) -> String {
    id.uuid().to_string()
}
