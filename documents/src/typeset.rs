//! From a template and a value to the bytes of a PDF.

use crate::fonts::FONTS;
use jiff::{Timestamp, tz::TimeZone};
use serde_json::Value;
use std::{collections::HashMap, sync::LazyLock};
use typst::{
    Library, LibraryExt, World,
    diag::{FileError, FileResult, SourceDiagnostic},
    foundations::{Bytes, Datetime, Smart},
    layout::PagedDocument,
    syntax::{FileId, Source, VirtualPath},
    text::{Font, FontBook},
    utils::LazyHash,
};
use typst_pdf::{PdfOptions, PdfStandard, PdfStandards};

/// The value does not have the shape that the template lays out.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the document cannot be laid out: {0}")]
pub struct Unwritable(String);

/// A template of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Template {
    /// The receipt of a run.
    Evaluation,
    /// The receipt of an incident.
    Incident,
    /// A record as it is stored.
    Record,
}

impl Template {
    fn file(self) -> FileId {
        file(match self {
            Self::Evaluation => "evaluation.typ",
            Self::Incident => "incident.typ",
            Self::Record => "record.typ",
        })
    }
}

/// What a document is called for ever: the same name and moment make the same bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Identity<'a> {
    /// Its name, of which the PDF's identifier is made.
    pub(crate) name: &'a str,
    /// The moment that it says it was made at.
    pub(crate) made: Timestamp,
}

/// Sets the template with the value, which it reads as `data.json`.
pub(crate) fn pdf(template: Template, value: &Value, identity: Identity<'_>) -> Result<Vec<u8>, Unwritable> {
    let data = serde_json::to_vec(value).map_err(|error| Unwritable(error.to_string()))?;
    let desk = Desk { main: template.file(), data: Bytes::new(data) };
    let set = typst::compile::<PagedDocument>(&desk).output;
    // What later documents can take from earlier ones is little; without this, all of it would be kept.
    typst::comemo::evict(1);
    let document = set.map_err(unwritable)?;
    let moment = identity.made.to_zoned(TimeZone::UTC);
    let part = |number: i8| u8::try_from(number).unwrap_or_default();
    let made = Datetime::from_ymd_hms(
        i32::from(moment.year()),
        part(moment.month()),
        part(moment.day()),
        part(moment.hour()),
        part(moment.minute()),
        part(moment.second()),
    );
    let write = |standards| {
        typst_pdf::pdf(
            &document,
            &PdfOptions {
                ident: Smart::Custom(identity.name),
                timestamp: made.map(typst_pdf::Timestamp::new_utc),
                page_ranges: None,
                standards,
                tagged: true,
            },
        )
    };
    // PDF/UA-1 refuses a few texts that a reader can still read, such as a mark on a letter for which no font has
    // both: then the document is tagged all the same, and only does not claim the standard.
    let accessible = PdfStandards::new(&[PdfStandard::Ua_1]).map_err(|error| Unwritable(error.to_string()))?;
    write(accessible).or_else(|_| write(PdfStandards::default())).map_err(unwritable)
}

/// What a template sees of the world: the templates beside it, the fonts, and its value.
struct Desk {
    main: FileId,
    data: Bytes,
}

static LIBRARY: LazyLock<LazyHash<Library>> = LazyLock::new(|| LazyHash::new(Library::default()));

static SOURCES: LazyLock<HashMap<FileId, Source>> = LazyLock::new(|| {
    let sources = [
        ("style.typ", include_str!("pages/style.typ")),
        ("receipt.typ", include_str!("pages/receipt.typ")),
        ("evaluation.typ", include_str!("pages/evaluation.typ")),
        ("incident.typ", include_str!("pages/incident.typ")),
        ("record.typ", include_str!("pages/record.typ")),
    ];
    sources.into_iter().map(|(name, text)| (file(name), Source::new(file(name), text.to_owned()))).collect()
});

static DATA: LazyLock<FileId> = LazyLock::new(|| file("data.json"));

fn file(name: &str) -> FileId {
    FileId::new(None, VirtualPath::new(name))
}

fn unknown(id: FileId) -> FileError {
    FileError::NotFound(id.vpath().as_rootless_path().to_owned())
}

fn unwritable(errors: impl IntoIterator<Item = SourceDiagnostic>) -> Unwritable {
    let says: Vec<String> = errors.into_iter().map(|error| error.message.to_string()).collect();
    Unwritable(says.join("; "))
}

impl World for Desk {
    fn library(&self) -> &LazyHash<Library> {
        &LIBRARY
    }

    fn book(&self) -> &LazyHash<FontBook> {
        &FONTS.book
    }

    fn main(&self) -> FileId {
        self.main
    }

    fn source(&self, id: FileId) -> FileResult<Source> {
        SOURCES.get(&id).cloned().ok_or_else(|| unknown(id))
    }

    fn file(&self, id: FileId) -> FileResult<Bytes> {
        if id == *DATA { Ok(self.data.clone()) } else { Err(unknown(id)) }
    }

    fn font(&self, index: usize) -> Option<Font> {
        FONTS.fonts.get(index).cloned()
    }

    fn today(&self, _: Option<i64>) -> Option<Datetime> {
        None
    }
}
