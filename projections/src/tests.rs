//! What the read models hold after some events, without a database.

mod documents;
mod folding;
mod tables;

use crate::model::Cell;
use crate::{Happened, Model, Recorded, models};
use serde_json::Value;
use std::collections::BTreeMap;

/// One event of every kind and form, as it lies on ledgers.
const STORED: &str = include_str!("../../aggregates/tests/stored_events.txt");

pub(crate) const ORG: &str = "0190a5b4-c3d2-7000-8000-0000000000aa";
pub(crate) const OTHER_ORG: &str = "0190a5b4-c3d2-7000-8000-0000000000bb";
/// The person of the stored events.
pub(crate) const PERSON: &str = "0190a5b4-c3d2-7000-8000-000000000015";
pub(crate) const PROJECT: &str = "0190a5b4-c3d2-7000-8000-000000000029";
pub(crate) const RUN: &str = "0190a5b4-c3d2-7000-8000-000000000001";
/// The profile, and the incident, of the stored events.
pub(crate) const PROFILE: &str = PROJECT;
pub(crate) const EVIDENCE: &str = "0190a5b4-c3d2-7000-8000-000000000065";

/// An event, to be placed on a ledger.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) org: &'static str,
    pub(crate) aggregate_type: &'static str,
    pub(crate) aggregate_id: String,
    pub(crate) actor: String,
    pub(crate) payload: &'static str,
}

/// The stored events as (type, name, payload).
pub(crate) fn stored() -> Vec<(&'static str, &'static str, &'static str)> {
    STORED
        .lines()
        .filter_map(|line| {
            let (kind, rest) = line.split_once(' ')?;
            let (name, payload) = rest.split_once(' ')?;
            Some((kind, name, payload))
        })
        .collect()
}

/// The stored event of this name; where there are several, the one at this place.
pub(crate) fn stored_event(name: &str, at: usize) -> (&'static str, &'static str) {
    let (kind, _, payload) = stored().into_iter().filter(|event| event.1 == name).nth(at).expect("is stored");
    (kind, payload)
}

/// The event of this name, happening to the aggregate.
pub(crate) fn entry(org: &'static str, id: &str, name: &str, at: usize) -> Entry {
    let (aggregate_type, payload) = stored_event(name, at);
    Entry { org, aggregate_type, aggregate_id: format!("{org}/{id}"), actor: "service".into(), payload }
}

/// The ledger on which these were recorded, a minute apart.
pub(crate) fn ledger(entries: &[Entry]) -> Vec<Recorded<'_>> {
    let mut sequences = BTreeMap::new();
    entries
        .iter()
        .zip(1..)
        .map(|(entry, position)| {
            let sequence = sequences.entry((entry.aggregate_type, &entry.aggregate_id)).or_insert(0);
            *sequence += 1;
            Recorded {
                position,
                org_id: entry.org,
                aggregate_id: &entry.aggregate_id,
                sequence: *sequence,
                actor: &entry.actor,
                recorded_at: 1_772_323_200_000_000 + 60_000_000 * position,
                happened: Happened::read(entry.aggregate_type, entry.payload).expect("a stored event reads"),
            }
        })
        .collect()
}

/// A row, by its table, organisation and id.
pub(crate) type Key = (&'static str, String, String);

/// The rows of every read model: position, document and cells.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Tables(pub(crate) BTreeMap<Key, (i64, String, Vec<Cell>)>);

impl Tables {
    /// Folds a batch, as a store does: each row is read once, unless the batch makes it, folded, and written once.
    pub(crate) fn fold(&mut self, events: &[Recorded<'_>]) {
        for model in models() {
            let mut touched: BTreeMap<(&str, String), (bool, Vec<&Recorded<'_>>)> = BTreeMap::new();
            for event in events {
                for row in model.touches(event) {
                    touched.entry((event.org_id, row.id)).or_insert((row.is_new, vec![])).1.push(event);
                }
            }
            for ((org, id), (is_new, events)) in touched {
                self.fold_row(&model, (model.table.name, org.to_owned(), id), is_new, &events);
            }
        }
    }

    fn fold_row(&mut self, model: &Model, key: Key, is_new: bool, events: &[&Recorded<'_>]) {
        let before = if is_new { None } else { self.0.get(&key).map(|(_, doc, _)| doc.as_str()) };
        match model.fold(&key.2, before, events).expect("a document reads back") {
            Some((doc, cells)) => {
                let position = events.last().map_or(0, |event| event.position);
                self.0.insert(key, (position, doc, cells));
            }
            None => {
                self.0.remove(&key);
            }
        }
    }

    /// The row's document and cells.
    pub(crate) fn row(&self, table: &'static str, org: &str, id: &str) -> Option<(Value, &[Cell])> {
        let (_, doc, cells) = self.0.get(&(table, org.to_owned(), id.to_owned()))?;
        Some((serde_json::from_str(doc).expect("is JSON"), cells))
    }
}
