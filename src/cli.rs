//! How a terminal reaches the service: the commands that run it, which work on a store, and those of its clients, which
//! speak HTTP to it.

pub mod client;
pub mod demo;
pub mod ledger;
pub mod openapi;
pub mod pages;
mod progress;
pub mod serve;
pub mod store;

use crate::config;
use clap::{Args, Parser, Subcommand};
use std::{
    fmt,
    future::Future,
    io::{self, Write},
    process::ExitCode,
};

/// Said below the help.
const CREDENTIALS: &str = "\
The commands of a client send the credential in DEFENDABLE_TOKEN (a session's token or an API key), else the one that \
`auth verify` saved in DEFENDABLE_HOME (~/.defendable unless set).

Exit codes: 0 done; 1 refused, failed or not verified; 2 not signed in, or wrong usage; 3 a person must grade \
(`runs submit-and-audit`).";

/// Governance, risk and compliance on a tamper-evident ledger
#[derive(Debug, Parser)]
#[command(name = "defendable", version, propagate_version = true, arg_required_else_help = true)]
#[command(after_help = CREDENTIALS)]
pub struct Cli {
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start the service
    Serve(Box<config::Serve>),
    /// Fill a new store with a believable organisation, to look around in
    Demo(Box<demo::Demo>),
    /// Bring a store's tables up to date, as the owner that DEFENDABLE_MIGRATE_URL names
    Migrate(store::Migrate),
    /// Work on the read models of a store
    #[command(subcommand)]
    Projections(store::Projections),
    /// Print the API description (OpenAPI 3.1)
    Openapi,
    /// Sign in and out
    Auth(Group<client::auth::Auth>),
    /// Projects, which runs belong to
    Projects(Group<client::projects::Projects>),
    /// Flight sheets, the rulebooks that work is checked against
    FlightSheets(Group<client::flight_sheets::FlightSheets>),
    /// Runs of agents, from the assignment to the verdict
    Runs(Group<client::runs::Runs>),
    /// Agents' profiles, and what they have earned
    Agents(Group<client::agents::Agents>),
    /// Incidents with agents
    Incidents(Group<client::incidents::Incidents>),
    /// What a run's work rests on
    Evidence(Group<client::evidence::Evidence>),
    /// The work of a run
    Submission(Group<client::submission::Submission>),
    /// Check a run's work against its flight sheet
    Audit(Group<client::audit::Audit>),
    /// Decide on a run's verdict
    Approval(Group<client::approval::Approval>),
    /// The receipt of a run
    Receipt(Group<client::receipts::Receipt>),
    /// The receipts of the organisation
    Receipts(Group<client::receipts::Receipts>),
    /// The ledger: what was recorded, and whether it holds
    Ledger(Group<ledger::Ledger>),
    /// Verify a receipt, with its share link and without an account
    Verify(client::verify::Verify),
    /// Print the completions of a shell, such as `source <(defendable completions bash)`
    Completions(pages::Completions),
    /// Write the manual's pages into a folder
    Man(pages::Man),
}

/// A group of commands to a service.
#[derive(Debug, Args)]
pub struct Group<C: Subcommand> {
    /// Which service
    #[command(flatten)]
    pub remote: config::Remote,
    /// What to do
    #[command(subcommand)]
    pub command: C,
}

/// Why a command failed: one sentence for the terminal.
#[derive(Debug)]
pub struct Failure {
    /// What happened.
    pub sentence: String,
    /// The exit code: 1 refused or not verified, 2 not signed in or wrong usage, 3 a person must grade.
    pub code: u8,
    /// The status that the service refused with, where it did.
    pub status: Option<u16>,
}

impl Failure {
    /// What was asked for cannot be, as it was asked.
    pub fn usage(sentence: impl fmt::Display) -> Self {
        Self { sentence: sentence.to_string(), code: 2, status: None }
    }
}

impl<E: fmt::Display> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { sentence: error.to_string(), code: 1, status: None }
    }
}

