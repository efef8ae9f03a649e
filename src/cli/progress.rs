//! How far a long command is, on a terminal only.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{IsTerminal, stderr};

/// A bar on standard error; nothing where that is no terminal.
pub(super) fn bar(what: &'static str) -> ProgressBar {
    let target = if stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(None, target).with_message(what);
    match ProgressStyle::with_template("{msg} {bar:40} {pos} of {len} events, {eta} to go") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// Moves it.
pub(super) fn show(bar: &ProgressBar, reached: u64, of: u64) {
    bar.set_length(of);
    bar.set_position(reached);
}
