//! Minting: a receipt and the record that it attests, in one append.

use super::{App, Caller, Refused, permit, rulebooks::stream_id, stream};
use crate::{
    outside::{chance, clock},
    store::{Append, AppendError, Loaded, NewReceipt},
};
use aggregates::{
    Decider, Permission,
    agents::incident::{Incident, IncidentCommand},
    ids::{IncidentId, RunId},
    ledger::{
        Minted, Receipt, ReceiptCommand, Subject,
        payload::{Coordinates, Events, IncidentPayload, Organization, Payload, Project, SealedProfile, Surroundings},
        receipt_id, receipt_stream,
    },
    runs::{Run, RunCommand, RunRefusal, SealedReceipt},
};
use proof::digest::sha256;
use serde::Serialize;
use std::sync::Arc;

/// How often a mint that lost the race for a number takes the next one.
const TRIES: usize = 64;

/// The next place in an organisation's chain.
struct Next {
    at: Coordinates,
    share_token: String,
}

impl Next {
    /// The receipt that says this at this place, and its canonical bytes.
    fn seal(self, payload: &impl Serialize, subject: Subject) -> Result<(Minted, Vec<u8>), Refused> {
        let payload = proof::canonical::to_vec(payload).map_err(|error| Refused::Fault(error.into()))?;
        let Coordinates { receipt_id, org_seq, parent_hash, created_at, share_url } = self.at;
        let (receipt_sha256, share_token) = (sha256(&payload), self.share_token);
        let minted =
            Minted { receipt_id, org_seq, parent_hash, receipt_sha256, share_token, share_url, created_at, subject };
        Ok((minted, payload))
    }
}

impl App {
    /// Mints the receipt of an approved run; a run that has one answers with it. Also answers the ledger's position.
    pub async fn mint(&self, caller: &Caller, run: RunId) -> Result<(Minted, i64), Refused> {
        permit(caller, Permission::Work)?;
        let id = stream_id(run);
        // Receipts of one organisation wait for each other: the number and the parent follow from the one before. Nobody
        // waits for the run's own turn as well: two turns may be one and the same, which would wait for itself.
        let _number = self.cache.turn::<Receipt>(caller.org, "").await;
        for _ in 0..TRIES {
            let loaded = self.current::<Run>(caller.org, &id).await?;
            if loaded.state.head.receipt.is_some() {
                let minted = projections::ledger::of_run(self.db(), caller.org, run).await?;
                let minted = minted.ok_or_else(|| Refused::Fault(format!("the receipt of {run} is missing").into()))?;
                return Ok((minted, self.store.position().await?));
            }
            let (minted, payload) = self.draw_up_run(caller, run, &loaded).await?;
            let closed = loaded.state.decide(RunCommand::Seal(sealed(&minted))).map_err(Refused::rule)?;
            if let Some(position) = self.issue(caller, &id, loaded, &closed, &minted, payload).await? {
                return Ok((minted, position));
            }
        }
        Err(AppendError::Conflict.into())
    }

    /// Mints the receipt of an incident, on the same chain; an incident that has one answers with it. Also answers the
    /// ledger's position.
    pub async fn mint_incident(&self, caller: &Caller, incident: IncidentId) -> Result<(Minted, i64), Refused> {
        permit(caller, Permission::Work)?;
        let id = stream_id(incident);
        let _number = self.cache.turn::<Receipt>(caller.org, "").await;
        for _ in 0..TRIES {
            let loaded = self.current::<Incident>(caller.org, &id).await?;
            loaded.state.opened().map_err(Refused::rule)?;
            if let Some(receipt) = &loaded.state.receipt {
                let minted = projections::ledger::at(self.db(), caller.org, receipt.org_seq).await?;
                let missing = || Refused::Fault(format!("the receipt of {incident} is missing").into());
                return Ok((minted.ok_or_else(missing)?, self.store.position().await?));
            }
            let (minted, payload) = self.draw_up_incident(caller, incident, &loaded).await?;
            let closed = loaded.state.decide(IncidentCommand::Seal(sealed(&minted))).map_err(Refused::rule)?;
            if let Some(position) = self.issue(caller, &id, loaded, &closed, &minted, payload).await? {
                return Ok((minted, position));
            }
        }
        Err(AppendError::Conflict.into())
    }

