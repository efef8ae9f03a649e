//! What a sign-in saved: a file that its owner alone can read, replaced whole or not at all.

use crate::{cli::Failure, config};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    process,
};

/// The one profile, so far.
const PROFILE: &str = "default";

/// A sign-in.
#[derive(Serialize, Deserialize)]
pub(super) struct Profile {
    /// The service, without a slash at its end.
    pub(super) api_base_url: String,
    /// The session's token.
    pub(super) jwt: String,
    /// Who.
    pub(super) user_email: String,
    /// Who.
    pub(super) user_id: String,
    /// For which organisation.
    pub(super) org_id: String,
    /// When.
    pub(super) signed_in_at: String,
}

/// The last sign-in.
pub(super) fn load() -> Result<Option<Profile>, Failure> {
    let Some(path) = file() else { return Ok(None) };
    let Some(profile) = read(&path)?.remove(PROFILE) else { return Ok(None) };
    serde_json::from_value(profile).map(Some).map_err(|error| unreadable(&path, &error.to_string()))
}

/// Saves a sign-in in place of the last one.
pub(super) fn save(profile: &Profile) -> Result<PathBuf, Failure> {
    let unknown = || Failure::usage("there is nowhere to keep the credential: set DEFENDABLE_HOME, or HOME");
    let path = file().ok_or_else(unknown)?;
    // A file that cannot be read is in the way of no sign-in.
    let mut profiles = read(&path).unwrap_or_default();
    profiles.insert(PROFILE.to_owned(), serde_json::to_value(profile)?);
    replace(&path, &profiles).map_err(|error| Failure::from(format!("{}: {error}", path.display())))?;
    Ok(path)
}

/// Forgets the last sign-in, and a file that cannot be read.
pub(super) fn forget() -> Result<(), Failure> {
    let Some(path) = file() else { return Ok(()) };
    let mut profiles = read(&path).unwrap_or_default();
    profiles.remove(PROFILE);
    let done = if profiles.is_empty() { remove(&path) } else { replace(&path, &profiles) };
    done.map_err(|error| Failure::from(format!("{}: {error}", path.display())))
}

fn file() -> Option<PathBuf> {
    config::home().map(|home| home.join("credentials.json"))
}

fn read(path: &Path) -> Result<Map<String, Value>, Failure> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Map::new()),
        Err(error) => Err(unreadable(path, &error.to_string())),
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| unreadable(path, &error.to_string())),
    }
}

fn unreadable(path: &Path, why: &str) -> Failure {
    Failure::usage(format_args!("{} cannot be read ({why}); sign in again to replace it", path.display()))
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

fn replace(path: &Path, profiles: &Map<String, Value>) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let draft = folder.join(format!(".credentials.{}", process::id()));
    // What a process of the same number left behind.
    remove(&draft)?;
    let written = write(&draft, profiles).and_then(|()| fs::rename(&draft, path));
    if written.is_err() {
        let _ = remove(&draft);
    }
    written
}

fn write(draft: &Path, profiles: &Map<String, Value>) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft)?;
    serde_json::to_writer_pretty(&mut file, profiles)?;
    file.write_all(b"\n")?;
    file.sync_all()
}
