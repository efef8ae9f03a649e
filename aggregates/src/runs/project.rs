//! Projects: what runs belong to.

use crate::{Decider, Demands, Fact, Fault, Permission, Refusal, ids::UserId};
use serde::{Deserialize, Serialize};

/// A project.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Project {
    /// Its name; none, and there is no such project.
    pub name: Option<String>,
    /// Its readable name, unique in the organisation.
    pub slug: String,
}

/// What may be asked of a project.
#[derive(Clone, Debug)]
pub enum ProjectCommand {
    /// Create it.
    Create {
        /// Its name, 1 to 200 characters after trimming.
        name: String,
        /// Its readable name.
        slug: String,
        /// By which person, when it is one.
        created_by: Option<UserId>,
    },
}

/// What happened to a project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProjectEvent {
    /// It was created.
    ProjectCreated {
        /// Its name.
        name: String,
        /// Its readable name.
        slug: String,
        /// By which person.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        created_by: Option<UserId>,
    },
}

/// Why a project refuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProjectRefusal {
    /// The name is empty or too long.
    #[error("a project's name has 1 to 200 characters")]
    Name,
    /// It exists.
    #[error("the project already exists")]
    Exists,
}

impl Refusal for ProjectRefusal {
    fn fault(&self) -> Fault {
        match self {
            Self::Name => Fault::Invalid(Some("name")),
            Self::Exists => Fault::Conflict,
        }
    }
}

impl Fact for ProjectEvent {
    fn name(&self) -> &'static str {
        match self {
            Self::ProjectCreated { .. } => "project_created",
        }
    }
}

impl Demands for ProjectCommand {
    fn permission(&self) -> Permission {
        Permission::Work
    }
}

impl Decider for Project {
    const TYPE: &'static str = "project";
    type Command = ProjectCommand;
    type Event = ProjectEvent;
    type Refusal = ProjectRefusal;

    fn decide(&self, command: ProjectCommand) -> Result<Vec<ProjectEvent>, ProjectRefusal> {
        let ProjectCommand::Create { name, slug, created_by } = command;
        if self.name.is_some() {
            return Err(ProjectRefusal::Exists);
        }
        let name = name.trim().to_owned();
        if !(1..=200).contains(&name.chars().count()) {
            return Err(ProjectRefusal::Name);
        }
        Ok(vec![ProjectEvent::ProjectCreated { name, slug, created_by }])
    }

    fn evolve(&mut self, event: &ProjectEvent) {
        let ProjectEvent::ProjectCreated { name, slug, .. } = event;
        self.name = Some(name.clone());
        self.slug.clone_from(slug);
    }
}

#[cfg(test)]
mod tests;
