//! Who belongs to an organisation: asking people in, their coming in, and erasing what is known of one.

use super::{
    App, Caller, Refused, TRIES, Terms, With,
    identity::{ADDRESS, Person, SignedIn},
    permit,
    rulebooks::stream_id,
    stream,
};
use crate::{
    outside::{chance, clock, keys::Secret, mail::Mail, personal},
    store::{Append, AppendError, Claim},
};
use aggregates::{
    Decider, Demands, Fault, Permission,
    identity::{
        actor::Actor,
        address::EmailAddress,
        organisation::{MembershipStatus, Organisation, OrganisationCommand, OrganisationEvent},
        roles::Role,
        user::{User, UserCommand},
    },
    ids::{InvitationId, OrgId, UserId},
    time::Time,
};
use projections::identity::{self as shown, InvitationRow, MemberRow};
use proof::digest::sha256;

/// How long an invitation works, in days.
pub const INVITATION_DAYS: u32 = 7;
/// The longest name of a person, in characters.
pub const NAME_LIMIT: usize = 200;

/// The person whom an address belongs to, or will belong to: an address names one person from the first time on that
/// somebody signs up or is asked in with it, so that whatever was sealed for it before goes with the same key.
pub(super) struct Named {
    pub(super) id: UserId,
    pub(super) key: Secret,
    hmac: String,
    is_new: bool,
}

impl Named {
    /// That the address belongs to this person.
    pub(super) fn claim(&self) -> Claim {
        address_claim(&self.hmac, self.id)
    }
}

fn address_claim(hmac: &str, person: UserId) -> Claim {
    Claim { org: OrgId::SYSTEM, scope: ADDRESS, key: hmac.to_owned(), holder: stream_id(person) }
}

/// An invitation, with the address open.
#[derive(Clone, Debug)]
pub struct Invitation {
    /// Its id.
    pub id: InvitationId,
    /// The address, or `[erased]`.
    pub email: String,
    /// As what the person is asked in.
    pub role: Role,
    /// The first second in which it is void.
    pub expires_at: Time,
    /// When it was accepted, if it was.
    pub accepted_at: Option<Time>,
    /// When it was made.
    pub created_at: Time,
}

/// An invitation that was just made.
#[derive(Clone, Debug)]
pub struct Invited {
    /// The invitation.
    pub invitation: Invitation,
    /// Its link; none in the answer to a repeat, since only the token's digest is kept.
    pub link: Option<String>,
    /// Whether it was mailed.
    pub sent: bool,
    /// The ledger's position after it.
    pub position: i64,
    /// Whether this is the answer to a repeat.
    pub replayed: bool,
}

/// A member of an organisation, with their data open.
#[derive(Clone, Debug)]
pub struct Member {
    /// Who.
    pub id: UserId,
    /// Their address, or `[erased]`.
    pub email: String,
    /// Their name.
    pub name: Option<String>,
    /// As what they belong to it.
    pub role: Role,
    /// Whether the membership counts.
    pub status: MembershipStatus,
    /// Since when.
    pub created_at: Time,
}

/// What erasing a person left in place.
#[derive(Clone, Debug)]
pub struct Erased {
    /// The receipts that name the person's address as the approver's, for good.
    pub receipts: Vec<String>,
    /// The ledger's position after it.
    pub position: i64,
}

impl App {
    /// The person whom an address belongs to; a new one where it belongs to nobody. Their key is kept before anything
    /// is sealed under it, so that what is on the ledger can be read as soon as it is there.
    pub(super) async fn named(&self, address: &EmailAddress) -> Result<Named, Refused> {
        let hmac = self.keys.address_hmac(address);
        if let Some(id) = self.store.user_by_address(&hmac).await? {
            if let Some(wrapped) = self.store.person_key(id).await? {
                let key = personal::unwrap(&self.keys, id, &wrapped)?;
                return Ok(Named { id, key, hmac, is_new: false });
            }
            if self.current::<User>(OrgId::SYSTEM, &stream_id(id)).await?.state.is_known() {
                return Err(Refused::Fault(format!("the key of {id} is missing").into()));
            }
            // Asked in again at the moment in which they were erased.
            self.store.free_address(&hmac, id).await?;
        }
        let (id, key) = (chance::id(), Secret::random());
        self.store.keep_person_key(id, &personal::wrap(&self.keys, id, &key)?).await?;
        Ok(Named { id, key, hmac, is_new: true })
    }

