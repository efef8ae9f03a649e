//! The key folder: secrets that are never in the database, so that a copy of the database alone
//! reveals nobody and signs nothing.

use super::chance;
use aggregates::identity::address::EmailAddress;
use chacha20poly1305::KeyInit;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::{
    fmt,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// The file of the key that everything about persons hangs on.
const MASTER: &str = "master.key";
/// The file of the key that session tokens are signed with.
const TOKEN: &str = "token.key";

/// 32 secret bytes. They are never shown, not even in a log.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret([u8; 32]);

impl Secret {
    /// A new one.
    pub fn random() -> Self {
        Self(chance::bytes())
    }

    /// The secret with these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The key for one purpose that follows from this one; other purposes give unrelated keys.
    fn derived(&self, purpose: &str) -> Self {
        Self(blake3::derive_key(purpose, &self.0))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secret(…)")
    }
}

/// The service's keys.
#[derive(Clone, Debug)]
pub struct Keys {
    wrapping: Secret,
    addresses: Secret,
    sign_ins: Secret,
    token: Secret,
}

/// Why the keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A file or the folder cannot be read or written.
    #[error("the key file {path} cannot be used: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others on the machine could read the key.
    #[error("the key file {0} can be read by others: `chmod 600` it")]
    Open(PathBuf),
    /// The file holds something else.
    #[error("the key file {0} does not hold 64 hexadecimal digits")]
    NotAKey(PathBuf),
}

impl Keys {
    /// The keys in the folder; each that is missing is made, readable by this user alone. Several
    /// processes may start at once on one folder: they agree on the keys of the first.
    pub fn open_or_create(folder: &Path) -> Result<Self, KeyError> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(at(folder))?;
        for name in [MASTER, TOKEN] {
            create_if_missing(folder, name).map_err(at(&folder.join(name)))?;
        }
        Self::open(folder)
    }

    /// The keys in the folder, all of which must be there: a store that has been written to must
    /// never be opened with new keys.
    pub fn open(folder: &Path) -> Result<Self, KeyError> {
        let (master, token) = (load(&folder.join(MASTER))?, load(&folder.join(TOKEN))?);
        Ok(Self {
            wrapping: master.derived("defendable 2026 keys of persons: wrapping"),
            addresses: master.derived("defendable 2026 e-mail addresses: lookup"),
            sign_ins: master.derived("defendable 2026 e-mail addresses: pending sign-ins"),
            token,
        })
    }

    /// What the keys of persons are wrapped with.
    pub(super) const fn wrapping(&self) -> &Secret {
        &self.wrapping
    }

    /// What addresses of pending sign-ins are sealed with.
    pub(super) const fn sign_ins(&self) -> &Secret {
        &self.sign_ins
    }

    /// What session tokens are signed with.
    pub const fn token(&self) -> &Secret {
        &self.token
    }

    /// The HMAC-SHA-256 of an address, in hexadecimal: by it an account is found, and without the
    /// master key nobody can test whether an address has one.
    pub fn address_hmac(&self, address: &EmailAddress) -> String {
        // A shorter key is HMAC's block filled up with zeros.
        let mut block = [0; 64];
        let (key, _) = block.split_at_mut(32);
        key.copy_from_slice(self.addresses.as_bytes());
        let mut mac = <Hmac<Sha256> as KeyInit>::new(&block.into());
        mac.update(address.as_str().as_bytes());
        hex::encode(mac.finalize().into_bytes())
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> KeyError {
    let path = path.to_owned();
    |source| KeyError::Io { path, source }
}

fn load(path: &Path) -> Result<Secret, KeyError> {
    let mode = fs::metadata(path).map_err(at(path))?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(KeyError::Open(path.to_owned()));
    }
    let text = fs::read(path).map_err(at(path))?;
    let mut bytes = [0; 32];
    hex::decode_to_slice(text.trim_ascii(), &mut bytes).map_err(|_| KeyError::NotAKey(path.to_owned()))?;
    Ok(Secret(bytes))
}

