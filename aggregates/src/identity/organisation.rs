//! An organisation: who belongs to it, as what, and how it is set up.
//!
//! Memberships lie in the organisation's own stream, since the rule over all of them, that an
//! active admin is always left, needs all of them.

use crate::{Decider, Demands, Fact, Fault, Permission, Refusal, identity::roles::Role, ids::UserId, slug::is_slug};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// The longest name of an organisation, in characters.
pub const NAME_LIMIT: usize = 200;

/// An organisation, as its rules need to know it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organisation {
    founded: bool,
    members: BTreeMap<UserId, Membership>,
    /// As an admin has set it; absent: it follows from the number of members.
    allow_self_approval: Option<bool>,
}

/// How a person belongs to an organisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// What the person may do.
    pub role: Role,
    /// Whether the person may do anything at all.
    pub status: MembershipStatus,
}

/// Whether a membership counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MembershipStatus {
    /// The person may do what the role allows.
    Active,
    /// The person may do nothing until reactivated.
    Inactive,
}

impl MembershipStatus {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Inactive => "inactive",
        }
    }
}

impl Membership {
    const fn is_active_admin(self) -> bool {
        matches!((self.role, self.status), (Role::Admin, MembershipStatus::Active))
    }
}

impl Organisation {
    /// How the person belongs to the organisation, if at all.
    pub fn membership(&self, user: UserId) -> Option<Membership> {
        self.members.get(&user).copied()
    }

    /// The role in which the person may act now.
    pub fn active_role(&self, user: UserId) -> Option<Role> {
        self.membership(user).filter(|member| member.status == MembershipStatus::Active).map(|member| member.role)
    }

    /// Whether somebody may approve what they submitted themselves: as an admin has set it, and
    /// otherwise only where one person is left to do both.
    pub fn allows_self_approval(&self) -> bool {
        self.allow_self_approval.unwrap_or_else(|| {
            self.members.values().filter(|member| member.status == MembershipStatus::Active).count() == 1
        })
    }

    fn member(&self, user: UserId) -> Result<Membership, OrganisationRefusal> {
        self.membership(user).ok_or(OrganisationRefusal::NotAMember)
    }

    /// Refuses what would take this person from the active admins if there is no other.
    fn keeps_an_admin_without(&self, user: UserId) -> Result<(), OrganisationRefusal> {
        let is_one = self.membership(user).is_some_and(Membership::is_active_admin);
        let others = self.members.iter().any(|(other, member)| *other != user && member.is_active_admin());
        if is_one && !others { Err(OrganisationRefusal::LastAdmin) } else { Ok(()) }
    }
}

/// What may be asked of an organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrganisationCommand {
    /// Found it, with its first admin.
    Found {
        /// Its name, 1 to [`NAME_LIMIT`] characters once trimmed.
        name: String,
        /// Its slug, unique over the installation by the caller's claim (see [`crate::slug::distinct`]).
        slug: String,
        /// Who may do everything in it.
        admin: UserId,
    },
    /// Take a person in.
    AddMember {
        /// Who.
        user: UserId,
        /// As what.
        role: Role,
    },
    /// Give a member another role.
    ChangeRole {
        /// Who.
        user: UserId,
        /// The new role.
        role: Role,
    },
    /// Keep a member from doing anything.
    DeactivateMember {
        /// Who.
        user: UserId,
    },
    /// Let a deactivated member back in.
    ReactivateMember {
        /// Who.
        user: UserId,
    },
    /// End a membership.
    RemoveMember {
        /// Whose.
        user: UserId,
    },
    /// Change how the organisation is set up; what is absent stays.
    ChangeSettings {
        /// Whether somebody may approve what they submitted themselves.
        allow_self_approval: Option<bool>,
    },
}

impl Demands for OrganisationCommand {
    fn permission(&self) -> Permission {
        match self {
            // Founding comes with a sign-up: nobody has a role yet.
            Self::Found { .. } => Permission::Service,
            Self::AddMember { .. }
            | Self::ChangeRole { .. }
            | Self::DeactivateMember { .. }
            | Self::ReactivateMember { .. }
            | Self::RemoveMember { .. }
            | Self::ChangeSettings { .. } => Permission::Administer,
        }
    }
}

/// What happened to an organisation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrganisationEvent {
    /// It came to be.
    OrganisationFounded {
        /// Its name.
        name: String,
        /// Its slug.
        slug: String,
    },
    /// A person was taken in, active.
    MemberAdded {
        /// Who.
        user: UserId,
        /// As what.
        role: Role,
    },
    /// A member has another role.
    MemberRoleChanged {
        /// Who.
        user: UserId,
        /// The new role.
        role: Role,
    },
    /// A member may do nothing for now.
    MemberDeactivated {
        /// Who.
        user: UserId,
    },
    /// A member may act again.
    MemberReactivated {
        /// Who.
        user: UserId,
    },
    /// A membership ended.
    MemberRemoved {
        /// Whose.
        user: UserId,
    },
    /// It was set up otherwise; what is absent stayed.
    SettingsChanged {
        /// Whether somebody may approve what they submitted themselves.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        allow_self_approval: Option<bool>,
    },
}