    /// Why a command that names a person was refused. A new person's key goes with it, unless the command may still
    /// turn out to have been carried out; a key that stays behind opens nothing.
    pub(super) async fn unnamed(&self, named: &Named, refused: Refused) -> Refused {
        let may_stand = matches!(refused, Refused::Append(AppendError::Unavailable(_)));
        if named.is_new
            && !may_stand
            && let Err(error) = self.store.drop_person_key(named.id).await
        {
            tracing::warn!(%error, "the key of a person who is not to be could not be dropped");
        }
        refused
    }

    /// Asks somebody in, whether or not they are known, and mails the link where a mail server is configured.
    pub async fn invite(
        &self,
        caller: &Caller,
        terms: &Terms,
        address: &EmailAddress,
        role: Role,
    ) -> Result<Invited, Refused> {
        permit(caller, Permission::Administer)?;
        let (token, at) = (chance::sign_in_token(), clock::now());
        let expires_at = Time::of_microseconds((at.seconds() + i64::from(INVITATION_DAYS) * 86_400) * 1_000_000);
        for _ in 0..TRIES {
            let named = self.named(address).await?;
            let command = OrganisationCommand::Invite {
                id: chance::id(),
                email: personal::seal(&named.key, named.id, "email", address.as_str())?,
                role,
                token_hash: sha256(token.as_bytes()),
                expires_at,
                at,
            };
            let with = With { claims: vec![named.claim()], ..With::default() };
            let done = self.execute::<Organisation>(caller, terms, &stream_id(caller.org), command, with).await;
            let done = match done {
                Ok(done) => done,
                Err(refused) => match self.unnamed(&named, refused).await {
                    // The address was named for the first time by somebody else at the same moment.
                    Refused::Append(AppendError::Claimed(ADDRESS)) => continue,
                    refused => return Err(refused),
                },
            };
            if done.replayed && named.is_new {
                // The repeat of an invitation whose person was erased since: it names nobody new.
                self.store.drop_person_key(named.id).await?;
            }
            let recorded = done.events.iter().find_map(|event| match event {
                OrganisationEvent::MemberInvited { token_hash, .. } => Some(*token_hash),
                _ => None,
            });
            let recorded = recorded.ok_or_else(|| Refused::Fault("an invitation left no event".into()))?;
            let row = shown::invitation_by_token(self.db(), recorded).await?;
            let (_, row) = row.ok_or(Refused::NotFound("invitation"))?;
            let link = (!done.replayed).then(|| format!("{}/auth/callback?invite={token}", self.public_url));
            let sent = match &link {
                Some(link) => self.mail_invitation(caller.org, address, link).await?,
                None => false,
            };
            let invitation = invitation(row, address.as_str().to_owned());
            return Ok(Invited { invitation, link, sent, position: done.position, replayed: done.replayed });
        }
        Err(AppendError::Conflict.into())
    }

    /// Whether the link went out. It stands either way: whoever invites can hand it over themself.
    async fn mail_invitation(&self, org: OrgId, address: &EmailAddress, link: &str) -> Result<bool, Refused> {
        if !self.mailer.is_configured() {
            return Ok(false);
        }
        let organisation = shown::organisation(self.db(), org).await?.ok_or(Refused::NotFound("organisation"))?;
        let mail = Mail::invitation(address.clone(), &organisation.name, link, INVITATION_DAYS);
        let sent = self.mailer.send(mail).await;
        if let Err(error) = &sent {
            tracing::error!(%error, "an invitation could not be sent");
        }
        Ok(sent.is_ok())
    }

