//! However events are delivered, the documents come out the same.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

/// Events that begin their stream; no others may come first, and they come once.
const BEGINNINGS: [&str; 9] = [
    "organisation_founded",
    "user_registered",
    "api_key_issued",
    "sheet_published",
    "project_created",
    "run_opened",
    "receipt_minted",
    "profile_created",
    "incident_opened",
];

/// A ledger on which nothing happens to what does not exist, and nothing is made twice.
fn ledgers() -> impl Strategy<Value = Vec<Entry>> {
    let events = stored();
    let one = (0..events.len(), prop::sample::select(&[ORG, OTHER_ORG][..]), 0..2_usize);
    prop::collection::vec(one, 1..120).prop_map(move |picks| {
        let mut begun = BTreeSet::new();
        picks
            .into_iter()
            .filter_map(|(event, org, which)| {
                let (aggregate_type, name, payload) = events[event];
                let id = match aggregate_type {
                    "organisation" => org,
                    "project" => PROJECT,
                    "agent_profile" => PROFILE,
                    "receipt" => ["000000000000", "000000000001"][which],
                    _ => [RUN, PERSON][which],
                };
                let aggregate_id = format!("{org}/{id}");
                let begins = BEGINNINGS.contains(&name);
                let is_new = !begun.contains(&(aggregate_type, aggregate_id.clone()));
                if begins != is_new {
                    return None;
                }
                begun.insert((aggregate_type, aggregate_id.clone()));
                Some(Entry { org, aggregate_type, aggregate_id, actor: "service".into(), payload })
            })
            .collect()
    })
}

/// The events folded in batches that end where the cuts say.
fn in_batches(events: &[Recorded<'_>], cuts: &[bool]) -> Tables {
    let mut tables = Tables::default();
    let mut from = 0;
    for at in 0..events.len() {
        if at + 1 == events.len() || cuts.get(at).copied().unwrap_or(true) {
            tables.fold(&events[from..=at]);
            from = at + 1;
        }
    }
    tables
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn batches_make_no_difference(entries in ledgers(), cuts in prop::collection::vec(any::<bool>(), 120)) {
        let events = ledger(&entries);
        let one_by_one = in_batches(&events, &[]);
        prop_assert_eq!(&in_batches(&events, &vec![false; events.len()]), &one_by_one, "all at once");
        prop_assert_eq!(&in_batches(&events, &cuts), &one_by_one, "cut anywhere");
    }

    #[test]
    fn organisations_do_not_touch_one_another(entries in ledgers()) {
        let events = ledger(&entries);
        let all = in_batches(&events, &[]);
        let own: Vec<_> = events.into_iter().filter(|event| event.org_id == ORG).collect();
        let alone = in_batches(&own, &[]);
        let of_the_org = all.0.into_iter().filter(|((_, org, _), _)| org == ORG).collect();
        prop_assert_eq!(alone, Tables(of_the_org));
    }
}

#[test]
fn a_model_makes_as_many_cells_as_its_table_has_columns_and_of_their_kinds() {
    use crate::model::CellKind;
    let entries = documents::history();
    let mut tables = Tables::default();
    tables.fold(&ledger(&entries));
    let mut seen = BTreeSet::new();
    for ((table, ..), (_, _, cells)) in &tables.0 {
        let model = models().into_iter().find(|model| model.table.name == *table).expect("is listed");
        let kinds: Vec<_> = model.table.columns.iter().map(|column| column.kind).collect();
        let of_cells: Vec<_> = cells
            .iter()
            .map(|cell| match cell {
                Cell::Text(_) => CellKind::Text,
                Cell::Integer(_) => CellKind::Integer,
            })
            .collect();
        assert_eq!(of_cells, kinds, "{table}");
        seen.insert(*table);
    }
    assert_eq!(seen, models().iter().map(|model| model.table.name).collect(), "the history reaches every model");
}

#[test]
fn a_document_that_cannot_be_read_back_is_named() {
    let entries = [entry(ORG, PERSON, "user_renamed", 0)];
    let events = ledger(&entries);
    let people = models().into_iter().find(|model| model.table.name == "people").expect("is listed");
    let error = people.fold(PERSON, Some("{}"), &[&events[0]]).expect_err("no person");
    assert_eq!((error.table, error.id.as_str()), ("people", PERSON));
}

#[test]
fn an_event_that_is_unknown_or_misshapen_is_refused_and_named() {
    assert_eq!(
        Happened::read("spaceship", "{}").expect_err("unknown").to_string(),
        "events of the type \"spaceship\" are unknown to this version"
    );
    let error = Happened::read("run", r#"{"run_opened":{}}"#).expect_err("misshapen").to_string();
    assert!(error.starts_with("the payload of a run event cannot be read: missing field `id`"), "{error}");
}

#[test]
fn an_event_tells_whose_it_is_and_when() {
    use aggregates::{identity::actor::Actor, ids::RunId};
    let mut entry = entry(ORG, RUN, "run_opened", 0);
    for (actor, by) in [
        ("service", Actor::Service),
        ("no actor at all", Actor::Service),
        ("usr_01j2jv9gyje00800000000000n", Actor::User("usr_01j2jv9gyje00800000000000n".parse().expect("an id"))),
        ("key_01j2jv9gyje00800000000000n", Actor::ApiKey("key_01j2jv9gyje00800000000000n".parse().expect("an id"))),
    ] {
        entry.actor = actor.into();
        let entries = [entry.clone()];
        let event = &ledger(&entries)[0];
        assert_eq!(event.by(), by, "{actor}");
        assert_eq!(
            (event.local_id(), event.id(), event.org().on_ledger().as_str()),
            (RUN, RUN.parse::<RunId>().expect("an id"), ORG)
        );
        assert_eq!(event.time().to_string(), "2026-03-01T00:01:00Z");
    }
}
