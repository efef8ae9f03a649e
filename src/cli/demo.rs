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
    agents::incident,
    identity::{actor::Actor, address::EmailAddress, roles::Role},
    ids::{AgentProfileId, IncidentId, ProjectId, RunId},
    rulebooks::vocabulary::{CheckStatus, EvidenceKind, IncidentKind, IncidentStatus},
    runs::Agent,
};
use bytes::Bytes;
use clap::Args;
use futures::stream;
use projections::{agents::ListedIncident, on};
use rust_embed::RustEmbed;
use serde::Deserialize;
use serde_json::{json, value::RawValue};
use std::convert::Infallible;
use stories::{AGENTS, COLLEAGUES, Judgement, MISHAPS, Mishap, PROJECTS, RUNS, Stage, Story};

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

/// Who and what the stories are told of, each by its place.
struct Cast {
    colleagues: Vec<Caller>,
    projects: Vec<ProjectId>,
    agents: Vec<AgentProfileId>,
}

/// What was made.
struct Made {
    cast: Cast,
    runs: Vec<MadeRun>,
    incidents: Vec<MadeIncident>,
}

struct MadeRun {
    story: &'static Story,
    id: RunId,
    share_token: Option<String>,
}

struct MadeIncident {
    kind: IncidentKind,
    id: IncidentId,
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

async fn fill(app: &App) -> Result<Made, Failure> {
    const SQL: &str = "SELECT COUNT(*) FROM (SELECT 1 FROM events WHERE org_id <> 'system' LIMIT 1) AS found";
    let found: i64 = on!(app.db(), pool => sqlx::query_scalar(SQL).fetch_one(pool).await)?;
    if found > 0 {
        return Err("this store has organisations already; the demo fills a new one (name another with --data)".into());
    }
    let terms = Terms::default();
    let admin = come_in(app, ADMIN).await?;
    let mut cast = Cast { colleagues: vec![], projects: vec![], agents: vec![] };
    for (address, name, role) in COLLEAGUES {
        let token = invited(app, &admin, address, *role).await?;
        cast.colleagues.push(caller(&app.accept_invitation(&token, Some(name)).await?, *role));
    }
    invited(app, &admin, INVITED, Role::Auditor).await?;
    for name in PROJECTS {
        cast.projects.push(app.create_project(&admin, &terms, (*name).to_owned()).await?.id.parse()?);
    }
    for agent in AGENTS {
        cast.agents.push(app.create_profile(&admin, &terms, agent.profile()).await?.id.parse()?);
    }
    let mut runs = Vec::with_capacity(RUNS.len());
    for story in RUNS {
        runs.push(tell(app, &cast, story).await?);
    }
    let mut incidents = Vec::new();
    for mishap in MISHAPS {
        incidents.push(suffer(app, &cast, &runs, mishap).await?);
    }
    // The service's own reactor does the same, and finds it done when it is started.
    for agent in &cast.agents {
        let opened = app.watch(&admin, *agent).await?.opened;
        let open = |listed: ListedIncident| {
            let kind = listed.row.incident.opened.map(|opened| opened.kind)?;
            Some(MadeIncident { kind, id: listed.row.id, share_token: None })
        };
        incidents.extend(opened.into_iter().filter_map(open));
    }
    Ok(Made { cast, runs, incidents })
}

/// What stands at a place that a story names.
fn at<T>(things: &[T], place: usize) -> Result<&T, Failure> {
    things.get(place).ok_or_else(|| "a story of the demo names what is not there".into())
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
async fn tell(app: &App, cast: &Cast, story: &'static Story) -> Result<MadeRun, Failure> {
    let terms = Terms::default();
    let (author, judge) = (at(&cast.colleagues, story.author)?, at(&cast.colleagues, story.judge)?);
    let given = match (story.sheet, story.rounds.first()) {
        (Some(sheet), first) => example(sheet, &format!("{}.run.json", first.map_or("pass", |round| round.case)))?,
        (None, _) => b"{\"inputs\": {}}".to_vec(),
    };
    let given: Given = serde_json::from_slice(&given)?;
    let new = NewRun {
        project: *at(&cast.projects, story.project)?,
        sheet: story.sheet.map(str::to_owned),
        lane: None,
        agent_profile: story.agent.map(|agent| at(&cast.agents, agent).copied()).transpose()?,
        title: Some(story.title.to_owned()),
        inputs: given.inputs.get().to_owned(),
    };
    let run: RunId = app.open_run(author, &terms, new).await?.id.parse()?;
    let mut made = MadeRun { story, id: run, share_token: None };
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
        let work = NewWork {
            output: String::from_utf8(output)?,
            // Whom the profile names.
            agent: Agent::default(),
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

/// Opens an incident, resolves it, and mints its receipt.
async fn suffer(app: &App, cast: &Cast, runs: &[MadeRun], mishap: &Mishap) -> Result<MadeIncident, Failure> {
    let terms = Terms::default();
    let author = at(&cast.colleagues, mishap.author)?;
    let run = runs.iter().find(|run| run.story.title == mishap.run).ok_or("an incident of the demo names no run")?;
    let id = chance::id();
    let opened = incident::Opened {
        id,
        profile: Some(*at(&cast.agents, mishap.agent)?),
        run: Some(run.id),
        kind: mishap.kind,
        tier: mishap.tier,
        title: mishap.title.to_owned(),
        detail: Some(mishap.detail.to_owned()),
        lane: None,
        response: mishap.response.iter().map(|done| (*done).to_owned()).collect(),
    };
    app.open_incident(author, &terms, opened).await?;
    app.change_incident(author, &terms, id, IncidentStatus::Resolved).await?;
    let share_token = app.mint_incident(author, id).await?.0.share_token;
    Ok(MadeIncident { kind: mishap.kind, id, share_token: Some(share_token) })
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

fn tell_program(Made { cast, runs, incidents }: &Made) -> Result<(), Failure> {
    let runs: Vec<_> = runs
        .iter()
        .map(|run| json!({ "id": run.id, "title": run.story.title, "share_token": run.share_token }))
        .collect();
    let agents: Vec<_> =
        cast.agents.iter().zip(AGENTS).map(|(id, agent)| json!({ "id": id, "name": agent.name })).collect();
    let incidents: Vec<_> = incidents
        .iter()
        .map(|incident| json!({ "id": incident.id, "kind": incident.kind, "share_token": incident.share_token }))
        .collect();
    let made = json!({
        "admin": ADMIN, "projects": PROJECTS, "agent_profiles": agents, "runs": runs, "incidents": incidents,
    });
    say(show::json(&made)?);
    Ok(())
}

fn tell_person(settings: &Serve, Made { cast, runs, incidents }: &Made) -> Result<(), Failure> {
    let people = COLLEAGUES.len() + 1;
    let of_runs: Vec<_> = runs.iter().filter_map(|run| run.share_token.as_deref()).collect();
    let of_incidents: Vec<_> = incidents.iter().filter_map(|incident| incident.share_token.as_deref()).collect();
    let serve = match settings.store.database_url() {
        None => format!("defendable serve --data {}", settings.store.data.display()),
        Some(_) => "defendable serve --database-url URL".to_owned(),
    };
    let run = |title: &str| {
        let run = runs.iter().find(|run| run.story.title == title);
        run.map_or_else(|| "RUN".to_owned(), |run| run.id.to_string())
    };
    say(format_args!(
        "The organisation example.com has {people} people, {} projects, {} agents, {} runs, {} incidents and {} \
         receipts.\n\n\
         Start the service on it:\n  {serve}\n\
         and open the sign-in link that it prints: it is for {ADMIN}, the organisation's admin. Or from a terminal:\n  \
         defendable auth login --email {ADMIN}\n\n\
         Then look at\n  \
         defendable runs ls\n      every stage, and all three verdicts\n  \
         defendable runs show {}\n      two rounds: rejected, mended, sealed\n  \
         defendable runs flags {}\n      what would mend work that failed\n  \
         defendable runs checks {}\n      what waits for a person's grade\n  \
         defendable agents leaderboard\n      what the agents have earned\n  \
         defendable agents show {}\n      one whose lane its verdicts have blocked\n  \
         defendable incidents ls\n      what followed from that, and one that is dealt with\n  \
         defendable verify {}\n      a run's receipt, without an account\n  \
         defendable verify {}\n      an incident's\n  \
         defendable ledger verify\n      the whole chain of receipts",
        PROJECTS.len(),
        AGENTS.len(),
        runs.len(),
        incidents.len(),
        of_runs.len() + of_incidents.len(),
        run(stories::MENDED),
        run(stories::FAILED),
        run(stories::WAITING),
        at(&cast.agents, stories::LOG_REVIEWER)?,
        at(&of_runs, 0)?,
        at(&of_incidents, 0)?,
    ));
    Ok(())
}
