//! What a run needs beside its own rules: its rulebook, its texts, its files.

use super::{App, Caller, Done, Refused, Terms, With, command_id, permit, rulebooks::stream_id};
use crate::outside::{chance, clock, objects::Key};
use aggregates::{
    Permission,
    agents::Profile,
    identity::organisation::Organisation,
    ids::{AgentProfileId, CheckId, EvidenceId, ProjectId, RunId},
    rulebooks::vocabulary::{ApprovalDecision, EvidenceKind, Lane},
    runs::{
        Agent, Evidence, Findings, Opened, PinnedSheet, Run, RunCommand, Work,
        audit::{self, ENGINE, Exhibit},
        evidence::StoredFile,
        project::{Project, ProjectCommand},
    },
    slug,
    text::{Blob, Text},
};
use bytes::Bytes;
use futures::Stream;
use projections::runs as shown;
use proof::digest::{Blake3Hex, Sha256Hex, sha256};
use serde_json::{Value, json};
use std::fmt::Display;

/// The most bytes of an uploaded file: 25 MiB.
pub const UPLOAD_LIMIT: u64 = 25 << 20;

/// What a run is opened with.
#[derive(Clone, Debug)]
pub struct NewRun {
    /// The project.
    pub project: ProjectId,
    /// The rulebook, by id or slug.
    pub sheet: Option<String>,
    /// The profile of the agent that is to do the work.
    pub agent_profile: Option<AgentProfileId>,
    /// The lane; the sheet's, where there is one.
    pub lane: Option<Lane>,
    /// The title; the sheet's name unless given.
    pub title: Option<String>,
    /// The exact text of a JSON object.
    pub inputs: String,
}

/// A text to attach as evidence.
#[derive(Clone, Debug)]
pub struct NewText {
    /// What it is.
    pub kind: EvidenceKind,
    /// What it is called, 1 to 300 characters.
    pub label: String,
    /// The text; empty is none.
    pub content: Option<String>,
    /// Whether it is a customer's data.
    pub customer_provided: bool,
}

/// A stored file to attach as evidence.
#[derive(Clone, Debug)]
pub struct NewFile {
    /// What it is called, 1 to 300 characters.
    pub label: String,
    /// The file.
    pub file: StoredFile,
    /// Whether it is a customer's data.
    pub customer_provided: bool,
}

/// Work to hand in.
#[derive(Clone, Debug)]
pub struct NewWork {
    /// The text, exactly as it came.
    pub output: String,
    /// Who did it; where silent, what the run declared before stays.
    pub agent: Agent,
    /// What the agent's tools logged.
    pub tool_logs: Option<String>,
    /// Remarks.
    pub notes: Option<String>,
    /// Whether it is a customer's data.
    pub customer_provided: bool,
}

impl App {
    /// Creates a project.
    pub async fn create_project(&self, caller: &Caller, terms: &Terms, name: String) -> Result<Done<Project>, Refused> {
        let id: ProjectId = chance::id();
        let command = ProjectCommand::Create { slug: slug::distinct(&name, id), name, created_by: caller.actor.user() };
        self.execute(caller, terms, &stream_id(id), command, With::default()).await
    }

