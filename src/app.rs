//! The one place where a command is authorised, carried out, retried on a conflict and awaited.

pub mod agents;
mod application;
mod cache;
mod documents;
pub mod identity;
mod ledger;
pub mod members;
mod reactors;
pub mod refused;
pub mod rulebooks;
pub mod runs;
pub mod share;

pub use refused::Refused;

use crate::{
    config::{self, Serve},
    outside::{
        chance,
        keys::{KeyError, Keys},
        mail::{MailError, Mailer, Smtp, Unconfigured},
        objects::{Bucket, ObjectError, Objects},
        tokens::Tokens,
    },
    store::{Append, AppendError, Appended, Claim, ConnectError, Loaded, NewEvent, Store, StreamAppend},
};
use aggregates::{
    Decider, Demands, Fact, Permission,
    identity::{actor::Actor, roles::Role},
    ids::OrgId,
    text::Blob,
};
use cache::Cache;
use documents::Documents;
use projections::Db;
use reactors::Reactors;
use rulebooks::Sheets;
use std::sync::Arc;
use uuid::Uuid;

/// Why the service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The store.
    #[error(transparent)]
    Store(#[from] ConnectError),
    /// The keys.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The object store.
    #[error(transparent)]
    Objects(#[from] ObjectError),
    /// The mail server.
    #[error(transparent)]
    Mail(#[from] MailError),
    /// The built-in library.
    #[error(transparent)]
    Library(#[from] Refused),
    /// The figures.
    #[error(transparent)]
    Figures(#[from] prometheus::Error),
}

/// How often a command that lost a race is decided again. On a busy record each try may lose to another process, so that
/// with few of them somebody would be refused who did nothing wrong.
const TRIES: usize = 64;

/// The service without its ways in.
pub struct App {
    /// Its settings.
    pub settings: Serve,
    /// Where it is reached, without a slash at the end: links and share addresses begin with it.
    pub public_url: String,
    /// Events and read models.
    pub store: Store,
    /// Files of evidence.
    pub objects: Objects,
    /// Secrets.
    pub keys: Keys,
    /// Session tokens.
    pub tokens: Tokens,
    /// Outgoing mail.
    pub mailer: Arc<dyn Mailer>,
    cache: Cache,
    sheets: Sheets,
    documents: Documents,
    key_uses: identity::KeyUses,
    reactors: Reactors,
}

/// Who asks, for which organisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The person, the API key or the service.
    pub actor: Actor,
    /// The organisation: the path's, else that of `X-Org-Id`, else the credential's.
    pub org: OrgId,
    /// The caller's role in it; the service may do everything.
    pub role: Role,
    /// The session, when a person signed in.
    pub session: Option<Uuid>,
}

impl Caller {
    /// The service itself.
    pub const fn service(org: OrgId) -> Self {
        Self { actor: Actor::Service, org, role: Role::Admin, session: None }
    }

    /// Whether the caller has the permission.
    pub fn may(&self, permission: Permission) -> bool {
        self.actor == Actor::Service || self.role.may(permission)
    }
}

/// How a command is given.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// The caller's `Idempotency-Key` and the digest of the request that came with it.
    pub once: Option<(String, String)>,
    /// The revision that the command is for; any, when there is none.
    pub revision: Option<i64>,
}

/// What goes with a command's events.
#[derive(Clone, Debug, Default)]
pub struct With {
    /// What it claims for itself alone.
    pub claims: Vec<Claim>,
    /// What it gives up.
    pub releases: Vec<Claim>,
    /// Long texts.
    pub blobs: Vec<Blob>,
}

/// A command that was carried out.
#[derive(Clone, Debug)]
pub struct Done<D: Decider> {
    /// The record's id within its organisation.
    pub id: String,
    /// The record after the command.
    pub state: Arc<Loaded<D>>,
    /// What happened.
    pub events: Vec<D::Event>,
    /// The ledger's position after it.
    pub position: i64,
    /// Whether this is the answer to a repeat.
    pub replayed: bool,
}

impl App {
    /// Opens the store, puts the service together and publishes the built-in library.
    pub async fn open(settings: Serve, public_url: String) -> Result<Self, OpenError> {
        let keys = Keys::open_or_create(&settings.store.keys())?;
        let objects = match settings.objects() {
            config::Objects::Folder(folder) => Objects::in_folder(&folder)?,
            config::Objects::S3 { bucket, prefix } => Objects::in_bucket(Bucket {
                name: bucket,
                prefix,
                region: settings.s3_region.clone(),
                endpoint: settings.s3_endpoint.clone(),
                access_key_id: settings.s3_access_key_id.clone().unwrap_or_default(),
                secret_access_key: settings
                    .s3_secret_access_key
                    .as_ref()
                    .map(|key| key.reveal().to_owned())
                    .unwrap_or_default(),
            })?,
        };
        let mailer: Arc<dyn Mailer> = match (&settings.smtp_url, &settings.mail_from) {
            (Some(url), Some(from)) => Arc::new(Smtp::new(url.reveal(), from)?),
            _ => Arc::new(Unconfigured),
        };
        let target = settings.store.target();
        if settings.production {
            target.refuse_owner().await?;
        }
        let store = Store::open(&target, projections::models()).await?;
        let app = Self {
            tokens: Tokens::new(&keys, "defendable", settings.jwt_ttl_hours),
            settings,
            public_url,
            store,
            objects,
            keys,
            mailer,
            cache: Cache::new(),
            sheets: Sheets::default(),
            documents: Documents::new(),
            key_uses: identity::KeyUses::default(),
            reactors: Reactors::new()?,
        };
        app.store.drop_keys_of_the_erased().await.map_err(Refused::from)?;
        app.publish_library().await?;
        Ok(app)
    }

    /// The database to read from.
    pub fn db(&self) -> &Db {
        self.store.read()
    }

    /// Carries out a command on one record.
    pub async fn execute<D>(
        &self,
        caller: &Caller,
        terms: &Terms,
        id: &str,
        command: D::Command,
        with: With,
    ) -> Result<Done<D>, Refused>
    where
        D: Decider,
        D::Command: Clone,
    {
        permit(caller, command.permission())?;
        let command_id = command_id(caller, terms);
        if terms.once.is_some()
            && let Some(done) = self.repeated::<D>(caller, terms, &command_id).await?
        {
            return Ok(done);
        }
        let _turn = self.cache.turn::<D>(caller.org, id).await;
        for _ in 0..TRIES {
            let (loaded, cached) = self.loaded::<D>(caller.org, id).await?;
            // What is not there has no revision: the record itself says that it is missing.
            if let Some(revision) = terms.revision
                && loaded.sequence > 0
                && revision != loaded.sequence
            {
                return Err(Refused::Stale(loaded.sequence));
            }
            let events = match loaded.state.decide(command.clone()) {
                // Another process may have changed the record since it was cached: look before refusing.
                Err(_) if cached => {
                    self.cache.forget::<D>(caller.org, id);
                    continue;
                }
                decided => decided.map_err(Refused::rule)?,
            };
            if events.is_empty() {
                let position = self.store.position().await?;
                return Ok(Done { id: id.to_owned(), state: loaded, events, position, replayed: false });
            }
            let append = Append {
                command_id: command_id.clone(),
                fingerprint: terms.once.as_ref().map(|(_, fingerprint)| fingerprint.clone()),
                actor: caller.actor.to_string(),
                streams: vec![stream::<D>(caller.org, id, loaded.sequence, &events)?],
                claims: with.claims.clone(),
                releases: with.releases.clone(),
                blobs: with.blobs.clone(),
                receipt: None,
            };
            match self.store.append(append).await {
                Ok(Appended { replayed: true, first, last, .. }) => {
                    return self.replay::<D>(caller.org, first, last).await;
                }
                Ok(Appended { last: position, .. }) => {
                    let state = self.cache.settle(caller.org, id, loaded, &events);
                    return Ok(Done { id: id.to_owned(), state, events, position, replayed: false });
                }
                Err(AppendError::Conflict) => self.cache.forget::<D>(caller.org, id),
                Err(error) => return Err(error.into()),
            }
        }
        Err(AppendError::Conflict.into())
    }

    /// The record as it stands, and whether that comes from the cache of a store that others write to as well.
    async fn loaded<D: Decider>(&self, org: OrgId, id: &str) -> Result<(Arc<Loaded<D>>, bool), Refused> {
        if let Some(loaded) = self.cache.get::<D>(org, id) {
            return Ok((loaded, matches!(self.db(), Db::Postgres(_))));
        }
        let loaded = Arc::new(self.store.load::<D>(org, id).await?);
        if loaded.sequence > 0 {
            self.cache.put(org, id, Arc::clone(&loaded));
        }
        Ok((loaded, false))
    }

    /// The record as it stands, for a decision that the append itself will check.
    pub async fn current<D: Decider>(&self, org: OrgId, id: &str) -> Result<Arc<Loaded<D>>, Refused> {
        match self.loaded::<D>(org, id).await? {
            (_, true) => {
                self.cache.forget::<D>(org, id);
                Ok(self.loaded::<D>(org, id).await?.0)
            }
            (loaded, false) => Ok(loaded),
        }
    }

    async fn repeated<D: Decider>(
        &self,
        caller: &Caller,
        terms: &Terms,
        command_id: &str,
    ) -> Result<Option<Done<D>>, Refused> {
        let Some(known) = self.store.known(command_id).await? else { return Ok(None) };
        let fingerprint = terms.once.as_ref().map(|(_, fingerprint)| fingerprint);
        if known.fingerprint.as_ref() != fingerprint {
            return Err(AppendError::KeyReused.into());
        }
        self.replay::<D>(caller.org, known.first, known.last).await.map(Some)
    }

    async fn replay<D: Decider>(&self, org: OrgId, first: i64, last: i64) -> Result<Done<D>, Refused> {
        let replayed = self.store.replay::<D>(org, first, last).await?;
        let replayed = replayed.ok_or(AppendError::KeyReused)?;
        Ok(Done {
            id: replayed.id,
            state: Arc::new(replayed.loaded),
            events: replayed.events,
            position: last,
            replayed: true,
        })
    }
}

/// Refuses a caller whose role is too small.
pub fn permit(caller: &Caller, permission: Permission) -> Result<(), Refused> {
    if caller.may(permission) { Ok(()) } else { Err(Refused::Forbidden(permission)) }
}

/// The command's id: made from the idempotency key where there is one, so that a repeat has the same, on every process.
fn command_id(caller: &Caller, terms: &Terms) -> String {
    match &terms.once {
        None => chance::uuid().to_string(),
        Some((key, _)) => {
            let mut hasher = blake3::Hasher::new_derive_key("defendable command id v1");
            for part in [caller.org.on_ledger().as_str(), caller.actor.to_string().as_str(), key] {
                hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
            }
            let mut bits = [0; 16];
            hasher.finalize_xof().fill(&mut bits);
            Uuid::new_v8(bits).to_string()
        }
    }
}

/// Events for one stream, each serialised once.
fn stream<D: Decider>(org: OrgId, id: &str, expected: i64, events: &[D::Event]) -> Result<StreamAppend, Refused> {
    let events = events
        .iter()
        .map(|event| {
            Ok(NewEvent {
                event_type: event.name(),
                event_version: D::Event::VERSION,
                payload: serde_json::to_string(event).map_err(|error| Refused::Fault(error.into()))?,
            })
        })
        .collect::<Result<_, Refused>>()?;
    Ok(StreamAppend { org, aggregate_type: D::TYPE, id: id.to_owned(), expected, events })
}
