//! Fills a store with runs that have been through every stage, for measuring: `cargo run --release --example seed -- --data
//! DIR --runs N`. One run is driven through the application; the others repeat its events under ids of their own, each
//! with a receipt in the organisation's chain, and are appended as any command is. Seven events a run.
#![allow(clippy::print_stdout, reason = "it tells how far it is")]

use aggregates::{
    Decider, Fact,
    identity::{actor::Actor, roles::Role},
    ids::{Id, OrgId, RunId},
    ledger::{
        Minted, Receipt, ReceiptCommand, Subject,
        payload::{Coordinates, Events, Organization, Payload, Project, Surroundings},
        receipt_id, receipt_stream,
    },
    rulebooks::vocabulary::{ApprovalDecision, EvidenceKind},
    runs::{Agent, Run, RunEvent, SealedReceipt},
};
use clap::Parser;
use defendable::{
    app::{
        App, Caller, Terms,
        runs::{NewRun, NewText, NewWork},
    },
    config::Serve,
    outside::{chance, clock},
    store::{Append, NewEvent, NewReceipt, StreamAppend},
};
use futures::{StreamExt, stream};
use proof::digest::{Blake3Hex, sha256};
use std::{error::Error, time::Instant};

type Outcome<T> = Result<T, Box<dyn Error>>;

#[derive(Parser)]
struct Arguments {
    /// How many runs.
    #[arg(long, default_value = "1000")]
    runs: u64,
    /// Which organisation: that of this person, who signs up when nobody has the address.
    #[arg(long, default_value = "seed@example.com")]
    email: String,
    #[command(flatten)]
    serve: Serve,
}

#[actix_web::main]
async fn main() -> Outcome<()> {
    let arguments = Arguments::parse();
    let app = App::open(arguments.serve, "http://127.0.0.1:8080".into()).await?;
    let link = app.magic_link(&arguments.email.parse()?).await?;
    let token = link.split_once("token=").map(|(_, token)| token).ok_or("a link has a token")?;
    let signed_in = app.sign_in(token).await?;
    let caller =
        Caller { actor: Actor::User(signed_in.person.id), org: signed_in.org, role: Role::Admin, session: None };
    let (template, project) = template(&app, &caller).await?;
    let start = Instant::now();
    let (mut org_seq, mut parent_hash) = app.store.next_receipt(caller.org).await?;
    let mut appends = Vec::with_capacity(1_000);
    let mut written = 0;
    while written < arguments.runs {
        for _ in 0..1_000.min(arguments.runs - written) {
            let (append, hash) = run(&caller, &template, &project, org_seq, parent_hash)?;
            appends.push(append);
            org_seq += 1;
            parent_hash = hash;
            written += 1;
        }
        let mut answers = stream::iter(appends.drain(..)).map(|append| app.store.append(append)).buffered(512);
        while let Some(answer) = answers.next().await {
            answer?;
        }
        if written % 10_000 == 0 {
            println!("{written} runs, {} events, {:.0} s", app.store.position().await?, start.elapsed().as_secs_f64());
        }
    }
    println!("{written} runs; the store holds {} events", app.store.position().await?);
    app.store.close().await;
    Ok(())
}

