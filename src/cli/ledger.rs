//! `defendable ledger`: what was recorded, as the service tells it or from the store itself.

use super::{
    Failure, Group,
    client::{Api, show},
    progress, say,
};
use crate::{
    config::{self, Remote},
    store::verify::{self, Fault, Report},
};
use clap::{ArgMatches, Args, Command, FromArgMatches, Subcommand, parser::ValueSource};
use std::path::PathBuf;

/// What to do with the ledger.
#[derive(Debug, Subcommand)]
pub enum Ledger {
    /// List the organisation's receipts, in the order of their chain
    Ls,
    /// Verify the ledger; exit code 1 when anything does not hold
    ///
    /// Asks the service to walk the chain of the organisation's receipts. With --data, --database-url or --known it reads a
    /// store itself instead, without the service: every event and receipt of every organisation. DEFENDABLE_DATA and
    /// DEFENDABLE_DATABASE_URL name a store too, unless --api or DEFENDABLE_API names a service.
    Verify(Box<Verify>),
}

/// How to verify.
#[derive(Debug, Args)]
pub struct Verify {
    /// Which store; it may be in use
    #[command(flatten)]
    pub store: Named,
    /// What an earlier `ledger verify --json` of a store printed, kept elsewhere: its heads must be in this ledger
    #[arg(long, value_name = "FILE")]
    pub known: Option<PathBuf>,
}

/// A store, and whether somebody named it.
#[derive(Debug)]
pub struct Named {
    store: config::Store,
    by: Option<ValueSource>,
}

impl Named {
    /// The store, where it is a store that is meant and not the service.
    fn meant(&self, remote: &Remote) -> Option<&config::Store> {
        let meant = match self.by {
            Some(ValueSource::CommandLine) => true,
            Some(ValueSource::EnvVariable) => remote.named().is_none(),
            _ => false,
        };
        meant.then_some(&self.store)
    }
}

impl FromArgMatches for Named {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let named = ["data", "database_url"].map(|name| matches.value_source(name));
        let by = |source| named.contains(&Some(source)).then_some(source);
        let by = by(ValueSource::CommandLine).or_else(|| by(ValueSource::EnvVariable));
        Ok(Self { store: config::Store::from_arg_matches(matches)?, by })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for Named {
    fn augment_args(command: Command) -> Command {
        config::Store::augment_args(command)
    }

    fn augment_args_for_update(command: Command) -> Command {
        config::Store::augment_args_for_update(command)
    }
}

/// Reads the ledger.
pub(super) async fn run(Group { remote, command }: &Group<Ledger>) -> Result<(), Failure> {
    match command {
        Ledger::Ls => list(remote).await,
        Ledger::Verify(options) => match options.store.meant(remote) {
            Some(store) => verify_store(remote, store, options).await,
            None if options.known.is_some() => verify_store(remote, &options.store.store, options).await,
            None => ask(remote).await,
        },
    }
}

async fn list(remote: &Remote) -> Result<(), Failure> {
    let entries = Api::signed_in(remote)?.list(&["ledger"], &[], "entries", None).await?;
    let columns: [show::Column; 5] = [
        ("NUMBER", |entry| show::field(entry, "org_seq")),
        ("RECEIPT", |entry| show::field(entry, "receipt_id")),
        ("SHA-256", |entry| show::hash(entry, "receipt_sha256")),
        ("PARENT", |entry| show::hash(entry, "parent_hash")),
        ("MINTED", |entry| show::field(entry, "created_at")),
    ];
    show::list(remote, &entries, &columns, "There are no receipts yet.")
}

/// Has the service walk the organisation's receipts.
async fn ask(remote: &Remote) -> Result<(), Failure> {
    let walked = Api::signed_in(remote)?.get(&["ledger", "verify"], &[]).await?;
    show::record(remote, &walked, |walked| {
        let checked = show::field(walked, "receipts_checked");
        let errors = walked["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
        let columns: [show::Column; 2] =
            [("NUMBER", |error| show::field(error, "org_seq")), ("ERROR", |error| show::field(error, "error"))];
        if errors.is_empty() {
            format!("{checked} receipts checked.")
        } else {
            format!("{checked} receipts checked.\n\n{}", show::table(errors, &columns))
        }
    })?;
    if walked["ok"] == true { Ok(()) } else { Err("NOT VERIFIED: the chain of receipts does not hold".into()) }
}

/// Walks every chain of a store.
async fn verify_store(remote: &Remote, store: &config::Store, options: &Verify) -> Result<(), Failure> {
    let known = match &options.known {
        None => vec![],
        Some(file) => {
            let wrong = |error: String| Failure::usage(format_args!("{}: {error}", file.display()));
            let text = std::fs::read(file).map_err(|error| wrong(error.to_string()))?;
            serde_json::from_slice::<Report>(&text).map_err(|error| wrong(error.to_string()))?.heads
        }
    };
    let bar = progress::bar("verifying");
    let report = verify::verify(&store.target(), &known, |done, of| progress::show(&bar, done, of)).await?;
    bar.finish_and_clear();
    if remote.json {
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
        count => Err(format!("the ledger does not hold: {count} faults").into()),
    }
}
