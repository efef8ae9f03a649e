//! Whether the service lives, may take traffic, and how its parts are.

use crate::http::{
    Wire,
    error::{Problem, Reply},
    reply::Okay,
};
use actix_web::{get, web};
use serde::Serialize;
use utoipa::ToSchema;

/// How a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = HealthState)]
pub enum State {
    /// There is none; that harms nothing.
    NotConfigured,
    /// It works.
    Healthy,
    /// It works, but slowly or in part.
    Degraded,
    /// It does not work.
    Unhealthy,
}

/// How each part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = HealthServices)]
pub struct Parts {
    /// The store of events and views.
    pub database: State,
    /// Shared rate limits.
    pub redis: State,
    /// The policy server.
    pub opa: State,
    /// The inventory.
    pub steampipe: State,
    /// The store of evidence files.
    pub storage: State,
    /// The mail server.
    pub mail: State,
}

impl Default for Parts {
    fn default() -> Self {
        let none = State::NotConfigured;
        Self { database: none, redis: none, opa: none, steampipe: none, storage: none, mail: none }
    }
}

impl Parts {
    /// The whole is as its worst part; parts that are not configured do not count.
    pub fn overall(&self) -> State {
        let parts = [self.database, self.redis, self.opa, self.steampipe, self.storage, self.mail];
        parts.into_iter().fold(State::Healthy, State::max)
    }
}

/// How the service is.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// As its worst part.
    status: State,
    /// The version of the service.
    #[schema(example = "0.1.0")]
    version: &'static str,
    /// Each part.
    services: Parts,
}

/// That the service is there.
#[derive(Debug, Serialize, ToSchema)]
pub struct Alive {
    /// Always `healthy`: otherwise there is no answer.
    status: State,
}

/// That the service may take traffic.
#[derive(Debug, Serialize, ToSchema)]
pub struct Ready {
    /// `healthy`, or `degraded` when a part that nobody waits for does not work.
    status: State,
    /// What does not work; null when all does.
    detail: Option<String>,
}

/// Whether the process lives.
#[utoipa::path(tag = "service")]
#[get("/healthz")]
pub(crate) async fn alive() -> Reply<Okay<Alive>> {
    Ok(Okay(Alive { status: State::Healthy }))
}

/// Whether the service may take traffic: its store is open and migrated, its views caught up.
#[utoipa::path(tag = "service")]
#[get("/readyz")]
pub(crate) async fn ready(wire: web::Data<Wire>) -> Reply<Okay<Ready>> {
    if wire.is_draining() {
        return Err(Problem::unavailable("the service is shutting down"));
    }
    let detail = wire.application().ready().await.map_err(Problem::unavailable)?;
    let status = if detail.is_some() { State::Degraded } else { State::Healthy };
    Ok(Okay(Ready { status, detail }))
}

/// How the service and its parts are.
#[utoipa::path(tag = "service")]
#[get("/health")]
pub(crate) async fn health(wire: web::Data<Wire>) -> Reply<Okay<Health>> {
    let services = wire.application().parts().await;
    Ok(Okay(Health { status: services.overall(), version: env!("CARGO_PKG_VERSION"), services }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_is_as_its_worst_part_and_what_is_absent_harms_nothing() {
        assert_eq!(Parts::default().overall(), State::Healthy);
        let parts = Parts { database: State::Healthy, mail: State::Degraded, ..Parts::default() };
        assert_eq!(parts.overall(), State::Degraded);
        assert_eq!(Parts { storage: State::Unhealthy, ..parts }.overall(), State::Unhealthy);
    }
}
