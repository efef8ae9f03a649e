//! The state machine, whole: every command on a run that stands anywhere.

use super::{super::*, fixtures::*};
use Standing::*;

/// What a run answers to a command.
#[derive(Clone, Debug)]
enum Answer {
    /// It goes on to this status.
    To(RunStatus),
    /// It is as it was asked to be already.
    Done,
    /// Its status does not allow it.
    NotNow,
    /// It refuses, and so.
    No(RunRefusal),
}

use Answer::{Done, No, NotNow, To};

/// A command, given to a run as it stands.
type Asked = (&'static str, fn(&Run) -> RunCommand);

const COMMANDS: [Asked; 12] = [
    ("open", |_| RunCommand::Open(Box::new(opened(None)))),
    ("attach", |_| RunCommand::Attach(evidence(9))),
    ("submit", |_| RunCommand::Submit(Box::new(work(2)))),
    ("audit, nothing open", |run| RunCommand::Audit(Box::new(findings(run, settled())))),
    ("audit, checks open", |run| RunCommand::Audit(Box::new(findings(run, open())))),
    ("grade a person's check", |_| grade(1, false)),
    ("grade the referee's check", |_| grade(0, true)),
    ("finalize", |_| RunCommand::Finalize),
    ("approve", |_| decide(ApprovalDecision::Approved)),
    ("reject", |_| decide(ApprovalDecision::Rejected)),
    ("escalate", |_| decide(ApprovalDecision::Escalated)),
    ("seal", |_| RunCommand::Seal(receipt())),
];

fn expected(standing: Standing) -> [Answer; 12] {
    use RunRefusal::*;
    use RunStatus as S;
    let (no_check, no_verdict) = (|| No(NoSuchCheck), || No(NoVerdict));
    match standing {
        Unopened => {
            let mut all = [(); 12].map(|()| No(Unknown));
            all[0] = To(S::Draft);
            all
        }
        Draft => [
            No(AlreadyOpen),
            To(S::Draft),
            To(S::Submitted),
            No(NoSheet),
            No(NoSheet),
            no_check(),
            no_check(),
            No(NoChecks),
            no_verdict(),
            no_verdict(),
            no_verdict(),
            no_verdict(),
        ],
        Issued => [
            No(AlreadyOpen),
            To(S::AssignmentIssued),
            To(S::Submitted),
            No(NoSubmission),
            No(NoSubmission),
            no_check(),
            no_check(),
            No(NoChecks),
            no_verdict(),
            no_verdict(),
            no_verdict(),
            no_verdict(),
        ],
        Submitted => [
            No(AlreadyOpen),
            To(S::Submitted),
            To(S::Submitted),
            To(S::FindingsReady),
            To(S::Audited),
            no_check(),
            no_check(),
            No(NoChecks),
            no_verdict(),
            no_verdict(),
            no_verdict(),
            no_verdict(),
        ],
        Audited | Graded => [
            No(AlreadyOpen),
            To(S::Submitted),
            To(S::Submitted),
            To(S::FindingsReady),
            To(S::Audited),
            To(S::Audited),
            No(NotGradable),
            if standing == Audited { No(ChecksOpen(2)) } else { To(S::FindingsReady) },
            no_verdict(),
            no_verdict(),
            no_verdict(),
            no_verdict(),
        ],
        FindingsReady => [
            No(AlreadyOpen),
            To(S::Submitted),
            To(S::Submitted),
            To(S::FindingsReady),
            To(S::Audited),
            To(S::Audited),
            No(NotGradable),
            Done,
            To(S::Approved),
            To(S::Rejected),
            To(S::Escalated),
            No(NotApproved),
        ],
        Rejected => [
            No(AlreadyOpen),
            To(S::Submitted),
            To(S::Submitted),
            NotNow,
            NotNow,
            NotNow,
            NotNow,
            NotNow,
            To(S::Approved),
            NotNow,
            NotNow,
            No(NotApproved),
        ],
        Escalated => [
            No(AlreadyOpen),
            To(S::Submitted),
            To(S::Submitted),
            NotNow,
            NotNow,
            NotNow,
            NotNow,
            NotNow,
            To(S::Approved),
            To(S::Rejected),
            NotNow,
            No(NotApproved),
        ],
        Approved => [
            No(AlreadyOpen),
            NotNow,
            NotNow,
            NotNow,
            NotNow,
            NotNow,
            NotNow,
            NotNow,
            NotNow,
            NotNow,
            NotNow,
            To(S::Receipted),
        ],
        Receipted => {
            let mut all = [(); 12].map(|()| No(Closed));
            all[0] = No(AlreadyOpen);
            all
        }
    }
}

#[test]
fn every_command_on_a_run_that_stands_anywhere() {
    for standing in Standing::ALL {
        for ((name, command), expected) in COMMANDS.into_iter().zip(expected(standing)) {
            let run = standing.run();
            let answer = run.decide(command(&run));
            let place = format!("{name} on {standing:?}: {answer:?}, expected {expected:?}");
            match expected {
                To(status) => {
                    let events = answer.expect(&place);
                    assert_eq!(events.len(), 1, "{place}");
                    let run = told(standing.history().into_iter().chain(events));
                    assert_eq!(run.head.status, status, "{place}");
                }
                Done => assert_eq!(answer.as_deref(), Ok(&[][..]), "{place}"),
                NotNow => match answer {
                    Err(RunRefusal::NotNow { status, .. }) => assert_eq!(status, run.head.status, "{place}"),
                    _ => unreachable!("{place}"),
                },
                No(refusal) => assert_eq!(answer, Err(refusal), "{place}"),
            }
        }
    }
}
