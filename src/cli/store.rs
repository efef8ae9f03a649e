//! `defendable migrate` and `defendable projections`: the store itself, without the service.

use super::{Failure, progress, say};
use crate::{config, store};
use clap::{Args, Subcommand};
use serde_json::json;

/// What to do with which store.
#[derive(Debug, Args)]
pub struct Migrate {
    /// Which store
    #[command(flatten)]
    pub store: config::Store,
    /// Answer with one JSON object
    #[arg(long)]
    pub json: bool,
}

/// What to do with the read models.
#[derive(Debug, Subcommand)]
pub enum Projections {
    /// Build every read model anew from the events; readers see the old ones until the new ones are complete
    Rebuild(Migrate),
    /// Compare every row of every read model with what the events say; exit code 1 when any differs
    Check(Migrate),
}

/// Brings the tables up to date, and the read models that are due.
pub(super) async fn migrate(Migrate { store, json }: &Migrate) -> Result<(), Failure> {
    let bar = progress::bar("building");
    let built = store::migrate(&store.target(), &projections::models(), |reached, of| {
        progress::show(&bar, reached.unsigned_abs(), of.unsigned_abs());
    })
    .await?;
    bar.finish_and_clear();
    match (json, built.as_slice()) {
        (true, built) => say(json!({"built": built})),
        (false, []) => say("The tables and the read models are up to date."),
        (false, built) => say(format_args!("The tables are up to date; built {}.", built.join(", "))),
    }
    Ok(())
}

/// Builds or compares the read models.
pub(super) async fn projections(command: &Projections) -> Result<(), Failure> {
    match command {
        Projections::Rebuild(options) => rebuild(options).await,
        Projections::Check(options) => check(options).await,
    }
}

async fn rebuild(Migrate { store, json }: &Migrate) -> Result<(), Failure> {
    let models = projections::models();
    let bar = progress::bar("rebuilding");
    let mut events = 0;
    store::rebuild(&store.target(), &models, |reached, of| {
        events = reached;
        progress::show(&bar, reached.unsigned_abs(), of.unsigned_abs());
    })
    .await?;
    bar.finish_and_clear();
    if *json {
        say(json!({"events": events, "read_models": models.len()}));
    } else {
        say(format_args!("Rebuilt {} read models from {events} events.", models.len()));
    }
    Ok(())
}

async fn check(Migrate { store, json }: &Migrate) -> Result<(), Failure> {
    let models = projections::models();
    let bar = progress::bar("comparing");
    let mut events = 0;
    let differences = store::compare(&store.target(), &models, |reached, of| {
        events = reached;
        progress::show(&bar, reached.unsigned_abs(), of.unsigned_abs());
    })
    .await?;
    bar.finish_and_clear();
    if *json {
        say(json!({"ok": differences.is_empty(), "events": events, "differences": differences}));
    } else {
        for each in &differences {
            let store::Difference { model, org_id, id, field, expected, found } = each;
            let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
            say(format_args!(
                "{model} {id} of {org_id}, {field}: expected {}, found {}",
                shown(expected),
                shown(found)
            ));
        }
    }
    match differences.len() {
        0 if *json => Ok(()),
        0 => {
            say(format_args!("{} read models say what {events} events say.", models.len()));
            Ok(())
        }
        count => Err(format!("read models differ from the events in {count} places").into()),
    }
}
