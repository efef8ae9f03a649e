use super::*;
use crate::{
    Decider,
    rulebooks::vocabulary::CheckKind,
    runs::{RunCommand, tests::fixtures::*},
    testing::given,
};

fn profile() -> AgentProfileId {
    id(51)
}

/// A run with a profile, its work handed in.
fn submitted() -> Vec<RunEvent> {
    let opened = crate::runs::Opened { agent_profile: Some(profile()), ..opened(Some(sheet())) };
    vec![RunEvent::RunOpened(Box::new(opened)), RunEvent::WorkSubmitted(Box::new(submission(1)))]
}

fn check(key: &str, status: CheckStatus, severity: RuleSeverity) -> Outcome {
    outcome(key, CheckKind::Auto, status, severity)
}

/// What an audit with these outcomes says of the agent.
fn said(history: Vec<RunEvent>, checks: Vec<Outcome>) -> Option<Evaluation> {
    let run = told(history);
    let events = run.decide(RunCommand::Audit(Box::new(findings(&run, checks)))).expect("an audit");
    events.into_iter().find_map(|event| match event {
        RunEvent::ProfileEvaluated(evaluation) => Some(*evaluation),
        _ => None,
    })
}

fn audit_with(mut history: Vec<RunEvent>, checks: Vec<Outcome>) -> Vec<RunEvent> {
    let run = told(history.clone());
    history.extend(run.decide(RunCommand::Audit(Box::new(findings(&run, checks)))).expect("an audit"));
    history
}

#[test]
fn a_verdict_counts_for_the_profile_of_its_run() {
    let checks = vec![
        check("passes", CheckStatus::Pass, RuleSeverity::High),
        check("low", CheckStatus::Flag, RuleSeverity::Low),
        check("high", CheckStatus::Flag, RuleSeverity::Critical),
        check("high", CheckStatus::Flag, RuleSeverity::Critical),
        check("says nothing", CheckStatus::Skip, RuleSeverity::Low),
    ];
    let said = said(submitted(), checks).expect("said");
    assert_eq!((said.profile, said.sheet, said.sheet_name.as_str()), (profile(), sheet().id, "CRE memo"));
    assert_eq!((said.title.as_str(), said.lane, said.replaces), ("Memo on 5 Elm St", Lane::Agent, None));
    assert_eq!(said.result.severity, Severity::Propolis);
    // 5 of 5 + 1 + 5 + 5.
    assert_eq!(said.result.score_100, 31);
    assert_eq!(said.result.tallies, [Tally { category: CheckCategory::Policy, passed: 1, flagged: 3 }]);
    let flags: Vec<_> = said.result.flags.iter().map(|flag| (flag.label.as_str(), flag.severity)).collect();
    let expected = [("The rule high", RuleSeverity::Critical), ("The rule low", RuleSeverity::Low)];
    assert_eq!(flags, expected, "each rule once, the weightiest first");
}

#[test]
fn a_run_without_a_profile_says_nothing() {
    assert_eq!(said(Standing::Submitted.history(), settled()), None);
}

#[test]
fn the_next_verdict_replaces_the_last_and_the_same_again_says_nothing() {
    let broken = vec![check("gate", CheckStatus::Flag, RuleSeverity::High)];
    let once = audit_with(submitted(), broken.clone());
    assert_eq!(said(once.clone(), broken), None, "the same again");
    let mut again = once;
    again.push(RunEvent::WorkSubmitted(Box::new(submission(2))));
    assert!(told(again.clone()).evaluated.is_some(), "handing in again lifts nothing");
    let mended = said(again.clone(), settled()).expect("said");
    assert_eq!(mended.result.severity, Severity::Honey);
    assert_eq!(mended.replaces.expect("the last").severity, Severity::Propolis);
}

#[test]
fn what_a_person_has_to_grade_counts_when_it_is_finalized() {
    let history = audit_with(submitted(), open());
    assert!(!history.iter().any(|event| matches!(event, RunEvent::ProfileEvaluated(_))), "no verdict yet");
    let mut history = history;
    history.extend([graded(1, CheckStatus::Pass), graded(2, CheckStatus::Pass)]);
    let run = told(history.clone());
    let events = run.decide(RunCommand::Finalize).expect("a verdict");
    let [RunEvent::VerdictFinalized(verdict), RunEvent::ProfileEvaluated(evaluation)] = events.as_slice() else {
        unreachable!("{events:?}")
    };
    assert_eq!(evaluation.result.score_100, verdict.score_100);
    given::<Run>(history).when(RunCommand::Finalize).then(events.clone());
}

#[test]
fn the_work_does_not_decide_how_much_is_kept_of_it() {
    let flags = (0..5_000).map(|number| check(&format!("flag {number}"), CheckStatus::Flag, RuleSeverity::Mid));
    let said = said(submitted(), flags.collect()).expect("said");
    assert_eq!(said.result.flags.len(), FLAG_LIMIT);
    assert_eq!(said.result.tallies[0].flagged, 5_000);
}
