use super::*;
use crate::{
    Decider,
    rulebooks::vocabulary::CheckStatus,
    runs::{
        RunEvent, SealedReceipt,
        tests::fixtures::{self, *},
        verdict::Verdict,
    },
};
use proof::{canonical, digest::sha256, receipt::genesis};
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn coordinates() -> Coordinates {
    Coordinates {
        receipt_id: "DCR-000000-0a1b2c3d".into(),
        org_seq: 0,
        parent_hash: genesis(),
        created_at: at(700),
        share_url: "https://example.org/share/a1B2c3D4e5F6g7H8i9J0k1L2".into(),
    }
}

fn surroundings() -> Surroundings {
    Surroundings {
        organization: Organization { id: id(61), name: "example.com".into() },
        project: Project { id: opened(None).project, name: "Prüfung".into() },
        approver: "judge@example.com".into(),
        events: Events { org_position: 12, hash: Blake3Hex::ZERO },
    }
}

fn payload(run: &Run) -> Value {
    let payload = Payload::of(run, coordinates(), surroundings()).expect("an approved run has a receipt");
    serde_json::to_value(payload).expect("can be written")
}

/// Two submissions, a piece of evidence, a flag that a person raised, and a note with the approval.
fn eventful() -> Run {
    let mut run = Standing::Submitted.run();
    let checks = {
        let mut checks = open();
        checks[1].graded(CheckStatus::Flag, Some("too bold".into()));
        checks[2].graded(CheckStatus::Pass, None);
        checks
    };
    for event in [
        RunEvent::EvidenceAttached(evidence(1)),
        RunEvent::WorkSubmitted(Box::new(submission(2))),
        audited(1, 2, open()),
        RunEvent::CheckGraded { ordinal: 1, status: CheckStatus::Flag, detail: Some("too bold".into()) },
        graded(2, CheckStatus::Pass),
        RunEvent::VerdictFinalized(Box::new(verdict_on(&checks))),
        RunEvent::DecisionRecorded(crate::runs::Approval {
            decision: ApprovalDecision::Approved,
            approver: fixtures::judge(),
            note: Some("fine".into()),
            decided_at: at(600),
        }),
    ] {
        run.evolve(&event);
    }
    run
}

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().into_iter().flatten().map(|(key, _)| key.as_str()).collect()
}

#[test]
fn it_says_all_that_a_receipt_has_to_say() {
    let payload = payload(&eventful());
    let fields: [(&str, &[&str]); 14] = [
        (
            "",
            &[
                "schema",
                "receipt_id",
                "org_seq",
                "parent_hash",
                "created_at",
                "share_url",
                "organization",
                "run",
                "flight_sheet",
                "assignment",
                "submission",
                "evidence",
                "findings",
                "verdict",
                "approval",
                "ownership",
                "engine",
                "events",
                "agent_profile",
            ],
        ),
        ("/organization", &["id", "name"]),
        ("/run", &["id", "title", "lane", "project", "inputs_sha256"]),
        ("/run/project", &["id", "name"]),
        ("/flight_sheet", &["id", "slug", "name", "version", "content_sha256"]),
        ("/assignment", &["title", "sha256"]),
        ("/submission", &["agent_name", "model_name", "provider", "sha256", "round", "earlier", "submitted_at"]),
        ("/evidence/0", &["id", "kind", "label", "sha256", "byte_size", "content_type"]),
        (
            "/findings/0",
            &[
                "id",
                "key",
                "check_key",
                "label",
                "category",
                "kind",
                "source",
                "status",
                "severity",
                "tier",
                "detail",
                "expected",
                "found",
                "remedy",
            ],
        ),
        (
            "/verdict",
            &[
                "outcome",
                "severity",
                "score_100",
                "checks_passed",
                "checks_failed",
                "checks_skipped",
                "client_ready",
                "next_action",
                "recommended_action",
                "summary",
                "risk_breakdown",
                "threshold_band",
            ],
        ),
        ("/approval", &["decision", "approver", "approver_user_id", "note", "approved_at"]),
        ("/ownership", &["agent_created", "audited_by", "referee_logic", "final_authority", "approval"]),
        ("/engine", &["name", "version"]),
        ("/events", &["org_position", "hash"]),
    ];
    for (place, expected) in fields {
        let found = payload.pointer(place).unwrap_or_else(|| unreachable!("nothing at {place}"));
        assert_eq!(keys(found), expected.iter().copied().collect(), "at {place:?}");
    }
}