    /// Opens a run.
    pub async fn open_run(&self, caller: &Caller, terms: &Terms, new: NewRun) -> Result<Done<Run>, Refused> {
        permit(caller, Permission::Work)?;
        // A repeat is answered whatever has come of the sheet, the lane or the profile since.
        if terms.once.is_some()
            && let Some(done) = self.repeated::<Run>(caller, terms, &command_id(caller, terms)).await?
        {
            return Ok(done);
        }
        let project = shown::project(self.db(), caller.org, new.project).await?.ok_or(Refused::NotFound("project"))?;
        let mut blobs = Vec::new();
        let (inputs, blob) = Text::of(new.inputs);
        blobs.extend(blob);
        let title = new.title.map(|title| title.trim().to_owned()).filter(|title| !title.is_empty());
        let (mut lane, mut default_title, mut assignment_sha256, mut pinned) = (new.lane, None, None, None);
        let mut published = None;
        if let Some(wanted) = &new.sheet {
            let (row, sheet) = self.sheet_in_use(caller, wanted).await?;
            if lane.is_some_and(|lane| lane != sheet.lane) {
                let allowed =
                    format!("the flight sheet is for the lane {}; leave the lane out, or give that one", sheet.lane);
                return Err(Refused::Invalid("lane", allowed));
            }
            lane = Some(sheet.lane);
            default_title = Some(sheet.name.clone());
            let assignment = sheet.assignment_text().into_bytes();
            assignment_sha256 = Some(sha256(&assignment));
            blobs.push(Blob { sha256: sha256(&assignment), bytes: assignment });
            pinned = Some(PinnedSheet {
                id: row.id,
                slug: sheet.slug.clone(),
                name: sheet.name.clone(),
                version: sheet.version.clone(),
                content_sha256: row.published.content_sha256,
                pass_threshold: sheet.pass_threshold,
                fail_threshold: sheet.fail_threshold,
            });
            published = Some(row);
        }
        let agent = match new.agent_profile {
            Some(profile) => {
                let stack = self.stack(caller.org, profile, pinned.as_ref().map(|sheet| sheet.id)).await?;
                if !stack.active {
                    return Err(Refused::NotFound("agent profile in use"));
                }
                if let Some(sheet) = &pinned {
                    stack.may_run(&sheet.slug, &sheet.name).map_err(Refused::rule)?;
                }
                let Profile { name, model, model_provider, .. } = stack.profile;
                Agent { agent_name: Some(name), model_name: model, provider: model_provider }
            }
            None => Agent::default(),
        };
        let title = title.or(default_title).filter(|title| title.chars().count() <= 300);
        let title = title.ok_or_else(|| {
            Refused::Invalid(
                "title",
                "a run has a title of 1 to 300 characters; it may be left out with a flight sheet".into(),
            )
        })?;
        let id: RunId = chance::id();
        let opened = Opened {
            id,
            project: project.id,
            sheet: pinned,
            agent_profile: new.agent_profile,
            lane: lane.unwrap_or(Lane::Agent),
            title,
            inputs,
            assignment_sha256,
            agent,
        };
        // Last, since everything before it may refuse the run.
        if let Some(row) = &published {
            self.use_sheet(caller, row).await?;
        }
        let command = RunCommand::Open(Box::new(opened));
        self.execute(caller, terms, &stream_id(id), command, With { blobs, ..With::default() }).await
    }

    /// Attaches a text.
    pub async fn attach_text(
        &self,
        caller: &Caller,
        terms: &Terms,
        run: RunId,
        new: NewText,
    ) -> Result<Done<Run>, Refused> {
        let NewText { kind, label, content, customer_provided } = new;
        let content = content.filter(|content| !content.is_empty()).map(Text::of);
        let (content, blob) = content.map_or((None, None), |(text, blob)| (Some(text), blob));
        let evidence = Evidence {
            id: chance::id(),
            kind,
            label: evidence_label(&label)?,
            content,
            file: None,
            customer_provided,
            attached_at: clock::now(),
        };
        let with = With { blobs: blob.into_iter().collect(), ..With::default() };
        self.execute(caller, terms, &stream_id(run), RunCommand::Attach(evidence), with).await
    }

    /// Whether a file may be attached now; asked before any of it is read. A repeat may always be sent: its answer is
    /// known, whatever has come of the run since.
    pub async fn may_attach(&self, caller: &Caller, terms: &Terms, run: RunId) -> Result<(), Refused> {
        permit(caller, Permission::Work)?;
        if terms.once.is_some() && self.store.known(&command_id(caller, terms)).await?.is_some() {
            return Ok(());
        }
        let now = self.current::<Run>(caller.org, &stream_id(run)).await?;
        now.state.head.attachable().map_err(Refused::rule)
    }

    /// Stores a file on its way in, hashed as it comes. Nothing is recorded yet.
    pub async fn store_file<S, E>(
        &self,
        caller: &Caller,
        run: RunId,
        id: EvidenceId,
        content_type: String,
        bytes: S,
    ) -> Result<StoredFile, Refused>
    where
        S: Stream<Item = Result<Bytes, E>> + Unpin,
        E: Display,
    {
        let stored = self.objects.put_stream(&Key::of_evidence(caller.org, run, id), bytes, UPLOAD_LIMIT).await?;
        Ok(StoredFile {
            sha256: stored.sha256,
            blake3: Blake3Hex::from_bytes(*stored.blake3.as_bytes()),
            byte_size: stored.size,
            content_type,
        })
    }