/// Writes a new key beside its place, on disk, and links it there: whoever reads the file reads a
/// whole key, and the first of several processes wins.
fn create_if_missing(folder: &Path, name: &str) -> io::Result<()> {
    let path = folder.join(name);
    if path.try_exists()? {
        return Ok(());
    }
    let draft = folder.join(format!(".{name}.{}", hex::encode(chance::bytes::<8>())));
    let linked = write_new(&draft, &Secret::random()).and_then(|()| fs::hard_link(&draft, &path));
    let removed = fs::remove_file(&draft);
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => removed.and_then(|()| File::open(folder)?.sync_all()),
    }
}

fn write_new(path: &Path, secret: &Secret) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{}", hex::encode(secret.as_bytes()))?;
    file.sync_all()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::outside::tests::Folder;

    /// New keys in a folder that is gone again.
    pub(in crate::outside) fn keys() -> Keys {
        let folder = Folder::new();
        Keys::open_or_create(folder.path()).expect("keys")
    }

    fn address(text: &str) -> EmailAddress {
        text.parse().expect("an address")
    }

    #[test]
    fn keys_are_made_once_and_for_this_user_alone() {
        let folder = Folder::new();
        let path = folder.path().join("keys");
        assert!(matches!(Keys::open(&path), Err(KeyError::Io { .. })), "nothing is made by opening");
        let made = Keys::open_or_create(&path).expect("makes them");
        let again = Keys::open_or_create(&path).expect("finds them");
        assert_eq!((made.token(), made.wrapping()), (again.token(), again.wrapping()));
        let files: Vec<_> = fs::read_dir(&path).expect("lists").map(|file| file.expect("file").path()).collect();
        assert_eq!(files.len(), 2, "no draft is left: {files:?}");
        for path in files.iter().chain([&path]) {
            assert_eq!(fs::metadata(path).expect("is there").permissions().mode() & 0o077, 0, "{path:?}");
        }
    }

    #[test]
    fn processes_that_start_at_once_agree() {
        let folder = Folder::new();
        let tokens: Vec<Secret> = std::thread::scope(|scope| {
            let start = || Keys::open_or_create(folder.path()).expect("keys").token().clone();
            let starts: Vec<_> = (0..8).map(|_| scope.spawn(start)).collect();
            starts.into_iter().map(|start| start.join().expect("starts")).collect()
        });
        assert!(tokens.windows(2).all(|two| two[0] == two[1]));
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let folder = Folder::new();
        Keys::open_or_create(folder.path()).expect("keys");
        let path = folder.path().join(MASTER);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("changes");
        assert!(matches!(Keys::open(folder.path()), Err(KeyError::Open(open)) if open == path));
    }

    #[test]
    fn a_file_that_holds_no_key_is_refused_and_kept() {
        let folder = Folder::new();
        Keys::open_or_create(folder.path()).expect("keys");
        fs::write(folder.path().join(TOKEN), "secret").expect("writes");
        assert!(matches!(Keys::open_or_create(folder.path()), Err(KeyError::NotAKey(_))));
        assert_eq!(fs::read(folder.path().join(TOKEN)).expect("reads"), b"secret");
    }

    #[test]
    fn purposes_have_keys_of_their_own() {
        let keys = keys();
        assert_ne!(keys.wrapping, keys.addresses);
        assert_ne!(keys.wrapping, keys.token);
    }

    #[test]
    fn an_address_has_one_hmac_under_one_key() {
        let keys = keys();
        let ada = keys.address_hmac(&address("ada@example.com"));
        assert_eq!(ada, keys.address_hmac(&address(" Ada@Example.com")));
        assert_ne!(ada, keys.address_hmac(&address("bob@example.com")));
        assert_ne!(ada, self::keys().address_hmac(&address("ada@example.com")));
        let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(keys.addresses.as_bytes()).expect("any length");
        mac.update(b"ada@example.com");
        assert_eq!(ada, hex::encode(mac.finalize().into_bytes()), "RFC 2104 with a key of 32 bytes");
    }

    #[test]
    fn a_log_shows_no_key() {
        let keys = keys();
        assert!(!format!("{keys:?}").contains(&hex::encode(keys.token().as_bytes())[..8]));
        assert!(format!("{keys:?}").contains("Secret(…)"));
    }
}
