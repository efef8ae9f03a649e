//! What a verdict says of the agent that did the work.
//!
//! It goes into an event of its own, beside the one that gave the verdict, so that what is kept of a profile can be folded
//! from the event alone: it also says which evaluation of the same run it replaces.

use super::{
    Run, RunEvent,
    audit::Outcome,
    verdict::{Verdict, ranked},
};
use crate::{
    ids::{AgentProfileId, SheetId},
    rulebooks::vocabulary::{CheckCategory, CheckStatus, Lane, RuleSeverity, Severity},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// How many flags of a run count for its agent: the work must not decide how much is kept of it.
pub const FLAG_LIMIT: usize = 100;

/// A run was judged, and its agent with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evaluation {
    /// The profile that the run was opened with.
    pub profile: AgentProfileId,
    /// The flight sheet.
    pub sheet: SheetId,
    /// Its name, which names the lane.
    pub sheet_name: String,
    /// The lane of the run.
    pub lane: Lane,
    /// The run's title.
    pub title: String,
    /// What it came to.
    pub result: Evaluated,
    /// What the same run came to before. It counts until now: handing work in again lifts nothing, only a better verdict
    /// does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<Box<Evaluated>>,
}

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evaluated {
    /// The verdict's severity.
    pub severity: Severity,
    /// Its score.
    pub score_100: u8,
    /// How many checks passed and were flagged, by category; categories without either are left out.
    pub tallies: Vec<Tally>,
    /// The rules that it broke, each once, the weightiest first; at most [`FLAG_LIMIT`].
    pub flags: Vec<Flagged>,
}

/// How many checks of one category passed and were flagged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// The category.
    pub category: CheckCategory,
    /// How many passed.
    pub passed: u32,
    /// How many were flagged.
    pub flagged: u32,
}

/// A rule that was broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flagged {
    /// The rule in words.
    pub label: String,
    /// What it looks at.
    pub category: CheckCategory,
    /// What it weighs.
    pub severity: RuleSeverity,
}

impl Evaluated {
    fn of(checks: &[Outcome], verdict: &Verdict) -> Self {
        let count = |category, status| {
            let found = checks.iter().filter(|check| check.category == category && check.status == status).count();
            u32::try_from(found).unwrap_or(u32::MAX)
        };
        let tally = |category: &CheckCategory| {
            let (passed, flagged) = (count(*category, CheckStatus::Pass), count(*category, CheckStatus::Flag));
            (passed + flagged > 0).then_some(Tally { category: *category, passed, flagged })
        };
        let mut seen = BTreeSet::new();
        let flags = ranked(checks).into_iter().filter_map(|place| checks.get(place));
        let flags = flags.filter(|check| seen.insert((check.category, check.label.as_str()))).take(FLAG_LIMIT);
        let flag = |check: &Outcome| Flagged {
            label: check.label.clone(),
            category: check.category,
            severity: check.severity,
        };
        Self {
            severity: verdict.severity,
            score_100: verdict.score_100,
            tallies: CheckCategory::ALL.iter().filter_map(tally).collect(),
            flags: flags.map(flag).collect(),
        }
    }
}

impl Run {
    /// What the verdict says of the run's agent; nothing for a run without a profile, or when it says what the last one
    /// said.
    pub(super) fn evaluation(&self, checks: &[Outcome], verdict: &Verdict) -> Option<RunEvent> {
        let opened = self.head.opened.as_ref()?;
        let (profile, sheet) = (opened.agent_profile?, opened.sheet.as_ref()?);
        let result = Evaluated::of(checks, verdict);
        if self.evaluated.as_ref() == Some(&result) {
            return None;
        }
        Some(RunEvent::ProfileEvaluated(Box::new(Evaluation {
            profile,
            sheet: sheet.id,
            sheet_name: sheet.name.clone(),
            lane: opened.lane,
            title: opened.title.clone(),
            result,
            replaces: self.evaluated.clone().map(Box::new),
        })))
    }
}

#[cfg(test)]
mod tests;
