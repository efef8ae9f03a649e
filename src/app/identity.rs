//! Signing in and out, and who a credential is of.

use super::{App, Caller, Done, Refused, Terms, With, rulebooks::stream_id, stream};
use crate::{
    outside::{
        chance, clock,
        keys::Secret,
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
use projections::identity as shown;
use proof::digest::sha256;
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

/// How long a magic link works, in minutes.
pub const MAGIC_TTL_MINUTES: u32 = 30;
/// The scope of the claim that an address belongs to one person.
pub const ADDRESS: &str = "the e-mail address";
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
        let sealed = self.store.take_sign_in(digest, clock::now().seconds()).await?.ok_or(Refused::Unauthorized)?;
        let address = personal::open_address(&self.keys, digest, &sealed)?;
        let hmac = self.keys.address_hmac(&address);
        let user = match self.store.user_by_address(&hmac).await? {
            Some(user) => user,
            None => match self.sign_up(&address, &hmac).await {
                // Somebody with the same address signed up at the same moment: they are the same person.
                Err(Refused::Append(AppendError::Claimed(ADDRESS))) => {
                    self.store.user_by_address(&hmac).await?.ok_or(Refused::Unauthorized)?
                }
                signed_up => signed_up?,
            },
        };
        let memberships = shown::memberships(self.db(), user).await?;
        let (org, _) = *memberships.first().ok_or(Refused::Unauthorized)?;
        let now = clock::now();
        let (token, session) = self.tokens.issue(chance::uuid(), user, org, now)?;
        let Session { id, expires_at, .. } = session;
        self.store.begin_session(id, user, org, now.seconds(), expires_at.seconds()).await?;
        Ok(SignedIn { token, person: self.person(user).await?, org })
    }

    async fn sign_up(&self, address: &EmailAddress, hmac: &str) -> Result<UserId, Refused> {
        let (user, org): (UserId, OrgId) = (chance::id(), chance::id());
        let key = Secret::random();
        let email = personal::seal(&key, user, "email", address.as_str())?;
        let name = address.domain().to_owned();
        let org_slug = slug::distinct(&name, org);
        let registered =
            User::default().decide(UserCommand::Register { id: user, email, name: None }).map_err(Refused::rule)?;
        let founded = Organisation::default()
            .decide(OrganisationCommand::Found { name, slug: org_slug.clone(), admin: user })
            .map_err(Refused::rule)?;
        // Before the events: what is sealed must be readable as soon as it is there.
        self.store.keep_person_key(user, &personal::wrap(&self.keys, user, &key)?).await?;
        let claim = |org, scope, key: &str, holder: String| Claim { org, scope, key: key.to_owned(), holder };
        let append = Append {
            command_id: chance::uuid().to_string(),
            fingerprint: None,
            actor: Actor::Service.to_string(),
            streams: vec![
                stream::<User>(OrgId::SYSTEM, &stream_id(user), 0, &registered)?,
                stream::<Organisation>(org, &stream_id(org), 0, &founded)?,
            ],
            claims: vec![
                claim(OrgId::SYSTEM, ADDRESS, hmac, stream_id(user)),
                claim(OrgId::SYSTEM, ORG_SLUG, &org_slug, stream_id(org)),
            ],
            releases: vec![],
            blobs: vec![],
            receipt: None,
        };
        let appended = self.store.append(append).await;
        if appended.is_err() {
            // Nobody has this key's person. A row that stays behind after a crash opens nothing.
            self.store.drop_person_key(user).await?;
        }
        appended?;
        Ok(user)
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
        let key = wrapped.map(|wrapped| personal::unwrap(&self.keys, user, &wrapped)).transpose()?;
        let open = |field: &str, sealed: &Sealed| personal::open(key.as_ref(), field, sealed);
        Ok(Person {
            id: user,
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

    /// Erases a person's data: their key is dropped, their address is free again, and what was sealed under the key can
    /// never be read. What receipts sealed stays.
    pub async fn erase(&self, caller: &Caller, user: UserId) -> Result<Done<User>, Refused> {
        let org = self.current::<Organisation>(caller.org, &stream_id(caller.org)).await?;
        org.state.membership(user).ok_or(Refused::NotFound("user"))?;
        let person = self.person(user).await?;
        let system = Caller { org: OrgId::SYSTEM, ..*caller };
        let done = self
            .execute::<User>(&system, &Terms::default(), &stream_id(user), UserCommand::Erase, With::default())
            .await?;
        self.store.drop_person_key(user).await?;
        if let Ok(address) = person.email.parse::<EmailAddress>() {
            self.store.free_address(&self.keys.address_hmac(&address), user).await?;
        }
        self.store.end_sessions_of(user).await?;
        Ok(done)
    }
}
