//! The application. A placeholder: nobody can sign in yet.

use crate::{
    config::Serve,
    http::{
        Application,
        caller::Caller,
        error::{Problem, Reply},
        health::{Parts, State},
    },
};
use aggregates::ids::OrgId;
use futures::{FutureExt, future::BoxFuture};

/// The application.
#[derive(Debug)]
pub struct App;

impl App {
    /// Opens the application's store.
    ///
    /// # Errors
    /// The store cannot be opened.
    pub async fn open(_: &Serve) -> std::io::Result<Self> {
        Ok(Self)
    }
}

impl Application for App {
    fn identify<'a>(&'a self, _: &'a str, _: Option<OrgId>) -> BoxFuture<'a, Reply<Caller>> {
        async { Err(Problem::unauthorized()) }.boxed()
    }

    fn parts(&self) -> BoxFuture<'_, Parts> {
        async { Parts { database: State::Unhealthy, ..Parts::default() } }.boxed()
    }

    fn ready(&self) -> BoxFuture<'_, Result<(), String>> {
        async { Err("there is no store".to_owned()) }.boxed()
    }

    fn greeting<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Option<String>> {
        async { None }.boxed()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        async {}.boxed()
    }
}
