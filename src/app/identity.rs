//! Signing in and out, and who a credential is of.

use super::{App, Caller, Done, Refused, TRIES, Terms, With, members::Named, rulebooks::stream_id, stream};
use crate::{
    outside::{
        chance, clock,
        mail::Mail,
        personal::{self, ERASED},
        tokens::Session,
    },
    store::{Append, AppendError, Claim},
};
use aggregates::{
    Decider,
    identity::{
        actor::Actor,
        address::EmailAddress,
        api_key::{ApiKey, ApiKeyCommand, PREFIX_LENGTH, SCHEME},
        organisation::{Organisation, OrganisationCommand},
        roles::Role,
        user::{User, UserCommand},
    },
    ids::{ApiKeyId, OrgId, UserId},
    personal::Sealed,
    slug,
    time::Time,
};
use projections::identity::{self as shown, PersonRow};
use proof::digest::sha256;
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

/// How long a magic link works, in minutes.
pub const MAGIC_TTL_MINUTES: u32 = 30;
pub use crate::store::ADDRESS;
/// The scope of the claim that a slug names one organisation.
const ORG_SLUG: &str = "the organisation's slug";

/// When each API key's use was recorded last, to the minute, so that it is written once a minute.
#[derive(Default)]
pub(super) struct KeyUses(Mutex<HashMap<ApiKeyId, i64>>);

impl KeyUses {
    /// Whether a use in this minute is the first that this process sees.
    fn is_first(&self, key: ApiKeyId, minute: i64) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key, minute) != Some(minute)
    }
}

/// What asking for a magic link comes to.
#[derive(Debug)]
pub enum LinkSent {
    /// It is in the mail.
    Mailed,
    /// No mail server is configured, and the link may be shown.
    Shown(String),
}

/// A person, with their data open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Who.
    pub id: UserId,
    /// Their address, or `[erased]`.
    pub email: String,
    /// Their name.
    pub name: Option<String>,
    /// When they signed up.
    pub created_at: Time,
}

/// A person who has just signed in.
#[derive(Debug)]
pub struct SignedIn {
    /// The session's token.
    pub token: String,
    /// Who.
    pub person: Person,
    /// For which organisation, unless they name another.
    pub org: OrgId,
}

impl App {
    /// Sends a magic link, or answers it when it may be shown (`may_show`: development mode, on loopback). The answer does
    /// not tell whether the address is known.
    pub async fn send_link(&self, address: &EmailAddress, may_show: bool) -> Result<LinkSent, Refused> {
        if !self.mailer.is_configured() && !may_show {
            return Err(Refused::NotConfigured(
                "no mail server is configured, so nobody can be sent a sign-in link (DEFENDABLE_SMTP_URL)".into(),
            ));
        }
        let link = self.magic_link(address).await?;
        if !self.mailer.is_configured() {
            return Ok(LinkSent::Shown(link));
        }
        let mail = Mail::sign_in(address.clone(), &link, MAGIC_TTL_MINUTES);
        self.mailer.send(mail).await.map_err(|error| {
            tracing::error!(%error, "a sign-in link could not be sent");
            Refused::NotConfigured("the mail server did not take the sign-in mail; try again in a moment".into())
        })?;
        Ok(LinkSent::Mailed)
    }

    /// A magic link for an address: it works once, for half an hour.
    pub async fn magic_link(&self, address: &EmailAddress) -> Result<String, Refused> {
        let token = chance::sign_in_token();
        let digest = sha256(token.as_bytes());
        let sealed = personal::seal_address(&self.keys, digest, address)?;
        let expires_at = clock::now().seconds() + i64::from(MAGIC_TTL_MINUTES) * 60;
        self.store.keep_sign_in(digest, &sealed, expires_at).await?;
        Ok(format!("{}/auth/callback?token={token}", self.public_url))
    }

    /// Trades a magic link's token for a session. An unknown address signs up: a new organisation, with that person as
    /// its admin.
    pub async fn sign_in(&self, token: &str) -> Result<SignedIn, Refused> {
        let digest = sha256(token.as_bytes());
        let sealed = self.store.take_sign_in(digest, clock::now().seconds()).await?.ok_or(Refused::VoidLink)?;
        let address = personal::open_address(&self.keys, digest, &sealed)?;
        let user = self.known_or_signed_up(&address).await?;
        let memberships = shown::memberships(self.db(), user).await?;
        let (org, _) = *memberships.first().ok_or(Refused::Unauthorized)?;
        self.begin_session(user, org).await
    }

    /// Begins a session of a person, for one of their organisations.
    pub(super) async fn begin_session(&self, user: UserId, org: OrgId) -> Result<SignedIn, Refused> {
        let now = clock::now();
        let (token, session) = self.tokens.issue(chance::uuid(), user, org, now)?;
        let Session { id, expires_at, .. } = session;
        self.store.begin_session(id, user, org, now.seconds(), expires_at.seconds()).await?;
        Ok(SignedIn { token, person: self.person(user).await?, org })
    }

    async fn known_or_signed_up(&self, address: &EmailAddress) -> Result<UserId, Refused> {
        for _ in 0..TRIES {
            let named = self.named(address).await?;
            let person = self.current::<User>(OrgId::SYSTEM, &stream_id(named.id)).await?;
            if person.state.is_known() {
                return Ok(named.id);
            }
            match self.sign_up(address, &named).await {
                // Somebody with the same address signed up at the same moment: they are the same person.
                Err(Refused::Append(AppendError::Conflict | AppendError::Claimed(ADDRESS))) => {}
                signed_up => return signed_up.map(|()| named.id),
            }
        }
        Err(AppendError::Conflict.into())
    }

