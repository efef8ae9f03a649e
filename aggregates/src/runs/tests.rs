pub(crate) mod fixtures;
mod properties;
mod table;

use super::*;
use crate::{
    Fault, Refusal,
    identity::actor::Actor,
    ids::UserId,
    rulebooks::vocabulary::{CheckKind, CheckSource, RuleSeverity, Severity},
    testing::given,
};
use ApprovalDecision::{Approved, Escalated, Rejected};
use fixtures::*;

fn attached(number: u128) -> RunEvent {
    RunEvent::EvidenceAttached(evidence(number))
}

fn after(standing: Standing, more: impl IntoIterator<Item = RunEvent>) -> Vec<RunEvent> {
    standing.history().into_iter().chain(more).collect()
}

/// A run that was audited and whose verdict came at once.
fn settled_on(checks: Vec<Outcome>) -> Vec<RunEvent> {
    after(Standing::Submitted, [audited(1, 1, checks)])
}

mod opening {
    use super::*;

    #[test]
    fn a_run_with_a_sheet_has_its_assignment_and_one_without_is_a_draft() {
        for (sheet, status) in [(Some(sheet()), RunStatus::AssignmentIssued), (None, RunStatus::Draft)] {
            let opened = opened(sheet);
            given::<Run>([])
                .when(RunCommand::Open(Box::new(opened.clone())))
                .then([RunEvent::RunOpened(Box::new(opened.clone()))]);
            let run = told([RunEvent::RunOpened(Box::new(opened.clone()))]);
            assert_eq!((run.head.status, &run.head.agent), (status, &opened.agent));
        }
    }
}

mod evidence_and_submission {
    use super::*;

    #[test]
    fn evidence_is_kept_in_order_without_its_text() {
        let run = told(after(Standing::Issued, [attached(2), attached(1)]));
        assert_eq!(run.evidence, [evidence(2).without_content(), evidence(1).without_content()]);
        let kept = &run.evidence[0];
        assert_eq!(kept.content.as_ref().and_then(|text| text.inline.as_ref()), None);
        assert_eq!((kept.sha256(), kept.byte_size()), (evidence(2).sha256(), 17), "its digest and length stay");
    }

    #[test]
    fn a_run_holds_a_thousand_pieces_of_evidence_and_no_more() {
        let almost = after(Standing::Draft, (1..1_000).map(attached));
        given::<Run>(almost.clone()).when(RunCommand::Attach(evidence(1_000))).then([attached(1_000)]);
        given::<Run>(almost.into_iter().chain([attached(1_000)]))
            .when(RunCommand::Attach(evidence(1_001)))
            .refused(RunRefusal::EvidenceFull);
    }

    #[test]
    fn evidence_before_any_work_changes_no_status() {
        for (standing, status) in [(Standing::Draft, RunStatus::Draft), (Standing::Issued, RunStatus::AssignmentIssued)]
        {
            assert_eq!(told(after(standing, [attached(1)])).head.status, status);
        }
    }

    #[test]
    fn every_submission_opens_the_next_round() {
        let work_submitted = |round| RunEvent::WorkSubmitted(Box::new(submission(round)));
        given::<Run>(Standing::Issued.history()).when(RunCommand::Submit(Box::new(work(1)))).then([work_submitted(1)]);
        given::<Run>(after(Standing::Audited, [work_submitted(2)]))
            .when(RunCommand::Submit(Box::new(work(3))))
            .then([work_submitted(3)]);
        let run = told(after(Standing::Audited, [work_submitted(2), work_submitted(3)]));
        assert_eq!(run.rounds, [submission(1).sha256, submission(2).sha256, submission(3).sha256]);
    }

    #[test]
    fn what_a_submission_leaves_unsaid_of_its_agent_stays_as_declared() {
        let silent_but_for_the_model = Agent { model_name: Some("m-2".into()), ..Agent::default() };
        let expected = Agent { model_name: Some("m-2".into()), ..opened(None).agent };
        given::<Run>(Standing::Issued.history())
            .when(RunCommand::Submit(Box::new(Work { agent: silent_but_for_the_model, ..work(1) })))
            .then([RunEvent::WorkSubmitted(Box::new(Submission { agent: expected.clone(), ..submission(1) }))]);

        let renamed = Submission { agent: expected.clone(), ..submission(1) };
        given::<Run>(after(Standing::Issued, [RunEvent::WorkSubmitted(Box::new(renamed))]))
            .when(RunCommand::Submit(Box::new(work(2))))
            .then([RunEvent::WorkSubmitted(Box::new(Submission { agent: expected, ..submission(2) }))]);
    }

