//! `defendable demo`: an organisation to look around in, made by the same commands that HTTP carries out.

mod stories;

use super::{Failure, client::show, say};
use crate::{
    app::{
        App, Caller, Refused, Terms,
        identity::SignedIn,
        runs::{NewFile, NewRun, NewText, NewWork},
    },
    config::Serve,
    outside::chance,
};
use aggregates::{
    identity::{actor::Actor, address::EmailAddress, roles::Role},
    ids::{ProjectId, RunId},
    rulebooks::vocabulary::{CheckStatus, EvidenceKind},
    runs::Agent,
};
use bytes::Bytes;
use clap::Args;
use futures::stream;
use projections::on;
use rust_embed::RustEmbed;
use serde::Deserialize;
use serde_json::{json, value::RawValue};
use std::convert::Infallible;
use stories::{COLLEAGUES, Judgement, PROJECTS, RUNS, Stage, Story};

/// Who the demo's organisation belongs to: whom the link is for that `serve` prints at its start.
const ADMIN: &str = "you@example.com";
/// Who was asked in and has not come yet.
const INVITED: &str = "oleg@example.com";

/// Which store to fill.
#[derive(Debug, Args)]
pub struct Demo {
    /// The settings of the service that is to serve it
    #[command(flatten)]
    pub settings: Serve,
    /// Answer with one JSON object
    #[arg(long)]
    pub json: bool,
}

/// What the runs are about: the examples of the built-in flight sheets.
#[derive(RustEmbed)]
#[folder = "catalog/examples"]
#[include = "agent_action_log_review_v1/*"]
#[include = "comp_data_privacy_gdpr_v1/*"]
#[include = "compute_benchmark_score_validation_v1/*"]
#[include = "cre_memo_dscr_ltv_v1/*"]
#[include = "dataset_class_balance_v1/*"]
#[include = "fin_wacc_calculation_v1/*"]
struct Examples;

/// What an example gives its run.
#[derive(Deserialize)]
struct Given {
    inputs: Box<RawValue>,
    #[serde(default)]
    evidence: Vec<Note>,
}

#[derive(Deserialize)]
struct Note {
    label: String,
    content: String,
}

/// A run that was made.
struct Made {
    story: &'static Story,
    id: RunId,
    share_token: Option<String>,
}

/// Fills the store.
pub(super) async fn run(Demo { settings, json }: &Demo) -> Result<(), Failure> {
    let public_url = settings.public_url(&format!("http://{}", settings.listen));
    let app = App::open(settings.clone(), public_url).await?;
    let made = fill(&app).await;
    app.store.close().await;
    let made = made?;
    if *json { tell_program(&made) } else { tell_person(settings, &made) }
}

async fn fill(app: &App) -> Result<Vec<Made>, Failure> {
    const SQL: &str = "SELECT COUNT(*) FROM (SELECT 1 FROM events WHERE org_id <> 'system' LIMIT 1) AS found";
    let found: i64 = on!(app.db(), pool => sqlx::query_scalar(SQL).fetch_one(pool).await)?;
    if found > 0 {
        return Err("this store has organisations already; the demo fills a new one (name another with --data)".into());
    }
    let admin = come_in(app, ADMIN).await?;
    let mut colleagues = Vec::with_capacity(COLLEAGUES.len());
    for (address, name, role) in COLLEAGUES {
        let token = invited(app, &admin, address, *role).await?;
        colleagues.push(caller(&app.accept_invitation(&token, Some(name)).await?, *role));
    }
    invited(app, &admin, INVITED, Role::Auditor).await?;
    let mut projects = Vec::with_capacity(PROJECTS.len());
    for name in PROJECTS {
        let project = app.create_project(&admin, &Terms::default(), (*name).to_owned()).await?;
        projects.push(project.id.parse::<ProjectId>()?);
    }
    let mut made = Vec::with_capacity(RUNS.len());
    for story in RUNS {
        let missing = || format!("the demo's run `{}` names nobody, or no project", story.title);
        let author = colleagues.get(story.author).ok_or_else(missing)?;
        let judge = colleagues.get(story.judge).ok_or_else(missing)?;
        let project = *projects.get(story.project).ok_or_else(missing)?;
        made.push(tell(app, author, judge, project, story).await?);
    }
    Ok(made)
}

/// Signs somebody up, with an organisation of their own.
async fn come_in(app: &App, address: &str) -> Result<Caller, Failure> {
    let link = app.magic_link(&address.parse::<EmailAddress>()?).await?;
    let token = link.split_once("token=").map(|(_, token)| token).ok_or("a sign-in link has no token")?;
    Ok(caller(&app.sign_in(token).await?, Role::Admin))
}

/// Asks somebody in; the token of their link.
async fn invited(app: &App, admin: &Caller, address: &str, role: Role) -> Result<String, Failure> {
    let invited = app.invite(admin, &Terms::default(), &address.parse()?, role).await?;
    let link = invited.link.ok_or("an invitation has no link")?;
    Ok(link.split_once("invite=").map(|(_, token)| token.to_owned()).ok_or("an invitation's link has no token")?)
}

fn caller(signed_in: &SignedIn, role: Role) -> Caller {
    Caller { actor: Actor::User(signed_in.person.id), org: signed_in.org, role, session: None }
}

