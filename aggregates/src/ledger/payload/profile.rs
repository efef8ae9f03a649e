//! An agent profile as receipts seal it.

use crate::{
    agents::{Governance, Profile, lanes::Stack},
    ids::AgentProfileId,
    rulebooks::vocabulary::CapabilityTier,
    time::Time,
};
use serde::Serialize;

/// What a profile declared: every field, also those that it left empty.
#[derive(Clone, Debug, Serialize)]
pub struct SealedProfile {
    id: AgentProfileId,
    name: String,
    harness: Option<String>,
    harness_version: Option<String>,
    model: Option<String>,
    model_provider: Option<String>,
    served_by: Option<String>,
    runtime_host: Option<String>,
    runtime_os: Option<String>,
    runtime_hardware: Option<String>,
    tools: Vec<String>,
    context_window: Option<u32>,
    capability_tier: Option<CapabilityTier>,
    notes: Option<String>,
    governance: Option<SealedGovernance>,
    active: bool,
    created_at: Time,
}

#[derive(Clone, Debug, Serialize)]
struct SealedGovernance {
    requires_approval_client_output: bool,
    /// In dollars, as a decimal text: a receipt has no floats.
    spend_cap_usd: Option<String>,
    blocked_lanes: Vec<String>,
    notes: Option<String>,
}

impl SealedProfile {
    /// What the stack declared when it was looked at.
    pub fn of(stack: &Stack) -> Self {
        let Profile {
            name,
            harness,
            harness_version,
            model,
            model_provider,
            served_by,
            runtime_host,
            runtime_os,
            runtime_hardware,
            tools,
            context_window,
            capability_tier,
            notes,
            governance,
        } = stack.profile.clone();
        let sealed =
            |Governance { requires_approval_client_output, spend_cap, blocked_lanes, notes }| SealedGovernance {
                requires_approval_client_output,
                spend_cap_usd: spend_cap.map(|cents| cents.to_string()),
                blocked_lanes,
                notes,
            };
        Self {
            id: stack.id,
            name,
            harness,
            harness_version,
            model,
            model_provider,
            served_by,
            runtime_host,
            runtime_os,
            runtime_hardware,
            tools,
            context_window,
            capability_tier,
            notes,
            governance: governance.map(sealed),
            active: stack.active,
            created_at: stack.created_at,
        }
    }
}
