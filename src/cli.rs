//! How a terminal reaches the service.

pub mod ledger;
pub mod openapi;
mod progress;
pub mod serve;
pub mod store;

use crate::config;
use clap::{Parser, Subcommand};
use std::{
    fmt,
    io::{self, Write},
    process::ExitCode,
};

/// Governance, risk and compliance on a tamper-evident ledger
#[derive(Debug, Parser)]
#[command(name = "defendable", version, propagate_version = true, arg_required_else_help = true)]
pub struct Cli {
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start the service
    Serve(Box<config::Serve>),
    /// Bring a store's tables up to date, as the owner that DEFENDABLE_MIGRATE_URL names
    Migrate(store::Migrate),
    /// Work on the read models of a store
    #[command(subcommand)]
    Projections(store::Projections),
    /// Work on the ledger of a store
    #[command(subcommand)]
    Ledger(ledger::Ledger),
    /// Print the API description (OpenAPI 3.1)
    Openapi,
}

/// Why a command failed: one sentence for the terminal.
#[derive(Debug)]
pub struct Failure {
    /// What happened.
    pub sentence: String,
    /// The exit code: 1 refused or not verified, 2 not signed in or wrong usage.
    pub code: u8,
}

impl<E: fmt::Display> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { sentence: error.to_string(), code: 1 }
    }
}

/// Runs the command of this process.
pub async fn run() -> ExitCode {
    // Wrong usage ends here, with clap's own message and code 2.
    let outcome = match Cli::parse().command {
        Command::Serve(settings) => serve::run(&settings).await,
        Command::Migrate(options) => store::migrate(&options).await,
        Command::Projections(command) => store::projections(&command).await,
        Command::Ledger(command) => ledger::run(&command).await,
        Command::Openapi => openapi::run().await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Where standard error is gone there is nobody left to tell.
            let _ = writeln!(io::stderr(), "defendable: {}", failure.sentence);
            ExitCode::from(failure.code)
        }
    }
}

/// Prints a line; an output that is gone (a closed pipe) is no failure of the command.
fn say(text: impl fmt::Display) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_tree_of_commands_holds_together() {
        Cli::command().debug_assert();
    }
}
