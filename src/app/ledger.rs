//! Minting: a receipt and the run that it closes, in one append.

use super::{App, Caller, Refused, permit, rulebooks::stream_id, stream};
use crate::{
    outside::{chance, clock},
    store::{Append, AppendError, NewReceipt},
};
use aggregates::{
    Decider, Permission,
    ids::RunId,
    ledger::{
        Minted, Receipt, ReceiptCommand,
        payload::{Coordinates, Events, Organization, Payload, Project, Surroundings},
        receipt_id, receipt_stream,
    },
    runs::{Run, RunCommand, RunRefusal, SealedReceipt},
};
use proof::digest::sha256;

/// How often a mint that lost the race for a number takes the next one.
const TRIES: usize = 64;

impl App {
    /// Mints the receipt of an approved run; a run that has one answers with it. Also answers the ledger's position.
    pub async fn mint(&self, caller: &Caller, run: RunId) -> Result<(Minted, i64), Refused> {
        permit(caller, Permission::Work)?;
        let id = stream_id(run);
        let _run = self.cache.turn::<Run>(caller.org, &id).await;
        // Receipts of one organisation wait for each other: the number and the parent follow from the one before.
        let _number = self.cache.turn::<Receipt>(caller.org, "").await;
        for _ in 0..TRIES {
            let loaded = self.current::<Run>(caller.org, &id).await?;
            if loaded.state.head.receipt.is_some() {
                let minted = projections::ledger::of_run(self.db(), caller.org, run).await?;
                let minted = minted.ok_or_else(|| Refused::Fault(format!("the receipt of {run} is missing").into()))?;
                return Ok((minted, self.store.position().await?));
            }
            let (minted, payload) = self.draw_up(caller, run, &loaded.state, loaded.sequence).await?;
            let sealed = SealedReceipt {
                receipt_id: minted.receipt_id.clone(),
                org_seq: minted.org_seq,
                receipt_sha256: minted.receipt_sha256,
            };
            let closed = loaded.state.decide(RunCommand::Seal(sealed)).map_err(Refused::rule)?;
            let receipt = receipt_stream(minted.org_seq);
            let mint = ReceiptCommand::Mint(Box::new(minted.clone()));
            let issued = Receipt::default().decide(mint).map_err(Refused::rule)?;
            let append = Append {
                command_id: chance::uuid().to_string(),
                fingerprint: None,
                actor: caller.actor.to_string(),
                streams: vec![
                    stream::<Run>(caller.org, &id, loaded.sequence, &closed)?,
                    stream::<Receipt>(caller.org, &receipt, 0, &issued)?,
                ],
                claims: vec![],
                releases: vec![],
                blobs: vec![],
                receipt: Some(NewReceipt { org: caller.org, org_seq: minted.org_seq, payload }),
            };
            match self.store.append(append).await {
                Ok(appended) => {
                    self.cache.settle(caller.org, &id, loaded, &closed);
                    return Ok((minted, appended.last));
                }
                // Another process took the number, or changed the run: look again.
                Err(AppendError::Conflict) => self.cache.forget::<Run>(caller.org, &id),
                Err(error) => return Err(error.into()),
            }
        }
        Err(AppendError::Conflict.into())
    }

    async fn draw_up(
        &self,
        caller: &Caller,
        run: RunId,
        state: &Run,
        sequence: i64,
    ) -> Result<(Minted, Vec<u8>), Refused> {
        let (_, approval) = state.head.sealable().map_err(Refused::rule)?;
        let opened = state.head.opened().map_err(Refused::rule)?;
        if opened.sheet.is_none() {
            return Err(Refused::rule(RunRefusal::NoSheet));
        }
        let missing = |what: &str| Refused::Fault(format!("the {what} of {run} is missing").into());
        let organisation = projections::identity::organisation(self.db(), caller.org).await?;
        let project = projections::runs::project(self.db(), caller.org, opened.project).await?;
        let approver = self.person(approval.approver).await?.email;
        let (org_seq, parent_hash) = self.store.next_receipt(caller.org).await?;
        let (org_position, hash) = self.store.event_seal::<Run>(caller.org, &stream_id(run), sequence).await?;
        let receipt_id = receipt_id(org_seq, &chance::receipt_suffix());
        let share_token = chance::share_token();
        let share_url = format!("{}/share/{share_token}", self.public_url);
        let created_at = clock::now();
        let payload = Payload::of(
            state,
            Coordinates {
                receipt_id: receipt_id.clone(),
                org_seq,
                parent_hash,
                created_at,
                share_url: share_url.clone(),
            },
            Surroundings {
                organization: Organization {
                    id: caller.org,
                    name: organisation.ok_or_else(|| missing("organisation"))?.name,
                },
                project: Project { id: opened.project, name: project.ok_or_else(|| missing("project"))?.name },
                approver,
                events: Events { org_position, hash },
            },
        )
        .map_err(Refused::rule)?;
        let payload = proof::canonical::to_vec(&payload).map_err(|error| Refused::Fault(error.into()))?;
        let receipt_sha256 = sha256(&payload);
        let minted =
            Minted { receipt_id, org_seq, parent_hash, receipt_sha256, share_token, share_url, created_at, run };
        Ok((minted, payload))
    }
}