    #[test]
    fn evidence_or_work_after_the_audit_voids_all_that_rested_on_it() {
        let work = RunEvent::WorkSubmitted(Box::new(submission(2)));
        for event in [attached(1), work] {
            for standing in [
                Standing::Submitted,
                Standing::Audited,
                Standing::Graded,
                Standing::FindingsReady,
                Standing::Rejected,
                Standing::Escalated,
            ] {
                let run = told(after(standing, [event.clone()]));
                assert_eq!(run.head.status, RunStatus::Submitted, "{standing:?}");
                assert_eq!((&run.head.audit, &run.head.verdict, &run.head.approval), (&None, &None, &None));
                assert_eq!((run.checks.len(), run.checks().count()), (0, 0), "{standing:?}");
            }
        }
    }
}

mod audits {
    use super::*;

    fn audit(history: Vec<RunEvent>, checks: Vec<Outcome>) -> RunCommand {
        RunCommand::Audit(Box::new(findings(&told(history), checks)))
    }

    #[test]
    fn the_verdict_comes_at_once_exactly_when_nothing_is_open() {
        for checks in [settled(), flagged(), open()] {
            let history = Standing::Submitted.history();
            given::<Run>(history.clone()).when(audit(history.clone(), checks.clone())).then([audited(
                1,
                1,
                checks.clone(),
            )]);
            let run = told(after(Standing::Submitted, [audited(1, 1, checks.clone())]));
            let is_open = checks == open();
            assert_eq!(run.head.verdict.is_none(), is_open);
            assert_eq!(run.head.status, if is_open { RunStatus::Audited } else { RunStatus::FindingsReady });
        }
    }

    #[test]
    fn each_audit_is_numbered_and_replaces_the_one_before() {
        let twice = after(Standing::FindingsReady, [attached(1), audited(2, 1, settled())]);
        given::<Run>(after(Standing::FindingsReady, [attached(1)]))
            .when(audit(after(Standing::FindingsReady, [attached(1)]), settled()))
            .then([audited(2, 1, settled())]);
        let run = told(twice.clone());
        assert_eq!(run.checks, settled());
        given::<Run>(twice.clone()).when(audit(twice, open())).then([audited(3, 1, open())]);
    }

    #[test]
    fn auditing_the_same_again_names_the_checks_alike_and_another_round_otherwise() {
        let ids = |history| told(history).checks().map(|(id, _)| id).collect::<Vec<_>>();
        let once = ids(Standing::Audited.history());
        assert_eq!(once, [check(0), check(1), check(2)]);
        assert_eq!(ids(after(Standing::Audited, [audited(2, 1, open())])), once);
        let second =
            after(Standing::Audited, [RunEvent::WorkSubmitted(Box::new(submission(2))), audited(2, 2, open())]);
        assert!(ids(second).iter().all(|id| !once.contains(id)));
        assert!(once.iter().all(|id| id.uuid().get_version_num() == 8));
    }

    #[test]
    fn what_the_referee_did_not_see_makes_it_begin_again() {
        let history = after(Standing::Submitted, [attached(1)]);
        let seen = findings(&told(history.clone()), settled());
        let overtaken = [
            Findings { evidence_seen: 0, ..seen.clone() },
            Findings { submission: submission_id(2), ..seen.clone() },
            Findings { sheet_sha256: inputs_digest(), ..seen.clone() },
        ];
        for findings in overtaken {
            given::<Run>(history.clone())
                .when(RunCommand::Audit(Box::new(findings)))
                .refused(RunRefusal::AuditOvertaken);
        }
        given::<Run>(history).when(RunCommand::Audit(Box::new(seen))).then([audited(1, 1, settled())]);
    }

    #[test]
    fn an_audit_needs_a_sheet_and_a_submission() {
        let without_a_sheet = after(Standing::Draft, [RunEvent::WorkSubmitted(Box::new(submission(1)))]);
        given::<Run>(without_a_sheet.clone()).when(audit(without_a_sheet, settled())).refused(RunRefusal::NoSheet);
        let history = Standing::Issued.history();
        given::<Run>(history.clone()).when(audit(history, settled())).refused(RunRefusal::NoSubmission);
    }

