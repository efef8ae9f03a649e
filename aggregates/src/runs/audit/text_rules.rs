//! The rules that the referee has of its own, which any sheet may list without defining them.

use super::{
    Exhibit,
    judgement::{Judgement, Miss},
};
use crate::rulebooks::vocabulary::CheckCategory;
use serde_json::Value;

/// The fewest characters that count as an answer.
const ANSWER: usize = 200;

/// Fields of a submission that name a source.
const SOURCE_FIELDS: [&str; 8] = [
    "evidence_reference",
    "source",
    "source_location",
    "source_document",
    "citation",
    "article_reference",
    "page",
    "exhibit",
];

/// Words of a text that name a source.
const SOURCE_WORDS: [&str; 7] = ["source", "page", "exhibit", "cited", "citation", "according", "appendix"];

/// A rule of the referee's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TextRule {
    SectionsPresent,
    OutputNonempty,
    NumbersPresent,
    SpecsPresent,
    CitationsPresent,
    EvidenceAttached,
}

impl TextRule {
    pub(crate) const ALL: [Self; 6] = [
        Self::SectionsPresent,
        Self::OutputNonempty,
        Self::NumbersPresent,
        Self::SpecsPresent,
        Self::CitationsPresent,
        Self::EvidenceAttached,
    ];

    pub(crate) fn named(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.key() == key)
    }

    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::SectionsPresent => "sections_present",
            Self::OutputNonempty => "output_nonempty",
            Self::NumbersPresent => "numbers_present",
            Self::SpecsPresent => "specs_present",
            Self::CitationsPresent => "citations_present",
            Self::EvidenceAttached => "evidence_attached",
        }
    }

    /// What it looks at, where the sheet does not say.
    pub(crate) const fn category(self) -> CheckCategory {
        match self {
            Self::SectionsPresent | Self::OutputNonempty | Self::NumbersPresent | Self::SpecsPresent => {
                CheckCategory::Structure
            }
            Self::CitationsPresent | Self::EvidenceAttached => CheckCategory::Evidence,
        }
    }

    /// Judges the submission's text, and its object where the sheet asks for one.
    pub(super) fn judge(
        self,
        expected_outputs: &[String],
        text: &str,
        object: Option<&Value>,
        evidence: &[Exhibit<'_>],
    ) -> Judgement {
        let (holds, expected) = match self {
            Self::SectionsPresent => return sections(expected_outputs, text),
            Self::OutputNonempty => {
                (text.trim().chars().count() >= ANSWER, format!("an answer of {ANSWER} characters or more"))
            }
            Self::NumbersPresent | Self::SpecsPresent => {
                (text.chars().any(|c| c.is_ascii_digit()), "at least one number".to_owned())
            }
            Self::CitationsPresent => (cites(text, object), "at least one named source".to_owned()),
            Self::EvidenceAttached => {
                (!evidence.is_empty(), "at least one piece of evidence attached to the run".to_owned())
            }
        };
        if holds {
            Judgement::Pass(None)
        } else {
            Judgement::Flag(Miss::of(format!("there is not {expected}"), expected, "none"))
        }
    }
}

fn sections(expected: &[String], text: &str) -> Judgement {
    let text = text.to_lowercase();
    let missing: Vec<&str> = expected.iter().map(String::as_str).filter(|label| !mentions(&text, label)).collect();
    if missing.is_empty() {
        Judgement::Pass(None)
    } else {
        let list = missing.join("; ");
        Judgement::Flag(Miss::of(format!("not found: {list}"), expected.join("; "), format!("all but {list}")))
    }
}

/// Whether a lower-case text holds a label, or all the longer words of it.
fn mentions(text: &str, label: &str) -> bool {
    let label = label.to_lowercase();
    let mut words = label.split(|c: char| !c.is_alphanumeric()).filter(|word| word.chars().count() > 3).peekable();
    text.contains(&label) || (words.peek().is_some() && words.all(|word| text.contains(word)))
}

/// Whether a source is named: in an object, by a field for it that holds something; in a text, by a word for it or
/// a number in brackets.
fn cites(text: &str, object: Option<&Value>) -> bool {
    match object {
        Some(object) => names_source(object),
        None => {
            let lower = text.to_lowercase();
            let mut words = lower.split(|c: char| !c.is_alphanumeric());
            let bracketed = |part: &str| {
                part.split_once(']').is_some_and(|(n, _)| !n.is_empty() && n.chars().all(|c| c.is_ascii_digit()))
            };
            words.any(|word| SOURCE_WORDS.contains(&word.trim_end_matches('s')) || SOURCE_WORDS.contains(&word))
                || lower.split('[').skip(1).any(bracketed)
        }
    }
}

fn names_source(value: &Value) -> bool {
    match value {
        Value::Array(elements) => elements.iter().any(names_source),
        Value::Object(entries) => entries.iter().any(|(key, value)| {
            let named = SOURCE_FIELDS.contains(&key.as_str())
                && match value {
                    Value::String(text) => !text.trim().is_empty(),
                    other => other.is_number(),
                };
            named || names_source(value)
        }),
        _ => false,
    }
}
