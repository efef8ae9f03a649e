//! What a command reads: files and pipes.

use crate::cli::Failure;
use serde::de::DeserializeOwned;
use std::{
    fs,
    io::{IsTerminal, Read, stdin},
    path::Path,
};

/// The name that stands for standard input.
pub(super) const STDIN: &str = "-";

/// The bytes of a file, or of standard input where the name is `-`.
pub(super) fn bytes(name: &str) -> Result<Vec<u8>, Failure> {
    let bytes = if name == STDIN { piped() } else { fs::read(name) };
    bytes.map_err(|error| Failure::usage(format_args!("{}: {error}", shown(name))))
}

/// The text of a file, or of standard input where the name is `-`.
pub(super) fn text(name: &str) -> Result<String, Failure> {
    String::from_utf8(bytes(name)?).map_err(|_| Failure::usage(format_args!("{} is not UTF-8 text", shown(name))))
}

/// The JSON of a file, or of standard input where the name is `-`; as a `RawValue` exactly as it was written.
pub(super) fn json<T: DeserializeOwned>(name: &str) -> Result<T, Failure> {
    serde_json::from_str(&text(name)?)
        .map_err(|error| Failure::usage(format_args!("{} is not JSON: {error}", shown(name))))
}

/// A text that was given; where it is `-`, standard input.
pub(super) fn given(text_or_dash: &str) -> Result<String, Failure> {
    if text_or_dash == STDIN { text(STDIN) } else { Ok(text_or_dash.to_owned()) }
}

/// The label and the file of `LABEL=FILE`.
pub(super) fn labelled(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once('=') {
        Some((label, file)) if !label.is_empty() && !file.is_empty() => Ok((label.to_owned(), file.to_owned())),
        _ => Err("a label, `=` and a file are allowed"),
    }
}

/// Whether nothing is piped in, so that reading would wait for a person to type.
pub(super) fn is_terminal() -> bool {
    stdin().is_terminal()
}

/// What a file is called, without its folders.
pub(super) fn name_of(path: &Path) -> String {
    path.file_name().map_or_else(|| "file".to_owned(), |name| name.to_string_lossy().into_owned())
}

fn piped() -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    stdin().lock().read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn shown(name: &str) -> &str {
    if name == STDIN { "standard input" } else { name }
}
