//! A flight sheet's life: published, published anew, retired. Its content is pinned by digest, so a run keeps the very
//! rules that it was opened under.

use crate::{Decider, Demands, Fact, Fault, Permission, Refusal, ids::SheetId, rulebooks::vocabulary::Lane};
use proof::digest::Sha256Hex;
use serde::{Deserialize, Serialize};
use uuid::Builder;

/// A flight sheet.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct FlightSheet {
    /// What was published last; none, and there is no such sheet.
    pub published: Option<Published>,
    /// Whether runs may be opened with it.
    pub active: bool,
}

/// What was published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// Its readable name.
    pub slug: String,
    /// Its title.
    pub name: String,
    /// Its declared version.
    pub version: String,
    /// Its lane.
    pub lane: Lane,
    /// SHA-256 of its exact bytes, which lie in the store's blobs.
    pub content_sha256: Sha256Hex,
}

/// What may be asked of a sheet of the built-in library.
#[derive(Clone, Debug)]
pub enum FlightSheetCommand {
    /// Publish it, or publish it anew; nothing happens when it is published as it is.
    Publish(Published),
    /// Take it out of use; nothing happens when it is.
    Retire,
}

/// What happened to a sheet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlightSheetEvent {
    /// It was published.
    SheetPublished(Published),
    /// It was taken out of use; runs opened with it keep it.
    SheetRetired {},
}

/// Why a sheet refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FlightSheetRefusal {
    /// There is no such sheet.
    #[error("there is no such flight sheet")]
    Unknown,
}

impl Refusal for FlightSheetRefusal {
    fn fault(&self) -> Fault {
        Fault::NotFound
    }
}

impl Fact for FlightSheetEvent {
    fn name(&self) -> &'static str {
        match self {
            Self::SheetPublished(_) => "sheet_published",
            Self::SheetRetired {} => "sheet_retired",
        }
    }
}

impl Demands for FlightSheetCommand {
    fn permission(&self) -> Permission {
        Permission::Service
    }
}

impl Decider for FlightSheet {
    const TYPE: &'static str = "flight_sheet";
    type Command = FlightSheetCommand;
    type Event = FlightSheetEvent;
    type Refusal = FlightSheetRefusal;

    fn decide(&self, command: FlightSheetCommand) -> Result<Vec<FlightSheetEvent>, FlightSheetRefusal> {
        match (command, &self.published) {
            (FlightSheetCommand::Publish(new), Some(old)) if self.active && new == *old => Ok(vec![]),
            (FlightSheetCommand::Publish(new), _) => Ok(vec![FlightSheetEvent::SheetPublished(new)]),
            (FlightSheetCommand::Retire, None) => Err(FlightSheetRefusal::Unknown),
            (FlightSheetCommand::Retire, Some(_)) if !self.active => Ok(vec![]),
            (FlightSheetCommand::Retire, Some(_)) => Ok(vec![FlightSheetEvent::SheetRetired {}]),
        }
    }

    fn evolve(&mut self, event: &FlightSheetEvent) {
        match event {
            FlightSheetEvent::SheetPublished(published) => {
                self.published = Some(published.clone());
                self.active = true;
            }
            FlightSheetEvent::SheetRetired {} => self.active = false,
        }
    }
}

/// The id of a sheet of the built-in library: the same on every installation, made from its slug. It has the form of
/// every other id, dated to the day the library began.
pub fn library_sheet_id(slug: &str) -> SheetId {
    const LIBRARY_BEGAN: u64 = 1_767_225_600_000; // 2026-01-01T00:00:00Z in milliseconds
    let digest = blake3::derive_key("defendable library sheet id v1", slug.as_bytes());
    let mut chance = [0; 10];
    chance.copy_from_slice(&digest[..10]);
    SheetId::from_uuid(Builder::from_unix_timestamp_millis(LIBRARY_BEGAN, &chance).into_uuid())
}

#[cfg(test)]
mod tests;
