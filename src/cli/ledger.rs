//! `defendable ledger`: what was recorded, without the service.

use super::{Failure, progress, say};
use crate::{
    config,
    store::verify::{self, Fault, Report},
};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// What to do with the ledger.
#[derive(Debug, Subcommand)]
pub enum Ledger {
    /// Verify every event and receipt of every organisation; exit code 1 when anything does not hold
    Verify(Verify),
}

/// How to verify.
#[derive(Debug, Args)]
pub struct Verify {
    /// Which store; it may be in use
    #[command(flatten)]
    pub store: config::Store,
    /// What an earlier `ledger verify --json` printed, kept elsewhere: its heads must be in this ledger
    #[arg(long, value_name = "FILE")]
    pub known: Option<PathBuf>,
    /// Answer with one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Reads the ledger.
pub(super) async fn run(Ledger::Verify(options): &Ledger) -> Result<(), Failure> {
    let known = match &options.known {
        None => vec![],
        Some(file) => {
            let wrong = |error: String| Failure { sentence: format!("{}: {error}", file.display()), code: 2 };
            let text = std::fs::read(file).map_err(|error| wrong(error.to_string()))?;
            serde_json::from_slice::<Report>(&text).map_err(|error| wrong(error.to_string()))?.heads
        }
    };
    let bar = progress::bar("verifying");
    let report = verify::verify(&options.store.target(), &known, |done, of| progress::show(&bar, done, of)).await?;
    bar.finish_and_clear();
    if options.json {
        say(serde_json::to_string(&report)?);
    } else {
        for Fault { place, expected, found, .. } in &report.faults {
            say(format_args!("{place}: expected {expected}, found {found}"));
        }
        if report.ok {
            let (events, receipts, heads) = (report.events, report.receipts, report.heads.len());
            say(format_args!("{events} events and {receipts} receipts in {heads} chains hold."));
        }
    }
    match report.faults_found {
        0 => Ok(()),
        count => Err(Failure { sentence: format!("the ledger does not hold: {count} faults"), code: 1 }),
    }
}