    async fn sign_up(&self, address: &EmailAddress, named: &Named) -> Result<(), Refused> {
        let (user, org): (UserId, OrgId) = (named.id, chance::id());
        let email = personal::seal(&named.key, user, "email", address.as_str())?;
        let name = address.domain().to_owned();
        let org_slug = slug::distinct(&name, org);
        let registered =
            User::default().decide(UserCommand::Register { id: user, email, name: None }).map_err(Refused::rule)?;
        let founded = Organisation::default()
            .decide(OrganisationCommand::Found { name, slug: org_slug.clone(), admin: user })
            .map_err(Refused::rule)?;
        let slug = Claim { org: OrgId::SYSTEM, scope: ORG_SLUG, key: org_slug, holder: stream_id(org) };
        let append = Append {
            command_id: chance::uuid().to_string(),
            fingerprint: None,
            actor: Actor::Service.to_string(),
            streams: vec![
                stream::<User>(OrgId::SYSTEM, &stream_id(user), 0, &registered)?,
                stream::<Organisation>(org, &stream_id(org), 0, &founded)?,
            ],
            claims: vec![named.claim(), slug],
            releases: vec![],
            blobs: vec![],
            receipt: None,
        };
        match self.store.append(append).await {
            Ok(_) => Ok(()),
            Err(error) => Err(self.unnamed(named, error.into()).await),
        }
    }

    /// Ends the caller's session: its token stops working at once.
    pub async fn sign_out(&self, caller: &Caller) -> Result<(), Refused> {
        match caller.session {
            Some(session) => Ok(self.store.end_session(session).await?),
            None => Err(Refused::Invalid("Authorization", "an API key is revoked, not signed out".into())),
        }
    }

    /// Who a bearer credential is of, for the organisation asked for or its own.
    pub async fn identify(&self, token: &str, wanted: Option<OrgId>) -> Result<Caller, Refused> {
        if token.starts_with(SCHEME) {
            return self.identify_key(token, wanted).await;
        }
        let now = clock::now();
        let session = self.tokens.read(token, now)?;
        let org = wanted.unwrap_or(session.org);
        let live = self.store.session(session.id, session.user, org, now.seconds()).await?;
        match (*live).ok_or(Refused::Unauthorized)?.role {
            Some(role) => Ok(Caller { actor: Actor::User(session.user), org, role, session: Some(session.id) }),
            None if wanted.is_some_and(|wanted| wanted != session.org) => Err(Refused::NotFound("organisation")),
            None => Err(Refused::Unauthorized),
        }
    }

    async fn identify_key(&self, token: &str, wanted: Option<OrgId>) -> Result<Caller, Refused> {
        let prefix = token.get(..PREFIX_LENGTH).ok_or(Refused::Unauthorized)?;
        let (digest, now) = (sha256(token.as_bytes()), clock::now());
        let keys = shown::api_keys_by_prefix(self.db(), prefix).await?;
        let found = keys.into_iter().find(|(_, key)| {
            key.key_hash == digest && !key.revoked && key.expires_at.is_none_or(|expires_at| now < expires_at)
        });
        let (org, key) = found.ok_or(Refused::Unauthorized)?;
        if wanted.is_some_and(|wanted| wanted != org) {
            return Err(Refused::NotFound("organisation"));
        }
        let minute = now.seconds() - now.seconds().rem_euclid(60);
        if self.key_uses.is_first(key.id, minute) {
            self.store.used_api_key(key.id, minute).await?;
        }
        Ok(Caller { actor: Actor::ApiKey(key.id), org, role: key.role, session: None })
    }

    /// A person with their data open; what was erased reads `[erased]`.
    pub async fn person(&self, user: UserId) -> Result<Person, Refused> {
        let (row, wrapped) = shown::person(self.db(), user).await?.ok_or(Refused::NotFound("user"))?;
        self.opened(row, wrapped)
    }

    /// A person out of what is stored of them.
    pub(super) fn opened(&self, row: PersonRow, wrapped: Option<Vec<u8>>) -> Result<Person, Refused> {
        let key = wrapped.map(|wrapped| personal::unwrap(&self.keys, row.id, &wrapped)).transpose()?;
        let open = |field: &str, sealed: &Sealed| personal::open(key.as_ref(), field, sealed);
        Ok(Person {
            id: row.id,
            email: row.email.map_or(Ok(ERASED.to_owned()), |email| open("email", &email))?,
            name: row.name.map(|name| open("name", &name)).transpose()?,
            created_at: row.stamp.created_at,
        })
    }

    /// Issues an API key; the key itself is answered this once.
    pub async fn issue_key(
        &self,
        caller: &Caller,
        terms: &Terms,
        name: String,
        role: Role,
        expires_at: Option<Time>,
    ) -> Result<(Done<ApiKey>, String), Refused> {
        let secret = chance::api_key();
        let command = ApiKeyCommand::Issue {
            name,
            role,
            key_hash: sha256(secret.as_bytes()),
            prefix: secret.chars().take(PREFIX_LENGTH).collect(),
            expires_at,
            issuer: caller.actor,
            issuer_role: caller.role,
            at: clock::now(),
        };
        let id = stream_id::<aggregates::ids::kinds::ApiKey>(chance::id());
        Ok((self.execute::<ApiKey>(caller, terms, &id, command, With::default()).await?, secret))
    }
}
