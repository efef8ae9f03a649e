//! What a command reads: files and pipes.

use crate::cli::Failure;
use std::{
    fs,
    io::{IsTerminal, Read, stdin},
    path::Path,
};

/// The name that stands for standard input.
pub(super) const STDIN: &str = "-";

/// The text of a file, or of standard input where the name is `-`.
pub(super) fn text(name: &str) -> Result<String, Failure> {
    let bytes = if name == STDIN { piped() } else { fs::read(name) };
    let bytes = bytes.map_err(|error| Failure::usage(format_args!("{}: {error}", shown(name))))?;
    String::from_utf8(bytes).map_err(|_| Failure::usage(format_args!("{} is not UTF-8 text", shown(name))))
}

/// The JSON of a file, or of standard input where the name is `-`.
pub(super) fn json(name: &str) -> Result<serde_json::Value, Failure> {
    serde_json::from_str(&text(name)?)
        .map_err(|error| Failure::usage(format_args!("{} is not JSON: {error}", shown(name))))
}

/// A text that was given; where it is `-`, standard input.
pub(super) fn given(text_or_dash: &str) -> Result<String, Failure> {
    if text_or_dash == STDIN { text(STDIN) } else { Ok(text_or_dash.to_owned()) }
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
