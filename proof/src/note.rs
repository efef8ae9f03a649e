//! Signed notes (C2SP signed-note) and cosignatures (C2SP tlog-cosignature): a text and, under it, lines of signatures
//! by named keys.

mod key;

pub use key::{Algorithm, LogKey, NotAKey, PublicKey, VerifierKey};

use base64::{Engine, engine::general_purpose::STANDARD};
use std::{borrow::Cow, fmt, str::FromStr};

/// How many bytes a note may have.
pub const MAX_NOTE: usize = 1 << 20;

/// How many signatures a note may have.
pub const MAX_SIGNATURES: usize = 100;

/// The last second, counted from 1970, at which a cosignature can be made.
pub const LAST_SECOND: u64 = i64::MAX as u64;

/// What every line of a signature begins with: an em dash and a space.
const MARK: &str = "\u{2014} ";

/// A text with signatures. Of itself it says nothing of who made them: see [`Note::verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// What is signed: lines, each with its end.
    pub text: String,
    /// By whom; at least one, in a note that was read or signed.
    pub signatures: Vec<Signature>,
}

/// One line of signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The key's name.
    pub name: String,
    /// The key's id, which tells keys of one name apart.
    pub id: [u8; 4],
    /// What the key's algorithm makes; at least one byte.
    pub signature: Vec<u8>,
}

/// A signature that has been found to be a known key's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified<'k> {
    /// The key.
    pub key: &'k VerifierKey,
    /// Of a cosignature when it was made, in seconds since 1970.
    pub time: Option<u64>,
}

/// Why a text is no signed note, or why a note is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// More than [`MAX_NOTE`] bytes.
    #[error("a note has at most {MAX_NOTE} bytes")]
    TooLong,
    /// A control character other than the end of a line.
    #[error("a note has no control characters but line feeds")]
    Control,
    /// The text does not end its last line.
    #[error("the text of a note ends with a line feed")]
    Unended,
    /// No blank line, or nothing below it.
    #[error("a note has a blank line between its text and its signatures, and at least one of these")]
    Unsigned,
    /// Something other than a signature below the last blank line.
    #[error("a signature is a line of `\u{2014} <key name> <base64 of the key's id and the signature>`")]
    Line,
    /// More than [`MAX_SIGNATURES`].
    #[error("a note has at most {MAX_SIGNATURES} signatures")]
    TooMany,
    /// A name that no key can have.
    #[error("a key's name is not empty and has no white space, no control character and no +")]
    Name,
    /// A time that no cosignature can have.
    #[error("a cosignature is made at most 2^63 − 1 seconds after 1970")]
    Time,
    /// A signature that claims to be a known key's and is not.
    #[error("the signature under the name {name} is not that of the known key")]
    Bad {
        /// The key's name.
        name: String,
    },
    /// No signature by a known key.
    #[error("none of the note's signatures is by a known key")]
    Unknown,
}

impl Note {
    /// A text, signed. The text ends with a line feed and has no other control character.
    ///
    /// # Errors
    /// The text or the name cannot be that of a note.
    pub fn sign(text: impl Into<String>, name: &str, key: &LogKey) -> Result<Self, NoteError> {
        let text = text.into();
        check_text(&text)?;
        let key_of = VerifierKey::log(name, key.public())?;
        let signature =
            Signature { name: name.to_owned(), id: key_of.id(), signature: key.sign(text.as_bytes()).to_vec() };
        Ok(Self { text, signatures: vec![signature] })
    }

    /// A witness's signature on this note, made at this second since 1970. It is not put under the note.
    ///
    /// # Errors
    /// The name cannot be that of a key, or the time is beyond [`LAST_SECOND`].
    pub fn cosign(&self, name: &str, key: &LogKey, time: u64) -> Result<Signature, NoteError> {
        if time > LAST_SECOND {
            return Err(NoteError::Time);
        }
        let key_of = VerifierKey::cosigner(name, key.public())?;
        let signature = [time.to_be_bytes().as_slice(), &key.sign(&cosigned(&self.text, time))].concat();
        Ok(Signature { name: name.to_owned(), id: key_of.id(), signature })
    }

