use super::*;
use crate::{agents::Governance, runs::tests::fixtures::id};

fn counts(honey: u32, jelly: u32, propolis: u32) -> Counts {
    Counts { honey, jelly, propolis }
}

fn stack(blocked_lanes: &[&str], standing: Counts) -> Stack {
    let blocked_lanes = blocked_lanes.iter().map(|lane| (*lane).to_owned()).collect();
    let governance = Some(Governance { blocked_lanes, ..Governance::default() });
    let profile = Profile { name: "memo analyst".into(), governance, ..Profile::default() };
    Stack { id: id(1), profile, active: true, created_at: Time::default(), standing }
}

#[test]
fn a_lane_is_what_its_runs_have_earned() {
    use LaneStatus::*;
    for (honey, jelly, propolis, status) in [
        (0, 0, 0, Testing),
        (2, 9, 0, Testing),
        (3, 0, 0, Approved),
        (3, 5, 0, Approved),
        (0, 0, 1, Restricted),
        (9, 0, 1, Restricted),
        (0, 0, 2, Blocked),
        (9, 9, 2, Blocked),
        (9, 9, 7, Blocked),
    ] {
        assert_eq!(counts(honey, jelly, propolis).status(), status, "{honey} {jelly} {propolis}");
    }
}

#[test]
fn one_bad_lane_outweighs_every_good_one() {
    use LaneStatus::*;
    for (lanes, expected) in [
        (&[][..], Testing),
        (&[Testing], Testing),
        (&[Testing, Approved, Testing], Approved),
        (&[Approved, Restricted], Restricted),
        (&[Blocked, Approved, Testing], Restricted),
    ] {
        assert_eq!(overall(lanes.iter().copied()), expected, "{lanes:?}");
    }
}

#[test]
fn a_run_that_is_judged_anew_counts_once() {
    let mut lane = counts(1, 0, 2);
    lane.take(Severity::Propolis);
    lane.add(Severity::Honey);
    assert_eq!((lane, lane.total()), (counts(2, 0, 1), 3));
    let mut empty = counts(0, 0, 0);
    empty.take(Severity::Jelly);
    assert_eq!(empty, counts(0, 0, 0));
}

#[test]
fn a_lane_is_shut_by_its_owner_or_by_its_runs_and_says_what_lifts_it() {
    let may = |stack: Stack| stack.may_run("cre_memo_v1", "CRE memo");
    assert_eq!(may(stack(&["bid review"], counts(0, 0, 1))), Ok(()));
    let owner = may(stack(&["cre_memo_v1"], counts(9, 0, 0))).expect_err("shut");
    assert_eq!((owner.why, owner.fault()), (Block::Governance, Fault::Conflict));
    assert!(owner.to_string().contains("“CRE memo” is blocked for the profile “memo analyst”"), "{owner}");
    assert!(owner.to_string().contains("governance.blocked_lanes") && owner.to_string().contains("lift"), "{owner}");
    let earned = may(stack(&[], counts(9, 0, 2))).expect_err("shut");
    assert_eq!(earned.why, Block::Earned(2));
    assert!(earned.to_string().contains("2 of its runs") && earned.to_string().contains("repair"), "{earned}");
}
