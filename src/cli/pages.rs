//! `defendable completions` and `defendable man`: what a shell and a reader know of the commands.

use super::{Cli, Failure, say};
use clap::{Args, CommandFactory};
use clap_complete::Shell;
use std::path::PathBuf;

/// For which shell.
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}

/// Where to.
#[derive(Debug, Args)]
pub struct Man {
    /// The folder, which is made where it is missing
    pub dir: PathBuf,
}

/// Prints the completions.
pub(super) fn completions(Completions { shell }: &Completions) {
    let mut script = Vec::new();
    clap_complete::generate(*shell, &mut Cli::command(), "defendable", &mut script);
    say(String::from_utf8_lossy(&script).trim_end());
}

/// Writes a page for every command.
pub(super) fn man(Man { dir }: &Man) -> Result<(), Failure> {
    let at = |error: std::io::Error| Failure::from(format!("{}: {error}", dir.display()));
    std::fs::create_dir_all(dir).map_err(at)?;
    clap_mangen::generate_to(Cli::command(), dir).map_err(at)?;
    say(format_args!(
        "The pages are in {}; `man -l {}` shows the first.",
        dir.display(),
        dir.join("defendable.1").display()
    ));
    Ok(())
}
