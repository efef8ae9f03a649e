//! Whether the agent's stack is fit for the lane. What is amiss is a flag of the mid tier: the work may be right, but it is
//! not clean before somebody has looked.

use super::{
    Outcome, STACK_FIT,
    judgement::{Judgement, Miss, outcome},
    reserved,
};
use crate::{
    agents::lanes::{BLOCKED_FROM, Block, Stack},
    rulebooks::{
        sheet::Sheet,
        vocabulary::{CheckCategory, RuleSeverity, TierLevel},
    },
};

/// The checks that are raised; none where the stack is fit, so that being fit adds nothing to the score.
pub(super) fn stack_fit(stack: &Stack, sheet: &Sheet) -> Vec<Outcome> {
    let [capability, lane] = STACK_FIT;
    let check = |key, label, judgement| {
        let mut heading = reserved(key, label, CheckCategory::Policy);
        heading.severity = Some(RuleSeverity::Mid);
        outcome(&heading, judgement, TierLevel::Mid)
    };
    let label = "The agent is as capable as the lane demands";
    let capability = match (sheet.min_capability_tier, stack.profile.capability_tier) {
        (Some(least), Some(declared)) if declared < least => {
            let miss = Miss::of(
                format!("the profile declares {declared}, below {least}"),
                format!("a capability tier of {least} or above"),
                declared.to_string(),
            );
            let remedy = format!("Run the lane with a profile of the capability tier {least} or above.");
            Some(check(capability, label, Judgement::Flag(miss.remedied_by(remedy))))
        }
        (Some(_), None) => {
            Some(check(capability, label, Judgement::Skip("the profile declares no capability tier".into())))
        }
        _ => None,
    };
    let blocked = stack.block(&sheet.slug, &sheet.name).map(|why| {
        let (found, remedy) = match why {
            Block::Governance => (
                "the profile's governance.blocked_lanes names the lane".to_owned(),
                "Take the lane out of the profile's governance.blocked_lanes, or use another profile.",
            ),
            Block::Earned(propolis) => (
                format!("{propolis} of the profile's runs on the lane stand at propolis, and {BLOCKED_FROM} block it"),
                "Repair those runs and audit them again, or use another profile.",
            ),
        };
        let miss = Miss::of("the lane is blocked for the agent's profile", "a lane that is not blocked", found);
        check(lane, "The lane is open to the agent", Judgement::Flag(miss.remedied_by(remedy)))
    });
    capability.into_iter().chain(blocked).collect()
}
