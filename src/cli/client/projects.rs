//! `defendable projects`

use super::{Api, show};
use crate::cli::{Failure, Group};
use aggregates::ids::ProjectId;
use clap::Subcommand;
use reqwest::Method;
use serde_json::json;

/// What to do with projects.
#[derive(Debug, Subcommand)]
pub enum Projects {
    /// List the projects, by name
    Ls,
    /// Create a project
    Create {
        /// Its name, 1 to 200 characters
        #[arg(long)]
        name: String,
    },
}

pub(in crate::cli) async fn run(Group { remote, command }: &Group<Projects>) -> Result<(), Failure> {
    let api = Api::signed_in(remote)?;
    match command {
        Projects::Ls => {
            let projects = api.list(&["projects"], &[], "projects", None).await?;
            let columns: [show::Column; 5] = [
                ("ID", |project| show::field(project, "id")),
                ("NAME", |project| show::cell(project, "name")),
                ("SLUG", |project| show::cell(project, "slug")),
                ("RUNS", |project| show::field(project, "run_count")),
                ("CREATED", |project| show::field(project, "created_at")),
            ];
            let none = "There are no projects yet; `defendable projects create --name NAME` makes one.";
            show::list(remote, &projects, &columns, none)
        }
        Projects::Create { name } => {
            let project = api.send_json(Method::POST, &["projects"], &json!({ "name": name })).await?;
            show::record(remote, &project, |project| {
                show::facts(&[
                    ("Project", show::field(project, "id")),
                    ("Name", show::field(project, "name")),
                    ("Slug", show::field(project, "slug")),
                ])
            })
        }
    }
}

/// The id of a project that is called by its id, its slug or its name.
pub(super) async fn find(api: &Api, wanted: &str) -> Result<ProjectId, Failure> {
    if let Ok(id) = wanted.parse() {
        return Ok(id);
    }
    let projects = api.list(&["projects"], &[], "projects", None).await?;
    let by = |field: &str| projects.iter().filter(|project| project[field] == wanted).collect::<Vec<_>>();
    let named = by("slug").into_iter().next().map_or_else(|| by("name"), |project| vec![project]);
    match named.as_slice() {
        [project] => Ok(project["id"].as_str().unwrap_or_default().parse()?),
        [] => {
            Err(format!("no project has the id, slug or name `{wanted}`; `defendable projects ls` lists them").into())
        }
        several => Err(format!("{} projects are called `{wanted}`; give the id or slug of one", several.len()).into()),
    }
}
