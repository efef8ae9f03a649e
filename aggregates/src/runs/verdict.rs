//! What the checks of an audit come to.

use super::audit::Outcome;
use crate::rulebooks::vocabulary::{
    Bucket, CheckStatus, ClientReady, NextAction, Severity, ThresholdBand, TierLevel, VerdictOutcome,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What an audit comes to. Flags alone decide its severity; the score says how much of the sheet was met.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Pass, risk or fail.
    pub outcome: VerdictOutcome,
    /// Honey, jelly or propolis: by the worst flag.
    pub severity: Severity,
    /// The weight of the checks that pass in the weight of all that were applied, 0 to 100, halves to even.
    pub score_100: u8,
    /// How many checks pass.
    pub checks_passed: u32,
    /// How many are flagged.
    pub checks_failed: u32,
    /// How many say nothing because an operand is missing; they are in neither number above nor in the score.
    pub checks_skipped: u32,
    /// Whether the work may go to a client.
    pub client_ready: ClientReady,
    /// What to do next, for a program.
    pub next_action: NextAction,
    /// What to do next, for a person.
    pub recommended_action: String,
    /// The counts and the score in a sentence.
    pub summary: String,
    /// The labels of the flags, by tier.
    pub risk_breakdown: RiskBreakdown,
    /// Where the score stands against the sheet's thresholds: information that softens no flag.
    pub threshold_band: ThresholdBand,
}

/// The labels of the flags of each tier, in the order of the checks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RiskBreakdown {
    /// Flags of the high tier.
    pub high: Vec<String>,
    /// Flags of the mid tier.
    pub mid: Vec<String>,
    /// Flags of the low tier.
    pub low: Vec<String>,
}

/// No check passed or was flagged, so nothing can be said about the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no check of the sheet applied to the submission, so there is no verdict")]
pub struct NothingApplied;

/// The verdict over these checks. Open and skipped ones are left out; `pass_threshold` and `fail_threshold` are
/// the sheet's, on the scale of the score.
pub fn verdict(checks: &[Outcome], pass_threshold: u8, fail_threshold: u8) -> Result<Verdict, NothingApplied> {
    let count = |status| checks.iter().filter(|check| check.status == status).count();
    let weight = |status| -> u64 {
        checks.iter().filter(|check| check.status == status).map(|check| check.severity.tier().weight()).sum()
    };
    let (passed, flagged, skipped) = (count(CheckStatus::Pass), count(CheckStatus::Flag), count(CheckStatus::Skip));
    if passed + flagged == 0 {
        return Err(NothingApplied);
    }
    let passed_weight = weight(CheckStatus::Pass);
    let score_100 = percent(passed_weight, passed_weight + weight(CheckStatus::Flag));

    let labels = |tier: TierLevel| -> Vec<String> {
        let flags = checks.iter().filter(|check| check.is_flag() && check.severity.tier() == tier);
        flags.map(|check| check.label.clone()).collect()
    };
    let risk_breakdown =
        RiskBreakdown { high: labels(TierLevel::High), mid: labels(TierLevel::Mid), low: labels(TierLevel::Low) };
    let worst = worst(&risk_breakdown);
    let (severity, outcome, client_ready) = match worst {
        Some(TierLevel::High) => (Severity::Propolis, VerdictOutcome::Fail, ClientReady::No),
        Some(TierLevel::Mid) => (Severity::Jelly, VerdictOutcome::Risk, ClientReady::AfterRepair),
        Some(TierLevel::Low) => (Severity::Honey, VerdictOutcome::Pass, ClientReady::YesWithNotes),
        None => (Severity::Honey, VerdictOutcome::Pass, ClientReady::Yes),
    };
    let RiskBreakdown { high, mid, low } = &risk_breakdown;
    let summary = format!(
        "{passed} of {applied} applied checks pass; flags: {} high, {} mid, {} low; {skipped} skipped; weighted score {score_100} of 100.",
        high.len(),
        mid.len(),
        low.len(),
        applied = passed + flagged,
    );
    Ok(Verdict {
        outcome,
        severity,
        score_100,
        checks_passed: saturated(passed),
        checks_failed: saturated(flagged),
        checks_skipped: saturated(skipped),
        client_ready,
        next_action: next_action(checks, worst),
        recommended_action: recommended_action(&risk_breakdown, worst),
        summary,
        risk_breakdown,
        threshold_band: if score_100 >= pass_threshold {
            ThresholdBand::Above
        } else if score_100 < fail_threshold {
            ThresholdBand::Below
        } else {
            ThresholdBand::Between
        },
    })
}

/// The flags among the checks, as places in `checks`: high, then mid, then low, each in the order of the checks.
pub fn ranked(checks: &[Outcome]) -> Vec<usize> {
    let mut flags: Vec<(TierLevel, usize)> = checks
        .iter()
        .enumerate()
        .filter(|(_, check)| check.is_flag())
        .map(|(place, check)| (check.severity.tier(), place))
        .collect();
    flags.sort_by_key(|(tier, place)| (std::cmp::Reverse(*tier), *place));
    flags.into_iter().map(|(_, place)| place).collect()
}

/// 100 times a share in integers, so that a half is exactly a half and goes to the even neighbour.
fn percent(part: u64, whole: u64) -> u8 {
    if whole == 0 {
        return 0;
    }
    let (down, rest) = (100 * part / whole, 100 * part % whole);
    let up = match (2 * rest).cmp(&whole) {
        std::cmp::Ordering::Less => 0,
        std::cmp::Ordering::Equal => down % 2,
        std::cmp::Ordering::Greater => 1,
    };
    u8::try_from(down + up).unwrap_or(100)
}

fn saturated(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn worst(flags: &RiskBreakdown) -> Option<TierLevel> {
    if !flags.high.is_empty() {
        Some(TierLevel::High)
    } else if !flags.mid.is_empty() {
        Some(TierLevel::Mid)
    } else if !flags.low.is_empty() {
        Some(TierLevel::Low)
    } else {
        None
    }
}

/// Work with a defect goes back; work that is right with a bad answer is for a person to judge.
fn next_action(checks: &[Outcome], worst: Option<TierLevel>) -> NextAction {
    let defect = checks.iter().any(|check| {
        check.is_flag() && check.severity.tier() >= TierLevel::Mid && check.bucket() == Bucket::WorkDefect
    });
    match worst {
        None | Some(TierLevel::Low) => NextAction::Approve,
        Some(TierLevel::Mid | TierLevel::High) if defect => NextAction::Resubmit,
        Some(TierLevel::Mid) => NextAction::Review,
        Some(TierLevel::High) => NextAction::Reject,
    }
}

fn recommended_action(flags: &RiskBreakdown, worst: Option<TierLevel>) -> String {
    match worst {
        Some(TierLevel::High) => format!("Do not release. Resolve first: {}.", flags.high.join("; ")),
        Some(TierLevel::Mid) => format!("Clear before release, or state as limitations: {}.", flags.mid.join("; ")),
        Some(TierLevel::Low) => format!("May be released with these notes: {}.", flags.low.join("; ")),
        None => "Approve and issue the receipt.".to_owned(),
    }
}

#[cfg(test)]
mod tests;