    #[test]
    fn an_audit_in_which_nothing_applied_gives_no_verdict() {
        let history = Standing::Submitted.history();
        let skipped = outcome("ltv_gate", CheckKind::Auto, CheckStatus::Skip, RuleSeverity::Low);
        for checks in [vec![], vec![skipped]] {
            given::<Run>(history.clone()).when(audit(history.clone(), checks)).refused(RunRefusal::NothingApplied);
        }
    }
}

mod grading {
    use super::*;

    #[test]
    fn a_grade_changes_the_status_and_who_applied_the_rule_and_never_its_severity() {
        for (met, status) in [(true, CheckStatus::Pass), (false, CheckStatus::Flag)] {
            let detail = Some("read it twice".to_owned());
            let command = RunCommand::Grade { check: check(2), met, detail: detail.clone() };
            let event = RunEvent::CheckGraded { ordinal: 2, status, detail: detail.clone() };
            given::<Run>(Standing::Audited.history()).when(command).then([event.clone()]);
            let run = told(after(Standing::Audited, [event]));
            let expected = Outcome { status, source: CheckSource::Operator, detail, ..open().remove(2) };
            assert_eq!(run.checks[2], expected);
            assert_eq!(run.checks[..2], open()[..2], "the others stay");
            assert_eq!(run.head.status, RunStatus::Audited);
        }
    }

    #[test]
    fn the_last_grade_leaves_the_verdict_to_finalizing() {
        let run = Standing::Graded.run();
        assert_eq!((run.head.status, &run.head.verdict), (RunStatus::Audited, &None));
        given::<Run>(Standing::Graded.history())
            .when(RunCommand::Finalize)
            .then([RunEvent::VerdictFinalized(Box::new(verdict_on(&all_graded())))]);
    }

    #[test]
    fn grading_anew_voids_the_verdict() {
        let run = told(after(Standing::FindingsReady, [graded(1, CheckStatus::Flag)]));
        assert_eq!((run.head.status, &run.head.verdict), (RunStatus::Audited, &None));
        let mut checks = all_graded();
        checks[1].graded(CheckStatus::Flag, None);
        given::<Run>(after(Standing::FindingsReady, [graded(1, CheckStatus::Flag)]))
            .when(RunCommand::Finalize)
            .then([RunEvent::VerdictFinalized(Box::new(verdict_on(&checks)))]);
    }

    #[test]
    fn what_the_referee_applied_no_person_grades() {
        for history in [Standing::Audited.history(), settled_on(flagged())] {
            given::<Run>(history).when(grade(0, true)).refused(RunRefusal::NotGradable);
        }
    }

    #[test]
    fn a_check_is_found_only_in_the_current_audit_of_its_own_run() {
        let another_run = check_id(crate::ids::RunId::from_uuid(uuid::Uuid::nil()), 1, 1);
        for unknown in [check(3), check_id(run_id(), 2, 1), another_run] {
            given::<Run>(Standing::Audited.history())
                .when(RunCommand::Grade { check: unknown, met: true, detail: None })
                .refused(RunRefusal::NoSuchCheck);
        }
    }

    #[test]
    fn finalizing_says_how_many_checks_are_open() {
        given::<Run>(Standing::Audited.history()).when(RunCommand::Finalize).refused(RunRefusal::ChecksOpen(2));
        given::<Run>(after(Standing::Audited, [graded(2, CheckStatus::Flag)]))
            .when(RunCommand::Finalize)
            .refused(RunRefusal::ChecksOpen(1));
        assert!(RunRefusal::ChecksOpen(2).to_string().starts_with("2 checks are still open"));
    }

    #[test]
    fn a_verdict_that_the_audit_settled_needs_no_finalizing() {
        given::<Run>(settled_on(settled())).when(RunCommand::Finalize).then([]);
        given::<Run>(Standing::FindingsReady.history()).when(RunCommand::Finalize).then([]);
    }
}

mod decisions {
    use super::*;

    fn approval(decision: ApprovalDecision, approver: UserId, note: Option<&str>) -> RunEvent {
        RunEvent::DecisionRecorded(Approval { decision, approver, note: note.map(Into::into), decided_at: at(600) })
    }

    #[test]
    fn only_a_person_decides() {
        for actor in [Actor::ApiKey(id(51)), Actor::Service] {
            for decision in [Approved, Rejected, Escalated] {
                given::<Run>(Standing::FindingsReady.history())
                    .when(decide_as(decision, actor, None, true))
                    .refused(RunRefusal::NotAPerson);
            }
        }
    }