    /// Whose signatures are under the note, of the keys that are known, in the order of the lines. Those of other keys are
    /// passed over.
    ///
    /// # Errors
    /// A line has a known key's name and id and is not its signature; or there is no line by any of them.
    pub fn verify<'k>(&self, known: &'k [VerifierKey]) -> Result<Vec<Verified<'k>>, NoteError> {
        let mut verified = Vec::new();
        for signature in &self.signatures {
            let mut claimed =
                known.iter().filter(|key| key.id() == signature.id && key.name() == signature.name).peekable();
            if claimed.peek().is_some() {
                let found = claimed.find_map(|key| signature.verify(&self.text, key));
                verified.push(found.ok_or_else(|| NoteError::Bad { name: signature.name.clone() })?);
            }
        }
        if verified.is_empty() { Err(NoteError::Unknown) } else { Ok(verified) }
    }
}

impl Signature {
    fn verify<'k>(&self, text: &str, key: &'k VerifierKey) -> Option<Verified<'k>> {
        let (message, signature, time) = match key.algorithm() {
            Algorithm::Ed25519 => (Cow::Borrowed(text.as_bytes()), self.signature.as_slice(), None),
            Algorithm::Cosignature => {
                let (time, signature) = self.signature.split_first_chunk()?;
                let time = Some(u64::from_be_bytes(*time)).filter(|time| *time <= LAST_SECOND)?;
                (Cow::Owned(cosigned(text, time)), signature, Some(time))
            }
        };
        key.key().verify(&message, signature.try_into().ok()?).then_some(Verified { key, time })
    }
}

/// What a witness signs.
fn cosigned(text: &str, time: u64) -> Vec<u8> {
    format!("cosignature/v1\ntime {time}\n{text}").into_bytes()
}

/// Whether a text can be that of a note.
fn check_text(text: &str) -> Result<(), NoteError> {
    if text.len() > MAX_NOTE {
        return Err(NoteError::TooLong);
    }
    if text.bytes().any(|byte| byte < 0x20 && byte != b'\n') {
        return Err(NoteError::Control);
    }
    if text.ends_with('\n') { Ok(()) } else { Err(NoteError::Unended) }
}

/// Whether a key can have this name.
fn check_name(name: &str) -> Result<(), NoteError> {
    let fits = |character: char| !character.is_whitespace() && character >= ' ' && character != '+';
    if !name.is_empty() && name.chars().all(fits) { Ok(()) } else { Err(NoteError::Name) }
}

impl FromStr for Note {
    type Err = NoteError;

    fn from_str(note: &str) -> Result<Self, NoteError> {
        check_text(note)?;
        // The text may have blank lines too: the last one divides.
        let blank = note.rfind("\n\n").ok_or(NoteError::Unsigned)?;
        let (text, rest) = note.split_at_checked(blank + 1).ok_or(NoteError::Unsigned)?;
        let lines = rest.strip_prefix('\n').and_then(|lines| lines.strip_suffix('\n')).ok_or(NoteError::Unsigned)?;
        let signatures = signatures(lines)?;
        Ok(Self { text: text.to_owned(), signatures })
    }
}

/// Reads lines of signatures, such as a witness answers with. The last one's end may be missing.
///
/// # Errors
/// One of them is none, there is none, or there are more than [`MAX_SIGNATURES`].
pub fn signatures(lines: &str) -> Result<Vec<Signature>, NoteError> {
    let lines = lines.strip_suffix('\n').unwrap_or(lines);
    if lines.split('\n').nth(MAX_SIGNATURES).is_some() {
        return Err(NoteError::TooMany);
    }
    lines.split('\n').map(str::parse).collect()
}

impl FromStr for Signature {
    type Err = NoteError;

    fn from_str(line: &str) -> Result<Self, NoteError> {
        let (name, encoded) = line.strip_prefix(MARK).and_then(|line| line.split_once(' ')).ok_or(NoteError::Line)?;
        check_name(name)?;
        let bytes = STANDARD.decode(encoded).map_err(|_| NoteError::Line)?;
        match bytes.split_first_chunk() {
            Some((id, signature)) if !signature.is_empty() => {
                Ok(Self { name: name.to_owned(), id: *id, signature: signature.to_vec() })
            }
            _ => Err(NoteError::Line),
        }
    }
}

impl fmt::Display for Signature {
    /// The line, without its end.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [self.id.as_slice(), &self.signature].concat();
        write!(out, "{MARK}{} {}", self.name, STANDARD.encode(bytes))
    }
}

impl fmt::Display for Note {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| writeln!(out, "{signature}"))
    }
}
