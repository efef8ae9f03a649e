use super::*;
use crate::{
    runs::tests::fixtures::{id, receipt},
    testing::given,
};

fn new() -> Opened {
    Opened {
        id: id(1),
        profile: Some(id(2)),
        run: None,
        kind: IncidentKind::PolicyViolation,
        tier: TierLevel::High,
        title: "a memo went out".into(),
        detail: None,
        lane: Some("CRE memo".into()),
        response: vec!["called back".into()],
    }
}

fn open(opened: Opened) -> IncidentCommand {
    IncidentCommand::Open(Box::new(opened))
}

fn opened() -> IncidentEvent {
    IncidentEvent::IncidentOpened(Box::new(new()))
}

#[test]
fn an_incident_is_opened_once_and_trimmed() {
    let spaced = Opened { title: " a memo went out\n".into(), detail: Some("  ".into()), ..new() };
    given::<Incident>([]).when(open(spaced)).then([opened()]);
    given::<Incident>([opened()]).when(open(new())).refused(IncidentRefusal::Exists);
}

#[test]
fn each_field_has_its_bounds() {
    for (field, opened) in [
        ("title", Opened { title: " ".into(), ..new() }),
        ("title", Opened { title: "t".repeat(301), ..new() }),
        ("detail", Opened { detail: Some("d".repeat(4_001)), ..new() }),
        ("lane", Opened { lane: Some("l".repeat(201)), ..new() }),
        ("response", Opened { response: vec!["r".into(); 51], ..new() }),
        ("response", Opened { response: vec!["".into()], ..new() }),
        ("response", Opened { response: vec!["r".repeat(501)], ..new() }),
    ] {
        let refusal = Incident::default().decide(open(opened)).expect_err(field);
        assert_eq!(refusal.fault(), Fault::Invalid(Some(field)));
    }
    let full = Opened {
        title: "ä".repeat(300),
        detail: Some("ä".repeat(4_000)),
        lane: Some("ä".repeat(200)),
        response: vec!["ä".repeat(500); 50],
        ..new()
    };
    given::<Incident>([]).when(open(full.clone())).then([IncidentEvent::IncidentOpened(Box::new(full))]);
}

#[test]
fn it_goes_from_open_to_resolved_and_nowhere_else() {
    use IncidentCommand::{Reopen, Resolve};
    given::<Incident>([]).when(Resolve).refused(IncidentRefusal::Unknown);
    given::<Incident>([opened()]).when(Resolve).then([IncidentEvent::IncidentResolved {}]);
    given::<Incident>([opened()]).when(Reopen).refused(IncidentRefusal::NotBack);
    let resolved = || [opened(), IncidentEvent::IncidentResolved {}];
    given::<Incident>(resolved()).when(Resolve).refused(IncidentRefusal::Resolved);
    given::<Incident>(resolved()).when(Reopen).refused(IncidentRefusal::NotBack);
    assert_eq!(given::<Incident>(resolved()).0.status(), IncidentStatus::Resolved);
    assert_eq!(IncidentRefusal::Resolved.fault(), Fault::Conflict);
}

#[test]
fn it_has_one_receipt_open_or_resolved() {
    let seal = || IncidentCommand::Seal(receipt());
    let sealed = || IncidentEvent::IncidentSealed(receipt());
    given::<Incident>([]).when(seal()).refused(IncidentRefusal::Unknown);
    given::<Incident>([opened()]).when(seal()).then([sealed()]);
    given::<Incident>([opened(), IncidentEvent::IncidentResolved {}]).when(seal()).then([sealed()]);
    given::<Incident>([opened(), sealed()]).when(seal()).refused(IncidentRefusal::Sealed);
    given::<Incident>([opened(), sealed()]).when(IncidentCommand::Resolve).then([IncidentEvent::IncidentResolved {}]);
}