    /// The organisation's invitations, the newest first.
    pub async fn invitations(
        &self,
        caller: &Caller,
        before: Option<InvitationId>,
        limit: i64,
    ) -> Result<Vec<Invitation>, Refused> {
        let rows = shown::invitations(self.db(), caller.org, before, limit).await?;
        let open = |(row, wrapped): (InvitationRow, Option<Vec<u8>>)| {
            let key = wrapped.map(|wrapped| personal::unwrap(&self.keys, row.email.person, &wrapped)).transpose()?;
            let email = personal::open(key.as_ref(), "email", &row.email)?;
            Ok(invitation(row, email))
        };
        rows.into_iter().map(open).collect()
    }

    /// Trades an invitation's token for a membership and a session. Whoever is new signs up with it, without an
    /// organisation of their own; who has no name yet may give one.
    pub async fn accept_invitation(&self, token: &str, name: Option<&str>) -> Result<SignedIn, Refused> {
        let name = name.map(str::trim).filter(|name| !name.is_empty());
        if name.is_some_and(|name| name.chars().count() > NAME_LIMIT) {
            return Err(Refused::Invalid("name", format!("a person's name has at most {NAME_LIMIT} characters")));
        }
        let found = shown::invitation_by_token(self.db(), sha256(token.as_bytes())).await?;
        let (org, invited) = found.ok_or(Refused::VoidLink)?;
        let user = invited.email.person;
        for _ in 0..TRIES {
            match self.come_in(org, &invited, name).await {
                Err(Refused::Append(AppendError::Conflict)) => {
                    self.cache.forget::<Organisation>(org, &stream_id(org));
                    self.cache.forget::<User>(OrgId::SYSTEM, &stream_id(user));
                }
                come_in => {
                    come_in?;
                    return self.begin_session(user, org).await;
                }
            }
        }
        Err(AppendError::Conflict.into())
    }

    async fn come_in(&self, org: OrgId, invited: &InvitationRow, name: Option<&str>) -> Result<(), Refused> {
        let user = invited.email.person;
        let (org_stream, user_stream) = (stream_id(org), stream_id(user));
        let _turn = self.cache.turn::<Organisation>(org, &org_stream).await;
        // Without their key the person was erased, and nobody is left to come in.
        let wrapped = self.store.person_key(user).await?.ok_or(Refused::VoidLink)?;
        let key = personal::unwrap(&self.keys, user, &wrapped)?;
        let address: EmailAddress = personal::open(Some(&key), "email", &invited.email)?
            .parse()
            .map_err(|_| Refused::Fault(format!("the address of {} is none", invited.id).into()))?;
        let organisation = self.current::<Organisation>(org, &org_stream).await?;
        let person = self.current::<User>(OrgId::SYSTEM, &user_stream).await?;
        let accept = OrganisationCommand::AcceptInvitation { id: invited.id, at: clock::now() };
        // Used, expired or withdrawn: all the same to whoever holds the token.
        let joined = organisation.state.decide(accept).map_err(|_| Refused::VoidLink)?;
        let name = name.map(|name| personal::seal(&key, user, "name", name)).transpose()?;
        let introduced = if !person.state.is_known() {
            Some(UserCommand::Register { id: user, email: invited.email.clone(), name })
        } else if name.is_some() && self.person(user).await?.name.is_none() {
            Some(UserCommand::Rename { name })
        } else {
            None
        };
        let introduced = introduced.map_or(Ok(vec![]), |command| person.state.decide(command));
        let append = Append {
            command_id: chance::uuid().to_string(),
            fingerprint: None,
            actor: Actor::User(user).to_string(),
            streams: vec![
                // Without events, too: it holds that the person was not erased meanwhile.
                stream::<User>(OrgId::SYSTEM, &user_stream, person.sequence, &introduced.map_err(Refused::rule)?)?,
                stream::<Organisation>(org, &org_stream, organisation.sequence, &joined)?,
            ],
            claims: vec![address_claim(&self.keys.address_hmac(&address), user)],
            releases: vec![],
            blobs: vec![],
            receipt: None,
        };
        self.store.append(append).await?;
        self.cache.settle(org, &org_stream, organisation, &joined);
        self.cache.forget::<User>(OrgId::SYSTEM, &user_stream);
        Ok(())
    }

    /// The organisation's members, deactivated ones too.
    pub async fn members(&self, caller: &Caller, after: Option<UserId>, limit: i64) -> Result<Vec<Member>, Refused> {
        let rows = shown::members(self.db(), caller.org, after, limit).await?;
        rows.into_iter().map(|row| self.member_of(row)).collect()
    }

