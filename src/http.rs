//! How a program reaches the service: the wire kit, and one file of handlers for each context.
//!
//! A request passes [`edge`] (request id, who and for which organisation, rate limit, and on the way
//! back the one error shape, headers, log and figures) and then one handler, whose arguments are
//! its rules: `May<Work>` for the permission, `Path`, `Query` and `Json` for what was sent.

pub mod agents;
pub mod body;
pub mod caller;
pub mod docs;
pub mod document;
pub mod edge;
pub mod error;
pub mod fallback;
pub mod given;
pub mod headers;
pub mod health;
pub mod identity;
pub mod ledger;
pub mod limits;
pub mod metrics;
pub mod page;
pub mod path;
pub mod query;
pub mod reply;
pub mod rulebooks;
pub mod runs;
pub mod server;
pub mod upload;

use crate::config::Serve;
use aggregates::ids::OrgId;
use caller::Caller;
use error::Reply;
use futures::future::BoxFuture;
use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use utoipa_actix_web::{scope, service_config::ServiceConfig};

/// What the wire asks of the application.
pub trait Application: Send + Sync + 'static {
    /// Who has this credential (a token, an API key, a session cookie's value), and for which
    /// organisation: the one wanted, or the credential's own.
    ///
    /// # Errors
    /// 401 when the credential does not hold; 404 when its owner does not belong to the organisation wanted.
    fn identify<'a>(&'a self, credential: &'a str, wanted: Option<OrgId>) -> BoxFuture<'a, Reply<Caller>>;

    /// How each part is; within a few seconds, whatever state it is in.
    fn parts(&self) -> BoxFuture<'_, health::Parts>;

    /// Adds the figures of its own parts; called once.
    ///
    /// # Errors
    /// The name of one is taken or not valid.
    fn measure(&self, metrics: &metrics::Metrics) -> prometheus::Result<()>;

    /// Whether it may take traffic, and what does not work although it may; both in a sentence that may be shown to
    /// anybody.
    ///
    /// # Errors
    /// Why it may not.
    fn ready(&self) -> BoxFuture<'_, Result<Option<String>, String>>;

    /// What a person is told at the start in development mode, such as a sign-in link and what to do next.
    fn greeting<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Option<String>>;

    /// Called once, after the last request has been answered.
    fn close(&self) -> BoxFuture<'_, ()>;
}

/// The handlers of a service, by surface. Those of the runs surface are mounted at `/` and, without
/// being described a second time, under `/api/v1`; the others under `/api/v1`.
#[derive(Clone, Copy)]
pub struct Routes {
    /// Mounts the handlers of the runs surface.
    pub runs: fn(&mut ServiceConfig<'_>),
    /// Mounts the handlers of the other.
    pub grc: fn(&mut ServiceConfig<'_>),
}

/// The handlers of this service.
pub const ROUTES: Routes = Routes { runs: runs_surface, grc: grc_surface };

/// Mounts the runs surface: each context adds a line.
pub fn runs_surface(config: &mut ServiceConfig<'_>) {
    config.service(health::alive).service(health::ready).service(docs::openapi);
    identity::runs(config);
    rulebooks::runs(config);
    runs::runs(config);
    agents::runs(config);
    ledger::runs(config);
}

/// Mounts the surface for governance, risk and compliance: each context adds a line.
pub fn grc_surface(config: &mut ServiceConfig<'_>) {
    config
        .service(health::health)
        .service(docs::openapi_v1)
        .service(docs::swagger)
        .service(docs::redoc)
        .map(|plain| plain.service(docs::swagger_asset).service(docs::redoc_asset));
    identity::grc(config);
}

impl Routes {
    /// Mounts both. One scope has all of `/api/v1`: a second one on the same prefix would never be reached.
    pub(crate) fn mount(self, config: &mut ServiceConfig<'_>) {
        (self.runs)(config);
        let v1 = scope("/api/v1")
            .configure(self.grc)
            .map(|plain| plain.configure(|plain| (self.runs)(&mut ServiceConfig::new(plain))));
        config.service(v1);
    }
}

/// What every worker shares.
pub struct Wire {
    application: Arc<dyn Application>,
    limits: limits::Limits,
    metrics: metrics::Metrics,
    document: document::Document,
    draining: AtomicBool,
    proxies: Vec<IpAddr>,
    origin: Option<String>,
    secure: bool,
}

impl Wire {
    fn new(
        settings: &Serve,
        application: Arc<dyn Application>,
        document: document::Document,
    ) -> prometheus::Result<Self> {
        let metrics = metrics::Metrics::new()?;
        application.measure(&metrics)?;
        Ok(Self {
            application,
            limits: limits::Limits::new(settings.rate_limit, settings.sign_in_limit),
            metrics,
            document,
            draining: AtomicBool::new(false),
            proxies: settings.trusted_proxies.clone(),
            origin: settings.origin(),
            secure: settings.is_https(),
        })
    }

    /// The application.
    pub fn application(&self) -> &dyn Application {
        &*self.application
    }

    /// The limits of this process.
    pub const fn limits(&self) -> &limits::Limits {
        &self.limits
    }

    /// The figures of this process.
    pub const fn metrics(&self) -> &metrics::Metrics {
        &self.metrics
    }

    /// Whether the service is finishing what it accepted, to end after that.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }
}
