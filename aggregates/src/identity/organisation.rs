//! An organisation: who belongs to it, as what, and how it is set up.
//!
//! Memberships and the invitations that lead to them lie in the organisation's own stream, since the rules over all of
//! them (an active admin is always left; nobody is asked in twice) need all of them.

use crate::{
    Decider, Demands, Fact, Fault, Permission, Refusal,
    identity::{actor::Actor, roles::Role},
    ids::{InvitationId, UserId},
    personal::Sealed,
    slug::is_slug,
    time::Time,
};
use proof::digest::Sha256Hex;
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
    /// At most one for each person; those that were accepted or withdrawn are gone.
    invitations: BTreeMap<InvitationId, Invitation>,
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

/// An invitation that nobody has accepted yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// Who is asked in.
    pub person: UserId,
    /// As what.
    pub role: Role,
    /// The first second in which it is void.
    pub expires_at: Time,
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

    /// How many people may act in it.
    pub fn active_members(&self) -> usize {
        self.members.values().filter(|member| member.status == MembershipStatus::Active).count()
    }

    /// An invitation that was neither accepted nor withdrawn; it may have expired.
    pub fn invitation(&self, id: InvitationId) -> Option<Invitation> {
        self.invitations.get(&id).copied()
    }

    /// Whether somebody may approve what they submitted themselves: as an admin has set it, and
    /// otherwise only where one person is left to do both.
    pub fn allows_self_approval(&self) -> bool {
        self.allow_self_approval.unwrap_or_else(|| self.active_members() == 1)
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
    /// Ask a person in.
    Invite {
        /// The invitation's id.
        id: InvitationId,
        /// The e-mail address, sealed for the person whom it belongs to, or will once they sign up.
        email: Sealed,
        /// As what.
        role: Role,
        /// SHA-256 of the token that the invitation's link carries.
        token_hash: Sha256Hex,
        /// The first second in which the invitation is void.
        expires_at: Time,
        /// Now.
        at: Time,
    },
    /// Take an invitation back.
    WithdrawInvitation {
        /// Which.
        id: InvitationId,
    },
    /// Come in on an invitation. That the caller holds its token is the caller's proof.
    AcceptInvitation {
        /// Which.
        id: InvitationId,
        /// Now.
        at: Time,
    },
    /// Give a member another role.
    ChangeRole {
        /// Who.
        user: UserId,
        /// The new role.
        role: Role,
        /// Who asks.
        by: Actor,
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
            // Whoever comes in has no role yet either; the token speaks for them.
            Self::AcceptInvitation { .. } => Permission::Service,
            Self::AddMember { .. }
            | Self::Invite { .. }
            | Self::WithdrawInvitation { .. }
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
    /// A person was asked in.
    MemberInvited {
        /// The invitation.
        invitation: InvitationId,
        /// The person's e-mail address; sealed for them, it also says who they are. Personal.
        email: Sealed,
        /// As what.
        role: Role,
        /// SHA-256 of the token in the invitation's link.
        token_hash: Sha256Hex,
        /// The first second in which the invitation is void.
        expires_at: Time,
    },
    /// An invitation was taken back.
    InvitationWithdrawn {
        /// Which.
        invitation: InvitationId,
    },
    /// An invitation was accepted; the membership follows.
    InvitationAccepted {
        /// Which.
        invitation: InvitationId,
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
            Self::MemberInvited { .. } => "member_invited",
            Self::InvitationWithdrawn { .. } => "invitation_withdrawn",
            Self::InvitationAccepted { .. } => "invitation_accepted",
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
    /// The person has an invitation that still holds.
    #[error("this address has an invitation that still holds; withdraw it first")]
    AlreadyInvited,
    /// There is no such invitation, or it was used.
    #[error("there is no such open invitation")]
    NotInvited,
    /// The invitation's time is over.
    #[error("the invitation has expired; ask for a new one")]
    InvitationExpired,
    /// An admin would take the role from themself.
    #[error("admins do not take the role from themselves; another admin can")]
    SelfDemotion,
    /// Nobody could administer the organisation any more.
    #[error(
        "the organisation keeps at least one active admin, and this is the last one: make somebody else admin first"
    )]
    LastAdmin,
}

impl Refusal for OrganisationRefusal {
    fn fault(&self) -> Fault {
        match self {
            Self::NotFounded | Self::NotAMember | Self::NotInvited => Fault::NotFound,
            Self::AlreadyFounded
            | Self::AlreadyAMember
            | Self::AlreadyInvited
            | Self::InvitationExpired
            | Self::SelfDemotion
            | Self::LastAdmin => Fault::Conflict,
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
            Invite { id, email, role, token_hash, expires_at, at } => {
                self.may_invite(email.person, at)?;
                vec![MemberInvited { invitation: id, email, role, token_hash, expires_at }]
            }
            WithdrawInvitation { id } => {
                self.invitation(id).ok_or(OrganisationRefusal::NotInvited)?;
                vec![InvitationWithdrawn { invitation: id }]
            }
            AcceptInvitation { id, at } => self.accept(id, at)?,
            ChangeRole { user, role, .. } if self.member(user)?.role == role => vec![],
            ChangeRole { user, role, by } => {
                self.keeps_an_admin_without(user)?;
                if by == Actor::User(user) && !role.covers(self.member(user)?.role) {
                    return Err(OrganisationRefusal::SelfDemotion);
                }
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
            MemberInvited { invitation, email, role, expires_at, .. } => {
                // Whoever is asked in again holds the new invitation only.
                self.invitations.retain(|_, older| older.person != email.person);
                let invited = Invitation { person: email.person, role: *role, expires_at: *expires_at };
                self.invitations.insert(*invitation, invited);
            }
            InvitationWithdrawn { invitation } | InvitationAccepted { invitation } => {
                self.invitations.remove(invitation);
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

    /// Refuses to ask in who is there already, or has been asked and may still come.
    fn may_invite(&self, person: UserId, at: Time) -> Result<(), OrganisationRefusal> {
        if self.active_role(person).is_some() {
            return Err(OrganisationRefusal::AlreadyAMember);
        }
        let holds = |invited: &Invitation| invited.person == person && at < invited.expires_at;
        if self.invitations.values().any(holds) { Err(OrganisationRefusal::AlreadyInvited) } else { Ok(()) }
    }

    /// The person comes in, or back in, in the role that they were invited to.
    fn accept(&self, id: InvitationId, at: Time) -> Result<Vec<OrganisationEvent>, OrganisationRefusal> {
        use OrganisationEvent::*;
        let Invitation { person: user, role, expires_at } =
            self.invitation(id).ok_or(OrganisationRefusal::NotInvited)?;
        if at >= expires_at {
            return Err(OrganisationRefusal::InvitationExpired);
        }
        let accepted = InvitationAccepted { invitation: id };
        Ok(match self.membership(user) {
            None => vec![accepted, MemberAdded { user, role }],
            Some(Membership { status: MembershipStatus::Active, .. }) => {
                return Err(OrganisationRefusal::AlreadyAMember);
            }
            Some(member) if member.role == role => vec![accepted, MemberReactivated { user }],
            Some(_) => vec![accepted, MemberReactivated { user }, MemberRoleChanged { user, role }],
        })
    }

    fn change(&mut self, user: UserId, change: impl FnOnce(&mut Membership)) {
        if let Some(member) = self.members.get_mut(&user) {
            change(member);
        }
    }
}

#[cfg(test)]
mod tests;