#[test]
fn it_says_what_happened_to_the_run() {
    let payload = payload(&eventful());
    for (place, expected) in [
        ("/schema", json!("defendable.eval-receipt/v1")),
        ("/receipt_id", json!("DCR-000000-0a1b2c3d")),
        ("/org_seq", json!(0)),
        ("/parent_hash", json!("0".repeat(64))),
        ("/created_at", json!("2026-03-01T00:11:40Z")),
        ("/run/id", json!(run_id())),
        ("/run/lane", json!("agent")),
        ("/run/project/name", json!("Prüfung")),
        ("/run/inputs_sha256", json!(sha256(b"{}"))),
        ("/flight_sheet/content_sha256", json!(sheet().content_sha256)),
        ("/assignment/sha256", json!(sha256(b"the assignment"))),
        ("/submission/round", json!(2)),
        ("/submission/sha256", json!(submission(2).sha256)),
        ("/submission/earlier", json!([submission(1).sha256])),
        ("/submission/agent_name", json!("analyst-1")),
        ("/submission/model_name", Value::Null),
        ("/evidence/0/sha256", json!(evidence(1).sha256())),
        ("/evidence/0/byte_size", json!(17)),
        ("/evidence/0/content_type", json!("text/plain")),
        ("/findings/0/check_key", json!("dscr_gate")),
        ("/findings/0/key", json!("dscr_gate")),
        ("/findings/1/source", json!("operator")),
        ("/findings/1/status", json!("flag")),
        ("/findings/1/tier", json!("low")),
        ("/findings/1/detail", json!("too bold")),
        ("/findings/2/status", json!("pass")),
        ("/verdict/severity", json!("honey")),
        ("/verdict/risk_breakdown", json!({"high": [], "mid": [], "low": ["The rule tone"]})),
        ("/approval/decision", json!("approved")),
        ("/approval/approver", json!("judge@example.com")),
        ("/approval/note", json!("fine")),
        ("/approval/approved_at", json!("2026-03-01T00:10:00Z")),
        ("/ownership/final_authority", json!("judge@example.com")),
        ("/ownership/referee_logic", json!("CRE memo v1.0")),
        ("/engine", json!({"name": "referee", "version": "1"})),
        ("/events/org_position", json!(12)),
        ("/agent_profile", Value::Null),
    ] {
        assert_eq!(payload.pointer(place), Some(&expected), "{place}");
    }
    let ids: Vec<_> = eventful().checks().map(|(id, _)| json!(id)).collect();
    let sealed: Vec<_> = (0..3).filter_map(|at| payload.pointer(&format!("/findings/{at}/id")).cloned()).collect();
    assert_eq!(sealed, ids, "every check is sealed, in its order, and not only the flags");
}

#[test]
fn it_has_a_canonical_form_without_floats_and_with_keys_in_ascii() {
    let bytes = canonical::to_vec(&Payload::of(&eventful(), coordinates(), surroundings()).expect("has a receipt"))
        .expect("the strict profile takes it: integers only, keys in ASCII");
    assert_eq!(canonical::check(&bytes), Ok(()));
    assert_eq!(serde_json::from_slice::<Value>(&bytes).expect("is JSON"), payload(&eventful()));
    // Sorted and without white space is its form by RFC 8785, as anyone can make it again.
    assert_eq!(serde_json::to_vec(&payload(&eventful())).expect("can be written"), bytes);
}

/// A stack as an audit saw it.
fn stack() -> crate::agents::lanes::Stack {
    use crate::agents::{Cents, Governance, Profile, lanes::Counts};
    let governance = Governance {
        requires_approval_client_output: true,
        spend_cap: Cents::of_dollars(12.5),
        blocked_lanes: vec!["Bid review".into()],
        notes: None,
    };
    let profile = Profile {
        name: "memo analyst".into(),
        model: Some("m-2".into()),
        context_window: Some(200_000),
        governance: Some(governance),
        ..Profile::default()
    };
    crate::agents::lanes::Stack { id: id(51), profile, active: true, created_at: at(0), standing: Counts::default() }
}

const PROFILE_KEYS: [&str; 17] = [
    "id",
    "name",
    "harness",
    "harness_version",
    "model",
    "model_provider",
    "served_by",
    "runtime_host",
    "runtime_os",
    "runtime_hardware",
    "tools",
    "context_window",
    "capability_tier",
    "notes",
    "governance",
    "active",
    "created_at",
];

#[test]
fn it_has_the_whole_profile_as_the_audit_saw_it() {
    let mut run = eventful();
    run.head.audit.as_mut().expect("audited").stack = Some(Box::new(stack()));
    let sealed = payload(&run)["agent_profile"].clone();
    assert_eq!(keys(&sealed), PROFILE_KEYS.into());
    assert_eq!((&sealed["model"], &sealed["harness"], &sealed["tools"]), (&json!("m-2"), &Value::Null, &json!([])));
    let governance = json!({
        "requires_approval_client_output": true, "spend_cap_usd": "12.50", "blocked_lanes": ["Bid review"], "notes": null
    });
    assert_eq!(sealed["governance"], governance, "an amount is a text: no floats");
    let payload = Payload::of(&run, coordinates(), surroundings()).expect("has a receipt");
    assert!(canonical::to_vec(&payload).is_ok());
}