    /// Appends a receipt and what it means for the record that it attests; answers the position, or nothing when another
    /// process took the number or changed the record: then it is to be looked at again.
    async fn issue<D: Decider>(
        &self,
        caller: &Caller,
        id: &str,
        loaded: Arc<Loaded<D>>,
        closed: &[D::Event],
        minted: &Minted,
        payload: Vec<u8>,
    ) -> Result<Option<i64>, Refused> {
        let receipt = receipt_stream(minted.org_seq);
        let mint = ReceiptCommand::Mint(Box::new(minted.clone()));
        let issued = Receipt::default().decide(mint).map_err(Refused::rule)?;
        let append = Append {
            command_id: chance::uuid().to_string(),
            fingerprint: None,
            actor: caller.actor.to_string(),
            streams: vec![
                stream::<D>(caller.org, id, loaded.sequence, closed)?,
                stream::<Receipt>(caller.org, &receipt, 0, &issued)?,
            ],
            claims: vec![],
            releases: vec![],
            blobs: vec![],
            receipt: Some(NewReceipt { org: caller.org, org_seq: minted.org_seq, payload }),
        };
        match self.store.append(append).await {
            Ok(appended) => {
                self.cache.settle(caller.org, id, loaded, closed);
                Ok(Some(appended.last))
            }
            Err(AppendError::Conflict) => {
                self.cache.forget::<D>(caller.org, id);
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn next(&self, caller: &Caller) -> Result<Next, Refused> {
        let (org_seq, parent_hash) = self.store.next_receipt(caller.org).await?;
        let share_token = chance::share_token();
        let at = Coordinates {
            receipt_id: receipt_id(org_seq, &chance::receipt_suffix()),
            org_seq,
            parent_hash,
            created_at: clock::now(),
            share_url: format!("{}/share/{share_token}", self.public_url),
        };
        Ok(Next { at, share_token })
    }

    async fn organization(&self, caller: &Caller) -> Result<Organization, Refused> {
        let row = projections::identity::organisation(self.db(), caller.org).await?;
        let row = row.ok_or_else(|| Refused::Fault(format!("the organisation {} is missing", caller.org).into()))?;
        Ok(Organization { id: caller.org, name: row.name })
    }

    async fn draw_up_run(
        &self,
        caller: &Caller,
        run: RunId,
        loaded: &Loaded<Run>,
    ) -> Result<(Minted, Vec<u8>), Refused> {
        let (_, approval) = loaded.state.head.sealable().map_err(Refused::rule)?;
        let opened = loaded.state.head.opened().map_err(Refused::rule)?;
        if opened.sheet.is_none() {
            return Err(Refused::rule(RunRefusal::NoSheet));
        }
        let project = projections::runs::project(self.db(), caller.org, opened.project).await?;
        let project = project.ok_or_else(|| Refused::Fault(format!("the project of {run} is missing").into()))?;
        let (org_position, hash) = self.store.event_seal::<Run>(caller.org, &stream_id(run), loaded.sequence).await?;
        let around = Surroundings {
            organization: self.organization(caller).await?,
            project: Project { id: opened.project, name: project.name },
            approver: self.person(approval.approver).await?.email,
            events: Events { org_position, hash },
        };
        let next = self.next(caller).await?;
        let payload = Payload::of(&loaded.state, next.at.clone(), around).map_err(Refused::rule)?;
        next.seal(&payload, Subject::Run(run))
    }

    async fn draw_up_incident(
        &self,
        caller: &Caller,
        incident: IncidentId,
        loaded: &Loaded<Incident>,
    ) -> Result<(Minted, Vec<u8>), Refused> {
        let row = projections::agents::incident(self.db(), caller.org, incident).await?;
        let opened_at = row.ok_or(Refused::NotFound("incident"))?.row.stamp.created_at;
        let profile = match loaded.state.opened().map_err(Refused::rule)?.profile {
            Some(profile) => Some(SealedProfile::of(&self.stack(caller.org, profile, None).await?)),
            None => None,
        };
        let (org_position, hash) =
            self.store.event_seal::<Incident>(caller.org, &stream_id(incident), loaded.sequence).await?;
        let organization = self.organization(caller).await?;
        let next = self.next(caller).await?;
        let events = Events { org_position, hash };
        let payload = IncidentPayload::of(&loaded.state, next.at.clone(), organization, profile, opened_at, events);
        next.seal(&payload.map_err(Refused::rule)?, Subject::Incident(incident))
    }
}

/// What the record that a receipt attests keeps of it.
fn sealed(minted: &Minted) -> SealedReceipt {
    SealedReceipt {
        receipt_id: minted.receipt_id.clone(),
        org_seq: minted.org_seq,
        receipt_sha256: minted.receipt_sha256,
    }
}
