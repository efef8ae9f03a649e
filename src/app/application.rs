//! What the wire asks of the application as a whole.

use super::{App, Caller, Refused};
use crate::{
    http::{
        Application,
        error::{Problem, Reply},
        health::{Parts, State},
        metrics::Metrics,
    },
    store::Health,
};
use aggregates::ids::OrgId;
use futures::{FutureExt, future::BoxFuture};
use std::time::Duration;

/// How long a part may take to say how it is.
const PATIENCE: Duration = Duration::from_secs(2);

impl App {
    /// The stalled read models, each with its reason; none when the database does not answer.
    async fn stalled(&self) -> Option<Vec<(String, String)>> {
        tokio::time::timeout(PATIENCE, self.store.stalled()).await.ok()?.ok()
    }

    /// Counts an evidence upload against the caller's limit for the hour, which all processes share.
    pub async fn count_upload(&self, caller: &Caller) -> Result<(), Problem> {
        const HOUR: i64 = 3_600;
        let limit = i64::from(self.settings.uploads_per_hour);
        if limit == 0 {
            return Ok(());
        }
        let now = crate::outside::clock::now().seconds();
        let window = now - now.rem_euclid(HOUR);
        let uses = self.store.count_use(&format!("upload/{}", caller.actor), window).await.map_err(Refused::from)?;
        if uses <= limit {
            return Ok(());
        }
        let wait = (window + HOUR - now).unsigned_abs();
        Err(Problem::rate_limited(format!("too many evidence uploads; {limit} an hour are allowed"), wait))
    }
}

impl Application for App {
    fn identify<'a>(&'a self, credential: &'a str, wanted: Option<OrgId>) -> BoxFuture<'a, Reply<Caller>> {
        self.identify(credential, wanted).map(|identified| identified.map_err(Problem::from)).boxed()
    }

    fn parts(&self) -> BoxFuture<'_, Parts> {
        async {
            let outdated = *self.store.health().borrow() == Health::Outdated;
            let database = match self.stalled().await {
                Some(models) if !outdated => {
                    if models.is_empty() {
                        State::Healthy
                    } else {
                        State::Degraded
                    }
                }
                _ => State::Unhealthy,
            };
            let storage = tokio::time::timeout(PATIENCE, self.objects.probe()).await;
            let mail = if self.mailer.is_configured() { State::Healthy } else { State::NotConfigured };
            let storage = if matches!(storage, Ok(Ok(()))) { State::Healthy } else { State::Unhealthy };
            Parts { database, storage, mail, ..Parts::default() }
        }
        .boxed()
    }

    fn measure(&self, metrics: &Metrics) -> prometheus::Result<()> {
        metrics.register(self.reactors.position.clone())?;
        metrics.register(self.reactors.failures.clone())
    }

    fn ready(&self) -> BoxFuture<'_, Result<Option<String>, String>> {
        async {
            if *self.store.health().borrow() == Health::Outdated {
                return Err("a newer version of the service has taken over".to_owned());
            }
            let stalled = self.stalled().await.ok_or("the database cannot be reached")?;
            if stalled.is_empty() {
                let stuck = tokio::time::timeout(PATIENCE, self.store.stuck_reactors()).await;
                let stuck = stuck.map_err(|_| ()).and_then(|stuck| stuck.map_err(|_| ()));
                let stuck = stuck.map_err(|()| "the database cannot be reached")?;
                let reactors: Vec<_> = stuck.iter().map(|(name, at)| format!("{name} (position {at})")).collect();
                return Ok((!stuck.is_empty()).then(|| format!("reactors are stuck: {}", reactors.join(", "))));
            }
            let models: Vec<_> = stalled.iter().map(|(model, reason)| format!("{model} ({reason})")).collect();
            Err(format!("read models are stalled: {}", models.join(", ")))
        }
        .boxed()
    }

    fn greeting<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Option<String>> {
        async move {
            if !self.settings.may_show_links() || self.mailer.is_configured() {
                return None;
            }
            let address = "you@example.com".parse().ok()?;
            let link = self.magic_link(&address).await.ok()?;
            let token = link.split_once("token=").map(|(_, token)| token)?;
            Some(format!(
                "\nSign in as you@example.com with this link (it works once, for 30 minutes):\n  {link}\n\
                 or from a terminal:\n  defendable auth verify --api {url} {token}\n\nThe API is described at {url}/api/v1/docs; the README goes on from here."
            ))
        }
        .boxed()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.reactors.stop();
        self.store.close().boxed()
    }
}