#[test]
fn the_receipt_of_an_incident_says_what_happened() {
    use crate::{
        agents::incident::{Incident, IncidentEvent, Opened},
        rulebooks::vocabulary::IncidentKind,
    };
    let opened = Opened {
        id: id(71),
        profile: Some(stack().id),
        run: None,
        kind: IncidentKind::Rogue,
        tier: TierLevel::High,
        title: "outside of its grant".into(),
        detail: None,
        lane: Some("CRE memo".into()),
        response: vec!["called back".into()],
    };
    let mut incident = Incident::default();
    let sealed = |incident: &Incident, profile| {
        let around = surroundings();
        IncidentPayload::of(incident, coordinates(), around.organization, profile, at(3), around.events)
    };
    assert!(sealed(&incident, None).is_err(), "there is none");
    incident.evolve(&IncidentEvent::IncidentOpened(Box::new(opened)));
    let payload = sealed(&incident, Some(SealedProfile::of(&stack()))).expect("an incident");
    let bytes = canonical::to_vec(&payload).expect("has a canonical form");
    assert_eq!(canonical::check(&bytes), Ok(()));
    let said: Value = serde_json::from_slice(&bytes).expect("is JSON");
    let expected = json!({
        "schema": "defendable.incident-receipt/v1",
        "receipt_id": "DCR-000000-0a1b2c3d",
        "org_seq": 0,
        "parent_hash": "0".repeat(64),
        "created_at": "2026-03-01T00:11:40Z",
        "share_url": "https://example.org/share/a1B2c3D4e5F6g7H8i9J0k1L2",
        "organization": {"id": surroundings().organization.id, "name": "example.com"},
        "incident": {
            "id": incident.opened().expect("there").id, "kind": "rogue", "tier": "high",
            "title": "outside of its grant", "detail": null, "lane": "CRE memo", "response": ["called back"],
            "status": "open", "run_id": null, "opened_at": "2026-03-01T00:00:03Z",
        },
        "agent_profile": SealedProfile::of(&stack()),
        "events": {"org_position": 12, "hash": "0".repeat(64)},
    });
    assert_eq!(said, expected);
    incident.evolve(&IncidentEvent::IncidentResolved {});
    let resolved = serde_json::to_value(sealed(&incident, None).expect("an incident")).expect("can be written");
    assert_eq!(resolved.pointer("/incident/status"), Some(&json!("resolved")));
    assert_eq!(resolved["agent_profile"], Value::Null);
}

#[test]
fn it_has_no_hash_of_its_own() {
    assert!(payload(&eventful()).get("receipt_sha256").is_none());
}

#[test]
fn the_longest_texts_and_greatest_numbers_have_a_canonical_form_too() {
    let mut run = eventful();
    let opened = run.head.opened.as_mut().expect("open");
    opened.title = "\u{0}\"\\\u{1f600}".repeat(100);
    let verdict: &mut Verdict = run.head.verdict.as_mut().expect("a verdict");
    verdict.checks_passed = u32::MAX;
    let at = Coordinates { org_seq: canonical::MAX_SAFE_INTEGER, ..coordinates() };
    let payload = Payload::of(&run, at, surroundings()).expect("has a receipt");
    assert!(canonical::to_vec(&payload).is_ok());
}

#[test]
fn only_an_approved_run_has_one() {
    let receipt_of = |standing: Standing| Payload::of(&standing.run(), coordinates(), surroundings()).map(drop);
    for standing in Standing::ALL {
        let expected = match standing {
            Standing::Unopened => Err(RunRefusal::Unknown),
            Standing::Draft | Standing::Issued | Standing::Submitted | Standing::Audited | Standing::Graded => {
                Err(RunRefusal::NoVerdict)
            }
            Standing::FindingsReady | Standing::Rejected | Standing::Escalated => Err(RunRefusal::NotApproved),
            Standing::Approved => Ok(()),
            Standing::Receipted => Err(RunRefusal::Closed),
        };
        assert_eq!(receipt_of(standing), expected, "{standing:?}");
    }
    let mut sealed = eventful();
    sealed.evolve(&RunEvent::ReceiptSealed(SealedReceipt { ..receipt() }));
    assert_eq!(Payload::of(&sealed, coordinates(), surroundings()).map(drop), Err(RunRefusal::Closed));
}