/// A run driven through the application, and its project.
async fn template(app: &App, caller: &Caller) -> Outcome<(Vec<RunEvent>, Project)> {
    let terms = Terms::default();
    let project = app.create_project(caller, &terms, "Seed".into()).await?;
    let id = project.id.parse()?;
    let inputs = include_str!("../catalog/examples/cre_memo_dscr_ltv_v1/pass.run.json");
    let inputs: serde_json::Value = serde_json::from_str(inputs)?;
    let new = NewRun {
        project: id,
        sheet: Some("cre_memo_dscr_ltv_v1".into()),
        agent_profile: None,
        lane: None,
        title: None,
        inputs: inputs["inputs"].to_string(),
    };
    let mut events = Vec::new();
    let opened = app.open_run(caller, &terms, new).await?;
    let run: RunId = opened.id.parse()?;
    events.extend(opened.events);
    let note = NewText {
        kind: EvidenceKind::Note,
        label: "deal terms".into(),
        content: Some("Loan 8.625M at 7.25 %, 30 years; NOI 920,000".into()),
        customer_provided: true,
    };
    events.extend(app.attach_text(caller, &terms, run, note).await?.events);
    let work = NewWork {
        output: include_str!("../catalog/examples/cre_memo_dscr_ltv_v1/pass.json").into(),
        agent: Agent::default(),
        tool_logs: None,
        notes: None,
        customer_provided: true,
    };
    events.extend(app.submit(caller, &terms, run, work).await?.events);
    events.extend(app.audit(caller, &terms, run).await?.events);
    events.extend(app.decide(caller, &terms, run, ApprovalDecision::Approved, Some("ship it".into())).await?.events);
    Ok((events, Project { id, name: "Seed".into() }))
}

/// The template's run under an id of its own, with the next receipt of the chain.
fn run(
    caller: &Caller,
    template: &[RunEvent],
    project: &Project,
    org_seq: u64,
    parent_hash: proof::digest::Sha256Hex,
) -> Outcome<(Append, proof::digest::Sha256Hex)> {
    let id: RunId = chance::id();
    let mut state = Run::default();
    let mut events = template.to_vec();
    for event in &mut events {
        match event {
            RunEvent::RunOpened(opened) => opened.id = id,
            RunEvent::EvidenceAttached(evidence) => evidence.id = chance::id(),
            RunEvent::WorkSubmitted(submission) => submission.id = chance::id(),
            _ => {}
        }
        state.evolve(event);
    }
    let share_token = chance::share_token();
    let share_url = format!("http://127.0.0.1:8080/share/{share_token}");
    let receipt_id = receipt_id(org_seq, &chance::receipt_suffix());
    let created_at = clock::now();
    let coordinates =
        Coordinates { receipt_id: receipt_id.clone(), org_seq, parent_hash, created_at, share_url: share_url.clone() };
    let around = Surroundings {
        organization: Organization { id: caller.org, name: "example.com".into() },
        project: project.clone(),
        approver: "seed@example.com".into(),
        events: Events { org_position: 0, hash: Blake3Hex::ZERO },
    };
    let payload = proof::canonical::to_vec(&Payload::of(&state, coordinates, around)?)?;
    let receipt_sha256 = sha256(&payload);
    events.push(RunEvent::ReceiptSealed(SealedReceipt { receipt_id: receipt_id.clone(), org_seq, receipt_sha256 }));
    let minted = Minted {
        receipt_id,
        org_seq,
        parent_hash,
        receipt_sha256,
        share_token,
        share_url,
        created_at,
        subject: Subject::Run(id),
    };
    let minted = Receipt::default().decide(ReceiptCommand::Mint(Box::new(minted)))?;
    let append = Append {
        command_id: chance::uuid().to_string(),
        fingerprint: None,
        actor: caller.actor.to_string(),
        streams: vec![
            stream_of::<Run>(caller.org, uuid(id), &events)?,
            stream_of::<Receipt>(caller.org, receipt_stream(org_seq), &minted)?,
        ],
        claims: vec![],
        releases: vec![],
        blobs: vec![],
        receipt: Some(NewReceipt { org: caller.org, org_seq, payload }),
    };
    Ok((append, receipt_sha256))
}

fn uuid<K: aggregates::ids::Kind>(id: Id<K>) -> String {
    id.uuid().to_string()
}

fn stream_of<D: Decider>(org: OrgId, id: String, events: &[D::Event]) -> Outcome<StreamAppend> {
    let new = |event: &D::Event| {
        let payload = serde_json::to_string(event)?;
        Ok(NewEvent { event_type: event.name(), event_version: D::Event::VERSION, payload })
    };
    let events = events.iter().map(new).collect::<Outcome<_>>()?;
    Ok(StreamAppend { org, aggregate_type: D::TYPE, id, expected: 0, events })
}
