//! What holds of a run whatever is asked of it, in whatever order.

use super::{super::*, fixtures::*};
use crate::identity::actor::Actor;
use proptest::prelude::*;

/// Something to ask, before it is known how the run stands.
#[derive(Clone, Debug)]
enum Ask {
    Open(bool),
    Attach,
    Submit,
    Audit(u8),
    StaleAudit,
    Grade(u32, bool),
    Finalize,
    Decide(ApprovalDecision, bool, Option<&'static str>),
    Seal,
}

fn asks() -> impl Strategy<Value = Ask> {
    prop_oneof![
        1 => any::<bool>().prop_map(Ask::Open),
        2 => Just(Ask::Attach),
        3 => Just(Ask::Submit),
        5 => (0_u8..3).prop_map(Ask::Audit),
        1 => Just(Ask::StaleAudit),
        6 => (0_u32..4, any::<bool>()).prop_map(|(ordinal, met)| Ask::Grade(ordinal, met)),
        4 => Just(Ask::Finalize),
        5 => (prop::sample::select(ApprovalDecision::ALL), any::<bool>(), prop::option::of(Just("seen")))
            .prop_map(|(decision, own, note)| Ask::Decide(decision, own, note)),
        2 => Just(Ask::Seal),
    ]
}

impl Ask {
    fn of(&self, run: &Run, number: u32) -> RunCommand {
        match self {
            Self::Open(with_sheet) => RunCommand::Open(Box::new(opened(with_sheet.then(sheet)))),
            Self::Attach => RunCommand::Attach(evidence(u128::from(number))),
            Self::Submit => RunCommand::Submit(Box::new(work(number))),
            Self::Audit(which) => {
                let checks = match which {
                    0 => settled(),
                    1 => flagged(),
                    _ => open(),
                };
                RunCommand::Audit(Box::new(findings(run, checks)))
            }
            Self::StaleAudit => {
                let seen = findings(run, settled());
                RunCommand::Audit(Box::new(Findings { evidence_seen: run.evidence.len() + 1, ..seen }))
            }
            Self::Grade(ordinal, met) => {
                let round = run.head.submission.as_ref().map_or(1, |submission| submission.round);
                RunCommand::Grade { check: check_id(run_id(), round, *ordinal), met: *met, detail: None }
            }
            Self::Finalize => RunCommand::Finalize,
            Self::Decide(decision, own, note) => {
                let actor = Actor::User(if *own { worker() } else { judge() });
                decide_as(*decision, actor, *note, false)
            }
            Self::Seal => RunCommand::Seal(receipt()),
        }
    }
}

/// Anything, as JSON, to be compared.
fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("can be written")
}

/// What must hold of a run that was `before`, after the event.
fn holds(before: &Run, event: &RunEvent, after: &Run) {
    let head = &after.head;
    assert_ne!(before.head.status, RunStatus::Receipted, "a run with its receipt never changes");

    if matches!(event, RunEvent::EvidenceAttached(_) | RunEvent::WorkSubmitted(_)) {
        assert!(head.audit.is_none() && head.verdict.is_none() && head.approval.is_none() && after.checks.is_empty());
    }
    if head.approval.is_some() {
        let verdict = head.verdict.as_ref().expect("an approval stands on a verdict");
        assert_eq!(verdict, &verdict_on(&after.checks), "on that of the checks as they are");
        assert_eq!(Some(verdict), before.head.verdict.as_ref(), "which the approver has seen");
    }
    if let Some(verdict) = &head.verdict {
        let audit = head.audit.as_ref().expect("a verdict stands on an audit");
        let submission = head.submission.as_ref().expect("of a submission");
        assert_eq!((audit.number, audit.round), (head.audits, submission.round), "of the current ones");
        assert_eq!(verdict, &verdict_on(&after.checks));
        assert!(after.checks.iter().all(|check| check.status != CheckStatus::Open));
    }
    let decided = head.approval.as_ref().map(|approval| approval.decision);
    let of_status = match head.status {
        RunStatus::Approved | RunStatus::Receipted => Some(ApprovalDecision::Approved),
        RunStatus::Rejected => Some(ApprovalDecision::Rejected),
        RunStatus::Escalated => Some(ApprovalDecision::Escalated),
        _ => None,
    };
    assert_eq!(decided, of_status, "the status is that of the decision");
    assert_eq!(head.receipt.is_some(), head.status == RunStatus::Receipted);
    assert_eq!(after.rounds.len() as u32, head.submission.as_ref().map_or(0, |submission| submission.round));
    assert_eq!(after.rounds.last(), head.submission.as_ref().map(|submission| &submission.sha256));
    assert_eq!(after.checks().count(), after.checks.len(), "every check has its id");
    assert!(after.evidence.len() >= before.evidence.len() && after.rounds.len() >= before.rounds.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn whatever_is_asked_the_run_keeps_its_word(asks in prop::collection::vec(asks(), 1..40)) {
        let (mut run, mut head) = (Run::default(), Head::default());
        // A run opened with its sheet, so that most cases go somewhere; opening it again is refused.
        let asks = [Ask::Open(true)].into_iter().chain(asks);
        for (number, ask) in (1..).zip(asks) {
            let before = run.clone();
            let Ok(events) = run.decide(ask.of(&run, number)) else { continue };
            prop_assert!(events.len() <= 1, "a command is one event, so what holds after each event holds always");
            for event in events {
                run.evolve(&event);
                head.evolve(&event);
                holds(&before, &event, &run);
                prop_assert_eq!(json(&head), json(&run.head), "the head alone stands where the run stands");
                let read: Run = serde_json::from_str(&json(&run)).expect("a run reads back");
                prop_assert_eq!(json(&read), json(&run));
            }
        }
    }
}

#[test]
fn the_cases_reach_every_status() {
    use ApprovalDecision::*;
    let path = [
        Ask::Open(true),
        Ask::Submit,
        Ask::Audit(2),
        Ask::Grade(1, true),
        Ask::Grade(2, true),
        Ask::Finalize,
        Ask::Decide(Escalated, false, None),
        Ask::Decide(Rejected, false, None),
        Ask::Decide(Approved, false, None),
        Ask::Seal,
    ];
    let mut run = Run::default();
    let mut statuses = vec![];
    for (number, ask) in (1..).zip(path) {
        let before = run.clone();
        let events = run.decide(ask.of(&run, number)).expect("is accepted");
        for event in events {
            run.evolve(&event);
            holds(&before, &event, &run);
        }
        statuses.push(run.head.status);
    }
    use RunStatus as S;
    let expected = [
        S::AssignmentIssued,
        S::Submitted,
        S::Audited,
        S::Audited,
        S::Audited,
        S::FindingsReady,
        S::Escalated,
        S::Rejected,
        S::Approved,
        S::Receipted,
    ];
    assert_eq!(statuses, expected);
}