impl Fact for OrganisationEvent {
    fn name(&self) -> &'static str {
        match self {
            Self::OrganisationFounded { .. } => "organisation_founded",
            Self::MemberAdded { .. } => "member_added",
            Self::MemberRoleChanged { .. } => "member_role_changed",
            Self::MemberDeactivated { .. } => "member_deactivated",
            Self::MemberReactivated { .. } => "member_reactivated",
            Self::MemberRemoved { .. } => "member_removed",
            Self::SettingsChanged { .. } => "settings_changed",
        }
    }
}

/// Why an organisation refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrganisationRefusal {
    /// There is no such organisation.
    #[error("there is no such organisation")]
    NotFounded,
    /// It was founded before.
    #[error("the organisation exists already")]
    AlreadyFounded,
    /// The name is empty or too long.
    #[error("an organisation's name has 1 to {NAME_LIMIT} characters")]
    Name,
    /// The slug is none.
    #[error("a slug is lowercase letters and digits with single hyphens between them, at most 67 characters")]
    Slug,
    /// The person is no member.
    #[error("the person is not a member of this organisation")]
    NotAMember,
    /// The person is a member already.
    #[error("the person is a member of this organisation already")]
    AlreadyAMember,
    /// Nobody could administer the organisation any more.
    #[error(
        "the organisation keeps at least one active admin, and this is the last one: make somebody else admin first"
    )]
    LastAdmin,
}

impl Refusal for OrganisationRefusal {
    fn fault(&self) -> Fault {
        match self {
            Self::NotFounded | Self::NotAMember => Fault::NotFound,
            Self::AlreadyFounded | Self::AlreadyAMember | Self::LastAdmin => Fault::Conflict,
            Self::Name => Fault::Invalid(Some("name")),
            Self::Slug => Fault::Invalid(Some("slug")),
        }
    }
}

impl Decider for Organisation {
    const TYPE: &'static str = "organisation";
    type Command = OrganisationCommand;
    type Event = OrganisationEvent;
    type Refusal = OrganisationRefusal;

    fn decide(&self, command: OrganisationCommand) -> Result<Vec<OrganisationEvent>, OrganisationRefusal> {
        use {MembershipStatus::*, OrganisationCommand::*, OrganisationEvent::*};
        if let Found { name, slug, admin } = command {
            return self.found(&name, slug, admin);
        }
        if !self.founded {
            return Err(OrganisationRefusal::NotFounded);
        }
        Ok(match command {
            Found { .. } => vec![],
            AddMember { user, .. } if self.members.contains_key(&user) => {
                return Err(OrganisationRefusal::AlreadyAMember);
            }
            AddMember { user, role } => vec![MemberAdded { user, role }],
            ChangeRole { user, role } if self.member(user)?.role == role => vec![],
            ChangeRole { user, role } => {
                self.keeps_an_admin_without(user)?;
                vec![MemberRoleChanged { user, role }]
            }
            DeactivateMember { user } if self.member(user)?.status == Inactive => vec![],
            DeactivateMember { user } => {
                self.keeps_an_admin_without(user)?;
                vec![MemberDeactivated { user }]
            }
            ReactivateMember { user } if self.member(user)?.status == Active => vec![],
            ReactivateMember { user } => vec![MemberReactivated { user }],
            RemoveMember { user } => {
                self.member(user)?;
                self.keeps_an_admin_without(user)?;
                vec![MemberRemoved { user }]
            }
            ChangeSettings { allow_self_approval: None } => vec![],
            ChangeSettings { allow_self_approval } if self.allow_self_approval == allow_self_approval => vec![],
            ChangeSettings { allow_self_approval } => vec![SettingsChanged { allow_self_approval }],
        })
    }

    fn evolve(&mut self, event: &OrganisationEvent) {
        use {MembershipStatus::*, OrganisationEvent::*};
        match event {
            OrganisationFounded { .. } => self.founded = true,
            MemberAdded { user, role } => {
                self.members.insert(*user, Membership { role: *role, status: Active });
            }
            MemberRoleChanged { user, role } => self.change(*user, |member| member.role = *role),
            MemberDeactivated { user } => self.change(*user, |member| member.status = Inactive),
            MemberReactivated { user } => self.change(*user, |member| member.status = Active),
            MemberRemoved { user } => {
                self.members.remove(user);
            }
            SettingsChanged { allow_self_approval } => {
                self.allow_self_approval = allow_self_approval.or(self.allow_self_approval);
            }
        }
    }
}

impl Organisation {
    fn found(&self, name: &str, slug: String, admin: UserId) -> Result<Vec<OrganisationEvent>, OrganisationRefusal> {
        let name = name.trim();
        if self.founded {
            return Err(OrganisationRefusal::AlreadyFounded);
        }
        if !(1..=NAME_LIMIT).contains(&name.chars().count()) {
            return Err(OrganisationRefusal::Name);
        }
        if !is_slug(&slug) {
            return Err(OrganisationRefusal::Slug);
        }
        Ok(vec![
            OrganisationEvent::OrganisationFounded { name: name.to_owned(), slug },
            OrganisationEvent::MemberAdded { user: admin, role: Role::Admin },
        ])
    }

    fn change(&mut self, user: UserId, change: impl FnOnce(&mut Membership)) {
        if let Some(member) = self.members.get_mut(&user) {
            change(member);
        }
    }
}

#[cfg(test)]
mod tests;