    /// Attaches a stored file. When it is refused, the file is removed again.
    pub async fn attach_file(
        &self,
        caller: &Caller,
        terms: &Terms,
        run: RunId,
        id: EvidenceId,
        new: NewFile,
    ) -> Result<Done<Run>, Refused> {
        let NewFile { label, file, customer_provided } = new;
        let attached = async {
            let evidence = Evidence {
                id,
                kind: EvidenceKind::File,
                label: evidence_label(&label)?,
                content: None,
                file: Some(file),
                customer_provided,
                attached_at: clock::now(),
            };
            self.execute(caller, terms, &stream_id(run), RunCommand::Attach(evidence), With::default()).await
        };
        let attached = attached.await;
        let is_ours = attached.as_ref().is_ok_and(|done| !done.replayed);
        if !is_ours && !matches!(attached, Err(Refused::Append(_))) {
            self.discard_file(caller, run, id).await;
        }
        attached
    }

    /// Removes a stored file that no event names.
    pub async fn discard_file(&self, caller: &Caller, run: RunId, id: EvidenceId) {
        if let Err(error) = self.objects.delete(&Key::of_evidence(caller.org, run, id)).await {
            tracing::warn!(%error, "a file that belongs to no evidence could not be removed");
        }
    }

    /// Hands work in.
    pub async fn submit(&self, caller: &Caller, terms: &Terms, run: RunId, new: NewWork) -> Result<Done<Run>, Refused> {
        let trimmed = new.output.trim();
        if trimmed.is_empty() {
            return Err(Refused::Invalid("output_text", "the submission is empty; send the agent's output".into()));
        }
        let sha256 = sha256(trimmed.as_bytes());
        let mut blobs = Vec::new();
        let mut text = |text: String| {
            let (text, blob) = Text::of(text);
            blobs.extend(blob);
            text
        };
        let work = Work {
            id: chance::id(),
            output: text(new.output),
            sha256,
            agent: new.agent,
            tool_logs: new.tool_logs.filter(|logs| !logs.is_empty()).map(&mut text),
            notes: new.notes.filter(|notes| !notes.is_empty()).map(&mut text),
            customer_provided: new.customer_provided,
            by: caller.actor,
            at: clock::now(),
        };
        let command = RunCommand::Submit(Box::new(work));
        self.execute(caller, terms, &stream_id(run), command, With { blobs, ..With::default() }).await
    }

    /// Applies the run's rulebook to its latest submission.
    pub async fn audit(&self, caller: &Caller, terms: &Terms, run: RunId) -> Result<Done<Run>, Refused> {
        permit(caller, Permission::Work)?;
        if terms.once.is_some()
            && let Some(done) = self.repeated::<Run>(caller, terms, &command_id(caller, terms)).await?
        {
            return Ok(done);
        }
        let now = self.current::<Run>(caller.org, &stream_id(run)).await?;
        let (sheet, submission) = now.state.head.auditable().map_err(Refused::rule)?;
        let opened = now.state.head.opened().map_err(Refused::rule)?;
        let stack = match opened.agent_profile {
            Some(profile) => Some(Box::new(self.stack(caller.org, profile, Some(sheet.id)).await?)),
            None => None,
        };
        let content = sheet.content_sha256;
        let sheet = self.sheet(content).await?;
        let output = self.text(&submission.output).await?;
        let inputs: Value = serde_json::from_str(&self.text(&opened.inputs).await?)
            .map_err(|error| Refused::Fault(format!("the inputs of {run} cannot be read: {error}").into()))?;
        let exhibits = self.exhibits(caller, run, &now.state.evidence).await?;
        let mut seen = json!({
            "sheet": content,
            "inputs": opened.inputs.sha256,
            "submission": submission.output.sha256,
            "evidence": now.state.evidence.iter().map(|evidence| json!([evidence.id, evidence.sha256()])).collect::<Vec<_>>(),
        });
        if let Some(stack) = &stack {
            seen["stack"] = json!(stack);
        }
        let submission = submission.id;
        let evidence_seen = exhibits.len();
        let inputs_sha256 = sha256(&proof::canonical::to_vec(&seen).map_err(|error| Refused::Fault(error.into()))?);
        // A long submission must not hold up the thread that answers others.
        let fitted = stack.clone();
        let checks = tokio::task::spawn_blocking(move || {
            let evidence: Vec<Exhibit<'_>> = exhibits
                .iter()
                .map(|(id, label, text)| Exhibit { id: *id, label: label.as_str(), text: text.as_deref() })
                .collect();
            audit::audit(&audit::Work {
                sheet: &sheet,
                inputs: &inputs,
                output: output.trim(),
                evidence: &evidence,
                stack: fitted.as_deref(),
            })
        });
        let checks = checks.await.map_err(|error| Refused::Fault(error.into()))?;
        let findings = Findings {
            engine: (ENGINE.0.to_owned(), ENGINE.1.to_owned()),
            sheet_sha256: content,
            submission,
            evidence_seen,
            inputs_sha256,
            stack,
            checks,
        };
        let command = RunCommand::Audit(Box::new(findings));
        self.execute(caller, terms, &stream_id(run), command, With::default()).await
    }

