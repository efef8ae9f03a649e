//! What the wire asks of the application as a whole.

use super::{App, Caller, Refused};
use crate::{
    http::{
        Application,
        error::{Problem, Reply},
        health::{Parts, State},
    },
    store::Health,
};
use aggregates::ids::OrgId;
use futures::{FutureExt, future::BoxFuture};
use projections::on;
use std::time::Duration;

/// How long a part may take to say how it is.
const PATIENCE: Duration = Duration::from_secs(2);

impl App {
    /// Whether the database answers.
    async fn database_answers(&self) -> Result<(), Refused> {
        let asked = async { on!(self.db(), pool => sqlx::query("SELECT 1").execute(pool).await.map(drop)) };
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(answered) => Ok(answered?),
            Err(_) => Err(sqlx::Error::PoolTimedOut.into()),
        }
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
            let state = |answered: bool| if answered { State::Healthy } else { State::Unhealthy };
            let database = match (&*self.store.health().borrow(), self.database_answers().await.is_ok()) {
                (Health::Stalled(_), true) => State::Degraded,
                (Health::Outdated, true) => State::Unhealthy,
                (_, answers) => state(answers),
            };
            let storage = tokio::time::timeout(PATIENCE, self.objects.probe()).await;
            let mail = if self.mailer.is_configured() { State::Healthy } else { State::NotConfigured };
            Parts { database, storage: state(matches!(storage, Ok(Ok(())))), mail, ..Parts::default() }
        }
        .boxed()
    }

    fn ready(&self) -> BoxFuture<'_, Result<(), String>> {
        async {
            match &*self.store.health().borrow() {
                Health::Stalled(models) => {
                    let models: Vec<_> = models.iter().map(|(model, reason)| format!("{model} ({reason})")).collect();
                    return Err(format!("read models are stalled: {}", models.join(", ")));
                }
                Health::Outdated => return Err("a newer version of the service has taken over".to_owned()),
                Health::Sound | Health::Away(_) => {}
            }
            self.database_answers().await.map_err(|_| "the database cannot be reached".to_owned())
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
                 or from a terminal:\n  curl -s {url}/auth/verify -H 'Content-Type: application/json' \
                 -d '{{\"token\":\"{token}\"}}'\n\nThe API is described at {url}/api/v1/docs; the README goes on from here."
            ))
        }
        .boxed()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.store.close().boxed()
    }
}
