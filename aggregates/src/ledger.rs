//! Receipts: what an organisation can show to anyone.
//!
//! A receipt is an aggregate of its own whose id is made of the organisation and its place in the
//! chain, so that the ledger's primary key itself forbids a second receipt with that number, and
//! minting receipt 1,000,000 costs what minting receipt 10 did.

pub mod payload;

use crate::{
    Decider, Demands, Fact, Fault, Permission, Refusal,
    ids::{IncidentId, RunId},
    time::Time,
};
use proof::digest::Sha256Hex;
use serde::{Deserialize, Serialize};

/// A receipt.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Receipt {
    /// What was minted; none, and the number is still free.
    pub minted: Option<Minted>,
}

/// A receipt's coordinates. Its payload lies, as the bytes that were hashed, in the store's receipts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Minted {
    /// `DCR-`, the sequence with at least six digits, `-` and eight random hexadecimal digits.
    pub receipt_id: String,
    /// The place in the organisation's chain, from 0.
    pub org_seq: u64,
    /// The receipt before it; zeros for the first.
    pub parent_hash: Sha256Hex,
    /// SHA-256 of the payload's canonical bytes.
    pub receipt_sha256: Sha256Hex,
    /// Whoever has it may see the receipt.
    pub share_token: String,
    /// Where the receipt is shown; sealed in the payload.
    pub share_url: String,
    /// When it was minted; sealed in the payload.
    pub created_at: Time,
    /// What it is for.
    #[serde(flatten)]
    pub subject: Subject,
}

/// What a receipt is for. In the event it is the one field `run` or `incident`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// The run that it closes.
    Run(RunId),
    /// The incident that it attests.
    Incident(IncidentId),
}

impl Subject {
    /// The run, when it is one.
    pub const fn run(self) -> Option<RunId> {
        match self {
            Self::Run(run) => Some(run),
            Self::Incident(_) => None,
        }
    }
}

/// What may be asked of a receipt.
#[derive(Clone, Debug)]
pub enum ReceiptCommand {
    /// Mint it.
    Mint(Box<Minted>),
}

/// What happened to a receipt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptEvent {
    /// It was minted.
    ReceiptMinted(Box<Minted>),
}

/// Why a receipt refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptRefusal {
    /// The number is taken.
    #[error("the receipt with this number is already minted")]
    Taken,
}

/// The receipt's id within its organisation.
pub fn receipt_stream(org_seq: u64) -> String {
    format!("{org_seq:012}")
}

/// The receipt's name: `DCR-`, the sequence, eight hexadecimal digits of chance.
pub fn receipt_id(org_seq: u64, chance: &str) -> String {
    format!("DCR-{org_seq:06}-{chance}")
}

impl Refusal for ReceiptRefusal {
    fn fault(&self) -> Fault {
        Fault::Conflict
    }
}

impl Fact for ReceiptEvent {
    fn name(&self) -> &'static str {
        match self {
            Self::ReceiptMinted(_) => "receipt_minted",
        }
    }
}

impl Demands for ReceiptCommand {
    fn permission(&self) -> Permission {
        Permission::Work
    }
}

impl Decider for Receipt {
    const TYPE: &'static str = "receipt";
    type Command = ReceiptCommand;
    type Event = ReceiptEvent;
    type Refusal = ReceiptRefusal;

    fn decide(&self, ReceiptCommand::Mint(minted): ReceiptCommand) -> Result<Vec<ReceiptEvent>, ReceiptRefusal> {
        if self.minted.is_some() { Err(ReceiptRefusal::Taken) } else { Ok(vec![ReceiptEvent::ReceiptMinted(minted)]) }
    }

    fn evolve(&mut self, ReceiptEvent::ReceiptMinted(minted): &ReceiptEvent) {
        self.minted = Some((**minted).clone());
    }
}

#[cfg(test)]
mod tests;