    #[test]
    fn nobody_decides_on_their_own_work_unless_the_organisation_lets_them() {
        for decision in [Approved, Rejected, Escalated] {
            given::<Run>(Standing::FindingsReady.history())
                .when(decide_as(decision, Actor::User(worker()), None, false))
                .refused(RunRefusal::OwnWork);
            given::<Run>(Standing::FindingsReady.history())
                .when(decide_as(decision, Actor::User(worker()), None, true))
                .then([approval(decision, worker(), None)]);
        }
    }

    #[test]
    fn propolis_is_approved_only_with_a_note() {
        assert_eq!(verdict_on(&flagged()).severity, Severity::Propolis);
        for note in [None, Some(""), Some(" \n\t")] {
            given::<Run>(settled_on(flagged()))
                .when(decide_as(Approved, Actor::User(judge()), note, false))
                .refused(RunRefusal::NoteMissing);
        }
        given::<Run>(settled_on(flagged()))
            .when(decide_as(Approved, Actor::User(judge()), Some(" the bank waived it \n"), false))
            .then([approval(Approved, judge(), Some("the bank waived it"))]);
        for decision in [Rejected, Escalated] {
            given::<Run>(settled_on(flagged()))
                .when(decide_as(decision, Actor::User(judge()), None, false))
                .then([approval(decision, judge(), None)]);
        }
    }

    #[test]
    fn what_was_rejected_or_escalated_may_still_be_approved() {
        for standing in [Standing::Rejected, Standing::Escalated] {
            given::<Run>(standing.history()).when(decide(Approved)).then([approval(Approved, judge(), None)]);
        }
        given::<Run>(Standing::Escalated.history()).when(decide(Rejected)).then([approval(Rejected, judge(), None)]);
    }

    #[test]
    fn the_last_decision_counts() {
        let run = told(after(Standing::Rejected, [approval(Approved, judge(), Some("settled"))]));
        let approval = run.head.approval.expect("there is one");
        assert_eq!((approval.decision, approval.note.as_deref()), (Approved, Some("settled")));
        assert!(run.head.verdict.is_some(), "the verdict that was decided on stands");
    }
}

mod refusals {
    use super::*;

    #[test]
    fn a_refusal_says_what_was_asked_and_where_the_run_would_have_to_stand() {
        let answer = Standing::Approved.run().decide(RunCommand::Attach(evidence(1)));
        let sentence = answer.expect_err("refused").to_string();
        assert_eq!(
            sentence,
            "adding evidence is not possible while the run is approved; it is possible when it is not yet approved"
        );
    }

    #[test]
    fn each_refusal_is_of_its_sort() {
        use RunRefusal::*;
        let not_now = NotNow { action: "a", status: RunStatus::Draft, allowed: "b" };
        for refusal in [
            AlreadyOpen,
            Closed,
            not_now,
            EvidenceFull,
            NoSheet,
            NoSubmission,
            AuditOvertaken,
            NoChecks,
            ChecksOpen(1),
            NothingApplied,
            NotGradable,
            NoVerdict,
            NotApproved,
        ] {
            assert_eq!(refusal.fault(), Fault::Conflict, "{refusal:?}");
        }
        for refusal in [Unknown, NoSuchCheck] {
            assert_eq!(refusal.fault(), Fault::NotFound, "{refusal:?}");
        }
        for refusal in [NotAPerson, OwnWork] {
            assert_eq!(refusal.fault(), Fault::Forbidden, "{refusal:?}");
        }
        assert_eq!(NoteMissing.fault(), Fault::Invalid(Some("note")));
    }

    #[test]
    fn grading_and_deciding_are_for_who_may_judge_and_the_rest_for_who_may_work() {
        let run = Standing::Audited.run();
        let work = [
            RunCommand::Open(Box::new(opened(None))),
            RunCommand::Attach(evidence(1)),
            RunCommand::Submit(Box::new(work(1))),
            RunCommand::Audit(Box::new(findings(&run, settled()))),
            RunCommand::Finalize,
            RunCommand::Seal(receipt()),
        ];
        assert!(work.iter().all(|command| command.permission() == Permission::Work));
        assert!([grade(1, true), decide(Approved)].iter().all(|command| command.permission() == Permission::Judge));
    }
}
