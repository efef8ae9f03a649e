//! Events as they lie on ledgers. They are read for as long as there is a ledger: when a shape no longer fits its line in
//! `stored_events.txt`, the event needs a new version and an upcaster. Lines are added there, never changed.

use aggregates::{
    Decider, Fact,
    agents::{AgentProfile, incident::Incident},
    identity::{api_key::ApiKey, organisation::Organisation, user::User},
    ledger::Receipt,
    rulebooks::flight_sheet::FlightSheet,
    runs::{Run, project::Project},
};
use std::collections::BTreeSet;

/// An event that is read and written again, and its name and version.
fn again<D: Decider>(payload: &str) -> (String, &'static str, &'static str) {
    let event: D::Event = serde_json::from_str(payload).unwrap_or_else(|error| unreachable!("{payload}: {error}"));
    // What has happened is taken in whatever came before.
    D::default().evolve(&event);
    let written = serde_json::to_string(&event).unwrap_or_default();
    (written, event.name(), D::Event::VERSION)
}

#[test]
fn an_event_is_read_and_written_as_it_always_was() {
    let mut seen = BTreeSet::new();
    for line in include_str!("stored_events.txt").lines() {
        let (kind, rest) = line.split_once(' ').unwrap();
        let (name, payload) = rest.split_once(' ').unwrap();
        let again = match kind {
            Organisation::TYPE => again::<Organisation>(payload),
            User::TYPE => again::<User>(payload),
            ApiKey::TYPE => again::<ApiKey>(payload),
            FlightSheet::TYPE => again::<FlightSheet>(payload),
            Project::TYPE => again::<Project>(payload),
            Run::TYPE => again::<Run>(payload),
            AgentProfile::TYPE => again::<AgentProfile>(payload),
            Incident::TYPE => again::<Incident>(payload),
            Receipt::TYPE => again::<Receipt>(payload),
            other => unreachable!("{other} is no aggregate"),
        };
        assert_eq!(again, (payload.to_owned(), name, "1"));
        seen.insert(name);
    }
    let expected = [
        "organisation_founded",
        "member_added",
        "member_role_changed",
        "member_deactivated",
        "member_reactivated",
        "member_removed",
        "member_invited",
        "invitation_withdrawn",
        "invitation_accepted",
        "settings_changed",
        "user_registered",
        "user_renamed",
        "user_erased",
        "api_key_issued",
        "api_key_revoked",
        "sheet_published",
        "sheet_used",
        "sheet_retired",
        "project_created",
        "run_opened",
        "evidence_attached",
        "work_submitted",
        "rulebook_applied",
        "check_graded",
        "verdict_finalized",
        "decision_recorded",
        "receipt_sealed",
        "receipt_minted",
        "profile_created",
        "profile_revised",
        "profile_retired",
        "profile_reinstated",
        "lane_locked",
        "incident_opened",
        "incident_resolved",
        "incident_sealed",
        "profile_evaluated",
    ];
    assert_eq!(seen, expected.into());
}
