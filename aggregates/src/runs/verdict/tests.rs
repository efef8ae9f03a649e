use super::*;
use crate::rulebooks::vocabulary::{CheckCategory, CheckKind, CheckSource, RuleSeverity};

fn check(status: CheckStatus, severity: RuleSeverity, label: &str) -> Outcome {
    Outcome {
        key: label.to_owned(),
        label: label.to_owned(),
        category: CheckCategory::Math,
        kind: CheckKind::Auto,
        source: CheckSource::Auto,
        status,
        severity,
        detail: None,
        expected: None,
        found: None,
        remedy: None,
    }
}

/// Checks whose passing weight and total weight are these, made of weights 5, 2 and 1.
fn weighing(passed: u64, total: u64) -> Vec<Outcome> {
    let mut checks = Vec::new();
    for (mut left, status) in [(passed, CheckStatus::Pass), (total - passed, CheckStatus::Flag)] {
        for severity in [RuleSeverity::Critical, RuleSeverity::Noncritical, RuleSeverity::Minor] {
            while left >= severity.tier().weight() {
                left -= severity.tier().weight();
                checks.push(check(status, severity, "c"));
            }
        }
        assert_eq!(left, 0);
    }
    checks
}

#[test]
fn the_score_rounds_halves_to_even() {
    for (passed, total, score) in [(30, 35, 86), (25, 40, 62), (3, 8, 38), (1, 8, 12), (30, 31, 97), (0, 5, 0)] {
        let verdict = verdict(&weighing(passed, total), 80, 60).expect("checks apply");
        assert_eq!(verdict.score_100, score, "{passed}/{total}");
    }
}

#[test]
fn the_worst_flag_decides_and_the_score_never() {
    use CheckStatus::{Flag, Pass};
    use RuleSeverity::{High, Honey, Jelly, Low, Medium, Propolis};
    let table: [(&[RuleSeverity], _, _, _, _); 7] = [
        (&[High, Medium, Low], Severity::Propolis, VerdictOutcome::Fail, ClientReady::No, NextAction::Resubmit),
        (&[Propolis], Severity::Propolis, VerdictOutcome::Fail, ClientReady::No, NextAction::Resubmit),
        (&[Medium, Low], Severity::Jelly, VerdictOutcome::Risk, ClientReady::AfterRepair, NextAction::Resubmit),
        (&[Jelly], Severity::Jelly, VerdictOutcome::Risk, ClientReady::AfterRepair, NextAction::Resubmit),
        (&[Low], Severity::Honey, VerdictOutcome::Pass, ClientReady::YesWithNotes, NextAction::Approve),
        (&[Honey, Low], Severity::Honey, VerdictOutcome::Pass, ClientReady::YesWithNotes, NextAction::Approve),
        (&[], Severity::Honey, VerdictOutcome::Pass, ClientReady::Yes, NextAction::Approve),
    ];
    for (flags, severity, outcome, ready, action) in table {
        // A hundred passing checks of the greatest weight soften nothing.
        let mut checks = vec![check(Pass, High, "fine"); 100];
        checks.extend(flags.iter().map(|severity| check(Flag, *severity, "broken")));
        let verdict = verdict(&checks, 80, 60).expect("checks apply");
        assert_eq!((verdict.severity, verdict.outcome), (severity, outcome), "{flags:?}");
        assert_eq!((verdict.client_ready, verdict.next_action), (ready, action), "{flags:?}");
    }
}

#[test]
fn a_policy_flag_alone_is_a_finding_about_the_deal() {
    let mut gate = check(CheckStatus::Flag, RuleSeverity::Critical, "gate");
    gate.category = CheckCategory::Policy;
    assert_eq!(verdict(std::slice::from_ref(&gate), 80, 60).expect("applies").next_action, NextAction::Reject);
    gate.severity = RuleSeverity::Mid;
    assert_eq!(verdict(&[gate], 80, 60).expect("applies").next_action, NextAction::Review);
}

#[test]
fn open_and_skipped_checks_do_not_count_and_nothing_at_all_is_no_verdict() {
    let left_out =
        [check(CheckStatus::Open, RuleSeverity::High, "open"), check(CheckStatus::Skip, RuleSeverity::Low, "skip")];
    assert_eq!(verdict(&left_out, 80, 60), Err(NothingApplied));
    assert_eq!(verdict(&[], 80, 60), Err(NothingApplied));
    let mut checks = left_out.to_vec();
    checks.push(check(CheckStatus::Pass, RuleSeverity::Low, "pass"));
    let verdict = verdict(&checks, 80, 60).expect("one applies");
    assert_eq!((verdict.checks_passed, verdict.checks_failed, verdict.checks_skipped), (1, 0, 1));
    assert!(verdict.summary.contains("1 skipped"), "{}", verdict.summary);
}

#[test]
fn labels_are_listed_by_tier_in_the_order_of_the_checks_and_flags_rank_high_first() {
    use CheckStatus::{Flag, Pass};
    let checks = [
        check(Flag, RuleSeverity::Low, "a"),
        check(Flag, RuleSeverity::High, "b"),
        check(Pass, RuleSeverity::High, "c"),
        check(Flag, RuleSeverity::Medium, "d"),
        check(Flag, RuleSeverity::Critical, "e"),
    ];
    assert_eq!(ranked(&checks), [1, 4, 3, 0]);
    let verdict = verdict(&checks, 80, 60).expect("checks apply");
    assert_eq!(verdict.risk_breakdown.high, ["b", "e"]);
    assert_eq!((verdict.risk_breakdown.mid, verdict.risk_breakdown.low), (vec!["d".to_owned()], vec!["a".to_owned()]));
    assert!(verdict.recommended_action.contains("b; e"));
}

#[test]
fn thresholds_only_inform() {
    for (score, band) in [(86, ThresholdBand::Above), (62, ThresholdBand::Between), (38, ThresholdBand::Below)] {
        let (passed, total) = match score {
            86 => (30, 35),
            62 => (25, 40),
            _ => (3, 8),
        };
        assert_eq!(verdict(&weighing(passed, total), 80, 60).expect("checks apply").threshold_band, band);
    }
}
