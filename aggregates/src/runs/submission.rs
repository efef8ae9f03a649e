//! Handing in work: each submission opens a round.

use super::{Run, RunEvent, RunRefusal, RunStatus};
use crate::{identity::actor::Actor, ids::SubmissionId, text::Text, time::Time};
use proof::digest::Sha256Hex;
use serde::{Deserialize, Serialize};

/// Who did the work, as declared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// The agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_name: Option<String>,
    /// Its model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_name: Option<String>,
    /// Who serves the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
}

impl Agent {
    /// What this declares, and where it is silent what was declared before.
    fn or(self, before: &Self) -> Self {
        Self {
            agent_name: self.agent_name.or_else(|| before.agent_name.clone()),
            model_name: self.model_name.or_else(|| before.model_name.clone()),
            provider: self.provider.or_else(|| before.provider.clone()),
        }
    }
}

/// Work handed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submission {
    /// Its id.
    pub id: SubmissionId,
    /// 1 for the first submission of the run, 2 for the next.
    pub round: u32,
    /// The text, exactly as it came.
    pub output: Text,
    /// SHA-256 of the text without the white space around it.
    pub sha256: Sha256Hex,
    /// Who did the work.
    pub agent: Agent,
    /// What the agent's tools logged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_logs: Option<Text>,
    /// Remarks of whoever handed it in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<Text>,
    /// Whether it is a customer's data, never to be trained on.
    pub customer_provided: bool,
    /// Who handed it in.
    pub submitted_by: Actor,
    /// When.
    pub submitted_at: Time,
}

/// Work to hand in.
#[derive(Clone, Debug)]
pub struct Work {
    /// Its id.
    pub id: SubmissionId,
    /// The text, exactly as it came.
    pub output: Text,
    /// SHA-256 of the text without the white space around it.
    pub sha256: Sha256Hex,
    /// Who did the work; where silent, what the run declared before stays.
    pub agent: Agent,
    /// What the agent's tools logged.
    pub tool_logs: Option<Text>,
    /// Remarks.
    pub notes: Option<Text>,
    /// Whether it is a customer's data.
    pub customer_provided: bool,
    /// Who hands it in.
    pub by: Actor,
    /// When.
    pub at: Time,
}

impl Run {
    pub(super) fn submit(&self, work: Work) -> Result<Vec<RunEvent>, RunRefusal> {
        use RunStatus::*;
        self.head.is_at(
            "submitting work",
            &[Draft, AssignmentIssued, Submitted, Audited, FindingsReady, Rejected, Escalated],
            "not yet approved",
        )?;
        Ok(vec![RunEvent::WorkSubmitted(Box::new(Submission {
            id: work.id,
            round: self.rounds.len() as u32 + 1,
            output: work.output,
            sha256: work.sha256,
            agent: work.agent.or(&self.head.agent),
            tool_logs: work.tool_logs,
            notes: work.notes,
            customer_provided: work.customer_provided,
            submitted_by: work.by,
            submitted_at: work.at,
        }))])
    }
}
