//! A flight sheet's life: published, published anew, used, retired. Its content is pinned by digest, so a run keeps the
//! very rules that it was opened under.
//!
//! Sheets of the built-in library belong to no organisation and follow the binary. An organisation's own are uploaded by
//! its people: version after version, and what a run was opened with is never changed under the same version.

use crate::{
    Decider, Demands, Fact, Fault, Permission, Refusal,
    ids::SheetId,
    rulebooks::{version::Version, vocabulary::Lane},
};
use proof::digest::Sha256Hex;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use uuid::Builder;

/// How many versions one sheet may have.
pub const MAX_VERSIONS: u32 = 1_000;

/// A flight sheet.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct FlightSheet {
    /// What was published last; none, and there is no such sheet.
    pub published: Option<Published>,
    /// Whether runs may be opened with it.
    pub active: bool,
    /// Whether a run was opened with what was published last; only an organisation's own sheets are told.
    pub used: bool,
    /// How many versions were published.
    pub versions: u32,
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

/// What may be asked of a sheet.
#[derive(Clone, Debug)]
pub enum FlightSheetCommand {
    /// Publish a sheet of the built-in library as the binary has it; nothing happens when it is published as it is.
    Publish(Published),
    /// Publish an organisation's own: new, under a greater version, or changed while no run has used it. Nothing happens
    /// when it is published as it is.
    Upload(Published),
    /// Open a run with this content, which fixes it under its version; nothing happens when it is fixed.
    Use(Sha256Hex),
    /// Take it out of use; nothing happens when it is.
    Retire,
}

/// What happened to a sheet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlightSheetEvent {
    /// It was published.
    SheetPublished(Published),
    /// The first run was opened with what is published.
    SheetUsed {},
    /// It was taken out of use; runs opened with it keep it.
    SheetRetired {},
}

/// Why a sheet refuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FlightSheetRefusal {
    /// There is no such sheet.
    #[error("there is no such flight sheet")]
    Unknown,
    /// A run was opened with this version.
    #[error(
        "version {0} was used by a run and stays as it is for good; publish the change under a version greater than {0}"
    )]
    Used(String),
    /// A later version is published.
    #[error("version {new} comes before {published}, which is published; a new version must be greater")]
    Superseded {
        /// What was uploaded.
        new: String,
        /// What is published.
        published: String,
    },
    /// It has [`MAX_VERSIONS`].
    #[error("the flight sheet has {MAX_VERSIONS} versions, the most that are allowed; go on under another slug")]
    TooManyVersions,
    /// It is out of use.
    #[error("the flight sheet `{0}` is retired; runs can be opened with any that `GET /flight-sheets` lists")]
    Retired(String),
    /// Other content was published while a run was being opened.
    #[error("the flight sheet was published anew in this moment; open the run again")]
    Changed,
}

impl Refusal for FlightSheetRefusal {
    fn fault(&self) -> Fault {
        match self {
            Self::Unknown => Fault::NotFound,
            Self::Used(_) | Self::Superseded { .. } | Self::TooManyVersions | Self::Retired(_) | Self::Changed => {
                Fault::Conflict
            }
        }
    }
}

impl Fact for FlightSheetEvent {
    fn name(&self) -> &'static str {
        match self {
            Self::SheetPublished(_) => "sheet_published",
            Self::SheetUsed {} => "sheet_used",
            Self::SheetRetired {} => "sheet_retired",
        }
    }
}

impl Demands for FlightSheetCommand {
    fn permission(&self) -> Permission {
        match self {
            Self::Publish(_) => Permission::Service,
            // A sheet of the library is out of reach: it is a stream of no caller's organisation.
            Self::Upload(_) | Self::Use(_) | Self::Retire => Permission::Work,
        }
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
            (FlightSheetCommand::Upload(new), None) => Ok(vec![FlightSheetEvent::SheetPublished(new)]),
            (FlightSheetCommand::Upload(new), Some(old)) => self.upload(new, old),
            (FlightSheetCommand::Use(_) | FlightSheetCommand::Retire, None) => Err(FlightSheetRefusal::Unknown),
            (FlightSheetCommand::Use(_), Some(now)) if !self.active => {
                Err(FlightSheetRefusal::Retired(now.slug.clone()))
            }
            (FlightSheetCommand::Use(content), Some(now)) if content != now.content_sha256 => {
                Err(FlightSheetRefusal::Changed)
            }
            (FlightSheetCommand::Use(_), Some(_)) if self.used => Ok(vec![]),
            (FlightSheetCommand::Use(_), Some(_)) => Ok(vec![FlightSheetEvent::SheetUsed {}]),
            (FlightSheetCommand::Retire, Some(_)) if !self.active => Ok(vec![]),
            (FlightSheetCommand::Retire, Some(_)) => Ok(vec![FlightSheetEvent::SheetRetired {}]),
        }
    }

    fn evolve(&mut self, event: &FlightSheetEvent) {
        match event {
            FlightSheetEvent::SheetPublished(published) => {
                let old = self.published.replace(published.clone());
                self.active = true;
                self.used &= old.as_ref().is_some_and(|old| old.content_sha256 == published.content_sha256);
                self.versions += u32::from(old.is_none_or(|old| old.version != published.version));
            }
            FlightSheetEvent::SheetUsed {} => self.used = true,
            FlightSheetEvent::SheetRetired {} => self.active = false,
        }
    }
}

impl FlightSheet {
    fn upload(&self, new: Published, old: &Published) -> Result<Vec<FlightSheetEvent>, FlightSheetRefusal> {
        let version = |published: &Published| published.version.parse::<Version>().ok();
        let is_the_same = new.content_sha256 == old.content_sha256;
        match version(&new).cmp(&version(old)) {
            Ordering::Less => {
                let (new, published) = (new.version, old.version.clone());
                return Err(FlightSheetRefusal::Superseded { new, published });
            }
            Ordering::Equal if is_the_same && self.active => return Ok(vec![]),
            Ordering::Equal if !is_the_same && self.used => return Err(FlightSheetRefusal::Used(new.version)),
            Ordering::Greater if self.versions >= MAX_VERSIONS => return Err(FlightSheetRefusal::TooManyVersions),
            Ordering::Equal | Ordering::Greater => {}
        }
        Ok(vec![FlightSheetEvent::SheetPublished(new)])
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