/// Runs the command of this process.
pub fn run() -> ExitCode {
    // Wrong usage, and being asked for help, end here: with clap's own message, and before anything is started.
    let outcome = match Cli::parse().command {
        Command::Serve(settings) => finish(serve::run(&settings)),
        Command::Demo(options) => finish(demo::run(&options)),
        Command::Migrate(options) => finish(store::migrate(&options)),
        Command::Projections(command) => finish(store::projections(&command)),
        Command::Openapi => finish(openapi::run()),
        Command::Auth(group) => finish(client::auth::run(&group)),
        Command::Projects(group) => finish(client::projects::run(&group)),
        Command::FlightSheets(group) => finish(client::flight_sheets::run(&group)),
        Command::Runs(group) => finish(client::runs::run(&group)),
        Command::Agents(group) => finish(client::agents::run(&group)),
        Command::Incidents(group) => finish(client::incidents::run(&group)),
        Command::Evidence(group) => finish(client::evidence::run(&group)),
        Command::Submission(group) => finish(client::submission::run(&group)),
        Command::Audit(group) => finish(client::audit::run(&group)),
        Command::Approval(group) => finish(client::approval::run(&group)),
        Command::Receipt(group) => finish(client::receipts::one(&group)),
        Command::Receipts(group) => finish(client::receipts::several(&group)),
        Command::Ledger(group) => finish(ledger::run(&group)),
        Command::Verify(options) => finish(client::verify::run(&options)),
        Command::Completions(options) => {
            pages::completions(&options);
            Ok(())
        }
        Command::Man(options) => pages::man(&options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { sentence, code, status }) => {
            match status {
                Some(status) => drop(writeln!(io::stderr(), "API {status}: {sentence}")),
                None => warn(sentence),
            }
            ExitCode::from(code)
        }
    }
}

/// Carries a command out to its end.
fn finish(command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    actix_web::rt::System::new().block_on(command)
}

/// Tells whoever watches something beside the answer.
fn warn(text: impl fmt::Display) {
    // Where standard error is gone there is nobody left to tell.
    let _ = writeln!(io::stderr(), "defendable: {text}");
}

/// Prints a line; an output that is gone (a closed pipe) is no failure of the command.
fn say(text: impl fmt::Display) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_tree_of_commands_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_token_may_begin_with_a_hyphen() {
        for token in ["-abc", "-e7", "--x", "abc"] {
            let parsed = Cli::try_parse_from(["defendable", "auth", "verify", token, "--json"]).unwrap();
            let Command::Auth(group) = parsed.command else { panic!("not auth") };
            let client::auth::Auth::Verify { token: found } = group.command else { panic!("not verify") };
            assert_eq!((found.as_str(), group.remote.json), (token, true));
        }
    }

    #[test]
    fn the_page_on_the_command_line_names_every_command_and_option() {
        let page = include_str!("../docs/command-line.md");
        let mut missing = vec![];
        let mut root = Cli::command();
        root.build();
        walk(&root, "defendable", &mut |name, command| {
            let options = command.get_arguments().filter(|argument| !argument.is_hide_set());
            let long = options.filter_map(|argument| argument.get_long().map(|long| format!("--{long}")));
            // What names a store and what `serve` takes is in docs/settings.md, and what all commands take is said once.
            let elsewhere = ["--help", "--version", "--api", "--org", "--json"];
            let of_a_store = ["--data", "--database-url", "--migrate-url", "--connections", "--keys"];
            let is_setting = matches!(name, "defendable serve" | "defendable demo");
            let long = long.filter(|long| {
                let long = long.as_str();
                !is_setting && !elsewhere.contains(&long) && !of_a_store.contains(&long)
            });
            let lines: Vec<_> = page.lines().filter(|line| line.contains(&format!("`{name}"))).collect();
            if !command.has_subcommands() && lines.is_empty() {
                missing.push(name.to_owned());
            }
            missing.extend(
                long.filter(|long| !lines.iter().any(|line| line.contains(long.as_str())))
                    .map(|long| format!("{name} {long}")),
            );
        });
        assert!(missing.is_empty(), "docs/command-line.md does not name {missing:#?}");
    }

    fn walk(command: &clap::Command, name: &str, seen: &mut impl FnMut(&str, &clap::Command)) {
        seen(name, command);
        for child in command.get_subcommands().filter(|child| child.get_name() != "help") {
            walk(child, &format!("{name} {}", child.get_name()), seen);
        }
    }
}
