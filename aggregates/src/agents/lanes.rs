//! Lanes that a profile earns: a lane is the work under one flight sheet, and verdicts open and shut it.

use super::Profile;
use crate::{
    Fault, Refusal,
    ids::AgentProfileId,
    rulebooks::vocabulary::{LaneStatus, Severity},
    time::Time,
};
use serde::{Deserialize, Serialize};

/// So many runs at propolis block a lane.
pub const BLOCKED_FROM: u32 = 2;
/// So many runs at honey approve a lane, when none is at propolis.
pub const APPROVED_FROM: u32 = 3;

/// How many runs stand at each severity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Clean runs.
    pub honey: u32,
    /// Runs to be repaired.
    pub jelly: u32,
    /// Runs that must not be released.
    pub propolis: u32,
}

impl Counts {
    /// What the runs of one lane have earned.
    pub const fn status(self) -> LaneStatus {
        if self.propolis >= BLOCKED_FROM {
            LaneStatus::Blocked
        } else if self.propolis > 0 {
            LaneStatus::Restricted
        } else if self.honey >= APPROVED_FROM {
            LaneStatus::Approved
        } else {
            LaneStatus::Testing
        }
    }

    /// How many runs these are.
    pub const fn total(self) -> u32 {
        self.honey.saturating_add(self.jelly).saturating_add(self.propolis)
    }

    /// One run more stands at this severity.
    pub const fn add(&mut self, severity: Severity) {
        let count = self.at(severity);
        *count = count.saturating_add(1);
    }

    /// One run no longer stands at this severity.
    pub const fn take(&mut self, severity: Severity) {
        let count = self.at(severity);
        *count = count.saturating_sub(1);
    }

    const fn at(&mut self, severity: Severity) -> &mut u32 {
        match severity {
            Severity::Honey => &mut self.honey,
            Severity::Jelly => &mut self.jelly,
            Severity::Propolis => &mut self.propolis,
        }
    }
}

/// What the lanes of a profile come to: restricted where any is restricted or blocked, else approved where any is.
pub fn overall(lanes: impl IntoIterator<Item = LaneStatus>) -> LaneStatus {
    lanes.into_iter().fold(LaneStatus::Testing, |overall, lane| match (overall, lane) {
        (LaneStatus::Restricted, _) | (_, LaneStatus::Restricted | LaneStatus::Blocked) => LaneStatus::Restricted,
        (_, LaneStatus::Approved) | (LaneStatus::Approved, _) => LaneStatus::Approved,
        _ => LaneStatus::Testing,
    })
}

/// The stack behind a run, as it stood at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stack {
    /// The profile.
    pub id: AgentProfileId,
    /// What it declared.
    pub profile: Profile,
    /// Whether runs could be opened with it.
    pub active: bool,
    /// When it was made.
    pub created_at: Time,
    /// How the profile's runs on the same flight sheet stood.
    pub standing: Counts,
}

/// Why a lane is shut to a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block {
    /// Its governance names the lane.
    Governance,
    /// So many of its runs on the lane stand at propolis.
    Earned(u32),
}

impl Stack {
    /// Why the lane of a flight sheet, given by its slug and name, is shut to the profile, if it is.
    pub fn block(&self, slug: &str, name: &str) -> Option<Block> {
        if self.profile.keeps_out_of(slug, name) {
            Some(Block::Governance)
        } else if self.standing.status() == LaneStatus::Blocked {
            Some(Block::Earned(self.standing.propolis))
        } else {
            None
        }
    }

    /// Lets a run be opened on the lane of a flight sheet.
    ///
    /// # Errors
    /// The lane is shut to the profile.
    pub fn may_run(&self, slug: &str, name: &str) -> Result<(), LaneShut> {
        let shut = |why| LaneShut { profile: self.profile.name.clone(), lane: name.to_owned(), why };
        self.block(slug, name).map_or(Ok(()), |why| Err(shut(why)))
    }
}

/// A lane is shut to a profile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the lane “{lane}” is blocked for the profile “{profile}”: {}", reason(*.why))]
pub struct LaneShut {
    /// The profile's name.
    pub profile: String,
    /// The name of the lane's flight sheet.
    pub lane: String,
    /// Why.
    pub why: Block,
}

/// Why, and what would lift it.
fn reason(why: Block) -> String {
    match why {
        Block::Governance => {
            "its governance.blocked_lanes names the lane; take it out of that list to lift the block, or \
                              use another profile"
                .to_owned()
        }
        Block::Earned(propolis) => format!(
            "{propolis} of its runs on it came to propolis, and {BLOCKED_FROM} block a lane; repair those runs and audit \
             them again to lift the block, or use another profile"
        ),
    }
}

impl Refusal for LaneShut {
    fn fault(&self) -> Fault {
        Fault::Conflict
    }
}

#[cfg(test)]
mod tests;