    /// Grades a check.
    pub async fn grade(
        &self,
        caller: &Caller,
        terms: &Terms,
        run: RunId,
        check: CheckId,
        met: bool,
        detail: Option<String>,
    ) -> Result<Done<Run>, Refused> {
        self.execute(caller, terms, &stream_id(run), RunCommand::Grade { check, met, detail }, With::default()).await
    }

    /// Finalizes the verdict.
    pub async fn finalize(&self, caller: &Caller, terms: &Terms, run: RunId) -> Result<Done<Run>, Refused> {
        self.execute(caller, terms, &stream_id(run), RunCommand::Finalize, With::default()).await
    }

    /// Decides on the verdict.
    pub async fn decide(
        &self,
        caller: &Caller,
        terms: &Terms,
        run: RunId,
        decision: ApprovalDecision,
        note: Option<String>,
    ) -> Result<Done<Run>, Refused> {
        let org = self.current::<Organisation>(caller.org, &stream_id(caller.org)).await?;
        let command = RunCommand::Decide {
            decision,
            actor: caller.actor,
            note,
            at: clock::now(),
            allow_self_approval: org.state.allows_self_approval(),
        };
        self.execute(caller, terms, &stream_id(run), command, With::default()).await
    }

    /// A text, wherever it lies.
    pub async fn text(&self, text: &Text) -> Result<String, Refused> {
        match &text.inline {
            Some(text) => Ok(text.clone()),
            None => self.long_text(text.sha256).await,
        }
    }

    /// A text that lies beside the events.
    pub async fn long_text(&self, sha256: Sha256Hex) -> Result<String, Refused> {
        if let Some(text) = self.cache.text(sha256) {
            return Ok(text.as_ref().to_owned());
        }
        let text = self.store.text(sha256).await?;
        let text = text.ok_or_else(|| Refused::Fault(format!("the text {sha256} is missing from the store").into()))?;
        self.cache.put_text(sha256, &text);
        Ok(text)
    }

    /// The run's evidence with its texts, each held against the digest that the ledger recorded.
    async fn exhibits(
        &self,
        caller: &Caller,
        run: RunId,
        recorded: &[Evidence],
    ) -> Result<Vec<(EvidenceId, String, Option<String>)>, Refused> {
        let whole = shown::whole_run(self.db(), caller.org, run).await?.ok_or(Refused::NotFound("run"))?;
        let mut exhibits = Vec::with_capacity(recorded.len());
        for evidence in recorded {
            let altered = || Refused::Fault(format!("the text of {} is not the one recorded", evidence.id).into());
            let text = match &evidence.content {
                None => None,
                Some(recorded) => {
                    let row = whole.evidence.iter().find(|row| row.evidence.id == evidence.id).ok_or_else(altered)?;
                    let text = self.text(row.evidence.content.as_ref().ok_or_else(altered)?).await?;
                    Some(Some(text).filter(|text| recorded.is(text)).ok_or_else(altered)?)
                }
            };
            exhibits.push((evidence.id, evidence.label.clone(), text));
        }
        Ok(exhibits)
    }
}

fn evidence_label(label: &str) -> Result<String, Refused> {
    let label = label.trim();
    if (1..=300).contains(&label.chars().count()) {
        Ok(label.to_owned())
    } else {
        Err(Refused::Invalid("label", "a label has 1 to 300 characters".into()))
    }
}