/// Takes a run as far as its story goes.
async fn tell(
    app: &App,
    author: &Caller,
    judge: &Caller,
    project: ProjectId,
    story: &'static Story,
) -> Result<Made, Failure> {
    let terms = Terms::default();
    let given = match (story.sheet, story.rounds.first()) {
        (Some(sheet), first) => example(sheet, &format!("{}.run.json", first.map_or("pass", |round| round.case)))?,
        (None, _) => b"{\"inputs\": {}}".to_vec(),
    };
    let given: Given = serde_json::from_slice(&given)?;
    let new = NewRun {
        project,
        sheet: story.sheet.map(str::to_owned),
        lane: None,
        agent_profile: None,
        title: Some(story.title.to_owned()),
        inputs: given.inputs.get().to_owned(),
    };
    let run: RunId = app.open_run(author, &terms, new).await?.id.parse()?;
    let mut made = Made { story, id: run, share_token: None };
    if story.rounds.is_empty() {
        return Ok(made);
    }
    for Note { label, content } in given.evidence {
        let note = NewText { kind: EvidenceKind::Note, label, content: Some(content), customer_provided: true };
        app.attach_text(author, &terms, run, note).await?;
    }
    if let Some((label, text)) = story.file {
        attach(app, author, run, label, text).await?;
    }
    for round in story.rounds {
        let output = example(story.sheet.unwrap_or_default(), &format!("{}.json", round.case))?;
        let (agent_name, model_name, provider) = story.agent;
        let work = NewWork {
            output: String::from_utf8(output)?,
            agent: Agent {
                agent_name: Some(agent_name.to_owned()),
                model_name: Some(model_name.to_owned()),
                provider: Some(provider.to_owned()),
            },
            tool_logs: None,
            notes: None,
            customer_provided: true,
        };
        app.submit(author, &terms, run, work).await?;
        if round.until >= Stage::Audited {
            app.audit(author, &terms, run).await?;
        }
        if round.until >= Stage::Judged {
            grade(app, author, judge, run, round.flagged).await?;
        }
        if let Some(Judgement { decision, note }) = &round.decided {
            let note = note.map(str::to_owned);
            app.decide(judge, &terms, run, *decision, note).await?;
        }
        if round.until == Stage::Sealed {
            made.share_token = Some(app.mint(author, run).await?.0.share_token);
        }
    }
    Ok(made)
}

async fn attach(app: &App, author: &Caller, run: RunId, label: &str, text: &'static str) -> Result<(), Failure> {
    let id = chance::id();
    let bytes = stream::iter([Ok::<_, Infallible>(Bytes::from_static(text.as_bytes()))]);
    let file = app.store_file(author, run, id, "text/plain".to_owned(), bytes).await?;
    let new = NewFile { label: label.to_owned(), file, customer_provided: true };
    app.attach_file(author, &Terms::default(), run, id, new).await?;
    Ok(())
}

/// Grades what a person must grade: `flagged` has the rules that are broken, and why.
async fn grade(
    app: &App,
    author: &Caller,
    judge: &Caller,
    run: RunId,
    flagged: &[(&str, &str)],
) -> Result<(), Failure> {
    let terms = Terms::default();
    let state = app.current::<aggregates::runs::Run>(author.org, &run.uuid().to_string()).await?;
    let open: Vec<_> = state
        .state
        .checks()
        .filter(|(_, check)| check.status == CheckStatus::Open)
        .map(|(id, check)| (id, check.key.clone()))
        .collect();
    if open.is_empty() {
        return Ok(());
    }
    for (check, key) in open {
        let why = flagged.iter().find(|(broken, _)| *broken == key).map(|(_, why)| (*why).to_owned());
        let (met, detail) = match why {
            Some(why) => (false, why),
            None => (true, "read against the evidence".to_owned()),
        };
        app.grade(judge, &terms, run, check, met, Some(detail)).await?;
    }
    app.finalize(author, &terms, run).await?;
    Ok(())
}

fn example(sheet: &str, file: &str) -> Result<Vec<u8>, Failure> {
    let name = format!("{sheet}/{file}");
    let missing = || Refused::Fault(format!("the example {name} is not in this binary").into());
    Ok(Examples::get(&name).ok_or_else(missing)?.data.into_owned())
}

fn tell_program(made: &[Made]) -> Result<(), Failure> {
    let runs: Vec<_> = made
        .iter()
        .map(|made| json!({ "id": made.id, "title": made.story.title, "share_token": made.share_token }))
        .collect();
    say(show::json(&json!({ "admin": ADMIN, "projects": PROJECTS, "runs": runs }))?);
    Ok(())
}

fn tell_person(settings: &Serve, made: &[Made]) -> Result<(), Failure> {
    let people = COLLEAGUES.len() + 1;
    let sealed: Vec<_> = made.iter().filter(|made| made.share_token.is_some()).collect();
    let serve = match settings.store.database_url() {
        None => format!("defendable serve --data {}", settings.store.data.display()),
        Some(_) => "defendable serve --database-url URL".to_owned(),
    };
    let run = |title: &str| {
        let run = made.iter().find(|made| made.story.title == title);
        run.map_or_else(|| "RUN".to_owned(), |made| made.id.to_string())
    };
    let receipt = sealed.first().and_then(|made| made.share_token.clone()).unwrap_or_default();
    say(format_args!(
        "The organisation example.com has {people} people, {} projects, {} runs and {} receipts.\n\n\
         Start the service on it:\n  {serve}\n\
         and open the sign-in link that it prints: it is for {ADMIN}, the organisation's admin. Or from a terminal:\n  \
         defendable auth login --email {ADMIN}\n\n\
         Then look at\n  \
         defendable runs ls\n      every stage, and all three verdicts\n  \
         defendable runs show {}\n      two rounds: rejected, mended, sealed\n  \
         defendable runs flags {}\n      what would mend work that failed\n  \
         defendable runs checks {}\n      what waits for a person's grade\n  \
         defendable verify {receipt}\n      a receipt, without an account\n  \
         defendable ledger verify\n      the whole chain of receipts",
        PROJECTS.len(),
        made.len(),
        sealed.len(),
        run(stories::MENDED),
        run(stories::FAILED),
        run(stories::WAITING),
    ));
    Ok(())
}