    /// A member of the organisation.
    pub async fn member(&self, caller: &Caller, user: UserId) -> Result<Member, Refused> {
        self.member_of(shown::member(self.db(), caller.org, user).await?.ok_or(Refused::NotFound("user"))?)
    }

    fn member_of(&self, (member, person, key): MemberRow) -> Result<Member, Refused> {
        let missing = || Refused::Fault(format!("the person {} is missing", member.user).into());
        let Person { id, email, name, .. } = self.opened(person.ok_or_else(missing)?, key)?;
        Ok(Member { id, email, name, role: member.role, status: member.status, created_at: member.stamp.created_at })
    }

    /// Erases a member's data: their key is dropped, their address is free again, and what was sealed under the key can
    /// never be read. The membership ends with it. What receipts sealed stays, and is listed. Erasing again finishes what
    /// was cut short.
    ///
    /// A person who may act in another organisation too is not this one's to erase: it ends its own membership, and the
    /// last organisation erases.
    pub async fn erase(&self, caller: &Caller, user: UserId) -> Result<Erased, Refused> {
        permit(caller, UserCommand::Erase.permission())?;
        for _ in 0..TRIES {
            match self.record_erasure(caller, user).await {
                Err(Refused::Append(AppendError::Conflict)) => {
                    self.cache.forget::<Organisation>(caller.org, &stream_id(caller.org));
                    self.cache.forget::<User>(OrgId::SYSTEM, &stream_id(user));
                }
                recorded => {
                    let position = recorded?;
                    self.store.drop_person_key(user).await?;
                    self.store.end_sessions_of(user).await?;
                    let receipts = projections::ledger::approved_by(self.db(), caller.org, user).await?;
                    return Ok(Erased { receipts, position });
                }
            }
        }
        Err(AppendError::Conflict.into())
    }

    async fn record_erasure(&self, caller: &Caller, user: UserId) -> Result<i64, Refused> {
        let (org, org_stream, user_stream) = (caller.org, stream_id(caller.org), stream_id(user));
        let _turn = self.cache.turn::<Organisation>(org, &org_stream).await;
        let organisation = self.current::<Organisation>(org, &org_stream).await?;
        organisation.state.membership(user).ok_or(Refused::NotFound("user"))?;
        if shown::memberships(self.db(), user).await?.iter().any(|(other, _)| *other != org) {
            let rule = "the person belongs to another organisation as well; only the last one they belong to erases \
                        them, and the others end the membership";
            return Err(Refused::Rule(rule.to_owned(), Fault::Conflict));
        }
        let person = self.current::<User>(OrgId::SYSTEM, &user_stream).await?;
        let left = organisation.state.decide(OrganisationCommand::DeactivateMember { user }).map_err(Refused::rule)?;
        let erased = person.state.decide(UserCommand::Erase).map_err(Refused::rule)?;
        if left.is_empty() && erased.is_empty() {
            return Ok(self.store.position().await?);
        }
        let address = self.person(user).await?.email.parse::<EmailAddress>();
        let releases = address.iter().map(|address| address_claim(&self.keys.address_hmac(address), user)).collect();
        let append = Append {
            command_id: chance::uuid().to_string(),
            fingerprint: None,
            actor: caller.actor.to_string(),
            streams: vec![
                stream::<User>(OrgId::SYSTEM, &user_stream, person.sequence, &erased)?,
                stream::<Organisation>(org, &org_stream, organisation.sequence, &left)?,
            ],
            claims: vec![],
            releases,
            blobs: vec![],
            receipt: None,
        };
        let appended = self.store.append(append).await?;
        self.cache.settle(org, &org_stream, organisation, &left);
        self.cache.forget::<User>(OrgId::SYSTEM, &user_stream);
        Ok(appended.last)
    }
}

fn invitation(row: InvitationRow, email: String) -> Invitation {
    Invitation {
        id: row.id,
        email,
        role: row.role,
        expires_at: row.expires_at,
        accepted_at: row.accepted_at,
        created_at: row.stamp.created_at,
    }
}
